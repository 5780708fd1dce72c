//! The order of the layers: each test fails when two neighbours are swapped.

use super::*;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::time::{Instant, advance, sleep};
use tributary_flow::Unobserved;
use tributary_model::requester::Assurance;
use tributary_model::{OdsCode, Priority, Role, SourceId, SourceKind, SpineIds};

use crate::registry::{Protocol, Route};
use crate::root::ServiceRoot;

type Outcome = Result<Received, SourceFault>;

/// Every attempt that was made: when, and with what time left.
type Made = Arc<Mutex<Vec<(Instant, Outgoing)>>>;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn entry(timeout: Duration, max_in_flight: usize) -> SourceEntry {
    SourceEntry {
        id: SourceId::parse("source-1").unwrap(),
        name: "Source".into(),
        kind: SourceKind::Acute,
        protocol: Protocol::FhirR4,
        ods: None,
        asid: None,
        base_url: ServiceRoot::parse("https://source.example.test/fhir").unwrap(),
        more_roots: BTreeMap::new(),
        route: Route::Direct,
        tls: None,
        sections: None,
        owns: Vec::new(),
        rank: 1,
        timeout,
        cache_ttl: None,
        max_body_bytes: 1 << 20,
        max_in_flight,
        sends_deadline: true,
    }
}

fn requester() -> Requester {
    Requester {
        user_id: "u-17".into(),
        family: "Okoro".into(),
        given: "Ada".into(),
        role: Role::CommunityNurse,
        organisation: OdsCode::parse("RXX01").unwrap(),
        organisation_name: "Community Trust".into(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: Priority::Interactive,
    }
}

fn received(status: u16) -> Received {
    let (media_type, retry_after, etag) = (None, None, None);
    Received {
        status,
        media_type,
        retry_after,
        etag,
        body: Vec::new(),
        attempts: 1,
        held: tributary_model::Lease::default(),
    }
}

fn silence() -> Outcome {
    Err(SourceFault::new(FaultClass::Connect).with_retry(Retry::Elsewhere))
}

/// A source that does with each attempt, by its number, what `act` says.
struct Bench {
    exchange: Exchange,
    made: Made,
}

impl Bench {
    fn new<F>(entry: &SourceEntry, act: impl Fn(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let made = Made::default();
        let notes = Arc::clone(&made);
        let attempt: Attempt = Arc::new(move |_bounds, outgoing| {
            let mut notes = notes.lock().unwrap();
            notes.push((Instant::now(), outgoing));
            Box::pin(act(notes.len() - 1))
        });
        let observer: Arc<dyn Observer> = Arc::new(Unobserved);
        let breaker = Breaker::new(entry.timeout, Chance::seeded(1), Arc::clone(&observer));
        Self { exchange: Exchange::new(entry, &breaker, &observer, attempt), made }
    }

    async fn send(&self, left: Duration) -> Outcome {
        let bounds = Bounds { deadline: Deadline::after(left), max_body_bytes: 1 << 20 };
        let written = Arc::new(Mutex::new(0));
        let make: Make = Arc::new(move || {
            let mut written = written.lock().unwrap();
            *written += 1;
            let headers = HeaderMap::from_iter([(HeaderName::from_static("x-written"), (*written).into())]);
            let url = "https://source.example.test/fhir/Patient".parse().unwrap();
            Ok(Outgoing { method: Method::GET, url, headers, body: Bytes::new() })
        });
        self.exchange.send(self.exchange.errand(&requester()), bounds, make).await
    }

    fn limit(&self) -> usize {
        self.exchange.bulkhead().occupancy().limit
    }

    fn header(&self, attempt: usize, name: &str) -> u64 {
        let made = self.made.lock().unwrap();
        made[attempt].1.headers[name].to_str().unwrap().parse().unwrap()
    }
}

/// Swapped with the bulkhead, the first request would hold the only place while it waits to try again.
#[tokio::test(start_paused = true)]
async fn no_place_is_held_between_two_attempts() {
    let bench = Bench::new(&entry(ms(3000), 1), |number| async move {
        match number {
            0 => silence(),
            _ => Ok(received(200)),
        }
    });
    let begun = Instant::now();
    let (first, second) = tokio::join!(bench.send(ms(3000)), async {
        // The shortest pause is longer than this.
        sleep(ms(10)).await;
        bench.send(ms(3000)).await
    });
    assert_eq!((first.unwrap().attempts, second.unwrap().attempts), (2, 1));
    let at: Vec<_> = bench.made.lock().unwrap().iter().map(|(at, _)| *at - begun).collect();
    assert_eq!(at[1], ms(10));
    assert!(at[2] >= ms(25), "{at:?}");
}

/// Swapped with the deadline of an attempt, what was spent waiting for a place would be missing at the source.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_place_takes_nothing_from_the_attempt() {
    let bench = Bench::new(&entry(ms(1000), 1), |_| async {
        sleep(ms(900)).await;
        Ok(received(200))
    });
    let (first, second) = tokio::join!(bench.send(ms(4000)), bench.send(ms(4000)));
    assert_eq!((first.unwrap().status, second.unwrap().status), (200, 200));
    assert_eq!(bench.header(1, "tributary-deadline-ms"), 1000);
}

/// Swapped with the feedback, the source would be judged by the time that the ask had, not by its own.
#[tokio::test(start_paused = true)]
async fn the_source_is_judged_by_the_time_of_one_attempt() {
    let bench = Bench::new(&entry(ms(2000), 8), |number| async move {
        // The last of them beyond the end of the attempt, though within that of the ask.
        sleep(if number < 64 { ms(10) } else { ms(9000) }).await;
        Ok(received(200))
    });
    let together = || futures_util::future::join_all((0..8).map(|_| bench.send(ms(9000))));
    for _ in 0..8 {
        assert!(together().await.iter().all(Result::is_ok));
    }
    assert_eq!(bench.limit(), 8);
    let begun = Instant::now();
    for _ in 0..2 {
        let silent = |one: &Outcome| one.as_ref().is_err_and(|fault| fault.class == FaultClass::NoHead);
        assert!(together().await.iter().all(silent));
    }
    assert_eq!(begun.elapsed(), ms(4000));
    assert_eq!(bench.limit(), 7, "each had its whole time, and took it");
}

/// Outside of the bulkhead it would not hear how long the source took, but how long we waited.
#[tokio::test(start_paused = true)]
async fn our_own_refusals_say_nothing_about_the_source() {
    let bench = Bench::new(&entry(ms(3000), 8), |_| async {
        sleep(ms(2000)).await;
        Ok(received(429))
    });
    let all = (0..40).map(|_| bench.send(ms(2500)));
    let all = futures_util::future::join_all(all).await;
    let refused = all.iter().filter(|one| one.as_ref().is_err_and(|fault| fault.class == FaultClass::Guard));
    assert_eq!(refused.count(), 32);
    // What was under way together is heard once.
    assert_eq!((bench.made.lock().unwrap().len(), bench.limit()), (8, 5));
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_is_written_afresh_and_says_what_is_left_then() {
    let bench = Bench::new(&entry(ms(3000), 1), |number| async move {
        sleep(ms(100)).await;
        if number == 0 { silence() } else { Ok(received(200)) }
    });
    bench.send(ms(3000)).await.map(drop).unwrap();
    assert_eq!((bench.header(0, "x-written"), bench.header(1, "x-written")), (1, 2));
    assert_eq!(bench.header(0, "tributary-deadline-ms"), 3000);
    assert!((2700..=2875).contains(&bench.header(1, "tributary-deadline-ms")));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_what_is_left_who_did_not_ask_for_it() {
    let silent = SourceEntry { sends_deadline: false, ..entry(ms(3000), 1) };
    let bench = Bench::new(&silent, |_| async { Ok(received(200)) });
    bench.send(ms(3000)).await.map(drop).unwrap();
    assert!(bench.made.lock().unwrap()[0].1.headers.get(DEADLINE).is_none());
}

/// A storm in which everything fails: a tenth more, and one a second.
#[tokio::test(start_paused = true)]
async fn a_spent_budget_makes_no_storm() {
    let bench = Bench::new(&entry(ms(3000), 8), |_| async { silence() });
    for _ in 0..200 {
        let _silence = bench.send(ms(3000)).await;
        advance(ms(1)).await;
    }
    let made = bench.made.lock().unwrap().len();
    assert!((210..=240).contains(&made), "{made}");
}
