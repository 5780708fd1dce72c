//! What the limits around a source do, as the source sees it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tower::ServiceExt as _;
use tributary_flow::BreakerState;
use tributary_model::{Ask, AttachmentAsk, Deadline, FaultClass, Redacted, Retry, Section, SourceFault};
use tributary_sources::{Protocol, Source, SourceEntry};

use crate::search::{bundle, kind_of, patient, statement};
use crate::server::{Server, Step, answer, fhir, head};
use crate::{NUMBER, ask, entry, question, requester, source};

const ALLERGIES: &[Section] = &[Section::Allergies];
const MANY: &[Section] =
    &[Section::Allergies, Section::Medications, Section::Problems, Section::Plans, Section::Immunisations];

/// A practice that does not know the patient.
const NOBODY: &str =
    r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found"}]}"#;

/// 503, with these header lines.
fn busy(more: &str) -> Vec<Step> {
    vec![Step::Send(head(503, "text/html", 0, more))]
}

async fn class_of(source: &Source) -> FaultClass {
    ask(source, ALLERGIES).await.unwrap_err().class
}

fn left(fault: SourceFault) -> Duration {
    assert_eq!(fault.class, FaultClass::Breaker);
    let left = match fault.retry {
        Retry::Later(left) => Some(left),
        Retry::Never | Retry::Elsewhere => None,
    };
    left.unwrap()
}

#[tokio::test]
async fn a_shut_breaker_refuses_at_once_and_asks_nobody() {
    let server = Server::start(|_, _| fhir(500, "")).await;
    let source = source(entry(Protocol::FhirR4, &server.base()));
    for _ in 0..5 {
        assert_eq!(class_of(&source).await, FaultClass::ServerError);
    }
    assert_eq!(source.pulse.breaker(), BreakerState::Shut);
    let mut fastest = Duration::MAX;
    for _ in 0..10 {
        let begun = Instant::now();
        assert!(left(ask(&source, ALLERGIES).await.unwrap_err()) <= Duration::from_millis(2400));
        fastest = fastest.min(begun.elapsed());
    }
    assert!(fastest < Duration::from_millis(10), "{fastest:?}");
    // What is attached is at the same source.
    let attached = AttachmentAsk {
        id: Redacted::new("b1".into()),
        requester: requester(),
        deadline: Deadline::after(Duration::from_secs(2)),
    };
    let fault = source.attachments.clone().unwrap().oneshot(attached).await.map(drop).unwrap_err();
    assert_eq!(fault.class, FaultClass::Breaker);
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn a_source_that_asks_to_wait_is_left_alone() {
    for (line, least, most) in [("Retry-After: 120\r\n", 119, 120), ("Retry-After: 86400\r\n", 299, 300)] {
        let server = Server::start(move |_, _| busy(line)).await;
        let source = source(entry(Protocol::FhirR4, &server.base()));
        assert_eq!(class_of(&source).await, FaultClass::Throttled);
        let left = left(ask(&source, ALLERGIES).await.unwrap_err());
        assert!(left > Duration::from_secs(least) && left <= Duration::from_secs(most), "{left:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn after_its_time_a_source_is_asked_again() {
    let server = Server::start(|number, _| match number {
        0 => vec![Step::Send(head(429, "text/html", 0, "Retry-After: 1\r\n"))],
        _ => fhir(500, ""),
    })
    .await;
    let source = source(entry(Protocol::FhirR4, &server.base()));
    assert_eq!(class_of(&source).await, FaultClass::Throttled);
    let begun = Instant::now();
    while class_of(&source).await == FaultClass::Breaker {
        tokio::task::yield_now().await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(990), "{:?}", begun.elapsed());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_caller_in_a_hurry_shuts_nothing() {
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    for _ in 0..8 {
        let hurried = Ask { deadline: Deadline::after(Duration::from_millis(40)), ..question(ALLERGIES) };
        let fault = source.service.clone().oneshot(hurried).await.map(drop).unwrap_err();
        assert_eq!(fault.class, FaultClass::NoHead);
    }
    assert_eq!(source.pulse.breaker(), BreakerState::Passing);
}

/// Serves any search, each after a moment.
async fn searchable() -> Server {
    Server::start(|_, seen| {
        let found = match kind_of(seen) {
            "Patient" => patient("p1", NUMBER),
            kind => statement(kind, 1),
        };
        let mut steps = fhir(200, bundle(&[found], None));
        steps.insert(0, Step::Pause(Duration::from_millis(2)));
        steps
    })
    .await
}

#[tokio::test]
async fn two_hundred_searches_at_once_are_never_three_requests() {
    let server = searchable().await;
    let narrow = SourceEntry { max_in_flight: 2, ..entry(Protocol::FhirR4, &server.base()) };
    let source = source(narrow);
    let replies = join_all((0..200).map(|_| ask(&source, MANY))).await;
    assert_eq!(server.most_at_once(), 2);
    let answered = replies.iter().filter(|reply| reply.is_ok()).count();
    assert!(answered >= 2, "{answered}");
    let refused = replies.iter().filter_map(|reply| reply.as_ref().err());
    assert!(refused.map(|fault| fault.class).all(|class| class == FaultClass::Guard));
    let occupancy = source.pulse.occupancy();
    assert_eq!((occupancy.used, occupancy.waiting), (0, 0));
    // All of it was ours: the source is asked as before.
    assert_eq!(source.pulse.breaker(), BreakerState::Passing);
    assert!(ask(&source, MANY).await.is_ok());
}

#[tokio::test]
async fn one_search_alone_is_answered_by_the_narrowest_source() {
    let server = searchable().await;
    let source = source(SourceEntry { max_in_flight: 1, ..entry(Protocol::FhirR4, &server.base()) });
    assert!(ask(&source, MANY).await.is_ok());
    assert_eq!(server.most_at_once(), 1);
}

#[tokio::test]
async fn a_second_attempt_has_a_token_and_a_trace_of_its_own() {
    for first in [vec![Step::Reset], busy(""), busy("Retry-After: 1\r\n"), answer(502, "text/html", "")] {
        let server = Server::start(move |number, _| match number {
            0 => first.clone(),
            _ => fhir(404, NOBODY),
        })
        .await;
        let source = source(entry(Protocol::GpConnectStructured, &server.base()));
        assert_eq!(class_of(&source).await, FaultClass::NoRecord);
        let seen = server.seen();
        assert_eq!(seen.len(), 2);
        for name in ["ssp-traceid", "authorization"] {
            assert!(!seen[0].header(name).is_empty());
            assert_ne!(seen[0].header(name), seen[1].header(name), "{name}");
        }
    }
}

#[tokio::test]
async fn a_spent_budget_makes_no_storm() {
    let server = Server::start(|_, seen| {
        let failing = seen.body.contains("includeAllergies");
        if failing { busy("") } else { fhir(404, NOBODY) }
    })
    .await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let mut outcomes: BTreeMap<FaultClass, usize> = BTreeMap::new();
    for _ in 0..60 {
        // Half of the asks succeed, so the breaker stays as it is.
        for sections in [&[Section::Medications], ALLERGIES] {
            let class = ask(&source, sections).await.unwrap_err().class;
            *outcomes.entry(class).or_default() += 1;
        }
    }
    assert_eq!(source.pulse.breaker(), BreakerState::Passing);
    assert_eq!(outcomes.get(&FaultClass::ServerError), Some(&60));
    let second = server.seen().len() - 120;
    // Ten, and a tenth of the requests.
    assert!((10..=24).contains(&second), "{second}");
}

#[tokio::test]
async fn whoever_wants_to_know_is_told_what_is_left() {
    for (sends_deadline, expected) in [(true, 1), (false, 0)] {
        let server = Server::start(|_, _| fhir(200, bundle(&[], None))).await;
        let told = SourceEntry { sends_deadline, ..entry(Protocol::FhirR4, &server.base()) };
        assert_eq!(class_of(&source(told)).await, FaultClass::NoRecord);
        let seen = server.seen();
        let left: Vec<u64> =
            seen.iter().filter_map(|one| one.header("tributary-deadline-ms").parse().ok()).collect();
        assert_eq!(left.len(), expected);
        assert!(left.iter().all(|left| (4000..=5000).contains(left)), "{left:?}");
    }
}
