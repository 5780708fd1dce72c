//! Examples of a policy: who asks, and what they expect to see.

use toml::de::DeTable;
use tributary_model::{Label, OdsCode, Purpose, Relationship, Role, Section, SourceKind};
use tributary_policy::cells::{Place, Row};

use super::mistake::Mistake;
use super::reader::{Book, Reader};
use super::table::known;

/// One example.
#[derive(Clone, Debug)]
pub struct Example {
    /// What it shows.
    pub name: String,
    /// Who asks, and why.
    pub row: Row,
    /// For what.
    pub place: Place,
    /// `permit`, `deny`, or `limited:` with the limit's name; `+as-sent` behind it where the answer may be passed on.
    pub expected: String,
}

/// Reads the text of a file of examples.
pub fn read(text: &str) -> Result<Vec<Example>, Vec<Mistake>> {
    let book = Book::new(text);
    let (toml, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        book.note(String::new(), error.span(), error.message());
    }
    let mut root = Reader::root(&book, toml.get_ref());
    let examples: Vec<Example> = root.tables("example").into_iter().filter_map(example).collect();
    if examples.is_empty() {
        root.wrong("example", "is missing: nothing would be tested");
    }
    root.close();
    let mistakes = book.close();
    if mistakes.is_empty() { Ok(examples) } else { Err(mistakes) }
}

fn example(mut table: Reader<'_>) -> Option<Example> {
    let name = table.words("name");
    let name = table.required("name", name);
    let role = table.parsed("role", |text| known(Role::from_code(text), Role::ALL, |one| one.code()));
    let role = table.required("role", role);
    let purpose =
        table.parsed("purpose", |text| known(Purpose::from_code(text), Purpose::ALL, |one| one.code()));
    let purpose = table.required("purpose", purpose);
    let relationship = table.parsed("relationship", |text| {
        known(Relationship::from_code(text), Relationship::ALL, |one| one.code())
    });
    let organisation = table.parsed("organisation", OdsCode::parse);
    let broken = table.truth("break_glass").unwrap_or_default();
    let demo = table.truth("demo").unwrap_or_default();
    let kind = table
        .parsed("source_kind", |text| known(SourceKind::from_code(text), SourceKind::ALL, |one| one.code()));
    let kind = table.required("source_kind", kind);
    let section =
        table.parsed("section", |text| known(Section::from_code(text), Section::ALL, |one| one.code()));
    let section = table.required("section", section);
    let label = table.parsed("label", |text| known(Label::from_code(text), Label::ALL, |one| one.code()));
    let expected = table.words("expect");
    let expected = table.required("expect", expected);
    table.close();
    let relationship = relationship.unwrap_or_default();
    Some(Example {
        name: name?,
        row: Row { demo, role: role?, organisation, purpose: purpose?, relationship, broken },
        place: Place { kind: kind?, section: section?, label },
        expected: expected?,
    })
}
