//! `[server.gpconnect]`: the listener for systems that speak GP Connect.

use std::net::SocketAddr;
use std::path::Path;

use super::address;
use super::listener_tls::{self, ListenerTls};
use super::reader::Reader;

/// A listener where a certificate proves the system, and its unsigned token is taken down as said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpConnectSettings {
    /// Where it is.
    pub listen: SocketAddr,
    /// What addresses of documents begin with; absent means the address that is listened on.
    pub public_base_url: Option<String>,
    /// Who we are there, and whose certificate callers must show.
    pub tls: ListenerTls,
}

impl GpConnectSettings {
    /// The same, with relative paths beginning at this folder.
    #[must_use]
    pub(super) fn within(self, folder: &Path) -> Self {
        Self { tls: self.tls.within(folder), ..self }
    }

    /// What addresses begin with when this is where it listens.
    pub fn base_url(&self, listening: SocketAddr) -> String {
        self.public_base_url.clone().unwrap_or_else(|| format!("https://{listening}"))
    }
}

pub(super) fn read(mut table: Reader<'_>) -> Option<GpConnectSettings> {
    let listen = table.parsed("listen", address::listener);
    let listen = table.required("listen", listen);
    let public_base_url = table
        .parsed("public_base_url", address::base_url)
        .map(|url| url.as_str().trim_end_matches('/').to_owned());
    if !table.has("tls") {
        table.wrong("tls", "is missing: without a certificate nobody who calls there is proven");
    }
    let tls = table.table("tls").and_then(listener_tls::read);
    table.close();
    Some(GpConnectSettings { listen: listen?, public_base_url, tls: tls? })
}
