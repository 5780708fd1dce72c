//! Where a file that the configuration names is.

use std::path::{Path, PathBuf};

/// Begins the name of a credential that the service manager hands over.
const CREDENTIAL: &str = "credential:";
/// Where it puts them. The variable holds a folder, never a secret.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The place of a file: `credential:NAME` is in the folder of the service manager, anything else that is relative
/// begins at `folder`.
///
/// Without such a folder the name stays as it is written, and is told as a file that is not there.
pub(super) fn place(folder: &Path, file: &Path) -> PathBuf {
    let credentials = std::env::var_os(DIRECTORY).map(PathBuf::from);
    within(folder, credentials.as_deref(), file)
}

fn within(folder: &Path, credentials: Option<&Path>, file: &Path) -> PathBuf {
    let name = file.to_str().and_then(|text| text.strip_prefix(CREDENTIAL));
    match (name, credentials) {
        (Some(name), Some(credentials)) if is_plain(name) => credentials.join(name),
        _ => folder.join(file),
    }
}

/// A name that leads nowhere else.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, credentials: Option<&str>, expected: &str) {
        let found = within(Path::new("/etc/tributary"), credentials.map(Path::new), Path::new(file));
        assert_eq!(found, Path::new(expected), "{file}");
    }

    #[test]
    fn a_credential_is_where_the_service_manager_put_it() {
        let given = Some("/run/credentials/tributary.service");
        check("credential:link.key", given, "/run/credentials/tributary.service/link.key");
        check("secrets/link.key", given, "/etc/tributary/secrets/link.key");
        check("/srv/link.key", given, "/srv/link.key");
    }

    #[test]
    fn a_credential_that_is_none_is_not_looked_for_elsewhere() {
        let given = Some("/run/credentials/tributary.service");
        check("credential:link.key", None, "/etc/tributary/credential:link.key");
        for name in ["", ".", "..", "../shadow", "a/b"] {
            let written = format!("credential:{name}");
            check(&written, given, &format!("/etc/tributary/{written}"));
        }
    }
}
