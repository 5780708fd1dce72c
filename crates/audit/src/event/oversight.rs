//! Records for those who watch over access: broken glass, odd looking, reading of the log, other nodes' logs.

use std::sync::Arc;

use tributary_model::{DenyReason, NhsNumber, OdsCode, RequestId, Requester};

use super::Access;
use crate::chain::Digest;

codes! {
    /// What became of a wish to break the glass.
    GlassDecision {
        /// It is broken: more is shown than the role alone allows.
        Opened, "opened";
        /// It stays whole.
        Refused, "refused";
    }
}

codes! {
    /// What is out of the ordinary. Told by counts and by who asks, never by what a record holds.
    AnomalyKind {
        /// One person looks at many patients in a short time.
        ManyPatients, "many-patients";
        /// One person looks mostly at patients without a known relationship to them.
        NoRelationship, "no-relationship";
        /// One patient is looked at again and again.
        RepeatViews, "repeat-views";
        /// The patient has the family name of who asks.
        SameName, "same-name";
        /// The patient is who asks.
        OwnRecord, "own-record";
        /// The patient is on the list of staff.
        Colleague, "colleague";
        /// The patient is on the list of those who are watched over.
        RestrictedList, "restricted-list";
        /// At an hour, or from an area, in which this person does not work.
        OutOfHours, "out-of-hours";
        /// NHS numbers are tried one after the other.
        SequentialNumbers, "sequential-numbers";
        /// The glass is broken often.
        BreakGlassRate, "break-glass-rate";
        /// The policy refuses often.
        DeniedRate, "denied-rate";
    }
}

codes! {
    /// Why the log was read.
    AuditReadKind {
        /// Records were searched for.
        Search, "search";
        /// One patient's accesses were put together.
        PatientReport, "patient-report";
        /// Records were handed to another system.
        Export, "export";
        /// A disclosure was made again to compare it with what was sent.
        Replay, "replay";
    }
}

/// A wish to break the glass. The reason is free text and may be clinical: it is not kept.
#[derive(Clone, Debug)]
pub struct GlassEvent {
    /// Who, whom, what, why.
    pub access: Arc<Access>,
    /// What became of it.
    pub decision: GlassDecision,
    /// Why it was refused.
    pub reason: Option<DenyReason>,
    /// User id of who approved of it, where somebody has to.
    pub approver: Option<String>,
    /// How long it stays broken for this person and patient; 0 for this request alone.
    pub lasts_secs: u64,
}

/// Somebody's looking is out of the ordinary.
#[derive(Clone, Debug)]
pub struct Anomaly {
    /// What.
    pub what: AnomalyKind,
    /// Who asks.
    pub requester: Option<Arc<Requester>>,
    /// The request that was one too many.
    pub request: Option<RequestId>,
    /// Whose record, where it is about one patient.
    pub patient: Option<NhsNumber>,
    /// How many were counted.
    pub count: u64,
    /// How many are ordinary.
    pub limit: u64,
    /// In which time they were counted.
    pub window_secs: u64,
}

/// The log is about to be read by somebody.
#[derive(Clone, Debug)]
pub struct AuditRead {
    /// Why.
    pub what: AuditReadKind,
    /// Who reads: a user of the audit interface, or of the machine.
    pub reader: String,
    /// Their organisation, where it is known.
    pub organisation: Option<OdsCode>,
    /// The request they read by.
    pub request: Option<RequestId>,
    /// Whose accesses are looked for.
    pub patient: Option<NhsNumber>,
    /// SHA-256 of the question as it was put.
    pub query: Option<Digest>,
    /// How many records are handed over, where that is known before.
    pub records: Option<u64>,
    /// Reference of the case for which it is read.
    pub case: Option<String>,
    /// The question in words, without the patient.
    pub question: Option<String>,
}

/// How far the log of another node has got, as it signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCheckpoint {
    /// The origin line of that log.
    pub origin: String,
    /// How many records it has.
    pub size: u64,
    /// Root of its tree.
    pub root: Digest,
}
