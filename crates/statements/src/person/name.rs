//! Names, and when two of them are one.

use tributary_fhir::Json;
use tributary_model::demographics::PersonName;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A name in a form for comparing: letters alone, without case, accents, hyphens, apostrophes and blanks.
#[derive(Clone)]
pub struct Name {
    family: String,
    /// The words of the first given name: `Mary-Jane` and `Mary Jane` have two.
    given: Vec<String>,
    /// As people read it.
    pub shown: String,
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Name([redacted])")
    }
}

impl Name {
    /// A name as a Patient of FHIR has it.
    pub(super) fn of_source(name: Json<'_>) -> Self {
        let part = |key| name.path(&[key]).and_then(Json::text).unwrap_or_default();
        Self::of(&part("family"), &part("given"))
    }

    /// A name as the national service has it.
    pub(super) fn of_service(name: &PersonName) -> Self {
        Self::of(&name.family, name.given.first().map(String::as_str).unwrap_or_default())
    }

    fn of(family: &str, given: &str) -> Self {
        let words = given.split(|letter: char| letter.is_whitespace() || is_dash(letter)).map(letters);
        Self {
            family: letters(family),
            given: words.filter(|word| !word.is_empty()).collect(),
            shown: shown(family.trim(), given.trim(), ""),
        }
    }

    pub(super) fn says_anything(&self) -> bool {
        !self.family.is_empty() || !self.given.is_empty()
    }

    /// Whether two names can be one person's name, written by two hands. What one of them leaves out does not
    /// count: `Mary` may be the `Mary-Jane` of others, `Anne-Marie` is not `Anne-Louise`.
    pub fn agrees(&self, other: &Self) -> bool {
        let is_silent = self.family.is_empty() || other.family.is_empty();
        (is_silent || self.family == other.family) && self.is_called(other)
    }

    fn is_called(&self, other: &Self) -> bool {
        let all = self.given.iter().zip(&other.given);
        all.clone().all(|(own, others)| own == others) || self.given.concat() == other.given.concat()
    }

    /// The national rule's likeness (GPC-CORE02): the first three letters of the family name and the first of the
    /// given name. Shorter family names must be equal as a whole; a name that is missing is like no other.
    pub fn is_like(&self, other: &Self) -> bool {
        let start = |name: &Self| name.family.chars().take(3).collect::<String>();
        let initial = |name: &Self| name.given.first().and_then(|word| word.chars().next());
        !self.family.is_empty()
            && start(self) == start(other)
            && initial(self).is_some_and(|letter| initial(other) == Some(letter))
    }
}

/// `ASHWORTH, George (Mr)`, as the professional standard wants it.
pub fn shown(family: &str, given: &str, prefix: &str) -> String {
    let prefix = if prefix.is_empty() { String::new() } else { format!(" ({prefix})") };
    match (family.is_empty(), given.is_empty()) {
        (true, _) => format!("{given}{prefix}"),
        (false, true) => format!("{}{prefix}", family.to_uppercase()),
        (false, false) => format!("{}, {given}{prefix}", family.to_uppercase()),
    }
}

fn is_dash(letter: char) -> bool {
    matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// The letters of a text in one form: decomposed, lower case, without marks; letters that do not decompose are
/// spelt in plain ones.
fn letters(text: &str) -> String {
    let lower = text.nfkd().collect::<String>().to_lowercase();
    let mut letters = String::with_capacity(lower.len());
    for letter in lower.chars().filter(|letter| letter.is_alphabetic() && !is_combining_mark(*letter)) {
        match letter {
            'ß' => letters.push_str("ss"),
            'æ' => letters.push_str("ae"),
            'œ' => letters.push_str("oe"),
            'þ' => letters.push_str("th"),
            'ø' => letters.push('o'),
            'ł' => letters.push('l'),
            'đ' | 'ð' => letters.push('d'),
            'ħ' => letters.push('h'),
            'ı' => letters.push('i'),
            other => letters.push(other),
        }
    }
    letters
}
