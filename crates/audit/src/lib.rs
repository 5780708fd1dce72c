#![doc = include_str!("../README.md")]

mod chain;
mod checkpoint;
mod copy;
mod crc32c;
mod error;
mod event;
mod find;
mod history;
mod keeper;
mod note;
mod pick;
mod read;
mod record;
mod recover;
mod scan;
mod segment;
mod shelf;
mod sink;
mod standing;
mod trail;
mod tree;
mod verify;
mod witness;

pub use chain::{Digest, Link};
pub use checkpoint::Checkpoint;
pub use copy::{SegmentCopy, TreeCopy};
pub use error::AuditError;
pub use event::{
    Access, Anomaly, AnomalyKind, AuditRead, AuditReadKind, BreakGlass, ConfigChange, ConfigEvent, Delivered,
    Delivery, Denied, Disclosure, Event, GlassDecision, GlassEvent, Intent, Interaction, Kind, Made, Outcome,
    PeerCheckpoint, Proof, SecurityEvent, SecurityKind, SourceEntry, TokenKind,
};
pub use find::find;
pub use history::{sealed, unsealed};
pub use keeper::{Notary, Submission, kept_size, probe};
pub use note::{KeyError, KeyKind, SigningKey, VerifyingKey};
pub use pick::pick;
pub use read::Records;
pub use record::{Appended, Draft, NodeName, Receipt, RecordId};
pub use recover::LogTail;
pub use segment::{Files, SegmentFile, make_dir};
pub use shelf::{Replay, Shelf};
pub use sink::Sink;
pub use standing::{Standing, WitnessPolicy};
pub use trail::{AuditObserver, Elsewhere, Settings, Trail};
pub use tree::tiles::Tile;
pub use verify::{Expected, Flaw, Problem, Report, Verdict, verify, verify_against, verify_up_to};
pub use witness::{Witness, WitnessAnswer};
