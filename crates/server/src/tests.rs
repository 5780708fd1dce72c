//! The whole edge, with a stand-in for the broker.

pub(crate) mod bench;
mod headers;
mod heads;
mod onion;
mod pages;
mod sockets;
mod timers;
