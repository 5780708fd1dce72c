//! When something is told, how long it took and what is counted say nothing of what was withheld.
//!
//! The clock stands still, so times can be compared exactly: what an answer waits for, and for how long, is the same
//! whether a source holds something that a role may not see or not. How many instructions that takes is another
//! matter, and not a promise: an answer with more in it is read for longer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, advance};
use tributary_broker::{Mode, Policy};
use tributary_model::{MemoryBudget, Reason, Relationship, Role, RoleView, Section, SourceKind, ViewRole};
use tributary_policy::rule::{AsSent, Glass, Holds, Permit};
use tributary_policy::{Among, Column, Draft, Effect, Rule, Table};

use crate::kit::{Bench, Does, Source, request, settle, source};

/// How long the slower of the two sources takes.
const TAKES: Duration = Duration::from_millis(700);

/// Everything of one column of the matrix, of these kinds of sources.
fn policy(column: ViewRole, kinds: Among<SourceKind>) -> Policy {
    let rule = Rule {
        id: Arc::from("column"),
        says: String::new(),
        organisations: Among::Any,
        roles: Among::Any,
        purposes: Among::Any,
        kinds,
        sections: Among::Any,
        effect: Effect::Permit(Permit {
            relationship: Relationship::Unknown,
            glass: Glass::Whole,
            holds: Holds::Everywhere,
            labels: Some(Among::Any),
            as_sent: AsSent::No,
        }),
    };
    let columns = vec![(Role::Ambulance, Column::Of(column))];
    let table = Table::new(Draft { columns, rules: vec![rule], ..Draft::default() }).unwrap();
    Policy { table: Arc::new(table), digest: tributary_audit::Digest::of(b"column") }
}

/// Much, under a label that no role sees.
fn hidden() -> Vec<Value> {
    let kinds =
        ["Condition", "AllergyIntolerance", "MedicationStatement", "Observation", "Encounter", "Flag"];
    let resource = |(number, kind): (usize, &str)| {
        let subject = if kind == "AllergyIntolerance" { "patient" } else { "subject" };
        let words = format!("CANARY {}", "word ".repeat(400));
        let mut resource = json!({"resourceType": kind, "id": format!("hidden-{number}"), "status": "active",
            "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                "code": "NOBODY-KNOWS"}]},
            "code": {"text": words}, "medicationCodeableConcept": {"text": words}});
        resource[subject] = json!({"reference": "Patient/p1"});
        resource
    };
    kinds.iter().cycle().take(120).copied().enumerate().map(resource).collect()
}

/// Everything that somebody is told, and everything that is counted; with times.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    took: Duration,
    /// Each ask: of whom, for what, how long after the request.
    asks: Vec<String>,
    answer: String,
    /// How long each source took, as headers say it (`Server-Timing`).
    timings: Vec<String>,
    metrics: Vec<String>,
}

/// Series with their values. Of what this process took to do its work, and of how many bytes sources sent, which
/// nobody but operators sees, only the names: neither is of the tests' clock.
fn counted(bench: &Bench) -> Vec<String> {
    let text = bench.metrics.render();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let told = series.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        let is_ours = ["_seconds", "_bytes"].iter().any(|unit| name.contains(unit));
        Some(if is_ours { name.to_owned() } else { format!("{name} {value}") })
    });
    told.collect()
}

async fn told(policy: Policy, sources: Vec<Source>, asked: usize) -> Told {
    let bench = Bench::made(Mode::Demo, MemoryBudget::default(), policy, sources);
    let began = Instant::now();
    let broker = bench.broker.clone();
    let asking = tokio::spawn(async move { broker.answer_in_words(request()).await });
    if asked > 0 {
        bench.seen.begun(asked).await;
        settle().await;
        advance(TAKES).await;
    }
    let answer = asking.await.unwrap();
    let took = began.elapsed();
    let calls = bench.seen.calls().into_iter();
    let mut asks: Vec<String> =
        calls.map(|call| format!("{} {:?} {:?}", call.source, call.sections, call.at - began)).collect();
    asks.sort();
    let (answer, timings) = match answer {
        Err(refusal) => (format!("{refusal:?}"), Vec::new()),
        Ok((answer, view)) => {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains("CANARY") && !format!("{view:?}").contains("CANARY"));
            let rows = view.sources.iter();
            let timings = rows.map(|row| format!("{} {} {:?}", row.id, row.latency_ms, row.status)).collect();
            (format!("{:?} {} {} {text}", answer.verdict, answer.tally, answer.audit), timings)
        }
    };
    settle().await;
    Told { took, asks, answer, timings, metrics: counted(&bench) }
}

/// Whether a role is shown anything at all.
fn sees_anything(role: ViewRole) -> bool {
    !RoleView::of(role, Reason::NotGiven).sections().is_empty()
}

#[tokio::test(start_paused = true)]
async fn no_time_and_no_count_tells_of_what_a_role_may_not_see() {
    for role in ViewRole::ALL.iter().copied() {
        let sources = |more: Vec<Value>| {
            vec![Source { more, ..source("gp", Does::AnswersAfter(TAKES)) }, source("acute", Does::Answers)]
        };
        let asked = if sees_anything(role) { 2 } else { 0 };
        let there = told(policy(role, Among::Any), sources(hidden()), asked).await;
        let absent = told(policy(role, Among::Any), sources(Vec::new()), asked).await;
        assert_eq!(there, absent, "{role:?}");
        assert_eq!(there.took, if asked > 0 { TAKES } else { Duration::ZERO }, "{role:?}");
    }
}

/// A kind of source of which nothing is shown is named, and not asked: how it is, and whether it answers, is nobody's
/// to measure.
#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_shown_cannot_be_timed() {
    let whole = |does| {
        let acute = Source { kind: SourceKind::Acute, more: hidden(), ..source("acute", does) };
        vec![source("gp", Does::AnswersAfter(TAKES)), acute]
    };
    let role = ViewRole::Restricted;
    assert!(RoleView::of(role, Reason::NotGiven).sections().contains(Section::Problems));
    let only_gp = || policy(role, Among::Only(vec![SourceKind::Gp]));
    let usual = told(only_gp(), whole(Does::Answers), 1).await;
    assert_eq!(usual.timings.len(), 2, "it is named");
    assert_eq!(usual.asks.len(), 1, "it is not asked");
    for does in [Does::Hangs, Does::AnswersAboutSomebodyElse, Does::AnswersAfter(TAKES * 3)] {
        assert_eq!(told(only_gp(), whole(does), 1).await, usual, "{does:?}");
    }
}
