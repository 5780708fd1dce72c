#![doc = include_str!("../README.md")]

pub mod checkup;
pub mod directory;
pub mod egress;
pub mod identity;
pub mod locate;
pub mod national;
pub mod registry;
pub mod source;

mod connect;
mod token;

pub use directory::{Directory, Endpoint, LookUp};
pub use egress::{Egress, EgressError, EgressSettings};
pub use identity::BrokerIdentity;
pub use locate::{Fixed, Locator, Traced};
pub use registry::{Context, Observers, Protocol, Registry, RegistryError, SourceEntry, UnobservedSources};
pub use source::{AskService, RelayService, Source};
