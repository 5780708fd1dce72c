//! The GP Connect surface from the outside: a consumer that knows nothing of us, the broker, a mock GP system.
//!
//! Which requirement is shown by which test is in `tests/README.md`.

#![cfg(test)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may stop where it stands"
)]

#[path = "conformance/consumer.rs"]
mod consumer;
#[path = "conformance/difference.rs"]
mod difference;
#[path = "conformance/identity.rs"]
mod identity;
#[path = "conformance/outcome.rs"]
mod outcome;
#[path = "conformance/parameters.rs"]
mod parameters;
#[path = "conformance/stand.rs"]
mod stand;
#[path = "conformance/tokens.rs"]
mod tokens;
