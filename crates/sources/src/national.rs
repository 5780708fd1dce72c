//! The national services that say where a patient's record is: who the patient is and with which practice (PDS),
//! where the practice's system listens (SDS), and the tokens that both want.
//!
//! Nothing here guesses. An answer that cannot be proved or read is a fault, and a fault names nobody.

pub mod oauth;
pub mod pds;
pub mod practice;
pub mod sds;

mod keep;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tributary_flow::{Chance, HasDeadline, Occasion, RetryBudget, SecondAttemptLayer, Unobserved};
use tributary_model::{Deadline, FaultClass, SourceFault, TraceId};

use crate::egress::{Bounds, Egress, Received};
use crate::exchange::{self, Attempt};

pub(crate) use crate::exchange::Make;

/// Carries a request to a service and its answer back: the client, or a stand-in in tests.
pub(crate) trait Carry: Send + Sync + 'static {
    fn carry(&self, bounds: Bounds, make: Make) -> BoxFuture<'static, Result<Received, SourceFault>>;

    /// Whether a second request may be made for a read that failed: one budget for all of a service.
    fn grants_another(&self) -> bool;
}

/// The way to one national service.
pub(crate) struct Carrier {
    service: BoxCloneSyncService<Request, Received, SourceFault>,
    budget: RetryBudget,
}

impl Carrier {
    /// The onion around each request, outside in. How many there are at once is for the pace and the callers.
    pub(crate) fn new(egress: &Egress) -> Arc<Self> {
        Self::over(exchange::over(egress))
    }

    fn over(attempt: Attempt) -> Arc<Self> {
        let budget = RetryBudget::new();
        let (occasion, drawn) = (Occasion::Silence, budget.clone());
        let service = ServiceBuilder::new()
            // Only where nothing was heard: after an answer the service itself decides, and takes its turn.
            .layer(SecondAttemptLayer::new(occasion, drawn, None, Chance::of_system(), Arc::new(Unobserved)))
            .service(service_fn(move |request: Request| {
                let attempt = Arc::clone(&attempt);
                async move { attempt(request.bounds, (request.make)()?).await }
            }));
        Arc::new(Self { service: BoxCloneSyncService::new(service), budget })
    }
}

impl Carry for Carrier {
    fn carry(&self, bounds: Bounds, make: Make) -> BoxFuture<'static, Result<Received, SourceFault>> {
        Box::pin(self.service.clone().oneshot(Request { bounds, make }))
    }

    fn grants_another(&self) -> bool {
        self.budget.withdraw()
    }
}

/// One request to a service.
#[derive(Clone)]
struct Request {
    bounds: Bounds,
    make: Make,
}

impl HasDeadline for Request {
    fn deadline(&self) -> Deadline {
        self.bounds.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.bounds.deadline = deadline;
    }
}

pub(crate) fn value(text: &str) -> Result<HeaderValue, SourceFault> {
    HeaderValue::from_str(text).map_err(|_not_a_header| SourceFault::new(FaultClass::OurRequest))
}

/// A header that no log may show.
pub(crate) fn secret(text: &str) -> Result<HeaderValue, SourceFault> {
    let mut value = value(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What to wait before a second attempt, so that many callers do not come back at once.
fn jitter() -> Duration {
    const LEAST_MS: u64 = 25;
    const SPREAD_MS: u64 = 125;
    let drawn =
        TraceId::random().to_string().bytes().fold(0_u64, |sum, byte| sum * 31 % 1009 + u64::from(byte));
    Duration::from_millis(LEAST_MS + drawn % SPREAD_MS)
}

#[cfg(test)]
#[path = "national/tests/stub.rs"]
pub(crate) mod stub;
