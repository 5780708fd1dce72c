//! Status and polarity: one line for every code.

use super::{check, one};

const V: &str = "http://hl7.org/fhir/3.0/StructureDefinition/extension-";

/// Every code of a status and what becomes of it.
#[track_caller]
fn codes(kind: &str, key: &str, table: &[(&str, &str)]) {
    for (stu3, r4) in table {
        let (found, notes) = one(&format!(r#"{{"resourceType":"{kind}","{key}":"{stu3}"}}"#));
        assert_eq!(found[key], *r4, "{kind}.{key} {stu3}");
        assert!(notes.is_empty(), "{kind}.{key} {stu3}: {notes:?}");
    }
}

fn same<'c>(codes: &[&'c str]) -> Vec<(&'c str, &'c str)> {
    codes.iter().map(|code| (*code, *code)).collect()
}

const REQUEST: &[(&str, &str)] = &[
    ("draft", "draft"),
    ("active", "active"),
    ("suspended", "on-hold"),
    ("cancelled", "revoked"),
    ("completed", "completed"),
    ("entered-in-error", "entered-in-error"),
    ("unknown", "unknown"),
    // No code of STU3: passed on, not guessed.
    ("rejected", "rejected"),
];

#[test]
fn requests() {
    codes("ProcedureRequest", "status", REQUEST);
    codes("ReferralRequest", "status", REQUEST);
    codes("CarePlan", "status", REQUEST);
    let intents = same(&[
        "proposal",
        "plan",
        "order",
        "original-order",
        "reflex-order",
        "filler-order",
        "instance-order",
        "option",
    ]);
    codes("ProcedureRequest", "intent", &intents);
    codes("ReferralRequest", "intent", &intents);
    codes("ReferralRequest", "priority", &same(&["routine", "urgent", "asap", "stat"]));
}

#[test]
fn medicines() {
    let order =
        ["active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"];
    codes("MedicationRequest", "status", &same(&order));
    codes("MedicationRequest", "intent", &same(&["proposal", "plan", "order", "instance-order"]));
    let statement = ["active", "completed", "entered-in-error", "intended", "stopped", "on-hold"];
    codes("MedicationStatement", "status", &same(&statement));
    let dispense = ["preparation", "in-progress", "on-hold", "completed", "entered-in-error", "stopped"];
    codes("MedicationDispense", "status", &same(&dispense));
    let given = ["in-progress", "on-hold", "completed", "entered-in-error", "stopped", "unknown"];
    codes("MedicationAdministration", "status", &same(&given));
    codes("Medication", "status", &same(&["active", "inactive", "entered-in-error"]));
}

#[test]
fn deeds_and_findings() {
    codes(
        "Procedure",
        "status",
        &[
            ("preparation", "preparation"),
            ("in-progress", "in-progress"),
            ("suspended", "on-hold"),
            ("aborted", "stopped"),
            ("completed", "completed"),
            ("entered-in-error", "entered-in-error"),
            ("unknown", "unknown"),
        ],
    );
    codes("Immunization", "status", &same(&["completed", "entered-in-error"]));
    let result = [
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered-in-error",
        "unknown",
    ];
    codes("Observation", "status", &same(&result));
    let report = [
        "registered",
        "partial",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "appended",
        "cancelled",
        "entered-in-error",
        "unknown",
    ];
    codes("DiagnosticReport", "status", &same(&report));
    codes("Specimen", "status", &same(&["available", "unavailable", "unsatisfactory", "entered-in-error"]));
}

#[test]
fn administration() {
    let visit = [
        "planned",
        "arrived",
        "triaged",
        "in-progress",
        "onleave",
        "finished",
        "cancelled",
        "entered-in-error",
        "unknown",
    ];
    codes("Encounter", "status", &same(&visit));
    let episode = ["planned", "waitlist", "active", "onhold", "finished", "cancelled", "entered-in-error"];
    codes("EpisodeOfCare", "status", &same(&episode));
    codes("DocumentReference", "status", &same(&["current", "superseded", "entered-in-error"]));
    codes("DocumentReference", "docStatus", &same(&["preliminary", "final", "amended", "entered-in-error"]));
    codes("Flag", "status", &same(&["active", "inactive", "entered-in-error"]));
    codes("List", "status", &same(&["current", "retired", "entered-in-error"]));
    codes("List", "mode", &same(&["working", "snapshot", "changes"]));
    let answers = ["in-progress", "completed", "amended", "entered-in-error", "stopped"];
    codes("QuestionnaireResponse", "status", &same(&answers));
    let booking =
        ["proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error"];
    codes("Appointment", "status", &same(&booking));
    codes(
        "Task",
        "priority",
        &[("normal", "routine"), ("urgent", "urgent"), ("asap", "asap"), ("stat", "stat")],
    );
}

#[test]
fn an_appended_document_is_amended_and_says_what_it_was() {
    check(
        r#"{"resourceType":"DocumentReference","docStatus":"appended"}"#,
        &format!(
            r#"{{"resourceType":"DocumentReference","docStatus":"amended","extension":[
            {{"url":"{V}DocumentReference.docStatus","valueCode":"appended"}}]}}"#
        ),
        &["DocumentReference.docStatus"],
    );
}

#[track_caller]
fn concepts(kind: &str, key: &str, system: &str, codes: &[&str]) {
    for code in codes {
        check(
            &format!(r#"{{"resourceType":"{kind}","{key}":"{code}"}}"#),
            &format!(
                r#"{{"resourceType":"{kind}","{key}":{{"coding":[
                {{"system":"http://terminology.hl7.org/CodeSystem/{system}","code":"{code}"}}]}}}}"#
            ),
            &[],
        );
    }
}

#[test]
fn a_resolved_allergy_stays_resolved() {
    let kind = "AllergyIntolerance";
    concepts(kind, "clinicalStatus", "allergyintolerance-clinical", &["active", "inactive", "resolved"]);
    concepts(
        kind,
        "verificationStatus",
        "allergyintolerance-verification",
        &["unconfirmed", "confirmed", "refuted", "entered-in-error"],
    );
}

#[test]
fn problems() {
    concepts(
        "Condition",
        "clinicalStatus",
        "condition-clinical",
        &["active", "recurrence", "inactive", "remission", "resolved"],
    );
    concepts(
        "Condition",
        "verificationStatus",
        "condition-ver-status",
        &["provisional", "differential", "confirmed", "refuted", "entered-in-error"],
    );
    check(
        r#"{"resourceType":"Condition","verificationStatus":"unknown"}"#,
        &format!(
            r#"{{"resourceType":"Condition","extension":[
            {{"url":"{V}Condition.verificationStatus","valueCode":"unknown"}}]}}"#
        ),
        &["Condition.verificationStatus"],
    );
}

#[test]
fn an_entry_made_in_error_has_no_clinical_status() {
    for (kind, system) in
        [("AllergyIntolerance", "allergyintolerance-verification"), ("Condition", "condition-ver-status")]
    {
        check(
            &format!(
                r#"{{"resourceType":"{kind}","clinicalStatus":"active","verificationStatus":"entered-in-error"}}"#
            ),
            &format!(
                r#"{{"resourceType":"{kind}","verificationStatus":{{"coding":[
                {{"system":"http://terminology.hl7.org/CodeSystem/{system}","code":"entered-in-error"}}]}},
                "extension":[{{"url":"{V}{kind}.clinicalStatus","valueCode":"active"}}]}}"#
            ),
            &[&format!("{kind}.clinicalStatus")],
        );
    }
}

/// Type, flag, status when negated.
const FLAGS: &[(&str, &str, &str)] = &[
    ("Immunization", "notGiven", "not-done"),
    ("MedicationAdministration", "notGiven", "not-done"),
    ("MedicationDispense", "notDone", "declined"),
    ("Procedure", "notDone", "not-done"),
];

/// The date keeps the vaccine from getting a word in its place.
fn flagged(kind: &str, status: &str, flag: &str) -> String {
    format!(r#"{{"resourceType":"{kind}","occurrenceString":"x","status":"{status}"{flag}}}"#)
}

#[test]
fn a_deed_not_done_says_so_in_its_status() {
    for (kind, flag, negated) in FLAGS {
        check(
            &flagged(kind, "completed", &format!(r#","{flag}":true"#)),
            &flagged(
                kind,
                negated,
                &format!(r#","extension":[{{"url":"{V}{kind}.{flag}","valueBoolean":true}}]"#),
            ),
            &[&format!("{kind}.{flag}")],
        );
        let (found, _) = one(&flagged(kind, "in-progress", &format!(r#","{flag}":true"#)));
        assert_eq!(found["status"], *negated);
        assert_eq!(found["extension"][1]["valueCode"], "in-progress");
    }
}

#[test]
fn a_deed_done_keeps_its_status() {
    for (kind, flag, _) in FLAGS {
        for status in ["completed", "entered-in-error", "in-progress"] {
            check(&flagged(kind, status, &format!(r#","{flag}":false"#)), &flagged(kind, status, ""), &[]);
        }
    }
}

#[test]
fn an_entry_made_in_error_stays_one_when_negated() {
    for (kind, flag, _) in FLAGS {
        let (found, notes) = one(&flagged(kind, "entered-in-error", &format!(r#","{flag}":true"#)));
        assert_eq!(found["status"], "entered-in-error", "{kind}");
        assert_eq!(notes, [format!("{kind}.{flag}")]);
    }
}

#[test]
fn a_flag_in_quotes_negates_and_nonsense_does_not() {
    for (kind, flag, negated) in FLAGS {
        let (found, _) = one(&flagged(kind, "completed", &format!(r#","{flag}":"true""#)));
        assert_eq!(found["status"], *negated, "{kind}");
        let (found, notes) = one(&flagged(kind, "completed", &format!(r#","{flag}":"perhaps""#)));
        assert_eq!(found["status"], "completed", "{kind}");
        assert_eq!(found["extension"][0]["valueString"], "perhaps");
        assert_eq!(notes, [format!("{kind}.{flag}")]);
    }
}

#[test]
fn a_missing_status_does_not_hide_the_negation() {
    for (kind, flag, negated) in FLAGS {
        let (found, _) = one(&format!(r#"{{"resourceType":"{kind}","{flag}":true}}"#));
        assert_eq!(found["status"], *negated, "{kind}");
    }
}

#[test]
fn prohibitions_stay_prohibitions() {
    let (found, _) = one(r#"{"resourceType":"ProcedureRequest","doNotPerform":true}"#);
    assert_eq!(found["doNotPerform"], true);
    let (found, _) = one(r#"{"resourceType":"CarePlan","activity":[{"detail":{"prohibited":true}}]}"#);
    assert_eq!(found["activity"][0]["detail"]["doNotPerform"], true);
}
