//! `Condition`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::back::{Coded, Codes, single};
use super::edit::{Notes, encounter, has, rehome, says, to_concept};
use super::kept::{attach, keep};
use super::restore::{keeps_truth, pull};

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";

pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if says(fields, "verificationStatus", "entered-in-error") {
        // R4 invariant con-5: an entry made in error has no clinical status.
        keep(fields, notes, "Condition.clinicalStatus", "Code");
    }
    if says(fields, "verificationStatus", "unknown") {
        // R4 has no such code; absent means the same.
        keep(fields, notes, "Condition.verificationStatus", "Code");
    }
    // GP Connect's `inactive` stays `inactive`: it does not mean resolved.
    to_concept(fields, "clinicalStatus", CLINICAL);
    to_concept(fields, "verificationStatus", VERIFICATION);
    encounter(fields, notes, "Condition.context");
    rehome(fields, notes, "Condition.assertedDate", "recordedDate", "DateTime");
    abatement(fields, notes);
    fields.wrap("stage");
}

/// R4 cannot say merely whether a condition ended. "yes" can be said in words; "no" in that place would read
/// as an ending to whoever only looks whether the element exists.
fn abatement(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let ended = fields.get("abatementBoolean").is_some_and(|value| value.kind() == Kind::True);
    let is_free = !has(fields, "abatementString");
    if ended && is_free {
        let value = fields.take("abatementBoolean");
        let sibling = fields.take("_abatementBoolean");
        attach(fields, notes, "Condition.abatementBoolean", "Boolean", (value, sibling));
        notes.kept("Condition.abatementBoolean");
        fields.put("abatementString", Draft::literal("\"yes\""));
    } else {
        keep(fields, notes, "Condition.abatementBoolean", "Boolean");
    }
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const STATUS: Coded = Coded {
        path: "Condition.clinicalStatus",
        system: CLINICAL,
        codes: Codes {
            same: &["active", "recurrence", "inactive", "remission", "resolved"],
            renamed: &[],
            // A relapse is active, and STU3 has no word for more than that.
            near: &[("relapse", "active")],
        },
    };
    const CERTAINTY: Coded = Coded {
        path: "Condition.verificationStatus",
        system: VERIFICATION,
        codes: Codes {
            same: &["entered-in-error", "refuted", "differential", "provisional", "confirmed"],
            renamed: &[],
            near: &[("unconfirmed", "unknown")],
        },
    };
    STATUS.apply(fields, notes);
    CERTAINTY.apply(fields, notes);
    rehome(fields, notes, "Condition.encounter", "context", "Reference");
    rehome(fields, notes, "Condition.recordedDate", "assertedDate", "DateTime");
    abatement_to_stu3(fields);
    fields.each("stage", |stage| keep(stage, notes, "Condition.stage.type", "CodeableConcept"));
    single(fields, notes, "Condition.stage", "");
    keep(fields, notes, "Condition.recorder", "Reference");
}

/// The word that stood in for the flag goes when the flag comes back.
fn abatement_to_stu3(fields: &mut Fields<'_>) {
    const FLAG: &str = "Condition.abatementBoolean";
    let is_word = says(fields, "abatementString", "yes") && !has(fields, "abatementBoolean");
    let flag = if is_word && keeps_truth(fields, FLAG) {
        fields.take("abatementString");
        pull(fields, FLAG, "Boolean")
    } else if !fields.keys().any(|key| key.trim_start_matches('_').starts_with("abatement")) {
        pull(fields, FLAG, "Boolean")
    } else {
        None
    };
    if let Some((Some(flag), sibling)) = flag {
        fields.put("abatementBoolean", flag);
        if let Some(sibling) = sibling {
            fields.put("_abatementBoolean", sibling);
        }
    }
}
