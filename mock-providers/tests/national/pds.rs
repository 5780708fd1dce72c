//! PDS: the order of its checks, the states of a patient, its faults.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mock_providers::{
    AccessTokens, Death, DeathNotice, EndUserOrganisation, ErrorBody, Fault, FaultRule, Grant, Lifetime,
    PatientState, Pds, PdsFault, PdsOptions, PdsPatient, RateLimit, Removal, RemovalReason, Throttle,
    start_pds,
};
use serde_json::{Value, json};
use tributary_model::NhsNumber;

use crate::support::*;

const ROOT: &str = "/personal-demographics/FHIR/R4";
const CODES: &str = "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode";

struct Bench {
    clock: Arc<HandClock>,
    pds: Pds,
}

fn bench() -> Bench {
    started(|options| options)
}

fn started(change: impl FnOnce(PdsOptions) -> PdsOptions) -> Bench {
    let clock = HandClock::new();
    let options = change(PdsOptions::new(clock.shared(), AccessTokens::new(clock.shared())));
    Bench { clock, pds: start_pds(options).unwrap() }
}

impl Bench {
    fn call(&self, nhs_number: &str) -> Call {
        self.call_of(Grant::application(API_KEY), nhs_number)
    }

    fn call_of(&self, grant: Grant, nhs_number: &str) -> Call {
        let token = self.pds.tokens().issue(grant);
        Call::get(&format!("{ROOT}/Patient/{nhs_number}"))
            .with("Authorization", &format!("Bearer {token}"))
            .with("X-Request-ID", REQUEST_ID)
    }

    async fn send(&self, call: &Call) -> Seen {
        call.send(self.pds.provider()).await
    }

    async fn read(&self, patient: PdsPatient) -> Seen {
        self.send(&self.call(patient.nhs_number())).await
    }

    async fn patient(&self, patient: PdsPatient) -> Value {
        let seen = self.read(patient).await;
        assert_eq!(seen.status, 200, "{patient:?}");
        seen.json()
    }
}

fn row(status: u16, severity: &str, issue: &str, code: &str) -> (u16, String, String, String) {
    (status, severity.to_owned(), issue.to_owned(), code.to_owned())
}

fn extension<'v>(holder: &'v Value, name: &str) -> Option<&'v Value> {
    let all = holder["extension"].as_array()?;
    all.iter().find(|one| one["url"].as_str().is_some_and(|url| url.ends_with(name)))
}

fn code_of<'v>(extension: &'v Value, part: &str) -> &'v str {
    let parts = extension["extension"].as_array().unwrap();
    let part = parts.iter().find(|one| one["url"] == part).unwrap();
    part["valueCodeableConcept"]["coding"][0]["code"].as_str().unwrap()
}

#[tokio::test]
async fn a_read_mirrors_its_ids_and_tags_its_version() {
    let bench = bench();
    let call = bench.call(PdsPatient::Unrestricted.nhs_number()).with("X-Correlation-ID", CORRELATION_ID);
    let seen = bench.send(&call).await;
    assert_eq!(seen.status, 200);
    assert_eq!(seen.header("x-request-id"), Some(REQUEST_ID));
    assert_eq!(seen.header("x-correlation-id"), Some(CORRELATION_ID));
    assert!(seen.header("content-type").unwrap().starts_with("application/fhir+json"));
    let patient = seen.json();
    let tag = format!("W/\"{}\"", patient["meta"]["versionId"].as_str().unwrap());
    assert_eq!(seen.header("etag"), Some(tag.as_str()));
    assert_eq!(patient["resourceType"], "Patient");
    assert_eq!(patient["id"], PdsPatient::Unrestricted.nhs_number());
    assert_eq!(patient["meta"]["security"][0]["code"], "U");
    let practice = &patient["generalPractitioner"][0]["identifier"];
    assert_eq!(practice["system"], "https://fhir.nhs.uk/Id/ods-organization-code");
    assert_eq!(practice["value"], PdsPatient::PRACTICE);
    assert_eq!(practice["period"], json!({"start": "2015-04-01"}));
    let ask = &bench.pds.asks()[0];
    assert_eq!(ask.nhs_number.as_deref(), Some(PdsPatient::Unrestricted.nhs_number()));
}

#[tokio::test]
async fn seeded_numbers_are_valid_and_never_issued() {
    for patient in PdsPatient::ALL {
        let number = patient.nhs_number();
        assert!(NhsNumber::parse(number).is_ok() && number.starts_with("999"), "{patient:?}");
        let twins = PdsPatient::ALL.iter().filter(|one| one.nhs_number() == number).count();
        assert_eq!(twins, 1, "{patient:?}");
    }
}

/// Every refusal in the order of the checks, with how to cause it.
type Mistake = (&'static str, (u16, &'static str, &'static str), fn(&Bench, Call) -> Call);

fn token_of(bench: &Bench, scopes: &[&str], call: Call) -> Call {
    let scopes = scopes.iter().map(|one| (*one).to_owned()).collect();
    let grant = Grant { scopes, ..Grant::application("other-key") };
    call.with("Authorization", &format!("Bearer {}", bench.pds.tokens().issue(grant)))
}

const MISTAKES: [Mistake; 6] = [
    ("token", (401, "forbidden", "ACCESS_DENIED"), |_, call| call.without("Authorization")),
    ("scope", (403, "forbidden", "ACCESS_DENIED"), |bench, call| {
        if call.headers.iter().any(|(name, _)| name == "Authorization") {
            return token_of(bench, &["urn:nhsd:apim:app:level3:another-service"], call);
        }
        call
    }),
    ("path", (400, "processing", "UNSUPPORTED_REQUEST"), |_, call| Call {
        path: format!("{}/Nothing", call.path),
        ..call
    }),
    ("request id", (400, "required", "MISSING_VALUE"), |_, call| call.without("X-Request-ID")),
    ("role", (400, "value", "INVALID_VALUE"), |_, call| call.with("NHSD-Session-URID", "none")),
    ("back end", (400, "value", "INVALID_RESOURCE_ID"), |_, call| Call {
        path: call.path.replacen("9999905005", "9999905006", 1),
        ..call
    }),
];

#[tokio::test]
async fn of_two_mistakes_the_earlier_one_is_named() {
    let bench = bench();
    let wrong = Wrong::default();
    let good = || {
        let worker = Grant::healthcare_worker(API_KEY, &["555000000001"]);
        bench.call_of(worker, PdsPatient::Unrestricted.nhs_number())
    };
    assert_eq!(bench.send(&good()).await.status, 200);
    for (at, (name, (status, issue, code), spoil)) in MISTAKES.iter().enumerate() {
        for (later, _, also) in &MISTAKES[at..] {
            let seen = bench.send(&also(&bench, spoil(&bench, good()))).await;
            let wanted = row(*status, "error", issue, code);
            wrong.expect(&format!("{name} before {later}"), &seen.outcome(), &wanted);
            wrong.expect("system", &seen.json()["issue"][0]["details"]["coding"][0]["system"], &json!(CODES));
            wrong.expect("version", &seen.json()["issue"][0]["details"]["coding"][0]["version"], &json!("1"));
        }
    }
    wrong.none();
}

#[tokio::test]
async fn the_rate_comes_after_the_token_and_before_the_scope() {
    let bench = started(|options| PdsOptions {
        limit: RateLimit { quota_per_minute: Some(0), spike_per_minute: None },
        ..options
    });
    let call = bench.call(PdsPatient::Unrestricted.nhs_number());
    assert_eq!(bench.send(&call.clone().without("Authorization")).await.status, 401);
    let wrong_scope = token_of(&bench, &[], call.clone());
    assert_eq!(bench.send(&wrong_scope).await.outcome(), row(429, "error", "value", "TOO_MANY_REQUESTS"));
}

#[tokio::test]
async fn a_quota_fills_a_minute_and_a_spike_a_moment() {
    let limit = RateLimit { quota_per_minute: Some(3), spike_per_minute: Some(900) };
    let bench = started(|options| PdsOptions { limit, ..options });
    let call = bench.call(PdsPatient::Unrestricted.nhs_number());
    let mut texts = Vec::new();
    for (forward, status) in [(0, 200), (66, 429), (1, 200), (67, 200), (67, 429), (59_798, 429), (1, 200)] {
        bench.clock.forward(SignedDuration::from_millis(forward));
        let seen = bench.send(&call).await;
        assert_eq!(seen.status, status, "after {forward} ms: {:?}", bench.pds.asks().len());
        assert_eq!(seen.header("retry-after"), None);
        if status == 429 {
            texts.push(seen.json()["issue"][0]["diagnostics"].clone());
        }
    }
    assert_ne!(texts[0], texts[1], "a burst and a full minute are told apart");
    assert_eq!(texts[1], texts[2]);
    let other = bench.send(&bench.call_of(Grant::application("other-key"), "9999905005")).await;
    assert_eq!(other.status, 200, "each application has its own");
}

#[tokio::test]
async fn tokens_end_and_can_be_withdrawn() {
    let bench = bench();
    let number = PdsPatient::Unrestricted.nhs_number();
    let denied = row(401, "error", "forbidden", "ACCESS_DENIED");
    let call = bench.call(number);
    for header in ["Bearer unknown", "Basic abc", ""] {
        assert_eq!(bench.send(&call.clone().with("Authorization", header)).await.outcome(), denied);
    }
    bench.pds.tokens().revoke_all();
    assert_eq!(bench.send(&call).await.outcome(), denied);
    let user = bench.call_of(Grant::healthcare_worker(API_KEY, &["555000000001"]), number);
    let application = bench.call(number);
    for (seconds, of_user, of_application) in
        [(599, 200, 200), (1, 401, 200), (2999, 401, 200), (1, 401, 401)]
    {
        bench.clock.forward(SignedDuration::from_secs(seconds));
        assert_eq!(bench.send(&user).await.status, of_user, "user");
        assert_eq!(bench.send(&application).await.status, of_application, "application");
    }
}

#[tokio::test]
async fn restricted_mode_neither_writes_nor_searches_widely() {
    let bench = bench();
    let wrong = Wrong::default();
    let read = bench.call(PdsPatient::Unrestricted.nhs_number());
    let search = |query: &str| Call { path: format!("{ROOT}/Patient?family=Mersey{query}"), ..read.clone() };
    let path = |path: &str| Call { path: format!("{ROOT}{path}"), ..read.clone() };
    let cases = [
        ("patch", Call { method: "PATCH", ..read.clone() }, row(403, "error", "forbidden", "INVALID_METHOD")),
        ("post", Call { method: "POST", ..read.clone() }, row(403, "error", "forbidden", "INVALID_METHOD")),
        ("wide", search("&_max-results=50"), row(403, "error", "forbidden", "INVALID_VALUE")),
        ("search", search("&_max-results=1"), row(400, "error", "processing", "UNSUPPORTED_SERVICE")),
        ("metadata", path("/metadata"), row(400, "error", "processing", "UNSUPPORTED_REQUEST")),
        ("root", path(""), row(400, "error", "processing", "UNSUPPORTED_REQUEST")),
        ("no number", path("/Patient/"), row(400, "error", "processing", "UNSUPPORTED_REQUEST")),
        ("short", path("/Patient/999"), row(400, "error", "value", "INVALID_RESOURCE_ID")),
        ("id shape", read.clone().with("X-Request-ID", "1"), row(400, "error", "value", "INVALID_VALUE")),
    ];
    for (name, call, wanted) in cases {
        wrong.expect(name, &bench.send(&call).await.outcome(), &wanted);
    }
    wrong.none();
}

#[tokio::test]
async fn a_role_is_looked_at_only_for_users() {
    let bench = bench();
    let number = PdsPatient::Unrestricted.nhs_number();
    let one = bench.call_of(Grant::healthcare_worker(API_KEY, &["555000000001"]), number);
    let two = bench.call_of(Grant::healthcare_worker(API_KEY, &["555000000001", "555000000002"]), number);
    let application = bench.call(number);
    let cases = [
        ("the only role", one.clone(), 200),
        ("one of several, not said", two.clone(), 400),
        ("one of several", two.with("NHSD-Session-URID", "555000000002"), 200),
        ("of somebody else", one.clone().with("NHSD-Session-URID", "555000000003"), 400),
        ("no digits", one.with("NHSD-Session-URID", "R8000"), 400),
        ("no user", application.with("NHSD-Session-URID", "R8000"), 200),
    ];
    for (name, call, status) in cases {
        assert_eq!(bench.send(&call).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn an_application_of_many_says_for_whom_it_asks() {
    let told = EndUserOrganisation::Told;
    let bench = started(|options| PdsOptions { end_user_organisation: told, ..options });
    let call = bench.call(PdsPatient::Unrestricted.nhs_number());
    assert_eq!(bench.send(&call).await.outcome(), row(400, "error", "required", "MISSING_VALUE"));
    let call = call.with("NHSD-End-User-Organisation-ODS", "RZ901");
    assert_eq!(bench.send(&call).await.status, 200);
}

#[tokio::test]
async fn a_number_that_leads_nowhere_says_why() {
    let bench = bench();
    let unknown = bench.read(PdsPatient::Unknown).await.outcome();
    assert_eq!(unknown, row(404, "information", "not-found", "RESOURCE_NOT_FOUND"));
    let invalidated = bench.read(PdsPatient::Invalidated).await.outcome();
    assert_eq!(invalidated, row(404, "error", "processing", "INVALIDATED_RESOURCE"));
    bench.pds.remove(PdsPatient::Unrestricted.nhs_number());
    assert_eq!(bench.read(PdsPatient::Unrestricted).await.outcome(), unknown);
}

#[tokio::test]
async fn a_superseded_number_is_answered_with_the_new_one() {
    let bench = bench();
    let patient = bench.patient(PdsPatient::Superseded).await;
    assert_eq!(patient["id"], PdsPatient::Successor.nhs_number());
    assert_eq!(patient["identifier"][0]["value"], PdsPatient::Successor.nhs_number());
}

#[tokio::test]
async fn restricted_patients_come_without_a_place() {
    const PLACES: [&str; 4] = ["address", "telecom", "generalPractitioner", "contact"];
    const EXTENSIONS: [&str; 2] = ["NominatedPharmacy", "patient-birthPlace"];
    let bench = bench();
    let open = bench.patient(PdsPatient::Unrestricted).await;
    assert!(PLACES.iter().all(|name| open[name].is_array()));
    assert!(EXTENSIONS.iter().all(|name| extension(&open, name).is_some()));
    let cases = [
        (PdsPatient::Restricted, "R", true),
        (PdsPatient::RestrictedNameless, "R", false),
        (PdsPatient::VeryRestricted, "V", true),
    ];
    for (patient, code, named) in cases {
        let resource = bench.patient(patient).await;
        assert_eq!(resource["meta"]["security"][0]["code"], code);
        assert_eq!(resource["meta"]["security"].as_array().unwrap().len(), 1);
        assert!(PLACES.iter().all(|name| resource.get(name).is_none()), "{patient:?}");
        assert!(EXTENSIONS.iter().all(|name| extension(&resource, name).is_none()), "{patient:?}");
        assert_eq!(resource.get("name").is_some(), named, "{patient:?}");
        assert!(resource["birthDate"].is_string());
    }
}

#[tokio::test]
async fn a_practice_may_be_missing_or_past() {
    let bench = bench();
    assert!(bench.patient(PdsPatient::NoPractice).await.get("generalPractitioner").is_none());
    let ended = bench.patient(PdsPatient::PracticeEnded).await;
    assert_eq!(ended["generalPractitioner"][0]["identifier"]["period"]["end"], "2020-03-31");
    let minimal = bench.patient(PdsPatient::Minimal).await;
    let fields: Vec<&String> = minimal.as_object().unwrap().keys().collect();
    assert_eq!(fields.len(), 4, "{fields:?}");
}

#[tokio::test]
async fn deaths_are_told_with_their_certainty() {
    let bench = bench();
    let cases = [
        (PdsPatient::Deceased, "2024-11-03T00:00:00+00:00", "2"),
        (PdsPatient::DeceasedInformally, "2024-11-03", "1"),
        (PdsPatient::DeceasedYear, "2024", "2"),
        (PdsPatient::DeceasedMonth, "2024-11", "2"),
        (PdsPatient::DeathWithdrawn, "2024-11-03", "U"),
    ];
    for (patient, at, code) in cases {
        let resource = bench.patient(patient).await;
        assert_eq!(resource["deceasedDateTime"], at, "{patient:?}");
        let notice = extension(&resource, "DeathNotificationStatus").unwrap();
        assert_eq!(code_of(notice, "deathNotificationStatus"), code, "{patient:?}");
        let parts = notice["extension"].as_array().unwrap();
        assert!(parts.iter().any(|part| part["url"] == "systemEffectiveDate"));
    }
    let alive = bench.patient(PdsPatient::Unrestricted).await;
    assert!(
        alive.get("deceasedDateTime").is_none() && extension(&alive, "DeathNotificationStatus").is_none()
    );
}

#[tokio::test]
async fn the_number_carries_its_verification() {
    let bench = bench();
    let cases = [
        (PdsPatient::Unrestricted, Some("01")),
        (PdsPatient::Unverified, Some("02")),
        (PdsPatient::VerificationMissing, None),
    ];
    for (patient, wanted) in cases {
        let resource = bench.patient(patient).await;
        let status = extension(&resource["identifier"][0], "NHSNumberVerificationStatus");
        let code = status.map(|one| one["valueCodeableConcept"]["coding"][0]["code"].as_str().unwrap());
        assert_eq!(code, wanted, "{patient:?}");
    }
}

#[tokio::test]
async fn removals_hide_the_reasons_that_are_confidential() {
    let bench = bench();
    let cases = [
        (RemovalReason::Death, "DEA"),
        (RemovalReason::Embarkation, "EMB"),
        (RemovalReason::Scotland, "SCT"),
        (RemovalReason::NorthernIreland, "NIT"),
        (RemovalReason::TemporaryResidentNotReturned, "TRA"),
        (RemovalReason::Other, "ORR"),
        (RemovalReason::ConfidentialAfn, "ORR"),
        (RemovalReason::ConfidentialSdn, "ORR"),
        (RemovalReason::ConfidentialLdn, "ORR"),
    ];
    let number = PdsPatient::Removed.nhs_number();
    for (reason, code) in cases {
        let from = "2023-09-01".parse().unwrap();
        let removal = Some(Removal { reason, from });
        bench.pds.put(PatientState { removal, ..PatientState::registered_at(number, "A99902") });
        let resource = bench.patient(PdsPatient::Removed).await;
        let removal = extension(&resource, "Extension-PDS-RemovalFromRegistration").unwrap();
        assert_eq!(code_of(removal, "removalFromRegistrationCode"), code, "{reason:?}");
        let effective = removal["extension"].as_array().unwrap();
        assert!(effective.iter().any(|part| part["valuePeriod"]["start"].is_string()));
    }
    let hidden = bench.patient(PdsPatient::RemovedConfidentially).await;
    let removal = extension(&hidden, "RemovalFromRegistration").unwrap();
    assert_eq!(code_of(removal, "removalFromRegistrationCode"), "ORR");
}

#[tokio::test]
async fn a_test_seeds_whom_it_likes() {
    let bench = bench();
    let death = Some(Death { at: None, notice: Some(DeathNotice::Informal) });
    bench.pds.put(PatientState { death, version: 7, ..PatientState::registered_at("9990000107", "Y12345") });
    let seen = bench.send(&bench.call("9990000107")).await;
    assert_eq!(seen.header("etag"), Some("W/\"7\""));
    assert_eq!(seen.json()["generalPractitioner"][0]["identifier"]["value"], "Y12345");
    assert!(seen.json().get("deceasedDateTime").is_none());
}

#[tokio::test]
async fn faults_are_told_in_its_words_and_in_its_order() {
    let bench = bench();
    let wrong = Wrong::default();
    let good = bench.call(PdsPatient::Unrestricted.nhs_number());
    let no_id = row(400, "error", "required", "MISSING_VALUE");
    let throttled = row(429, "error", "value", "TOO_MANY_REQUESTS");
    let cases = [
        (PdsFault::AccessDenied, row(401, "error", "forbidden", "ACCESS_DENIED"), None),
        (PdsFault::Throttled(Throttle::Quota), throttled.clone(), None),
        (PdsFault::Throttled(Throttle::SpikeArrest), throttled.clone(), None),
        (PdsFault::Throttled(Throttle::WholeApi), throttled, None),
        (PdsFault::SpineUnreachable, row(408, "error", "timeout", "UNABLE_TO_CALL_SERVICE"), Some(&no_id)),
        (PdsFault::UnknownError, row(500, "error", "exception", "UNKNOWN_ERROR"), Some(&no_id)),
        (PdsFault::Unavailable, row(503, "error", "transient", "SERVICE_UNAVAILABLE"), Some(&no_id)),
        (
            PdsFault::TooManyMatches,
            row(200, "information", "multiple-matches", "TOO_MANY_MATCHES"),
            Some(&no_id),
        ),
    ];
    for (fault, wanted, of_a_bad_request) in cases {
        let name = format!("{fault:?}");
        bench.pds.set_fault(fault, Lifetime::Once);
        let bad = bench.send(&good.clone().without("X-Request-ID")).await;
        wrong.expect(&name, &bad.outcome(), of_a_bad_request.unwrap_or(&wanted));
        bench.pds.set_fault(fault, Lifetime::Once);
        let seen = bench.send(&good).await;
        wrong.expect(&name, &seen.outcome(), &wanted);
        let retry = (fault == PdsFault::Unavailable).then_some("5");
        wrong.expect(&name, &seen.header("retry-after"), &retry);
        wrong.expect(&name, &seen.header("x-request-id"), &Some(REQUEST_ID));
        wrong.expect(&name, &bench.send(&good).await.json()["resourceType"], &json!("Patient"));
    }
    wrong.none();
    bench.pds.set_fault(PdsFault::UnknownError, Lifetime::Standing);
    for _ in 0..2 {
        assert_eq!(bench.send(&good).await.status, 500);
    }
    bench.pds.clear_fault().unwrap();
    assert_eq!(bench.send(&good).await.status, 200);
}

#[tokio::test]
async fn pages_and_delays_come_too() {
    let bench = bench();
    let good = bench.call(PdsPatient::Unrestricted.nhs_number());
    bench.pds.set_fault(PdsFault::Page, Lifetime::Once);
    let page = bench.send(&good).await;
    assert_eq!((page.status, page.header("content-type")), (503, Some("text/html")));
    assert!(page.body.starts_with(b"<html>"));
    bench.pds.provider().set_delay(Duration::from_millis(60));
    let began = Instant::now();
    assert_eq!(bench.send(&good).await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(60));
    let status =
        Fault::Status { status: 503, body: ErrorBody::Html, spine_code: None, retry_after_secs: None };
    let rule = FaultRule::once(status).for_patient(PdsPatient::Restricted.nhs_number());
    bench.pds.provider().set_fault(rule);
    assert_eq!(bench.send(&good).await.status, 200);
    assert_eq!(
        bench.read(PdsPatient::Restricted).await.status,
        503,
        "a fault of the wire may be one patient's"
    );
}
