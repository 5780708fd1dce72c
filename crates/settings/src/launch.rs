//! `[server.launch]`: the listener for browsers that another system sends to a patient's page.

use std::net::SocketAddr;
use std::path::Path;

use super::address;
use super::listener_tls::{self, ClientCrl, ListenerTls};
use super::reader::Reader;

/// A listener where a sealed address or a signed form opens the page of one patient, and nothing else is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchSettings {
    /// Where it is.
    pub listen: SocketAddr,
    /// What addresses of pages begin with; absent means the address that is listened on.
    pub public_base_url: Option<String>,
    /// Who we are there. Browsers are asked for no certificate.
    pub tls: ListenerTls,
}

impl LaunchSettings {
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

pub(super) fn read(mut table: Reader<'_>) -> Option<LaunchSettings> {
    let listen = table.parsed("listen", address::listener);
    let listen = table.required("listen", listen);
    let public_base_url = table
        .parsed("public_base_url", address::base_url)
        .map(|url| url.as_str().trim_end_matches('/').to_owned());
    if !table.has("tls") {
        table.wrong("tls", "is missing: what a page shows and what opens it must not be read on its way");
    }
    let tls = table.table("tls").and_then(listener_tls::read);
    if tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some() || tls.client_crl != ClientCrl::Unsaid) {
        table.wrong("tls", "asks for certificates of callers: browsers that are sent here have none");
    }
    table.close();
    Some(LaunchSettings { listen: listen?, public_base_url, tls: tls? })
}
