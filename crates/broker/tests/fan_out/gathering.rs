use std::time::Duration;

use tokio::time::{Instant, advance};
use tributary_broker::{Refusal, Verdict};
use tributary_model::{Deadline, FaultClass, RecordRequest, Section, SectionSet};

use crate::kit::{Bench, Does, SOURCES_HAVE, Source, has_statement_of, request, settle, source, statuses};
use crate::quiet::keep_quiet_about_stubs;

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(2);

#[tokio::test(start_paused = true)]
async fn asks_start_at_once_and_together() {
    let ids = ["acute", "gp", "walkin", "community"];
    let bench = Bench::new(ids.map(|id| source(id, Does::AnswersAfter(SECOND))).into());
    let began = Instant::now();
    let answer = bench.asks(request());
    bench.seen.begun(4).await;
    assert!(bench.seen.calls().iter().all(|call| call.at == began));
    advance(SECOND + TICK).await;
    let answer = answer.await.unwrap().unwrap();
    // One second for all four, and none for merging.
    assert_eq!(began.elapsed(), SECOND + TICK);
    assert_eq!(answer.verdict, Verdict::Record);
    assert!(statuses(&answer).values().all(|status| status == "ok"));
    assert!(ids.iter().all(|id| has_statement_of(&answer, id)));
    assert!(bench.seen.cancelled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_is_reported_not_awaited() {
    let bench = Bench::new(vec![source("gp", Does::Answers), source("slow", Does::Hangs)]);
    let answer = bench.asks(request());
    bench.seen.begun(2).await;
    advance(SOURCES_HAVE.saturating_sub(TICK)).await;
    settle().await;
    assert!(!answer.is_finished(), "the slow source has its time");
    advance(TICK * 2).await;
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.verdict, Verdict::Record);
    assert_eq!(statuses(&answer)["slow"], "timeout");
    assert_eq!(statuses(&answer)["gp"], "ok");
    assert!(has_statement_of(&answer, "gp"));
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["slow"]);
    assert!(bench.broker.sources().iter().all(|one| one.in_flight == 0));
}

#[tokio::test(start_paused = true)]
async fn the_reserve_follows_the_budget() {
    // Milliseconds of budget, and of it what the sources may take.
    for (budget, have) in [(300, 150), (1_000, 850), (4_000, 3_760), (30_000, 29_500)] {
        let bench =
            Bench::new(vec![Source { timeout: Duration::from_mins(1), ..source("slow", Does::Hangs) }]);
        let deadline = Deadline::after(Duration::from_millis(budget));
        let answer = bench.asks(RecordRequest { deadline, ..request() });
        bench.seen.begun(1).await;
        advance(Duration::from_millis(have).saturating_sub(TICK)).await;
        settle().await;
        assert!(!answer.is_finished(), "{budget}");
        advance(TICK * 2).await;
        assert_eq!(answer.await.unwrap().unwrap().verdict, Verdict::TimedOut, "{budget}");
        assert!(deadline.remaining() > Duration::ZERO, "{budget}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_timeout_ends_only_its_own_source() {
    let hasty = Source { timeout: SECOND, ..source("hasty", Does::Hangs) };
    let bench = Bench::new(vec![hasty, source("gp", Does::AnswersAfter(SECOND * 3))]);
    let answer = bench.asks(request());
    bench.seen.begun(2).await;
    advance(SECOND + TICK).await;
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["hasty"]);
    assert!(!answer.is_finished());
    advance(SECOND * 2).await;
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(statuses(&answer)["hasty"], "timeout");
    assert_eq!(statuses(&answer)["gp"], "ok");
    assert!(has_statement_of(&answer, "gp"));
}

#[tokio::test(start_paused = true)]
async fn a_panicking_source_is_unavailable() {
    let bench = Bench::new(vec![source("broken", Does::Panics), source("gp", Does::Answers)]);
    let answer = bench.asks(request()).await.unwrap().unwrap();
    assert_eq!(statuses(&answer)["broken"], "unavailable");
    assert_eq!(statuses(&answer)["gp"], "ok");
    assert!(has_statement_of(&answer, "gp"));
    assert!(bench.broker.sources().iter().all(|one| one.in_flight == 0));
}

/// On several threads and in real time, as it runs in earnest: at the deadline of the sources, the timer of the
/// fan-out and those of the asks go off together, and any may be seen first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_source_is_unavailable_beside_slow_ones_too() {
    keep_quiet_about_stubs();
    let slow = ["slow", "slower", "slowest"].map(|id| source(id, Does::Hangs));
    let bench = Bench::new(slow.into_iter().chain([source("broken", Does::Panics)]).collect());
    let asked = || RecordRequest { deadline: Deadline::after(SECOND), ..request() };
    let answers: Vec<_> = (0..32).map(|_| bench.asks(asked())).collect();
    let mut taken_for_slow = 0;
    for answer in answers {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(statuses(&answer)["slow"], "timeout");
        // 504 would say that all timed out.
        let is_named = statuses(&answer)["broken"] == "unavailable" && answer.verdict == Verdict::Failed;
        taken_for_slow += usize::from(!is_named);
    }
    assert_eq!(taken_for_slow, 0, "of 32 answers take the broken source for a slow one");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_serves_nothing_of_it_is_not_expected() {
    let diary = SectionSet::EMPTY.with(Section::Diary);
    let problems = SectionSet::EMPTY.with(Section::Problems);
    let both = diary.or(problems);
    let bench = Bench::new(vec![
        Source { serves: diary, ..source("diarist", Does::Answers) },
        Source { serves: both, ..source("gp", Does::Answers) },
    ]);
    let answer = bench.asks(RecordRequest { sections: problems, ..request() }).await.unwrap().unwrap();
    assert_eq!(statuses(&answer).into_keys().collect::<Vec<_>>(), ["gp"]);
    let calls = bench.seen.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].source, calls[0].sections), ("gp", problems));
    assert_eq!(bench.records_of("intent")[0]["expected"], serde_json::json!(["gp"]));
}

#[tokio::test(start_paused = true)]
async fn every_expected_source_is_reported_once() {
    let bench = Bench::new(vec![
        source("answers", Does::Answers),
        source("consent", Does::Fails(FaultClass::Consent)),
        source("none", Does::Fails(FaultClass::NoRecord)),
        source("other", Does::AnswersAboutSomebodyElse),
        source("reset", Does::Fails(FaultClass::Reset)),
        source("slow", Does::Hangs),
    ]);
    let answer = bench.asks(request());
    bench.seen.begun(6).await;
    advance(SOURCES_HAVE + TICK).await;
    let answer = answer.await.unwrap().unwrap();
    let found = statuses(&answer);
    let wanted = [
        ("answers", "ok"),
        ("consent", "withheld-consent"),
        ("none", "no-record"),
        ("other", "identity-mismatch"),
        ("reset", "unavailable"),
        ("slow", "timeout"),
    ];
    assert_eq!(found, wanted.map(|(id, status)| (id.to_owned(), status.to_owned())).into());
    assert!(has_statement_of(&answer, "answers") && !has_statement_of(&answer, "other"));
    // The record of the disclosure says the same as the answer.
    let disclosure = &bench.records_of("disclosure")[0];
    let told = disclosure["sources"].as_array().unwrap().iter();
    let told = told.map(|one| (one["source"].as_str().unwrap(), one["status"].as_str().unwrap()));
    assert_eq!(told.collect::<std::collections::BTreeMap<_, _>>(), wanted.into());
}

#[tokio::test(start_paused = true)]
async fn three_mixups_and_a_source_is_not_asked() {
    let bench =
        Bench::new(vec![source("gp", Does::Answers), source("mixer", Does::AnswersAboutSomebodyElse)]);
    for _ in 0..3 {
        let answer = bench.asks(request()).await.unwrap().unwrap();
        assert_eq!(statuses(&answer)["mixer"], "identity-mismatch");
    }
    let answer = bench.asks(request()).await.unwrap().unwrap();
    assert_eq!(statuses(&answer)["mixer"], "not-queried");
    assert_eq!(bench.seen.calls().iter().filter(|call| call.source == "mixer").count(), 3);
    let warnings = bench.closed("security").await;
    let words: Vec<_> = warnings.iter().map(|one| one["security"].as_str().unwrap()).collect();
    assert_eq!(words.len(), 4, "{words:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_answer_cancels_its_asks() {
    let bench = Bench::new(vec![
        source("gp", Does::Answers),
        source("slow", Does::Hangs),
        source("slower", Does::AnswersAfter(SECOND)),
    ]);
    let answer = bench.asks(request());
    bench.seen.begun(3).await;
    settle().await;
    answer.abort();
    assert!(answer.await.unwrap_err().is_cancelled());
    settle().await;
    assert_eq!(bench.seen.cancelled(), ["slow", "slower"]);
    assert!(bench.broker.sources().iter().all(|one| one.in_flight == 0));
    let intent = bench.records_of("intent")[0]["seq"].clone();
    let disclosures = bench.closed("disclosure").await;
    assert_eq!(disclosures.len(), 1);
    assert_eq!(disclosures[0]["outcome"]["http"], 499);
    assert_eq!(disclosures[0]["outcome"]["bytes"], 0);
    assert_eq!(disclosures[0]["corr"], intent);
    assert_eq!(disclosures[0]["patient"]["nhs"], "9990000107");
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_and_there_is_no_record() {
    for (does, verdict) in [
        (Does::Fails(FaultClass::NoRecord), Verdict::NotFound),
        (Does::Fails(FaultClass::Throttled), Verdict::Shed(SECOND * 5)),
        (Does::Fails(FaultClass::Connect), Verdict::Failed),
        (Does::Panics, Verdict::Failed),
    ] {
        let bench = Bench::new(vec![source("gp", does), source("acute", does)]);
        let answer = bench.asks(request()).await.unwrap().unwrap();
        assert_eq!(answer.verdict, verdict, "{does:?}");
        assert_eq!(statuses(&answer).len(), 2, "{does:?}");
        let (_, view) = bench.broker.answer_in_words(request()).await.unwrap();
        assert!(view.sections.is_empty() && view.discrepancies.is_empty(), "{does:?}");
        assert_eq!(view.sources.len(), 2, "{does:?}");
    }
    let bench = Bench::new(Vec::new());
    let answer: Result<_, Refusal> = bench.asks(request()).await.unwrap();
    assert_eq!(answer.unwrap_err(), Refusal::NoSuchSource);
}
