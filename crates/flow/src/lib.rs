#![doc = include_str!("../README.md")]

pub mod deadline;
pub mod guard;
pub mod observe;

pub use deadline::{DeadlineLayer, HasDeadline};
pub use guard::GuardLayer;
pub use observe::{ObserveLayer, Observer, Unobserved};
