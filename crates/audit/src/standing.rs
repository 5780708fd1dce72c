//! How the log stands with its witnesses, and whether anything may be disclosed because of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::AuditError;

/// What witnesses a log needs. X-Road stops after four hours without a timestamp too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessPolicy {
    /// How many of the witnesses must have cosigned.
    pub needed: usize,
    /// Without cosignatures for so long, people are told.
    pub warn_after: Duration,
    /// Without cosignatures for so long, nothing is disclosed.
    pub refuse_after: Duration,
}

impl Default for WitnessPolicy {
    fn default() -> Self {
        Self { needed: 1, warn_after: Duration::from_mins(5), refuse_after: Duration::from_hours(4) }
    }
}

/// How the log stands with its witnesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody is asked to witness it.
    Alone,
    /// As many witnesses as are needed have cosigned, the longest ago so long ago.
    Witnessed(Duration),
    /// The same, but longer ago than people should be told.
    Late(Duration),
    /// Longer ago than anything may be disclosed; `None` if it never was.
    Lapsed(Option<Duration>),
    /// A witness has seen another log under this name. A person must look.
    Contradicted,
}

/// Keeps what witnesses said.
#[derive(Debug)]
pub(crate) struct Standings {
    policy: WitnessPolicy,
    seen: Mutex<Vec<Option<Seen>>>,
    is_contradicted: AtomicBool,
}

/// A cosignature: how old it was when it came to be known.
#[derive(Clone, Copy, Debug)]
struct Seen {
    known: Instant,
    age_then: Duration,
}

impl Seen {
    fn age(self) -> Duration {
        self.age_then + self.known.elapsed()
    }
}

impl Standings {
    pub(crate) fn new(policy: WitnessPolicy, witnesses: usize) -> Self {
        Self { policy, seen: Mutex::new(vec![None; witnesses]), is_contradicted: AtomicBool::new(false) }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Option<Seen>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A witness cosigned, so long ago.
    pub(crate) fn note(&self, witness: usize, age: Duration) {
        if let Some(place) = self.seen().get_mut(witness)
            && place.is_none_or(|seen| seen.age() > age)
        {
            *place = Some(Seen { known: Instant::now(), age_then: age });
        }
    }

    /// A witness knows another log under this name.
    pub(crate) fn contradict(&self) {
        self.is_contradicted.store(true, Ordering::Release);
    }

    /// How it stands now.
    pub(crate) fn now(&self) -> Standing {
        if self.is_contradicted.load(Ordering::Acquire) {
            return Standing::Contradicted;
        }
        let seen = self.seen();
        if seen.is_empty() {
            return Standing::Alone;
        }
        let mut ages: Vec<_> = seen.iter().flatten().map(|seen| seen.age()).collect();
        ages.sort_unstable();
        let needed = self.policy.needed.max(1);
        match ages.get(needed - 1).copied() {
            None => Standing::Lapsed(None),
            Some(age) if age > self.policy.refuse_after => Standing::Lapsed(Some(age)),
            Some(age) if age > self.policy.warn_after => Standing::Late(age),
            Some(age) => Standing::Witnessed(age),
        }
    }

    /// Whether anything may be disclosed.
    pub(crate) fn check(&self) -> Result<(), AuditError> {
        match self.now() {
            Standing::Alone | Standing::Witnessed(_) | Standing::Late(_) => Ok(()),
            Standing::Lapsed(_) => Err(AuditError::Unwitnessed),
            Standing::Contradicted => Err(AuditError::Contradicted),
        }
    }
}
