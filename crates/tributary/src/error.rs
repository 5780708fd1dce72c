//! Why a broker does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tributary_audit::AuditError;
use tributary_broker::NoRandomness;
use tributary_ledger::LedgerError;
use tributary_model::SourceId;
use tributary_sources::{EgressError, RegistryError};
use tributary_telemetry::MetricsError;

use crate::codelists::CodelistsError;
use crate::commands::chain;
use crate::maps::MapsError;
use tributary_settings::secrets::SecretError;
use tributary_settings::{Mistake, Settings, TlsFiles};

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The audit log cannot be opened.
    #[error("the audit log in {} cannot be opened", .0.display())]
    Audit(PathBuf, #[source] AuditError),
    /// The key of the audit log cannot be used.
    #[error("the key of the audit log in {} cannot be used: {says}", .file.display())]
    AuditKey {
        /// Its file.
        file: PathBuf,
        /// Why.
        says: String,
    },
    /// The address of a witness cannot be used.
    #[error("the address of a witness of the audit log cannot be used")]
    Witness(#[source] tributary_client::ClientError),
    /// A witness has seen more of the audit log than there is: it was put back to an older state, or another node
    /// uses its name and key.
    #[error(
        "checkpoint behind witness: {witness} has seen {seen} records of the audit log, and there are {kept}"
    )]
    BehindWitness {
        /// The name of the witness.
        witness: String,
        /// How many records it has seen.
        seen: u64,
        /// How many records the last checkpoint here has.
        kept: u64,
    },
    /// A witness has seen another audit log under the same name.
    #[error("a witness has seen another audit log under the name and key of this one")]
    Forked,
    /// The audit log in the database cannot be opened.
    #[error("the audit log cannot be opened")]
    Ledger(#[from] LedgerError),
    /// A file that `[audit]` names cannot be used.
    #[error("{0}")]
    AuditFile(Mistake),
    /// A file that `[telemetry.otlp]` names cannot be used.
    #[error("{0}")]
    TracesFile(Mistake),
    /// The code maps cannot be used.
    #[error("the code maps cannot be used")]
    Maps(#[from] MapsError),
    /// The code lists cannot be used.
    #[error("the code lists cannot be used")]
    Codelists(#[from] CodelistsError),
    /// The policy cannot be used; `tributary check` says why.
    #[error("the policy cannot be used: {0}")]
    Policy(Mistake),
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
    /// The certificate of the data listener cannot be used; `tributary check` says why.
    #[error("the certificate of the data listener cannot be used")]
    ListenerTls,
    /// The files of an issuer cannot be used; `tributary check` says why.
    #[error("the keys or certificates of {0} cannot be used")]
    Callers(String),
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

impl StartError {
    /// The first of these mistakes; all of them are told by `tributary check`.
    pub(crate) fn policy(mistakes: Vec<Mistake>) -> Self {
        let none = || Mistake { path: "policy".to_owned(), line: None, says: "is unusable".to_owned() };
        Self::Policy(mistakes.into_iter().next().unwrap_or_else(none))
    }

    /// The same as a mistake in the configuration that led to it, with its key as far as one can be named.
    pub(crate) fn mistake(&self, settings: &Settings) -> Mistake {
        let path = match self {
            Self::Listen(..) => "server".to_owned(),
            Self::Audit(..) => "audit.dir".to_owned(),
            Self::AuditKey { .. } => "audit.key_file".to_owned(),
            Self::Witness(_) | Self::BehindWitness { .. } | Self::Forked => "audit.witness".to_owned(),
            Self::Ledger(_) => "audit.postgres".to_owned(),
            Self::Maps(_) => "maps.dir".to_owned(),
            Self::Codelists(_) => "codelists.dir".to_owned(),
            Self::AuditFile(mistake) | Self::TracesFile(mistake) | Self::Policy(mistake) => {
                return mistake.clone();
            }
            Self::Tls(source) | Self::Registry(RegistryError::Tls(source)) => tls_path(settings, source),
            Self::Registry(_) => "source".to_owned(),
            Self::ListenerTls => "server.tls".to_owned(),
            Self::Callers(_) => "issuer".to_owned(),
            Self::LinkKey(_) => "server.link_key_file".to_owned(),
            Self::Egress(_) | Self::Secret(_) | Self::Randomness(_) | Self::Metrics(_) => String::new(),
        };
        Mistake { path, line: None, says: chain(self) }
    }
}

/// The key of the certificates that a source is asked with: its own, or those of the proxy before it.
fn tls_path(settings: &Settings, source: &SourceId) -> String {
    let of_spine = || settings.spine.as_ref().and_then(|spine| spine.tls.as_ref());
    let files: Option<&TlsFiles> = settings.source_tls.get(source).or_else(of_spine);
    files.map_or_else(|| "source".to_owned(), |files| files.path.clone())
}
