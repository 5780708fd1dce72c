#![doc = include_str!("../README.md")]

pub mod ask;
pub mod clock;
pub mod completeness;
pub mod date;
pub mod deadline;
pub mod demographics;
pub mod facts;
pub mod fault;
pub mod ids;
pub mod interaction;
pub mod locate;
pub mod nhs_number;
pub mod redacted;
pub mod request;
pub mod requester;
pub mod section;
pub mod source;
pub mod status;

pub use ask::{Ask, AttachmentAsk, RelayAsk};
pub use clock::{Clock, FixedClock, SystemClock};
pub use completeness::{Completeness, Tally};
pub use date::FhirDate;
pub use deadline::Deadline;
pub use demographics::{Demographics, SentDate};
pub use facts::{Decision, DenyReason, Facts, Obligations};
pub use fault::{FaultClass, Retry, SourceFault, SpineCode};
pub use ids::{RequestId, TraceId};
pub use interaction::{Capability, Interaction, Scope};
pub use locate::{Barred, Expected, Locate, LocateFault, Located, PatientNote, Practice};
pub use nhs_number::NhsNumber;
pub use redacted::Redacted;
pub use request::{Freshness, Handling, Purpose, RecordForm, RecordRequest};
pub use requester::{Requester, Role, SpineIds};
pub use section::{Section, SectionSet};
pub use source::{OdsCode, SourceId, SourceKind};
pub use status::{NoticeKind, SectionState, SourceStatus, StatusClass};
