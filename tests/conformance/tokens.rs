//! Part 3: what is made of the token, and the order in which a request is checked.

use serde_json::{Value, json};

use crate::consumer::{PRACTICE, Request, SDS_USER, XML, allergies, now, parameters, token, token_header};
use crate::outcome::{refused, refused_naming};
use crate::stand::{Stand, number};

const PATIENT: &str = "patient17";

fn good() -> Request {
    Request::record(&parameters(number(PATIENT), &[allergies(true)]))
}

fn bearing(authorization: &str) -> Request {
    good().with("Authorization", authorization)
}

fn times(issued: i64, expires: i64) -> Request {
    good().claiming("iat", (now() + issued).into()).claiming("exp", (now() + expires).into())
}

/// A good request whose token's resource has another member.
fn within(claim: &str, member: &str, value: Value) -> Request {
    let request = good();
    let mut resource = request.claims[claim].clone();
    resource[member] = value;
    request.claiming(claim, resource)
}

/// What each refused token is answered with, and what the answer names.
fn refusals() -> Vec<(&'static str, Request, u16, &'static str, &'static str)> {
    let whole = token(&token_header(), &good().claims);
    let unsigned = whole.trim_end_matches('.');
    let parts: Vec<&str> = whole.split('.').collect();
    let algorithm = |name: &str| token(&json!({"alg": name, "typ": "JWT"}), &good().claims);
    let (bad, resource) = ("BAD_REQUEST", "INVALID_RESOURCE");
    let mut rows = vec![
        ("no token", good().without("Authorization"), 400, bad, "Authorization"),
        ("not Bearer", bearing(&whole.replace("Bearer", "Basic")), 400, bad, "Authorization"),
        ("no scheme", bearing(whole.trim_start_matches("Bearer ")), 400, bad, "Authorization"),
        ("one part", bearing("Bearer x"), 400, bad, "Authorization"),
        ("two parts", bearing(unsigned), 400, bad, "Authorization"),
        ("four parts", bearing(&format!("{whole}.")), 400, bad, "Authorization"),
        ("not base64url", bearing(&format!("{}.?{}.", parts[0], parts[1])), 400, bad, "Authorization"),
        ("not JSON", bearing(&format!("{}.bm8.", parts[0])), 400, bad, "Authorization"),
        ("not an object", bearing(&format!("{}.W10.", parts[0])), 400, bad, "Authorization"),
        ("padded", bearing(&format!("{}.{}=.", parts[0], parts[1])), 400, bad, "Authorization"),
        ("signed", bearing(&format!("{whole}c2ln")), 400, bad, "Authorization"),
        ("alg RS512", bearing(&algorithm("RS512")), 400, bad, "Authorization"),
        ("alg HS256", bearing(&algorithm("HS256")), 400, bad, "Authorization"),
        ("lives longer", times(0, 301), 400, bad, "exp"),
        ("lives shorter", times(0, 299), 400, bad, "exp"),
        ("ends before it begins", times(0, -300), 400, bad, "exp"),
        ("has expired", times(-600, -300), 400, bad, "exp"),
        ("is of a far future", times(700, 1000), 400, bad, "iat"),
        ("time as text", good().claiming("iat", now().to_string().into()), 400, bad, "iat"),
        ("time as fraction", good().claiming("iat", json!(1.5)), 400, bad, "iat"),
        (
            "organisation scope",
            good().claiming("requested_scope", "organization/*.read".into()),
            400,
            bad,
            "requested_scope",
        ),
        (
            "write scope",
            good().claiming("requested_scope", "patient/*.write".into()),
            400,
            bad,
            "requested_scope",
        ),
        (
            "two scopes",
            good().claiming("requested_scope", "patient/*.read organization/*.read".into()),
            400,
            bad,
            "requested_scope",
        ),
        (
            "no such scope",
            good().claiming("requested_scope", "encounter/*.read".into()),
            400,
            bad,
            "requested_scope",
        ),
        (
            "reason migration",
            good().claiming("reason_for_request", "migration".into()),
            400,
            bad,
            "reason_for_request",
        ),
        (
            "reason secondary uses",
            good().claiming("reason_for_request", "secondaryuses".into()),
            400,
            bad,
            "reason_for_request",
        ),
        ("sub is another person", good().claiming("sub", "u-18".into()), 400, bad, "sub"),
    ];
    for claim in ["requesting_device", "requesting_organization", "requesting_practitioner"] {
        rows.push(("another resource", within(claim, "resourceType", "Basic".into()), 422, resource, claim));
        rows.push(("not FHIR", within(claim, "bogus", 1.into()), 422, resource, claim));
        rows.push(("a text", good().claiming(claim, "Device".into()), 422, resource, claim));
    }
    rows
}

#[tokio::test]
async fn a_wrong_token_is_refused_as_providers_refuse_it() {
    let stand = Stand::of_nobody().await;
    for (what, request, status, code, names) in refusals() {
        refused_naming(&format!("{what}, {names}"), &stand.ask(&request).await, status, code, names);
    }
    for claim in good().claims.as_object().unwrap().keys() {
        for nothing in [Value::Null, "".into(), " ".into(), json!({}), json!([])] {
            let mut request = good();
            if nothing == " " {
                request.claims.as_object_mut().unwrap().remove(claim);
            } else {
                request = request.claiming(claim, nothing.clone());
            }
            let what = format!("{claim} is {nothing}");
            refused_naming(&what, &stand.ask(&request).await, 400, "BAD_REQUEST", claim);
        }
    }
    let practice = Request::foundations("Organization/o1", "read:organization-1");
    let wrong = practice.clone().claiming("requested_scope", "patient/*.read".into());
    refused_naming("scope", &stand.ask(&wrong).await, 400, "BAD_REQUEST", "requested_scope");
    assert_eq!(stand.gp.ask_count(), 0);
    // Without a mistake it arrives.
    stand.ask(&practice).await;
    assert_eq!(stand.gp.ask_count(), 1);
}

#[tokio::test]
async fn what_a_token_may_be_is_accepted() {
    let stand = Stand::usual().await;
    let identified = |system: &str, value: &str| json!([{"system": system, "value": value}]);
    let practitioner = |value: Value| within("requesting_practitioner", "identifier", value);
    let organisation = |value: Value| within("requesting_organization", "identifier", value);
    let accepted = [
        ("as it should be", good()),
        ("made 200 seconds ahead", times(200, 500)),
        ("made 200 seconds ago", times(-200, 100)),
        ("no role profile, no local id", practitioner(identified(SDS_USER, "111222333444"))),
        ("no national id", practitioner(identified(SDS_USER, "UNK"))),
        (
            "old system of organisations",
            organisation(identified("http://fhir.nhs.net/Id/ods-organization-code", "RXX01")),
        ),
        ("another audience", good().claiming("aud", "https://authorize.fhir.nhs.net/token/".into())),
        ("the service root as audience", good().claiming("aud", stand.gp.base_url.clone().into())),
        ("confidentiality N", good().claiming("requested_scope", "patient/*.read conf/N".into())),
        ("names of headers in capitals", good().without("Ssp-From").with("SSP-FROM", "200000000359")),
        ("names of headers in small letters", good().without("Ssp-TraceID").with("ssp-traceid", "t-1")),
    ];
    let rows = accepted.len();
    for (what, request) in accepted {
        let reply = stand.ask(&request).await;
        assert_eq!(reply.status, 200, "{what}: {}", reply.body);
    }
    assert_eq!(stand.gp.ask_count(), rows as u64);
}

type Mistake = (&'static str, fn(Request) -> Request, u16, &'static str);

/// One mistake for each check, in the order of the checks; and what the answer names.
const MISTAKES: &[Mistake] = &[
    ("Ssp-TraceID", |good| good.without("Ssp-TraceID"), 400, "Ssp-TraceID"),
    ("Ssp-From", |good| good.without("Ssp-From"), 400, "Ssp-From"),
    ("Ssp-To", |good| good.with("Ssp-To", "200000000999"), 400, "Ssp-To"),
    ("interaction", |good| good.meaning("fhir:rest:read:patient-1"), 400, "Ssp-InteractionID"),
    ("token", |good| good.without("Authorization"), 400, "Authorization"),
    ("body's type", |good| good.with("Content-Type", "text/plain"), 415, "Content-Type"),
    ("answer's type", |good| good.with("Accept", "text/plain"), 415, "Accept"),
    ("claim", |good| good.claiming("sub", Value::Null), 400, "Authorization: sub"),
    ("body", |good| Request { body: "{".to_owned(), ..good }, 400, "JSON"),
];

#[tokio::test]
async fn of_two_mistakes_the_one_that_is_checked_first_is_told() {
    let stand = Stand::of_nobody().await;
    for (at, (first, spoil, status, names)) in MISTAKES.iter().enumerate() {
        refused_naming(first, &stand.ask(&spoil(good())).await, *status, "BAD_REQUEST", names);
        for (second, spoil_too, _, _) in &MISTAKES[at + 1..] {
            let reply = stand.ask(&spoil(spoil_too(good()))).await;
            let what = format!("{first} and {second}");
            let told = refused(&what, &reply, *status, "BAD_REQUEST");
            // A token that is not there can be told from one whose claim is wrong.
            let is_told = told.contains(names) && (*names != "Authorization" || !told.contains("sub"));
            assert!(is_told, "{what}: {told}");
        }
        let all_from_here =
            MISTAKES[at..].iter().rev().fold(good(), |request, (_, spoil, _, _)| spoil(request));
        refused_naming(first, &stand.ask(&all_from_here).await, *status, "BAD_REQUEST", names);
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn a_wrong_header_is_refused_and_named() {
    let stand = Stand::of_nobody().await;
    let other = "a".repeat(65);
    let rows = [
        ("Ssp-TraceID", vec!["", " ", "not an id", &other]),
        ("Ssp-From", vec!["", "2000", "20000000035x", "2000000003590"]),
        ("Ssp-To", vec!["", "2000", "200000000359"]),
        (
            "Ssp-InteractionID",
            vec!["", " ", "urn:other", "urn:nhs:names:services:gpconnect:fhir:rest:read:patient-2"],
        ),
        ("Authorization", vec![""]),
    ];
    for (name, values) in rows {
        for value in values {
            let request = if value.is_empty() { good().without(name) } else { good().with(name, value) };
            let what = format!("{name}: {value}");
            refused_naming(&what, &stand.ask(&request).await, 400, "BAD_REQUEST", name);
        }
    }
    for (name, value) in
        [("Content-Type", ""), ("Content-Type", "text/plain"), ("Content-Type", XML), ("Accept", XML)]
    {
        let request = if value.is_empty() { good().without(name) } else { good().with(name, value) };
        let what = format!("{name}: {value}");
        refused_naming(&what, &stand.ask(&request).await, 415, "BAD_REQUEST", name);
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn the_interaction_must_fit_verb_and_address() {
    let stand = Stand::of_nobody().await;
    let read = || Request::foundations("Patient/s05", "read:patient-1");
    for interaction in [
        "fhir:rest:search:patient-1",
        "fhir:rest:read:practitioner-1",
        "fhir:rest:read:location-1",
        "structured:fhir:rest:read:metadata-1",
        "documents:fhir:rest:read:binary-1",
        "fhir:operation:gpc.getstructuredrecord-1",
        "fhir:rest:read:patient-1-1",
        "FHIR:REST:READ:PATIENT-1",
    ] {
        let reply = stand.ask(&read().meaning(interaction)).await;
        refused_naming(interaction, &reply, 400, "BAD_REQUEST", "Ssp-InteractionID");
    }
    // A root of one capability is never used for another, and no part of a path changes its case.
    let structured = format!("/{PRACTICE}/STU3/1/gpconnect/structured/fhir");
    for path in [
        format!("{structured}/Patient/s05"),
        format!("/{PRACTICE}/STU3/1/gpconnect/documents/fhir/Patient/s05"),
        format!("/{PRACTICE}/STU3/1/gpconnect/fhir/patient/s05"),
        format!("/{PRACTICE}/STU3/1/gpconnect/fhir/Patient/s05/"),
        format!("/{PRACTICE}/STU3/1/gpconnect/fhir/Patient/s05/Condition"),
        format!("/{PRACTICE}/STU3/1/gpconnect/fhir/Patients/s05"),
        format!("/{PRACTICE}/STU3/1/gpconnect/fhir/"),
    ] {
        refused(&path, &stand.ask(&read().at(&*path)).await, 400, "BAD_REQUEST");
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "POST", "HEAD"] {
        let reply = stand.ask(&Request { method, ..read() }).await;
        assert_eq!(reply.status, 400, "{method}: {}", reply.head);
        if method != "HEAD" {
            refused(method, &reply, 400, "BAD_REQUEST");
        }
    }
    assert_eq!(stand.gp.ask_count(), 0);
    // Without a mistake it arrives.
    stand.ask(&read()).await;
    assert_eq!(stand.gp.ask_count(), 1);
}
