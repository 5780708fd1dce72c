use std::sync::Arc;
use std::time::Duration;

use tokio::time::advance;
use tributary_broker::{Answer, Refusal};
use tributary_model::{
    FaultClass, FhirDate, Freshness, NhsNumber, OdsCode, RecordRequest, Requester, Role, Section, SectionSet,
};

use crate::disk::Trouble;
use crate::kit::{Bench, Does, Source, has_statement_of, request, requester, source, statuses};

fn kept(does: Vec<Does>) -> Bench {
    let cache_ttl = Some(Duration::from_mins(1));
    Bench::new(vec![Source { does, cache_ttl, ..source("gp", Does::Answers) }])
}

async fn asked(bench: &Bench, request: RecordRequest) -> Answer {
    bench.asks(request).await.unwrap().unwrap()
}

const TICK: Duration = Duration::from_millis(2);

fn by_somebody_else() -> RecordRequest {
    let requester = Requester { user_id: "u-18".to_owned(), ..requester() };
    RecordRequest { requester: Arc::new(requester), ..request() }
}

#[tokio::test(start_paused = true)]
async fn the_same_person_is_served_from_memory() {
    let bench = kept(vec![Does::Answers]);
    let first = asked(&bench, request()).await;
    assert_eq!(statuses(&first)["gp"], "ok");
    let second = asked(&bench, request()).await;
    assert_eq!(statuses(&second)["gp"], "ok-cached");
    assert!(has_statement_of(&second, "gp"));
    assert_eq!(bench.seen.calls().len(), 1);
    assert_ne!(first.audit, second.audit);
}

#[tokio::test(start_paused = true)]
async fn every_use_of_a_kept_reply_is_a_disclosure_of_its_own() {
    let bench = kept(vec![Does::Answers]);
    for _ in 0..3 {
        asked(&bench, request()).await;
    }
    let (intents, disclosures) = (bench.records_of("intent"), bench.records_of("disclosure"));
    assert_eq!((intents.len(), disclosures.len()), (3, 3));
    let used: Vec<_> = disclosures[1..].iter().map(|one| one["sources"][0].clone()).collect();
    assert!(used.iter().all(|one| one["status"] == "ok-cached"), "{used:?}");
    assert!(used[0]["fetch_id"].is_string());
    // What it says is told as it was when it came, so that a replay can tell whether the source says something else.
    let first = &disclosures[0]["sources"][0];
    assert!(first["content"].is_string(), "{first}");
    assert!(used.iter().all(|one| one["content"] == first["content"]), "{used:?}");
    assert_eq!(used[0]["fetch_id"], used[1]["fetch_id"]);
}

#[tokio::test(start_paused = true)]
async fn the_fetch_that_a_kept_reply_names_is_on_record() {
    let bench = kept(vec![Does::Answers]);
    for _ in 0..2 {
        asked(&bench, request()).await;
    }
    let disclosures = bench.records_of("disclosure");
    let named = disclosures[1]["sources"][0]["fetch_id"].as_str().unwrap();
    let fetch = disclosures[0].to_string();
    assert!(fetch.contains(named), "nothing in the log is called {named}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_not_the_same_person_asking_the_same_asks_again() {
    let by = |change: fn(&mut Requester)| {
        let mut requester = requester();
        change(&mut requester);
        RecordRequest { requester: Arc::new(requester), ..request() }
    };
    let problems = SectionSet::EMPTY.with(Section::Problems);
    let others = [
        ("user", by(|one| "u-18".clone_into(&mut one.user_id))),
        ("organisation", by(|one| one.organisation = OdsCode::parse("RXX02").unwrap())),
        ("role", by(|one| one.role = Role::Gp)),
        ("patient", RecordRequest { patient: NhsNumber::parse("9990000204").unwrap(), ..request() }),
        ("sections", RecordRequest { sections: problems, ..request() }),
        ("since", RecordRequest { since: FhirDate::parse("2026-01-01"), ..request() }),
        ("freshness", RecordRequest { freshness: Freshness::FetchNow, ..request() }),
    ];
    for (what, other) in others {
        let bench = kept(vec![Does::Answers]);
        asked(&bench, request()).await;
        let answer = asked(&bench, other).await;
        assert_ne!(statuses(&answer)["gp"], "ok-cached", "another {what}");
        assert_eq!(bench.seen.calls().len(), 2, "another {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_patients_reply_is_never_kept() {
    let bench = kept(vec![Does::AnswersAboutSomebodyElse, Does::Answers]);
    let first = asked(&bench, request()).await;
    assert_eq!(statuses(&first)["gp"], "identity-mismatch");
    assert!(!has_statement_of(&first, "gp"));
    let second = asked(&bench, request()).await;
    assert_eq!(statuses(&second)["gp"], "ok");
    assert_eq!(bench.seen.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_mixup_ends_what_was_kept_for_everybody() {
    let bench = kept(vec![Does::Answers, Does::Answers, Does::AnswersAboutSomebodyElse, Does::Answers]);
    asked(&bench, request()).await;
    asked(&bench, by_somebody_else()).await;
    let fresh = RecordRequest { freshness: Freshness::FetchNow, ..request() };
    assert_eq!(statuses(&asked(&bench, fresh).await)["gp"], "identity-mismatch");
    assert_eq!(statuses(&asked(&bench, request()).await)["gp"], "ok");
    assert_eq!(statuses(&asked(&bench, by_somebody_else()).await)["gp"], "ok");
    assert_eq!(bench.seen.calls().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_objection_ends_what_was_kept_for_everybody() {
    for class in [FaultClass::Consent, FaultClass::Denied, FaultClass::NoRecord] {
        let bench = kept(vec![Does::Answers, Does::Answers, Does::Fails(class)]);
        asked(&bench, request()).await;
        asked(&bench, by_somebody_else()).await;
        let fresh = RecordRequest { freshness: Freshness::FetchNow, ..request() };
        asked(&bench, fresh).await;
        for again in [request(), by_somebody_else()] {
            let answer = asked(&bench, again).await;
            assert!(!has_statement_of(&answer, "gp"), "{class:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_objection_holds_against_fetches_that_began_before_it() {
    let second = Duration::from_secs(1);
    let late = Does::AnswersAfter(second);
    let bench = kept(vec![late, Does::Fails(FaultClass::Consent), Does::Answers]);
    let first = bench.asks(request());
    bench.seen.begun(1).await;
    assert_eq!(statuses(&asked(&bench, by_somebody_else()).await)["gp"], "withheld-consent");
    advance(second + TICK).await;
    assert_eq!(statuses(&first.await.unwrap().unwrap())["gp"], "ok");
    assert_eq!(bench.broker.usage().cache_bytes, 0);
    asked(&bench, request()).await;
    assert_eq!(bench.seen.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_is_remembered_for_a_minute_at_most() {
    for (ttl_secs, remembered_secs) in [(900, 60), (20, 20)] {
        let (ttl, remembered) = (Duration::from_secs(ttl_secs), Duration::from_secs(remembered_secs));
        let does = vec![Does::Fails(FaultClass::NoRecord), Does::Answers];
        let bench = Bench::new(vec![Source { does, cache_ttl: Some(ttl), ..source("gp", Does::Answers) }]);
        let mut told = vec![asked(&bench, request()).await];
        advance(remembered.saturating_sub(TICK)).await;
        told.push(asked(&bench, request()).await);
        assert!(told.iter().all(|answer| statuses(answer)["gp"] == "no-record"));
        assert_eq!(bench.seen.calls().len(), 1);
        // Nobody else is told what one was told, and whoever wants it fetched has it fetched.
        assert_eq!(statuses(&asked(&bench, by_somebody_else()).await)["gp"], "ok");
        advance(TICK).await;
        assert_eq!(statuses(&asked(&bench, request()).await)["gp"], "ok");
        let disclosures = bench.records_of("disclosure");
        let fetches: Vec<_> = disclosures.iter().map(|one| one["sources"][0]["fetch_id"].clone()).collect();
        assert!(
            fetches[0].is_string() && fetches[0] == fetches[1] && fetches[1] != fetches[2],
            "{fetches:?}"
        );
        let metrics = bench.metrics.render();
        assert!(metrics.contains("tributary_cache_lookups_total{outcome=\"absence\"} 1"), "{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_leave_to_keep_nothing_is_asked_again_each_time() {
    let bench = Bench::new(vec![source("gp", Does::Fails(FaultClass::NoRecord))]);
    for _ in 0..2 {
        asked(&bench, request()).await;
    }
    assert_eq!(bench.seen.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_whose_disclosure_is_not_on_record() {
    let bench = kept(vec![Does::Answers]);
    bench.disk.troubles("disclosure", Trouble::Fails);
    assert_eq!(bench.asks(request()).await.unwrap().unwrap_err(), Refusal::AuditUnavailable);
    assert_eq!(bench.broker.usage().cache_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cleared_cache_serves_nobody() {
    let bench = kept(vec![Does::Answers]);
    asked(&bench, request()).await;
    assert!(bench.broker.usage().cache_bytes > 0);
    bench.broker.clear_cache();
    assert_eq!(bench.broker.usage().cache_bytes, 0);
    assert_eq!(statuses(&asked(&bench, request()).await)["gp"], "ok");
}

#[tokio::test(start_paused = true)]
async fn without_a_time_to_live_nothing_is_kept() {
    let bench = Bench::new(vec![source("gp", Does::Answers)]);
    for _ in 0..2 {
        let answer = asked(&bench, request()).await;
        assert_eq!(statuses(&answer)["gp"], "ok");
    }
    assert_eq!(bench.seen.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_not_kept() {
    let bench = kept(vec![Does::Fails(FaultClass::Reset), Does::Answers]);
    asked(&bench, request()).await;
    assert_eq!(statuses(&asked(&bench, request()).await)["gp"], "ok");
}

#[tokio::test(start_paused = true)]
async fn memory_is_not_measured_as_a_fast_source() {
    let bench = kept(vec![Does::Answers]);
    for _ in 0..3 {
        asked(&bench, request()).await;
    }
    let metrics = bench.metrics.render();
    for line in [
        "tributary_cache_lookups_total{outcome=\"hit\"} 2",
        "tributary_cache_lookups_total{outcome=\"miss\"} 1",
        "tributary_source_duration_seconds_count{source=\"gp\"} 1",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line}\n{metrics}");
    }
}
