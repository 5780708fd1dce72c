#![doc = include_str!("../README.md")]

pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod chance;
pub mod classify;
pub mod deadline;
pub mod feedback;
pub mod observe;
pub mod second_attempt;

mod latency;

pub use breaker::{Breaker, BreakerLayer, BreakerState};
pub use budget::RetryBudget;
pub use bulkhead::{Bulkhead, BulkheadLayer, Errand, HasErrand};
pub use chance::Chance;
pub use classify::{Time, Verdict};
pub use deadline::{DeadlineLayer, HasDeadline};
pub use feedback::FeedbackLayer;
pub use observe::{ObserveLayer, Observer, Unobserved};
pub use second_attempt::{Answer, Occasion, SecondAttemptLayer};
