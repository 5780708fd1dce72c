//! SDS: parameters, shapes, refusals, faults, the cache before it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use mock_providers::{
    Lifetime, ProxyCache, RateLimit, Registration, Sds, SdsFault, SdsOptions, Throttle, start_sds,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::*;

const ROOT: &str = "/spine-directory/FHIR/R4";
const STRUCTURED: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";
const DOCUMENTS: &str = "urn:nhs:names:services:gpconnect:documents:fhir:rest:search:patient-1";
const ADDRESS: &str = "https://gp.example.test/A99901/STU3/1/gpconnect/structured/fhir";
const ASID: &str = "200000000205";
const PARTY_KEY: &str = "A99901-000205";

struct Bench {
    clock: Arc<HandClock>,
    sds: Sds,
}

fn bench() -> Bench {
    started(|options| options)
}

fn started(change: impl FnOnce(SdsOptions) -> SdsOptions) -> Bench {
    let clock = HandClock::new();
    let options = change(SdsOptions { clock: clock.shared(), ..SdsOptions::default() });
    let sds = start_sds(options).unwrap();
    sds.register(practice());
    sds.register(Registration::new("RZ901", "200000000359").consumes(STRUCTURED));
    Bench { clock, sds }
}

fn practice() -> Registration {
    Registration::new("A99901", ASID)
        .answers(STRUCTURED, ADDRESS)
        .answers(DOCUMENTS, "https://gp.example.test/A99901/STU3/1/gpconnect/documents/fhir")
}

fn org(code: &str) -> String {
    format!("organization=https://fhir.nhs.uk/Id/ods-organization-code%7C{code}")
}

fn urn(urn: &str) -> String {
    format!("identifier=https://fhir.nhs.uk/Id/nhsServiceInteractionId|{urn}")
}

fn key(key: &str) -> String {
    format!("identifier=https://fhir.nhs.uk/Id/nhsMhsPartyKey|{key}")
}

fn maker(code: &str) -> String {
    format!("manufacturing-organization=https://fhir.nhs.uk/Id/ods-organization-code|{code}")
}

fn call(kind: &str, parameters: &[String]) -> Call {
    Call::get(&format!("{ROOT}/{kind}?{}", parameters.join("&")))
        .with("apikey", "key")
        .with("Accept", "application/fhir+json")
}

fn device() -> Call {
    call("Device", &[org("A99901"), urn(STRUCTURED)])
}

fn endpoint() -> Call {
    call("Endpoint", &[org("A99901"), urn(STRUCTURED)])
}

impl Bench {
    async fn send(&self, call: &Call) -> Seen {
        call.send(self.sds.provider()).await
    }

    async fn found(&self, call: &Call) -> Vec<Value> {
        let seen = self.send(call).await;
        assert_eq!(seen.status, 200, "{}", String::from_utf8_lossy(&seen.body));
        let bundle = seen.json();
        assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("searchset")));
        assert_eq!(bundle["link"][0]["relation"], "self");
        let entries = bundle["entry"].as_array().unwrap();
        assert_eq!(bundle["total"], entries.len());
        assert!(entries.iter().all(|entry| entry["search"]["mode"] == "match"));
        entries.iter().map(|entry| entry["resource"].clone()).collect()
    }

    async fn addresses(&self, call: &Call) -> Vec<String> {
        let found = self.found(call).await;
        found.iter().map(|one| one["address"].as_str().unwrap().to_owned()).collect()
    }
}

fn identifier<'v>(resource: &'v Value, name: &str) -> &'v str {
    let system = format!("https://fhir.nhs.uk/Id/{name}");
    let all = resource["identifier"].as_array().unwrap();
    all.iter().find(|one| one["system"] == system.as_str()).unwrap()["value"].as_str().unwrap()
}

/// The values of an extension that refers to something by identifier.
fn referred<'v>(resource: &'v Value, name: &str) -> Vec<&'v str> {
    let url = format!("https://fhir.nhs.uk/StructureDefinition/Extension-SDS-{name}");
    let all = resource["extension"].as_array().unwrap().iter().filter(|one| one["url"] == url.as_str());
    all.map(|one| one["valueReference"]["identifier"]["value"].as_str().unwrap()).collect()
}

fn row(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_device_tells_the_asid() {
    let bench = bench();
    let found = bench.found(&device()).await;
    let [device] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(device["resourceType"], "Device");
    assert_eq!(identifier(device, "nhsSpineASID"), ASID);
    assert_eq!(identifier(device, "nhsMhsPartyKey"), PARTY_KEY);
    assert_eq!(device["owner"]["identifier"]["value"], "A99901");
    assert_eq!(referred(device, "ManufacturingOrganisation"), ["YGM99"]);
    assert_eq!(referred(device, "NhsServiceInteractionId").len(), 2, "all it answers");
    let ask = &bench.sds.asks()[0];
    assert_eq!(ask.parameter("organization"), Some("https://fhir.nhs.uk/Id/ods-organization-code|A99901"));
}

#[tokio::test]
async fn an_endpoint_tells_the_address_and_each_address_is_one() {
    let bench = bench();
    let found = bench.found(&endpoint()).await;
    let [endpoint_found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(endpoint_found["resourceType"], "Endpoint");
    assert_eq!(endpoint_found["address"], ADDRESS);
    assert_eq!(endpoint_found["status"], "active");
    assert_eq!(endpoint_found["connectionType"]["code"], "hl7-fhir-msg");
    assert_eq!(endpoint_found["payloadType"][0]["coding"][0]["code"], "any");
    assert_eq!(endpoint_found["managingOrganization"]["identifier"]["value"], "A99901");
    assert_eq!(identifier(endpoint_found, "nhsMhsPartyKey"), PARTY_KEY);
    assert_eq!(identifier(endpoint_found, "nhsMhsFQDN"), "gp.example.test");
    assert!(!identifier(endpoint_found, "nhsMhsCPAId").is_empty());
    assert!(!identifier(endpoint_found, "nhsMHSId").is_empty());
    assert_eq!(referred(endpoint_found, "NhsServiceInteractionId"), [STRUCTURED]);
    let reliability = "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-ReliabilityConfiguration";
    let extensions = endpoint_found["extension"].as_array().unwrap();
    assert!(extensions.iter().any(|one| one["url"] == reliability));
    bench.sds.register(practice().answers(STRUCTURED, "https://second.example.test/"));
    assert_eq!(bench.addresses(&endpoint()).await, [ADDRESS, "https://second.example.test/"]);
}

#[tokio::test]
async fn ids_are_new_in_every_answer() {
    let bench = bench();
    for call in [device(), endpoint()] {
        let ids = [bench.found(&call).await[0]["id"].clone(), bench.found(&call).await[0]["id"].clone()];
        assert_ne!(ids[0], ids[1]);
    }
}

#[tokio::test]
async fn parameters_narrow_and_combine() {
    let bench = bench();
    let found = [
        ("Device", vec![org("A99901"), urn(STRUCTURED)], 1),
        ("Device", vec![org("A99901"), urn(STRUCTURED), key(PARTY_KEY)], 1),
        ("Device", vec![org("A99901"), urn(STRUCTURED), key("A99901-000001")], 0),
        ("Device", vec![org("A99901"), urn(STRUCTURED), maker("YGM99")], 1),
        ("Device", vec![org("A99901"), urn(STRUCTURED), maker("YGM98")], 0),
        ("Device", vec![org("A99902"), urn(STRUCTURED)], 0),
        ("Device", vec![org("RZ901"), urn(STRUCTURED)], 1),
        ("Device", vec![org("RZ901"), urn(DOCUMENTS)], 0),
        ("Endpoint", vec![org("A99901"), urn(STRUCTURED), key(PARTY_KEY)], 1),
        ("Endpoint", vec![org("A99901"), key(PARTY_KEY)], 2),
        ("Endpoint", vec![org("A99901"), urn(DOCUMENTS)], 1),
        ("Endpoint", vec![urn(STRUCTURED), key(PARTY_KEY)], 1),
        ("Endpoint", vec![org("RZ901"), urn(STRUCTURED)], 0),
        ("Endpoint", vec![urn(STRUCTURED), key("A99901-000001")], 0),
    ];
    let wrong = Wrong::default();
    for (kind, parameters, count) in found {
        wrong.expect(
            &format!("{kind} {parameters:?}"),
            &bench.found(&call(kind, &parameters)).await.len(),
            &count,
        );
    }
    wrong.none();
}

#[tokio::test]
async fn every_refusal_has_its_row() {
    let bench = bench();
    let wrong = Wrong::default();
    let good = device();
    let path = |path: &str| Call { path: format!("{ROOT}{path}"), ..good.clone() };
    let with = |more: &str| call("Device", &[org("A99901"), urn(STRUCTURED), more.to_owned()]);
    let bad = || row(400, "BAD_REQUEST");
    let cases = [
        ("no key", good.clone().without("apikey"), row(401, "ACCESS_DENIED")),
        ("device, no organisation", call("Device", &[urn(STRUCTURED)]), bad()),
        ("device, no interaction", call("Device", &[org("A99901")]), bad()),
        ("device, party key only", call("Device", &[org("A99901"), key(PARTY_KEY)]), bad()),
        ("endpoint, organisation alone", call("Endpoint", &[org("A99901")]), bad()),
        ("endpoint, interaction alone", call("Endpoint", &[urn(STRUCTURED)]), bad()),
        ("endpoint, party key alone", call("Endpoint", &[key(PARTY_KEY)]), bad()),
        ("nothing", path("/Endpoint"), bad()),
        ("unknown parameter", with("_count=5"), bad()),
        ("unknown system", with("identifier=https://fhir.nhs.uk/Id/other|1"), bad()),
        ("no system", with("identifier=A99901-000205"), bad()),
        ("empty value", with("identifier=https://fhir.nhs.uk/Id/nhsMhsPartyKey|"), bad()),
        ("maker of an endpoint", call("Endpoint", &[org("A99901"), urn(STRUCTURED), maker("YGM99")]), bad()),
        ("correlation id", good.clone().with("X-Correlation-Id", "not-a-uuid"), bad()),
        ("accept", good.clone().with("Accept", "application/xml"), row(406, "MISSING_OR_INVALID_HEADER")),
        ("post", Call { method: "POST", ..good.clone() }, row(405, "NOT_IMPLEMENTED")),
        ("delete", Call { method: "DELETE", ..good.clone() }, row(405, "NOT_IMPLEMENTED")),
        ("path", path("/Organization"), row(404, "NO_RECORD_FOUND")),
        ("below", path("/Device/1"), row(404, "NO_RECORD_FOUND")),
    ];
    for (name, call, wanted) in cases {
        let seen = bench.send(&call).await;
        let (status, severity, issue, code) = seen.outcome();
        wrong.expect(name, &(status, code), &wanted);
        wrong.expect(name, &severity.as_str(), &"error");
        wrong.expect(name, &(issue == "required"), &(wanted.0 == 400));
        let body = seen.json();
        let system = &body["issue"][0]["details"]["coding"][0]["system"];
        wrong.expect(name, system, &json!("https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1"));
        wrong.expect(name, &body["id"].as_str(), &seen.header("x-correlation-id"));
        wrong.expect(name, &seen.header("allow"), &(status == 405).then_some("GET"));
    }
    wrong.none();
}

#[tokio::test]
async fn correlation_ids_are_mirrored_or_made() {
    let bench = bench();
    let seen = bench.send(&device().with("X-Correlation-Id", CORRELATION_ID)).await;
    assert_eq!((seen.status, seen.header("x-correlation-id")), (200, Some(CORRELATION_ID)));
    let made = bench.send(&device()).await;
    assert_eq!(made.header("x-correlation-id").map(str::len), Some(36));
    let refused = call("Device", &[org("A99901")]).with("X-Correlation-Id", CORRELATION_ID);
    assert_eq!(bench.send(&refused).await.json()["id"], CORRELATION_ID);
}

#[tokio::test]
async fn three_media_types_are_given() {
    let bench = bench();
    for accept in ["application/json", "*/*", "text/html, application/fhir+json;q=0.9"] {
        assert_eq!(bench.send(&device().with("Accept", accept)).await.status, 200, "{accept}");
    }
    assert_eq!(bench.send(&device().without("Accept")).await.status, 200);
}

#[tokio::test]
async fn a_key_may_be_the_only_one() {
    let bench = started(|options| SdsOptions { api_key: Some("right".to_owned()), ..options });
    assert_eq!(bench.send(&device()).await.status, 401);
    assert_eq!(bench.send(&device().with("apikey", "right")).await.status, 200);
}

#[tokio::test]
async fn two_systems_can_answer_and_the_party_key_tells_them_apart() {
    let bench = bench();
    let narrowed = call("Device", &[org("A99901"), urn(STRUCTURED), key(PARTY_KEY)]);
    bench.sds.set_fault(SdsFault::Ambiguous, Lifetime::Standing);
    let found = bench.found(&device()).await;
    assert_eq!(found.len(), 2);
    assert_ne!(identifier(&found[0], "nhsSpineASID"), identifier(&found[1], "nhsSpineASID"));
    assert_ne!(identifier(&found[0], "nhsMhsPartyKey"), identifier(&found[1], "nhsMhsPartyKey"));
    assert_eq!(bench.found(&narrowed).await.len(), 1);
    assert_eq!(bench.found(&endpoint()).await.len(), 1);
    bench.sds.clear_fault().unwrap();
    bench.sds.register(Registration::new("A99901", "200000000777").answers(STRUCTURED, ADDRESS));
    assert_eq!(bench.found(&device()).await.len(), 2, "so can two that are registered");
    bench.sds.unregister("200000000777");
    assert_eq!(bench.found(&device()).await.len(), 1);
}

#[tokio::test]
async fn nothing_found_and_not_asked_in_time_look_the_same() {
    let wait = Duration::from_millis(80);
    let bench = started(|options| SdsOptions { back_end_timeout: wait, ..options });
    bench.sds.set_fault(SdsFault::Nothing, Lifetime::Once);
    assert!(bench.found(&device()).await.is_empty());
    bench.sds.set_fault(SdsFault::BackEndTimeout, Lifetime::Once);
    let began = Instant::now();
    assert!(bench.found(&device()).await.is_empty());
    assert!(began.elapsed() >= wait);
    let began = Instant::now();
    assert_eq!(bench.found(&device()).await.len(), 1, "a second try finds it");
    assert!(began.elapsed() < wait);
    assert_eq!(SdsOptions::default().back_end_timeout, Duration::from_secs(3));
}

#[tokio::test]
async fn a_stale_address_is_given_until_caches_are_passed() {
    let bench = bench();
    let old = "https://old.example.test/fhir";
    bench.sds.set_fault(SdsFault::StaleAddress(old.to_owned()), Lifetime::Standing);
    assert_eq!(bench.addresses(&endpoint()).await, [old]);
    assert_eq!(bench.addresses(&endpoint().with("Cache-Control", "no-cache")).await, [ADDRESS]);
    assert_eq!(bench.found(&device()).await.len(), 1);
}

#[tokio::test]
async fn a_dead_host_refuses_connections() {
    let bench = bench();
    bench.sds.set_fault(SdsFault::DeadHost, Lifetime::Standing);
    let addresses = bench.addresses(&endpoint()).await;
    assert_eq!(addresses, [bench.sds.dead_address()]);
    let host = addresses[0].strip_prefix("http://").unwrap().to_owned();
    let refused = TcpStream::connect(host).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn faults_are_told_in_its_words_and_after_its_checks() {
    let bench = bench();
    let cases = [
        (SdsFault::InternalError, 500, "exception", "INTERNAL_SERVER_ERROR"),
        (SdsFault::BadGateway, 502, "exception", "INTERNAL_SERVER_ERROR"),
        (SdsFault::GatewayTimeout, 504, "timeout", "INTERNAL_SERVER_ERROR"),
        (SdsFault::Throttled(Throttle::SpikeArrest), 429, "throttled", "TOO_MANY_REQUESTS"),
    ];
    for (fault, status, issue, code) in cases {
        bench.sds.set_fault(fault.clone(), Lifetime::Once);
        let no_key = bench.send(&device().without("apikey")).await;
        assert_eq!(no_key.status, 401, "{fault:?}");
        let seen = bench.send(&device()).await;
        assert_eq!(seen.outcome(), (status, "error".to_owned(), issue.to_owned(), code.to_owned()));
        assert_eq!(seen.header("retry-after"), None);
        assert_eq!(bench.send(&device()).await.status, 200, "{fault:?} happened once");
    }
}

#[tokio::test]
async fn bursts_are_throttled() {
    let bench = started(|options| SdsOptions { limit: RateLimit::SDS, ..options });
    assert_eq!(bench.send(&device()).await.status, 200);
    assert_eq!(bench.send(&device()).await.status, 429);
    bench.clock.forward(SignedDuration::from_millis(200));
    assert_eq!(bench.send(&device()).await.status, 200);
}

#[tokio::test]
async fn the_proxy_keeps_answers_for_half_an_hour() {
    let bench = started(|options| SdsOptions { proxy_cache: ProxyCache::On, ..options });
    let old = bench.found(&endpoint()).await;
    let moved = Registration::new("A99901", ASID).answers(STRUCTURED, "https://new.example.test/");
    bench.sds.register(moved);
    assert_eq!(bench.found(&endpoint()).await, old, "ids and all");
    let other_media = endpoint().with("Accept", "application/json");
    assert_eq!(bench.addresses(&other_media).await, ["https://new.example.test/"]);
    bench.clock.forward(SignedDuration::from_secs(1799));
    assert_eq!(bench.found(&endpoint()).await, old);
    bench.clock.forward(SignedDuration::from_secs(1));
    assert_eq!(bench.addresses(&endpoint()).await, ["https://new.example.test/"]);
    bench.sds.register(practice());
    assert_eq!(bench.addresses(&endpoint().with("Cache-Control", "no-cache")).await, [ADDRESS]);
    assert_eq!(bench.addresses(&endpoint()).await, [ADDRESS], "the fresh answer is kept");
    bench.sds.set_fault(SdsFault::BadGateway, Lifetime::Once);
    assert_eq!(bench.send(&device()).await.status, 502);
    assert_eq!(bench.send(&device()).await.status, 200, "refusals are not kept");
}
