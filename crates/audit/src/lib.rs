#![doc = include_str!("../README.md")]

mod chain;
mod crc32c;
mod error;
mod event;
mod pick;
mod record;
mod recover;
mod scan;
mod segment;
mod sink;
mod trail;
mod verify;

pub use chain::Digest;
pub use error::AuditError;
pub use event::{
    Access, Anomaly, AnomalyKind, AuditRead, AuditReadKind, BreakGlass, ConfigChange, ConfigEvent, Delivered,
    Delivery, Denied, Disclosure, Event, GlassDecision, GlassEvent, Intent, Interaction, Kind, Outcome,
    PeerCheckpoint, Proof, SecurityEvent, SecurityKind, SourceEntry, TokenKind,
};
pub use pick::pick;
pub use record::{Receipt, RecordId};
pub use segment::{Files, SegmentFile};
pub use trail::{AuditObserver, Settings, Trail};
pub use verify::{Flaw, Problem, Report, Verdict, verify, verify_up_to};
