//! Who is let in when there is too much to do: as many at once as our own pace allows, the urgent before the
//! others, nobody more than their share.
//!
//! Nobody waits here. A refusal that comes at once costs the caller nothing and us next to nothing; a queue
//! would only be a place to grow old in.

mod claim;
mod pace;
mod shares;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tributary_model::{OdsCode, Priority};
use tributary_telemetry::{InFlight, Metrics};

use claim::TurnedBack;
use pace::Pace;
use shares::Shares;

pub use claim::Claim;

/// When a caller who was refused may come back: drawn anew for each, since those who are sent away together
/// must not come back together.
const COME_BACK_MS: (u64, u64) = (1_000, 5_000);

/// Whose request it is, and how long it can wait.
#[derive(Clone, Debug)]
pub struct Caller {
    /// For whom it is: shares are those of organisations.
    pub organisation: OdsCode,
    /// How long it can wait.
    pub priority: Priority,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowded {
    /// All that its priority may use is used.
    Full,
    /// Its organisation has its share already.
    OverShare,
}

/// The door of one node.
#[derive(Debug)]
pub struct Admission {
    state: Mutex<State>,
    /// Somebody was let in.
    busy: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    shares: Shares,
    /// When the pace is looked at next.
    next_look: Option<Instant>,
    turned_back: TurnedBack,
}

impl State {
    /// So many may be at work for a request of this priority to be let in beside them.
    fn limit(&self, priority: Priority, behind: Duration, now: Instant) -> usize {
        let overdue = self.next_look.map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        let is_swamped = self.pace.is_swamped(self.shares.taken(), behind.max(overdue));
        // The urgent are let in below the limit, come what may.
        if is_swamped && priority < Priority::Urgent { 0 } else { self.pace.limit() }
    }
}

impl Admission {
    /// A door for at most so many at once, and fewer while we are further behind than is borne.
    pub fn new(most: usize, borne: Duration, metrics: Arc<Metrics>) -> Arc<Self> {
        let pace = Pace::new(most, borne);
        metrics.admission_limit(pace.limit());
        Arc::new(Self {
            state: Mutex::new(State {
                pace,
                shares: Shares::default(),
                next_look: None,
                turned_back: TurnedBack::default(),
            }),
            busy: Notify::new(),
            metrics,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request in, or says why not. `behind` is for how long our long work waits now.
    pub fn admit(self: &Arc<Self>, caller: Caller, behind: Duration) -> Result<Admitted, Crowded> {
        let now = Instant::now();
        let mut state = self.state();
        let limit = state.limit(caller.priority, behind, now);
        state.shares.take(&caller, limit, now)?;
        let taken = state.shares.taken();
        state.pace.used(taken);
        drop(state);
        self.busy.notify_one();
        let counted = self.metrics.admitted(caller.priority);
        Ok(Admitted { admission: Arc::clone(self), caller, _counted: counted })
    }

    /// Looks at how far behind we are while there is something to do, and sets the limit by it: how late our own timers
    /// are, or how long our long work waits. Ends when nobody else needs the door, if there is something to do then;
    /// whoever began it ends it otherwise.
    pub async fn keep_pace(self: Arc<Self>, behind: impl Fn() -> Duration + Send) {
        while Arc::strong_count(&self) > 1 {
            if self.state().shares.taken() == 0 {
                let rest = self.state().turned_back.rest();
                claim::tell(rest);
                self.busy.notified().await;
            }
            let due = Instant::now() + pace::EVERY;
            self.state().next_look = Some(due);
            tokio::time::sleep_until(due).await;
            let lag = due.elapsed();
            self.metrics.executor_lag(lag.as_secs_f64());
            // What every step of a request waits: once through everything that is ready to run.
            let step = Instant::now();
            tokio::task::yield_now().await;
            let step = step.elapsed();
            let mut state = self.state();
            state.next_look = None;
            if state.pace.behind_by(pace::waits(step).max(behind())) {
                self.metrics.admission_limit(state.pace.limit());
            }
        }
    }
}

/// When somebody who is refused for load may come back.
pub fn come_back() -> Duration {
    let (least, most) = COME_BACK_MS;
    Duration::from_millis(least + RandomState::new().hash_one(()) % (most - least + 1))
}

/// A request that was let in, until it is dropped.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    caller: Caller,
    _counted: InFlight,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.state().shares.give_back(&self.caller);
    }
}

#[cfg(test)]
mod tests;
