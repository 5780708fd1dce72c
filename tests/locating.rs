//! Who is asked about a patient: each state of PDS and SDS leads to its outcome over HTTP.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop where it stands"
)]

#[path = "locating/person.rs"]
mod person;
#[path = "locating/stage.rs"]
mod stage;

use mock_providers::{
    Death, DeathNotice, Fault, Lifetime, NumberStanding, PatientState, PdsFault, PdsPatient, Registration,
    SdsFault, Sensitivity, Throttle,
};
use serde_json::json;
use tributary_tests::bundle::Merged;
use tributary_tests::national::{National, Practices, STRUCTURED};
use tributary_tests::{GEORGE, Reply, bearer_of, http, parameters, process, tells};

use stage::{Stage, notes, status_of, statuses, was};

/// A number that George had once.
const FORMER: &str = "9990000301";

#[tokio::test]
async fn the_patients_own_practice_is_asked_and_the_others_are() {
    let stage = Stage::set(Practices::Registered).await;
    let reply = stage.record(GEORGE).await;
    assert_eq!(statuses(&reply).len(), 4);
    assert_eq!(status_of(&reply, "gp"), was("ok", true));
    assert_eq!(notes(&reply), Vec::<String>::new());
    let read = &stage.pds.asks()[0];
    assert_eq!(read.header("NHSD-End-User-Organisation-ODS"), Some("RXY99"));
    assert!(stage.sds.asks().is_empty(), "an entry needs no directory");
    assert_eq!(stage.relayed("A99901", GEORGE).await.status, 200);
    assert_eq!(stage.token.asks().len(), 1, "one token for both");
    let (log, patient) = (stage.log(), format!("\"patient\":{{\"nhs\":\"{GEORGE}\"}}"));
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} is not on record"));
    assert!(place("\"kind\":\"trace\"") < place("\"kind\":\"intent\""), "recorded before it is asked");
    assert!(place("\"kind\":\"trace\"") < place(&patient));
}

#[tokio::test]
async fn about_some_patients_nobody_is_asked_and_the_refusal_is_on_record() {
    let stage = Stage::set(Practices::Registered).await;
    let cases = [
        (PdsPatient::Restricted, 403, "patient-restricted"),
        (PdsPatient::RestrictedNameless, 403, "patient-restricted"),
        (PdsPatient::VeryRestricted, 403, "patient-restricted"),
        (PdsPatient::Unverified, 403, "number-unverified"),
        (PdsPatient::VerificationMissing, 403, "number-unverified"),
        (PdsPatient::Unknown, 404, "number-unknown"),
        (PdsPatient::Invalidated, 404, "number-invalidated"),
    ];
    for (patient, http, denied) in cases {
        let number = patient.nhs_number();
        let reply = stage.record(number).await;
        assert_eq!(reply.status, http, "{patient:?}: {}", reply.body);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome");
        assert!(!reply.body.contains("A99901") && !reply.body.contains(number), "{}", reply.body);
        let relayed = stage.relayed("A99901", number).await;
        let code = &relayed.json()["issue"][0]["details"]["coding"][0]["code"];
        assert_eq!((relayed.status, code), (404, &json!("PATIENT_NOT_FOUND")), "{patient:?}");
        assert!(stage.log().contains(&format!("\"denied\":\"{denied}\"")), "{denied}");
    }
    stage.nobody_was_asked();
}

#[tokio::test]
async fn a_patient_who_becomes_restricted_is_restricted_at_once() {
    let stage = Stage::with(Practices::Found, "cache_ttl_secs = 60").await;
    let restricted = PatientState {
        sensitivity: Sensitivity::Restricted,
        ..PatientState::registered_at(GEORGE, "A99901")
    };
    stage.pds.put(restricted);
    assert_eq!(stage.record(GEORGE).await.status, 403);
    assert_eq!(stage.record(GEORGE).await.status, 403);
    assert_eq!(stage.pds.asks().len(), 2, "never from memory");
    stage.nobody_was_asked();
    assert!(stage.sds.asks().is_empty());
}

#[tokio::test]
async fn without_a_practice_the_gp_part_is_told_as_missing() {
    let stage = Stage::set(Practices::Registered).await;
    let george = PatientState::registered_at(GEORGE, "A99901");
    // Whoever has a name and a date of birth has George's.
    let own = |known: Option<PatientState>| {
        let known = known.expect("a state");
        PatientState {
            nhs_number: GEORGE.to_owned(),
            name: known.name.as_ref().and_then(|_| george.name.clone()),
            birth_date: known.birth_date.as_ref().and_then(|_| george.birth_date.clone()),
            ..known
        }
    };
    for patient in [
        PdsPatient::NoPractice,
        PdsPatient::PracticeEnded,
        PdsPatient::Removed,
        PdsPatient::RemovedConfidentially,
        PdsPatient::Minimal,
    ] {
        stage.pds.put(own(patient.state()));
        let reply = stage.record(GEORGE).await;
        assert_eq!(status_of(&reply, "gp-unlocated"), was("not-queried", false), "{patient:?}");
        assert_eq!(status_of(&reply, "acute-a").0, "ok");
        // A GP record may exist somewhere: nothing may be said to be absent.
        assert!(!Merged::of(reply.json()).allergy_label().starts_with("No known"));
        assert_eq!(stage.relayed("A99901", GEORGE).await.status, 404, "{patient:?}");
    }
    assert!(!stage.asked().contains_key("gp"));
}

#[tokio::test]
async fn a_practice_that_nobody_can_ask_is_named() {
    let stage = Stage::set(Practices::Neither).await;
    let reply = stage.record(GEORGE).await;
    assert_eq!(status_of(&reply, "gp-a99901"), was("not-queried", false));
    assert!(reply.body.contains("GP practice A99901 was not asked"), "{}", reply.body);
    assert_eq!(stage.relayed("A99901", GEORGE).await.status, 404);
    assert!(!stage.asked().contains_key("gp"));
}

#[tokio::test]
async fn without_pds_no_practice_is_guessed() {
    let stage = Stage::set(Practices::Registered).await;
    for fault in [
        PdsFault::AccessDenied,
        PdsFault::Throttled(Throttle::Quota),
        PdsFault::Page,
        PdsFault::SpineUnreachable,
        PdsFault::UnknownError,
        PdsFault::Unavailable,
        PdsFault::TooManyMatches,
    ] {
        // A 429 keeps everybody away for a second; a broker of its own does not wait for it.
        let stage = if matches!(fault, PdsFault::Throttled(_)) {
            &Stage::set(Practices::Registered).await
        } else {
            &stage
        };
        stage.pds.set_fault(fault, Lifetime::Standing);
        let reply = stage.record(GEORGE).await;
        assert_eq!(status_of(&reply, "gp-unlocated"), was("unavailable", false), "{fault:?}");
        assert_eq!(status_of(&reply, "acute-a").0, "ok");
        let relayed = stage.relayed("A99901", GEORGE).await;
        assert_eq!(relayed.status, 503, "{fault:?}");
        assert!(relayed.header("Retry-After").is_some());
        assert!(!stage.asked().contains_key("gp"), "{fault:?}");
    }
    stage.pds.clear_fault().expect("pds again");
    stage.pds.provider().stop();
    assert_eq!(status_of(&stage.record(GEORGE).await, "gp-unlocated"), was("unavailable", false));
}

#[tokio::test]
async fn a_fault_of_pds_that_passes_is_not_noticed() {
    for fault in [PdsFault::SpineUnreachable, PdsFault::UnknownError] {
        let stage = Stage::set(Practices::Registered).await;
        stage.pds.set_fault(fault, Lifetime::Once);
        assert_eq!(status_of(&stage.record(GEORGE).await, "gp"), was("ok", true), "{fault:?}");
        let ids: Vec<_> =
            stage.pds.asks().iter().map(|ask| ask.header("X-Request-ID").map(str::to_owned)).collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1], "{fault:?}");
    }
}

#[tokio::test]
async fn a_token_that_was_withdrawn_is_replaced_once() {
    let stage = Stage::set(Practices::Registered).await;
    assert_eq!(stage.record(GEORGE).await.status, 200);
    stage.token.tokens().revoke_all();
    assert_eq!(status_of(&stage.record(GEORGE).await, "gp"), was("ok", true));
    assert_eq!(stage.token.asks().len(), 2);
    assert_eq!(stage.pds.asks().len(), 3);
}

#[tokio::test]
async fn a_replaced_number_is_followed_told_and_on_record() {
    let stage = Stage::set(Practices::Registered).await;
    let former = PatientState {
        standing: NumberStanding::SupersededBy(GEORGE.to_owned()),
        ..PatientState::registered_at(FORMER, "A99901")
    };
    stage.pds.put(former);
    let reply = stage.record(FORMER).await;
    assert_eq!(status_of(&reply, "gp"), was("ok", true));
    assert_eq!(notes(&reply), ["superseded-number"]);
    assert!(!reply.body.contains(FORMER), "the record is the present number's");
    for provider in stage.federation.providers() {
        assert!(
            provider.asks().iter().all(|ask| ask.nhs_number.as_deref().is_none_or(|asked| asked == GEORGE))
        );
    }
    assert!(stage.log().contains(&format!("\"patient\":{{\"nhs\":\"{GEORGE}\",\"asked_as\":\"{FORMER}\"}}")));
    assert_eq!(stage.relayed("A99901", FORMER).await.status, 200);
}

#[tokio::test]
async fn a_death_is_told_and_keeps_nobody_from_asking() {
    let stage = Stage::set(Practices::Registered).await;
    let cases = [
        (Some(DeathNotice::Formal), Some("2025-11"), vec!["deceased-formal"]),
        (Some(DeathNotice::Informal), None, vec!["deceased-informal"]),
        (None, Some("2025"), vec!["deceased-informal"]),
        (Some(DeathNotice::Withdrawn), Some("2025-11-02"), vec![]),
    ];
    for (notice, at, told) in cases {
        let death = Some(Death { at: at.map(str::to_owned), notice });
        stage.pds.put(PatientState { death, ..PatientState::registered_at(GEORGE, "A99901") });
        let reply = stage.record(GEORGE).await;
        assert_eq!(status_of(&reply, "gp"), was("ok", true));
        assert_eq!(notes(&reply), told);
    }
}

#[tokio::test]
async fn a_practice_without_an_entry_is_found_and_asked_like_any_other() {
    let (stage, usual) = (Stage::set(Practices::Found).await, Stage::set(Practices::Registered).await);
    let reply = stage.record(GEORGE).await;
    assert_eq!(status_of(&reply, "gp-a99901"), was("ok", true));
    let registered = usual.record(GEORGE).await;
    let lines = |reply: &Reply| Merged::of(reply.json()).lines().len();
    assert_eq!(lines(&reply), lines(&registered));
    assert_eq!(stage.sds.asks().len(), 2);
    assert_eq!(stage.sds.asks()[0].header("apikey"), Some("sds-key-1"));
    let relayed = stage.relayed("A99901", GEORGE).await;
    assert_eq!((relayed.status, &relayed.json()["resourceType"]), (200, &json!("Bundle")));
    assert_eq!(stage.relayed("B99902", GEORGE).await.status, 404, "not the patient's practice");
    let metrics = stage.metrics().await;
    let counted = "tributary_source_asks_total{kind=\"gp\",source=\"gp-practice\",status=\"ok\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(!metrics.to_lowercase().contains("a99901"), "no practice is a label");
}

#[tokio::test]
async fn every_capability_of_a_found_practice_is_reached_at_its_own_root() {
    let stage = Stage::set(Practices::Found).await;
    let former = PatientState {
        standing: NumberStanding::SupersededBy(GEORGE.to_owned()),
        ..PatientState::registered_at(FORMER, "A99901")
    };
    stage.pds.put(former);
    for (capability, searches) in [("foundations", 2), ("documents", 4)] {
        for number in [GEORGE, FORMER] {
            let reply = stage.searched(capability, number).await;
            assert_eq!(reply.status, 200, "{capability}: {}", reply.body);
            let patient = &reply.json()["entry"][0]["resource"];
            assert_eq!(patient["resourceType"], "Patient");
            assert!(patient.to_string().contains(GEORGE) && !reply.body.contains(FORMER));
        }
        assert_eq!(stage.sds.asks().len(), searches, "{capability}: one look-up, for the present number");
        let barred = stage.searched(capability, PdsPatient::Restricted.nhs_number()).await;
        assert_eq!(barred.status, 404);
    }
}

#[tokio::test]
async fn what_was_found_is_for_one_person_and_one_patient() {
    let stage = Stage::set(Practices::Found).await;
    stage.pds.put(PatientState::registered_at("9990000204", "A99901"));
    let looks = [("u-1", GEORGE, 2), ("u-1", GEORGE, 2), ("u-2", GEORGE, 4), ("u-1", "9990000204", 6)];
    for (user, number, searches) in looks {
        stage.record_for(user, number).await;
        assert_eq!(stage.sds.asks().len(), searches, "{user}");
    }
}

#[tokio::test]
async fn a_practice_that_the_directory_does_not_confirm_is_unavailable() {
    for fault in [SdsFault::Nothing, SdsFault::InternalError, SdsFault::GatewayTimeout, SdsFault::DeadHost] {
        let stage = Stage::set(Practices::Found).await;
        stage.sds.set_fault(fault.clone(), Lifetime::Standing);
        let reply = stage.record(GEORGE).await;
        assert_eq!(status_of(&reply, "gp-a99901"), was("unavailable", false), "{fault:?}");
        assert_eq!(status_of(&reply, "acute-a").0, "ok");
        let http = if fault == SdsFault::DeadHost { 502 } else { 503 };
        assert_eq!(stage.relayed("A99901", GEORGE).await.status, http, "{fault:?}");
        assert!(!stage.asked().contains_key("gp"));
    }
    let stage = Stage::set(Practices::Found).await;
    stage.sds.register(
        Registration::new("A99901", "200000000206").answers(STRUCTURED, "http://127.0.0.1:9/other"),
    );
    assert_eq!(status_of(&stage.record(GEORGE).await, "gp-a99901"), was("unavailable", false), "two systems");
    stage.nobody_at_the_practice_was_asked();
}

#[tokio::test]
async fn a_system_with_a_double_is_told_apart_by_its_party_key() {
    let stage = Stage::set(Practices::Found).await;
    stage.sds.set_fault(SdsFault::Ambiguous, Lifetime::Standing);
    assert_eq!(status_of(&stage.record(GEORGE).await, "gp-a99901"), was("ok", true));
}

#[tokio::test]
async fn an_address_where_nobody_listens_any_more_is_looked_up_again() {
    let stage = Stage::set(Practices::Found).await;
    stage.sds.set_fault(SdsFault::StaleAddress(stage.sds.dead_address()), Lifetime::Standing);
    let reply = stage.record(GEORGE).await;
    assert_eq!(status_of(&reply, "gp-a99901"), was("ok", true));
    let past: Vec<_> =
        stage.sds.asks().iter().map(|ask| ask.header("Cache-Control").map(str::to_owned)).collect();
    let fresh = Some("no-cache".to_owned());
    assert_eq!(past, [None, None, fresh.clone(), fresh]);
}

#[tokio::test]
async fn an_empty_answer_of_the_directory_is_asked_for_again() {
    let stage = Stage::set(Practices::Found).await;
    stage.sds.set_fault(SdsFault::Nothing, Lifetime::Once);
    assert_eq!(status_of(&stage.record(GEORGE).await, "gp-a99901"), was("ok", true));
}

#[tokio::test]
async fn an_address_that_may_not_be_asked_is_not_asked() {
    let stage = Stage::set(Practices::Found).await;
    let gp = stage.federation.source_facts()[0].base_url.clone();
    stage.sds.unregister("200000000205");
    for address in
        ["http://169.254.169.254/latest", &gp.replace("http://", "http://user@"), &format!("{gp}?x=1")]
    {
        stage.sds.register(Registration::new("A99901", "200000000205").answers(STRUCTURED, address));
        let reply = stage.record_for(address, GEORGE).await;
        assert_eq!(status_of(&reply, "gp-a99901"), was("unavailable", false), "{address}");
    }
    stage.nobody_at_the_practice_was_asked();
}

#[tokio::test]
async fn a_silent_pds_leaves_the_others_half_of_the_time() {
    let stage = Stage::set(Practices::Registered).await;
    assert_eq!(stage.record(GEORGE).await.status, 200, "with a token");
    stage.pds.provider().set_fault(Fault::HangBeforeHead);
    let token = bearer_of("u-1");
    let headers = [("Authorization", token.as_str()), ("Tributary-Deadline-Ms", "1500")];
    let body = parameters(GEORGE, &[]);
    let path = "/fhir/R4/Patient/$record";
    let address = stage.running.data_addr();
    let reply = http::post(address, path, "application/fhir+json", &body, &headers).await;
    assert_eq!(status_of(&reply, "gp-unlocated"), was("unavailable", false));
    assert_eq!(status_of(&reply, "acute-a").0, "ok");
}

#[tokio::test]
async fn a_slow_directory_costs_the_others_nothing() {
    let stage = Stage::set(Practices::Found).await;
    stage.sds.provider().set_fault(Fault::HangBeforeHead);
    let reply = stage.record(GEORGE).await;
    assert_eq!(status_of(&reply, "acute-a").0, "ok");
    assert_eq!(status_of(&reply, "gp-a99901").0, "unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_patient_or_a_secret_is_logged() {
    let national = National::start(Practices::Found).await;
    let former = PatientState {
        standing: NumberStanding::SupersededBy(GEORGE.to_owned()),
        ..PatientState::registered_at(FORMER, "A99901")
    };
    national.pds.put(former);
    let (dir, text) = (national.dir.path(), national.configuration(""));
    let broker = tokio::task::block_in_place(|| process::Process::serve(dir, &text));
    let ask = async |number: &str| {
        let body = parameters(number, &[]);
        let path = "/fhir/R4/Patient/$record";
        http::post(broker.data, path, "application/fhir+json", &body, &[]).await.status
    };
    let restricted = PdsPatient::Restricted.nhs_number();
    assert_eq!([ask(GEORGE).await, ask(FORMER).await, ask(restricted).await], [200, 200, 403]);
    national.sds.set_fault(SdsFault::Nothing, Lifetime::Standing);
    for fault in
        [PdsFault::Page, PdsFault::UnknownError, PdsFault::AccessDenied, PdsFault::Throttled(Throttle::Quota)]
    {
        national.pds.set_fault(fault, Lifetime::Standing);
        assert_eq!(ask(GEORGE).await, 200, "{fault:?}");
    }
    let log = broker.log_text();
    assert!(log.contains("the patient could not be traced"), "{log}");
    let token = national.pds.asks()[0].header("Authorization").expect("a token").replace("Bearer ", "");
    let person = ["Ashworth", "ASHWORTH", "George", "1953", "19530211", "CH41", "Ferry Lane"];
    let secrets = [GEORGE, FORMER, restricted, token.as_str(), "sds-key-1", "client_assertion"];
    for secret in secrets.into_iter().chain(person) {
        assert!(!tells(&log, secret), "{secret}");
    }
}
