use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, advance};
use tributary_broker::label::AllergyLabel;
use tributary_broker::{Moment, RecordStream, Refusal, Stage};
use tributary_model::{RecordForm, RecordRequest, Requester, SourceStatus, StreamId};

use crate::disk::Trouble;
use crate::kit::{Bench, Does, request, requester, settle, source};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn begun(bench: &Bench, request: RecordRequest) -> RecordStream {
    bench.broker.stream(request, (StreamId::random(), None)).await.unwrap()
}

/// The next state, while time goes on: the clock of a bench moves only when it is told to.
pub(crate) async fn next(stream: &mut RecordStream) -> Option<Result<Moment, Refusal>> {
    let mut next = std::pin::pin!(stream.next());
    for _ in 0..4_000 {
        for _ in 0..50 {
            if let std::task::Poll::Ready(moment) = futures_util::poll!(next.as_mut()) {
                return moment;
            }
            tokio::task::yield_now().await;
        }
        // What is being written is written by a thread that no clock of ours moves.
        std::thread::yield_now();
        advance(Duration::from_millis(5)).await;
    }
    panic!("nothing came in twenty seconds");
}

pub(crate) async fn shown(stream: &mut RecordStream) -> Moment {
    next(stream).await.unwrap().unwrap()
}

/// Status by source, and whether it is awaited.
fn rows(moment: &Moment) -> Vec<(String, SourceStatus, bool)> {
    let mut rows: Vec<_> =
        moment.view.sources.iter().map(|row| (row.id.as_str().to_owned(), row.status, row.pending)).collect();
    rows.sort();
    rows
}

pub(crate) fn says(moment: &Moment, source: &str) -> bool {
    moment.pieces.sections.iter().any(|(_, piece)| piece.contains(&format!("Condition/c-{source}")))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn slow(id: &'static str, after: Duration) -> crate::kit::Source {
    source(id, Does::AnswersAfter(after))
}

#[tokio::test(start_paused = true)]
async fn whoever_answers_is_shown_and_the_slowest_holds_up_nobody() {
    let bench = Bench::new(vec![
        source("quick", Does::Answers),
        slow("slow", SECOND * 3),
        source("hung", Does::Hangs),
    ]);
    let began = Instant::now();
    let mut stream = begun(&bench, request()).await;
    let first = shown(&mut stream).await;
    assert_eq!((first.stage, first.is_last), (Stage::Growing, false));
    assert_eq!(first.view.allergy_label, AllergyLabel::Checking);
    let second = if says(&first, "quick") { first } else { shown(&mut stream).await };
    assert!(says(&second, "quick") && !says(&second, "slow"));
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert_eq!(second.view.allergy_label, AllergyLabel::Checking);
    assert_eq!(rows(&second)[2], ("slow".to_owned(), SourceStatus::Timeout, true));
    let third = shown(&mut stream).await;
    assert!(says(&third, "slow") && third.stage == Stage::Growing);
    assert!((SECOND * 3..SECOND * 4).contains(&began.elapsed()), "{:?}", began.elapsed());
    let complete = shown(&mut stream).await;
    assert_eq!((complete.stage, complete.is_last), (Stage::Complete, false));
    assert!((SECOND * 7..SECOND * 8).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(rows(&complete)[0], ("hung".to_owned(), SourceStatus::Timeout, false));
    assert_eq!(complete.view.allergy_label, AllergyLabel::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn who_answers_almost_at_once_is_in_the_first_state_and_nobody_else_is_waited_for() {
    let quick = Duration::from_millis(10);
    for (second, is_over) in [(slow("slow", SECOND), false), (slow("slow", quick * 3 / 2), true)] {
        let bench = Bench::new(vec![slow("quick", quick), second]);
        let began = Instant::now();
        let mut stream = begun(&bench, request()).await;
        let first = shown(&mut stream).await;
        assert!(says(&first, "quick"));
        assert_eq!((says(&first, "slow"), first.is_last), (is_over, is_over));
        // The clock moves on while the log is written, by steps of the bench.
        assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_state_is_what_is_answered_at_once() {
    let sources = || vec![source("gp", Does::Answers), slow("acute", SECOND), slow("other", SECOND * 2)];
    let bench = Bench::new(sources());
    let mut stream = begun(&bench, request()).await;
    let mut moment = shown(&mut stream).await;
    while !moment.is_last {
        moment = shown(&mut stream).await;
    }
    assert!(next(&mut stream).await.is_none());
    let asked = bench.asks(RecordRequest { form: RecordForm::Lines, ..request() });
    while !asked.is_finished() {
        settle().await;
        std::thread::yield_now();
        advance(Duration::from_millis(5)).await;
    }
    let whole = parsed(std::str::from_utf8(&asked.await.unwrap().unwrap().body).unwrap());
    assert_eq!(put_together(&moment), sorted(whole));
}

/// The pieces of a stream as the one answer they stand for.
fn put_together(moment: &Moment) -> Value {
    let rest = parsed(&moment.pieces.rest);
    let (mut sections, mut disputes, mut statements, mut label) =
        (Vec::new(), Vec::new(), Vec::new(), json!(null));
    let mut take = |piece: &mut Value| {
        let mut taken = |name| piece.as_object_mut().unwrap().remove(name).unwrap_or_default();
        disputes.extend(taken("discrepancies").as_array().unwrap().clone());
        statements.extend(taken("statements").as_array().unwrap().clone());
        taken("allergyLabel")
    };
    for (section, text) in &moment.pieces.sections {
        let mut piece = parsed(text);
        assert_eq!(piece["section"], section.code());
        let said = take(&mut piece);
        if !said.is_null() {
            label = said;
        }
        sections.push(piece);
    }
    take(&mut rest.clone());
    let sources = moment.pieces.sources.iter().map(|(_, text)| {
        let mut row = parsed(text);
        assert_eq!(row.as_object_mut().unwrap().remove("pending"), Some(json!(false)));
        row.as_object_mut().unwrap().remove("latencyMs").unwrap();
        row
    });
    sorted(json!({
        "timestamp": rest["timestamp"], "completeness": rest["completeness"],
        "patient": parsed(&moment.pieces.patient), "sources": sources.collect::<Vec<_>>(),
        "allergyLabel": label, "sections": sections, "discrepancies": disputes, "statements": statements,
    }))
}

/// With the lists sorted whose order is that of the sections.
fn sorted(mut whole: Value) -> Value {
    for name in ["discrepancies", "statements"] {
        whole[name].as_array_mut().unwrap().sort_by_key(Value::to_string);
    }
    whole
}

#[tokio::test(start_paused = true)]
async fn whoever_is_late_is_shown_late() {
    let bench = Bench::new(vec![source("gp", Does::Answers), slow("late", SECOND * 12)]);
    let mut stream = begun(&bench, request()).await;
    let mut moment = shown(&mut stream).await;
    while moment.stage == Stage::Growing {
        moment = shown(&mut stream).await;
    }
    assert_eq!((moment.stage, moment.is_last), (Stage::Complete, false));
    assert_eq!(rows(&moment)[1], ("late".to_owned(), SourceStatus::Timeout, false));
    let late = shown(&mut stream).await;
    assert_eq!((late.stage, late.is_last), (Stage::Late, true));
    assert_eq!(rows(&late)[1], ("late".to_owned(), SourceStatus::Ok, false));
    assert!(says(&late, "late"));
    assert!(next(&mut stream).await.is_none());
    drop(stream);
    settle().await;
    assert!(bench.is_quiet());
    let asks = "tributary_source_asks_total{";
    let metrics = bench.metrics.render();
    let counted: Vec<_> =
        metrics.lines().filter(|line| line.starts_with(asks) && !line.ends_with(" 0")).collect();
    assert_eq!(counted.len(), 2, "each is counted once: {counted:?}");
}

#[tokio::test(start_paused = true)]
async fn every_state_is_on_record_before_it_is_shown() {
    let bench = Bench::new(vec![source("gp", Does::Answers), slow("acute", SECOND)]);
    let mut stream = begun(&bench, request()).await;
    let mut told = 0;
    loop {
        let moment = shown(&mut stream).await;
        told += 1;
        let disclosures = bench.records_of("disclosure");
        assert_eq!(disclosures.len(), told);
        assert_eq!(moment.audit, format!("local-{}", disclosures[told - 1]["seq"]));
        if moment.is_last {
            break;
        }
    }
    drop(stream);
    settle().await;
    let records = bench.closed_all().await;
    let of = |kind: &str| records.iter().filter(|one| one["kind"] == kind).count();
    assert_eq!((of("intent"), of("disclosure")), (1, told), "a stream at its end needs no other end");
    let last = records.iter().rev().find(|one| one["kind"] == "disclosure").unwrap();
    assert_eq!((&last["sources"][0]["status"], &last["sources"][1]["status"]), (&json!("ok"), &json!("ok")));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_that_cannot_be_recorded() {
    let bench = Bench::new(vec![source("gp", Does::Answers), slow("acute", SECOND)]);
    let mut stream = begun(&bench, request()).await;
    shown(&mut stream).await;
    bench.disk.troubles("disclosure", Trouble::Fails);
    assert!(matches!(next(&mut stream).await, Some(Err(Refusal::AuditUnavailable))));
    assert!(next(&mut stream).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_takes_their_asks_along() {
    let bench = Bench::new(vec![source("gp", Does::Answers), source("hung", Does::Hangs)]);
    let mut stream = begun(&bench, request()).await;
    shown(&mut stream).await;
    bench.seen.begun(2).await;
    drop(stream);
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["hung"]);
    assert!(bench.is_quiet());
    let records = bench.closed("disclosure").await;
    assert_eq!(records.last().unwrap()["outcome"]["http"], 499, "nobody waited for the end of it");
}

/// A stream that was cut off once its first source was heard; gives its id.
async fn cut_off(bench: &Bench) -> StreamId {
    let id = StreamId::random();
    let mut stream = bench.broker.stream(request(), (id, None)).await.unwrap();
    while !says(&shown(&mut stream).await, "gp") {}
    drop(stream);
    settle().await;
    id
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_on_is_told_at_once_what_was_heard() {
    let bench = Bench::new(vec![source("gp", Does::Answers), slow("acute", SECOND * 2)]);
    let id = cut_off(&bench).await;
    assert_eq!(bench.seen.calls().len(), 2);
    let mut stream = bench.broker.stream(request(), (StreamId::random(), Some(id))).await.unwrap();
    assert!(says(&shown(&mut stream).await, "gp"), "known from the first state on");
    settle().await;
    let calls = bench.seen.calls();
    let asked = |source| calls.iter().filter(|call| call.source == source).count();
    assert_eq!((asked("gp"), asked("acute")), (1, 2), "only who was not heard is asked again");
    let fetches: Vec<_> =
        bench.records_of("disclosure").iter().map(|one| one["sources"][0]["fetch_id"].clone()).collect();
    assert!(
        fetches.iter().filter(|id| id.is_string()).all(|id| id == fetches.last().unwrap()),
        "{fetches:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_else_goes_on_with_a_stream() {
    let bench = Bench::new(vec![source("gp", Does::Answers), source("hung", Does::Hangs)]);
    let id = cut_off(&bench).await;
    let other = Requester { user_id: "u-18".to_owned(), ..requester() };
    let theirs = RecordRequest { requester: std::sync::Arc::new(other), ..request() };
    for (request, resumes) in [(theirs, Some(id)), (request(), None), (request(), Some(StreamId::random()))] {
        let asked = bench.seen.calls().len();
        let stream = bench.broker.stream(request, (StreamId::random(), resumes)).await.unwrap();
        settle().await;
        assert_eq!(bench.seen.calls().len(), asked + 2, "everybody is asked");
        drop(stream);
        settle().await;
    }
    advance(Duration::from_mins(1)).await;
    let asked = bench.seen.calls().len();
    let _stream = bench.broker.stream(request(), (StreamId::random(), Some(id))).await.unwrap();
    settle().await;
    assert_eq!(bench.seen.calls().len(), asked + 2, "after a minute nobody does");
}
