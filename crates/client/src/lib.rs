#![doc = include_str!("../README.md")]

mod answer;
mod bundle;
mod client;
mod error;
mod options;
mod query;
mod record;
mod retry;
mod sse;
mod stream;
mod table;
mod tls;
mod witness;
mod words;

pub use answer::{Attachment, Head, RecordAnswer, Source, SummaryAnswer};
pub use client::Client;
pub use error::{ClientError, Fault, Refusal};
pub use options::{Options, Token};
pub use query::{Query, Terms};
pub use record::{AllergyLabel, Completion, GrowingRecord, SectionPart, SourceProgress, Update};
pub use retry::Retries;
pub use stream::RecordStream;
pub use table::{Banner, Discrepancy, EmptyReason, Line, Member, RecordTable, SectionRows, SourceRow};
pub use tls::Certificate;
pub use witness::{WitnessClient, WitnessReply};
