//! `CarePlan`.

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::back::{self, Codes, keep_new};
use super::edit::{Notes, address, definition, encounter, has, recode, rehome};
use super::kept::keep;

const STATUS: &[(&str, &str)] = &[("suspended", "on-hold"), ("cancelled", "revoked")];

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "status", STATUS);
    encounter(fields, notes, "CarePlan.context");
    definition(fields, notes, "CarePlan.definition", "instantiatesCanonical");
    author(fields, notes);
    fields.each("activity", |activity| activity.each("detail", |detail| activity_detail(detail, notes)));
}

/// R4 has one author; the others contributed.
fn author(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let Some(authors) = fields.get_mut("author").and_then(Draft::items) else { return };
    if authors.is_empty() {
        return;
    }
    let first = authors.remove(0);
    let has_others = !authors.is_empty();
    if has_others {
        rehome(fields, notes, "CarePlan.author", "contributor", "Reference");
    }
    fields.put("author", first);
}

fn activity_detail(detail: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const BASE: &str = "CarePlan.activity.detail";
    keep(detail, notes, &format!("{BASE}.category"), "CodeableConcept");
    plan(detail, notes);
    // "Do not do this" must not become something to do.
    rehome(detail, notes, &format!("{BASE}.prohibited"), "doNotPerform", "Boolean");
    if detail.get("statusReason").is_some_and(|reason| reason.kind() == Kind::String) {
        let mut words = Fields::default();
        for (old, new) in [("statusReason", "text"), ("_statusReason", "_text")] {
            if let Some(value) = detail.take(old) {
                words.put(new, value);
            }
        }
        detail.put("statusReason", Draft::Object(words));
    }
}

fn plan(detail: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let found = detail.get("definition").and_then(Draft::raw).and_then(address);
    match found {
        Some(address) if !has(detail, "instantiatesCanonical") => {
            detail.take("definition");
            detail.put("instantiatesCanonical", Draft::Array(vec![address]));
        }
        _ => keep(detail, notes, "CarePlan.activity.detail.definition", "Reference"),
    }
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const STATUS: Codes = Codes {
        same: &["draft", "active", "completed", "entered-in-error", "unknown"],
        renamed: &[("on-hold", "suspended"), ("revoked", "cancelled")],
        near: &[],
    };
    STATUS.apply(fields, notes, "CarePlan.status");
    rehome(fields, notes, "CarePlan.encounter", "context", "Reference");
    back::definition(fields, notes, "CarePlan.instantiatesCanonical");
    // STU3 does not tell authors from those who contributed.
    fields.wrap("author");
    if let Some(others) = fields.get_mut("contributor").and_then(Draft::items) {
        let others = std::mem::take(others);
        fields.take("contributor");
        fields.append_all("author", others);
    }
    keep_new(fields, notes, &[("CarePlan.created", "DateTime"), ("CarePlan.instantiatesUri", "Uri")]);
    fields.each("activity", |activity| activity.each("detail", |detail| detail_to_stu3(detail, notes)));
}

fn detail_to_stu3(detail: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const STATUS: Codes = Codes {
        same: &["not-started", "scheduled", "in-progress", "on-hold", "completed", "cancelled", "unknown"],
        renamed: &[],
        near: &[("stopped", "cancelled"), ("entered-in-error", "unknown")],
    };
    STATUS.apply(detail, notes, "CarePlan.activity.detail.status");
    // "Do not do this" must not become something to do.
    rehome(detail, notes, "CarePlan.activity.detail.doNotPerform", "prohibited", "Boolean");
    plan_to_stu3(detail, notes);
    reason_to_stu3(detail, notes);
    keep_new(
        detail,
        notes,
        &[("CarePlan.activity.detail.kind", "Code"), ("CarePlan.activity.detail.instantiatesUri", "Uri")],
    );
}

/// One plan of an activity has room in STU3.
fn plan_to_stu3(detail: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let found = detail.get("instantiatesCanonical").and_then(Draft::raw);
    let mut addresses = found.into_iter().flat_map(Json::items);
    match (addresses.next().and_then(back::pointing), addresses.next()) {
        (Some(plan), None) if !has(detail, "definition") && !detail.has("_instantiatesCanonical") => {
            detail.take("instantiatesCanonical");
            detail.put("definition", plan);
        }
        _ => keep(detail, notes, "CarePlan.activity.detail.instantiatesCanonical", "Uri"),
    }
}

/// The reason is words in STU3; what else the concept says is kept.
fn reason_to_stu3(detail: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const PATH: &str = "CarePlan.activity.detail.statusReason";
    let Some(mut reason) = detail.get("statusReason").filter(|one| one.kind() == Kind::Object).cloned()
    else {
        return;
    };
    let Some(concept) = reason.fields() else { return };
    let is_words = concept.keys().all(|key| matches!(key, "text" | "_text")) && !detail.has("_statusReason");
    let words = (concept.get("text").cloned(), concept.get("_text").cloned());
    if is_words {
        detail.take("statusReason");
    } else {
        keep(detail, notes, PATH, "CodeableConcept");
    }
    for (key, value) in [("statusReason", words.0), ("_statusReason", words.1)] {
        if let Some(value) = value {
            detail.put(key, value);
        }
    }
}
