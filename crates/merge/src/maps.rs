//! Optional code maps. They only ever join lines; without them there are more lines, never fewer.

use std::collections::{BTreeMap, BTreeSet};

/// The maps there can be, by file name without `.csv`.
pub const MAP_NAMES: &[&str] =
    &["dmd-history", "dmd-amp-to-vmp", "vmp-to-vtm", "allergen-agent", "neg-allergy"];

/// Code maps, each from one code to another.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    tables: BTreeMap<&'static str, BTreeMap<String, String>>,
    allergen_agents: BTreeSet<String>,
}

/// Why a map file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No such map.
    #[error("there is no map of this name; known are {}", MAP_NAMES.join(", "))]
    UnknownMap,
    /// The first line does not name the columns.
    #[error("the first line must be `from,to,source,release`")]
    Header,
    /// A row that is not four columns, or has an empty code, source or release.
    #[error("line {0}: a row is from,to,source,release, none of them empty")]
    Row(usize),
    /// The same code twice with different targets.
    #[error("line {0}: this code was mapped before, to another code")]
    Twice(usize),
}

impl Maps {
    /// Reads one map from CSV: `from,to,source,release`, one row a line, `#` begins a comment line.
    pub fn load(&mut self, name: &str, csv: &str) -> Result<usize, MapError> {
        let name = MAP_NAMES.iter().find(|known| **known == name).ok_or(MapError::UnknownMap)?;
        let mut rows =
            csv.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        if rows.next().map(|(_, line)| line.trim()) != Some("from,to,source,release") {
            return Err(MapError::Header);
        }
        let mut table = BTreeMap::new();
        for (index, line) in rows {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [from, to, source, release] = cells.as_slice() else {
                return Err(MapError::Row(index + 1));
            };
            if [from, to, source, release].iter().any(|cell| cell.is_empty()) {
                return Err(MapError::Row(index + 1));
            }
            let earlier = table.insert((*from).to_owned(), (*to).to_owned());
            if earlier.is_some_and(|earlier| earlier != *to) {
                return Err(MapError::Twice(index + 1));
            }
        }
        if *name == "allergen-agent" {
            self.allergen_agents = table.values().cloned().collect();
        }
        let rows = table.len();
        self.tables.insert(name, table);
        Ok(rows)
    }

    /// Whether a map is loaded.
    pub fn has(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }

    fn lookup(&self, name: &str, code: &str) -> Option<&str> {
        self.tables.get(name)?.get(code).map(String::as_str)
    }

    /// Today's code for a product: its history followed, its brand taken back to the generic product.
    pub fn product<'a>(&'a self, code: &'a str) -> &'a str {
        let current = self.lookup("dmd-history", code).unwrap_or(code);
        let generic = self.lookup("dmd-amp-to-vmp", current).unwrap_or(current);
        self.lookup("dmd-history", generic).unwrap_or(generic)
    }

    /// The ingredient of a product, when it is known.
    pub fn ingredient(&self, product: &str) -> Option<&str> {
        self.lookup("vmp-to-vtm", product)
    }

    /// The agent behind an allergy finding or an allergenic product, when it is known.
    pub fn agent<'a>(&'a self, code: &'a str) -> Option<&'a str> {
        self.lookup("allergen-agent", code).or_else(|| self.allergen_agents.contains(code).then_some(code))
    }

    /// Whether a code is a further statement of absence of allergies.
    pub fn negative(&self, code: &str) -> Option<&str> {
        self.lookup("neg-allergy", code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_then_brand() {
        let mut maps = Maps::default();
        maps.load("dmd-history", "# old to new\nfrom,to,source,release\n1,2,test,2026\n").unwrap();
        maps.load("dmd-amp-to-vmp", "from,to,source,release\n9,1,test,2026\n").unwrap();
        assert_eq!(maps.product("1"), "2");
        assert_eq!(maps.product("9"), "2");
        assert_eq!(maps.product("7"), "7");
    }

    #[test]
    fn an_agent_maps_to_itself() {
        let mut maps = Maps::default();
        maps.load("allergen-agent", "from,to,source,release\n91936005,890458001,test,2026\n").unwrap();
        assert_eq!(maps.agent("91936005"), Some("890458001"));
        assert_eq!(maps.agent("890458001"), Some("890458001"));
        assert_eq!(maps.agent("1"), None);
    }

    #[test]
    fn bad_files_are_named_by_line() {
        let mut maps = Maps::default();
        assert_eq!(maps.load("nope", ""), Err(MapError::UnknownMap));
        assert_eq!(maps.load("dmd-history", "a,b\n"), Err(MapError::Header));
        assert_eq!(maps.load("dmd-history", "from,to,source,release\n1,2,,x\n"), Err(MapError::Row(2)));
        assert_eq!(
            maps.load("dmd-history", "from,to,source,release\n1,2,s,r\n1,3,s,r\n"),
            Err(MapError::Twice(3))
        );
    }
}
