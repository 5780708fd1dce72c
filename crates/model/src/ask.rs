//! One request to one source.

use std::sync::Arc;

use bytes::Bytes;

use crate::date::FhirDate;
use crate::deadline::Deadline;
use crate::fault::SourceFault;
use crate::nhs_number::NhsNumber;
use crate::request::Purpose;
use crate::requester::Requester;
use crate::section::SectionSet;

/// Asks one source for its part of the record.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose record.
    pub patient: NhsNumber,
    /// Which sections, already cut to what the source serves.
    pub sections: SectionSet,
    /// Only what happened since then, where the source can filter.
    pub since: Option<FhirDate>,
    /// On whose behalf.
    pub requester: Arc<Requester>,
    /// Why.
    pub purpose: Purpose,
    /// By when.
    pub deadline: Deadline,
}

/// Passes a caller's GP Connect `Parameters` to the patient's GP system.
#[derive(Clone, Debug)]
pub struct RelayAsk {
    /// Whose record, read from the body.
    pub patient: NhsNumber,
    /// The caller's `Parameters`, validated, otherwise untouched.
    pub body: Bytes,
    /// On whose behalf.
    pub requester: Arc<Requester>,
    /// By when.
    pub deadline: Deadline,
}

/// What the GP system answered, to be passed on.
#[derive(Clone, Debug)]
pub struct RelayReply {
    /// HTTP status.
    pub status: u16,
    /// Body: a Bundle whose patient was checked, or an `OperationOutcome`.
    pub body: Bytes,
    /// What the answer amounts to when it is the GP system's own refusal.
    pub refused: Option<SourceFault>,
}
