//! The listener for GP Connect: the certificate proves the system, the unsigned token says for whom.

use serde_json::{Value, json};
use tributary_tests::http;

use crate::pki::{Wants, now};
use crate::scene::{Answer, Line, Plan, Scene};
use crate::signer::part;

const METADATA: &str = "/A99901/STU3/1/gpconnect/structured/fhir/metadata";
const INTERACTION: &str = "urn:nhs:names:services:gpconnect:structured:fhir:rest:read:metadata-1";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

fn claims() -> Value {
    json!({
        "iss": "https://epr.example.test/", "sub": "u-17", "aud": "https://gp.example.test/",
        "iat": now(), "exp": now() + 300,
        "reason_for_request": "directcare", "requested_scope": "organization/*.read",
        "requesting_device": {"resourceType": "Device", "model": "EPR", "version": "1"},
        "requesting_organization": {"resourceType": "Organization", "name": "Mersey Community Trust",
            "identifier": [{"system": ODS, "value": "RZ905"}]},
        "requesting_practitioner": {"resourceType": "Practitioner", "id": "u-17",
            "name": [{"family": "Okoro", "given": ["Ada"]}]},
    })
}

fn unsigned(claims: &Value) -> String {
    format!("Bearer {}.{}.", part(r#"{"alg":"none","typ":"JWT"}"#), part(claims.to_string()))
}

async fn asks(line: &mut Line, token: &str) -> u16 {
    asks_as(line, "200000000305", token).await.status
}

/// Asks with this system id.
async fn asks_as(line: &mut Line, from: &str, token: &str) -> Answer {
    let headers = [
        ("Authorization", token),
        ("Ssp-TraceID", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
        ("Ssp-From", from),
        ("Ssp-To", "200000000205"),
        ("Ssp-InteractionID", INTERACTION),
        ("Accept", "application/fhir+json"),
    ];
    line.ask(METADATA, &headers).await.unwrap()
}

type Change = fn(&mut Value);

const ROWS: &[(&str, u16, Change)] = &[
    ("as it should be", 200, |_| {}),
    ("the other organisation under the system id of the first", 403, |claims| {
        claims["requesting_organization"]["identifier"][0]["value"] = "RZ906".into();
    }),
    ("T04 another's organisation", 403, |claims| {
        claims["requesting_organization"]["identifier"][0]["value"] = "RZ999".into();
    }),
    ("L07 made 200 s ahead", 200, |claims| {
        claims["iat"] = (now() + 200).into();
        claims["exp"] = (now() + 500).into();
    }),
    ("L07 made 600 s ago", 400, |claims| {
        claims["iat"] = (now() - 600).into();
        claims["exp"] = (now() - 300).into();
    }),
    ("L08 301 s long", 400, |claims| claims["exp"] = (claims["iat"].as_u64().unwrap() + 301).into()),
    ("L08 299 s long", 400, |claims| claims["exp"] = (claims["iat"].as_u64().unwrap() + 299).into()),
    ("a role says nothing here", 200, |claims| claims["role"] = "gp".into()),
    ("no organisation", 400, |claims| {
        drop(claims.as_object_mut().unwrap().remove("requesting_organization"));
    }),
    ("an organisation without a code", 422, |claims| {
        claims["requesting_organization"]["identifier"] = json!([]);
    }),
    ("another purpose", 400, |claims| claims["reason_for_request"] = "curiosity".into()),
    ("another person as subject", 400, |claims| claims["sub"] = "u-18".into()),
];

#[tokio::test]
async fn an_unsigned_token_says_what_its_system_may_say() {
    let scene = Scene::set(&Plan::default()).await;
    let shown = scene.usual();
    let mut line = scene.connect_gpconnect(Some(&shown)).await.unwrap();
    for (name, status, change) in ROWS {
        let mut claims = claims();
        change(&mut claims);
        assert_eq!(asks(&mut line, &unsigned(&claims)).await, *status, "{name}");
    }
    // A signed token is none here: it would look like a proof, and nobody would have verified it.
    assert_eq!(asks(&mut line, &scene.bearer(&shown)).await, 400);
    drop(line);
    let records = scene.security_records().await;
    assert_eq!(records.iter().filter(|kind| *kind == "caller-refused").count(), 2, "{records:?}");
}

#[tokio::test]
async fn the_certificate_decides_who_may_call() {
    let scene = Scene::set(&Plan { revoked: vec![13], ..Plan::default() }).await;
    let usual = Wants::default();
    let rows = [
        ("registered", usual.clone(), Some(200)),
        ("registered for this alone", Wants { uris: vec!["urn:x-caller:relay"], ..usual.clone() }, Some(200)),
        (
            "registered for the other listener",
            Wants { uris: vec!["urn:x-caller:other"], ..usual.clone() },
            Some(403),
        ),
        ("unknown", Wants { uris: vec!["urn:x-caller:nobody"], ..usual.clone() }, Some(403)),
        ("revoked", Wants { serial: 13, ..usual.clone() }, None),
        ("expired", Wants { years: (2019, 2020), ..usual.clone() }, None),
        ("no purpose", Wants { purposes: Vec::new(), ..usual }, None),
    ];
    let token = unsigned(&claims());
    for (name, wants, expected) in rows {
        let from = if wants.uris == ["urn:x-caller:relay"] { "200000000307" } else { "200000000305" };
        let shown = scene.callers.issue(&wants);
        let status = match scene.connect_gpconnect(Some(&shown)).await {
            Ok(mut line) => {
                let headers = [("Authorization", token.as_str())];
                let alive = line.ask("/_ping", &headers).await.is_ok();
                if alive { Some(asks_as(&mut line, from, &token).await.status) } else { None }
            }
            Err(_refused) => None,
        };
        assert_eq!(status, expected, "{name}");
    }
    let alone = match scene.connect_gpconnect(None).await {
        Ok(mut line) => line.ask("/_ping", &[]).await.is_ok(),
        Err(_refused) => false,
    };
    assert!(!alone, "nobody comes in without a certificate");
}

/// A system id is held against the certificate: whoever sends another's is refused as the Spine refuses it.
#[tokio::test]
async fn a_system_sends_its_own_id_for_each_organisation() {
    let scene = Scene::set(&Plan::default()).await;
    let caller = |uri| Wants { uris: vec![uri], ..Wants::default() };
    let rows = [
        ("urn:x-caller:epr", "RZ905", "200000000305", 200),
        ("urn:x-caller:epr", "RZ906", "200000000306", 200),
        ("urn:x-caller:relay", "RZ905", "200000000307", 200),
        ("urn:x-caller:epr", "RZ905", "200000000306", 403),
        ("urn:x-caller:epr", "RZ906", "200000000305", 403),
        ("urn:x-caller:epr", "RZ905", "200000000307", 403),
        ("urn:x-caller:relay", "RZ905", "200000000305", 403),
        ("urn:x-caller:epr", "RZ905", "009990000107", 403),
    ];
    for (uri, ods, from, status) in rows {
        let shown = scene.callers.issue(&caller(uri));
        let mut line = scene.connect_gpconnect(Some(&shown)).await.unwrap();
        let mut claims = claims();
        claims["requesting_organization"]["identifier"][0]["value"] = ods.into();
        let answer = asks_as(&mut line, from, &unsigned(&claims)).await;
        assert_eq!(answer.status, status, "{uri} {ods} {from}: {}", answer.body);
        if status == 403 {
            let outcome: Value = serde_json::from_str(&answer.body).unwrap();
            let issue = &outcome["issue"][0];
            assert_eq!(issue["code"], "forbidden");
            assert_eq!(issue["details"]["coding"][0]["code"], "403");
            assert_eq!(issue["diagnostics"], "ASID_CHECK_FAILED_MESSAGESENDER_UNKNOWN");
            assert!(!answer.body.contains(from) && !answer.body.contains("2000000003"), "{}", answer.body);
        }
    }
    let metrics = http::get(scene.running.admin_addr(), "/metrics").await.body;
    assert!(metrics.contains("tributary_logins_total{outcome=\"asid\"} 5\n"), "{metrics}");
    let records = scene.security_records().await;
    assert_eq!(records.iter().filter(|kind| *kind == "caller-refused").count(), 5, "{records:?}");
}

#[tokio::test]
async fn each_listener_speaks_its_own_and_nothing_else() {
    let scene = Scene::set(&Plan::default()).await;
    let shown = scene.usual();
    let mut gpconnect = scene.connect_gpconnect(Some(&shown)).await.unwrap();
    let token = unsigned(&claims());
    for path in ["/sources", "/", "/fhir/R4/metadata", "/fhir/STU3/metadata", "/openapi.yaml", "/nowhere"] {
        let answer = gpconnect.ask(path, &[("Authorization", &token)]).await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(gpconnect.ask("/_ping", &[]).await.unwrap().status, 200);
    let mut native = scene.connect(Some(&shown)).await.unwrap();
    assert_eq!(asks(&mut native, &token).await, 401, "an unsigned token proves nothing");
    assert_eq!(asks(&mut native, &scene.bearer(&shown)).await, 404, "and GP Connect is not here");
}
