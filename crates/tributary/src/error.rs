//! Why a broker does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tributary_audit::AuditError;
use tributary_sources::{EgressError, RegistryError};
use tributary_telemetry::MetricsError;

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
    /// The client towards sources cannot be made.
    #[error("the client towards sources cannot be made")]
    Egress(#[from] EgressError),
    /// The sources do not fit together.
    #[error("the sources cannot be registered")]
    Registry(#[from] RegistryError),
    /// A secret cannot be read.
    #[error("a secret cannot be used")]
    Secret(#[from] SecretError),
    /// Ours to fix.
    #[error("the metrics cannot be made")]
    Metrics(#[from] MetricsError),
}
