//! `[source.tls]` and `[spine.tls]`: certificates, by file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tributary_sources::egress::{ClientIdentity, SourceTls, TlsVersions, certificates, revocations};

use super::Mistake;
use super::place::place;
use super::reader::Reader;
use crate::secrets::exposure;

/// The files that say whom we believe and who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The key under which the table stands, for mistakes in the files.
    pub path: String,
    /// Authorities that are believed; absent means those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Revocation lists of these authorities.
    pub crl_file: Option<PathBuf>,
    /// Our certificate with its chain.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// Versions that may be spoken.
    pub versions: TlsVersions,
}

impl TlsFiles {
    /// The same, with relative paths beginning at this folder.
    #[must_use]
    pub(super) fn within(self, folder: &Path) -> Self {
        let within = |file: Option<PathBuf>| file.map(|file| place(folder, &file));
        Self {
            ca_file: within(self.ca_file),
            crl_file: within(self.crl_file),
            cert_file: within(self.cert_file),
            key_file: within(self.key_file),
            ..self
        }
    }

    /// Reads the files. Every mistake in them is told.
    pub fn load(&self) -> Result<SourceTls, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut read = |key: &str, file: &Option<PathBuf>| -> Option<Vec<u8>> {
            let file = file.as_ref()?;
            fs::read(file).map_err(|error| mistakes.push(self.wrong(key, &error.kind().to_string()))).ok()
        };
        let (authorities, revoked) = (read("ca_file", &self.ca_file), read("crl_file", &self.crl_file));
        let (chain, key) = (read("cert_file", &self.cert_file), read("key_file", &self.key_file));
        let mut tls = SourceTls { versions: self.versions, ..SourceTls::default() };
        if let Some(pem) = authorities {
            match certificates(&pem) {
                Ok(roots) => tls.roots = roots,
                Err(error) => mistakes.push(self.wrong("ca_file", &error.to_string())),
            }
        }
        if let Some(pem) = revoked {
            match revocations(&pem) {
                Ok(lists) => tls.revoked = lists,
                Err(error) => mistakes.push(self.wrong("crl_file", &error.to_string())),
            }
        }
        if let (Some(chain), Some(key)) = (chain, key) {
            match ClientIdentity::read(&chain, &key) {
                Ok(identity) => tls.identity = Some(Arc::new(identity)),
                Err(error) => mistakes.push(self.wrong("cert_file", &error.to_string())),
            }
        }
        let exposed = self.key_file.as_deref().and_then(|file| Some((file, exposure(file)?)));
        mistakes.extend(exposed.map(|(file, how)| self.wrong("key_file", &how.of(file))));
        if mistakes.is_empty() { Ok(tls) } else { Err(mistakes) }
    }

    fn wrong(&self, key: &str, says: &str) -> Mistake {
        Mistake { path: format!("{}.{key}", self.path), line: None, says: says.to_owned() }
    }
}

pub(super) fn read(mut table: Reader<'_>) -> TlsFiles {
    let file = |table: &mut Reader<'_>, key| table.words(key).map(PathBuf::from);
    let files = TlsFiles {
        path: table.path().to_owned(),
        ca_file: file(&mut table, "ca_file"),
        crl_file: file(&mut table, "crl_file"),
        cert_file: file(&mut table, "cert_file"),
        key_file: file(&mut table, "key_file"),
        versions: table.parsed("version", version).unwrap_or_default(),
    };
    if files.cert_file.is_some() {
        table.required("key_file", files.key_file.as_ref());
    }
    if files.key_file.is_some() {
        table.required("cert_file", files.cert_file.as_ref());
    }
    // Lists are read for the authorities of this table; those of the machine have their own.
    if files.crl_file.is_some() {
        table.required("ca_file", files.ca_file.as_ref());
    }
    table.close();
    files
}

fn version(text: &str) -> Result<TlsVersions, &'static str> {
    if text == "1.2" { Ok(TlsVersions::Only12) } else { Err("is not \"1.2\"; leave it out for 1.2 and 1.3") }
}
