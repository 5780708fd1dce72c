//! `[server.tls]` and `[server.gpconnect.tls]`: who we are to callers, and whose certificate they must show, by file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_identity::{ClientTrust, TrustError};
use tributary_server::{TlsError, TlsIdentity};

use super::Mistake;
use super::place::place;
use super::reader::Reader;
use crate::secrets::exposure;

/// How long a revocation list is used after the next was due, unless the configuration says otherwise, in hours.
const GRACE_HOURS: u64 = 24;

/// The files of a listener's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// The key under which the table stands.
    pub path: String,
    /// Our certificate with its chain.
    pub cert_file: PathBuf,
    /// Its key, which only its owner may read.
    pub key_file: PathBuf,
    /// The authorities that callers' certificates must come from; absent means they need none.
    pub client_ca_file: Option<PathBuf>,
    /// Revocation lists of these authorities.
    pub client_crl: ClientCrl,
}

/// How callers' certificates are called back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCrl {
    /// Nothing is said about it: not enough where callers are proven by their certificate.
    Unsaid,
    /// Not at all, and somebody answers for that.
    GoneWithout,
    /// By the lists in a file, each of which may be used for so long after the next was due.
    Lists {
        /// The file.
        file: PathBuf,
        /// How long.
        grace: Duration,
    },
}

impl ClientCrl {
    /// The file of the lists.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Lists { file, .. } => Some(file),
            Self::Unsaid | Self::GoneWithout => None,
        }
    }
}

impl ListenerTls {
    /// The same, with relative paths beginning at this folder.
    #[must_use]
    pub(super) fn within(self, folder: &Path) -> Self {
        Self {
            cert_file: place(folder, &self.cert_file),
            key_file: place(folder, &self.key_file),
            client_ca_file: self.client_ca_file.map(|file| place(folder, &file)),
            client_crl: match self.client_crl {
                ClientCrl::Lists { file, grace } => ClientCrl::Lists { file: place(folder, &file), grace },
                other @ (ClientCrl::Unsaid | ClientCrl::GoneWithout) => other,
            },
            path: self.path,
        }
    }

    /// Reads the files. Every mistake in them is told.
    pub fn load(&self) -> Result<TlsIdentity, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut read = |key: &str, file: &Path| {
            fs::read(file).map_err(|error| mistakes.push(self.wrong(key, &error.kind().to_string()))).ok()
        };
        let chain = read("cert_file", &self.cert_file);
        let key = read("key_file", &self.key_file);
        // One that cannot be read is told, and what is made without it is thrown away below.
        let authorities = self.client_ca_file.as_deref().and_then(|file| read("client_ca_file", file));
        let lists = self.client_crl.file().and_then(|file| read("client_crl_file", file));
        if let Some(how) = exposure(&self.key_file) {
            mistakes.push(self.wrong("key_file", &how.of(&self.key_file)));
        }
        let identity = match (chain, key) {
            (Some(chain), Some(key)) => {
                let grace = match &self.client_crl {
                    ClientCrl::Lists { grace, .. } => *grace,
                    ClientCrl::Unsaid | ClientCrl::GoneWithout => Duration::ZERO,
                };
                let trust = authorities.as_deref().map(|authorities| ClientTrust {
                    authorities,
                    revoked: lists.as_deref(),
                    grace,
                });
                let identity = TlsIdentity::read(&chain, &key, trust.as_ref());
                let wrong = |error: TlsError| mistakes.push(self.wrong(at_fault(error), &error.to_string()));
                identity.map_err(wrong).ok()
            }
            _ => None,
        };
        identity.filter(|_| mistakes.is_empty()).ok_or(mistakes)
    }

    /// What keeps callers from being proven by their certificate here.
    pub(super) fn obstacles(&self) -> Vec<Mistake> {
        let mut obstacles = Vec::new();
        if self.client_ca_file.is_none() {
            obstacles.push(self.wrong(
                "client_ca_file",
                "is missing: callers are proven by certificates of an authority that you name here",
            ));
        }
        if self.client_crl == ClientCrl::Unsaid {
            obstacles.push(self.wrong(
                "client_crl_file",
                "is missing: without a revocation list a stolen certificate cannot be called back. Name the list, or \
                 say without_client_crl = true",
            ));
        }
        obstacles
    }

    fn wrong(&self, key: &str, says: &str) -> Mistake {
        Mistake { path: format!("{}.{key}", self.path), line: None, says: says.to_owned() }
    }
}

const fn at_fault(error: TlsError) -> &'static str {
    match error {
        TlsError::Certificates | TlsError::Library => "cert_file",
        TlsError::Key | TlsError::Mismatch => "key_file",
        TlsError::Callers(TrustError::Authorities) => "client_ca_file",
        TlsError::Callers(TrustError::Revocations) => "client_crl_file",
    }
}

pub(super) fn read(mut table: Reader<'_>) -> Option<ListenerTls> {
    let path = table.path().to_owned();
    let cert_file = table.words("cert_file").map(PathBuf::from);
    let key_file = table.words("key_file").map(PathBuf::from);
    let client_ca_file = table.words("client_ca_file").map(PathBuf::from);
    let client_crl = client_crl(&mut table);
    let (cert_file, key_file) =
        (table.required("cert_file", cert_file), table.required("key_file", key_file));
    // Lists are those of the authorities that are believed here.
    if client_crl != ClientCrl::Unsaid {
        table.required("client_ca_file", client_ca_file.as_ref());
    }
    table.close();
    Some(ListenerTls { path, cert_file: cert_file?, key_file: key_file?, client_ca_file, client_crl })
}

fn client_crl(table: &mut Reader<'_>) -> ClientCrl {
    let file = table.words("client_crl_file").map(PathBuf::from);
    let grace = table.number("client_crl_grace_hours", 0..=168).unwrap_or(GRACE_HOURS);
    let goes_without = table.truth("without_client_crl").unwrap_or(false);
    match (file, goes_without) {
        (Some(file), false) => ClientCrl::Lists { file, grace: Duration::from_hours(grace) },
        (None, true) => ClientCrl::GoneWithout,
        (None, false) => ClientCrl::Unsaid,
        (Some(_), true) => {
            table.wrong("without_client_crl", "is true, and there is client_crl_file: which is meant?");
            ClientCrl::Unsaid
        }
    }
}
