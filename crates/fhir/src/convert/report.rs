//! `DiagnosticReport` and `Specimen`.

use crate::draft::{Draft, Fields};

use super::back::{keep_new, single};
use super::edit::{Notes, encounter, lift, rehome};
use super::kept::{attach, keep};
use super::restore::unlift;

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    encounter(fields, notes, "DiagnosticReport.context");
    fields.wrap("category");
    // The role is kept on the reference: R4 sorts by it into performers and interpreters, and guessing which
    // would change who answers for the report.
    if let Some(performers) = fields.get_mut("performer").and_then(Draft::items) {
        for performer in performers {
            lift(performer, notes, "DiagnosticReport.performer", "actor");
        }
    }
    rehome(fields, notes, "DiagnosticReport.codedDiagnosis", "conclusionCode", "CodeableConcept");
    rehome(fields, notes, "DiagnosticReport.image", "media", "");
    manifests(fields, notes);
}

/// R4 has no manifests of images, and a study is all that may stand among the studies.
fn manifests(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const PATH: &str = "DiagnosticReport.imagingStudy";
    let Some(studies) = fields.get_mut("imagingStudy").and_then(Draft::items) else { return };
    if !studies.iter().any(is_manifest) {
        return;
    }
    let (manifests, rest): (Vec<_>, Vec<_>) = std::mem::take(studies).into_iter().partition(is_manifest);
    *studies = rest;
    if studies.is_empty() {
        fields.take("imagingStudy");
    }
    attach(fields, notes, PATH, "Reference", (Some(Draft::Array(manifests)), None));
    notes.kept(PATH);
}

fn is_manifest(reference: &Draft<'_>) -> bool {
    let address = reference.raw().and_then(|reference| reference.text_at("reference"));
    address.is_some_and(|address| {
        address.starts_with("ImagingManifest/") || address.contains("/ImagingManifest/")
    })
}

/// R4 only added elements.
pub(super) const fn specimen(_fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "DiagnosticReport.encounter", "context", "Reference");
    single(fields, notes, "DiagnosticReport.category", "CodeableConcept");
    if let Some(performers) = fields.get_mut("performer").and_then(Draft::items) {
        for performer in performers {
            unlift(performer, "DiagnosticReport.performer", "actor");
        }
    }
    rehome(fields, notes, "DiagnosticReport.conclusionCode", "codedDiagnosis", "CodeableConcept");
    rehome(fields, notes, "DiagnosticReport.media", "image", "");
    keep(fields, notes, "DiagnosticReport.resultsInterpreter", "Reference");
}

/// `Specimen` back to STU3.
pub(super) fn specimen_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    fields.each("collection", |collection| {
        keep_new(
            collection,
            notes,
            &[
                ("Specimen.collection.duration", "Duration"),
                ("Specimen.collection.fastingStatusCodeableConcept", "CodeableConcept"),
                ("Specimen.collection.fastingStatusDuration", "Duration"),
            ],
        );
    });
    keep(fields, notes, "Specimen.condition", "CodeableConcept");
}
