#![doc = include_str!("../README.md")]

mod bundle;
mod client;
mod error;
mod table;
mod witness;
mod words;

pub use client::{Client, Query, RecordAnswer};
pub use error::{ClientError, Refusal};
pub use table::{Banner, Discrepancy, EmptyReason, Line, Member, RecordTable, SectionRows, SourceRow};
pub use witness::{WitnessClient, WitnessReply};
