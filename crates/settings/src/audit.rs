//! `[audit]`: where the log is kept, who signs for it, and who watches it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_audit::{KeyKind, VerifyingKey, WitnessPolicy};
use url::Url;

use super::ledger::{self, ExportSettings, PostgresSettings};
use super::place::place;
use super::reader::Reader;

/// Most witnesses: each is sent every checkpoint.
const MOST_WITNESSES: usize = 16;

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Where it is kept; [`super::Settings::load`] makes it absolute.
    pub dir: PathBuf,
    /// A segment that has grown to this length is followed by the next.
    pub segment_bytes: u64,
    /// File of the key that signs checkpoints.
    pub key_file: Option<PathBuf>,
    /// Who cosigns them.
    pub witnesses: Vec<WitnessEntry>,
    /// How many of the witnesses are needed, and how soon.
    pub policy: WitnessPolicy,
    /// Between two checkpoints sent to a witness.
    pub witness_interval: Duration,
    /// The database that keeps it instead, where that is configured.
    pub postgres: Option<PostgresSettings>,
    /// Whom it is handed on to.
    pub export: Option<ExportSettings>,
}

/// One witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessEntry {
    /// What its address begins with.
    pub url: String,
    /// Its public key.
    pub key: VerifyingKey,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("var/audit"),
            segment_bytes: 64 << 20,
            key_file: None,
            witnesses: Vec::new(),
            policy: WitnessPolicy::default(),
            witness_interval: Duration::from_secs(5),
            postgres: None,
            export: None,
        }
    }
}

impl AuditSettings {
    /// Relative paths begin at this folder.
    pub(super) fn begin_at(&mut self, folder: &Path) {
        self.dir = folder.join(&self.dir);
        self.key_file = self.key_file.take().map(|file| place(folder, &file));
        self.postgres = self.postgres.take().map(|postgres| postgres.within(folder));
        self.export = self.export.take().map(|export| export.within(folder));
    }
}

pub(super) fn read(mut table: Reader<'_>) -> AuditSettings {
    let usual = AuditSettings::default();
    let witnesses: Vec<_> = table.tables("witness").into_iter().filter_map(read_witness).collect();
    let mut seconds = |key, most, usual| table.number(key, 1..=most).map_or(usual, Duration::from_secs);
    let policy = WitnessPolicy {
        needed: usual.policy.needed,
        warn_after: seconds("witness_warn_secs", 86_400, usual.policy.warn_after),
        refuse_after: seconds("witness_refuse_secs", 7 * 86_400, usual.policy.refuse_after),
    };
    let witness_interval = seconds("witness_interval_secs", 300, usual.witness_interval);
    let needed = table.number("witnesses_needed", 1..=MOST_WITNESSES as u64);
    let needed = needed.and_then(|needed| usize::try_from(needed).ok()).unwrap_or(policy.needed);
    let settings = AuditSettings {
        dir: table.words("dir").map_or(usual.dir, PathBuf::from),
        segment_bytes: table.number("segment_bytes", 1 << 20..=4 << 30).unwrap_or(usual.segment_bytes),
        key_file: table.words("key_file").map(PathBuf::from),
        policy: WitnessPolicy { needed, ..policy },
        witness_interval,
        witnesses,
        postgres: table.table("postgres").and_then(ledger::read_postgres),
        export: table.table("export").map(ledger::read_export),
    };
    check(&table, &settings);
    match table.text("sink").unwrap_or("local") {
        "local" if table.has("postgres") => {
            table.wrong("sink", "is \"local\", and there is an [audit.postgres]");
        }
        "local" => {}
        "postgres" if table.has("postgres") => {}
        "postgres" => table.wrong("postgres", "is missing: sink = \"postgres\" needs it"),
        _ => table.wrong("sink", "is neither \"local\" nor \"postgres\""),
    }
    table.close();
    settings
}

fn check(table: &Reader<'_>, settings: &AuditSettings) {
    let count = settings.witnesses.len();
    if count > MOST_WITNESSES {
        table.wrong("witness", format_args!("has more than {MOST_WITNESSES} entries"));
    }
    if count > 0 && settings.key_file.is_none() {
        table.wrong("witness", "needs key_file: a witness cosigns what is signed");
    }
    if count > 0 && settings.policy.needed > count {
        table.wrong("witnesses_needed", "is more than there are witnesses");
    }
    let is_twice = settings
        .witnesses
        .iter()
        .enumerate()
        .any(|(place, one)| settings.witnesses.iter().take(place).any(|other| other.key == one.key));
    if is_twice {
        table.wrong("witness", "has one key twice: one witness counts once");
    }
    if settings.policy.warn_after > settings.policy.refuse_after {
        table.wrong("witness_warn_secs", "is later than witness_refuse_secs");
    }
}

/// What is sent to a witness is public, and what it answers is signed: plain HTTP will do.
fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not an address, as in \"https://witness.example.test\"")?;
    let is_plain = url.query().is_none() && url.username().is_empty() && url.host_str().is_some();
    let is_http = matches!(url.scheme(), "http" | "https");
    if is_plain && is_http { Ok(url) } else { Err("is not a plain http or https address") }
}

fn read_witness(mut table: Reader<'_>) -> Option<WitnessEntry> {
    let url = table.parsed("url", address).map(|url| url.to_string());
    let url = table.required("url", url);
    let key = table.parsed("key", |text| match VerifyingKey::parse(text) {
        Ok(key) if key.kind() == KeyKind::Witness => Ok(key),
        Ok(_log) => Err("is the key of a log, not of a witness".to_owned()),
        Err(error) => Err(error.to_string()),
    });
    let key = table.required("key", key);
    table.close();
    Some(WitnessEntry { url: url?, key: key? })
}

#[cfg(test)]
mod tests {
    use tributary_audit::SigningKey;

    use super::*;
    use crate::Settings;

    #[test]
    fn witnesses_are_held_to_what_they_can_be() {
        let key = SigningKey::generate("w.example.test", KeyKind::Witness).unwrap();
        let log = SigningKey::generate("w.example.test", KeyKind::Log).unwrap();
        let entry = |key: &SigningKey| {
            format!("[[audit.witness]]\nurl = \"http://w.example.test\"\nkey = \"{}\"\n", key.public())
        };
        let mistakes = |audit: &str, more: &str| {
            let text = format!("[audit]\n{audit}\n{more}");
            let mistakes = Settings::parse(&text).err().unwrap_or_default();
            mistakes.into_iter().map(|mistake| mistake.path).collect::<Vec<_>>()
        };
        assert_eq!(mistakes("key_file = \"k\"", &entry(&key)), Vec::<String>::new());
        assert_eq!(mistakes("", &entry(&key)), ["audit.witness"]);
        assert_eq!(mistakes("key_file = \"k\"", &entry(&log)), ["audit.witness[1].key"]);
        assert_eq!(mistakes("key_file = \"k\"", &entry(&key).repeat(2)), ["audit.witness"]);
        assert_eq!(
            mistakes("key_file = \"k\"\nwitnesses_needed = 2", &entry(&key)),
            ["audit.witnesses_needed"]
        );
        assert_eq!(mistakes("witness_warn_secs = 20000", ""), ["audit.witness_warn_secs"]);
    }
}
