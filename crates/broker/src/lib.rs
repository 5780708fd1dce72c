#![doc = include_str!("../README.md")]

pub mod answer;
pub mod broker;
pub mod refusal;

pub use answer::{Answer, RelayAnswer, RelayRequest, SourceSummary, Verdict};
pub use broker::{Broker, Delivery};
pub use refusal::Refusal;
