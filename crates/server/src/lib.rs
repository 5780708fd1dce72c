#![doc = include_str!("../README.md")]

mod admin;
mod body;
mod desk;
mod exchange;
mod front;
mod gpconnect;
mod handlers;
mod hosts;
mod identity;
mod layers;
mod listener;
mod negotiate;
mod problem;
mod render;
mod routes;
mod serve;
mod settings;
mod xml;

pub use front::Front;
pub use serve::{Listeners, serve};
pub use settings::{Limits, Settings};

#[cfg(test)]
mod tests;
