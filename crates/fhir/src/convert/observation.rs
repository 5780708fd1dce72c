//! `Observation`.

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::edit::{Notes, encounter, is_object, lift};
use super::kept::{attach, keep};

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    comment(fields, notes);
    encounter(fields, notes, "Observation.context");
    related(fields, notes);
    fields.wrap("interpretation");
    keep(fields, notes, "Observation.valueAttachment", "Attachment");
    if fields.has("component") {
        fields.each("component", |component| {
            component.wrap("interpretation");
            keep(component, notes, "Observation.component.valueAttachment", "Attachment");
        });
    }
}

/// The comment becomes the first note: in GP Connect it is where the clinician's words are.
fn comment(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let is_text = fields.get("comment").is_none_or(|comment| comment.kind() == Kind::String);
    if !is_text {
        keep(fields, notes, "Observation.comment", "String");
        return;
    }
    let text = fields.take("comment");
    let sibling = fields.take("_comment");
    if text.is_none() && sibling.is_none() {
        return;
    }
    let mut note = Fields::default();
    if let Some(text) = text {
        note.put("text", text);
    }
    if let Some(sibling) = sibling {
        note.put("_text", sibling);
    }
    fields.prepend("note", Draft::Object(note));
}

/// Members and sources have a home; the other four kinds of relation, and those without a kind, have none.
fn related(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let Some(related) = fields.get("related").and_then(Draft::raw) else { return };
    if !matches!(related.kind(), Kind::Array | Kind::Object) {
        return;
    }
    fields.take("related");
    let mut members = Vec::new();
    let mut sources = Vec::new();
    let mut others = Vec::new();
    for relation in related.each() {
        let mut target = Draft::Raw(relation);
        match home_of(relation) {
            Some(Home::Member) if only_target(&mut target, notes) => members.push(target),
            Some(Home::Source) if only_target(&mut target, notes) => sources.push(target),
            _ => {
                notes.kept("Observation.related");
                others.push(Draft::Raw(relation));
            }
        }
    }
    fields.append_all("hasMember", members);
    fields.append_all("derivedFrom", sources);
    attach(fields, "Observation.related", "", (Some(Draft::Array(others)), None));
}

#[derive(Clone, Copy, Debug)]
enum Home {
    Member,
    Source,
}

fn home_of(relation: Json<'_>) -> Option<Home> {
    // A sibling of the kind would be lost with it.
    let is_plain = relation.get("_type").is_none();
    match relation.text_at("type").filter(|_| is_plain)?.as_ref() {
        "has-member" => Some(Home::Member),
        "derived-from" => Some(Home::Source),
        _ => None,
    }
}

fn only_target(relation: &mut Draft<'_>, notes: &mut Notes<'_>) -> bool {
    let Some(fields) = relation.fields() else { return false };
    if !is_object(fields, "target") {
        return false;
    }
    fields.take("type");
    lift(relation, notes, "Observation.related", "target")
}
