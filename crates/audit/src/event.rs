//! The catalogue of audited events. Fixed fields only, and no clinical content.

use std::sync::Arc;

use tributary_model::{
    Completeness, Denial, FaultClass, NhsNumber, Purpose, Relationship, RequestId, Requester, SectionSet,
    SourceId, SourceStatus, SpineCode, TraceId,
};

use crate::chain::Digest;
use crate::record::Receipt;

mod wire;

pub use oversight::{
    Anomaly, AnomalyKind, AuditRead, AuditReadKind, GlassDecision, GlassEvent, PeerCheckpoint,
};
pub(crate) use wire::{Own, draft, own_draft};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident, $code:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code in the record and in metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Reads a code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }
        }
    };
}

// After the macro, which it uses.
mod oversight;

codes! {
    /// What a record is about.
    Kind {
        /// Sources are about to be asked.
        Intent, "intent";
        /// An answer is about to be sent, whatever its HTTP status: which sources exist is told too.
        Disclosure, "disclosure";
        /// The policy refused.
        Denied, "denied";
        /// The national demographics service is about to be asked about a patient.
        Trace, "trace";
        /// A caller's system opens a page about a patient for somebody.
        Launch, "launch";
        /// Whether the answer reached the caller.
        Delivery, "delivery";
        /// Something that a security officer must see.
        Security, "security";
        /// The glass was broken, or should have been.
        BreakGlass, "break_glass";
        /// Somebody's looking is out of the ordinary.
        Anomaly, "anomaly";
        /// The log itself was read.
        AuditRead, "audit_read";
        /// How far the log of another node has got.
        PeerCheckpoint, "peer_checkpoint";
        /// The configuration changed.
        Config, "config";
        /// The log itself: started, stopped, recovered, a segment begun.
        Lifecycle, "lifecycle";
        /// An intent of a run that ended before its answer: what became of it is not known.
        ClosedUnknown, "closed_unknown";
    }
}

codes! {
    /// What was asked of the broker.
    Interaction {
        /// The merged record.
        Record, "record";
        /// The merged record as it grows.
        RecordStream, "record-stream";
        /// The patient summary document.
        Summary, "summary";
        /// A page of the merged record that was asked for to be printed.
        Print, "print";
        /// A page of the merged record that another system opens.
        Launch, "launch";
        /// An attachment.
        Binary, "binary";
        /// GP Connect Access Record Structured, passed on.
        GpConnectStructured, "gpconnect-structured";
        /// GP Connect Access Document, passed on.
        GpConnectDocuments, "gpconnect-documents";
        /// GP Connect Foundations, passed on: who a patient, a practitioner or a practice is.
        GpConnectFoundations, "gpconnect-foundations";
    }
}

codes! {
    /// Whether the caller broke the glass. The reason is free text and may be clinical: it is not kept here.
    BreakGlass {
        /// Not asked for.
        NotAsked, "not-asked";
        /// Asked for, with a reason.
        ReasonGiven, "reason-given";
    }
}

codes! {
    /// What kind of token told who asks.
    TokenKind {
        /// Signed, and the signature was checked.
        Signed, "signed";
        /// Of the national sign-on service.
        Cis2, "cis2";
        /// Unsigned: an assertion of the consumer.
        AssertedUnsigned, "asserted-unsigned";
    }
}

codes! {
    /// How far an answer got.
    Delivered {
        /// All of it was handed to the connection.
        Whole, "whole";
        /// The caller left in the middle.
        Aborted, "aborted";
        /// Nothing of it was sent.
        NotSent, "not-sent";
    }
}

codes! {
    /// What a security officer must see.
    SecurityKind {
        /// A source's answer was about another patient, or could be.
        IdentityMismatch, "identity-mismatch";
        /// A source was switched off after proven mix-ups.
        IdentitySwitch, "identity-switch";
        /// A token was missing, false, used twice, or outside its time.
        TokenRefused, "token-refused";
        /// A caller that is proven tried what it may not: another organisation, role or way to call, or no entry at all.
        CallerRefused, "caller-refused";
        /// A request that two parsers could read differently.
        Smuggling, "smuggling";
        /// An answer tried to lead us to an address that is not the source's.
        ForbiddenAddress, "forbidden-address";
        /// The address or form of a launch was used twice, too late, in another way than it was made for, or not ours.
        LaunchRefused, "launch-refused";
    }
}

codes! {
    /// What happened to the configuration.
    ConfigChange {
        /// Read at start.
        Loaded, "loaded";
        /// Swapped while running.
        Reloaded, "reloaded";
        /// A new one was refused; the old one stands.
        Refused, "refused";
    }
}

/// Something that is written down before its effect happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// Sources are about to be asked.
    Intent(Intent),
    /// An answer is about to be sent.
    Disclosure(Disclosure),
    /// The policy refused.
    Denied(Denied),
    /// The national demographics service is about to be asked, on behalf of whom and about whom.
    Trace(Arc<Access>),
    /// A caller's system opens a page about a patient for somebody. What the page shows is a disclosure of its own.
    Launch(Arc<Access>),
    /// Whether the answer reached the caller. The one record that follows its effect.
    Delivery(Delivery),
    /// Something that a security officer must see.
    Security(SecurityEvent),
    /// The glass is about to be broken, or was refused to be.
    BreakGlass(GlassEvent),
    /// Somebody's looking is out of the ordinary.
    Anomaly(Anomaly),
    /// The log is about to be read.
    AuditRead(AuditRead),
    /// How far the log of another node has got.
    PeerCheckpoint(PeerCheckpoint),
    /// The configuration changed.
    Config(ConfigEvent),
}

impl Event {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Intent(_) => Kind::Intent,
            Self::Disclosure(_) => Kind::Disclosure,
            Self::Denied(_) => Kind::Denied,
            Self::Trace(_) => Kind::Trace,
            Self::Launch(_) => Kind::Launch,
            Self::Delivery(_) => Kind::Delivery,
            Self::Security(_) => Kind::Security,
            Self::BreakGlass(_) => Kind::BreakGlass,
            Self::Anomaly(_) => Kind::Anomaly,
            Self::AuditRead(_) => Kind::AuditRead,
            Self::PeerCheckpoint(_) => Kind::PeerCheckpoint,
            Self::Config(_) => Kind::Config,
        }
    }
}

/// Who asks what about whom, and why. Built once a request, shared by its records.
#[derive(Clone, Debug)]
pub struct Access {
    /// Names the request.
    pub request: RequestId,
    /// The person and organisation, as they were at this moment.
    pub requester: Arc<Requester>,
    /// What showed that it is they.
    pub proof: Proof,
    /// Whose record. A request by a source's own id names nobody that we know before the answer; one about a
    /// practice names nobody at all.
    pub patient: Option<NhsNumber>,
    /// Why.
    pub purpose: Purpose,
    /// What shows that the requester has to do with the patient.
    pub relationship: Relationship,
    /// Whether the glass was broken.
    pub break_glass: BreakGlass,
    /// What was asked of the broker.
    pub interaction: Interaction,
    /// Which sections.
    pub sections: SectionSet,
    /// The number that the caller used, where it was replaced by the patient's present one.
    pub asked_as: Option<NhsNumber>,
    /// Digest of the policy that decided.
    pub policy: Option<Digest>,
}

/// What showed who asks. A part is there only if it was presented and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The registered system that called, as the configuration names it.
    pub consumer: Option<Arc<str>>,
    /// SHA-256 of the public key (SPKI) of the certificate that it called with.
    pub certificate_spki: Option<Digest>,
    /// Who issued the token.
    pub token_issuer: Option<Arc<str>>,
    /// SHA-256 of the token's own id (`jti`): the id itself could be used again.
    pub token_id: Option<Digest>,
    /// What kind of token it was.
    pub token_kind: Option<TokenKind>,
}

/// Sources are about to be asked.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Who, whom, what, why.
    pub access: Arc<Access>,
    /// The policy rules that permitted it, joined by `+`.
    pub rule: Arc<str>,
    /// The sources that will be asked.
    pub expected: Vec<SourceId>,
}

/// An answer is about to be sent.
#[derive(Clone, Debug)]
pub struct Disclosure {
    /// Who, whom, what, why.
    pub access: Arc<Access>,
    /// The intent it fulfils.
    pub intent: Receipt,
    /// The policy rules that permitted it, joined by `+`.
    pub rule: Arc<str>,
    /// Whose record it turned out to be, where the request did not name the patient.
    pub found: Option<NhsNumber>,
    /// What became of each expected source.
    pub sources: Vec<SourceEntry>,
    /// What is sent.
    pub outcome: Outcome,
    /// Digest of the configuration that the answer was made by.
    pub config: Digest,
}

/// What became of one source.
#[derive(Clone, Debug)]
pub struct SourceEntry {
    /// Which.
    pub source: SourceId,
    /// What the reader sees.
    pub status: SourceStatus,
    /// What went wrong.
    pub fault: Option<FaultClass>,
    /// The HTTP status that was read.
    pub http: Option<u16>,
    /// The Spine code that was read.
    pub spine: Option<SpineCode>,
    /// Length of its body.
    pub bytes: u64,
    /// From first attempt to last byte.
    pub elapsed_ms: u64,
    /// The fetch that brought the body: another request's, when it came from the cache.
    pub fetch_id: Option<TraceId>,
    /// Digest of its body as received.
    pub digest: Option<Digest>,
    /// Digest of what it holds, without what is new in each answer, as the id of a Bundle.
    pub content: Option<Digest>,
    /// How often it was tried.
    pub attempts: u32,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// HTTP status.
    pub http: u16,
    /// Whether the record is whole.
    pub completeness: Completeness,
    /// Digest of the bundle.
    pub bundle_digest: Option<Digest>,
    /// Length of the bundle.
    pub bytes: u64,
    /// Ids of the merge rules that found a discrepancy.
    pub discrepancies: Vec<&'static str>,
    /// How it was made, where it can be made again.
    pub made: Option<Made>,
}

/// What a record was made by beside its sources: enough to make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The instant that every dated rule used, as RFC 3339 writes it.
    pub as_of: String,
    /// Code of the form in which it was given.
    pub form: &'static str,
    /// Only what happened since then was asked for: a FHIR date.
    pub since: Option<String>,
    /// Digest of the code maps.
    pub maps: Digest,
    /// Digest of the code lists.
    pub codelists: Digest,
}

/// The policy refused.
#[derive(Clone, Debug)]
pub struct Denied {
    /// Who, whom, what, why.
    pub access: Arc<Access>,
    /// The intent it ends, when there was one.
    pub intent: Option<Receipt>,
    /// Why it was refused, and by which rules.
    pub denial: Denial,
}

/// Whether an answer reached the caller.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Names the request.
    pub request: RequestId,
    /// The disclosure that was sent.
    pub disclosure: Receipt,
    /// How far it got.
    pub delivered: Delivered,
    /// Bytes handed to the connection.
    pub bytes: u64,
    /// From the request's head to the last byte.
    pub elapsed_ms: u64,
}

/// Something that a security officer must see.
#[derive(Clone, Debug)]
pub struct SecurityEvent {
    /// What.
    pub what: SecurityKind,
    /// In which request.
    pub request: Option<RequestId>,
    /// At which source.
    pub source: Option<SourceId>,
    /// About whom it was asked.
    pub patient: Option<NhsNumber>,
}

/// The configuration changed.
#[derive(Clone, Copy, Debug)]
pub struct ConfigEvent {
    /// How.
    pub change: ConfigChange,
    /// Digest of the file.
    pub digest: Digest,
}
