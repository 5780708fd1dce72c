//! The GP Connect surface from the outside: a consumer that knows nothing of us, the broker, a mock GP system.
//!
//! Which requirement is shown by which test is in `tests/README.md`.

#![cfg(test)]
#[path = "conformance/canned.rs"]
mod canned;
#[path = "conformance/consumer.rs"]
mod consumer;
#[path = "conformance/difference.rs"]
mod difference;
#[path = "conformance/errors.rs"]
mod errors;
#[path = "conformance/identity.rs"]
mod identity;
#[path = "conformance/indistinct.rs"]
mod indistinct;
#[path = "conformance/many.rs"]
mod many;
#[path = "conformance/negotiation.rs"]
mod negotiation;
#[path = "conformance/outcome.rs"]
mod outcome;
#[path = "conformance/parameters.rs"]
mod parameters;
#[path = "conformance/position.rs"]
mod position;
#[path = "conformance/southbound.rs"]
mod southbound;
#[path = "conformance/stand.rs"]
mod stand;
#[path = "conformance/tokens.rs"]
mod tokens;
