//! The steps of the tables that lead from R4 back to STU3.

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::edit::{Deed, Notes, has, key_of};
use super::kept::{attach, keep};
use super::restore::{keeps_truth, pull, unlift};

const ABSENT: &str =
    r#"[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]"#;

/// Keeps the elements that R4 added: path and `value[x]` of each.
pub(super) fn keep_new(
    fields: &mut Fields<'_>,
    notes: &mut Notes<'_>,
    added: &[(&'static str, &'static str)],
) {
    for (path, kind) in added {
        keep(fields, notes, path, kind);
    }
}

/// Says of a primitive that STU3 requires that it is not known.
pub(super) fn require(fields: &mut Fields<'_>, key: &str) {
    if !has(fields, key) {
        fields.put(format!("_{key}"), Draft::object([("extension", Draft::literal(ABSENT))]));
    }
}

/// Says of an object that STU3 requires that it is not known.
pub(super) fn require_object(fields: &mut Fields<'_>, key: &'static str) {
    if !has(fields, key) {
        fields.put(key, Draft::object([("extension", Draft::literal(ABSENT))]));
    }
}

/// A list of which STU3 has room for the first; the others are kept.
pub(super) fn single(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &'static str, kind: &'static str) {
    let key = key_of(path);
    let Some(items) = fields.get_mut(key).and_then(Draft::items) else { return };
    let mut items = std::mem::take(items).into_iter();
    match items.next() {
        Some(first) => fields.put(key, first),
        None => {
            fields.take(key);
        }
    }
    let rest: Vec<_> = items.collect();
    if !rest.is_empty() {
        attach(fields, notes, path, kind, (Some(Draft::Array(rest)), None));
        notes.kept(path);
    }
}

/// What becomes of the codes of a required binding. A code that is nowhere in it is kept as an extension and
/// its absence is said: no code is guessed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codes {
    /// Codes of both versions.
    pub(super) same: &'static [&'static str],
    /// Codes with another name in STU3.
    pub(super) renamed: &'static [(&'static str, &'static str)],
    /// Codes that STU3 has only a wider or a weaker one for; the exact one is kept too.
    pub(super) near: &'static [(&'static str, &'static str)],
}

fn named(table: &[(&str, &'static str)], code: &str) -> Option<&'static str> {
    table.iter().find(|(r4, _)| *r4 == code).map(|(_, stu3)| *stu3)
}

impl Codes {
    /// Whether STU3 has a word for a code.
    pub(super) fn knows(&self, code: &str) -> bool {
        self.same.contains(&code) || named(self.renamed, code).or_else(|| named(self.near, code)).is_some()
    }

    /// Gives the code at `path` its STU3 name.
    pub(super) fn apply(&self, fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &'static str) {
        let key = key_of(path);
        if !has(fields, key) {
            return;
        }
        let code = fields.text_at(key).unwrap_or_default().into_owned();
        if self.same.contains(&code.as_str()) {
            return;
        }
        if let Some(new) = named(self.renamed, &code) {
            fields.put(key, Draft::string(new));
            return;
        }
        keep(fields, notes, path, "Code");
        match named(self.near, &code) {
            Some(new) => fields.put(key, Draft::string(new)),
            None => require(fields, key),
        }
    }
}

/// A `CodeableConcept` that is a `code` in STU3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coded {
    /// Path of the element.
    pub(super) path: &'static str,
    /// The code system whose codes count.
    pub(super) system: &'static str,
    /// Its codes. Of several codings the one that stands first here is taken.
    pub(super) codes: Codes,
}

impl Coded {
    /// Gives the code its place back. Whatever the concept says beyond that code is kept.
    pub(super) fn apply(&self, fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
        let key = key_of(self.path);
        if fields.get(key).is_none_or(|concept| concept.kind() != Kind::Object) {
            return;
        }
        let Some(mut concept) = fields.take(key) else { return };
        let Some(found) = self.find(&mut concept) else {
            attach(fields, notes, self.path, "CodeableConcept", (Some(concept), None));
            notes.kept(self.path);
            require(fields, key);
            return;
        };
        let Found { code, sibling, is_all } = found;
        fields.put(key, code);
        let sibling_key = format!("_{key}");
        let is_all = is_all && !(sibling.is_some() && fields.has(&sibling_key));
        if let Some(sibling) = sibling.filter(|_| is_all) {
            fields.put(sibling_key, sibling);
        }
        if !is_all {
            attach(fields, notes, self.path, "CodeableConcept", (Some(concept), None));
            notes.kept(self.path);
        }
    }

    fn find<'d>(&self, concept: &mut Draft<'d>) -> Option<Found<'d>> {
        let is_alone = concept.fields()?.len() == 1;
        let codings = concept.fields()?.get_mut("coding")?.items()?;
        let is_only = is_alone && codings.len() == 1;
        let Codes { same, renamed, near } = self.codes;
        let known = same.iter().map(|code| (*code, None));
        let renamed = renamed.iter().chain(near).map(|(r4, stu3)| (*r4, Some(*stu3)));
        known.chain(renamed).find_map(|(code, new)| {
            let coding = codings.iter_mut().find_map(|coding| self.is(coding, code))?;
            let is_plain = coding.keys().all(|key| matches!(key, "system" | "code" | "_code"));
            let sibling = coding.get("_code").cloned();
            let given = coding.get("code").cloned()?;
            Some(Found {
                code: new.map_or(given, Draft::string),
                sibling,
                is_all: is_only && is_plain && new.is_none(),
            })
        })
    }

    fn is<'f, 'd>(&self, coding: &'f mut Draft<'d>, code: &str) -> Option<&'f mut Fields<'d>> {
        let fields = coding.fields()?;
        let says = |key: &str, text: &str| fields.text_at(key).is_some_and(|found| found.trim_end() == text);
        (says("system", self.system) && says("code", code)).then_some(fields)
    }
}

/// What a concept says as a code.
struct Found<'d> {
    code: Draft<'d>,
    sibling: Option<Draft<'d>>,
    /// Whether the code is all that the concept says.
    is_all: bool,
}

/// A flag of STU3 that negates its whole resource, and the status that says so in R4.
#[derive(Clone, Copy, Debug)]
pub(super) struct Negation {
    /// Path of the flag.
    pub(super) flag: &'static str,
    /// Path of the status.
    pub(super) status: &'static str,
    /// The status that negates.
    pub(super) code: &'static str,
}

impl Negation {
    /// Sets the flag where the status negates. A flag that was kept beside any other status does not count:
    /// what R4 readers saw is what STU3 readers see. Nor does one that stands where R4 has no such element.
    pub(super) fn apply(&self, fields: &mut Fields<'_>, notes: &mut Notes<'_>) -> Deed {
        keep(fields, notes, self.flag, "Boolean");
        let status = fields.text_at("status").unwrap_or_default().into_owned();
        let is_negated = status == self.code;
        let was_flagged = keeps_truth(fields, self.flag);
        let was_error_about_nothing = status == "entered-in-error" && was_flagged;
        if !is_negated && !was_error_about_nothing {
            return Deed::Done;
        }
        if was_flagged {
            pull(fields, self.flag, "Boolean");
        }
        fields.put(key_of(self.flag), Draft::literal("true"));
        if is_negated {
            // In STU3 a thing not done is `completed` and flagged, unless it said otherwise.
            fields.put("status", Draft::literal("\"completed\""));
            give_back(fields, self.status, "status");
        }
        Deed::NotDone
    }
}

/// Puts the code that the extension for `path` keeps in the place of another. A sibling is never overwritten.
pub(super) fn give_back(fields: &mut Fields<'_>, path: &str, key: &'static str) {
    let sibling_key = format!("_{key}");
    if fields.has(&sibling_key) {
        return;
    }
    let Some((code, sibling)) = pull(fields, path, "Code") else { return };
    if let Some(code) = code {
        fields.put(key, code);
    } else {
        fields.take(key);
    }
    if let Some(sibling) = sibling {
        fields.put(sibling_key, sibling);
    }
}

/// `requester` becomes `requester.agent`, with whom the agent acted for beside it.
pub(super) fn requester(fields: &mut Fields<'_>, path: &'static str) {
    if let Some(requester) = fields.get_mut("requester") {
        unlift(requester, path, "agent");
    }
}

/// Addresses become references under `definition`, where they are nothing but addresses.
pub(super) fn definition(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &'static str) {
    let key = key_of(path);
    let is_plain = !fields.has(&format!("_{key}")) && !has(fields, "definition");
    let found = fields.get(key).and_then(Draft::raw).filter(|found| is_plain && found.kind() == Kind::Array);
    let references: Option<Vec<Draft<'_>>> = found.and_then(|found| found.items().map(pointing).collect());
    match references {
        Some(references) if !references.is_empty() => {
            fields.take(key);
            fields.put("definition", Draft::Array(references));
        }
        _ => keep(fields, notes, path, "Uri"),
    }
}

/// A reference to an address.
pub(super) fn pointing(address: Json<'_>) -> Option<Draft<'_>> {
    (address.kind() == Kind::String).then(|| Draft::object([("reference", Draft::Raw(address))]))
}
