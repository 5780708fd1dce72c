#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod convert;
pub mod draft;
pub mod json;
pub mod narrative;
pub mod outcome;
pub mod reply;
mod shape;
pub mod version;
pub mod write;

pub use bundle::Bundle;
pub use draft::{Draft, Fields};
pub use json::{Document, Json, Kind, Limits, Mark, Rejection, Run};
pub use outcome::{Issue, Outcome};
pub use reply::{Attached, LossNote, Notice, Passed, Relayed, Reply};
pub use version::FhirVersion;
pub use write::Writer;
