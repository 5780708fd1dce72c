//! A log in PostgreSQL: where the server is, and how it is spoken to.

mod read;
mod schema;
mod session;
mod shelf;
mod sink;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use tributary_audit::NodeName;
use tributary_model::Redacted;

use crate::error::LedgerError;

pub use read::{Extent, Reader};
pub use schema::{Grants, VERSION, init};
pub use shelf::kept_size;
pub use sink::open;

/// What a connection that says nothing is asked, so that a peer that vanished is noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// Nothing that was sent stays unacknowledged for longer.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host, by name or address.
    Host(String),
    /// The folder of its socket.
    Socket(PathBuf),
}

impl Place {
    /// Whether nobody else can listen in.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Host(host) => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

/// A database that keeps logs, and who we are there.
#[derive(Clone)]
pub struct Store {
    /// Where the server listens.
    pub place: Place,
    /// On which port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Our user there.
    pub user: String,
    /// Its password.
    pub password: Option<Redacted<String>>,
    /// Whom we believe; without it nothing is encrypted.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Whose log we write.
    pub node: NodeName,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for a batch, new connections and all. Callers wait no longer than their own deadlines.
    pub append_timeout: Duration,
    /// How long a start waits for another process to let the log go.
    pub lease_wait: Duration,
    /// Whether a server without a synchronous standby is refused.
    pub needs_standby: bool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Store");
        shown.field("place", &self.place).field("port", &self.port).field("database", &self.database);
        shown.field("user", &self.user).field("node", &self.node).finish_non_exhaustive()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A connection. Nothing of it is left when it is dropped.
pub(crate) struct Connection {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Store {
    /// Connects; bounded by the time to connect.
    pub(crate) async fn connect(&self) -> Result<Connection, LedgerError> {
        let connecting = async {
            let mut config = self.config();
            // One end of a socket is as good as the other's: there is nobody in between.
            let Some(tls) = &self.tls else {
                let (client, connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
                return Ok((client, tokio::spawn(drive(connection))));
            };
            let tls = MakeRustlsConnect::new((**tls).clone());
            let (client, connection) = config.ssl_mode(SslMode::Require).connect(tls).await?;
            Ok::<_, LedgerError>((client, tokio::spawn(drive(connection))))
        };
        let connected = tokio::time::timeout(self.connect_timeout, connecting).await;
        let (client, driver) = connected.map_err(|_late| LedgerError::Late)??;
        Ok(Connection { client, driver })
    }

    fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        match &self.place {
            Place::Host(host) => config.host(host.as_str()),
            Place::Socket(folder) => config.host_path(folder),
        };
        config
            .port(self.port)
            .dbname(self.database.as_str())
            .user(self.user.as_str())
            .application_name(format!("tributary {}", self.node))
            .connect_timeout(self.connect_timeout)
            .keepalives_idle(KEEPALIVE_IDLE)
            .tcp_user_timeout(UNACKNOWLEDGED);
        if let Some(password) = &self.password {
            config.password(password.expose().as_str());
        }
        config
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // Whoever waits for an answer is told that the connection ended.
    drop(connection.await);
}
