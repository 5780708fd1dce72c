//! Who is told to the GP system: the person who asks, in the name of their own organisation, once.

use std::collections::BTreeSet;

use mock_providers::{AskRecord, start_suite_practice};
use tokio::task::JoinSet;
use tributary_tests::bundle::Merged;
use tributary_tests::process::Process;

use crate::consumer::{PRACTICE_ASID, Person, Request, allergies, now, parameters, token, token_header};
use crate::outcome::refused;
use crate::stand::{Plan, Stand, configuration, number, roots};

const ORGANISATIONS: usize = 5;
const USERS: usize = 50;
const REQUESTS: usize = 1000;
/// Requests at a time.
const AT_ONCE: usize = 20;

/// The organisations that ask through the broker.
fn organisations() -> String {
    let table = |at| format!("[[organisation]]\nods = \"RXX{at:02}\"\nasid = \"30000000000{at}\"\n");
    (0..ORGANISATIONS).map(table).collect()
}

fn person(at: usize) -> Person {
    let smartcard = at.is_multiple_of(2).then(|| (format!("5550{at:08}"), format!("7770{at:08}")));
    let organisation = at % ORGANISATIONS;
    Person {
        id: format!("u-{at}"),
        family: format!("Family{at}"),
        given: format!("Given{at}"),
        smartcard,
        organisation: format!("RXX{organisation:02}"),
        organisation_name: format!("Trust {organisation}"),
        // The consumer's own, which is no business of the GP system.
        asid: format!("90000000{at:04}"),
    }
}

fn request(serial: usize) -> Request {
    let body = parameters(number("patient17"), &[allergies(serial.is_multiple_of(3))]);
    Request::record(&body).by(&person(serial % USERS))
}

/// What the GP system was told in one ask; the person's index.
fn check(ask: &AskRecord) -> usize {
    let claims = ask.claims.clone().unwrap();
    let at: usize = claims["sub"].as_str().unwrap().strip_prefix("u-").unwrap().parse().unwrap();
    let who = person(at);
    let practitioner = &claims["requesting_practitioner"];
    assert_eq!(practitioner["id"], who.id);
    assert_eq!(practitioner["name"][0]["family"], who.family);
    assert_eq!(practitioner["name"][0]["given"][0], who.given);
    let identifiers = practitioner["identifier"].as_array().unwrap();
    let values: Vec<_> = identifiers.iter().map(|one| one["value"].as_str().unwrap()).collect();
    let (user, role) = who.smartcard.clone().unwrap_or_else(|| ("UNK".to_owned(), "UNK".to_owned()));
    assert_eq!(values, [user, role, who.id]);
    let organisation = &claims["requesting_organization"];
    assert_eq!(organisation["identifier"][0]["value"], who.organisation);
    assert_eq!(organisation["name"], who.organisation_name);
    let asid = format!("30000000000{}", at % ORGANISATIONS);
    assert_eq!(ask.header("Ssp-From"), Some(asid.as_str()));
    assert_eq!(ask.header("Ssp-To"), Some(PRACTICE_ASID));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!(claims["reason_for_request"], "directcare");
    assert_eq!(claims["requested_scope"], "patient/*.read");
    assert!(claims["aud"].as_str().unwrap().ends_with("/B82617/STU3/1/gpconnect/structured/fhir"));
    let sent = format!("{:?} {claims}", ask.headers);
    assert!(!sent.contains(&who.asid), "the consumer's own system id was passed on");
    at
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_are_a_thousand_asks_each_in_its_own_name() {
    let plan = Plan { tables: organisations(), ..Plan::default() };
    let gp = start_suite_practice(plan.practice.clone()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let roots = roots(&gp);
    let text = configuration(roots.each_ref().map(String::as_str), &dir.path().join("audit"), &plan);
    let mut broker = Process::serve(dir.path(), &text);
    let (mut traces, mut tokens) = (BTreeSet::new(), BTreeSet::new());
    let began = now();
    for first in (0..REQUESTS).step_by(AT_ONCE) {
        let mut set = JoinSet::new();
        for request in (first..first + AT_ONCE).map(request) {
            traces.insert(request.trace().to_owned());
            tokens.insert(token(&token_header(), &request.claims));
            let address = broker.data;
            set.spawn(async move { (request.send(address).await, request) });
        }
        for (reply, request) in set.join_all().await {
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert_eq!(reply.json()["id"], request.trace(), "one caller got another's answer");
        }
    }
    let asks = gp.asks();
    assert_eq!((asks.len(), traces.len()), (REQUESTS, REQUESTS));
    let mut by_person = [0; USERS];
    for ask in &asks {
        by_person[check(ask)] += 1;
        assert!(traces.insert(ask.header("Ssp-TraceID").unwrap().to_owned()), "a trace id came twice");
    }
    assert_eq!(by_person, [REQUESTS / USERS; USERS]);
    let southbound: BTreeSet<_> = asks.iter().map(|ask| ask.header("Authorization").unwrap()).collect();
    assert_eq!(southbound.len(), REQUESTS, "a token came twice");
    let made: BTreeSet<_> =
        asks.iter().map(|ask| ask.claims.as_ref().unwrap()["iat"].as_i64().unwrap()).collect();
    assert!(made.first() >= Some(&began) && made.last() <= Some(&now()), "a token is not of its time");
    assert!(southbound.iter().all(|token| !tokens.contains(*token)), "a caller's token was passed on");
    assert_eq!(broker.terminate(), Some(0));
    let log = broker.log_text();
    assert!(log.lines().count() > REQUESTS, "a trace log should be long");
    assert!(!log.contains("eyJ") && !log.contains("Bearer "), "a token is in the log");
    for token in tokens.iter().map(String::as_str).chain(southbound).take(200) {
        assert!(!log.contains(token.split('.').nth(1).unwrap()), "claims are in the log");
    }
}

#[tokio::test]
async fn an_organisation_that_is_not_registered_asks_nobody() {
    let stand = Stand::set(Plan { tables: organisations(), ..Plan::default() }).await;
    let stranger = Person { organisation: "RYY99".to_owned(), ..person(0) };
    let body = parameters(number("patient17"), &[allergies(true)]);
    let reply = stand.ask(&Request::record(&body).by(&stranger)).await;
    refused("a stranger", &reply, 403, "ACCESS DENIED");
    let read = Request::foundations("Organization/o1", "read:organization-1");
    refused("a stranger", &stand.ask(&read.clone().by(&stranger)).await, 403, "ACCESS DENIED");
    let bearer = token(&token_header(), &read.by(&stranger).claims);
    let merged = stand.merged(number("patient17"), &[("Authorization", &bearer)]).await;
    let outcome = merged.json();
    assert!(merged.body.contains("not-queried"), "{}", merged.body);
    if outcome["resourceType"] == "Bundle" {
        let statuses = Merged::of(outcome).statuses();
        assert_eq!(statuses.get("gp").map(String::as_str), Some("not-queried"));
    }
    assert_eq!(stand.gp.ask_count(), 0);
    // One that is registered is answered.
    assert_eq!(stand.ask(&Request::record(&body).by(&person(3))).await.status, 200);
    assert_eq!(stand.gp.ask_count(), 1);
}
