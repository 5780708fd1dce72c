//! Secrets come from files, and from files that nobody else can read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tributary_audit::Digest;
use tributary_model::Redacted;
use tributary_sources::national::oauth::{ClientKey, KeyError};

use crate::{Mistake, NationalSettings};

/// No key is longer.
const MAX_BYTES: u64 = 64 << 10;

/// Why a file gives no secret. It names the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// Others may read or change it.
    #[error("{}", .1.of(.0))]
    Exposed(PathBuf, Exposure),
    /// It holds nothing, or more than a secret.
    #[error("{} holds no secret", .0.display())]
    Content(PathBuf),
    /// It holds no key that signs.
    #[error("{} {}", .0.display(), .1)]
    Key(PathBuf, KeyError),
}

/// What the national services are shown.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Signs our assertions.
    pub client_key: Option<ClientKey>,
    /// Our key at the directory.
    pub api_key: Option<Redacted<String>>,
}

impl Secrets {
    /// Reads whatever the settings name.
    pub fn read(settings: &NationalSettings) -> Result<Self, SecretError> {
        let client_key = settings.oauth.as_ref().map(|oauth| client_key(&oauth.key_file)).transpose()?;
        let api_key = settings.sds.as_ref().map(|sds| api_key(&sds.api_key_file)).transpose()?;
        Ok(Self { client_key, api_key })
    }
}

/// Every secret that cannot be used.
pub fn mistakes(settings: &NationalSettings) -> Vec<Mistake> {
    let mistake = |path: &str, error: &SecretError| {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Mistake { path: path.to_owned(), line: None, says: format!("{error}{cause}") }
    };
    let oauth = settings.oauth.as_ref().and_then(|oauth| client_key(&oauth.key_file).err());
    let sds = settings.sds.as_ref().and_then(|sds| api_key(&sds.api_key_file).err());
    let oauth = oauth.map(|error| mistake("oauth.key_file", &error));
    oauth.into_iter().chain(sds.map(|error| mistake("sds.api_key_file", &error))).collect()
}

/// What the files of secrets hold, as digests: enough to see that one has changed.
pub fn digests(settings: &NationalSettings) -> Result<Vec<Digest>, SecretError> {
    let oauth = settings.oauth.iter().map(|oauth| &oauth.key_file);
    let files = oauth.chain(settings.sds.iter().map(|sds| &sds.api_key_file));
    files.map(|file| Ok(Digest::of(read(file)?.expose()))).collect()
}

fn client_key(path: &Path) -> Result<ClientKey, SecretError> {
    let bytes = read(path)?;
    ClientKey::read(bytes.expose()).map_err(|error| SecretError::Key(path.to_owned(), error))
}

/// A text of several lines.
pub(crate) fn lines(path: &Path) -> Result<Redacted<String>, SecretError> {
    let bytes = read(path)?;
    let text =
        std::str::from_utf8(bytes.expose()).map_err(|_no_text| SecretError::Content(path.to_owned()))?;
    Ok(Redacted::new(text.to_owned()))
}

/// A password.
pub fn word(path: &Path) -> Result<Redacted<String>, SecretError> {
    api_key(path)
}

fn api_key(path: &Path) -> Result<Redacted<String>, SecretError> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(bytes.expose()).unwrap_or_default().trim();
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word { Ok(Redacted::new(text.to_owned())) } else { Err(SecretError::Content(path.to_owned())) }
}

fn read(path: &Path) -> Result<Redacted<Vec<u8>>, SecretError> {
    let failed = |error| SecretError::Read(path.to_owned(), error);
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that it is the one that is read.
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() || facts.len() > MAX_BYTES {
        return Err(SecretError::Content(path.to_owned()));
    }
    if let Some(how) = exposed(&facts) {
        return Err(SecretError::Exposed(path.to_owned(), how));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Redacted::new(bytes))
}

/// Who else could read or change a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Its group or everybody may read or change it.
    Mode,
    /// It belongs to neither us nor root, who could be given anything to read in our place.
    Owner,
}

impl Exposure {
    /// In words, about this file.
    pub fn of(self, file: &Path) -> String {
        let file = file.display();
        match self {
            Self::Mode => format!("{file} can be read by other users of this machine; chmod 600 it"),
            Self::Owner => format!("{file} belongs to another user of this machine, who can change it"),
        }
    }
}

/// Who else could read or change a file; nothing where it cannot be looked at, which whoever reads it tells.
pub fn exposure(file: &Path) -> Option<Exposure> {
    exposed(&std::fs::metadata(file).ok()?)
}

#[cfg(unix)]
fn exposed(facts: &std::fs::Metadata) -> Option<Exposure> {
    use std::os::unix::fs::MetadataExt as _;
    told(facts.mode(), facts.uid(), tributary_guard::user())
}

#[cfg(not(unix))]
fn exposed(_facts: &std::fs::Metadata) -> Option<Exposure> {
    None
}

/// A credential of a service manager belongs to root and is readable to us by an access control list, whose mask
/// stands where the mode of the group stood. So what root gives its group to read is taken, unless we are root.
fn told(mode: u32, owner: u32, us: u32) -> Option<Exposure> {
    const ROOT: u32 = 0;
    const GROUP_READS: u32 = 0o040;
    let accepted = if owner == ROOT && us != ROOT { GROUP_READS } else { 0 };
    if mode & 0o077 & !accepted != 0 {
        Some(Exposure::Mode)
    } else if owner != us && owner != ROOT {
        Some(Exposure::Owner)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt as _;

    fn secret(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        for mode in [0o600, 0o400] {
            let (_dir, path) = secret("key-1\n", mode);
            assert_eq!(api_key(&path).unwrap().expose(), "key-1");
        }
        for mode in [0o640, 0o604, 0o644, 0o620, 0o602] {
            let (_dir, path) = secret("key-1", mode);
            assert!(matches!(api_key(&path), Err(SecretError::Exposed(_, Exposure::Mode))), "{mode:o}");
        }
    }

    #[test]
    fn a_secret_is_ours_or_roots() {
        const US: u32 = 998;
        for (mode, owner, us, expected) in [
            (0o600, US, US, None),
            (0o400, 0, US, None),
            (0o600, 1000, US, Some(Exposure::Owner)),
            (0o600, 1000, 0, Some(Exposure::Owner)),
            // As systemd hands over a credential.
            (0o440, 0, US, None),
            (0o440, US, US, Some(Exposure::Mode)),
            (0o440, 0, 0, Some(Exposure::Mode)),
            (0o460, 0, US, Some(Exposure::Mode)),
            (0o444, 0, US, Some(Exposure::Mode)),
        ] {
            assert_eq!(told(mode, owner, us), expected, "{mode:o} of {owner}, read by {us}");
        }
    }

    #[test]
    fn what_is_no_secret_is_told_without_its_content() {
        for text in ["", "\n", "two words", "key\u{e9}"] {
            let (_dir, path) = secret(text, 0o600);
            assert!(matches!(api_key(&path), Err(SecretError::Content(_))), "{text:?}");
        }
        let (dir, path) = secret("CANARY", 0o600);
        let error = client_key(&path).unwrap_err();
        assert!(matches!(error, SecretError::Key(_, KeyError::Form)));
        assert!(!format!("{error} {error:?}").contains("CANARY"));
        assert!(matches!(api_key(&dir.path().join("none")), Err(SecretError::Read(..))));
        assert!(matches!(api_key(dir.path()), Err(SecretError::Content(_))));
    }
}
