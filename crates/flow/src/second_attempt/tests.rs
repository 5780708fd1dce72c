use super::*;

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;
use tower::service_fn;

use crate::observe::Unobserved;

#[derive(Clone, Debug)]
struct Question(Deadline);

impl HasDeadline for Question {
    fn deadline(&self) -> Deadline {
        self.0
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.0 = deadline;
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Said {
    fault: Option<SourceFault>,
    attempts: u32,
}

impl Answer for Said {
    fn fault(&self) -> Option<SourceFault> {
        self.fault
    }

    fn at_second_attempt(self) -> Self {
        Self { attempts: 2, ..self }
    }
}

type Outcome = Result<Said, SourceFault>;

fn status(http: u16, wait_millis: Option<u64>) -> Said {
    let retry = wait_millis.map_or(Retry::Never, |wait| Retry::Later(Duration::from_millis(wait)));
    let class = if wait_millis.is_some() { FaultClass::Throttled } else { FaultClass::ServerError };
    let fault = SourceFault::new(class).with_http(http).with_retry(retry);
    Said { fault: Some(fault), attempts: 1 }
}

fn reset() -> Outcome {
    Err(SourceFault::new(FaultClass::Reset).with_retry(Retry::Elsewhere))
}

fn good() -> Said {
    Said { fault: None, attempts: 1 }
}

fn layer(occasion: Occasion, breaker: Option<Breaker>) -> SecondAttemptLayer {
    SecondAttemptLayer::new(occasion, RetryBudget::new(), breaker, Chance::seeded(3), Arc::new(Unobserved))
}

/// Asks with a second left; gives the outcome, the attempts made and the time it took.
async fn asked(layer: &SecondAttemptLayer, first: Outcome, second: Outcome) -> (Outcome, usize, Duration) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let source = service_fn(move |_question: Question| {
        let outcome = if count.fetch_add(1, Ordering::Relaxed) == 0 { first.clone() } else { second.clone() };
        std::future::ready(outcome)
    });
    let begun = Instant::now();
    let question = Question(Deadline::after(Duration::from_secs(1)));
    let outcome = layer.layer(source).oneshot(question).await;
    (outcome, made.load(Ordering::Relaxed), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_where_it_can_help_and_never_a_third() {
    for first in [reset(), Ok(status(502, None)), Ok(status(503, None)), Ok(status(503, Some(330)))] {
        let layer = layer(Occasion::SilenceOrGateway, None);
        let (outcome, made, took) = asked(&layer, first.clone(), Ok(good())).await;
        assert_eq!((outcome.unwrap().attempts, made), (2, 2), "{first:?}");
        assert!(took >= LEAST_PAUSE && took <= Duration::from_millis(330), "{took:?}");
        let (_, made, _) = asked(&layer, first.clone(), first).await;
        assert_eq!(made, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn none_where_it_cannot() {
    let layer = layer(Occasion::SilenceOrGateway, None);
    let silent = |class| Err(SourceFault::new(class));
    for first in [
        Ok(good()),
        Ok(status(500, None)),
        Ok(status(429, None)),
        Ok(status(429, Some(1))),
        Ok(status(404, None)),
        Ok(status(503, Some(334))),
        silent(FaultClass::NoHead),
        silent(FaultClass::Tls),
        silent(FaultClass::Guard),
        silent(FaultClass::TooLarge),
    ] {
        let (outcome, made, took) = asked(&layer, first.clone(), Ok(good())).await;
        assert_eq!((outcome, made, took), (first, 1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn who_paces_himself_gets_one_for_silence_only() {
    let layer = layer(Occasion::Silence, None);
    assert_eq!(asked(&layer, Ok(status(503, None)), Ok(good())).await.1, 1);
    assert_eq!(asked(&layer, reset(), Ok(good())).await.1, 2);
}

#[tokio::test(start_paused = true)]
async fn none_without_time() {
    let layer = layer(Occasion::Silence, None);
    let source = layer.layer(service_fn(|_question: Question| std::future::ready(reset())));
    let begun = Instant::now();
    let outcome = source.oneshot(Question(Deadline::after(LEAST_PAUSE))).await;
    assert_eq!((outcome, begun.elapsed()), (reset(), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn none_when_the_budget_is_spent_or_the_breaker_does_not_pass() {
    let spent = layer(Occasion::Silence, None);
    let mut made = 0;
    for _ in 0..200 {
        made += asked(&spent, reset(), reset()).await.1;
    }
    // They take some seconds, so a few more than the ten and the twenty.
    assert!((230..=260).contains(&made), "{made}");

    let breaker = Breaker::new(Duration::from_secs(3), Chance::seeded(1), Arc::new(Unobserved));
    let guarded = layer(Occasion::Silence, Some(breaker.clone()));
    assert_eq!(asked(&guarded, reset(), reset()).await.1, 2);
    let failing = crate::BreakerLayer::new(breaker).layer(service_fn(|_: Question| {
        std::future::ready(Err::<(), _>(SourceFault::new(FaultClass::ServerError)))
    }));
    for _ in 0..5 {
        let question = Question(Deadline::after(Duration::from_secs(3)));
        failing.clone().oneshot(question).await.unwrap_err();
    }
    assert_eq!(asked(&guarded, reset(), reset()).await.1, 1);
}

#[tokio::test(start_paused = true)]
async fn the_source_s_own_fault_is_told_when_our_limits_end_the_second() {
    let layer = layer(Occasion::Silence, None);
    let full = Err(SourceFault::new(FaultClass::Guard));
    assert_eq!(asked(&layer, reset(), full).await.0, reset());
}
