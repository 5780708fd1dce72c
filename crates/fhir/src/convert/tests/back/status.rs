//! Status and polarity: one line for every code.

use super::{check, one, round};

const V: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-";
const ABSENT: &str = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#;

/// Every code of a status and what becomes of it. `~` before a code: the exact one is kept as well; an empty
/// one: STU3 has no word, so it is kept and its absence said.
#[track_caller]
fn codes(kind: &str, key: &str, table: &[(&str, &str)]) {
    for (r4, stu3) in table {
        let (found, notes) = one(&format!(r#"{{"resourceType":"{kind}","{key}":"{r4}"}}"#));
        let named = stu3.strip_prefix('~').unwrap_or(stu3);
        let is_exact = named == *stu3 && !stu3.is_empty();
        let expected = if named.is_empty() { serde_json::Value::Null } else { named.into() };
        assert_eq!(found[key], expected, "{kind}.{key} {r4}");
        assert_eq!(notes.is_empty(), is_exact, "{kind}.{key} {r4}: {notes:?}");
        if !is_exact {
            assert!(
                found["extension"].to_string().contains(&format!("\"{r4}\"")),
                "{kind}.{key} {r4} is kept"
            );
        }
        if named.is_empty() {
            assert_eq!(found[format!("_{key}")], serde_json::from_str::<serde_json::Value>(ABSENT).unwrap());
        }
    }
}

fn same<'c>(codes: &[&'c str]) -> Vec<(&'c str, &'c str)> {
    codes.iter().map(|code| (*code, *code)).collect()
}

const REQUEST: &[(&str, &str)] = &[
    ("draft", "draft"),
    ("active", "active"),
    ("on-hold", "suspended"),
    ("revoked", "cancelled"),
    ("completed", "completed"),
    ("entered-in-error", "entered-in-error"),
    ("unknown", "unknown"),
    ("rejected", ""),
];

#[test]
fn requests() {
    codes("ServiceRequest", "status", REQUEST);
    codes("CarePlan", "status", REQUEST);
    let referral = |status: &str| {
        one(&format!(
            r#"{{"resourceType":"ServiceRequest","status":"{status}","category":[{{"coding":[{{"system":"http://snomed.info/sct","code":"3457005"}}]}}]}}"#
        ))
        .0
    };
    assert_eq!(referral("on-hold")["status"], "suspended");
    assert_eq!(referral("revoked")["resourceType"], "ReferralRequest");
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
    codes("ServiceRequest", "intent", &intents);
    codes("ServiceRequest", "intent", &[("directive", "")]);
    codes("Task", "intent", &intents);
    codes(
        "Task",
        "priority",
        &[("routine", "normal"), ("urgent", "urgent"), ("asap", "asap"), ("stat", "stat")],
    );
}

#[test]
fn medicines() {
    let order =
        ["active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"];
    codes("MedicationRequest", "status", &same(&order));
    codes("MedicationRequest", "intent", &same(&["proposal", "plan", "order", "instance-order"]));
    let orders = ["original-order", "reflex-order", "filler-order"];
    codes("MedicationRequest", "intent", &orders.map(|code| (code, "~order")));
    let statement = ["active", "completed", "entered-in-error", "intended", "stopped", "on-hold"];
    codes("MedicationStatement", "status", &same(&statement));
    codes("MedicationStatement", "status", &[("unknown", ""), ("not-taken", "~completed")]);
    let dispense = ["preparation", "in-progress", "on-hold", "completed", "entered-in-error", "stopped"];
    codes("MedicationDispense", "status", &same(&dispense));
    codes("MedicationDispense", "status", &[("cancelled", "~stopped"), ("unknown", "")]);
    let given = ["in-progress", "on-hold", "completed", "entered-in-error", "stopped", "unknown"];
    codes("MedicationAdministration", "status", &same(&given));
}

#[test]
fn deeds_findings_and_bookings() {
    codes(
        "Procedure",
        "status",
        &[
            ("preparation", "preparation"),
            ("in-progress", "in-progress"),
            ("on-hold", "suspended"),
            ("stopped", "aborted"),
            ("completed", "completed"),
            ("entered-in-error", "entered-in-error"),
            ("unknown", "unknown"),
        ],
    );
    let result = ["registered", "preliminary", "final", "amended", "corrected", "cancelled", "unknown"];
    codes("Observation", "status", &same(&result));
    codes("DiagnosticReport", "status", &same(&result));
    codes("Encounter", "status", &same(&["planned", "in-progress", "finished", "unknown"]));
    codes("Appointment", "status", &[("booked", "booked"), ("checked-in", "~arrived"), ("waitlist", "")]);
}

#[test]
fn a_resolved_allergy_stays_resolved() {
    for (code, certainty) in [
        ("active", "unconfirmed"),
        ("inactive", "refuted"),
        ("resolved", "confirmed"),
        ("resolved", "entered-in-error"),
    ] {
        let concept = |system: &str, code: &str| {
            format!(
                r#"{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-{system}","code":"{code}"}}]}}"#
            )
        };
        check(
            &format!(
                r#"{{"resourceType":"AllergyIntolerance","clinicalStatus":{},"verificationStatus":{}}}"#,
                concept("clinical", code),
                concept("verification", certainty)
            ),
            &format!(
                r#"{{"resourceType":"AllergyIntolerance","clinicalStatus":"{code}","verificationStatus":"{certainty}"}}"#
            ),
            &[],
        );
    }
}

#[test]
fn a_status_in_other_words_is_not_guessed() {
    let status = r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"odd"}],"text":"over?"}"#;
    check(
        &format!(r#"{{"resourceType":"Condition","clinicalStatus":{status}}}"#),
        &format!(
            r#"{{"resourceType":"Condition","_clinicalStatus":{ABSENT},"extension":[
            {{"url":"{V}Condition.clinicalStatus","valueCodeableConcept":{}}}]}}"#,
            status.replace("terminology.hl7.org/CodeSystem", "hl7.org/fhir")
        ),
        &["Condition.clinicalStatus"],
    );
    let relapse = r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"relapse"}]}"#;
    let (found, notes) = one(&format!(r#"{{"resourceType":"Condition","clinicalStatus":{relapse}}}"#));
    assert_eq!(found["clinicalStatus"], "active");
    assert_eq!(found["extension"][0]["valueCodeableConcept"]["coding"][0]["code"], "relapse");
    assert_eq!(notes, ["Condition.clinicalStatus"]);
}

#[test]
fn an_error_outranks_whatever_stands_before_it() {
    let coding = |code: &str| {
        format!(
            r#"{{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"{code}"}}"#
        )
    };
    let (found, _) = one(&format!(
        r#"{{"resourceType":"Condition","verificationStatus":{{"coding":[{},{}]}}}}"#,
        coding("confirmed"),
        coding("entered-in-error")
    ));
    assert_eq!(found["verificationStatus"], "entered-in-error");
    assert_eq!(found["extension"][0]["valueCodeableConcept"]["coding"][0]["code"], "confirmed");
}

/// Type, flag, status when negated.
const FLAGS: &[(&str, &str, &str)] = &[
    ("Immunization", "notGiven", "not-done"),
    ("MedicationAdministration", "notGiven", "not-done"),
    ("MedicationDispense", "notDone", "declined"),
    ("Procedure", "notDone", "not-done"),
];

#[test]
fn a_deed_not_done_is_flagged() {
    for (kind, flag, negated) in FLAGS {
        let (found, _) = one(&format!(r#"{{"resourceType":"{kind}","status":"{negated}"}}"#));
        assert_eq!(found[flag], true, "{kind}");
        assert_eq!(found["status"], "completed", "{kind}");
        for status in ["completed", "entered-in-error"] {
            let (found, _) = one(&format!(r#"{{"resourceType":"{kind}","status":"{status}"}}"#));
            assert_ne!(found[flag], true, "{kind} {status}");
            assert_eq!(found["status"], status);
        }
    }
}

#[test]
fn whether_a_vaccine_was_given_is_always_said() {
    let (given, _) = one(r#"{"resourceType":"Immunization","status":"completed"}"#);
    assert_eq!(given["notGiven"], false);
    let (odd, _) = one(r#"{"resourceType":"Immunization","status":"odd"}"#);
    assert_eq!(odd.get("notGiven"), None);
    assert_eq!(odd["_notGiven"], serde_json::from_str::<serde_json::Value>(ABSENT).unwrap());
    assert_eq!(odd["extension"][0]["valueCode"], "odd");
}

#[test]
fn a_flag_that_contradicts_the_status_is_not_believed() {
    for (kind, flag, negated) in FLAGS {
        let kept = |truth: bool| {
            format!(
                r#""extension":[{{"url":"http://hl7.org/fhir/3.0/StructureDefinition/extension-{kind}.{flag}","valueBoolean":{truth}}}]"#
            )
        };
        let (found, _) = one(&format!(r#"{{"resourceType":"{kind}","status":"{negated}",{}}}"#, kept(false)));
        assert_eq!(found[flag], true, "{kind}");
        let (found, _) = one(&format!(r#"{{"resourceType":"{kind}","status":"completed",{}}}"#, kept(true)));
        assert_ne!(found[flag], true, "{kind}");
        assert_eq!(found["extension"][0]["valueBoolean"], true, "{kind}");
    }
}

#[test]
fn polarity_comes_back_as_it_went() {
    for (kind, flag, _) in FLAGS {
        for status in ["completed", "in-progress", "entered-in-error", "suspended"] {
            for truth in [true, false] {
                let found =
                    round(&format!(r#"{{"resourceType":"{kind}","status":"{status}","{flag}":{truth}}}"#));
                let is_known = *kind == "Procedure" || status != "suspended" || truth;
                let expected = (*kind != "Immunization" || status != "in-progress" || truth) && is_known;
                assert_eq!(found[flag] == true, truth, "{kind} {status} {truth}");
                assert_eq!(found["status"] == status, expected, "{kind} {status} {truth}: {found}");
            }
        }
    }
    for status in ["active", "completed", "entered-in-error", "intended", "stopped", "on-hold"] {
        for taken in ["y", "n", "unk", "na"] {
            let found = round(&format!(
                r#"{{"resourceType":"MedicationStatement","status":"{status}","taken":"{taken}"}}"#
            ));
            assert_eq!(found["status"], status, "{taken}");
            assert_eq!(found["taken"], taken, "{status}");
            assert_eq!(found.get("extension"), None, "{status} {taken}");
        }
    }
}

#[test]
fn prohibitions_stay_prohibitions() {
    let (found, _) = one(r#"{"resourceType":"ServiceRequest","doNotPerform":true}"#);
    assert_eq!((&found["resourceType"], &found["doNotPerform"]), (&"ProcedureRequest".into(), &true.into()));
    // A referral could not say so, so it is none.
    let (found, _) = one(
        r#"{"resourceType":"ServiceRequest","doNotPerform":true,"meta":{"source":"urn:x-tributary:a#ReferralRequest/1"}}"#,
    );
    assert_eq!((&found["resourceType"], &found["doNotPerform"]), (&"ProcedureRequest".into(), &true.into()));
    let (found, _) = one(r#"{"resourceType":"CarePlan","activity":[{"detail":{"doNotPerform":true}}]}"#);
    assert_eq!(found["activity"][0]["detail"]["prohibited"], true);
}
