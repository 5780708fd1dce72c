//! The suite practice answers for its patients as the test suite expects of a provider.

use crate::support::*;
use mock_providers::ProviderHandle;
use serde_json::{Value, json};

const ALLERGIES: &str = "886921000000105";
const ENDED: &str = "1103671000000101";
const MEDICATIONS: &str = "933361000000108";
const CONSULTATIONS: &str = "1149501000000101";
const PROBLEMS: &str = "717711000000103";
const LINKED: &str = "problems-linked-problems-not-relating-to-the-primary-query";
/// Each area but consultations and problems: its parameter, its List, the type of the entries.
const AREAS: &[(&str, &str, &str)] = &[
    ("includeAllergies", ALLERGIES, "AllergyIntolerance"),
    ("includeMedication", MEDICATIONS, "MedicationStatement"),
    ("includeImmunisations", "1102181000000102", "Immunization"),
    ("includeUncategorisedData", "826501000000100", "Observation"),
    ("includeInvestigations", "887191000000108", "DiagnosticReport"),
    ("includeReferrals", "792931000000107", "ReferralRequest"),
    ("includeDiaryEntries", "714311000000108", "ProcedureRequest"),
];

fn parameter(name: &str) -> Value {
    if name == "includeAllergies" { allergies(false) } else { area(name) }
}

async fn ask(suite: &ProviderHandle, patient: &str, further: &[Value]) -> Value {
    let seen = Call::suite(suite, &parameters(number(patient), further)).send(suite).await;
    assert_eq!(seen.status, 200, "{patient}");
    seen.json()
}

fn entries(list: &Value) -> Vec<String> {
    references(&list["entry"])
}

fn find<'b>(bundle: &'b Value, reference: &str) -> Option<&'b Value> {
    let (kind, id) = reference.split_once('/')?;
    of_type(bundle, kind).into_iter().find(|one| one["id"] == id)
}

#[tokio::test]
async fn one_area_of_a_linked_record_brings_the_problems_it_is_linked_to() {
    let suite = suite().await;
    for (name, code, kind) in AREAS {
        let bundle = ask(&suite, "patient2", &[parameter(name)]).await;
        let lists = of_type(&bundle, "List");
        assert_eq!(lists.len(), 2, "{name}");
        assert!(lists.iter().all(|list| list.get("id").is_none()));
        let own = entries(list(&bundle, code).unwrap());
        assert!(!own.is_empty());
        assert_eq!(of_type(&bundle, kind).len(), own.len(), "{name}");
        let linked = entries(list(&bundle, LINKED).unwrap());
        let problems = of_type(&bundle, "Condition");
        assert_eq!((problems.len(), linked.len()), (1, 1), "{name}");
        let about = references(&problems[0]["extension"]);
        let kind = if *kind == "MedicationStatement" { "MedicationRequest" } else { kind };
        let first = about.iter().find(|to| to.starts_with(&format!("{kind}/"))).unwrap();
        assert!(find(&bundle, first).is_some(), "{first}");
        assert!(of_type(&bundle, "OperationOutcome").is_empty());
        assert!(of_type(&bundle, "Encounter").is_empty(), "{name}");
    }
    let bundle = ask(&suite, "patient2", &[allergies(true)]).await;
    assert_eq!(of_type(&bundle, "List").len(), 3);
}

#[tokio::test]
async fn one_area_of_a_record_without_links_brings_its_list_alone() {
    let suite = suite().await;
    for (name, code, kind) in AREAS {
        let bundle = ask(&suite, "patient3", &[parameter(name)]).await;
        assert_eq!(of_type(&bundle, "List").len(), 1, "{name}");
        assert_eq!(of_type(&bundle, kind).len(), entries(list(&bundle, code).unwrap()).len(), "{name}");
        assert!(of_type(&bundle, "Condition").is_empty());
    }
}

#[tokio::test]
async fn areas_without_content_say_so() {
    let suite = suite().await;
    let empty =
        AREAS.iter().filter(|(name, _, _)| *name != "includeAllergies").map(|(name, code, _)| (*name, *code));
    for (name, code) in empty.chain([("includeConsultations", CONSULTATIONS), ("includeProblems", PROBLEMS)])
    {
        let bundle = ask(&suite, "patient4", &[parameter(name)]).await;
        assert_eq!(of_type(&bundle, "List").len(), 1, "{name}");
        let list = list(&bundle, code).unwrap();
        assert!(list.get("entry").is_none());
        assert_eq!(list["note"], json!([{"text": "Information not available"}]));
        assert_eq!(list["emptyReason"]["coding"][0]["code"], "no-content-recorded");
    }
    let bundle = ask(&suite, "patient1", &[allergies(true)]).await;
    assert_eq!(of_type(&bundle, "List").len(), 2);
    assert!(of_type(&bundle, "List").iter().all(|list| list.get("emptyReason").is_some()));
}

#[tokio::test]
async fn allergies_are_told_apart_by_whether_they_ended() {
    let suite = suite().await;
    for name in ["patient3", "patient4", "patient6", "patient7", "patient8", "patient12", "patient13"] {
        let bundle = ask(&suite, name, &[allergies(true)]).await;
        assert_eq!(of_type(&bundle, "List").len(), 2, "{name}");
        let active = entries(list(&bundle, ALLERGIES).unwrap());
        assert_eq!(of_type(&bundle, "AllergyIntolerance").len(), active.len());
        let ended = list(&bundle, ENDED).unwrap();
        let contained = &ended["contained"][0];
        assert_eq!(entries(ended), [format!("#{}", contained["id"].as_str().unwrap())]);
        assert_eq!(contained["clinicalStatus"], "resolved");
        assert_eq!(of_type(&ask(&suite, name, &[allergies(false)]).await, "List").len(), 1);
    }
    let none = ask(&suite, "patient5", &[allergies(true)]).await;
    assert_eq!(of_type(&none, "AllergyIntolerance")[0]["code"]["coding"][0]["code"], "716186003");
    assert!(list(&none, ENDED).unwrap().get("emptyReason").is_some());
    let legacy = ask(&suite, "patient16", &[allergies(true)]).await;
    let reason = &list(&legacy, ENDED).unwrap()["contained"][0]["extension"][0]["extension"][1];
    assert_eq!(
        (&reason["url"], &reason["valueString"]),
        (&"reasonEnded".into(), &"No information available".into())
    );
}

#[tokio::test]
async fn nobody_learns_which_patients_are_hidden() {
    let suite = suite().await;
    let asked = [allergies(false)];
    let unknown = Call::suite(&suite, &parameters("9999999999", &asked)).send(&suite).await;
    assert_eq!((unknown.status, unknown.spine_code().as_str()), (404, "PATIENT_NOT_FOUND"));
    let coding = &unknown.json()["issue"][0]["details"]["coding"][0];
    assert_eq!(coding["display"], "Patient not found");
    for name in ["patient9", "patient10", "patient14", "patient18", "patient21", "patientTemporary"] {
        let seen = Call::suite(&suite, &parameters(number(name), &asked)).send(&suite).await;
        assert_eq!((&seen.head, &seen.body), (&unknown.head, &unknown.body), "{name}");
    }
    let seen = Call::suite(&suite, &parameters(number("patient15"), &asked)).send(&suite).await;
    assert_eq!((seen.status, seen.spine_code().as_str()), (403, "NO_PATIENT_CONSENT"));
}

#[tokio::test]
async fn warnings_stand_on_the_lists_they_concern() {
    let suite = suite().await;
    let has = |list: &Value, code: &str, words: &str| {
        let extensions = list["extension"].as_array().unwrap();
        let coded = extensions.iter().filter(|one| one["valueCode"] == code).count() == 1;
        let notes = list["note"].as_array().unwrap();
        coded && notes.len() == 1 && notes[0]["text"].as_str().unwrap().contains(words)
    };
    let withheld = "Items excluded due to confidentiality and/or patient preferences.";
    let transit =
        "Patient record transfer from previous GP practice not yet complete; information recorded before ";
    let rows = [
        ("patient16", "includeAllergies", "confidential-items", withheld),
        ("patient16", "includeReferrals", "confidential-items", withheld),
        ("patient13", "includeAllergies", "data-in-transit", transit),
        ("patient13", "includeReferrals", "data-in-transit", transit),
        ("patient13", "includeMedication", "data-in-transit", transit),
        ("patient13", "includeInvestigations", "data-in-transit", transit),
    ];
    for (name, area, code, words) in rows {
        let bundle = ask(&suite, name, &[parameter(area)]).await;
        let lists = of_type(&bundle, "List");
        assert_eq!(lists.len(), 1, "{name} {area}");
        assert!(has(lists[0], code, words), "{name} {area}");
    }
    let period =
        json!({"name": "referralSearchPeriod", "valuePeriod": {"start": "2001-01-01", "end": "2001-01-02"}});
    let bundle = ask(&suite, "patient16", &[part("includeReferrals", &period)]).await;
    let narrowed = of_type(&bundle, "List")[0];
    assert!(has(narrowed, "confidential-items", withheld), "a narrowed List still warns");
    assert!(has(narrowed, "confidential-items", "Information not available"));
    let bundle = ask(&suite, "patient2", &[area("includeProblems")]).await;
    let medications = list(&bundle, "problems-medications-related-to-problems").unwrap();
    assert!(has(medications, "confidential-items", withheld), "a secondary List warns too");
}

#[tokio::test]
async fn problems_bring_what_they_are_about() {
    let suite = suite().await;
    let bundle = ask(&suite, "patient2", &[area("includeProblems")]).await;
    let problems = entries(list(&bundle, PROBLEMS).unwrap());
    assert_eq!(of_type(&bundle, "Condition").len(), problems.len());
    assert!(list(&bundle, LINKED).is_none());
    for code in [CONSULTATIONS, "325851000000107", "25851000000105", "24781000000107"] {
        assert!(list(&bundle, code).is_none(), "{code}");
    }
    for problem in of_type(&bundle, "Condition") {
        for reference in references(problem).iter().filter(|to| !to.starts_with("Patient/")) {
            assert!(find(&bundle, reference).is_some(), "{reference}");
        }
    }
    for (title, kind) in [
        ("allergies", "AllergyIntolerance"),
        ("medications", "MedicationStatement"),
        ("consultations", "Encounter"),
        ("immunisations", "Immunization"),
        ("uncategorised data", "Observation"),
        ("investigations", "DiagnosticReport"),
        ("outbound referrals", "ReferralRequest"),
        ("diary entries", "ProcedureRequest"),
        ("documents", "DocumentReference"),
    ] {
        let title = format!("Problems - {title} related to problems");
        let lists = of_type(&bundle, "List");
        let list = lists.iter().find(|list| list["title"] == title).unwrap_or_else(|| panic!("{title}"));
        assert_eq!(list["code"]["coding"][0]["display"], title);
        assert_eq!(
            list["code"]["coding"][0]["code"],
            title.replace(" - ", " ").replace(' ', "-").to_lowercase()
        );
        assert!(
            entries(list).iter().all(|to| to.starts_with(kind) && find(&bundle, to).is_some()),
            "{title}"
        );
        assert!(!entries(list).is_empty());
    }
    let orders = of_type(&bundle, "MedicationRequest").into_iter().filter(|one| one["intent"] == "order");
    assert_eq!(orders.count(), 1, "only the issue that is linked itself");
}

#[tokio::test]
async fn problems_are_filtered_by_status_and_significance() {
    let suite = suite().await;
    let filtered = |parts: &[(&str, &str)]| {
        let parts: Vec<Value> =
            parts.iter().map(|(name, code)| json!({"name": name, "valueCode": code})).collect();
        json!({"name": "includeProblems", "part": parts})
    };
    let rows = [
        (vec![filtered(&[])], 5),
        (vec![filtered(&[("filterStatus", "active")])], 3),
        (vec![filtered(&[("filterStatus", "inactive")])], 2),
        (vec![filtered(&[("filterSignificance", "major")])], 3),
        (vec![filtered(&[("filterSignificance", "minor")])], 2),
        (vec![filtered(&[("filterStatus", "active"), ("filterSignificance", "major")])], 2),
        (vec![filtered(&[("filterStatus", "active"), ("filterSignificance", "minor")])], 1),
        (vec![filtered(&[("filterStatus", "inactive"), ("filterSignificance", "major")])], 1),
        (
            vec![
                filtered(&[("filterStatus", "active"), ("filterSignificance", "minor")]),
                filtered(&[("filterStatus", "inactive"), ("filterSignificance", "major")]),
                area("includeMedication"),
            ],
            2,
        ),
    ];
    for (asked, count) in rows {
        let bundle = ask(&suite, "patient2", &asked).await;
        let own = entries(list(&bundle, PROBLEMS).unwrap());
        assert_eq!(own.len(), count, "{asked:?}");
        if asked.len() == 1 {
            assert_eq!(of_type(&bundle, "Condition").len(), count, "{asked:?}");
        }
    }
    for (name, value) in
        [("filterStatus", "resolved"), ("filterStatus", "null"), ("filterSignificance", "HIGH")]
    {
        let body = parameters(number("patient2"), &[filtered(&[(name, value)])]);
        assert_eq!(Call::suite(&suite, &body).send(&suite).await.spine_code(), "INVALID_PARAMETER");
    }
}

#[tokio::test]
async fn consultations_bring_what_was_recorded_in_them() {
    let suite = suite().await;
    let bundle = ask(&suite, "patient2", &[area("includeConsultations")]).await;
    let encounters = entries(list(&bundle, CONSULTATIONS).unwrap());
    assert_eq!(of_type(&bundle, "Encounter").len(), encounters.len());
    let mut under = Vec::new();
    for (code, display) in [
        ("325851000000107", "Consultation"),
        ("25851000000105", "Topic (EHR)"),
        ("24781000000107", "Category (EHR)"),
    ] {
        let lists =
            of_type(&bundle, "List").into_iter().filter(|one| one["code"]["coding"][0]["code"] == code);
        let lists: Vec<&Value> = lists.collect();
        assert!(!lists.is_empty(), "{display}");
        for list in lists {
            assert_eq!(list["code"]["coding"][0]["display"], display);
            assert!(list["id"].is_string() && list["date"].is_string() && list["orderedBy"].is_object());
            assert!(encounters.contains(&list["encounter"]["reference"].as_str().unwrap().to_owned()));
            for absent in ["note", "source", "identifier"] {
                assert!(list.get(absent).is_none(), "{absent}");
            }
            assert!(entries(list).iter().all(|to| find(&bundle, to).is_some()), "{display}");
            under.extend(entries(list));
        }
    }
    for kind in
        ["Observation/", "MedicationRequest/", "DiagnosticReport/", "Condition/", "DocumentReference/"]
    {
        assert!(under.iter().any(|to| to.starts_with(kind)), "{kind}");
    }
    let topics = of_type(&bundle, "List")
        .into_iter()
        .filter(|one| one["code"]["coding"][0]["code"] == "25851000000105");
    let related: Vec<String> = topics.flat_map(|topic| references(&topic["extension"])).collect();
    assert!(!related.is_empty() && related.iter().all(|to| find(&bundle, to).is_some()));
    let linked = entries(list(&bundle, LINKED).unwrap());
    assert_eq!(of_type(&bundle, "Condition").len(), linked.len());
    for title in [
        "medications contained in consultations",
        "uncategorised data contained in consultations",
        "outbound referrals in consultations",
        "problems contained in consultations",
    ] {
        let title = format!("Consultations - {title}");
        assert!(of_type(&bundle, "List").iter().any(|list| list["title"] == title), "{title}");
    }
}

#[tokio::test]
async fn consultations_are_narrowed_by_period_and_by_number() {
    let suite = suite().await;
    let today = today().to_string();
    let rows = [
        (json!({"name": "includeNumberOfMostRecent", "valuePositiveInt": 3}), 3),
        (json!({"name": "includeNumberOfMostRecent", "valuePositiveInt": 40}), 5),
        (json!({"name": "consultationSearchPeriod", "valuePeriod": {"end": today}}), 5),
        (json!({"name": "consultationSearchPeriod", "valuePeriod": {"start": today, "end": today}}), 0),
    ];
    for (narrowing, count) in rows {
        let bundle = ask(&suite, "patient2", &[part("includeConsultations", &narrowing)]).await;
        assert_eq!(of_type(&bundle, "Encounter").len(), count, "{narrowing}");
        let consultations = of_type(&bundle, "List")
            .into_iter()
            .filter(|one| one["code"]["coding"][0]["code"] == "325851000000107");
        assert_eq!(consultations.count(), count, "{narrowing}");
    }
    let newest = json!({"name": "includeNumberOfMostRecent", "valuePositiveInt": 1});
    let bundle = ask(&suite, "patient2", &[part("includeConsultations", &newest)]).await;
    assert!(of_type(&bundle, "Encounter")[0]["id"].as_str().unwrap().ends_with('1'));
}

#[tokio::test]
async fn issues_and_old_medicines_come_when_asked() {
    let suite = suite().await;
    let three_years_ago = today().saturating_sub(jiff::ToSpan::years(3)).to_string();
    let orders = |bundle: &Value| {
        of_type(bundle, "MedicationRequest").into_iter().filter(|one| one["intent"] == "order").count()
    };
    let all = ask(&suite, "patient2", &[area("includeMedication")]).await;
    assert_eq!(orders(&all), 16, "those of a replaced plan too");
    let without = json!({"name": "includePrescriptionIssues", "valueBoolean": false});
    let bundle = ask(&suite, "patient2", &[part("includeMedication", &without)]).await;
    assert_eq!(orders(&bundle), 0);
    assert_eq!(of_type(&bundle, "List").len(), 2, "a problem is linked by the plan alone");
    assert_eq!(of_type(&bundle, "MedicationStatement").len(), of_type(&all, "MedicationStatement").len());
    let from = json!({"name": "medicationSearchFromDate", "valueDate": three_years_ago});
    let bundle = ask(&suite, "patient2", &[part("includeMedication", &from)]).await;
    assert_eq!(of_type(&bundle, "MedicationStatement").len() + 1, of_type(&all, "MedicationStatement").len());
    let bundle = ask(&suite, "patient2", &[allergies(false)]).await;
    for kind in ["Medication", "MedicationStatement", "MedicationRequest"] {
        assert!(of_type(&bundle, kind).is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn immunisations_and_diary_entries_are_narrowed() {
    let suite = suite().await;
    let flag =
        |name: &str, value: bool| part("includeImmunisations", &json!({"name": name, "valueBoolean": value}));
    let given = ask(&suite, "patient2", &[area("includeImmunisations")]).await;
    assert!(of_type(&given, "Immunization").iter().all(|one| one["notGiven"] == false));
    let with = ask(&suite, "patient2", &[flag("includeNotGiven", true)]).await;
    assert_eq!(of_type(&with, "Immunization").len(), of_type(&given, "Immunization").len() + 1);
    for (value, count) in [(true, 1), (false, 0)] {
        let bundle = ask(&suite, "patient6", &[flag("includeStatus", value)]).await;
        assert_eq!(of_type(&bundle, "Observation").len(), count);
    }
    let today = today().to_string();
    let until =
        |day: &str| part("includeDiaryEntries", &json!({"name": "diaryEntriesSearchDate", "valueDate": day}));
    for (asked, count) in [(until(&today), 1), (until("2999-01-01"), 3), (area("includeDiaryEntries"), 3)] {
        let bundle = ask(&suite, "patient2", std::slice::from_ref(&asked)).await;
        assert_eq!(of_type(&bundle, "ProcedureRequest").len(), count, "{asked}");
    }
}

#[tokio::test]
async fn a_request_for_nothing_brings_the_administrative_resources() {
    let suite = suite().await;
    let bundle = ask(&suite, "patient2", &[]).await;
    assert!(of_type(&bundle, "List").is_empty());
    for kind in ["Patient", "Organization", "Practitioner", "PractitionerRole"] {
        assert!(!of_type(&bundle, kind).is_empty(), "{kind}");
    }
    let made_up = [area("includeMadeUpParam"), area("madeUpImmunizations"), area("includeConsults")];
    let bundle = ask(&suite, "patient1", &made_up).await;
    assert_eq!(of_type(&bundle, "OperationOutcome")[0]["issue"].as_array().unwrap().len(), 3);
}
