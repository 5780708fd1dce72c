//! `DocumentReference`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::back::{require, require_object, single};
use super::edit::{Notes, has, is_object, rehome, restate, says};
use super::kept::{attach, keep, keep_rest};
use super::restore::{pull, unlift};

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "DocumentReference.class", "category", "CodeableConcept");
    fields.wrap("category");
    rehome(fields, notes, "DocumentReference.indexed", "date", "Instant");
    created(fields, notes);
    if says(fields, "docStatus", "appended") {
        restate(fields, notes, "DocumentReference.docStatus", "amended");
    }
    fields.each("context", |context| {
        context.wrap("encounter");
        if let Some(related) = context.get_mut("related").and_then(Draft::items) {
            for one in related {
                merge_related(one, notes);
            }
        }
    });
}

/// When a letter was written is not when it was filed, so both are kept: the first on the attachment.
fn created(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const PATH: &str = "DocumentReference.created";
    let date = fields.get("created").filter(|date| date.kind() == Kind::String).cloned();
    let Some(date) = date else {
        keep(fields, notes, PATH, "DateTime");
        return;
    };
    fields.each("content", |content| {
        content.each("attachment", |attachment| {
            if !has(attachment, "creation") {
                attachment.put("creation", date.clone());
            }
        });
    });
    let whole = (fields.take("created"), fields.take("_created"));
    attach(fields, notes, PATH, "DateTime", whole);
    notes.kept(PATH);
}

/// `identifier` and `ref` are one Reference in R4.
fn merge_related(one: &mut Draft<'_>, notes: &mut Notes<'_>) {
    let Some(related) = one.fields() else { return };
    let mut merged = match related.get("ref").map(Draft::kind) {
        Some(Kind::Object) => related.take("ref").unwrap_or_else(|| Draft::Object(Fields::default())),
        None if is_object(related, "identifier") => Draft::Object(Fields::default()),
        _ => return,
    };
    let mut rest = std::mem::take(related);
    if let Some(reference) = merged.fields() {
        if !has(reference, "identifier")
            && is_object(&rest, "identifier")
            && let Some(identifier) = rest.take("identifier")
        {
            reference.put("identifier", identifier);
        }
        keep_rest(reference, notes, "DocumentReference.context.related", rest);
    }
    *one = merged;
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "DocumentReference.category", "CodeableConcept");
    rehome(fields, notes, "DocumentReference.category", "class", "CodeableConcept");
    rehome(fields, notes, "DocumentReference.date", "indexed", "Instant");
    require(fields, "indexed");
    require_object(fields, "type");
    if says(fields, "docStatus", "amended")
        && let Some((Some(before), _)) = pull(fields, "DocumentReference.docStatus", "Code")
    {
        fields.put("docStatus", before);
    }
    fields.each("context", |context| {
        single(context, notes, "DocumentReference.context.encounter", "Reference");
        if let Some(related) = context.get_mut("related").and_then(Draft::items) {
            related.iter_mut().for_each(related_to_stu3);
        }
    });
}

/// What names the other thing only by an identifier has an element of its own in STU3.
fn related_to_stu3(one: &mut Draft<'_>) {
    unlift(one, "DocumentReference.context.related", "ref");
    let Some(related) = one.fields() else { return };
    if related.has("identifier") {
        return;
    }
    let identifier = related.get_mut("ref").and_then(Draft::fields).and_then(|reference| {
        let found = reference.take("identifier")?;
        Some((found, reference.is_empty()))
    });
    if let Some((identifier, is_all)) = identifier {
        if is_all {
            related.take("ref");
        }
        related.put("identifier", identifier);
    }
}
