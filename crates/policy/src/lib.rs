#![doc = include_str!("../README.md")]

pub mod cells;
mod check;
mod diff;
mod explain;
pub mod rule;
mod table;

pub use check::is_id;
pub use diff::{Change, Diff};
pub use explain::Bearing;
pub use rule::{Among, Effect, Rule};
pub use table::{Column, Draft, Flaw, GlassBounds, LONGEST_ID, LONGEST_LIFE, MOST_RULES, Place, Table};
