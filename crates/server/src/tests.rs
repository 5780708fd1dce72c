//! The whole edge, with a stand-in for the broker.

mod attacks;
pub(crate) mod bench;
mod ending;
mod headers;
mod heads;
mod onion;
mod pages;
mod secured;
mod sockets;
mod storms;
mod timers;
mod touring;
