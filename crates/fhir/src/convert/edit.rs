//! The steps that tables are made of.

use std::borrow::Cow;

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};
use crate::reply::{KeptAs, LossNote};

use super::kept::{FROM_R4, FROM_STU3, attach, keep, keep_rest};

/// Where a table writes down what found no home, and what it may know of the resource.
#[derive(Debug)]
pub(super) struct Notes<'n> {
    statement: &'n str,
    is_gp_connect: bool,
    base: &'static str,
    losses: &'n mut Vec<LossNote>,
}

impl<'n> Notes<'n> {
    /// The notes of a STU3 resource.
    pub(super) fn new(statement: &'n str, resource: Json<'_>, losses: &'n mut Vec<LossNote>) -> Self {
        Self { statement, is_gp_connect: claims_gp_connect(resource), base: FROM_STU3, losses }
    }

    /// The notes of an R4 resource.
    pub(super) fn of_r4(statement: &'n str, resource: Json<'_>, losses: &'n mut Vec<LossNote>) -> Self {
        Self { base: FROM_R4, ..Self::new(statement, resource, losses) }
    }

    /// What the addresses of kept elements begin with: the version the element is of.
    pub(super) const fn base(&self) -> &'static str {
        self.base
    }

    /// The notes of a contained resource: it is part of the same statement.
    pub(super) fn within(&mut self, contained: Json<'_>) -> Notes<'_> {
        let is_gp_connect = claims_gp_connect(contained);
        Notes { statement: self.statement, is_gp_connect, base: self.base, losses: self.losses }
    }

    /// Whether the resource claims a GP Connect profile, whose fixed values say nothing.
    pub(super) const fn is_gp_connect(&self) -> bool {
        self.is_gp_connect
    }

    /// The element is kept as an extension.
    pub(super) fn kept(&mut self, path: impl Into<String>) {
        self.note(path.into(), KeptAs::Extension);
    }

    /// The element was left out, because the specification calls its value meaningless.
    pub(super) fn meaningless(&mut self, path: &str) {
        self.note(path.to_owned(), KeptAs::Meaningless);
    }

    fn note(&mut self, path: String, kept_as: KeptAs) {
        self.losses.push(LossNote { statement: self.statement.to_owned(), path, kept_as });
    }
}

fn claims_gp_connect(resource: Json<'_>) -> bool {
    let profiles = resource.get("meta").and_then(|meta| meta.get("profile")).into_iter().flat_map(Json::each);
    profiles.filter_map(Json::text).any(|profile| profile.contains("CareConnect-GPC-"))
}

/// The key of the element at `path`: its last step.
pub(super) fn key_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// What stands where R4 demands an element that the source does not have.
pub(super) const UNKNOWN: &str = concat!(
    r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","#,
    r#""valueCode":"unknown"}]}"#
);

/// Whether an element exists, be it only by its sibling.
pub(super) fn has(fields: &Fields<'_>, key: &str) -> bool {
    fields.keys().any(|name| name.strip_prefix('_').unwrap_or(name) == key)
}

/// Whether a member is an object.
pub(super) fn is_object(fields: &Fields<'_>, key: &str) -> bool {
    fields.get(key).is_some_and(|value| value.kind() == Kind::Object)
}

/// Whether a member is a string with this text.
pub(super) fn says(fields: &Fields<'_>, key: &str, text: &str) -> bool {
    fields.text_at(key).is_some_and(|found| found == text)
}

/// Gives the element at `path` the key `to`. Where that is taken, the element is kept as an extension.
pub(super) fn rehome(
    fields: &mut Fields<'_>,
    notes: &mut Notes<'_>,
    path: &str,
    to: &'static str,
    kind: &'static str,
) {
    let key = key_of(path);
    if !has(fields, key) {
        return;
    }
    if has(fields, to) {
        keep(fields, notes, path, kind);
    } else if !fields.rename(key, to)
        && let Some(sibling) = fields.take(&format!("_{key}"))
    {
        fields.put(format!("_{to}"), sibling);
    }
}

/// `context` becomes `encounter`, which may not be an episode of care any more.
pub(super) fn encounter(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &str) {
    let context = fields.get(key_of(path)).and_then(Draft::raw);
    let reference = context.and_then(|context| context.text_at("reference"));
    let is_episode =
        reference.is_some_and(|text| text.starts_with("EpisodeOfCare/") || text.contains("/EpisodeOfCare/"));
    if is_episode {
        keep(fields, notes, path, "Reference");
    } else {
        rehome(fields, notes, path, "encounter", "Reference");
    }
}

/// `definition` becomes `to`, a list of addresses. References that are more than an address are kept.
pub(super) fn definition(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &str, to: &'static str) {
    let found = fields.get(key_of(path)).and_then(Draft::raw);
    let addresses: Option<Vec<Draft<'_>>> = found.and_then(|found| found.each().map(address).collect());
    match addresses {
        Some(addresses) if !addresses.is_empty() && !has(fields, to) => {
            fields.take(key_of(path));
            fields.put(to, Draft::Array(addresses));
        }
        _ => keep(fields, notes, path, "Reference"),
    }
}

/// The address of a reference that is nothing but an absolute address.
pub(super) fn address(reference: Json<'_>) -> Option<Draft<'_>> {
    let address = reference.get("reference")?;
    let is_bare = reference.members().count() == 1;
    let is_absolute = address.text()?.contains(':');
    (is_bare && is_absolute).then_some(Draft::Raw(address))
}

/// Makes a `code` a `CodeableConcept`. The code keeps its text and its sibling.
pub(super) fn to_concept(fields: &mut Fields<'_>, key: &str, system: &'static str) {
    let is_code = fields.get(key).is_none_or(|value| value.kind() == Kind::String);
    if !is_code || !has(fields, key) {
        return;
    }
    let mut coding = Fields::default();
    coding.put("system", Draft::string(system));
    if let Some(sibling) = fields.take(&format!("_{key}")) {
        coding.put("_code", sibling);
    }
    if let Some(code) = fields.take(key) {
        coding.put("code", code);
    }
    fields.put(key.to_owned(), Draft::object([("coding", Draft::Array(vec![Draft::Object(coding)]))]));
}

/// Gives a code its R4 name. A code the table does not know stays what it is.
pub(super) fn recode(fields: &mut Fields<'_>, key: &'static str, table: &[(&str, &'static str)]) {
    let found = fields.text_at(key).and_then(|code| table.iter().find(|(old, _)| *old == code));
    if let Some((_, new)) = found {
        fields.put(key, Draft::string(new));
    }
}

/// Sets the status at `path` to `code` and keeps what it was.
pub(super) fn restate(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &str, code: &'static str) {
    let key = key_of(path);
    let before = fields.get(key).cloned();
    let sibling = fields.take(&format!("_{key}"));
    if before.is_some() || sibling.is_some() {
        attach(fields, notes, path, "Code", (before, sibling));
        notes.kept(path);
    }
    fields.put(key.to_owned(), Draft::string(code));
}

/// What a negation flag says of its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// It was done, as far as the flag says.
    Done,
    /// It was not done.
    NotDone,
}

/// Turns the flag at `flag` that negates the whole resource into the status `code` (merge policy 2.12).
///
/// `false` says no more than the status does and is left out. An entry made in error stays one, whatever it
/// would have said; the flag is kept in every case where it negates.
pub(super) fn negation(
    fields: &mut Fields<'_>,
    notes: &mut Notes<'_>,
    flag: &str,
    (status, code): (&str, &'static str),
) -> Deed {
    let key = key_of(flag);
    match fields.get(key).map(Draft::kind) {
        Some(Kind::True) => {}
        // A flag in quotes is no boolean, but nobody writes it to say that the deed was done.
        Some(Kind::String) if says(fields, key, "true") => {}
        Some(Kind::False) if fields.keys().all(|name| name.strip_prefix('_') != Some(key)) => {
            fields.take(key);
            return Deed::Done;
        }
        _ => {
            keep(fields, notes, flag, "Boolean");
            return Deed::Done;
        }
    }
    keep(fields, notes, flag, "Boolean");
    let before = fields.text_at("status").map(Cow::into_owned);
    match before.as_deref() {
        Some("entered-in-error") => {}
        // In STU3 a thing not done is `completed` and flagged, so this word adds nothing.
        Some("completed") if !fields.has("_status") => fields.put("status", Draft::string(code)),
        _ => restate(fields, notes, status, code),
    }
    Deed::NotDone
}

/// The reason at `path` goes to `to` when the deed was not done; else it would explain another status.
pub(super) fn reason_not_done(
    fields: &mut Fields<'_>,
    notes: &mut Notes<'_>,
    deed: Deed,
    (path, to, kind): (&str, &'static str, &'static str),
) {
    match deed {
        Deed::NotDone => rehome(fields, notes, path, to, kind),
        Deed::Done => keep(fields, notes, path, kind),
    }
}

/// Replaces a backbone element by the reference under its key `inner`. What stood beside that reference is
/// kept as extensions of the reference. Tells whether it was done.
pub(super) fn lift(value: &mut Draft<'_>, notes: &mut Notes<'_>, path: &str, inner: &str) -> bool {
    let Some(backbone) = value.fields() else { return false };
    if !is_object(backbone, inner) {
        return false;
    }
    let Some(mut reference) = backbone.take(inner) else { return false };
    let rest = std::mem::take(backbone);
    if let Some(target) = reference.fields() {
        keep_rest(target, notes, path, rest);
    }
    *value = reference;
    true
}

/// `requester.agent` becomes `requester`; on whose behalf he acted is kept on the reference.
pub(super) fn requester(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &str) {
    let Some(requester) = fields.get_mut("requester") else { return };
    let is_lifted = lift(requester, notes, path, "agent");
    // A backbone element without an agent is no reference and may not stand where R4 wants one.
    if !is_lifted && is_object(fields, "requester") {
        let has_own = |key| requester_has(fields, key);
        if has_own("agent") || has_own("onBehalfOf") {
            keep(fields, notes, path, "");
        }
    }
}

fn requester_has(fields: &Fields<'_>, key: &str) -> bool {
    match fields.get("requester") {
        Some(Draft::Raw(json)) => json.get(key).is_some(),
        Some(Draft::Object(inner)) => inner.has(key),
        Some(Draft::Text(_) | Draft::Array(_)) | None => false,
    }
}
