//! Every answer that the service can give, and what becomes of it.

use super::*;

use tokio::time::{Instant, advance};

use tributary_model::Redacted;
use tributary_model::demographics::{DeathNotice, Demographics};

use crate::national::oauth::TokenError;
use crate::national::stub::{
    Stub, granting, number, outcome, patient, question, received, registered, requester, tokens,
};

const ASKED: &str = "9990000107";
const OTHER: &str = "9990000204";

fn pds_with(service: &Stub, token: Stub, cache_ttl: Option<Duration>) -> Pds {
    let settings = PdsSettings {
        base_url: "https://pds.example.test/personal-demographics/FHIR/R4".parse().unwrap(),
        timeout: Duration::from_secs(2),
        per_second: 5,
        cache_ttl,
    };
    Pds::over(settings, tokens(token), Arc::new(service.clone()))
}

fn pds(service: &Stub) -> Pds {
    pds_with(service, granting(), None)
}

fn always(status: u16, body: &str) -> Stub {
    let body = body.to_owned();
    Stub::new(Duration::from_millis(10), move |_, _| Ok(received(status, &body)))
}

async fn traced(body: &str) -> Result<Traced, PdsFault> {
    pds(&always(200, body)).read(&question(ASKED)).await
}

async fn found(more: &str) -> Patient {
    match traced(&patient(ASKED, "U", more)).await {
        Ok(Traced::Found(found)) => *found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_has_its_headers_and_its_address() {
    let service = always(200, &patient(ASKED, "U", ""));
    pds(&service).read(&question(ASKED)).await.unwrap();
    let asked = &service.seen()[0];
    let base = "https://pds.example.test/personal-demographics/FHIR/R4";
    assert_eq!(asked.url.as_str(), format!("{base}/Patient/{ASKED}"));
    assert_eq!(asked.headers["authorization"], "Bearer t-0");
    assert_eq!(asked.headers["nhsd-end-user-organisation-ods"], "RXX01");
    assert!(tributary_model::RequestId::parse(asked.headers["x-request-id"].to_str().unwrap()).is_some());
    assert!(asked.headers["authorization"].is_sensitive());
}

#[tokio::test(start_paused = true)]
async fn a_patient_is_at_the_practice_of_the_day() {
    let at = Registration::At(OdsCode::parse("A99901").unwrap());
    let cases = [
        ("{}", at.clone()),
        (r#"{"start":"2020-01-01"}"#, at.clone()),
        (r#"{"start":"2020-01-01","end":"2026-03-10"}"#, at.clone()),
        (r#"{"end":"2026-03"}"#, at.clone()),
        (r#"{"end":"2026"}"#, at.clone()),
        (r#"{"end":"2026-03-09"}"#, Registration::Ended),
        (r#"{"end":"2026-02"}"#, Registration::Ended),
        (r#"{"end":"2025"}"#, Registration::Ended),
        (r#"{"end":"2026-03-10T02:09:59Z"}"#, Registration::Ended),
        (r#"{"start":"2026-03-11"}"#, Registration::Ended),
    ];
    for (period, registration) in cases {
        assert_eq!(found(&registered("A99901", period)).await.registration, registration, "{period}");
    }
    assert_eq!(found("").await.registration, Registration::None);
}

#[tokio::test(start_paused = true)]
async fn who_was_removed_is_at_no_practice() {
    let removal = |time: &str| {
        format!(
            r#","extension":[{{"url":"https://fhir.nhs.uk/StructureDefinition/Extension-PDS-RemovalFromRegistration",
            "extension":[{{"url":"removalFromRegistrationCode","valueCodeableConcept":{{"coding":[{{"code":"SCT"}}]}}}}{time}]}}]"#
        )
    };
    let time = |period: &str| format!(r#",{{"url":"effectiveTime","valuePeriod":{period}}}"#);
    let registered = registered("A99901", r#"{"start":"2020-01-01"}"#);
    let registration = async |removal: String| found(&format!("{registered}{removal}")).await.registration;
    assert_eq!(registration(removal("")).await, Registration::Ended);
    assert_eq!(registration(removal(&time(r#"{"start":"2025-01-01"}"#))).await, Registration::Ended);
    let at = Registration::At(OdsCode::parse("A99901").unwrap());
    for holds_not in [
        r#"{"start":"2019-01-01"}"#,
        r#"{"start":"2026-04-01"}"#,
        r#"{"start":"2025-01-01","end":"2025-06-01"}"#,
    ] {
        assert_eq!(registration(removal(&time(holds_not))).await, at, "{holds_not}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_strictest_label_counts() {
    let access = async |label: &str| match traced(&patient(ASKED, label, "")).await {
        Ok(Traced::Found(found)) => found.access,
        other => panic!("{other:?}"),
    };
    assert_eq!(access("U").await, Access::Unrestricted);
    assert_eq!(access("R").await, Access::Restricted);
    for strictest in ["V", "REDACTED", "N", ""] {
        assert_eq!(access(strictest).await, Access::VeryRestricted, "{strictest}");
    }
    let two = patient(ASKED, "U", "").replace(r#"[{"code":"U"}]"#, r#"[{"code":"U"},{"code":"R"}]"#);
    assert!(matches!(traced(&two).await, Ok(Traced::Found(found)) if found.access == Access::Restricted));
    let none = patient(ASKED, "U", "").replace(r#"[{"code":"U"}]"#, "[]");
    assert_eq!(traced(&none).await, Err(PdsFault::Malformed(200)), "no label is no permission");
}

#[tokio::test(start_paused = true)]
async fn a_death_is_told_unless_it_was_taken_back() {
    let status = |code: &str| {
        format!(
            r#","extension":[{{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeathNotificationStatus",
            "extension":[{{"url":"deathNotificationStatus","valueCodeableConcept":{{"coding":[{{"code":"{code}"}}]}}}}]}}]"#
        )
    };
    let on = |date: &str| format!(r#","deceasedDateTime":"{date}""#);
    let death = async |more: String| {
        let death = found(&more).await.person.death?.into_inner();
        Some((death.notice, death.date.map(|date| date.date())))
    };
    for date in ["2025", "2025-11", "2025-11-02", "2025-11-02T00:00:00+00:00"] {
        let told = death(status("2") + &on(date)).await;
        assert_eq!(told, Some((DeathNotice::Formal, tributary_model::FhirDate::parse(date))), "{date}");
    }
    assert_eq!(death(status("1")).await, Some((DeathNotice::Informal, None)));
    assert_eq!(death(on("once")).await, Some((DeathNotice::Informal, None)));
    assert_eq!(death(status("U") + &on("2025")).await, None);
    assert_eq!(death(String::new()).await, None);
}

/// Family and given names, date of birth, gender, lines of the address and postcode.
fn told(person: &Demographics) -> String {
    let name = person.name.as_ref().map(Redacted::expose);
    let name =
        name.map(|name| format!("{}, {} ({})", name.family, name.given.join("+"), name.prefix.join("+")));
    let born = person.birth_date.as_ref().map(|date| date.expose().text().to_owned());
    let gender = person.gender.as_ref().map(|gender| gender.expose().code().to_owned());
    let home = person.address.as_ref().map(Redacted::expose);
    let home =
        home.map(|home| format!("{} {}", home.lines.join("+"), home.postcode.clone().unwrap_or_default()));
    let all = [name, born, gender, home].map(|one| one.unwrap_or_else(|| "-".to_owned()));
    all.join(" | ")
}

#[tokio::test(start_paused = true)]
async fn a_person_is_who_they_are_on_the_day() {
    let told = async |more: &str| told(&found(more).await.person);
    let whole = r#","birthDate":"1953-02-11","gender":"male","name":[
        {"use":"old","family":"Former","given":["G"]},
        {"use":"usual","family":"Past","given":["G"],"period":{"end":"2026-03-09"}},
        {"use":"official","family":"Official","given":["G"]},
        {"use":"usual","family":"Ashworth","given":["George","Albert"],"prefix":["Mr"],"period":{"start":"1953-02-11"}}],
        "address":[{"use":"temp","line":["2 Away"],"postalCode":"L1 1AA"},
        {"use":"home","line":["1 Past"],"period":{"end":"2020-01-01"}},
        {"use":"home","line":["1 Ferry Lane","","Birkenhead"],"postalCode":"CH41 1AA"}]"#;
    assert_eq!(
        told(whole).await,
        "Ashworth, George+Albert (Mr) | 1953-02-11 | male | 1 Ferry Lane+Birkenhead CH41 1AA"
    );
    let cases = [
        ("", "- | - | - | -"),
        (r#","birthDate":"1953","gender":"M""#, "- | 1953 | - | -"),
        (r#","birthDate":"11/02/1953","gender":7"#, "- | - | - | -"),
        (r#","name":[{"use":"old","family":"Former"},{"use":"maiden","family":"Maiden"}]"#, "- | - | - | -"),
        (r#","name":[{"use":"usual","family":"Ash","period":{"end":"soon"}}]"#, "Ash,  () | - | - | -"),
        (r#","name":[{"use":"usual"}],"address":[{"use":"home"}]"#, "- | - | - | -"),
        (r#","name":"x","address":{"use":"home"},"birthDate":{}"#, "- | - | - | -"),
    ];
    for (more, expected) in cases {
        assert_eq!(told(more).await, expected, "{more}");
    }
    let here = found(&registered("A99901", "{}")).await.person;
    assert!(here.practice.is_some_and(|practice| practice.expose().as_str() == "A99901"));
    assert_eq!(found(&registered("A99901", r#"{"end":"2020"}"#)).await.person.practice, None);
}

#[tokio::test(start_paused = true)]
async fn a_number_is_verified_only_if_the_service_says_so() {
    assert!(found("").await.verified);
    for other in [r#""code":"02""#, r#""display":"01""#] {
        let body = patient(ASKED, "U", "").replace(r#""code":"01""#, other);
        assert!(matches!(traced(&body).await, Ok(Traced::Found(found)) if !found.verified), "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_number_is_taken_only_when_it_is_proved() {
    let replaced = traced(&patient(OTHER, "U", "")).await;
    assert!(matches!(replaced, Ok(Traced::Found(found)) if found.number == number(OTHER)));
    let good = patient(OTHER, "U", "");
    let value = format!(r#""value":"{OTHER}""#);
    let id = format!(r#""id":"{OTHER}""#);
    for unproved in [
        good.replace(&value, &format!(r#""value":"{ASKED}""#)),
        good.replace(&id, r#""id":"9990000019""#).replace(&value, r#""value":"9990000019""#),
        good.replace(&id, r#""id":"p1""#),
        good.replace(&id, r#""x":1"#),
        good.replace("https://fhir.nhs.uk/Id/nhs-number", "https://example.test/Id"),
        good.replace(
            r#""identifier":["#,
            r#""identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"},"#,
        ),
    ] {
        assert_eq!(traced(&unproved).await, Err(PdsFault::Unproven), "{unproved}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_clear_answer_is_a_fault() {
    let two = registered("A99901", "{}").replace("}}]", "}}").replace(
        "\"generalPractitioner\":[",
        r#""generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"B99902"}},"#,
    ) + "]";
    let cases = [
        (200, outcome("TOO_MANY_MATCHES"), PdsFault::Malformed(200)),
        (200, "<html>".to_owned(), PdsFault::Malformed(200)),
        (200, r#"{"resourceType":"Patient","id":"#.to_owned(), PdsFault::Malformed(200)),
        (200, patient(ASKED, "U", &registered("a99901", "{}")), PdsFault::Malformed(200)),
        (200, patient(ASKED, "U", &registered("A99901", r#"{"end":"soon"}"#)), PdsFault::Malformed(200)),
        (200, patient(ASKED, "U", r#","generalPractitioner":[{"reference":"x"}]"#), PdsFault::Malformed(200)),
        (200, patient(ASKED, "U", &two), PdsFault::Malformed(200)),
        (404, "<html>".to_owned(), PdsFault::Malformed(404)),
        (404, outcome("NO_RECORD_FOUND"), PdsFault::Malformed(404)),
        (400, outcome("INVALID_RESOURCE_ID"), PdsFault::OurRequest(400)),
        (403, outcome("ACCESS_DENIED"), PdsFault::Denied(403)),
        (429, outcome("TOO_MANY_REQUESTS"), PdsFault::Throttled),
        (408, outcome("UNABLE_TO_CALL_SERVICE"), PdsFault::Failed(408)),
        (500, outcome("UNKNOWN_ERROR"), PdsFault::Failed(500)),
        (503, "<html>".to_owned(), PdsFault::Failed(503)),
        (204, String::new(), PdsFault::Malformed(204)),
        (302, String::new(), PdsFault::Malformed(302)),
    ];
    for (status, body, fault) in cases {
        assert_eq!(pds(&always(status, &body)).read(&question(ASKED)).await, Err(fault), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_number_is_told_apart_from_a_withdrawn_one() {
    let read = async |code: &str| pds(&always(404, &outcome(code))).read(&question(ASKED)).await;
    assert_eq!(read("RESOURCE_NOT_FOUND").await, Ok(Traced::Unknown));
    assert_eq!(read("INVALIDATED_RESOURCE").await, Ok(Traced::Invalidated));
}

/// Fails so often before it answers.
fn failing(times: usize, status: u16) -> Stub {
    Stub::new(Duration::from_millis(10), move |number, _| {
        Ok(if number < times { received(status, "") } else { received(200, &patient(ASKED, "U", "")) })
    })
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_has_the_id_of_the_first() {
    for status in [408, 500, 502, 503] {
        let service = failing(1, status);
        assert!(pds(&service).read(&question(ASKED)).await.is_ok(), "{status}");
        let ids = service.headers("x-request-id");
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1]);
        assert_eq!(pds(&failing(2, status)).read(&question(ASKED)).await, Err(PdsFault::Failed(status)));
    }
    for status in [429, 403, 400, 504] {
        let service = failing(1, status);
        assert!(pds(&service).read(&question(ASKED)).await.is_err());
        assert_eq!(service.seen().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_not_waited() {
    let service = Stub::new(Duration::ZERO, |_, _| {
        Ok(Received { retry_after: Some(Duration::from_secs(5)), ..received(503, "") })
    });
    assert_eq!(pds(&service).read(&question(ASKED)).await, Err(PdsFault::Failed(503)));
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once_and_then_it_is_our_fault() {
    let (service, token) = (failing(1, 401), granting());
    let client = pds_with(&service, token.clone(), None);
    assert!(client.read(&question(ASKED)).await.is_ok());
    assert_eq!(service.headers("authorization"), ["Bearer t-0", "Bearer t-1"]);
    assert_eq!(token.seen().len(), 2);
    let (service, token) = (failing(9, 401), granting());
    let client = pds_with(&service, token.clone(), None);
    for _ in 0..3 {
        assert_eq!(client.read(&question(ASKED)).await, Err(PdsFault::Denied(401)));
    }
    assert_eq!(token.seen().len(), 2, "one renewal, however often the service refuses");
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_asked() {
    let service = always(200, "");
    let token = Stub::new(Duration::ZERO, |_, _| Ok(received(401, r#"{"error":"public_key error"}"#)));
    let fault = pds_with(&service, token, None).read(&question(ASKED)).await.unwrap_err();
    assert_eq!(fault, PdsFault::Token(OauthFault::Refused { http: 401, error: TokenError::PublicKey }));
    assert_eq!(service.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn reads_are_spaced_and_who_cannot_wait_is_told() {
    let service = always(200, &patient(ASKED, "U", ""));
    let client = pds(&service);
    let begun = Instant::now();
    for _ in 0..5 {
        client.read(&question(ASKED)).await.unwrap();
    }
    // The token took 100 ms, four pauses of 210 ms, and the last answer 10 ms.
    assert_eq!(begun.elapsed(), Duration::from_millis(950));
    let throttled = pds(&always(429, ""));
    assert_eq!(throttled.read(&question(ASKED)).await, Err(PdsFault::Throttled));
    let hurried = Locate { deadline: Deadline::after(Duration::from_millis(900)), ..question(ASKED) };
    assert_eq!(throttled.read(&hurried).await, Err(PdsFault::Paced), "a 429 slows everybody down");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_one_person_and_never_if_it_is_restricted() {
    let service = always(200, &patient(ASKED, "U", ""));
    let client = pds_with(&service, granting(), Some(Duration::from_secs(30)));
    let other = Locate { requester: requester("u-18"), ..question(ASKED) };
    for (ask, requests) in [(question(ASKED), 1), (question(ASKED), 1), (other, 2)] {
        client.read(&ask).await.unwrap();
        assert_eq!(service.seen().len(), requests);
    }
    advance(Duration::from_secs(30)).await;
    client.read(&question(ASKED)).await.unwrap();
    assert_eq!(service.seen().len(), 3);
    for body in [patient(ASKED, "R", ""), patient(OTHER, "U", "")] {
        let service = always(200, &body);
        let client = pds_with(&service, granting(), Some(Duration::from_secs(30)));
        for _ in 0..2 {
            client.read(&question(ASKED)).await.unwrap();
        }
        assert_eq!(service.seen().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn no_fault_names_the_patient() {
    let body = format!("{ASKED} George Ashworth");
    for status in [200, 400, 401, 404, 429, 500] {
        let fault = pds(&always(status, &body)).read(&question(ASKED)).await.unwrap_err();
        let shown = format!("{fault} {fault:?}");
        assert!(!shown.contains(ASKED) && !shown.contains("George"), "{shown}");
    }
}
