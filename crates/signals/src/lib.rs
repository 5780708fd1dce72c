#![doc = include_str!("../README.md")]

mod person;
mod signal;
mod steps;
mod watch;

pub use signal::{Alarm, Hours, Limits, Look, Outcome, Signal};
pub use watch::Watch;
