//! Another configuration for a broker that runs, and other processes in the place of those that run: no request is
//! lost, and none is answered by two configurations.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

#[path = "reload/mistakes.rs"]
mod mistakes;
#[path = "reload/rolling.rs"]
mod rolling;
#[path = "reload/scene.rs"]
mod scene;
#[path = "reload/storm.rs"]
mod storm;
#[path = "reload/swap.rs"]
mod swap;
#[path = "reload/widening.rs"]
mod widening;
