//! Why a broker does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tributary_audit::AuditError;
use tributary_broker::NoRandomness;
use tributary_model::SourceId;
use tributary_sources::{EgressError, RegistryError};
use tributary_telemetry::MetricsError;

use crate::codelists::CodelistsError;
use crate::maps::MapsError;
use crate::secrets::SecretError;

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The audit log cannot be opened.
    #[error("the audit log in {} cannot be opened", .0.display())]
    Audit(PathBuf, #[source] AuditError),
    /// The code maps cannot be used.
    #[error("the code maps cannot be used")]
    Maps(#[from] MapsError),
    /// The code lists cannot be used.
    #[error("the code lists cannot be used")]
    Codelists(#[from] CodelistsError),
    /// The client towards sources cannot be made.
    #[error("the client towards sources cannot be made")]
    Egress(#[from] EgressError),
    /// The sources do not fit together.
    #[error("the sources cannot be registered")]
    Registry(#[from] RegistryError),
    /// A secret cannot be read.
    #[error("a secret cannot be used")]
    Secret(#[from] SecretError),
    /// The certificates of a source cannot be used; `tributary check` says why.
    #[error("the certificates of source {0} cannot be used")]
    Tls(SourceId),
    /// The file of the link key does not hold 32 bytes.
    #[error("{} does not hold a key of 32 bytes", .0.display())]
    LinkKey(PathBuf),
    /// The machine gives no random numbers.
    #[error("no key can be made")]
    Randomness(#[source] NoRandomness),
    /// Ours to fix.
    #[error("the metrics cannot be made")]
    Metrics(#[from] MetricsError),
}
