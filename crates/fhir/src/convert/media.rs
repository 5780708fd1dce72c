//! `Media`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{Notes, encounter, has, rehome, says};
use super::kept::keep;

const TYPES: &str = "http://terminology.hl7.org/CodeSystem/media-type";

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    kind(fields, notes);
    encounter(fields, notes, "Media.context");
    rehome(fields, notes, "Media.subtype", "modality", "CodeableConcept");
    rehome(fields, notes, "Media.occurrenceDateTime", "createdDateTime", "DateTime");
    rehome(fields, notes, "Media.occurrencePeriod", "createdPeriod", "Period");
    if !has(fields, "status") {
        // R4 wants a status and STU3 has none.
        fields.put("status", Draft::literal("\"unknown\""));
    }
}

/// A photo is an image in R4; the STU3 code is kept.
fn kind(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let code = match fields.text_at("type").as_deref() {
        Some("photo") => "image",
        Some("video") => "video",
        Some("audio") => "audio",
        _ => {
            if fields.get("type").is_some_and(|kind| kind.kind() == Kind::String) || fields.has("_type") {
                keep(fields, notes, "Media.type", "Code");
            }
            return;
        }
    };
    if says(fields, "type", "photo") || fields.has("_type") {
        keep(fields, notes, "Media.type", "Code");
    }
    fields.put("type", Draft::concept(TYPES, code));
}
