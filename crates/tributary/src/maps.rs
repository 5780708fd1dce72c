//! Reads code maps from a directory.

use std::io;
use std::path::Path;

use tributary_broker::Maps;
use tributary_broker::{MAP_NAMES, MapError};

/// Why maps cannot be used. Names files of the configuration, never codes.
#[derive(Debug, thiserror::Error)]
pub enum MapsError {
    /// The directory or a file cannot be read.
    #[error("{name} cannot be read: {kind}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A file is no map.
    #[error("{name}: {error}")]
    Bad {
        /// Its name.
        name: String,
        /// Why.
        error: MapError,
    },
    /// There is no map at all: most likely the wrong directory.
    #[error("the directory holds no map; known are {}", MAP_NAMES.join(".csv, "))]
    Empty,
}

/// The maps of a directory; none without one.
pub fn load(dir: Option<&Path>) -> Result<Maps, MapsError> {
    let mut maps = Maps::default();
    let Some(dir) = dir else { return Ok(maps) };
    let mut count = 0;
    for name in names(dir)? {
        let file = format!("{name}.csv");
        let csv = std::fs::read_to_string(dir.join(&file)).map_err(|error| unreadable(&file, &error))?;
        // A name that is not known is a misspelt one: the map would silently be missing.
        maps.load(&name, &csv).map_err(|error| MapsError::Bad { name: file, error })?;
        count += 1;
    }
    if count == 0 { Err(MapsError::Empty) } else { Ok(maps) }
}

/// The names of the CSV files, in order.
fn names(dir: &Path) -> Result<Vec<String>, MapsError> {
    let unreadable = |error| unreadable("the directory", &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".csv")).map(ToOwned::to_owned);
        names.extend(stem);
    }
    names.sort();
    Ok(names)
}

fn unreadable(name: &str, error: &io::Error) -> MapsError {
    MapsError::Unreadable { name: name.to_owned(), kind: error.kind() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "from,to,source,release\n1,2,test,2026\n";

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Result<(), &str>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let found = load(Some(dir.path())).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(ToOwned::to_owned));
    }

    #[test]
    fn maps_are_read_by_their_names() {
        check(&[("dmd-history.csv", GOOD), ("README.md", "x")], Ok(()));
        assert!(load(None).is_ok());
    }

    #[test]
    fn what_is_no_map_is_refused() {
        check(
            &[("dmd-histroy.csv", GOOD)],
            Err(
                "dmd-histroy.csv: there is no map of this name; known are dmd-history, dmd-amp-to-vmp, vmp-to-vtm, allergen-agent, neg-allergy, bp-panel, high-risk-class, allergy-class",
            ),
        );
        check(
            &[("vmp-to-vtm.csv", "a,b\n")],
            Err("vmp-to-vtm.csv: the first line must be `from,to,source,release`"),
        );
        check(
            &[],
            Err(
                "the directory holds no map; known are dmd-history.csv, dmd-amp-to-vmp.csv, vmp-to-vtm.csv, allergen-agent.csv, neg-allergy.csv, bp-panel.csv, high-risk-class.csv, allergy-class",
            ),
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = load(Some(&dir.path().join("no"))).unwrap_err();
        assert_eq!(error.to_string(), "the directory cannot be read: entity not found");
    }

    #[test]
    fn the_demo_file_finds_every_map_of_the_repository() {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let settings = tributary_settings::Settings::load(&config.join("demo.toml")).unwrap();
        let maps = load(settings.maps.as_deref()).unwrap();
        for name in MAP_NAMES {
            assert!(maps.rows(name) > 0, "{name}");
        }
        assert!(settings.audit.dir.is_absolute());
    }
}
