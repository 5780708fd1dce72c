//! Stories and properties of the merge.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

mod cascade;
mod catalogue;
mod hazards;
mod kit;
mod person;
mod properties;
mod references;
mod stories;
mod structured;
mod stu3;
mod summary;
mod traced;
mod withhold;
