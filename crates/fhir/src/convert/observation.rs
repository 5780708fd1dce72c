//! `Observation`.

use std::borrow::Cow;

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::back::{keep_new, single};
use super::edit::{Notes, encounter, has, is_object, lift, rehome};
use super::kept::{attach, keep};

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
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
    attach(fields, notes, "Observation.related", "", (Some(Draft::Array(others)), None));
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

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    comment_to_stu3(fields, notes);
    rehome(fields, notes, "Observation.encounter", "context", "Reference");
    related_to_stu3(fields);
    single(fields, notes, "Observation.interpretation", "CodeableConcept");
    // An instant is a date and time with nothing left out.
    rehome(fields, notes, "Observation.effectiveInstant", "effectiveDateTime", "Instant");
    integer(fields, notes, "Observation.valueInteger");
    if fields.has("component") {
        fields.each("component", |component| {
            single(component, notes, "Observation.component.interpretation", "CodeableConcept");
            integer(component, notes, "Observation.component.valueInteger");
            answer(component, notes);
        });
    }
    keep_new(
        fields,
        notes,
        &[
            ("Observation.effectiveTiming", "Timing"),
            ("Observation.focus", "Reference"),
            ("Observation.partOf", "Reference"),
        ],
    );
}

/// STU3 has one comment. It holds the words of all notes, for nobody looks for a clinician's words in an
/// extension; notes that say more than words are kept as well.
fn comment_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const PATH: &str = "Observation.note";
    if has(fields, "comment") || fields.get("note").is_none_or(|note| note.kind() != Kind::Array) {
        keep(fields, notes, PATH, "Annotation");
        return;
    }
    let Some(mut list) = fields.take("note") else { return };
    let whole = list.clone();
    let mut words: Vec<Draft<'_>> = Vec::new();
    let mut sibling = None;
    let mut is_plain = true;
    for note in list.items().into_iter().flatten() {
        let Some(note) = note.fields() else {
            is_plain = false;
            continue;
        };
        let is_words = note.get("text").is_none_or(|text| text.kind() == Kind::String);
        is_plain &= is_words && note.keys().all(|key| matches!(key, "text" | "_text"));
        words.extend(note.take("text").filter(|text| text.kind() == Kind::String));
        sibling = sibling.or_else(|| note.take("_text"));
    }
    let is_one = whole.raw().is_some_and(|list| list.items().count() == 1)
        || matches!(&whole, Draft::Array(items) if items.len() == 1);
    let is_all = is_plain && is_one;
    match words.len() {
        0 => {}
        1 => words.into_iter().for_each(|text| fields.put("comment", text)),
        _ => fields.put("comment", joined(&words)),
    }
    if is_all {
        if let Some(sibling) = sibling {
            fields.put("_comment", sibling);
        }
    } else {
        attach(fields, notes, PATH, "Annotation", (Some(whole), None));
        notes.kept(PATH);
    }
}

/// The texts, one below the other, each as it was written.
fn joined<'d>(words: &[Draft<'d>]) -> Draft<'d> {
    let mut out = String::from("\"");
    for (index, text) in words.iter().filter_map(Draft::raw).enumerate() {
        if index > 0 {
            out.push_str("\\n");
        }
        let raw = text.raw();
        out.push_str(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default());
    }
    out.push('"');
    Draft::Text(Cow::Owned(out))
}

fn related_to_stu3(fields: &mut Fields<'_>) {
    let mut related = Vec::new();
    for (key, code) in [("hasMember", "\"has-member\""), ("derivedFrom", "\"derived-from\"")] {
        if fields.get(key).is_none_or(|list| list.kind() != Kind::Array) {
            continue;
        }
        let Some(mut targets) = fields.take(key) else { continue };
        for target in targets.items().into_iter().flat_map(std::mem::take) {
            related.push(Draft::object([("type", Draft::literal(code)), ("target", target)]));
        }
    }
    fields.append_all("related", related);
}

/// A whole number is a quantity without a unit.
fn integer(fields: &mut Fields<'_>, notes: &mut Notes<'_>, path: &'static str) {
    let is_free = !has(fields, "valueQuantity") && !fields.has("_valueInteger");
    match fields.get("valueInteger").map(Draft::kind) {
        Some(Kind::Number) if is_free => {
            if let Some(number) = fields.take("valueInteger") {
                fields.put("valueQuantity", Draft::object([("value", number)]));
            }
        }
        _ => keep(fields, notes, path, "Integer"),
    }
}

/// A component has no place for yes or no in STU3. The word is shown, and what it was is kept.
fn answer(component: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let word = match component.get("valueBoolean").map(Draft::kind) {
        Some(Kind::True) => Some("\"true\""),
        Some(Kind::False) => Some("\"false\""),
        _ => None,
    };
    keep(component, notes, "Observation.component.valueBoolean", "Boolean");
    if let Some(word) = word.filter(|_| !has(component, "valueString")) {
        component.put("valueString", Draft::literal(word));
    }
}
