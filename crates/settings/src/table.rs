//! A policy file: every key closed, every mistake told with its path and line.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;
use tributary_model::{Label, OdsCode, Purpose, Relationship, Role, Section, SourceKind, ViewRole};
use tributary_policy::rule::{AsSent, Deny, Glass, Holds, Limits, Permit, Taken};
use tributary_policy::{Among, Column, Draft, Effect, Flaw, GlassBounds, Place, Rule, Table};

use super::mistake::Mistake;
use super::reader::{Book, Reader};

/// The version of the format that is read here.
const VERSION: u64 = 1;

/// Reads the text of a policy file.
pub fn read(text: &str) -> Result<Table, Vec<Mistake>> {
    let book = Book::new(text);
    let (toml, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        book.note(String::new(), error.span(), error.message());
    }
    if !errors.is_empty() {
        return Err(book.close());
    }
    let root = Reader::root(&book, toml.get_ref());
    let draft = draft(root);
    let mistakes = book.close();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Table::new(draft).map_err(|flaws| flaws.iter().map(|flaw| told(flaw, toml.get_ref(), text)).collect())
}

/// A flaw of the whole, where it stands in the file.
fn told(flaw: &Flaw, toml: &DeTable<'_>, text: &str) -> Mistake {
    let span = match flaw.place {
        Place::Table => None,
        Place::Glass(key) => inside(toml, "break_glass", None, key),
        Place::Column(at) => inside(toml, "role", Some(at), ""),
        Place::Rule(at, key) => inside(toml, "rule", Some(at), key),
    };
    let line = span.map(|start| text.get(..start).unwrap_or_default().split('\n').count());
    Mistake { path: flaw.place.to_string(), line, says: flaw.says.to_owned() }
}

/// Where a key begins; where its table does, if it is not there.
fn inside(toml: &DeTable<'_>, name: &str, at: Option<usize>, key: &str) -> Option<usize> {
    let outer = toml.get(name)?;
    let table = match at {
        Some(at) => outer.get_ref().as_array()?.get(at.checked_sub(1)?)?,
        None => outer,
    };
    let inner = table.get_ref().as_table().and_then(|table| table.get(key));
    Some(inner.unwrap_or(table).span().start)
}

fn draft(mut root: Reader<'_>) -> Draft {
    let version = root.number("version", VERSION..=VERSION);
    root.required("version", version);
    let draft = Draft {
        glass: root.table("break_glass").map(glass).unwrap_or_default(),
        columns: root.tables("role").into_iter().filter_map(column).collect(),
        rules: root.tables("rule").into_iter().filter_map(rule).collect(),
    };
    root.close();
    draft
}

fn glass(mut table: Reader<'_>) -> GlassBounds {
    let usual = GlassBounds::default();
    let quota = table.number("quota", 1..=1_000).and_then(|number| u32::try_from(number).ok());
    let bounds = GlassBounds {
        quota: quota.unwrap_or(usual.quota),
        window: table.number("quota_hours", 1..=168).map_or(usual.window, Duration::from_hours),
        life: table.number("life_minutes", 1..=60).map_or(usual.life, Duration::from_mins),
    };
    table.close();
    bounds
}

fn column(mut table: Reader<'_>) -> Option<(Role, Column)> {
    let role = table.parsed("code", |text| known(Role::from_code(text), Role::ALL, |one| one.code()));
    let role = table.required("code", role);
    let column = table.parsed("column", |text| {
        if text == Column::Whole.code() {
            return Ok(Column::Whole);
        }
        known(ViewRole::from_code(text).map(Column::Of), ViewRole::ALL, |one| one.code())
    });
    let column = table.required("column", column);
    if column == Some(Column::Whole) && role != Some(Role::Demo) {
        table.wrong("column", "is for the role demo alone: nothing would be looked at before it is shown");
    }
    table.close();
    role.zip(column)
}

/// What a text means; what it could mean, if nothing.
pub(super) fn known<T, A>(
    found: Option<T>,
    all: &[A],
    code: impl Fn(&A) -> &'static str,
) -> Result<T, String> {
    found.ok_or_else(|| {
        let codes: Vec<_> = all.iter().map(code).collect();
        format!("is not known; known are {}", codes.join(", "))
    })
}

fn rule(mut table: Reader<'_>) -> Option<Rule> {
    let id = table.parsed("id", |text| {
        let is_id = tributary_policy::is_id(text);
        if is_id { Ok(Arc::from(text)) } else { Err("is not 1 to 64 lower-case letters, digits and hyphens") }
    });
    let id = table.required("id", id);
    let says = table.words("says");
    let says = table.required("says", says);
    let organisations = among(&mut table, "organisations", OdsCode::parse);
    let roles = among(&mut table, "roles", |text| known(Role::from_code(text), Role::ALL, |one| one.code()));
    let purposes =
        among(&mut table, "purposes", |text| known(Purpose::from_code(text), Purpose::ALL, |one| one.code()));
    let kinds = among(&mut table, "source_kinds", |text| {
        known(SourceKind::from_code(text), SourceKind::ALL, |one| one.code())
    });
    let sections =
        among(&mut table, "sections", |text| known(Section::from_code(text), Section::ALL, |one| one.code()));
    let effect = table.text("effect");
    let effect = match table.required("effect", effect) {
        Some("permit") => Some(Effect::Permit(permit(&mut table))),
        Some("limit") => Some(Effect::Limit(limits(&mut table))),
        Some("deny") => Some(Effect::Deny(deny(&mut table))),
        Some(_) => {
            table.wrong("effect", "is not known; known are permit, limit, deny");
            None
        }
        None => None,
    };
    table.close();
    Some(Rule {
        id: id?,
        says: says?,
        organisations: organisations?,
        roles: roles?,
        purposes: purposes?,
        kinds: kinds?,
        sections: sections?,
        effect: effect?,
    })
}

/// A list, or the word `any`. What is left out is a mistake: nothing means "any" by being absent.
fn among<T, E: Display>(
    table: &mut Reader<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<Among<T>> {
    if !table.has(key) {
        table.wrong(key, "is missing: name some, or write \"any\"");
        return None;
    }
    some(table, key, parse)
}

fn some<T, E: Display>(
    table: &mut Reader<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<Among<T>> {
    if table.says(key, "any") {
        return Some(Among::Any);
    }
    if table.holds_nothing(key) {
        table.wrong(key, "is empty, which means nobody; name some, or write \"any\"");
    }
    table.list(key, parse).map(Among::Only)
}

fn labels(table: &mut Reader<'_>) -> Option<Among<Label>> {
    let named: Vec<Label> = Label::ALL.iter().copied().filter(|one| *one != Label::Unknown).collect();
    some(table, "labels", |text| known(Label::from_code(text), &named, |one| one.code()))
}

fn permit(table: &mut Reader<'_>) -> Permit {
    let glass = table.truth("break_glass").unwrap_or_default();
    let demo = table.truth("demo").unwrap_or_default();
    let as_sent = table.truth("as_sent").unwrap_or_default();
    Permit {
        relationship: degree(table, "relationship").unwrap_or_default(),
        glass: if glass { Glass::Broken } else { Glass::Whole },
        holds: if demo { Holds::InDemo } else { Holds::Everywhere },
        labels: labels(table),
        as_sent: if as_sent { AsSent::Yes } else { AsSent::No },
    }
}

fn limits(table: &mut Reader<'_>) -> Limits {
    Limits {
        unless: degree(table, "unless_relationship"),
        view: table
            .parsed("column", |text| known(ViewRole::from_code(text), ViewRole::ALL, |one| one.code())),
        free_text: taken(table, "free_text", "limited"),
        listed: taken(table, "listed", "removed"),
    }
}

/// Whether something is taken away. The key says so with one word, and with no other.
fn taken(table: &mut Reader<'_>, key: &'static str, word: &str) -> Taken {
    let said =
        table.parsed(key, |text| if text == word { Ok(()) } else { Err(format!("is not \"{word}\"")) });
    if said.is_some() { Taken::Away } else { Taken::Left }
}

fn deny(table: &mut Reader<'_>) -> Deny {
    Deny { unless: degree(table, "unless_relationship"), labels: labels(table) }
}

fn degree(table: &mut Reader<'_>, key: &'static str) -> Option<Relationship> {
    table.parsed(key, |text| known(Relationship::from_code(text), Relationship::ALL, |one| one.code()))
}
