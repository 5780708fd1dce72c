#![doc = include_str!("../README.md")]

pub mod checkup;
pub mod directory;
pub mod egress;
pub mod identity;
pub mod locate;
pub mod national;
pub mod registry;
pub mod root;
pub mod source;

mod connect;
mod exchange;
mod token;

pub use directory::{Directory, Endpoint, LookUp};
pub use egress::{ClientIdentity, Egress, EgressError, EgressSettings, PemError, SourceTls, TlsVersions};
pub use identity::{Asids, BrokerIdentity, Others};
pub use locate::{Fixed, Locator, Traced};
pub use registry::{
    Context, Observers, Protocol, Registry, RegistryError, Route, SourceEntry, UnobservedSources,
};
pub use root::{RootError, ServiceRoot, is_loopback};
pub use source::{AskService, AttachmentService, Pulse, RelayService, Source};
