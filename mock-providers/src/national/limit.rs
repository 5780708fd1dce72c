//! How often one application may ask: a quota in each minute, and a spike arrest within it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// What one application may ask of one service. Absent is without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests in any sixty seconds.
    pub quota_per_minute: Option<u32>,
    /// The rate that is never exceeded, however short the burst: 900 is one request in 67 ms.
    pub spike_per_minute: Option<u32>,
}

impl RateLimit {
    /// No limit, as in the sandbox.
    pub const NONE: Self = Self { quota_per_minute: None, spike_per_minute: None };
    /// The platform's default in production; the token endpoint has it too.
    pub const PRODUCTION: Self = Self { quota_per_minute: Some(300), spike_per_minute: None };
    /// PDS in the integration environment.
    pub const PDS_INTEGRATION: Self = Self { quota_per_minute: Some(300), spike_per_minute: Some(900) };
    /// SDS.
    pub const SDS: Self = Self { quota_per_minute: Some(300), spike_per_minute: Some(300) };
}

/// Which limit a 429 speaks of. None of them says when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// The application has used up its minute.
    Quota,
    /// The application asks in bursts.
    SpikeArrest,
    /// Everybody together asks too much.
    WholeApi,
}

impl Throttle {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Quota => "the quota of this application is used up",
            Self::SpikeArrest => "this application sends requests in too fast a burst",
            Self::WholeApi => "the service as a whole is asked too often",
        }
    }
}

/// Counts what each application was let through.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: RateLimit,
    admitted: Mutex<BTreeMap<String, VecDeque<Timestamp>>>,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, admitted: Mutex::default() }
    }

    /// Lets a request through, or tells which limit it runs into. Refused requests do not count.
    pub(super) fn admit(&self, application: &str, now: Timestamp) -> Result<(), Throttle> {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let times = admitted.entry(application.to_owned()).or_default();
        while times.front().is_some_and(|first| now.duration_since(*first) >= MINUTE) {
            times.pop_front();
        }
        if let (Some(rate), Some(last)) = (self.limit.spike_per_minute, times.back())
            && now.duration_since(*last) < interval(rate)
        {
            return Err(Throttle::SpikeArrest);
        }
        let used = u32::try_from(times.len()).unwrap_or(u32::MAX);
        if self.limit.quota_per_minute.is_some_and(|quota| used >= quota) {
            return Err(Throttle::Quota);
        }
        if self.limit != RateLimit::NONE {
            times.push_back(now);
        }
        Ok(())
    }
}

fn interval(per_minute: u32) -> SignedDuration {
    MINUTE.checked_div(i32::try_from(per_minute).unwrap_or(i32::MAX)).unwrap_or(MINUTE)
}
