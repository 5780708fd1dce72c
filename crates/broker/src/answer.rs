//! What the broker gives back.

mod shape;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tributary_merge::view::SourceRow;
use tributary_model::{
    Deadline, Interaction, Lease, Maintenance, NhsNumber, OdsCode, Redacted, RequestId, Requester,
    SectionSet, SourceId, SourceKind, Tally,
};
use tributary_telemetry::BreakerState;

/// What an answer amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A record: at least one source contributed, answered or withheld.
    Record,
    /// Every source said that it holds no record it can share.
    NotFound,
    /// No source answered in time.
    TimedOut,
    /// Every source refused for load; ask again after the time given.
    Shed(Duration),
    /// No source could be used.
    Failed,
    /// The caller wanted all or nothing, and it is not all.
    Incomplete,
}

impl Verdict {
    /// Whether the body is a record.
    pub const fn is_record(self) -> bool {
        matches!(self, Self::Record)
    }

    /// The HTTP status that goes to the caller and on record.
    pub const fn http(self) -> u16 {
        match self {
            Self::Record => 200,
            Self::NotFound => 404,
            Self::TimedOut => 504,
            Self::Shed(_) => 503,
            Self::Failed | Self::Incomplete => 502,
        }
    }
}

/// The answer to one record request.
pub struct Answer {
    /// What it amounts to.
    pub verdict: Verdict,
    /// The statuses of the expected sources, counted.
    pub tally: Tally,
    /// Sequence id of the disclosure record.
    pub audit: String,
    /// A Bundle for [`Verdict::Record`], an `OperationOutcome` naming every source otherwise. JSON.
    pub body: Bytes,
    /// What became of each expected source, worst first.
    pub sources: Vec<SourceRow>,
    /// The memory that the body takes of the budget: to be held until the body is gone.
    pub lease: Lease,
}

/// Fetches what is attached to a record, by the id in the address that the record gave out.
#[derive(Clone)]
pub struct AttachmentRequest {
    /// Names the request.
    pub id: RequestId,
    /// The id of the attachment, as it was given out.
    pub link: String,
    /// In which form it is wanted.
    pub form: AttachmentForm,
    /// Who asks.
    pub requester: Arc<Requester>,
    /// By when.
    pub deadline: Deadline,
}

/// In which form an attachment is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachmentForm {
    /// An R4 `Binary`, as JSON.
    Fhir,
    /// The document itself.
    Native,
}

/// An attachment.
pub struct AttachmentAnswer {
    /// In the form that was asked for.
    pub body: Bytes,
    /// The media type of the document, as its source calls it.
    pub content_type: String,
    /// Sequence id of the disclosure record.
    pub audit: String,
    /// The memory that the body takes of the budget: to be held until the body is gone.
    pub lease: Lease,
}

/// A GP Connect call to be passed on to a GP system.
#[derive(Clone)]
pub struct RelayRequest {
    /// Names the request.
    pub id: RequestId,
    /// What is asked.
    pub interaction: Interaction,
    /// About whom.
    pub subject: Subject,
    /// The practice named in the address; without it the patient's own.
    pub practice: Option<OdsCode>,
    /// What follows the service root in the caller's address, with its query. An attachment's is made here.
    pub tail: Redacted<String>,
    /// The caller's `Parameters`; empty for reads.
    pub body: Bytes,
    /// The root of Access Document as the caller reaches it. What is attached is looked for below it.
    pub documents_root: DocumentsRoot,
    /// The caller's `Ssp-TraceID`, which becomes `Bundle.id`.
    pub trace: String,
    /// Who asks.
    pub requester: Arc<Requester>,
    /// By when.
    pub deadline: Deadline,
}

/// Whom a call is about, as far as it says so itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Subject {
    /// A patient, by their NHS number.
    Patient(NhsNumber),
    /// A patient, by the GP system's own id: who that is, the answer tells.
    OwnId,
    /// What is attached to a record, by the id that was given out with it.
    Attachment(String),
    /// The practice and its people.
    Practice,
}

/// Where a caller finds what is attached to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentsRoot {
    /// Below our own address: this is put before `/{ODS}/STU3/1/gpconnect/documents/fhir`.
    Ours(String),
    /// Below the GP system's, which the caller reaches through us: addresses keep their beginning.
    Theirs,
}

/// The GP system's own answer.
pub struct RelayAnswer {
    /// HTTP status.
    pub status: u16,
    /// What the interaction gives, or an `OperationOutcome`.
    pub body: Bytes,
    /// The version of a single resource: `ETag`.
    pub etag: Option<String>,
    /// Sequence id of the disclosure record.
    pub audit: String,
    /// The memory that the body takes of the budget: to be held until the body is gone.
    pub lease: Lease,
}

/// A practice whose GP system is served here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Practice {
    /// Its system's id on the Spine, where it is registered with one.
    pub asid: Option<String>,
}

/// A source as `GET /sources` shows it.
#[derive(Clone, Debug)]
pub struct SourceSummary {
    /// Its id.
    pub id: SourceId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
    /// What it serves.
    pub sections: SectionSet,
    /// When it last gave a good answer, as RFC 3339.
    pub last_answered: Option<String>,
    /// Maintenance that is announced and not over.
    pub maintenance: Option<Maintenance>,
    /// How many asks it has in flight.
    pub in_flight: usize,
    /// How it is by the limits around it, where it has any.
    pub pulse: Option<Pulse>,
}

/// How a source is just now, by the limits around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// What its breaker does with asks.
    pub breaker: BreakerState,
    /// Requests that may be there now.
    pub limit: usize,
    /// Requests that are.
    pub used: usize,
    /// Requests that wait for a place.
    pub waiting: usize,
}
