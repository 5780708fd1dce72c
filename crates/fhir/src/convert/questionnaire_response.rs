//! `QuestionnaireResponse`.

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::back::pointing;
use super::edit::{Notes, encounter, rehome};
use super::kept::keep;

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    encounter(fields, notes, "QuestionnaireResponse.context");
    rehome(fields, notes, "QuestionnaireResponse.parent", "partOf", "Reference");
    questionnaire(fields, notes);
    // Items nest; they are opened only when one of them has what R4 has not.
    let items = fields.get("item").and_then(Draft::raw);
    if items.is_some_and(|items| items.raw().contains("\"subject\"")) {
        item_subjects(fields, notes);
    }
}

/// A reference to a questionnaire becomes its canonical address, where it is nothing but an address.
fn questionnaire(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let Some(reference) = fields.get("questionnaire").and_then(Draft::raw) else { return };
    if reference.kind() != Kind::Object {
        return;
    }
    let is_bare = reference.members().count() == 1;
    let address = reference.get("reference").filter(|address| is_bare && is_address(*address));
    match address {
        Some(address) => fields.put("questionnaire", Draft::Raw(address)),
        None => keep(fields, notes, "QuestionnaireResponse.questionnaire", "Reference"),
    }
}

fn is_address(text: Json<'_>) -> bool {
    text.text().is_some_and(|text| !text.starts_with('#'))
}

fn item_subjects(parent: &mut Fields<'_>, notes: &mut Notes<'_>) {
    parent.each("item", |item| {
        keep(item, notes, "QuestionnaireResponse.item.subject", "Reference");
        item_subjects(item, notes);
        item.each("answer", |answer| item_subjects(answer, notes));
    });
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "QuestionnaireResponse.encounter", "context", "Reference");
    rehome(fields, notes, "QuestionnaireResponse.partOf", "parent", "Reference");
    let address = fields.get("questionnaire").and_then(Draft::raw).and_then(pointing);
    if let Some(reference) = address.filter(|_| !fields.has("_questionnaire")) {
        fields.put("questionnaire", reference);
    }
}
