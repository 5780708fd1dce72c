//! What is made of spans, and what becomes of them when nobody takes them. Time is paused.

use std::sync::{Arc, Mutex};

use prometheus::Opts;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::*;

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PACE: Pace = Pace { batch_spans: 4, linger: Duration::from_millis(100) };

fn spans() -> Spans {
    Spans::new(IntCounterVec::new(Opts::new("spans", "help"), &["outcome"]).unwrap())
}

fn count(counts: &IntCounterVec, outcome: SpanOutcome) -> u64 {
    counts.with_label_values(&[outcome.code()]).get()
}

/// A receiver that gives these answers, the last one for ever.
struct Desk {
    answers: Vec<Handed>,
    bodies: Arc<Mutex<Vec<(Instant, Value)>>>,
}

impl SpanReceiver for Desk {
    async fn post(&mut self, body: Vec<u8>) -> Handed {
        let body = serde_json::from_slice(&body).unwrap();
        self.bodies.lock().unwrap().push((Instant::now(), body));
        if self.answers.len() > 1 { self.answers.remove(0) } else { self.answers[0].clone() }
    }
}

/// What a receiver with these answers is sent of so many spans in so long, and the counts in the end.
async fn sent(answers: Vec<Handed>, made: usize, after: Duration) -> (Vec<(Instant, Value)>, IntCounterVec) {
    let spans = spans();
    let feed = spans.begin(100, 8).unwrap();
    for _ in 0..made {
        spans.note_as(TraceContext::begin().child(), Duration::from_millis(3), merge);
    }
    let bodies = Arc::<Mutex<Vec<_>>>::default();
    let desk = Desk { answers, bodies: Arc::clone(&bodies) };
    let (end, ended) = oneshot::channel::<()>();
    let running = tokio::spawn(feed.run(PACE, async { drop(ended.await) }, desk));
    tokio::time::sleep(after).await;
    end.send(()).unwrap();
    running.await.unwrap();
    (bodies.lock().unwrap().clone(), spans.counts.clone())
}

fn merge() -> Work {
    Work::Merge { sources: 2, bytes: 3 }
}

fn of(body: &Value) -> &Vec<Value> {
    body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap()
}

#[tokio::test(start_paused = true)]
async fn spans_go_in_batches() {
    let (bodies, counts) = sent(vec![Handed::Taken(Vec::new())], 6, Duration::from_secs(1)).await;
    let sizes: Vec<_> = bodies.iter().map(|(_, body)| of(body).len()).collect();
    assert_eq!(sizes, [4, 2]);
    assert_eq!(count(&counts, SpanOutcome::Exported), 6);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_is_dropped_and_counted() {
    let (bodies, counts) = sent(vec![Handed::Taken(Vec::new())], 11, Duration::from_secs(1)).await;
    assert_eq!(bodies.iter().map(|(_, body)| of(body).len()).sum::<usize>(), 8);
    assert_eq!((count(&counts, SpanOutcome::Dropped), count(&counts, SpanOutcome::Exported)), (3, 8));
}

#[tokio::test(start_paused = true)]
async fn who_is_away_is_tried_again_for_a_minute() {
    let (bodies, counts) = sent(vec![Handed::Away(None)], 1, Duration::from_secs(90)).await;
    let first = bodies[0].0;
    let at: Vec<_> = bodies.iter().map(|(at, _)| at.duration_since(first).as_secs()).collect();
    assert_eq!(at, [0, 1, 3, 7, 15, 31]);
    assert_eq!(count(&counts, SpanOutcome::Unsent), 1);
    let back = vec![Handed::Away(Some(Duration::from_secs(7))), Handed::Taken(Vec::new())];
    let (bodies, counts) = sent(back, 1, Duration::from_secs(90)).await;
    assert_eq!(bodies[1].0.duration_since(bodies[0].0).as_secs(), 7, "as the receiver asked");
    assert_eq!((count(&counts, SpanOutcome::Unsent), count(&counts, SpanOutcome::Exported)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_sent_again() {
    let (bodies, counts) = sent(vec![Handed::Refused], 1, Duration::from_secs(90)).await;
    assert_eq!((bodies.len(), count(&counts, SpanOutcome::Refused)), (1, 1));
    for partial in
        [r#"{"partialSuccess":{"rejectedSpans":"2"}}"#, r#"{"partialSuccess":{"rejectedSpans":2}}"#]
    {
        let taken = Handed::Taken(partial.as_bytes().to_vec());
        let (_, counts) = sent(vec![taken], 3, Duration::from_secs(9)).await;
        assert_eq!((count(&counts, SpanOutcome::Refused), count(&counts, SpanOutcome::Exported)), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_sends_what_waits_and_each_batch_once() {
    // Before the batch is full, and while it is tried again.
    let (bodies, counts) = sent(vec![Handed::Taken(Vec::new())], 3, Duration::from_millis(1)).await;
    assert_eq!((bodies.len(), count(&counts, SpanOutcome::Exported)), (1, 3));
    let (bodies, counts) = sent(vec![Handed::Away(None)], 6, Duration::from_millis(1500)).await;
    assert_eq!(
        (bodies.len(), count(&counts, SpanOutcome::Unsent)),
        (4, 6),
        "twice, and once each at the end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_feed_ends_with_those_who_made_spans() {
    let spans = spans();
    let feed = spans.begin(100, 8).unwrap();
    assert!(spans.begin(100, 8).is_none(), "there is one queue");
    drop(spans);
    let bodies = Arc::default();
    let desk = Desk { answers: vec![Handed::Refused], bodies: Arc::clone(&bodies) };
    feed.run(PACE, std::future::pending(), desk).await;
    assert!(bodies.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_traces_that_are_kept_are_told() {
    let spans = spans();
    let context = TraceContext::parse(GOOD).unwrap();
    assert!(!spans.are_wanted(context), "nobody wants any");
    let begun = TraceContext::begin();
    assert_eq!(spans.drawn(begun), begun);
    let feed = spans.begin(0, 8).unwrap();
    assert!(!spans.drawn(begun).is_sampled());
    assert!(spans.are_wanted(context) && !spans.are_wanted(context.kept(false)));
    context.kept(false).within(async { spans.note(Duration::ZERO, merge) }).await;
    spans.note(Duration::ZERO, merge);
    assert_eq!(feed.count(), 0);
    context.within(async { spans.note(Duration::ZERO, merge) }).await;
    assert_eq!(feed.count(), 1);
}

#[test]
fn a_share_of_the_traces_that_begin_here_is_kept() {
    for (percent, least, most) in [(100, 2000, 2000), (25, 400, 600), (1, 1, 60), (0, 0, 0)] {
        let spans = spans();
        let _feed = spans.begin(percent, 8).unwrap();
        let kept = (0..2000).filter(|_| spans.drawn(TraceContext::begin()).is_sampled()).count();
        assert!((least..=most).contains(&kept), "{percent} %: {kept}");
    }
}

fn ask() -> SourceAsk {
    SourceAsk {
        source: SourceId::parse("gp").unwrap(),
        status: Some(SourceStatus::Timeout),
        fault: Some(FaultClass::NoHead),
        http: Some(504),
        breaker: Some(BreakerState::Probing),
        requests: 2,
        bytes: 17,
    }
}

#[test]
fn every_attribute_is_of_the_list_and_every_one_of_the_list_is_used() {
    let works = [
        Work::Request { route: "/x", method: "POST", code: Some(503) },
        Work::Request { route: "/x", method: "POST", code: None },
        Work::Ask(ask()),
        Work::Ask(SourceAsk { status: None, fault: None, http: None, breaker: None, ..ask() }),
        merge(),
        Work::Audit { kind: "intent", is_durable: false },
    ];
    let spans: Vec<_> = works.iter().map(|work| written(work.clone())).collect();
    let body = otlp::Resource::of_this_process().body(&spans);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let own = body["resourceSpans"][0]["resource"]["attributes"].as_array().unwrap();
    let attributes = of(&body).iter().flat_map(|span| span["attributes"].as_array().unwrap());
    let mut names: Vec<_> = own.iter().chain(attributes).map(|one| one["key"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ATTRIBUTES);
    assert!(ATTRIBUTES.is_sorted_by(|one, other| one < other));
    let errors: Vec<_> = of(&body).iter().map(|span| span["status"]["code"] == 2).collect();
    assert_eq!(errors, [true, false, true, true, false, true]);
}

fn written(work: Work) -> Span {
    let context = TraceContext::parse(GOOD).unwrap().child();
    Span { context, work, ended: Timestamp::UNIX_EPOCH, elapsed: Duration::ZERO }
}

#[test]
fn a_span_is_as_otlp_has_it() {
    let ended = Timestamp::new(1_700_000_000, 5).unwrap();
    let span = Span { ended, elapsed: Duration::from_millis(1500), ..written(Work::Ask(ask())) };
    let body = otlp::Resource::of_this_process().body(std::slice::from_ref(&span));
    let body: Value = serde_json::from_slice(&body).unwrap();
    let one = &of(&body)[0];
    assert_eq!(one["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(one["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(one["spanId"], span.context.span_id());
    assert_eq!((&one["name"], &one["kind"]), (&"ask gp".into(), &3.into()));
    assert_eq!(one["startTimeUnixNano"], "1699999998500000005");
    assert_eq!(one["endTimeUnixNano"], "1700000000000000005");
    let value = |name: &str| {
        let found = one["attributes"].as_array().unwrap().iter().find(|one| one["key"] == name);
        found.map(|one| one["value"].clone()).unwrap_or_default()
    };
    assert_eq!(value("http.response.status_code")["intValue"], "504");
    assert_eq!(value("tributary.source.breaker")["stringValue"], "probing");
    assert_eq!(value("error.type")["stringValue"], "no_head");
}
