//! One request to one source.

use std::sync::Arc;

use bytes::Bytes;

use crate::date::FhirDate;
use crate::deadline::Deadline;
use crate::interaction::Interaction;
use crate::nhs_number::NhsNumber;
use crate::redacted::Redacted;
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

/// Fetches what is attached to a record from the source that holds it.
#[derive(Clone, Debug)]
pub struct AttachmentAsk {
    /// Its id at the source, as a FHIR id: nothing else can become part of an address.
    pub id: Redacted<String>,
    /// On whose behalf.
    pub requester: Arc<Requester>,
    /// By when.
    pub deadline: Deadline,
}

/// Passes a caller's GP Connect request to a GP system.
#[derive(Clone, Debug)]
pub struct RelayAsk {
    /// What is asked.
    pub interaction: Interaction,
    /// Whose record, where the request itself says so.
    pub patient: Option<NhsNumber>,
    /// What follows the service root: path and query, without a slash in front. Never logged.
    pub tail: Redacted<String>,
    /// The caller's `Parameters`, validated, otherwise untouched; empty for reads.
    pub body: Bytes,
    /// On whose behalf.
    pub requester: Arc<Requester>,
    /// By when.
    pub deadline: Deadline,
}
