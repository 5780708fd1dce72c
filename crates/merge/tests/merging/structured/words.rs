//! Codes, the words beside them, and codes that were lost on the way.

use super::*;

fn described(url: &str, inner: [&str; 2]) -> Value {
    json!({"coding": [{"system": "http://snomed.info/sct", "code": "1", "display": "Preferred term", "extension": [{"url": url,
        "extension": [{"url": inner[0], "valueId": "99"}, {"url": inner[1], "valueString": "Words of the clinician"}]}]}]})
}

#[test]
fn the_clinicians_words_are_found_in_every_spelling_of_their_extension() {
    for url in [
        "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-coding-sctdescid",
        "http://fhir.nhs.uk/STU3/StructureDefinition/Extension-coding-sctdescid",
        "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-coding-sctdescid",
        "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-coding-sctdecsid",
    ] {
        for inner in [["descriptionId", "descriptionDisplay"], ["DescriptionID", "DescriptionDisplay"]] {
            let stage = gp(&[about(
                "Condition",
                "c",
                json!({"clinicalStatus": "active", "code": described(url, inner)}),
            )]);
            assert_eq!(member(&stage, "Condition/c").title, "Words of the clinician", "{url} {inner:?}");
            // The description id stays with them, under the name the source gave it.
            let r4 = stage.merged().to_r4();
            assert!(
                r4.contains(&format!(r#""url":"{url}""#)) && r4.contains(&format!(r#""url":"{}""#, inner[0]))
            );
        }
    }
}

#[test]
fn the_chosen_codings_words_come_before_those_of_the_others() {
    let url = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-coding-sctdescid";
    let mut code = described(url, ["descriptionId", "descriptionDisplay"]);
    let title = |code: &Value| {
        let problem = about("Condition", "c", json!({"clinicalStatus": "active", "code": code}));
        member(&gp(&[problem]), "Condition/c").title
    };
    let chosen = json!({"system": "http://read.info/readv2", "code": "G20..", "display": "Chosen words", "userSelected": true});
    code["coding"].as_array_mut().unwrap().push(chosen);
    assert_eq!(title(&code), "Chosen words");
    code["text"] = json!("Own words");
    assert_eq!(title(&code), "Own words");
}

#[test]
fn degraded_entries_keep_their_words_and_are_never_one_line() {
    for (kind, degraded) in [
        ("AllergyIntolerance", "196461000000101"),
        ("AllergyIntolerance", "196471000000108"),
        ("MedicationStatement", "196421000000109"),
        ("MedicationRequest", "196451000000104"),
        ("ReferralRequest", "196431000000106"),
        ("ProcedureRequest", "196441000000102"),
        ("Observation", "196411000000103"),
    ] {
        let key = if kind.starts_with("Medication") { "medicationCodeableConcept" } else { "code" };
        let entry = |id: &str, text: &str| {
            let mut code = snomed(degraded, "Transfer-degraded entry");
            code["text"] = json!(text);
            let mut entry = about(kind, id, json!({"status": "active", "intent": "plan"}));
            entry[key] = code;
            entry
        };
        let stage = gp(&[entry("1", "Drug A + drug B"), entry("2", "Something else")]);
        let found = rows(&stage);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|row| row.contains("| Drug A + drug B |")), "{found:?}");
    }
}

#[test]
fn a_degraded_allergy_that_says_resolved_is_ended() {
    let allergy = |degraded: &str, text: &str| {
        let mut code = snomed(degraded, "Transfer-degraded drug allergy");
        code["text"] = json!(text);
        gp(&[about(
            "AllergyIntolerance",
            "a",
            json!({"meta": profile("AllergyIntolerance"), "clinicalStatus": "active",
            "verificationStatus": "unconfirmed", "code": code}),
        )])
    };
    for degraded in ["196461000000101", "196471000000108"] {
        let stage = allergy(degraded, "Resolved: allergy to penicillin (TJC..)");
        assert_eq!(member(&stage, "AllergyIntolerance/a").facts, ["ended", "resolved, says its text"]);
        assert_ne!(stage.merged().allergy_label().words(), "Known allergies");
        for text in ["Penicillin, resolved later", "Resolvedin", "Penicillin"] {
            let stage = allergy(degraded, text);
            assert_eq!(member(&stage, "AllergyIntolerance/a").facts, ["code lost in a transfer"], "{text}");
            assert_eq!(stage.merged().allergy_label().words(), "Known allergies", "{text}");
        }
    }
    // Only a code that was lost can hide it; with its own code an allergy is as active as its status says.
    let stage = allergy("91936005", "Resolved");
    assert_eq!(stage.merged().allergy_label().words(), "Known allergies");
}

fn listing(code: &Value, status: &Value) -> Value {
    json!({"resourceType": "List", "status": "current", "mode": "snapshot", "subject": to("Patient/p1"), "code": code,
        "contained": [{"resourceType": "AllergyIntolerance", "id": "x", "clinicalStatus": status, "patient": to("Patient/p1"), "code": {"text": "Latex"}}],
        "entry": [{"item": to("#x")}]})
}

#[test]
fn ended_allergies_are_told_once_whatever_their_list_is_called() {
    let primary = snomed("1103671000000101", "Ended allergies");
    let other = snomed("TBD", "Resolved Allergies");
    for lists in [
        vec![listing(&primary, &json!("resolved"))],
        vec![listing(&other, &json!("resolved"))],
        vec![listing(&primary, &json!("resolved")), listing(&other, &json!("resolved"))],
        vec![listing(&primary, &Value::Null)],
    ] {
        let stage = gp(&lists);
        let view = stage.merged().to_view();
        let allergies = view.sections.iter().find(|one| one.section == Section::Allergies).unwrap();
        let told: Vec<_> = allergies.notices.iter().filter(|words| words.contains("Latex")).collect();
        assert_eq!(told, ["Name of gp lists as ended: Latex."], "{lists:?}");
        assert!(allergies.lines.is_empty());
    }
}

#[test]
fn an_allergy_buried_in_a_list_is_told_and_not_called_ended() {
    let stage = gp(&[listing(&snomed("1", "Some list"), &json!("active"))]);
    let view = stage.merged().to_view();
    let allergies = view.sections.iter().find(|one| one.section == Section::Allergies).unwrap();
    assert!(!allergies.notices.iter().any(|words| words.contains("as ended")), "{:?}", allergies.notices);
    assert_eq!(state(&stage, Section::Allergies), SectionState::Partial);
}

#[test]
fn a_list_of_ended_allergies_that_names_nobody_is_missed_among_the_allergies() {
    let mut list = listing(&snomed("1103671000000101", "Ended allergies"), &json!("resolved"));
    // Recorded lists name the patient by a number that is none.
    let invalid =
        json!({"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "1234567890"}});
    for subject in [invalid, Value::Null] {
        list["subject"] = subject;
        let stage = gp(std::slice::from_ref(&list));
        let view = stage.merged().to_view();
        let allergies = view.sections.into_iter().find(|one| one.section == Section::Allergies).unwrap();
        let told = allergies.notices.join(" ");
        assert!(told.contains("could not be tied to this patient") && !told.contains("Latex"), "{told}");
        assert_eq!(state(&stage, Section::Allergies), SectionState::Partial);
    }
}

#[test]
fn a_reaction_that_is_not_known_is_not_named_by_its_code() {
    let reaction = |manifestation: &Value| {
        gp(&[about(
            "AllergyIntolerance",
            "a",
            json!({"meta": profile("AllergyIntolerance"), "clinicalStatus": "active",
            "verificationStatus": "unconfirmed", "criticality": "high", "code": {"text": "Nuts"},
            "reaction": [{"severity": "severe", "manifestation": [manifestation]}]}),
        )])
    };
    for code in ["UNC", "NI", "ASKU"] {
        let unknown = json!({"coding": [{"system": "http://hl7.org/fhir/v3/NullFlavor", "code": code}]});
        let allergy = member(&reaction(&unknown), "AllergyIntolerance/a");
        assert_eq!(allergy.detail, "", "{code}");
        // Life-threatening is said by both together; `unconfirmed` is a fixed value and says nothing.
        assert_eq!(allergy.facts, ["severe", "high criticality"]);
    }
    let known = snomed("39579001", "Anaphylaxis");
    assert_eq!(member(&reaction(&known), "AllergyIntolerance/a").detail, "Anaphylaxis");
}
