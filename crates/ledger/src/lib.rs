#![doc = include_str!("../README.md")]

pub mod entry;
mod error;
pub mod export;
mod found;
mod legible;
pub mod postgres;
mod reads;
pub mod report;
mod search;
mod tls;

pub use entry::Entry;
pub use error::LedgerError;
pub use found::{Found, Gap, Hit};
pub use legible::{READS, Stored, in_directory, in_directory_up_to, in_postgres};
pub use reads::{Reader, note_in_directory, note_in_postgres};
pub use search::{BreakGlassOnly, Query};
pub use tls::{ClientTls, Pem, client_tls};
