//! `[server]`, `[limits]` and `[log]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tributary_telemetry::{LevelFilter, LogFormat};

use super::address;
use super::listener_tls::{self, ListenerTls};
use super::reader::Reader;
use super::second_listener::{self, SecondListener};

/// Where and how requests are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The data listener.
    pub listen: SocketAddr,
    /// The admin listener.
    pub admin_listen: SocketAddr,
    /// What every link we write begins with; absent means the address that is listened on.
    pub public_base_url: Option<String>,
    /// Whether whole addresses are taken as paths, as the Spine Secure Proxy takes them.
    pub spine_position: bool,
    /// File of the key that seals the addresses of documents; absent means a new key at every start.
    pub link_key_file: Option<PathBuf>,
    /// TLS on the data listener; absent means plain HTTP/1.1, on loopback only.
    pub tls: Option<ListenerTls>,
    /// The listener for systems that speak GP Connect; absent means there is none.
    pub gpconnect: Option<SecondListener>,
    /// The listener for browsers that another system sends here; absent means there is none.
    pub launch: Option<SecondListener>,
    /// How long requests are still taken once shutdown began.
    pub lame_duck: Duration,
    /// How long requests in flight may take after that.
    pub drain: Duration,
    /// Requests at once.
    pub max_in_flight: usize,
    /// How far behind our own work may be before fewer requests are taken at once.
    pub max_behind: Duration,
    /// Connections at once, per listener.
    pub max_connections: usize,
    /// Connections at once from one address.
    pub max_connections_per_address: usize,
    /// Requests of one connection.
    pub max_requests_per_connection: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)),
            public_base_url: None,
            spine_position: false,
            link_key_file: None,
            tls: None,
            gpconnect: None,
            launch: None,
            lame_duck: Duration::from_secs(2),
            drain: Duration::from_secs(10),
            max_in_flight: 256,
            max_behind: Duration::from_millis(5),
            max_connections: 1024,
            max_connections_per_address: 200,
            max_requests_per_connection: 1_000,
        }
    }
}

impl ServerSettings {
    /// What links begin with when data is served at this address.
    pub fn base_url(&self, listening: SocketAddr) -> String {
        self.public_base_url.clone().unwrap_or_else(|| format!("{}://{listening}", self.scheme()))
    }

    /// Who we are on the listeners beside the data listener.
    pub fn others_tls(&self) -> impl Iterator<Item = &ListenerTls> {
        let gpconnect = self.gpconnect.iter().map(|section| &section.tls);
        gpconnect.chain(self.launch.iter().map(|section| &section.tls))
    }

    /// How the data listener is spoken to.
    pub const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

pub(super) fn read(mut table: Reader<'_>) -> ServerSettings {
    let usual = ServerSettings::default();
    let settings = ServerSettings {
        listen: table.parsed("listen", address::listener).unwrap_or(usual.listen),
        admin_listen: table.parsed("admin_listen", address::listener).unwrap_or(usual.admin_listen),
        public_base_url: table
            .parsed("public_base_url", address::base_url)
            .map(|url| url.as_str().trim_end_matches('/').to_owned()),
        spine_position: table.truth("spine_position").unwrap_or(usual.spine_position),
        link_key_file: table.words("link_key_file").map(PathBuf::from),
        tls: table.table("tls").and_then(listener_tls::read),
        gpconnect: table.table("gpconnect").and_then(second_listener::gpconnect),
        launch: table.table("launch").and_then(second_listener::launch),
        lame_duck: table.number("lame_duck_secs", 0..=60).map_or(usual.lame_duck, Duration::from_secs),
        drain: seconds(&mut table, "drain_secs", usual.drain),
        max_in_flight: count(&mut table, "max_in_flight", usual.max_in_flight),
        max_behind: table.number("max_behind_ms", 1..=10_000).map_or(usual.max_behind, Duration::from_millis),
        max_connections: count(&mut table, "max_connections", usual.max_connections),
        max_connections_per_address: count(
            &mut table,
            "max_connections_per_address",
            usual.max_connections_per_address,
        ),
        max_requests_per_connection: count(
            &mut table,
            "max_requests_per_connection",
            usual.max_requests_per_connection,
        ),
    };
    // A table with mistakes in it is there all the same.
    if !settings.listen.ip().is_loopback() && !table.has("tls") {
        table.wrong("listen", "is not a loopback address, and there is no [server.tls]");
    }
    if !settings.admin_listen.ip().is_loopback() {
        table.wrong(
            "admin_listen",
            "is not a loopback address; it has no TLS, and whoever reaches it is told",
        );
    }
    let gpconnect = settings.gpconnect.as_ref().map(|gpconnect| gpconnect.listen);
    if gpconnect.is_some_and(|it| it.port() != 0 && (it == settings.listen || it == settings.admin_listen)) {
        table.wrong("gpconnect", "listens on the address of another listener; they must differ");
    }
    let launch = settings.launch.as_ref().map(|launch| launch.listen);
    let others = [Some(settings.listen), Some(settings.admin_listen), gpconnect];
    if launch.is_some_and(|it| it.port() != 0 && others.contains(&Some(it))) {
        table.wrong("launch", "listens on the address of another listener; they must differ");
    }
    if settings.listen == settings.admin_listen && settings.listen.port() != 0 {
        table.wrong("admin_listen", "is the address of the data listener; they must differ");
    }
    table.close();
    settings
}

fn seconds(table: &mut Reader<'_>, key: &'static str, usual: Duration) -> Duration {
    table.number(key, 1..=600).map_or(usual, Duration::from_secs)
}

fn count(table: &mut Reader<'_>, key: &'static str, usual: usize) -> usize {
    let number = table.number(key, 1..=100_000);
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or(usual)
}

/// Bounds in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// The deadline of a caller who names none.
    pub deadline_default: Duration,
    /// Longest time for a connection to one of a source's addresses; name and TLS handshake have budgets of their own.
    pub connect_timeout: Duration,
    /// Most bytes that requests may hold together: bodies, replies, answers.
    pub memory_bytes: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            deadline_default: Duration::from_secs(8),
            connect_timeout: Duration::from_secs(1),
            memory_bytes: 512 << 20,
        }
    }
}

pub(super) fn read_limits(mut table: Reader<'_>) -> LimitSettings {
    let usual = LimitSettings::default();
    let mut millis = |key, bounds, usual| table.number(key, bounds).map_or(usual, Duration::from_millis);
    let settings = LimitSettings {
        deadline_default: millis("deadline_default_ms", 300..=30_000, usual.deadline_default),
        connect_timeout: millis("connect_timeout_ms", 50..=30_000, usual.connect_timeout),
        memory_bytes: table.number("memory_bytes", 16 << 20..=1 << 40).unwrap_or(usual.memory_bytes),
    };
    table.close();
    settings
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// How a line is written.
    pub format: LogFormat,
    /// The least important level that is written.
    pub level: LevelFilter,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LevelFilter::INFO }
    }
}

pub(super) fn read_log(mut table: Reader<'_>) -> LogSettings {
    let usual = LogSettings::default();
    let format = table.parsed("format", |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither \"text\" nor \"json\""),
    });
    let level = table.parsed("level", |text| match text {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err("is none of \"error\", \"warn\", \"info\", \"debug\", \"trace\""),
    });
    table.close();
    LogSettings { format: format.unwrap_or(usual.format), level: level.unwrap_or(usual.level) }
}
