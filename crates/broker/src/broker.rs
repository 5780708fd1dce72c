//! The face of the conductor.

use crate::answer::{Answer, RelayAnswer, RelayRequest, SourceSummary};
use crate::refusal::Refusal;
use tributary_model::RecordRequest;

/// How the delivery of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The last byte was handed to the connection.
    Whole,
    /// The caller went away before the last byte.
    Aborted,
}

/// The broker: cheap to clone, shared by every connection.
#[derive(Clone, Debug, Default)]
pub struct Broker;

impl Broker {
    /// Answers one record request.
    #[expect(clippy::unused_async, reason = "filled in next")]
    pub async fn answer(&self, _request: RecordRequest) -> Result<Answer, Refusal> {
        Err(Refusal::Internal)
    }

    /// Passes a GP Connect call on to the patient's GP system.
    #[expect(clippy::unused_async, reason = "filled in next")]
    pub async fn relay(&self, _request: RelayRequest) -> Result<RelayAnswer, Refusal> {
        Err(Refusal::Internal)
    }

    /// Records how the delivery of an answer ended. Never gates anything.
    pub fn delivered(&self, _audit: &str, _bytes: u64, _delivery: Delivery) {}

    /// The registered sources.
    pub fn sources(&self) -> Vec<SourceSummary> {
        Vec::new()
    }

    /// Whether requests can be served: the audit log takes records.
    pub fn is_ready(&self) -> bool {
        true
    }
}
