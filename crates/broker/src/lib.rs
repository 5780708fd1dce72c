#![doc = include_str!("../README.md")]

mod admission;
pub mod answer;
mod asking;
mod attachment;
mod broker;
mod cache;
mod counts;
mod deliveries;
mod flights;
mod gather;
mod glass;
mod key;
mod lasting;
mod ledger;
mod links;
mod memory;
mod mixups;
mod parts;
mod record;
pub mod refusal;
mod relay;
mod renumber;
mod signals;
mod stream;
mod visit;
mod workshop;

pub use answer::{
    Answer, AttachmentAnswer, AttachmentForm, AttachmentRequest, DocumentsRoot, Practice, Pulse, RelayAnswer,
    RelayRequest, SourceSummary, Subject, Verdict,
};
pub use broker::{Broker, Delivery, TurnedAway, Usage};
pub use lasting::Lasting;
pub use links::{LinkKey, NoRandomness, Pass};
pub use parts::{
    AskService, AttachmentService, FeelPulse, FindPractice, FoundRoots, Limits, Locator, Mode, Parts, Policy,
    RelayService, SourcePort, Tracing,
};
pub use refusal::{Refusal, RelayFailure};
pub use stream::{Moment, RecordStream, Stage};
pub use tributary_merge::maps::{MAP_NAMES, MapError, PROMPT_MAPS};
pub use tributary_merge::{
    CodeLists, Custodian, ListError, Maps, Pieces, Prompt, Prompts, RULE_IDS, SUMMARY_SECTIONS, SourceCard,
    label, view,
};
pub use tributary_signals::{Hours as SignalHours, Limits as SignalLimits};
pub use visit::{Offer, Visit};
