#![doc = include_str!("../README.md")]

mod callers;
mod certificates;
mod checked;
pub mod codelists;
pub mod commands;
mod error;
mod feeds;
pub mod live;
mod looked;
pub mod maps;
mod observe;
pub mod policy;
mod protection;
mod reload;
mod replay;
mod rules;
pub mod running;
pub mod show;
mod wire;
mod witnessing;

pub use error::StartError;
pub use protection::NotProtected;
pub use rules::Rules;
pub use running::Running;
pub use tributary_settings as settings;
pub use tributary_settings::Settings;
