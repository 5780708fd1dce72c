//! The memory that requests may hold together.

use std::time::Duration;

use tributary_broker::{Refusal, Verdict};
use tributary_model::MemoryBudget;

use crate::kit::{Bench, Does, request, settle, source};
use crate::leaving::relay;

/// What is expected of one source that has not answered yet.
const ONE: u64 = 64 << 10;

#[tokio::test(start_paused = true)]
async fn without_memory_nobody_is_asked_and_nothing_is_intended() {
    let memory = MemoryBudget::new(ONE - 1);
    let bench = Bench::with_memory(&memory, vec![source("gp", Does::Answers)]);
    let mut waits = Vec::new();
    for _ in 0..10 {
        let Err(Refusal::Overloaded(wait)) = bench.asks(request()).await.unwrap() else { panic!("refused") };
        waits.push(wait.as_secs());
    }
    waits.sort_unstable();
    // Nobody is told to come back with everybody else.
    assert_eq!(waits, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    assert!(bench.seen.calls().is_empty() && bench.records_of("intent").is_empty());
    assert_eq!(memory.taken(), 0);
    let metrics = bench.metrics.render();
    assert!(metrics.contains("tributary_shed_total{reason=\"memory\"} 10"), "{metrics}");
    // What is passed on takes of the same.
    assert!(matches!(bench.broker.relay(relay()).await, Err(Refusal::Overloaded(_))));
}

#[tokio::test(start_paused = true)]
async fn an_answer_holds_its_memory_until_it_is_dropped() {
    let memory = MemoryBudget::new(1 << 20);
    let bench = Bench::with_memory(&memory, vec![source("gp", Does::Answers)]);
    let answer = bench.asks(request()).await.unwrap().unwrap();
    assert_eq!(answer.verdict, Verdict::Record);
    assert_eq!((answer.lease.bytes(), memory.taken()), (answer.body.len() as u64, answer.body.len() as u64));
    drop(answer);
    assert_eq!(memory.taken(), 0);
    let relayed = bench.broker.relay(relay()).await.unwrap();
    assert_eq!(memory.taken(), relayed.body.len() as u64);
    drop(relayed);
    assert_eq!(memory.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_expected_of_a_source_comes_down_slowly_to_what_it_sends() {
    let memory = MemoryBudget::new(1 << 30);
    let does = vec![Does::Answers; 60].into_iter().chain([Does::Hangs]).collect();
    let bench = Bench::with_memory(&memory, vec![crate::kit::Source { does, ..source("gp", Does::Hangs) }]);
    for _ in 0..60 {
        bench.asks(request()).await.unwrap().unwrap();
    }
    let last = bench.asks(request());
    bench.seen.begun(61).await;
    assert!((1_000..ONE / 4).contains(&memory.taken()), "{}", memory.taken());
    last.abort();
    settle().await;
    assert_eq!(memory.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_is_shown() {
    let memory = MemoryBudget::new(12_345);
    let bench = Bench::with_memory(&memory, vec![source("gp", Does::Answers)]);
    let _taken = memory.take(345).unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    settle().await;
    let metrics = bench.metrics.render();
    let shown = |value: &str| metrics.lines().any(|line| line.contains("memory") && line.ends_with(value));
    assert!(shown(" 345") && shown(" 12345"), "{metrics}");
}
