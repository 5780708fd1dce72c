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
use tributary_model::{FaultClass, SourceFault, TraceId};

use crate::egress::{Bounds, Egress, Outgoing, Received};

/// Makes one attempt at a request.
pub(crate) type Make = Arc<dyn Fn() -> Result<Outgoing, SourceFault> + Send + Sync>;

/// Carries a request to a service and its answer back: the client, or a stand-in in tests.
pub(crate) trait Carry: Send + Sync + 'static {
    fn carry(&self, bounds: Bounds, make: Make) -> BoxFuture<'static, Result<Received, SourceFault>>;
}

impl Carry for Egress {
    fn carry(&self, bounds: Bounds, make: Make) -> BoxFuture<'static, Result<Received, SourceFault>> {
        let egress = self.clone();
        Box::pin(async move { egress.send(bounds, &*make).await })
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
pub(crate) mod stub;
