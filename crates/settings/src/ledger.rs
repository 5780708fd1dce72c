//! `[audit.postgres]` and `[audit.export]`: where the audit log goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_audit::NodeName;
use tributary_ledger::postgres::{Place, Store};
use tributary_ledger::{ClientTls, LedgerError, Pem, client_tls};
use tributary_model::Redacted;
use url::Url;

use super::Mistake;
use super::address::base_url;
use super::audit::AuditSettings;
use super::place::place;
use super::reader::Reader;
use crate::chain;
use crate::secrets::exposure;

/// No password is longer.
const LONGEST_SECRET: usize = 4096;

/// Files of whoever we speak to about the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerFiles {
    /// The key under which they stand.
    pub path: String,
    /// Authorities that are believed; absent means those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Our certificate with its chain.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// A password or token.
    pub secret: Option<(&'static str, PathBuf)>,
}

/// The database that keeps the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Where it listens.
    pub place: Place,
    /// On which port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Our user there: it adds records and reads them.
    pub user: String,
    /// Whose log this process writes.
    pub node: NodeName,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for a batch.
    pub append_timeout: Duration,
    /// How long a start waits for another process to let the log go.
    pub lease_wait: Duration,
    /// Whether a server without a synchronous standby is refused.
    pub needs_standby: bool,
    /// Password, authorities and our certificate.
    pub files: LedgerFiles,
}

/// Whom the log is handed on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSettings {
    /// Where audit events are posted to.
    pub url: Option<Url>,
    /// The file that they are added to, one a line.
    pub file: Option<PathBuf>,
    /// Where it is kept how far the export got, and what was not taken.
    pub state_dir: PathBuf,
    /// Longest time for one event.
    pub timeout: Duration,
    /// Longest pause between tries.
    pub pause_max: Duration,
    /// Tries before an event that is refused is put aside.
    pub tries: u32,
    /// Token, authorities and our certificate.
    pub files: LedgerFiles,
}

impl LedgerFiles {
    fn read(table: &mut Reader<'_>, secret: &'static str) -> Self {
        let files = Self {
            path: table.path().to_owned(),
            ca_file: table.words("ca_file").map(PathBuf::from),
            cert_file: table.words("cert_file").map(PathBuf::from),
            key_file: table.words("key_file").map(PathBuf::from),
            secret: table.words(secret).map(|file| (secret, PathBuf::from(file))),
        };
        if files.cert_file.is_some() {
            table.required("key_file", files.key_file.as_ref());
        }
        if files.key_file.is_some() {
            table.required("cert_file", files.cert_file.as_ref());
        }
        files
    }

    fn within(self, folder: &Path) -> Self {
        let within = |file: Option<PathBuf>| file.map(|file| place(folder, &file));
        Self {
            ca_file: within(self.ca_file),
            cert_file: within(self.cert_file),
            key_file: within(self.key_file),
            secret: self.secret.map(|(key, file)| (key, place(folder, &file))),
            path: self.path,
        }
    }

    fn content(&self, key: &str, file: &Path) -> Result<Vec<u8>, Mistake> {
        fs::read(file).map_err(|error| self.wrong(key, &format!("cannot be read: {}", error.kind())))
    }

    fn private(&self, key: &str, file: &Path) -> Result<Vec<u8>, Mistake> {
        if let Some(how) = exposure(file) {
            return Err(self.wrong(key, &how.of(file)));
        }
        self.content(key, file)
    }

    /// The password or token.
    fn secret(&self) -> Result<Option<Redacted<String>>, Mistake> {
        let Some((key, file)) = &self.secret else { return Ok(None) };
        let text = String::from_utf8(self.private(key, file)?).unwrap_or_default();
        let word = text.trim();
        let is_word = !word.is_empty() && word.len() <= LONGEST_SECRET && !word.contains(char::is_control);
        if is_word {
            Ok(Some(Redacted::new(word.to_owned())))
        } else {
            Err(self.wrong(key, "holds no secret"))
        }
    }

    fn tls(&self) -> Result<ClientTls, Mistake> {
        let authorities = self.ca_file.as_deref().map(|file| self.content("ca_file", file)).transpose()?;
        let identity = match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => {
                Some((self.content("cert_file", cert)?, self.private("key_file", key)?))
            }
            _ => None,
        };
        client_tls(&Pem { authorities, identity }).map_err(|error| {
            let key = if let LedgerError::Certificate(key) = error { key } else { "ca_file" };
            self.wrong(key, &chain(&error))
        })
    }

    fn wrong(&self, key: &str, says: &str) -> Mistake {
        Mistake { path: format!("{}.{key}", self.path), line: None, says: says.to_owned() }
    }
}

impl PostgresSettings {
    pub(super) fn within(self, folder: &Path) -> Self {
        Self { files: self.files.within(folder), ..self }
    }

    /// The store, with its files read.
    pub fn store(&self) -> Result<Store, Mistake> {
        let needs_tls = !self.place.is_local() || self.files.ca_file.is_some();
        Ok(Store {
            place: self.place.clone(),
            port: self.port,
            database: self.database.clone(),
            user: self.user.clone(),
            password: self.files.secret()?,
            tls: needs_tls.then(|| self.files.tls()).transpose()?,
            node: self.node,
            connect_timeout: self.connect_timeout,
            append_timeout: self.append_timeout,
            lease_wait: self.lease_wait,
            needs_standby: self.needs_standby,
        })
    }
}

impl ExportSettings {
    pub(super) fn within(self, folder: &Path) -> Self {
        Self {
            files: self.files.within(folder),
            file: self.file.map(|file| folder.join(file)),
            state_dir: folder.join(self.state_dir),
            ..self
        }
    }

    /// The token that the repository is shown.
    pub fn bearer(&self) -> Result<Option<Redacted<String>>, Mistake> {
        self.files.secret()
    }

    /// TLS towards the repository.
    pub fn tls(&self) -> Result<ClientTls, Mistake> {
        self.files.tls()
    }
}

impl AuditSettings {
    /// Where the log is kept, for people.
    pub fn place(&self) -> String {
        match &self.postgres {
            None => self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone()).display().to_string(),
            Some(PostgresSettings { database, node, place, .. }) => match place {
                Place::Host(host) => format!("PostgreSQL at {host}, database {database}, node {node}"),
                Place::Socket(dir) => {
                    format!("PostgreSQL in {}, database {database}, node {node}", dir.display())
                }
            },
        }
    }

    /// Every file that cannot be used.
    pub fn file_mistakes(&self) -> Vec<Mistake> {
        let postgres = self.postgres.as_ref().and_then(|postgres| postgres.store().err());
        let export = self.export.as_ref().map(|export| (export.bearer().err(), export.tls().err()));
        let (bearer, tls) = export.unwrap_or_default();
        postgres.into_iter().chain(bearer).chain(tls).collect()
    }
}

pub(super) fn read_postgres(mut table: Reader<'_>) -> Option<PostgresSettings> {
    let host = table.words("host").map(Place::Host);
    let socket = table.words("socket_dir").map(|dir| Place::Socket(PathBuf::from(dir)));
    if host.is_some() == socket.is_some() {
        table.wrong("host", "and socket_dir: one of them says where the server is, and not both");
    }
    let files = LedgerFiles::read(&mut table, "password_file");
    let user = table.words("user");
    let node = table.parsed("node", |text| {
        let node = NodeName::parse(text).filter(|_| text != tributary_ledger::READS && text != "local");
        node.ok_or(
            "is not 1 to 24 lower-case letters, digits and hyphens, or is one of \"reads\" and \"local\"",
        )
    });
    let (user, node) = (table.required("user", user), table.required("node", node));
    let mut millis = |key, bounds, usual| Duration::from_millis(table.number(key, bounds).unwrap_or(usual));
    let connect_timeout = millis("connect_timeout_ms", 50..=30_000, 1_000);
    let append_timeout = millis("append_timeout_ms", 100..=30_000, 3_000);
    let lease_wait = millis("lease_wait_ms", 0..=600_000, 5_000);
    let port = table.number("port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
    let database = table.words("database").unwrap_or_else(|| "tributary".to_owned());
    let needs_standby = table.truth("require_standby").unwrap_or_default();
    table.close();
    Some(PostgresSettings {
        place: host.or(socket)?,
        port: port.unwrap_or(5432),
        database,
        user: user?,
        node: node?,
        connect_timeout,
        append_timeout,
        lease_wait,
        needs_standby,
        files,
    })
}

pub(super) fn read_export(mut table: Reader<'_>) -> ExportSettings {
    let files = LedgerFiles::read(&mut table, "bearer_file");
    let export = ExportSettings {
        url: table.parsed("url", base_url),
        file: table.words("file").map(PathBuf::from),
        state_dir: table.words("state_dir").map_or_else(|| PathBuf::from("var/audit-export"), PathBuf::from),
        timeout: Duration::from_millis(table.number("timeout_ms", 100..=120_000).unwrap_or(10_000)),
        pause_max: Duration::from_secs(table.number("pause_max_secs", 1..=3_600).unwrap_or(60)),
        tries: table.number("tries", 1..=100).and_then(|tries| u32::try_from(tries).ok()).unwrap_or(5),
        files,
    };
    if export.url.is_none() && export.file.is_none() && !table.has("url") {
        table.wrong("url", "and file: one of them says where audit events go, or both");
    }
    table.close();
    export
}
