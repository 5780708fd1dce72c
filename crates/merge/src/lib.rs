#![doc = include_str!("../README.md")]

mod cascade;
mod concept;
mod copies;
mod copying;
mod facts;
mod gaps;
mod gate;
mod identified;
pub mod identity;
pub mod inputs;
pub mod label;
mod lines;
mod load;
pub mod maps;
mod person;
mod record;
mod refs;
mod render;
mod rules;
pub mod view;
pub mod withhold;
mod words;

pub use inputs::{Answer, AttachmentLinks, Heard, Inputs, Prompt, Prompts, Screened, SourceCard};
pub use label::AllergyLabel;
pub use load::NAMESPACE;
pub use maps::Maps;
pub use record::{Record, merge};
pub use render::summary::{Custodian, SUMMARY_SECTIONS, SummaryFrame};
pub use rules::RULE_IDS;
pub use view::RecordView;
pub use withhold::{CodeLists, ListError, Withheld, Withholding, withhold};
