#![doc = include_str!("../README.md")]

pub mod answer;
pub mod refusal;

pub use answer::{Answer, RelayAnswer, RelayRequest, SourceSummary, Verdict};
pub use refusal::Refusal;
