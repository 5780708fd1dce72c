#![doc = include_str!("../README.md")]

mod gaps;
pub mod label;
mod lines;
mod record;
mod render;
mod rules;
pub mod view;
pub mod withhold;
mod words;

pub use label::AllergyLabel;
pub use record::{Record, merge};
pub use render::lines::Pieces;
pub use render::summary::{Custodian, SUMMARY_SECTIONS, SummaryFrame};
pub use rules::RULE_IDS;
pub use tributary_statements::inputs::{
    Answer, AttachmentLinks, Heard, Inputs, Prompt, Prompts, Screened, SourceCard,
};
pub use tributary_statements::load::NAMESPACE;
pub use tributary_statements::maps::Maps;
pub use tributary_statements::{identity, inputs, maps};
pub use view::{Overview, RecordView};
pub use withhold::{CodeLists, ListError, Withheld, Withholding, withhold};
