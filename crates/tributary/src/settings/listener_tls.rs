//! `[server.tls]`: who we are to callers, and whose certificate they must show, by file.

use std::fs;
use std::path::{Path, PathBuf};

use tributary_server::{TlsError, TlsIdentity};

use super::Mistake;
use super::reader::Reader;
use super::tls::is_open_to_others;

/// The files of the data listener's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// Our certificate with its chain.
    pub cert_file: PathBuf,
    /// Its key, which only its owner may read.
    pub key_file: PathBuf,
    /// The authorities that callers' certificates must come from; absent means they need none.
    pub client_ca_file: Option<PathBuf>,
}

impl ListenerTls {
    /// The same, with relative paths beginning at this folder.
    #[must_use]
    pub(super) fn within(self, folder: &Path) -> Self {
        Self {
            cert_file: folder.join(self.cert_file),
            key_file: folder.join(self.key_file),
            client_ca_file: self.client_ca_file.map(|file| folder.join(file)),
        }
    }

    /// Reads the files. Every mistake in them is told.
    pub fn load(&self) -> Result<TlsIdentity, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut read = |key: &str, file: &Path| {
            fs::read(file).map_err(|error| mistakes.push(wrong(key, &error.kind().to_string()))).ok()
        };
        let chain = read("cert_file", &self.cert_file);
        let key = read("key_file", &self.key_file);
        let authorities = self.client_ca_file.as_deref().map(|file| read("client_ca_file", file));
        if is_open_to_others(&self.key_file) {
            let says = format!("{} can be read by other users of this machine", self.key_file.display());
            mistakes.push(wrong("key_file", &says));
        }
        // An authority that cannot be read is told already, and must not mean that none is asked for.
        let authorities = match authorities {
            None => Some(None),
            Some(pem) => pem.map(Some),
        };
        let identity = match (chain, key, &authorities) {
            (Some(chain), Some(key), Some(authorities)) => {
                let identity = TlsIdentity::read(&chain, &key, authorities.as_deref());
                identity.map_err(|error| mistakes.push(wrong(at_fault(error), &error.to_string()))).ok()
            }
            _ => None,
        };
        identity.filter(|_| mistakes.is_empty()).ok_or(mistakes)
    }
}

const fn at_fault(error: TlsError) -> &'static str {
    match error {
        TlsError::Certificates | TlsError::Library => "cert_file",
        TlsError::Key | TlsError::Mismatch => "key_file",
        TlsError::Authorities => "client_ca_file",
    }
}

fn wrong(key: &str, says: &str) -> Mistake {
    Mistake { path: format!("server.tls.{key}"), line: None, says: says.to_owned() }
}

pub(super) fn read(mut table: Reader<'_>) -> Option<ListenerTls> {
    let cert_file = table.words("cert_file").map(PathBuf::from);
    let key_file = table.words("key_file").map(PathBuf::from);
    let client_ca_file = table.words("client_ca_file").map(PathBuf::from);
    let (cert_file, key_file) =
        (table.required("cert_file", cert_file), table.required("key_file", key_file));
    table.close();
    Some(ListenerTls { cert_file: cert_file?, key_file: key_file?, client_ca_file })
}
