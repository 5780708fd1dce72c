//! `CarePlan`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, address, definition, encounter, has, recode, rehome};
use super::kept::keep;

const STATUS: &[(&str, &str)] = &[("suspended", "on-hold"), ("cancelled", "revoked")];

pub(super) fn convert(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
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
