//! `tributary audit export`: copies a log, or hands it on as FHIR.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use tributary_audit::{AuditReadKind, Records, SegmentCopy, TreeCopy};
use tributary_ledger::export::{EventFile, audit_events};
use tributary_ledger::postgres::Reader;
use tributary_ledger::{Entry, LedgerError, Stored};

use super::super::Done;
use super::place::{By, Failed, Opened, Place};

/// Length of a segment of a copy.
const SEGMENT_BYTES: u64 = 64 << 20;

/// Arguments of `audit export`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    by: By,
    /// The node whose log is copied from a database. Absent: the one that the configuration names.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Where a copy is put, as `tributary audit verify` reads it. The directory must hold no log yet.
    #[arg(long, value_name = "DIR", required_unless_present = "fhir", conflicts_with = "fhir")]
    out: Option<PathBuf>,
    /// The file that gets FHIR R4 audit events, one a line. It must not be there yet.
    #[arg(long, value_name = "FILE")]
    fhir: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let opened = arguments.place.open()?;
    match (&opened.stored, &arguments.out, &arguments.fhir) {
        (Stored::Directory(_), Some(_), _) => {
            Err("this log is a directory already: copy its files, and verify the copy".into())
        }
        (Stored::Directory(dir), None, Some(file)) => {
            let count = in_directory(dir, |_| Ok(()))?;
            note(arguments, &opened, "--fhir", count).await?;
            let mut events = Events::begin(file, "local", &opened.address)?;
            in_directory(dir, |payload| events.add(payload))?;
            events.told(out, file)
        }
        (Stored::Postgres(store), target, fhir) => {
            let node = arguments.node.clone().unwrap_or_else(|| store.node.to_string());
            let reader = Reader::connect(store).await?;
            let extents = reader.extents().await?;
            let Some(extent) = extents.iter().find(|extent| extent.node == node) else {
                return Err(format!("there is no log of node {node}").into());
            };
            let how = if target.is_some() { "--out" } else { "--fhir" };
            note(arguments, &opened, &format!("--node {node} {how}"), extent.records).await?;
            if let Some(file) = fhir {
                let mut events = Events::begin(file, &node, &opened.address)?;
                reader.whole(&node, |_, payload| events.add(payload)).await?;
                return events.told(out, file);
            }
            copied(&reader, &node, target.as_deref().unwrap_or_else(|| Path::new("")), out).await
        }
        (Stored::Directory(_), None, None) => Err("neither --out nor --fhir is given".into()),
    }
}

async fn note(arguments: &Arguments, opened: &Opened, how: &str, records: u64) -> Result<(), Failed> {
    let event = arguments.by.reader().event(AuditReadKind::Export, None, how.to_owned(), records);
    opened.note(event).await.map(|_receipt| ())
}

async fn copied(reader: &Reader, node: &str, to: &Path, out: &mut dyn Write) -> Done {
    let mut copy = SegmentCopy::begin(to, SEGMENT_BYTES)?;
    let tree = RefCell::new(TreeCopy::begin(to)?);
    // Checkpoints before tiles before records, as they became durable the other way round: what the first speak of is
    // among the last, though the log grows meanwhile.
    let entry = |entry: &[u8]| Ok(tree.borrow_mut().entry(entry)?);
    let tile = |level, place, hashes: &[u8]| Ok(tree.borrow_mut().tile(level, place, hashes)?);
    reader.tree(node, entry, tile).await?;
    let mut tree = tree.into_inner();
    let mut records = 0_u64;
    reader
        .whole(node, |_, payload| {
            records += 1;
            tree.record(payload)?;
            copy.add(payload).map_err(LedgerError::from)
        })
        .await?;
    copy.finish()?;
    tree.finish()?;
    writeln!(out, "{records} records of node {node} in {}", to.display())?;
    Ok(0)
}

/// Every record of a directory; how many there are.
fn in_directory(
    dir: &Path,
    mut visit: impl FnMut(&[u8]) -> Result<(), LedgerError>,
) -> Result<u64, LedgerError> {
    let (mut records, mut visited) = (0, Ok(()));
    Records::open(dir)?.read(u64::MAX, &mut |_, payload| {
        if visited.is_ok() {
            records += 1;
            visited = visit(payload);
        }
    })?;
    visited.map(|()| records)
}

/// Audit events on their way into a file.
struct Events<'n> {
    file: EventFile,
    node: &'n str,
    address: &'n str,
    records: u64,
    made: u64,
}

impl<'n> Events<'n> {
    fn begin(path: &Path, node: &'n str, address: &'n str) -> Result<Self, Failed> {
        if path.exists() {
            return Err(format!("{} is there already", path.display()).into());
        }
        Ok(Self { file: EventFile::open(path)?, node, address, records: 0, made: 0 })
    }

    fn add(&mut self, payload: &[u8]) -> Result<(), LedgerError> {
        let entry = Entry::parse(payload).ok_or(io::ErrorKind::InvalidData).map_err(io::Error::from)?;
        self.records += 1;
        for event in audit_events(self.node, self.address, &entry) {
            self.made += 1;
            self.file.add(&event)?;
        }
        Ok(())
    }

    fn told(mut self, out: &mut dyn Write, path: &Path) -> Done {
        self.file.settle()?;
        writeln!(out, "{} events of {} records in {}", self.made, self.records, path.display())?;
        Ok(0)
    }
}
