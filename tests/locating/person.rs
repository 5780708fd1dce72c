//! Whose record it is: what PDS says of the patient against what the sources say, over HTTP.

use mock_providers::{Death, DeathNotice, Fault, PatientName, PatientState};
use serde_json::{Value, json};
use tributary_tests::bundle::Merged;
use tributary_tests::national::Practices;
use tributary_tests::{GEORGE, Reply, bearer_of, http, tells};

use crate::stage::{Stage, notes, status_of, was};

fn george() -> PatientState {
    PatientState::registered_at(GEORGE, "A99901")
}

/// A source whose Patient says other things.
fn described(stage: &Stage, source: &str, members: &Value) {
    let provider = stage.federation.provider(source).expect("a source");
    provider.set_fault(Fault::OtherDetails { members: members.as_object().expect("members").clone() });
}

/// The merged Patient.
fn merged(reply: &Reply) -> Value {
    let merged = Merged::of(reply.json());
    let patient = merged.resources().find(|one| one["resourceType"] == "Patient");
    patient.expect("a Patient").clone()
}

/// `rule: words` of every discrepancy about the person.
fn told(reply: &Reply) -> Vec<String> {
    let merged = Merged::of(reply.json());
    let issues = merged.resources().filter(|one| one["resourceType"] == "DetectedIssue");
    let rule = |one: &Value| one["code"]["coding"][0]["code"].as_str().unwrap_or_default().to_owned();
    let words = |one: &Value| one["detail"].as_str().unwrap_or_default().to_owned();
    let own = issues.filter(|one| rule(one).starts_with("demographics") || rule(one) == "deceased");
    own.map(|one| format!("{}: {}", rule(one), words(one))).collect()
}

#[tokio::test]
async fn the_banner_is_who_pds_says() {
    let stage = Stage::set(Practices::Registered).await;
    let name = PatientName { family: "Ashworth".to_owned(), given: "Georgie".to_owned() };
    stage.pds.put(PatientState { name: Some(name), ..george() });
    let reply = stage.record(GEORGE).await;
    assert_eq!(status_of(&reply, "gp"), was("ok", true));
    let patient = merged(&reply);
    assert_eq!(patient["name"][0]["given"], json!(["Georgie"]));
    assert_eq!(patient["meta"]["source"], "urn:x-tributary:pds");
    assert_eq!(patient["address"][0]["postalCode"], "CH41 1AA");
    assert_eq!(patient["link"].as_array().map(Vec::len), Some(4), "every source's Patient stands by itself");
    assert_eq!(told(&reply).len(), 1);
    assert!(told(&reply)[0].starts_with("demographics-name: The name differs. PDS: ASHWORTH, Georgie."));
    let token = bearer_of("u-1");
    let headers = [("Authorization", token.as_str())];
    let form = format!("nhs={GEORGE}");
    let page = http::post(
        stage.running.data_addr(),
        "/record",
        "application/x-www-form-urlencoded",
        &form,
        &headers,
    )
    .await;
    assert!(page.body.contains("ASHWORTH, Georgie"), "{}", page.body);
    assert!(!page.body.contains("<dt>Died"));
}

#[tokio::test]
async fn a_swapped_day_and_month_is_quarantined_and_the_strip_says_so() {
    let stage = Stage::set(Practices::Registered).await;
    described(&stage, "acute-a", &json!({"birthDate": "1953-11-02", "telecom": [{"value": "SECRET"}]}));
    let reply = stage.record(GEORGE).await;
    assert_eq!(status_of(&reply, "acute-a"), was("identity-mismatch", false));
    assert_eq!(status_of(&reply, "gp"), was("ok", false));
    assert!(
        reply.body.contains("Mersey Royal Hospital answered with details that do not match this patient.")
    );
    for trace in ["1953-11-02", "SECRET", "urn:x-tributary:acute-a#", "Treatment escalation plan"] {
        assert!(!reply.body.contains(trace), "{trace}");
    }
    assert_eq!(Merged::of(reply.json()).allergy_label(), "Allergy check incomplete");
    let metrics = stage.metrics().await;
    assert!(
        metrics
            .contains("tributary_quarantined_total{reason=\"identity_demographics\",source=\"acute-a\"} 1"),
        "{metrics}"
    );
    assert!(stage.log().contains("identity_demographics"));
    // Three of them prove that the source mixes people up.
    for user in ["u-2", "u-3"] {
        assert_eq!(status_of(&stage.record_for(user, GEORGE).await, "acute-a").0, "identity-mismatch");
    }
    assert_eq!(status_of(&stage.record_for("u-4", GEORGE).await, "acute-a").0, "not-queried");
}

#[tokio::test]
async fn two_parts_of_three_pass_and_the_difference_is_told() {
    let stage = Stage::set(Practices::Registered).await;
    described(&stage, "acute-a", &json!({"birthDate": "1953-02-12"}));
    let reply = stage.record(GEORGE).await;
    assert_eq!(status_of(&reply, "acute-a"), was("ok", true));
    assert_eq!(merged(&reply)["birthDate"], "1953-02-11");
    let told = told(&reply);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("demographics-birthdate: The date of birth differs. PDS: 11-Feb-1953."));
    assert!(told[0].contains("Mersey Royal Hospital: 12-Feb-1953."), "{told:?}");
    let other = json!({"birthDate": "1953-02-12", "name": [{"family": "Ashworth", "given": ["Albert"]}]});
    described(&stage, "acute-a", &other);
    assert_eq!(status_of(&stage.record(GEORGE).await, "acute-a").0, "identity-mismatch");
}

#[tokio::test]
async fn a_number_that_means_two_people_shows_nobody() {
    let stage = Stage::set(Practices::Registered).await;
    stage.pds.put(PatientState { birth_date: Some("1941-06-30".to_owned()), ..george() });
    let reply = stage.record(GEORGE).await;
    assert_eq!(reply.status, 502, "{}", reply.body);
    for trace in ["Ashworth", "ASHWORTH", "1941", "1953", "19530211", "CH41"] {
        assert!(!tells(&reply.body, trace), "{trace} in {}", reply.body);
    }
}

#[tokio::test]
async fn only_pds_declares_somebody_dead() {
    let stage = Stage::set(Practices::Registered).await;
    let death = |notice, at: &str| Death { at: Some(at.to_owned()), notice: Some(notice) };
    described(&stage, "acute-a", &json!({"deceasedDateTime": "2024-11-03"}));
    let reply = stage.record(GEORGE).await;
    assert!(merged(&reply).get("deceasedDateTime").is_none());
    let said = "deceased: Mersey Royal Hospital records a date of death 03-Nov-2024.";
    assert_eq!(told(&reply), [format!("{said} PDS does not.")]);
    let informal = death(DeathNotice::Informal, "2024-11-03");
    stage.pds.put(PatientState { death: Some(informal), ..george() });
    let reply = stage.record(GEORGE).await;
    assert!(merged(&reply).get("deceasedDateTime").is_none());
    assert_eq!(notes(&reply), ["deceased-informal"]);
    assert_eq!(
        told(&reply),
        [format!("{said} PDS holds only an informal notice of death, dated 03-Nov-2024.")]
    );
    let formal = death(DeathNotice::Formal, "2024-11-03T00:00:00+00:00");
    stage.pds.put(PatientState { death: Some(formal), ..george() });
    let reply = stage.record(GEORGE).await;
    assert_eq!(merged(&reply)["deceasedDateTime"], "2024-11-03T00:00:00+00:00");
    assert_eq!(notes(&reply), ["deceased-formal"]);
    assert_eq!(told(&reply), Vec::<String>::new());
    described(&stage, "acute-a", &json!({"deceasedBoolean": false}));
    let told = told(&stage.record(GEORGE).await);
    assert_eq!(
        told,
        [
            "deceased: Mersey Royal Hospital records that this patient is alive. PDS holds a formal notice of death, \
          dated 03-Nov-2024."
        ]
    );
}

#[tokio::test]
async fn where_pds_does_not_know_the_birth_date_the_reader_is_told() {
    let stage = Stage::set(Practices::Registered).await;
    stage.pds.put(PatientState { birth_date: None, ..george() });
    let reply = stage.record(GEORGE).await;
    assert_eq!(notes(&reply), ["traced-without-birth-date"]);
    assert_eq!(merged(&reply)["birthDate"], "1953-02-11", "as the first source has it");
}

#[tokio::test]
async fn a_call_that_is_passed_on_is_answered_as_the_gp_system_answers() {
    let stage = Stage::set(Practices::Registered).await;
    described(&stage, "gp", &json!({"birthDate": "1953-11-02"}));
    let reply = stage.relayed("A99901", GEORGE).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("1953-11-02"), "the patient is the GP's");
}
