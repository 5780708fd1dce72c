//! Code lists: a statement with one of these codes is held back, whatever it says and wherever it stands.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::Json;
use tributary_model::SourceKind;

use super::walk;
use tributary_statements::maps::{FilesRead, Maps};

/// The first line of every list.
const HEADER: &str = "code,kinds,source,release";

/// Every kind a row can be for, by its word.
const KINDS: &[(&str, SourceKind)] = &[
    ("gp", SourceKind::Gp),
    ("acute", SourceKind::Acute),
    ("community", SourceKind::Community),
    ("broker", SourceKind::Broker),
];

/// Exclusion lists, each under the id of its reference set. Empty unless a deployment brings its own.
///
/// A list hides what is coded, not what can be concluded: who leaves out a diagnosis and leaves in its medicine has
/// told it. Lists may therefore hold products and tests beside diagnoses.
#[derive(Clone, Debug, Default)]
pub struct CodeLists {
    files: FilesRead,
    lists: BTreeMap<String, String>,
    kinds_by_code: BTreeMap<String, BTreeSet<&'static str>>,
}

/// Why a list was refused. Names lines, never codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The name is no reference set id.
    #[error("the name of a list is the id of its reference set: digits alone")]
    Name,
    /// The first line does not name the columns.
    #[error("the first line must be `{HEADER}`")]
    Header,
    /// A row that is not four columns, or has an empty one.
    #[error("line {0}: a row is {HEADER}, none of them empty")]
    Row(usize),
    /// A kind nobody knows.
    #[error("line {0}: kinds are `all`, or some of gp, acute, community, broker with blanks between them")]
    Kind(usize),
    /// Rows of several releases in one list.
    #[error("line {0}: a list has one release")]
    Release(usize),
}

impl CodeLists {
    /// Reads one list from CSV: `code,kinds,source,release`, one row a line, `#` begins a comment line.
    ///
    /// `kinds` are the kinds of source that the row is for: `all`, or some of them with blanks between.
    pub fn load(&mut self, name: &str, csv: &str) -> Result<usize, ListError> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ListError::Name);
        }
        let mut rows =
            (1..).zip(csv.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        if rows.next().map(|(_, line)| line.trim()) != Some(HEADER) {
            return Err(ListError::Header);
        }
        let mut version: Option<&str> = None;
        let mut found: Vec<(&str, BTreeSet<&'static str>)> = Vec::new();
        for (number, line) in rows {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [code, kinds, source, release] = cells.as_slice() else { return Err(ListError::Row(number)) };
            if [code, kinds, source, release].iter().any(|cell| cell.is_empty()) {
                return Err(ListError::Row(number));
            }
            if *version.get_or_insert(release) != *release {
                return Err(ListError::Release(number));
            }
            found.push((code, read_kinds(kinds).ok_or(ListError::Kind(number))?));
        }
        let rows = found.len();
        for (code, kinds) in found {
            self.kinds_by_code.entry(code.to_owned()).or_default().extend(kinds);
        }
        self.lists.insert(name.to_owned(), version.unwrap_or_default().to_owned());
        self.files.note(name, csv);
        Ok(rows)
    }

    /// Which lists these are: the digest of the files they were read from.
    pub fn digest(&self) -> [u8; 32] {
        self.files.digest()
    }

    /// The lists that are loaded, with their releases.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lists.iter().map(|(name, release)| (name.as_str(), release.as_str()))
    }

    /// Whether any code of a resource is on a list that holds for this kind of source.
    pub(super) fn name(&self, resource: Json<'_>, kind: SourceKind, maps: &Maps) -> bool {
        if self.kinds_by_code.is_empty() {
            return false;
        }
        let holds = |code: &str| {
            let kinds = self.kinds_by_code.get(code);
            kinds.is_some_and(|kinds| kinds.contains(word(kind)))
        };
        // Any system: a code that a source put under the wrong one is the same code.
        walk::any(resource, |key, value| {
            (key == "code" || key.starts_with("value"))
                && value.text().is_some_and(|text| {
                    let code = text.trim();
                    holds(code) || holds(maps.product(code))
                })
        })
    }
}

fn read_kinds(text: &str) -> Option<BTreeSet<&'static str>> {
    if text == "all" {
        return Some(KINDS.iter().map(|(word, _)| *word).collect());
    }
    let known = |text: &str| KINDS.iter().find(|(word, _)| *word == text).map(|(word, _)| *word);
    text.split_whitespace().map(known).collect()
}

fn word(kind: SourceKind) -> &'static str {
    KINDS.iter().find(|(_, one)| *one == kind).map_or("", |(word, _)| word)
}

#[cfg(test)]
mod tests {
    use tributary_fhir::{Document, Limits};

    use super::*;

    #[track_caller]
    fn check(csv: &str, expected: Result<usize, ListError>) {
        let found = CodeLists::default().load("999004381000000103", csv);
        assert_eq!((csv, found), (csv, expected));
    }

    #[test]
    fn bad_lists_are_refused_by_line() {
        check("code,kinds,source,release\n", Ok(0));
        check("# why\ncode,kinds,source,release\n1,all,us,2026\n2,gp acute,us,2026\n", Ok(2));
        check("code\n1\n", Err(ListError::Header));
        check("code,kinds,source,release\n1,all,us\n", Err(ListError::Row(2)));
        check("code,kinds,source,release\n1,,us,2026\n", Err(ListError::Row(2)));
        check("code,kinds,source,release\n1,dentist,us,2026\n", Err(ListError::Kind(2)));
        check("code,kinds,source,release\n1,all,us,2026\n2,all,us,2027\n", Err(ListError::Release(3)));
        assert_eq!(CodeLists::default().load("hiv", HEADER), Err(ListError::Name));
    }

    #[test]
    fn a_code_is_found_wherever_it_stands() {
        let mut lists = CodeLists::default();
        lists.load("1", "code,kinds,source,release\n77,gp,us,2026\n42,all,us,2026\n").unwrap();
        assert_eq!(lists.versions().collect::<Vec<_>>(), [("1", "2026")]);
        let mut maps = Maps::default();
        maps.load("dmd-history", "from,to,source,release\n41,42,us,2026\n").unwrap();
        let hit = |text: &str, kind| {
            let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
            lists.name(doc.root(), kind, &maps)
        };
        let coded =
            |code: &str| format!(r#"{{"a":[{{"extension":[{{"valueCoding":{{"code":"{code}"}}}}]}}]}}"#);
        assert!(hit(&coded("77"), SourceKind::Gp));
        assert!(!hit(&coded("77"), SourceKind::Acute));
        assert!(hit(&coded("42"), SourceKind::Acute));
        assert!(hit(&coded("41"), SourceKind::Acute), "the older code of a listed product");
        assert!(!hit(&coded("4"), SourceKind::Gp));
    }
}
