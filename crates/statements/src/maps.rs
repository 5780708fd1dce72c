//! Optional code maps. They only ever join lines; without them there are more lines, never fewer.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use tributary_model::Hex;

/// The maps there can be, by file name without `.csv`.
pub const MAP_NAMES: &[&str] = &[
    "dmd-history",
    "dmd-amp-to-vmp",
    "vmp-to-vtm",
    "allergen-agent",
    "neg-allergy",
    "bp-panel",
    HIGH_RISK_CLASS,
    ALLERGY_CLASS,
];

/// Maps that only prompts use: nobody misses them where prompts are off.
pub const PROMPT_MAPS: &[&str] = &[HIGH_RISK_CLASS, ALLERGY_CLASS];

/// Products to the high-risk class they are of. For prompts alone; it joins nothing.
const HIGH_RISK_CLASS: &str = "high-risk-class";
/// Products, ingredients and agents to the class an allergy is about. For prompts alone; it joins nothing.
const ALLERGY_CLASS: &str = "allergy-class";

/// The longest chain of replacements that is followed.
const LONGEST_HISTORY: usize = 32;

/// What was read, by name, and the SHA-256 of each text.
#[derive(Clone, Debug, Default)]
pub struct FilesRead(BTreeMap<String, String>);

impl FilesRead {
    /// Remembers a text that was read; one read before under this name is replaced.
    pub fn note(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), Hex(&Sha256::digest(text.as_bytes())).to_string());
    }

    /// The SHA-256 of all of them: what `sha256sum *.csv | sha256sum` says in their directory (in the order of bytes,
    /// `LC_ALL=C`).
    pub fn digest(&self) -> [u8; 32] {
        let mut all = Sha256::new();
        for (name, digest) in &self.0 {
            all.update(format!("{digest}  {name}.csv\n"));
        }
        all.finalize().into()
    }
}

/// Code maps, each from one code to another.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    files: FilesRead,
    tables: BTreeMap<&'static str, BTreeMap<String, String>>,
    agents: BTreeMap<String, String>,
    ingredients: BTreeMap<String, String>,
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
    /// Codes that replace each other, or too many after one another: nobody can say which is today's.
    #[error("a code is replaced in a circle, or more than {LONGEST_HISTORY} times")]
    Circle,
    /// Two codes of one product that lead to different things.
    #[error("two codes of one product lead to different codes; the maps do not fit together")]
    Disagree,
}

impl Maps {
    /// Reads one map from CSV: `from,to,source,release`, one row a line, `#` begins a comment line.
    ///
    /// A map that does not fit the ones loaded before is refused, and nothing changes.
    pub fn load(&mut self, name: &str, csv: &str) -> Result<usize, MapError> {
        let name = MAP_NAMES.iter().find(|known| **known == name).ok_or(MapError::UnknownMap)?;
        let table = read(csv)?;
        let rows = table.len();
        let mut next = self.clone();
        next.tables.insert(name, table);
        next.settle()?;
        next.files.note(name, csv);
        *self = next;
        Ok(rows)
    }

    /// Which maps these are: the digest of the files they were read from.
    pub fn digest(&self) -> [u8; 32] {
        self.files.digest()
    }

    /// Follows every chain once, and brings the other maps to today's codes: a map must find a product under
    /// whatever code it was written with, or loading one map would take away what another one joins.
    fn settle(&mut self) -> Result<(), MapError> {
        for name in ["dmd-history", "dmd-amp-to-vmp"] {
            for code in self.tables.get(name).into_iter().flat_map(BTreeMap::keys) {
                self.walk(code).ok_or(MapError::Circle)?;
            }
        }
        let mut agents = self.today("allergen-agent")?;
        // An agent stands for itself.
        for agent in agents.values().cloned().collect::<BTreeSet<_>>() {
            agents.entry(self.product(&agent).to_owned()).or_insert(agent);
        }
        self.agents = agents;
        self.ingredients = self.today("vmp-to-vtm")?;
        Ok(())
    }

    /// A map with today's codes on its left side.
    fn today(&self, name: &str) -> Result<BTreeMap<String, String>, MapError> {
        let mut today: BTreeMap<String, String> = BTreeMap::new();
        for (from, to) in self.tables.get(name).into_iter().flatten() {
            let earlier = today.insert(self.product(from).to_owned(), to.clone());
            if earlier.is_some_and(|earlier| earlier != *to) {
                return Err(MapError::Disagree);
            }
        }
        Ok(today)
    }

    /// Whether a map is loaded.
    pub fn has(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }

    /// How many rows a map has; none when it is not loaded.
    pub fn rows(&self, name: &str) -> usize {
        self.tables.get(name).map_or(0, BTreeMap::len)
    }

    fn lookup(&self, name: &str, code: &str) -> Option<&str> {
        self.tables.get(name)?.get(code).map(String::as_str)
    }

    /// Today's code for a product: its history followed, its brand taken back to the generic product.
    pub fn product<'a>(&'a self, code: &'a str) -> &'a str {
        self.walk(code).unwrap_or(code)
    }

    /// Follows replacements and brands to their end; `None` when there is none.
    fn walk<'a>(&'a self, code: &'a str) -> Option<&'a str> {
        let mut at = code;
        for _ in 0..LONGEST_HISTORY {
            let step = self.lookup("dmd-history", at).or_else(|| self.lookup("dmd-amp-to-vmp", at));
            match step.filter(|to| *to != at) {
                Some(to) => at = to,
                None => return Some(at),
            }
        }
        None
    }

    /// The ingredient of a product, when it is known.
    pub fn ingredient(&self, product: &str) -> Option<&str> {
        self.ingredients.get(self.product(product)).map(String::as_str)
    }

    /// The agent behind an allergy finding or an allergenic product, when it is known.
    pub fn agent(&self, code: &str) -> Option<&str> {
        self.agents.get(self.product(code)).map(String::as_str)
    }

    /// Whether a code is a further statement of absence of allergies.
    pub fn negative(&self, code: &str) -> Option<&str> {
        self.lookup("neg-allergy", code)
    }

    /// The code that stands for a blood pressure panel or one of its parts, in whichever form it was sent.
    pub fn blood_pressure(&self, code: &str) -> Option<&str> {
        let table = self.tables.get("bp-panel")?;
        table.get(code).or_else(|| table.values().find(|to| *to == code)).map(String::as_str)
    }

    /// The high-risk class of a product or of its ingredient.
    pub fn high_risk_class(&self, product: &str) -> Option<&str> {
        self.class(HIGH_RISK_CLASS, product)
    }

    /// The class of a product, an ingredient or an agent that allergies are about.
    pub fn allergy_class(&self, code: &str) -> Option<&str> {
        self.class(ALLERGY_CLASS, code)
    }

    fn class(&self, name: &str, code: &str) -> Option<&str> {
        let by_code = self.lookup(name, code).or_else(|| self.lookup(name, self.product(code)));
        by_code.or_else(|| self.lookup(name, self.ingredient(code)?))
    }
}

fn read(csv: &str) -> Result<BTreeMap<String, String>, MapError> {
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
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "from,to,source,release\n";

    fn maps(tables: &[(&str, &str)]) -> Result<Maps, MapError> {
        let mut maps = Maps::default();
        for (name, rows) in tables {
            maps.load(name, &format!("# a comment\n{HEAD}{}", rows.replace(' ', ",test,2026\n")))?;
        }
        Ok(maps)
    }

    #[test]
    fn history_then_brand_to_the_end_of_the_chain() {
        let maps = maps(&[("dmd-history", "1,2 2,3 8,9 "), ("dmd-amp-to-vmp", "9,1 ")]).unwrap();
        for code in ["1", "2", "3", "8", "9"] {
            assert_eq!(maps.product(code), "3", "{code}");
        }
        assert_eq!(maps.product("7"), "7");
        assert_eq!((maps.rows("dmd-history"), maps.rows("vmp-to-vtm")), (3, 0));
    }

    #[test]
    fn an_agent_maps_to_itself_and_is_found_under_every_code_of_its_product() {
        let maps = maps(&[("allergen-agent", "91936005,890458001 5,6 "), ("dmd-history", "4,5 ")]).unwrap();
        assert_eq!(maps.agent("91936005"), Some("890458001"));
        assert_eq!(maps.agent("890458001"), Some("890458001"));
        assert_eq!((maps.agent("4"), maps.agent("5")), (Some("6"), Some("6")));
        assert_eq!(maps.agent("1"), None);
    }

    #[test]
    fn an_ingredient_is_found_whichever_map_was_loaded_first() {
        for tables in [
            [("dmd-history", "1,2 "), ("vmp-to-vtm", "1,x ")],
            [("vmp-to-vtm", "1,x "), ("dmd-history", "1,2 ")],
        ] {
            let maps = maps(&tables).unwrap();
            assert_eq!((maps.ingredient("1"), maps.ingredient("2")), (Some("x"), Some("x")));
        }
    }

    #[test]
    fn blood_pressure_has_one_code_for_each_part() {
        let maps = maps(&[("bp-panel", "163020007,75367002 85354-9,75367002 ")]).unwrap();
        for code in ["163020007", "85354-9", "75367002"] {
            assert_eq!(maps.blood_pressure(code), Some("75367002"));
        }
        assert_eq!(maps.blood_pressure("1"), None);
    }

    #[test]
    fn a_class_is_found_by_product_or_by_ingredient() {
        let maps = maps(&[
            ("high-risk-class", "warfarin,anticoagulant 5,anticoagulant "),
            ("vmp-to-vtm", "1,warfarin "),
        ]);
        let maps = maps.unwrap();
        assert_eq!(maps.high_risk_class("1"), Some("anticoagulant"));
        assert_eq!(maps.high_risk_class("5"), Some("anticoagulant"));
        assert_eq!((maps.high_risk_class("2"), maps.allergy_class("1")), (None, None));
    }

    #[test]
    fn bad_files_are_named_by_line_and_change_nothing() {
        let mut maps = Maps::default();
        assert_eq!(maps.load("nope", ""), Err(MapError::UnknownMap));
        assert_eq!(maps.load("dmd-history", "a,b\n"), Err(MapError::Header));
        assert_eq!(maps.load("dmd-history", &format!("{HEAD}1,2,,x\n")), Err(MapError::Row(2)));
        let twice = format!("{HEAD}1,2,s,r\n1,3,s,r\n");
        assert_eq!(maps.load("dmd-history", &twice), Err(MapError::Twice(3)));
        let circle = format!("{HEAD}1,2,s,r\n2,1,s,r\n");
        assert_eq!(maps.load("dmd-history", &circle), Err(MapError::Circle));
        maps.load("dmd-history", &format!("{HEAD}1,2,s,r\n")).unwrap();
        let torn = format!("{HEAD}1,x,s,r\n2,y,s,r\n");
        assert_eq!(maps.load("vmp-to-vtm", &torn), Err(MapError::Disagree));
        assert!(!maps.has("vmp-to-vtm") && maps.has("dmd-history"));
    }

    /// What `sha256sum *.csv | sha256sum` says of these two files.
    #[test]
    fn maps_are_known_by_their_files() {
        let (one, two) = (format!("{HEAD}1,2,s,r\n"), format!("{HEAD}3,4,s,r\n"));
        let of = |files: [(&str, &str); 2]| {
            let mut maps = Maps::default();
            for (name, csv) in files {
                maps.load(name, csv).unwrap();
            }
            Hex(&maps.digest()).to_string()
        };
        let known = "1b8af746abef6e96bf141acc12cdf70877ba2ad038e3a2be64f0edbcc1e11bf4";
        assert_eq!(of([("dmd-history", &one), ("vmp-to-vtm", &two)]), known);
        assert_eq!(
            of([("vmp-to-vtm", &two), ("dmd-history", &one)]),
            known,
            "in whatever order they were read"
        );
        assert_ne!(of([("dmd-history", &one), ("vmp-to-vtm", &format!("{two}# Another release.\n"))]), known);
        // What was refused is not among them.
        let mut maps = Maps::default();
        maps.load("dmd-history", &one).unwrap();
        let before = maps.digest();
        maps.load("dmd-history", "a,b\n").unwrap_err();
        assert_eq!(maps.digest(), before);
    }
}
