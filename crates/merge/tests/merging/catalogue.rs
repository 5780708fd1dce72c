//! The policy's tables of sections and discrepancies, cell by cell, where no story reaches.

use serde_json::{Value, json};
use tributary_model::{Section, SectionState, SourceKind};

use crate::kit::{Federation, about, federation, snomed};

const ALL: fn() -> Vec<&'static str> = || Section::ALL.iter().map(|section| section.code()).collect();

/// Two hospitals and what each of them says.
fn two(first: &[Value], second: &[Value]) -> Federation {
    let mut stage = federation();
    stage.source("a", SourceKind::Acute, &ALL(), &[]);
    stage.source("b", SourceKind::Acute, &ALL(), &[]);
    stage.answers("a", first);
    stage.answers("b", second);
    stage
}

/// Class and key of each line, without the section's title.
fn lines(stage: &Federation) -> Vec<String> {
    let cell = |row: &String| {
        let cells: Vec<&str> = row.split(" | ").collect();
        format!("{} {} {}", cells[0], cells[2], cells[3])
    };
    stage.table().iter().map(cell).collect()
}

fn rules(stage: &Federation) -> Vec<String> {
    stage.disputes().iter().map(|one| one.split(':').next().unwrap().to_owned()).collect()
}

fn facts(stage: &Federation, origin: &str) -> Vec<String> {
    let view = stage.merged().to_view();
    let members = view.sections.iter().flat_map(|one| &one.lines).flat_map(|line| &line.members);
    members.filter(|member| member.origin == origin).flat_map(|member| member.facts.clone()).collect()
}

#[test]
fn a_food_and_a_drug_of_one_name_are_two_allergies() {
    let allergy = |category: &str| {
        about("AllergyIntolerance", "x", json!({"code": {"text": "Gelatin"}, "category": [category]}))
    };
    let stage = two(&[allergy("food")], &[allergy("medication")]);
    assert_eq!(
        lines(&stage),
        ["allergies pos|txt|gelatin|food single", "allergies pos|txt|gelatin|medication single"]
    );
    assert_eq!(rules(&stage), ["possible-same"]);
    assert_eq!(lines(&two(&[allergy("food")], &[allergy("food")])), ["allergies pos|txt|gelatin|food agree"]);
}

#[test]
fn a_substance_and_its_class_are_two_allergies() {
    let allergy = |code: &str| about("AllergyIntolerance", "x", json!({"code": snomed(code, "x")}));
    let stage = two(&[allergy("372687004")], &[allergy("890458001")]);
    assert_eq!(lines(&stage).len(), 2);
}

#[test]
fn one_product_one_source_two_plans_are_two_statements() {
    let plan = |id: &str, dose: &str| {
        about(
            "MedicationStatement",
            id,
            json!({"medicationCodeableConcept": snomed("1", "x"), "status": "active", "dosage": [{"text": dose}]}),
        )
    };
    let stage = two(&[plan("p", "one"), plan("q", "two")], &[]);
    assert_eq!(lines(&stage), ["medications sct|1 repeat"]);
    assert!(rules(&stage).is_empty());
}

#[test]
fn what_lost_its_code_and_mixtures_are_nobody_elses_medicine() {
    let lost = || {
        let mut code = snomed("196421000000109", "Transfer-degraded medication entry");
        code["text"] = json!("Co-codamol");
        about("MedicationStatement", "m", json!({"medicationCodeableConcept": code, "status": "active"}))
    };
    let stage = two(&[lost()], &[lost()]);
    assert_eq!(lines(&stage).len(), 2, "{:?}", lines(&stage));
    assert!(rules(&stage).is_empty());
    let mixture = || {
        let part = |name: &str| json!({"itemCodeableConcept": {"text": name}});
        [
            json!({"resourceType": "Medication", "id": "mix", "code": {"text": "Cream"}, "ingredient": [part("x"), part("y")]}),
            about(
                "MedicationStatement",
                "m",
                json!({"medicationReference": {"reference": "Medication/mix"}, "status": "active"}),
            ),
        ]
    };
    assert_eq!(lines(&two(&mixture(), &mixture())).len(), 2);
}

const EPS: &str = "https://fhir.nhs.uk/Id/prescription-order-item-number";

fn issue(id: &str, item: Option<&str>, status: &str) -> Value {
    let mut issue = about(
        "MedicationRequest",
        id,
        json!({"medicationCodeableConcept": snomed("1", "x"), "intent": "order", "status": status,
            "basedOn": [{"reference": "MedicationRequest/not-sent"}]}),
    );
    if let Some(item) = item {
        issue["identifier"] = json!([{"system": EPS, "value": item}]);
    }
    issue
}

#[test]
fn an_issue_is_known_by_its_item_number_and_joins_no_product() {
    let dispense = about(
        "MedicationDispense",
        "d",
        json!({"medicationCodeableConcept": snomed("1", "x"), "status": "completed",
            "authorizingPrescription": [{"identifier": {"system": EPS, "value": "I-1"}}]}),
    );
    let statement = about(
        "MedicationStatement",
        "m",
        json!({"medicationCodeableConcept": snomed("1", "x"), "status": "active"}),
    );
    let stage = two(&[issue("i", Some("I-1"), "completed"), statement.clone()], &[dispense]);
    assert_eq!(lines(&stage), ["medications eps|I-1 agree", "medications sct|1 single"]);
    assert!(rules(&stage).is_empty(), "{:?}", rules(&stage));
    let stage = two(&[issue("i", None, "completed")], &[issue("i", None, "completed")]);
    assert_eq!(lines(&stage).len(), 2);
    // One that says the medicine is in use stays with its product: a conflict must not be lost for want of a plan.
    let mut stopped = statement;
    stopped["status"] = json!("stopped");
    let stage = two(&[issue("i", None, "active")], &[stopped]);
    assert_eq!(rules(&stage), ["medicine-status"]);
}

#[test]
fn a_medicine_handed_over_or_given_once_is_neither_current_nor_past() {
    let event = |kind: &str, status: &str| {
        about(kind, "e", json!({"medicationCodeableConcept": snomed("1", "x"), "status": status}))
    };
    let current = about(
        "MedicationStatement",
        "m",
        json!({"medicationCodeableConcept": snomed("1", "x"), "status": "active"}),
    );
    for (kind, status, said) in [
        ("MedicationDispense", "completed", ["unknown", "dispensed"]),
        ("MedicationAdministration", "completed", ["unknown", "given"]),
        ("MedicationAdministration", "stopped", ["unknown", "given"]),
    ] {
        let stage = two(std::slice::from_ref(&current), &[event(kind, status)]);
        assert!(rules(&stage).is_empty(), "{kind} {status}");
        assert_eq!(facts(&stage, &format!("{kind}/e")), said);
    }
    let stage = two(&[], &[event("MedicationAdministration", "not-done")]);
    assert_eq!(facts(&stage, "MedicationAdministration/e"), ["not-taken"]);
}

#[test]
fn a_problem_of_two_sites_is_not_that_of_one() {
    let problem = |sites: &[&str]| {
        let sites: Vec<Value> = sites.iter().map(|site| snomed(site, "x")).collect();
        about("Condition", "c", json!({"code": snomed("1", "x"), "bodySite": sites}))
    };
    assert_eq!(lines(&two(&[problem(&["7", "8"])], &[problem(&["7"])])).len(), 2);
    assert_eq!(
        lines(&two(&[problem(&["7", "8"])], &[problem(&["8", "7"])])),
        ["problems sct|1|sct|7+sct|8 agree"]
    );
}

#[test]
fn family_history_and_suspicion_are_not_the_disease() {
    let problem = |code: &str, text: &str| about("Condition", "c", json!({"code": snomed(code, text)}));
    let stage = two(
        &[problem("22298006", "Myocardial infarction")],
        &[problem("266897007", "Family history: myocardial infarction")],
    );
    assert_eq!(lines(&stage).len(), 2);
    assert!(rules(&stage).is_empty());
}

fn result(members: &Value) -> Value {
    let mut result = about("Observation", "o", json!({"code": snomed("1", "x"), "status": "final"}));
    for (key, value) in members.as_object().unwrap() {
        result[key] = value.clone();
    }
    result
}

#[test]
fn results_join_on_the_very_instant_and_nothing_else() {
    let at = |key: &str, date: &str| result(&json!({key: date, "valueString": "7"}));
    let utc = at("effectiveDateTime", "2026-03-01T10:00:00Z");
    let joined = |other: Value| lines(&two(std::slice::from_ref(&utc), &[other])).len() == 1;
    assert!(joined(at("effectiveDateTime", "2026-03-01T11:00:00+01:00")));
    assert!(!joined(at("effectiveDateTime", "2026-03-01T10:00:01Z")));
    assert!(!joined(at("effectiveDateTime", "2026-03-01")));
    assert!(!joined(at("issued", "2026-03-01T10:00:00Z")));
}

#[test]
fn values_are_compared_as_written_and_units_by_their_code() {
    let of = |quantity: &Value, status: &str| {
        result(
            &json!({"effectiveDateTime": "2026-03-01T10:00:00Z", "valueQuantity": quantity, "status": status}),
        )
    };
    let kind = |first: Value, second: Value| {
        let stage = two(&[first], &[second]);
        (lines(&stage)[0].rsplit(' ').next().unwrap().to_owned(), rules(&stage))
    };
    let ucum = |unit: &str, value: f64| json!({"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"});
    let local = |unit: &str| json!({"value": 7.5, "unit": unit});
    let agree = ("agree".to_owned(), Vec::new());
    let conflict = ("conflict".to_owned(), vec!["result-value".to_owned()]);
    assert_eq!(
        kind(of(&ucum("mmHg", 7.5), "final"), of(&ucum("millimetre of mercury", 7.5), "final")),
        agree
    );
    assert_eq!(kind(of(&ucum("mmHg", 7.5), "final"), of(&ucum("mmHg", 7.6), "final")), conflict);
    assert_eq!(kind(of(&local("mg"), "final"), of(&local("g"), "final")), conflict);
    assert_eq!(kind(of(&ucum("mmHg", 7.5), "corrected"), of(&ucum("mmHg", 7.6), "amended")), conflict);
    let corrected = kind(of(&ucum("mmHg", 7.5), "final"), of(&ucum("mmHg", 7.6), "corrected"));
    assert_eq!(corrected, ("difference".to_owned(), vec!["result-corrected".to_owned()]));
    assert_eq!(kind(of(&ucum("mmHg", 7.5), "final"), of(&ucum("mmHg", 7.5), "corrected")), agree);
}

/// A blood pressure as GP systems send it, and as hospitals do.
fn pressures() -> (Value, Value) {
    let part = |code: Value, value: u32| json!({"code": code, "valueQuantity": {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}});
    let loinc = |code: &str| json!({"coding": [{"system": "http://loinc.org", "code": code}]});
    let gp = result(
        &json!({"code": snomed("163020007", "On examination - blood pressure reading"), "effectiveDateTime": "2026-03-01T10:00:00Z",
        "component": [part(snomed("72313002", "Systolic"), 120), part(snomed("1091811000000102", "Diastolic"), 80)]}),
    );
    let hospital = result(&json!({"code": loinc("85354-9"), "effectiveDateTime": "2026-03-01T10:00:00Z",
        "component": [part(loinc("8462-4"), 80), part(loinc("8480-6"), 120)]}));
    (gp, hospital)
}

#[test]
fn one_blood_pressure_in_two_forms_is_one_line_with_the_map() {
    let (gp, hospital) = pressures();
    let mut stage = two(std::slice::from_ref(&gp), std::slice::from_ref(&hospital));
    assert_eq!(lines(&stage).len(), 2, "without the map nothing is guessed");
    stage.maps.load("bp-panel", include_str!("../../../../config/maps/bp-panel.csv")).unwrap();
    assert_eq!(lines(&stage), ["results sct|75367002|eff|2026-03-01T10:00:00Z agree"]);
    let mut higher = hospital;
    higher["component"][1]["valueQuantity"]["value"] = json!(121);
    let mut stage = two(&[gp], &[higher]);
    stage.maps.load("bp-panel", include_str!("../../../../config/maps/bp-panel.csv")).unwrap();
    assert_eq!(rules(&stage), ["result-value"]);
}

#[test]
fn done_and_not_done_need_one_day() {
    let deed = |status: &str, date: &str| {
        about(
            "Procedure",
            "p",
            json!({"code": snomed("1", "x"), "status": status, "performedDateTime": date}),
        )
    };
    let told =
        |first: &str, second: &str| rules(&two(&[deed("completed", first)], &[deed("not-done", second)]));
    assert_eq!(told("2026-03-01", "2026-03-01"), ["done-vs-not-done"]);
    // 23:30 UTC on the last of June is the first of July in London.
    assert_eq!(told("2025-07-01", "2025-06-30T23:30:00Z"), ["done-vs-not-done"]);
    assert!(told("2025-06-30", "2025-06-30T23:30:00Z").is_empty());
    assert!(told("2026", "2026-01-01").is_empty(), "a year is no day");
    assert!(told("2026", "2026").is_empty());
}

#[test]
fn a_vaccination_differs_by_its_batch_and_a_refusal_is_of_one_day() {
    let jab = |status: &str, lot: &str| {
        about(
            "Immunization",
            "i",
            json!({"vaccineCode": snomed("1", "x"), "status": status, "occurrenceDateTime": "2026-01-01", "lotNumber": lot}),
        )
    };
    let stage = two(&[jab("completed", "A1")], &[jab("completed", "B2")]);
    assert_eq!(
        (lines(&stage)[0].rsplit(' ').next(), rules(&stage)[0].as_str()),
        (Some("conflict"), "immunisation-batch")
    );
    assert_eq!(
        lines(&two(&[jab("completed", "A1")], &[jab("completed", "a1 ")]))[0].rsplit(' ').next(),
        Some("agree")
    );
    let stage = two(&[jab("not-done", "A1")], &[jab("completed", "A1")]);
    assert_eq!(rules(&stage), ["done-vs-not-done"]);
    assert_eq!(facts(&two(&[jab("not-done", "A1")], &[]), "Immunization/i"), ["not given on that day"]);
}

#[test]
fn reports_join_on_the_laboratorys_number() {
    let report = |status: &str, number: &str| {
        about(
            "DiagnosticReport",
            "r",
            json!({"code": {"text": "Culture"}, "status": status, "issued": "2026-01-01T10:00:00Z",
                "identifier": [{"system": "urn:oid:2.16.840.1.113883.2.1.4.5.5", "value": number}]}),
        )
    };
    assert_eq!(lines(&two(&[report("final", "7")], &[report("final", "7")])), ["reports lab|7 agree"]);
    assert_eq!(lines(&two(&[report("final", "7")], &[report("final", "8")])).len(), 2);
    assert_eq!(rules(&two(&[report("final", "7")], &[report("preliminary", "7")])), ["report-status"]);
    assert_eq!(rules(&two(&[report("final", "7")], &[report("amended", "7")])), ["report-corrected"]);
}

#[test]
fn plans_of_one_type_are_counted_and_an_overdue_one_says_so() {
    let plan = |id: &str, hash: &str| {
        about(
            "DocumentReference",
            id,
            json!({"type": snomed("736373009", "End of life care plan"), "status": "current", "date": "2025-01-01T10:00:00Z",
                "content": [{"attachment": {"hash": hash}}], "context": {"period": {"end": "2026-03-09"}}}),
        )
    };
    let stage = two(&[plan("p", "a"), plan("q", "b")], &[plan("p", "a")]);
    assert_eq!(rules(&stage), ["more-than-one-plan"]);
    let view = stage.merged().to_view();
    assert_eq!(view.discrepancies[0].words, "2 plans of this type. Newest first.");
    assert_eq!(facts(&stage, "DocumentReference/q"), ["its review date has passed"]);
    let mut due = plan("p", "a");
    due["context"]["period"]["end"] = json!("2026-03-10");
    assert!(facts(&two(&[due], &[]), "DocumentReference/p").is_empty());
    let prognosis =
        about("Condition", "c", json!({"code": snomed("713673000", "Rapid deterioration expected")}));
    assert_eq!(lines(&two(&[prognosis], &[])), ["plans origin|a|Condition|c single"]);
}

#[test]
fn a_mistake_is_kept_marked_and_left_out_of_every_judgement() {
    let wrong = about(
        "AllergyIntolerance",
        "x",
        json!({"code": snomed("1", "x"), "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}),
    );
    let right = about("AllergyIntolerance", "x", json!({"code": snomed("1", "x"), "criticality": "high"}));
    let stage = two(&[wrong], &[right]);
    let view = stage.merged().to_view();
    let allergies = view.sections.iter().find(|one| one.section == Section::Allergies).unwrap();
    let marks: Vec<bool> = allergies.lines[0].members.iter().map(|member| member.in_error).collect();
    assert_eq!((allergies.lines.len(), marks), (1, vec![false, true]));
    assert!(rules(&stage).is_empty());
    assert_eq!(stage.merged().to_r4().matches("urn:x-tributary:entered-in-error").count(), 1);
}

#[test]
fn a_copy_belongs_to_the_longest_prefix_whatever_the_order_of_the_registry() {
    let copy = about(
        "Condition",
        "c",
        json!({"code": snomed("1", "x"), "identifier": [{"system": "https://gp.example/ward/x", "value": "1"}]}),
    );
    let build = |reversed: bool| {
        let mut stage = federation();
        stage.source("gp", SourceKind::Gp, &ALL(), &["https://gp.example/"]);
        stage.source("ward", SourceKind::Acute, &ALL(), &["https://gp.example/ward/"]);
        stage.source("z", SourceKind::Community, &ALL(), &[]);
        stage.answers("gp", &[]);
        stage.answers("ward", std::slice::from_ref(&copy));
        stage.answers("z", std::slice::from_ref(&copy));
        if reversed {
            stage.registry.reverse();
        }
        stage
    };
    let rows: Vec<Vec<String>> = [false, true].iter().map(|reversed| build(*reversed).table()).collect();
    assert_eq!(rows[0], rows[1]);
    assert!(rows[0][0].ends_with("| copied | ward Condition/c, z Condition/c [echo]"), "{:?}", rows[0]);
}

#[test]
fn a_copy_says_what_its_author_says_of_it() {
    let entry = |status: &str| {
        about(
            "Condition",
            "c",
            json!({"code": snomed("1", "x"), "clinicalStatus": {"coding": [{"code": status}]},
                "identifier": [{"system": "https://gp.example/x", "value": "1"}]}),
        )
    };
    let build = |gp: Option<&[Value]>| {
        let mut stage = federation();
        stage.source("gp", SourceKind::Gp, &ALL(), &["https://gp.example/"]);
        stage.source("z", SourceKind::Community, &ALL(), &[]);
        match gp {
            Some(said) => stage.answers("gp", said),
            None => stage.fails("gp", tributary_model::FaultClass::NoHead),
        }
        stage.answers("z", &[entry("active")]);
        stage.table().join("\n")
    };
    assert!(build(Some(&[entry("active")])).contains("z Condition/c [echo]"));
    assert!(
        build(Some(&[entry("inactive")])).contains("| conflict | gp Condition/c, z Condition/c [stale-copy]")
    );
    assert!(build(Some(&[])).contains("z Condition/c [copy-of-absent]"));
    assert!(build(None).contains("z Condition/c [copy-unverified]"));
}

#[test]
fn a_modifier_anywhere_inside_and_implicit_rules_stop_all_conclusions() {
    let modifier = json!([{"url": "urn:x:negated", "valueBoolean": true}]);
    let deep = json!({"code": snomed("1", "x"), "reaction": [{"severity": "severe", "modifierExtension": modifier}]});
    let ruled = json!({"code": snomed("1", "x"), "implicitRules": "urn:x:rules"});
    let worded = json!({"code": snomed("1", "x"), "note": [{"text": "a \"modifierExtension\" in words"}]});
    for (members, understood) in [(deep, false), (ruled, false), (worded, true)] {
        let stage = two(&[about("AllergyIntolerance", "n", members)], &[]);
        assert_eq!(stage.merged().to_r4().contains("not-understood"), !understood);
        assert_eq!(stage.merged().allergy_label().words() == "Known allergies", understood);
    }
}

#[test]
fn there_is_one_notice_for_each_source_section_and_kind() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &ALL(), &[]);
    let mut reply = crate::kit::reply(&[crate::kit::patient()]);
    for kind in ["Basic", "Media"] {
        reply.carried.push(tributary_fhir::reply::Carried {
            resource_type: kind.to_owned(),
            binary_id: "b".to_owned(),
        });
    }
    stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply)));
    let bundle = stage.merged().to_r4();
    assert_eq!(bundle.matches("could not be converted").count(), 1);
    assert!(bundle.contains("2 entries of Name of gp (Basic, Media) could not be converted"), "{bundle}");
}

#[test]
fn nobody_is_called_empty_while_somebody_was_not_asked() {
    let mut stage = federation();
    stage.source("a", SourceKind::Acute, &["allergies", "problems"], &[]);
    stage.source("b", SourceKind::Acute, &["allergies", "problems"], &[]);
    stage.answers(
        "a",
        &[about("AllergyIntolerance", "n", json!({"code": snomed("716186003", "No known allergy")}))],
    );
    let mut reply = crate::kit::reply(&[crate::kit::patient()]);
    reply.asked = [Section::Encounters].into_iter().collect();
    stage.hears("b", tributary_merge::Heard::Reply(std::sync::Arc::new(reply)));
    assert_eq!(stage.merged().allergy_label().words(), "Allergy check incomplete");
    let view = stage.merged().to_view();
    let problems = view.sections.iter().find(|one| one.section == Section::Problems).unwrap();
    assert_eq!(problems.state, SectionState::NotAsked);
}
