//! What the directory lists, and what can be made of it.

use super::*;

use tokio::time::{Instant, advance};

use crate::national::stub::{Stub, number, received, requester};

const INTERACTION: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";
const ROOT: &str = "https://gp.example.test/A99901/STU3/1/gpconnect/structured/fhir";

fn sds_with(service: &Stub, shared_ttl: Option<Duration>) -> Sds {
    let settings = SdsSettings {
        base_url: "https://sds.example.test/spine-directory/FHIR/R4".parse().unwrap(),
        api_key: Redacted::new("key-1".into()),
        timeout: Duration::from_secs(3),
        per_second: 100,
        session_ttl: Duration::from_mins(10),
        shared_ttl,
    };
    Sds::over(settings, Arc::new(service.clone()))
}

fn look_up() -> LookUp {
    LookUp {
        ods: OdsCode::parse("A99901").unwrap(),
        interaction: Interaction::GetStructuredRecord,
        requester: requester("u-17"),
        patient: Some(number("9990000107")),
    }
}

async fn find(sds: &Sds, look_up: &LookUp) -> Result<Endpoint, SdsFault> {
    sds.find(look_up, Freshness::Allowed, Deadline::after(Duration::from_secs(5))).await
}

fn bundle(resources: &[String]) -> String {
    let entries: Vec<_> =
        resources.iter().map(|one| format!(r#"{{"resource":{one},"search":{{"mode":"match"}}}}"#)).collect();
    let total = entries.len();
    format!(
        r#"{{"resourceType":"Bundle","type":"searchset","total":{total},"entry":[{}]}}"#,
        entries.join(",")
    )
}

fn named(key: &str) -> String {
    format!(
        r#""extension":[{{"url":"https://fhir.nhs.uk/StructureDefinition/Extension-SDS-NhsServiceInteractionId",
        "valueReference":{{"identifier":{{"value":"{INTERACTION}"}}}}}}],
        "identifier":[{{"system":"https://fhir.nhs.uk/Id/nhsMhsPartyKey","value":"{key}"}}"#
    )
}

fn endpoint(key: &str, address: &str) -> String {
    format!(
        r#"{{"resourceType":"Endpoint","status":"active","address":"{address}",{}],
        "managingOrganization":{{"identifier":{{"system":"{ODS_SYSTEM}","value":"A99901"}}}}}}"#,
        named(key)
    )
}

fn device(key: &str, asid: &str) -> String {
    format!(
        r#"{{"resourceType":"Device",{},{{"system":"https://fhir.nhs.uk/Id/nhsSpineASID","value":"{asid}"}}],
        "owner":{{"identifier":{{"system":"{ODS_SYSTEM}","value":"A99901"}}}}}}"#,
        named(key)
    )
}

/// A directory that lists these; a search by party key finds only what has it.
fn listing(endpoints: Vec<String>, devices: Vec<String>) -> Stub {
    Stub::new(Duration::from_millis(10), move |_, asked| {
        let all = if asked.url.path().ends_with("/Endpoint") { &endpoints } else { &devices };
        let pairs: Vec<_> = asked.url.query_pairs().map(|(_, value)| value.into_owned()).collect();
        let key = pairs.iter().find_map(|value| value.strip_prefix("https://fhir.nhs.uk/Id/nhsMhsPartyKey|"));
        let has = |one: &&String| key.is_none_or(|key| one.contains(key));
        Ok(received(200, &bundle(&all.iter().filter(has).cloned().collect::<Vec<_>>())))
    })
}

fn good() -> Stub {
    listing(vec![endpoint("A99901-1", ROOT)], vec![device("A99901-1", "200000000205")])
}

#[track_caller]
fn is_good(found: &Result<Endpoint, SdsFault>) {
    let found = found.as_ref().unwrap();
    assert_eq!((found.root.as_str(), found.asid.as_str()), (ROOT, "200000000205"));
}

#[tokio::test(start_paused = true)]
async fn a_look_up_is_two_searches_at_once() {
    let service = good();
    is_good(&find(&sds_with(&service, None), &look_up()).await);
    let seen = service.seen();
    assert_eq!(seen.len(), 2);
    for (asked, what) in seen.iter().zip(["Endpoint", "Device"]) {
        assert!(asked.url.path().ends_with(&format!("/spine-directory/FHIR/R4/{what}")));
        let pairs: Vec<(String, String)> = asked.url.query_pairs().into_owned().collect();
        let wanted = [
            ("organization", "https://fhir.nhs.uk/Id/ods-organization-code|A99901".to_owned()),
            ("identifier", format!("https://fhir.nhs.uk/Id/nhsServiceInteractionId|{INTERACTION}")),
        ];
        assert_eq!(pairs, wanted.map(|(key, value)| (key.to_owned(), value)));
        assert_eq!(asked.headers["apikey"], "key-1");
        assert!(asked.headers["apikey"].is_sensitive());
        let correlation = asked.headers["x-correlation-id"].to_str().unwrap();
        assert!(tributary_model::RequestId::parse(correlation).is_some());
        assert!(!asked.headers.contains_key("cache-control"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_party_key_says_which_belong_together() {
    let (one, two) = (device("A99901-1", "200000000205"), device("A99901-2", "200000000206"));
    let several = listing(vec![endpoint("A99901-1", ROOT)], vec![two.clone(), one.clone()]);
    is_good(&find(&sds_with(&several, None), &look_up()).await);
    let twice =
        listing(vec![endpoint("A99901-1", ROOT), endpoint("A99901-1", &format!("{ROOT}/"))], vec![one]);
    is_good(&find(&sds_with(&twice, None), &look_up()).await);
    let apart = listing(vec![endpoint("A99901-1", ROOT)], vec![two]);
    assert_eq!(find(&sds_with(&apart, None), &look_up()).await, Err(SdsFault::Unconfirmed));
}

#[tokio::test(start_paused = true)]
async fn a_system_not_in_the_first_answer_is_asked_for_by_its_party_key() {
    let service = Stub::new(Duration::ZERO, |_, asked| {
        let is_narrow = asked.url.as_str().contains("PartyKey");
        Ok(received(
            200,
            &match (asked.url.path().ends_with("/Endpoint"), is_narrow) {
                (true, _) => bundle(&[endpoint("A99901-1", ROOT)]),
                (false, true) => bundle(&[device("A99901-1", "200000000205")]),
                (false, false) => bundle(&[device("A99901-2", "200000000206")]),
            },
        ))
    });
    is_good(&find(&sds_with(&service, None), &look_up()).await);
    assert_eq!(service.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_ambiguous_is_not_guessed() {
    let one = || device("A99901-1", "200000000205");
    let elsewhere = ROOT.replace("gp.", "gp2.");
    let cases = [
        listing(vec![endpoint("A99901-1", ROOT), endpoint("A99901-1", &elsewhere)], vec![one()]),
        listing(vec![endpoint("A99901-1", ROOT)], vec![one(), device("A99901-1", "200000000206")]),
        listing(
            vec![endpoint("A99901-1", ROOT), endpoint("A99901-2", &elsewhere)],
            vec![one(), device("A99901-2", "200000000206")],
        ),
    ];
    for service in cases {
        assert_eq!(find(&sds_with(&service, None), &look_up()).await, Err(SdsFault::Ambiguous));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_about_the_practice_does_not_count() {
    let (endpoints, devices) = (endpoint("A99901-1", ROOT), device("A99901-1", "200000000205"));
    for (from, to) in [("\"A99901\"", "\"B99902\""), (INTERACTION, "urn:other"), ("active", "off")] {
        let service = listing(vec![endpoints.replace(from, to)], vec![devices.clone()]);
        assert_eq!(find(&sds_with(&service, None), &look_up()).await, Err(SdsFault::Unconfirmed), "{to}");
    }
    for asid in ["20000000020", "2000000002055", "20000000020x", ""] {
        let service = listing(vec![endpoints.clone()], vec![device("A99901-1", asid)]);
        assert_eq!(find(&sds_with(&service, None), &look_up()).await, Err(SdsFault::Malformed), "{asid}");
    }
    let service = listing(vec![endpoint("A99901-1", "http://169.254.169.254/")], vec![devices]);
    assert_eq!(find(&sds_with(&service, None), &look_up()).await, Err(SdsFault::Address));
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_asked_for_again_past_the_cache() {
    let service = Stub::new(Duration::ZERO, |number, asked| {
        let full = number >= 2;
        let is_endpoint = asked.url.path().ends_with("/Endpoint");
        let one = if is_endpoint { endpoint("A99901-1", ROOT) } else { device("A99901-1", "200000000205") };
        Ok(received(200, &bundle(&full.then_some(one).into_iter().collect::<Vec<_>>())))
    });
    let begun = Instant::now();
    is_good(&find(&sds_with(&service, None), &look_up()).await);
    assert!(begun.elapsed() >= EMPTY_PAUSE);
    assert_eq!(service.headers("cache-control"), ["", "", "no-cache", "no-cache"]);
}

#[tokio::test(start_paused = true)]
async fn not_confirmed_is_believed_for_seconds_only() {
    let service = listing(Vec::new(), Vec::new());
    let sds = sds_with(&service, None);
    for _ in 0..3 {
        assert_eq!(find(&sds, &look_up()).await, Err(SdsFault::Unconfirmed));
        assert_eq!(service.seen().len(), 4);
    }
    advance(UNCONFIRMED_TTL).await;
    assert_eq!(find(&sds, &look_up()).await, Err(SdsFault::Unconfirmed));
    assert_eq!(service.seen().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn nothing_found_is_used_for_another_person_patient_place_or_interaction() {
    let service = good();
    let sds = sds_with(&service, None);
    let same = look_up();
    is_good(&find(&sds, &same).await);
    is_good(&find(&sds, &same).await);
    assert_eq!(service.seen().len(), 2, "the same session");
    let mut organisation = (*requester("u-17")).clone();
    organisation.organisation = OdsCode::parse("RXX02").unwrap();
    let others = [
        LookUp { requester: requester("u-18"), ..same.clone() },
        LookUp { requester: Arc::new(organisation), ..same.clone() },
        LookUp { patient: Some(number("9990000204")), ..same.clone() },
        LookUp { patient: None, ..same.clone() },
        LookUp { interaction: Interaction::SearchDocuments, ..same.clone() },
        LookUp { ods: OdsCode::parse("B99902").unwrap(), ..same.clone() },
    ];
    for (place, other) in (2..).zip(others) {
        // What it finds does not matter here; that it looks does.
        let _found = find(&sds, &other).await;
        assert!(service.seen().len() >= place * 2, "{other:?}");
    }
    advance(Duration::from_mins(10)).await;
    let before = service.seen().len();
    is_good(&find(&sds, &same).await);
    assert_eq!(service.seen().len(), before + 2, "a session ends");
}

#[tokio::test(start_paused = true)]
async fn sharing_is_off_unless_it_is_asked_for() {
    let service = good();
    let sds = sds_with(&service, Some(Duration::from_mins(5)));
    is_good(&find(&sds, &look_up()).await);
    is_good(&find(&sds, &LookUp { requester: requester("u-18"), patient: None, ..look_up() }).await);
    assert_eq!(service.seen().len(), 2);
    let other = LookUp { interaction: Interaction::SearchDocuments, ..look_up() };
    assert!(find(&sds, &other).await.is_err(), "a root of one capability is none of another");
}

#[tokio::test(start_paused = true)]
async fn a_dead_address_is_looked_up_past_every_cache() {
    let service = good();
    let sds = sds_with(&service, None);
    is_good(&find(&sds, &look_up()).await);
    let now = Deadline::after(Duration::from_secs(5));
    is_good(&sds.find(&look_up(), Freshness::FetchNow, now).await);
    assert_eq!(service.headers("cache-control"), ["", "", "no-cache", "no-cache"]);
}

#[tokio::test(start_paused = true)]
async fn faults_say_who_is_at_fault() {
    let cases = [
        (200, "<html>", SdsFault::Malformed),
        (200, r#"{"resourceType":"OperationOutcome"}"#, SdsFault::Malformed),
        (401, "", SdsFault::Denied(401)),
        (404, "", SdsFault::Failed(404)),
        (406, "", SdsFault::Failed(406)),
        (429, "", SdsFault::Throttled),
        (500, "", SdsFault::Failed(500)),
        (504, "", SdsFault::Failed(504)),
    ];
    for (status, body, fault) in cases {
        let service = Stub::new(Duration::ZERO, move |_, _| Ok(received(status, body)));
        assert_eq!(find(&sds_with(&service, None), &look_up()).await, Err(fault), "{status}");
    }
    let down = Stub::new(Duration::ZERO, |_, _| Err(SourceFault::new(FaultClass::Connect)));
    let fault = find(&sds_with(&down, None), &look_up()).await.unwrap_err();
    assert_eq!(fault, SdsFault::Unreachable(FaultClass::Connect));
    assert_eq!(SourceFault::from(fault).class, FaultClass::Unlocated);
}
