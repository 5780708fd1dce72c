//! Whose record it is, when the national service was asked: the check, the merged Patient, what differs.

use serde_json::{Value, json};
use tributary_model::demographics::{Death, DeathNotice, Gender, HomeAddress, PersonName};
use tributary_model::{Demographics, OdsCode, Redacted, SentDate, SourceKind};

use crate::kit::{Federation, about, federation, patient, patient_with, traced};

const SECTIONS: &[&str] = &["allergies", "problems"];

/// A practice and a hospital with these Patients, each with a problem of its own.
fn stage(pds: Option<Demographics>, gp: Value, acute: Value) -> Federation {
    let mut stage = federation();
    stage.pds = pds;
    for (id, kind, patient) in [("gp", SourceKind::Gp, gp), ("acute", SourceKind::Acute, acute)] {
        stage.source(id, kind, SECTIONS, &[]);
        let problem =
            about("Condition", &format!("of-{id}"), json!({"code": {"text": format!("asthma {id}")}}));
        stage.describes(id, patient, &[problem]);
    }
    stage
}

fn statuses(stage: &Federation) -> Vec<String> {
    let record = stage.merged();
    let all = record.statuses().map(|(id, status, fault)| {
        let fault = fault.map(|fault| format!(" {}", fault.code())).unwrap_or_default();
        format!("{id} {}{fault}", status.code())
    });
    all.collect()
}

fn resources(stage: &Federation) -> Vec<Value> {
    let bundle: Value = serde_json::from_str(&stage.merged().to_r4()).unwrap();
    bundle["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect()
}

/// The merged Patient.
fn merged(stage: &Federation) -> Value {
    resources(stage).remove(1)
}

/// `rule severity: words` of every discrepancy.
fn told(stage: &Federation) -> Vec<String> {
    let view = stage.merged().to_view();
    view.discrepancies.iter().map(|one| format!("{} {}: {}", one.rule, one.severity, one.words)).collect()
}

fn birth(date: &str) -> Option<Redacted<SentDate>> {
    SentDate::parse(date).map(Redacted::new)
}

fn dead(notice: DeathNotice, date: Option<&str>) -> Demographics {
    let death = Death { notice, date: date.and_then(SentDate::parse) };
    Demographics { death: Some(Redacted::new(death)), ..traced() }
}

#[test]
fn who_agrees_with_the_national_service_is_shown_without_a_word() {
    let quiet = stage(Some(traced()), patient(), patient());
    assert_eq!(statuses(&quiet), ["gp ok", "acute ok"]);
    assert_eq!(told(&quiet), Vec::<String>::new());
    let variant = json!({"name": [{"use": "maiden", "family": "Other"},
        {"use": "official", "family": "ASHWORTH", "given": ["george"], "prefix": ["Sir"]}]});
    assert_eq!(told(&stage(Some(traced()), patient(), patient_with(variant))), Vec::<String>::new());
}

/// Hazard 1: another patient's data in the record, under the right number.
#[test]
fn a_swapped_day_and_month_leaves_nothing_of_the_answer() {
    let other = patient_with(json!({"id": "of-acute-patient", "birthDate": "1953-11-02",
        "telecom": [{"value": "SECRET"}], "deceasedBoolean": true}));
    let mut problem = about("Condition", "of-acute", json!({"code": {"text": "asthma acute"}}));
    problem["subject"] = json!({"reference": "Patient/of-acute-patient"});
    let mut stage = stage(Some(traced()), patient(), patient());
    stage.answers.pop();
    stage.describes("acute", other, &[problem]);
    assert_eq!(statuses(&stage), ["gp ok", "acute identity-mismatch identity_demographics"]);
    let bundle = stage.merged().to_r4();
    for trace in ["SECRET", "1953-11-02", "asthma acute", "of-acute", "deceased\""] {
        assert!(!bundle.contains(trace), "{trace} in {bundle}");
    }
    assert!(bundle.contains("asthma gp"));
    assert!(bundle.contains("Name of acute answered with details that do not match this patient."));
    assert_eq!(stage.merged().allergy_label().words(), "Allergies unavailable");
    assert_eq!(told(&stage), Vec::<String>::new());
    stage.pds = None;
    assert_eq!(statuses(&stage), ["gp ok", "acute ok"], "nobody was asked, nothing is invented");
}

/// Hazard 16: a number typed wrongly that somebody else has: the sources know one, the service another.
#[test]
fn a_number_that_means_two_people_shows_nobody() {
    let doris = Demographics { birth_date: birth("1941-06-30"), ..traced() };
    let stage = stage(Some(doris), patient(), patient());
    let mismatch = "identity-mismatch identity_demographics";
    assert_eq!(statuses(&stage), [format!("gp {mismatch}"), format!("acute {mismatch}")]);
    assert_eq!(stage.merged().tally().to_string(), "none; failed=2");
    assert!(!stage.merged().to_r4().contains("asthma"));
}

/// Hazard 15: a source that still has the number which was replaced.
#[test]
fn an_answer_under_a_former_number_is_quarantined_however_well_it_describes_him() {
    let former = json!([{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000301"}]);
    let stage = stage(Some(traced()), patient(), patient_with(json!({"identifier": former})));
    assert_eq!(statuses(&stage), ["gp ok", "acute identity-mismatch identity_number"]);
    assert!(!stage.merged().to_r4().contains("asthma acute"));
}

#[test]
fn two_parts_of_three_pass_and_the_difference_is_told() {
    let stage = stage(Some(traced()), patient(), patient_with(json!({"birthDate": "1953-02-21"})));
    assert_eq!(statuses(&stage), ["gp ok", "acute ok"]);
    assert_eq!(
        told(&stage),
        [
            "demographics-birthdate high: The date of birth differs. PDS: 11-Feb-1953. Name of gp: 11-Feb-1953. \
          Name of acute: 21-Feb-1953."
        ]
    );
    assert_eq!(merged(&stage)["birthDate"], "1953-02-11");
}

#[test]
fn a_patient_without_a_birth_date_passes_with_a_notice() {
    for silent in [json!({"birthDate": null}), json!({"birthDate": ""})] {
        let stage = stage(Some(traced()), patient(), patient_with(silent));
        assert_eq!(statuses(&stage), ["gp ok", "acute ok"]);
        let outcome = stage.merged().to_outcome();
        assert_eq!(outcome.matches("no-birth-date").count(), 1, "{outcome}");
        assert_eq!(told(&stage), Vec::<String>::new());
    }
}

#[test]
fn what_differs_is_named_with_what_each_says() {
    let home = HomeAddress { lines: vec!["1 Ferry Lane".to_owned()], postcode: Some("ch41 1aa".to_owned()) };
    let pds = Demographics { address: Some(Redacted::new(home)), ..traced() };
    let gp = json!({"name": [{"family": "Ashworth", "given": ["Georgina"]}], "address": [{"postalCode": "CH411AA"}]});
    let acute = json!({"gender": "female", "address": [{"use": "home", "postalCode": "L1 2CD"}]});
    let stage = stage(Some(pds), patient_with(gp), patient_with(acute));
    assert_eq!(
        told(&stage),
        [
            "demographics-name moderate: The name differs. PDS: ASHWORTH, George. Name of gp: ASHWORTH, Georgina. \
             Name of acute: ASHWORTH, George.",
            "demographics-gender moderate: The gender differs. PDS: male. Name of gp: male. Name of acute: female.",
            "demographics-address moderate: The postcode differs. PDS: CH41 1AA. Name of gp: CH41 1AA. \
             Name of acute: L1 2CD.",
        ]
    );
    // The reader is led to every Patient concerned, and to what the service says.
    let patient_url = format!("urn:uuid:{}", merged(&stage)["id"].as_str().unwrap());
    let issues: Vec<Value> =
        resources(&stage).into_iter().filter(|one| one["resourceType"] == "DetectedIssue").collect();
    assert_eq!(issues.len(), 3);
    for issue in issues {
        let implicated = issue["implicated"].as_array().unwrap();
        assert_eq!(implicated.len(), 3, "{issue}");
        assert!(implicated.iter().any(|one| one["reference"] == patient_url.as_str()));
    }
}

#[test]
fn the_service_alone_against_one_source_is_a_difference() {
    let other = PersonName { family: "Ashton".into(), given: vec!["George".into()], prefix: Vec::new() };
    let pds = Demographics { name: Some(Redacted::new(other)), ..traced() };
    let rules: Vec<String> = stage(Some(pds), patient(), patient_with(json!({"name": null}))).disputes();
    assert_eq!(rules, ["demographics-name: Patient/p1@gp"]);
}

#[test]
fn only_what_a_source_says_of_the_registration_is_compared() {
    let ods = |code: &str| json!({"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": code});
    let pds = Demographics { practice: OdsCode::parse("A99901").ok().map(Redacted::new), ..traced() };
    let check = |gp: Value, acute: Value, expected: &[&str]| {
        let mut stage = stage(Some(pds.clone()), patient(), patient());
        stage.answers.clear();
        let practice = json!({"resourceType": "Organization", "id": "o1", "identifier": [ods("B99902")]});
        for (id, patient) in [("gp", gp), ("acute", acute)] {
            stage.describes(id, patient_with(patient), std::slice::from_ref(&practice));
        }
        assert_eq!(told(&stage), expected);
    };
    let reference = || json!({"reference": "Organization/o1"});
    check(json!({}), json!({}), &[]);
    check(
        json!({"managingOrganization": reference()}),
        json!({"managingOrganization": reference()}),
        &["demographics-practice low: The registered practice differs. PDS: A99901. Name of gp: B99902."],
    );
    check(
        json!({"generalPractitioner": [{"identifier": ods("a99901")}]}),
        json!({"generalPractitioner": [{"reference": "Practitioner/x"}, reference()]}),
        &["demographics-practice low: The registered practice differs. PDS: A99901. Name of acute: B99902."],
    );
    let mut ended = ods("B99902");
    ended["period"] = json!({"end": "2020-01-01"});
    check(json!({"generalPractitioner": [{"identifier": ended}]}), json!({}), &[]);
}

#[test]
fn the_merged_patient_is_the_one_that_was_traced() {
    let name = PersonName {
        family: "O\"Neill".to_owned(),
        given: vec!["Siân".to_owned(), "Mary".to_owned()],
        prefix: vec!["Dr".to_owned()],
    };
    let home = HomeAddress { lines: vec!["1 Ferry Lane".to_owned()], postcode: Some("CH41 1AA".to_owned()) };
    let pds = Demographics {
        name: Some(Redacted::new(name)),
        gender: Gender::from_code("female").map(Redacted::new),
        address: Some(Redacted::new(home)),
        ..traced()
    };
    let own = json!({"telecom": [{"value": "0151"}], "address": [{"postalCode": "L9 9ZZ"}]});
    let stage = stage(Some(pds), patient_with(own), patient());
    let patient = merged(&stage);
    assert_eq!(patient["meta"]["source"], "urn:x-tributary:pds");
    let traced: Vec<&str> = patient["meta"]["extension"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["valueCode"].as_str().unwrap())
        .collect();
    assert_eq!(traced, ["name", "gender", "birthDate", "address"]);
    let family = json!([{"use": "usual", "family": "O\"Neill", "given": ["Siân", "Mary"], "prefix": ["Dr"]}]);
    assert_eq!(patient["name"], family);
    assert_eq!((&patient["gender"], &patient["birthDate"]), (&json!("female"), &json!("1953-02-11")));
    assert_eq!(
        patient["address"],
        json!([{"use": "home", "line": ["1 Ferry Lane"], "postalCode": "CH41 1AA"}])
    );
    assert_eq!(patient["telecom"], json!([{"value": "0151"}]), "what the service is not read for");
    assert_eq!(patient["link"].as_array().unwrap().len(), 2);
    let banner = stage.merged().to_view().patient;
    assert_eq!((banner.name.as_str(), banner.gender.as_str()), ("O\"NEILL, Siân (Dr)", "Female"));
    // Every source's own Patient stands as it was.
    let sources: Vec<Value> =
        resources(&stage).into_iter().skip(2).filter(|one| one["resourceType"] == "Patient").collect();
    assert_eq!(sources.len(), 2);
    assert!(sources.iter().all(|one| one["name"][0]["family"] == "Ashworth"));
    assert_eq!(sources[0]["address"][0]["postalCode"], "L9 9ZZ");
}

#[test]
fn where_the_service_is_silent_the_first_source_speaks() {
    let nobody = Demographics::default();
    for pds in [None, Some(nobody)] {
        let patient = merged(&stage(pds, patient(), patient()));
        assert_eq!(patient["name"][0]["family"], "Ashworth");
        assert!(patient.get("meta").is_none(), "nothing of it is traced");
    }
    let mut silent = stage(Some(traced()), patient(), patient());
    silent.answers.clear();
    let banner = silent.merged().to_view().patient;
    assert_eq!((banner.name.as_str(), banner.born.as_str()), ("ASHWORTH, George (Mr)", "11-Feb-1953 (73y)"));
}

/// Hazard 32: the dead taken for living, and the living for dead.
#[test]
fn only_a_formal_notice_declares_somebody_dead() {
    let says = |pds: Option<Demographics>| {
        let stage = stage(pds, patient_with(json!({"deceasedDateTime": "2024-11-03"})), patient());
        let patient = merged(&stage);
        let died = stage.merged().to_view().patient.died;
        (patient["deceasedDateTime"].clone(), patient["deceasedBoolean"].clone(), died)
    };
    let nothing = (Value::Null, Value::Null, String::new());
    assert_eq!(says(None), nothing);
    assert_eq!(says(Some(traced())), nothing);
    assert_eq!(says(Some(dead(DeathNotice::Informal, Some("2024-11-03")))), nothing);
    let sent = "2024-11-03T00:00:00+00:00";
    assert_eq!(
        says(Some(dead(DeathNotice::Formal, Some(sent)))),
        (json!(sent), Value::Null, "03-Nov-2024".to_owned()),
        "letter by letter"
    );
    assert_eq!(
        says(Some(dead(DeathNotice::Formal, None))),
        (Value::Null, json!(true), "Date not known".to_owned())
    );
    let banner =
        stage(Some(dead(DeathNotice::Formal, None)), patient(), patient()).merged().to_view().patient;
    assert_eq!(banner.born, "11-Feb-1953", "the dead grow no older");
}

#[test]
fn who_differs_on_a_death_is_named() {
    let (alive, died) = (json!({"deceasedBoolean": false}), json!({"deceasedBoolean": true}));
    let on = |date: &str| json!({"deceasedDateTime": date});
    let (silent, formal, informal) = (json!({}), DeathNotice::Formal, DeathNotice::Informal);
    let cases = [
        (None, &silent, &alive, ""),
        (
            None,
            &silent,
            &died,
            "Name of acute records that this patient has died. No answer of PDS confirms it.",
        ),
        (
            None,
            &on("2024-11-03"),
            &alive,
            "Name of acute records that this patient is alive. Name of gp records a date of death 03-Nov-2024. \
             No answer of PDS confirms it.",
        ),
        (Some(traced()), &silent, &alive, ""),
        (
            Some(traced()),
            &on("2024-11-03"),
            &silent,
            "Name of gp records a date of death 03-Nov-2024. PDS does not.",
        ),
        (Some(traced()), &died, &silent, "Name of gp records that this patient has died. PDS does not."),
        (Some(dead(formal, Some("2024-11-03"))), &silent, &silent, ""),
        (Some(dead(formal, Some("2024-11-03"))), &on("2024-11"), &died, ""),
        (Some(dead(formal, Some("2024"))), &on("2024-11-03T10:00:00Z"), &silent, ""),
        (
            Some(dead(formal, Some("2024-11-03"))),
            &alive,
            &silent,
            "Name of gp records that this patient is alive. PDS holds a formal notice of death, dated 03-Nov-2024.",
        ),
        (
            Some(dead(formal, Some("2024-11-03"))),
            &on("2024-11-04"),
            &silent,
            "Name of gp records a date of death 04-Nov-2024. PDS holds a formal notice of death, dated 03-Nov-2024.",
        ),
        (
            Some(dead(formal, None)),
            &on("2024-11-04"),
            &on("2024-11-05"),
            "Name of gp records a date of death 04-Nov-2024. Name of acute records a date of death 05-Nov-2024. \
             PDS holds a formal notice of death.",
        ),
        (Some(dead(informal, None)), &silent, &silent, ""),
        (
            Some(dead(informal, Some("2024-11"))),
            &on("2024-11-04"),
            &silent,
            "Name of gp records a date of death 04-Nov-2024. PDS holds only an informal notice of death, dated \
             Nov-2024.",
        ),
        (
            Some(dead(informal, None)),
            &silent,
            &alive,
            "Name of acute records that this patient is alive. PDS holds only an informal notice of death.",
        ),
    ];
    for (pds, gp, acute, words) in cases {
        let stage = stage(pds, patient_with(gp), patient_with(acute));
        let expected: Vec<String> =
            (!words.is_empty()).then(|| format!("deceased high: {words}")).into_iter().collect();
        assert_eq!(told(&stage), expected, "{gp} {acute}");
    }
}

#[test]
fn names_that_are_no_longer_used_prove_nothing_however_many() {
    let names: Vec<Value> =
        (0..20_000).map(|index| json!({"use": "old", "family": format!("N{index}")})).collect();
    let odd = patient_with(json!({"name": names, "birthDate": "1953-02-12"}));
    let stage = stage(Some(traced()), odd.clone(), odd);
    assert!(statuses(&stage).iter().all(|one| one.ends_with("identity_demographics")));
}
