//! `tributary audit`: looks after audit logs.

pub mod export;
pub mod init;
mod place;
pub mod report;
pub mod search;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use tributary_audit::{
    Expected, Flaw, KeyKind, NodeName, Report, SigningKey, Verdict, VerifyingKey, verify_against,
    verify_up_to,
};
use tributary_guard::Hardening;

use super::Done;

/// What to do with an audit log.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Proves that a log is what was written. Exit code: 0 ok, 2 tampered, 3 truncated, 4 too few cosignatures,
    /// 5 unreadable.
    Verify(VerifyArguments),
    /// Makes a key: of a log, for `[audit] key_file`, or of a witness. Prints the public part.
    Keygen(KeygenArguments),
    /// Makes the tables of a log in PostgreSQL, as their owner.
    Init(init::Arguments),
    /// Who looked: records by patient, user, organisation or time. Itself put on record.
    Search(search::Arguments),
    /// Who looked at one patient's record, in words for that patient. Itself put on record.
    Report(report::Arguments),
    /// Copies a log, or hands it on as FHIR audit events. Itself put on record.
    Export(export::Arguments),
    /// Asks the sources of a disclosure again, and tells whether the same record would be shown today. Exit code: 0
    /// same, 1 differs, 2 cannot be told.
    Replay(super::replay::Arguments),
}

/// Arguments of `audit keygen`.
#[derive(Debug, Args)]
pub struct KeygenArguments {
    /// Where the key is written; it must not exist.
    file: PathBuf,
    /// What the log is called: `<deployment>/audit/<node>`, as in `record.example.nhs.uk/audit/a`. Of a witness, its
    /// own name.
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// A key of a witness.
    #[arg(long)]
    witness: bool,
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The directory of the log.
    dir: PathBuf,
    /// A record that must be there: the number of the latest answer, as its `Tributary-Audit` header tells it
    /// (`local-17`, or `17`). Without it, records cut off the end are not missed.
    #[arg(long, value_name = "SEQ", value_parser = head, default_value = "0", hide_default_value = true)]
    head: u64,
    /// A public key of the log, as `audit keygen` printed it. May be given again.
    #[arg(long, value_name = "KEY", value_parser = VerifyingKey::parse)]
    key: Vec<VerifyingKey>,
    /// A public key of a witness. May be given again.
    #[arg(long, value_name = "KEY", value_parser = VerifyingKey::parse)]
    witness_key: Vec<VerifyingKey>,
    /// How many of these witnesses must have cosigned.
    #[arg(long, value_name = "COUNT", default_value = "1")]
    witnesses_needed: usize,
    /// For how long the log may go on after what they cosigned.
    #[arg(long, value_name = "SECONDS", default_value = "14400")]
    unwitnessed_secs: u64,
    /// A file with a checkpoint that somebody else kept, as a witness does. May be given again.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn head(text: &str) -> Result<u64, &'static str> {
    // `local-17`, or the name of a node that keeps its log in a database.
    let named = text.rsplit_once('-').filter(|(node, _)| NodeName::parse(node).is_some());
    let digits = named.map_or(text, |(_node, digits)| digits);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number).ok_or("is no number of a record, as in local-17 or 17")
}

pub(super) async fn run(action: Action, hardening: &Hardening, out: &mut dyn Write) -> Done {
    match action {
        Action::Verify(arguments) => verify(&arguments, out),
        Action::Keygen(arguments) => keygen(&arguments, out),
        Action::Init(arguments) => init::run(&arguments, out).await,
        Action::Search(arguments) => search::run(&arguments, out).await,
        Action::Report(arguments) => report::run(&arguments, out).await,
        Action::Export(arguments) => export::run(&arguments, out).await,
        Action::Replay(arguments) => super::replay::run(&arguments, hardening).await,
    }
}

/// Makes a key that only its owner may read.
fn keygen(arguments: &KeygenArguments, out: &mut dyn Write) -> Done {
    let kind = if arguments.witness { KeyKind::Witness } else { KeyKind::Log };
    let key = SigningKey::generate(&arguments.origin, kind)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&arguments.file)?;
    writeln!(file, "{}", key.secret_text())?;
    file.sync_all()?;
    writeln!(out, "{}", key.public())?;
    Ok(0)
}

fn verify(arguments: &VerifyArguments, out: &mut dyn Write) -> Done {
    let checkpoints = arguments.checkpoint.iter().map(fs::read_to_string).collect::<io::Result<_>>()?;
    let report = verify_against(
        &arguments.dir,
        &Expected {
            head: arguments.head,
            keys: arguments.key.clone(),
            witnesses: arguments.witness_key.clone(),
            needed: arguments.witnesses_needed,
            unwitnessed_for: Duration::from_secs(arguments.unwitnessed_secs),
            checkpoints,
        },
    );
    // What was written down about reading the log lies within it.
    let reads = arguments.dir.join(tributary_ledger::READS);
    let reads = reads.is_dir().then(|| verify_up_to(&reads, 0));
    if arguments.json {
        let told =
            JsonReport { reads: reads.as_ref().map(JsonReport::of).map(Box::new), ..JsonReport::of(&report) };
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else {
        told(out, &report)?;
        if let Some(reads) = &reads {
            write!(out, "readings of this log: ")?;
            told(out, reads)?;
        }
    }
    let verdict = reads.map_or(Verdict::Ok, |reads| reads.verdict()).max(report.verdict());
    Ok(verdict.exit_code())
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Unwitnessed => "unwitnessed",
        Verdict::Truncated => "truncated",
        Verdict::Tampered => "tampered",
        Verdict::Unreadable => "unreadable",
    }
}

const fn flaw(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Frame => "bytes that are no record",
        Flaw::Chain => "a record that does not follow from the one before",
        Flaw::Missing => "records or checkpoints are missing",
        Flaw::Tile => "hashes of the tree that are not those of the records",
        Flaw::Checkpoint => "a checkpoint that is not of these records",
        Flaw::Signature => "a wrong signature",
        Flaw::Unwitnessed => "too few witnesses cosigned, or too long ago",
    }
}

fn told(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let is_unfinished = report.verdict() == Verdict::Ok && report.residue_bytes > 0;
    let more = if is_unfinished { ", but the last record is unfinished" } else { "" };
    writeln!(out, "{}{more}", word(report.verdict()))?;
    let (records, segments, last) = (report.records, report.segments, report.last_seq);
    writeln!(out, "  {records} records in {segments} segments, the last with number {last}")?;
    let (all, signed, cosigned) =
        (report.checkpoints, report.signed_checkpoints, report.cosigned_checkpoints);
    writeln!(out, "  {all} checkpoints, {signed} signed by the keys given, {cosigned} cosigned")?;
    for (kind, count) in &report.by_kind {
        writeln!(out, "  {count:>8} {}", kind.code())?;
    }
    for problem in &report.problems {
        let seq = problem.seq.map(|seq| format!(", record {seq}")).unwrap_or_default();
        let (segment, offset) = (problem.segment, problem.offset);
        if segment == 0 {
            writeln!(out, "  tree{seq}: {}", flaw(problem.flaw))?;
        } else {
            writeln!(out, "  segment {segment} at byte {offset}{seq}: {}", flaw(problem.flaw))?;
        }
    }
    if report.segments == 0 && report.unreadable == Some(io::ErrorKind::NotFound) {
        writeln!(out, "  there is no audit log here")?;
    } else if let Some(kind) = report.unreadable {
        writeln!(out, "  a file could not be read: {kind}")?;
    }
    let notes = [
        (
            report.residue_bytes,
            "bytes of an unfinished record at the very end, as a crash leaves them; the next start cuts them off",
        ),
        (report.superseded_bytes, "bytes that were written again elsewhere after a failed write"),
        (report.open_intents, "intents without an end: in flight, or closed at the next start"),
        (report.strays, "records that end an intent which is not open"),
        (report.clock_steps_back, "times the wall clock went back"),
    ];
    for (count, words) in notes.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "  {count} {words}")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct JsonReport {
    verdict: &'static str,
    segments: u64,
    records: u64,
    disclosures: u64,
    last_seq: u64,
    problems: Vec<JsonProblem>,
    unreadable: Option<String>,
    residue_bytes: u64,
    superseded_bytes: u64,
    open_intents: u64,
    strays: u64,
    clock_steps_back: u64,
    checkpoints: u64,
    signed_checkpoints: u64,
    signed_size: u64,
    cosigned_checkpoints: u64,
    cosigned_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reads: Option<Box<Self>>,
}

#[derive(Serialize)]
struct JsonProblem {
    segment: u32,
    offset: u64,
    seq: Option<u64>,
    says: &'static str,
}

impl JsonReport {
    fn of(report: &Report) -> Self {
        let problems = report.problems.iter().map(|problem| JsonProblem {
            segment: problem.segment,
            offset: problem.offset,
            seq: problem.seq,
            says: flaw(problem.flaw),
        });
        Self {
            verdict: word(report.verdict()),
            segments: report.segments,
            records: report.records,
            disclosures: report.disclosures(),
            last_seq: report.last_seq,
            problems: problems.collect(),
            unreadable: report.unreadable.map(|kind| kind.to_string()),
            residue_bytes: report.residue_bytes,
            superseded_bytes: report.superseded_bytes,
            open_intents: report.open_intents,
            strays: report.strays,
            clock_steps_back: report.clock_steps_back,
            checkpoints: report.checkpoints,
            signed_checkpoints: report.signed_checkpoints,
            signed_size: report.signed_size,
            cosigned_checkpoints: report.cosigned_checkpoints,
            cosigned_size: report.cosigned_size,
            reads: None,
        }
    }
}
