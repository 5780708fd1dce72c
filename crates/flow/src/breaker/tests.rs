use super::*;

use std::sync::Mutex as Notes;

use tokio::time::{advance, sleep};
use tower::{ServiceExt as _, service_fn};
use tributary_model::Deadline;

const CAP: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Notebook(Notes<Vec<BreakerState>>);

impl Observer for Notebook {
    fn breaker(&self, state: BreakerState) {
        self.0.lock().unwrap().push(state);
    }
}

#[derive(Debug)]
struct Question {
    deadline: Deadline,
    /// What the source does with it, and after how long.
    answer: Result<(), SourceFault>,
    after: Duration,
}

impl HasDeadline for Question {
    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }
}

struct Bench {
    breaker: Breaker,
    notebook: Arc<Notebook>,
}

impl Bench {
    fn new() -> Self {
        let notebook = Arc::new(Notebook::default());
        let breaker = Breaker::new(CAP, Chance::seeded(1), Arc::<Notebook>::clone(&notebook));
        Self { breaker, notebook }
    }

    async fn put(&self, question: Question) -> Result<(), SourceFault> {
        let source = service_fn(|question: Question| async move {
            sleep(question.after).await;
            question.answer
        });
        BreakerLayer::new(self.breaker.clone()).layer(source).oneshot(question).await
    }

    async fn ask(&self, answer: Result<(), SourceFault>) -> Result<(), SourceFault> {
        let (deadline, after) = (Deadline::after(Duration::from_secs(5)), Duration::ZERO);
        self.put(Question { deadline, answer, after }).await
    }

    async fn fail(&self, times: usize) {
        for _ in 0..times {
            let _failed = self.ask(Err(broken())).await;
        }
    }

    /// How long a refusal says that it will last.
    async fn left(&self) -> Duration {
        let fault = self.ask(Ok(())).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Breaker);
        let Retry::Later(left) = fault.retry else { panic!("no time given") };
        left
    }

    fn heard(&self) -> Vec<BreakerState> {
        self.notebook.0.lock().unwrap().clone()
    }
}

fn broken() -> SourceFault {
    SourceFault::new(FaultClass::ServerError).with_http(500)
}

fn throttled(wait: Option<u64>) -> SourceFault {
    let retry = wait.map_or(Retry::Never, |seconds| Retry::Later(Duration::from_secs(seconds)));
    SourceFault::new(FaultClass::Throttled).with_retry(retry)
}

fn within(length: Duration, seconds: u64) -> bool {
    let exact = Duration::from_secs(seconds);
    length >= exact * 8 / 10 && length <= exact * 12 / 10
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_shut_it_and_three_probes_open_it() {
    let bench = Bench::new();
    bench.fail(4).await;
    assert_eq!(bench.ask(Ok(())).await, Ok(()));
    bench.fail(4).await;
    assert_eq!(bench.breaker.state(), BreakerState::Passing);
    bench.fail(1).await;
    assert_eq!(bench.breaker.state(), BreakerState::Shut);
    let left = bench.left().await;
    assert!(within(left, 2), "{left:?}");
    advance(left.saturating_sub(Duration::from_millis(1))).await;
    assert_eq!(bench.left().await, Duration::from_millis(1));
    advance(Duration::from_millis(1)).await;
    for _ in 0..3 {
        assert_ne!(bench.breaker.state(), BreakerState::Passing);
        assert_eq!(bench.ask(Ok(())).await, Ok(()));
    }
    let states = [BreakerState::Passing, BreakerState::Shut, BreakerState::Probing, BreakerState::Passing];
    assert_eq!(bench.heard(), states);
}

#[tokio::test(start_paused = true)]
async fn each_failed_probe_doubles_the_wait_up_to_a_minute() {
    let bench = Bench::new();
    bench.fail(5).await;
    for seconds in [2, 4, 8, 16, 32, 60, 60] {
        let left = bench.left().await;
        assert!(within(left, seconds) && left <= Duration::from_mins(1), "{seconds}: {left:?}");
        advance(left).await;
        bench.fail(1).await;
        assert_eq!(bench.breaker.state(), BreakerState::Shut);
    }
    // Once it is well, the count begins again.
    advance(Duration::from_mins(1)).await;
    for _ in 0..3 {
        bench.ask(Ok(())).await.unwrap();
    }
    bench.fail(5).await;
    assert!(within(bench.left().await, 2));
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_and_a_lost_one_makes_room() {
    let bench = Bench::new();
    bench.fail(5).await;
    advance(Duration::from_secs(3)).await;
    let probe = Question {
        deadline: Deadline::after(Duration::from_secs(2)),
        answer: Ok(()),
        after: Duration::from_millis(800),
    };
    let other = async {
        sleep(Duration::from_millis(500)).await;
        // It is over, one way or another, by its deadline.
        assert_eq!(bench.left().await, Duration::from_millis(1500));
    };
    let (probe, ()) = tokio::join!(bench.put(probe), other);
    assert_eq!(probe, Ok(()));
    let abandoned = Question {
        deadline: Deadline::after(Duration::from_secs(2)),
        answer: Ok(()),
        after: Duration::from_secs(1),
    };
    let gone = tokio::time::timeout(Duration::from_millis(10), bench.put(abandoned)).await;
    assert!(gone.is_err());
    bench.ask(Ok(())).await.unwrap();
    bench.ask(Ok(())).await.unwrap();
    assert_eq!(bench.breaker.state(), BreakerState::Passing);
}

#[tokio::test(start_paused = true)]
async fn half_of_twenty_within_half_a_minute_shut_it() {
    let bench = Bench::new();
    for _ in 0..9 {
        bench.ask(Ok(())).await.unwrap();
        bench.fail(1).await;
    }
    bench.ask(Ok(())).await.unwrap();
    // Twenty, and half of them failed: not fewer than half succeeded.
    bench.fail(1).await;
    assert_eq!(bench.breaker.state(), BreakerState::Passing);
    bench.ask(Err(throttled(None))).await.unwrap_err();
    assert_eq!(bench.breaker.state(), BreakerState::Shut, "what is too busy failed too");
}

#[tokio::test(start_paused = true)]
async fn what_is_more_than_half_a_minute_old_does_not_count() {
    let bench = Bench::new();
    for _ in 0..9 {
        bench.ask(Ok(())).await.unwrap();
        bench.fail(1).await;
    }
    bench.ask(Ok(())).await.unwrap();
    advance(Duration::from_secs(31)).await;
    for _ in 0..4 {
        bench.fail(1).await;
    }
    assert_eq!(bench.breaker.state(), BreakerState::Passing);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_asks_to_wait_is_left_alone_for_so_long() {
    for (asked, given) in [(1, 1), (120, 120), (86_400, 300)] {
        let bench = Bench::new();
        bench.ask(Err(throttled(Some(asked)))).await.unwrap_err();
        assert_eq!(bench.left().await, Duration::from_secs(given));
    }
    // Without a word how long, one refusal shuts nothing.
    let bench = Bench::new();
    for _ in 0..19 {
        bench.ask(Err(throttled(None))).await.unwrap_err();
    }
    assert_eq!(bench.breaker.state(), BreakerState::Passing);
}

#[tokio::test(start_paused = true)]
async fn a_busy_source_fails_a_probe() {
    let bench = Bench::new();
    bench.fail(5).await;
    advance(Duration::from_secs(3)).await;
    bench.ask(Err(throttled(Some(1)))).await.unwrap_err();
    let left = bench.left().await;
    assert!(within(left, 4), "the longer of the two waits: {left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hurry_never_shuts_it_and_hanging_does() {
    let hang = |millis| Question {
        deadline: Deadline::after(Duration::from_millis(millis)),
        answer: Err(SourceFault::new(FaultClass::NoHead)),
        after: Duration::from_millis(millis),
    };
    let bench = Bench::new();
    for _ in 0..100 {
        bench.put(hang(200)).await.unwrap_err();
    }
    assert_eq!(bench.breaker.state(), BreakerState::Passing);
    for _ in 0..5 {
        // Whoever waits is gone at the very end: the source is to blame all the same.
        let _gone = tokio::time::timeout(Duration::from_millis(1200), bench.put(hang(1200))).await;
    }
    assert_eq!(bench.breaker.state(), BreakerState::Shut);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_it_shut_says_nothing_later() {
    let bench = Bench::new();
    let late = |answer| Question {
        deadline: Deadline::after(Duration::from_secs(9)),
        answer,
        after: Duration::from_millis(2900),
    };
    let (first, second, ()) = tokio::join!(bench.put(late(Ok(()))), bench.put(late(Err(broken()))), async {
        tokio::task::yield_now().await;
        bench.fail(5).await;
        advance(Duration::from_millis(2500)).await;
        bench.ask(Ok(())).await.unwrap();
    });
    assert_eq!((first, second), (Ok(()), Err(broken())));
    assert_eq!(bench.breaker.state(), BreakerState::Probing, "neither a probe nor a failed one");
}

/// A machine, and what it let pass in its present state.
struct History {
    machine: Machine,
    under_way: Vec<Leave>,
}

impl History {
    fn admit(&mut self, now: Instant) {
        let before = self.machine.state();
        let admitted = self.machine.admit(now, now + CAP);
        match (before, admitted) {
            (BreakerState::Passing, admitted) => self.under_way.push(admitted.unwrap()),
            (BreakerState::Shut, Err(shut)) => assert!(shut.left <= Duration::from_mins(5)),
            (BreakerState::Shut, Ok(leave)) => self.under_way = vec![leave],
            (BreakerState::Probing, Err(_)) => assert_eq!(self.under_way.len(), 1),
            (BreakerState::Probing, Ok(leave)) => {
                assert!(self.under_way.is_empty(), "two probes");
                self.under_way.push(leave);
            }
        }
    }

    fn hear(&mut self, now: Instant, verdict: Verdict, hold: Option<Duration>) {
        let before = self.machine.state();
        if let Some(leave) = self.under_way.pop() {
            self.machine.heard(now, leave, verdict, hold);
        }
        if self.machine.state() != before {
            // What is still under way belongs to an earlier state.
            self.under_way.clear();
        }
    }
}

/// Thousands of random histories: it is never shut for longer than it may be, and never lets a second probe pass.
#[tokio::test(start_paused = true)]
async fn the_states_are_lawful_whatever_happens() {
    const VERDICTS: [Verdict; 4] = [Verdict::Success, Verdict::Soft, Verdict::Hard, Verdict::Neutral];
    for seed in 0..2000 {
        let mut chance = Chance::seeded(seed);
        let mut history = History { machine: Machine::new(Chance::seeded(seed)), under_way: Vec::new() };
        let mut now = Instant::now();
        for _ in 0..60 {
            now += Duration::from_millis(chance.up_to(4000));
            if chance.up_to(1) == 0 {
                history.admit(now);
            } else {
                let verdict = VERDICTS[usize::try_from(chance.up_to(3)).unwrap()];
                let hold = (verdict == Verdict::Soft).then(|| Duration::from_secs(chance.up_to(400)));
                history.hear(now, verdict, hold);
            }
        }
    }
}
