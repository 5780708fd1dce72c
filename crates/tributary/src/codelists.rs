//! Reads code lists from a directory.

use std::io;
use std::path::Path;

use tributary_broker::{CodeLists, ListError};

/// Why lists cannot be used. Names files of the configuration, never codes.
#[derive(Debug, thiserror::Error)]
pub enum CodelistsError {
    /// The directory or a file cannot be read.
    #[error("{name} cannot be read: {kind}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A file is no list.
    #[error("{name}: {error}")]
    Bad {
        /// Its name.
        name: String,
        /// Why.
        error: ListError,
    },
}

/// The lists of a directory; none without one, and none in an empty one, as shipped.
pub fn load(dir: Option<&Path>) -> Result<CodeLists, CodelistsError> {
    let mut lists = CodeLists::default();
    let Some(dir) = dir else { return Ok(lists) };
    let unreadable = |name: &str, error: &io::Error| CodelistsError::Unreadable {
        name: name.to_owned(),
        kind: error.kind(),
    };
    let of_dir = |error| unreadable("the directory", &error);
    for entry in std::fs::read_dir(dir).map_err(of_dir)? {
        let file = entry.map_err(of_dir)?.file_name();
        let Some(name) = file.to_str().and_then(|file| file.strip_suffix(".csv")) else { continue };
        let file = format!("{name}.csv");
        let csv = std::fs::read_to_string(dir.join(&file)).map_err(|error| unreadable(&file, &error))?;
        // A list that cannot be read would show what it is there to hide: nothing starts without it.
        lists.load(name, &csv).map_err(|error| CodelistsError::Bad { name: file, error })?;
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: Result<usize, &str>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("README.md"), "x").unwrap();
        std::fs::write(dir.path().join(name), text).unwrap();
        let found = load(Some(dir.path())).map(|lists| lists.versions().count());
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(ToOwned::to_owned));
    }

    #[test]
    fn lists_are_read_by_their_reference_sets() {
        check("999004381000000103.csv", "code,kinds,source,release\n1,all,test,2026\n", Ok(1));
        check("README.txt", "", Ok(0));
        assert_eq!(load(None).unwrap().versions().count(), 0);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        check(
            "exclusions.csv",
            "code,kinds,source,release\n",
            Err("exclusions.csv: the name of a list is the id of its reference set: digits alone"),
        );
        check("1.csv", "code\n", Err("1.csv: the first line must be `code,kinds,source,release`"));
        let dir = tempfile::tempdir().unwrap();
        let error = load(Some(&dir.path().join("no"))).unwrap_err();
        assert_eq!(error.to_string(), "the directory cannot be read: entity not found");
    }

    #[test]
    fn the_lists_that_are_shipped_are_empty() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/codelists");
        assert_eq!(load(Some(&dir)).unwrap().versions().count(), 0);
    }
}
