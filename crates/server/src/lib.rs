#![doc = include_str!("../README.md")]

mod admin;
mod body;
mod desk;
mod exchange;
mod front;
mod gpconnect;
mod handlers;
mod house;
mod identity;
mod layers;
mod listener;
mod negotiate;
mod render;
mod routes;
mod serve;
mod settings;
mod tour;

pub use desk::{LookAside, LookRow, Looked, LookedRequest, NotLooked, WhoLooked};
pub use front::Front;
pub use serve::{Listeners, serve};
pub use settings::{Callers, Limits, Settings};
pub use tour::{Guide, Tour, TourAsk, TourForm, TourReply};
pub use tributary_identity::{Tls, TlsError, TlsIdentity};

#[cfg(test)]
mod tests;
