//! `[server.gpconnect]` and `[server.launch]`: listeners beside the first, each for callers of another kind.

use std::net::SocketAddr;
use std::path::Path;

use super::address;
use super::listener_tls::{self, ClientCrl, ListenerTls};
use super::reader::Reader;

/// A listener beside the first: for systems that speak GP Connect, proven by certificate, whose unsigned token is taken
/// down as said; or for browsers, where a sealed address or a signed form opens the page of one patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondListener {
    /// Where it is.
    pub listen: SocketAddr,
    /// What addresses of documents or pages begin with; absent means the address that is listened on.
    pub public_base_url: Option<String>,
    /// Who we are there, and whose certificate systems must show. Browsers are asked for none.
    pub tls: ListenerTls,
}

impl SecondListener {
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

/// The listener for GP Connect.
pub(super) fn gpconnect(table: Reader<'_>) -> Option<SecondListener> {
    read(table, "is missing: without a certificate nobody who calls there is proven", |_| None)
}

/// The listener for browsers that another system sends to a patient's page.
pub(super) fn launch(table: Reader<'_>) -> Option<SecondListener> {
    read(table, "is missing: what a page shows and what opens it must not be read on its way", |tls| {
        let asks = tls.client_ca_file.is_some() || tls.client_crl != ClientCrl::Unsaid;
        asks.then_some("asks for certificates of callers: browsers that are sent here have none")
    })
}

/// Reads either; `without_tls` says why it needs `tls`, and `amiss` what is wrong with the one it has.
fn read(
    mut table: Reader<'_>,
    without_tls: &str,
    amiss: fn(&ListenerTls) -> Option<&'static str>,
) -> Option<SecondListener> {
    let listen = table.parsed("listen", address::listener);
    let listen = table.required("listen", listen);
    let public_base_url = table
        .parsed("public_base_url", address::base_url)
        .map(|url| url.as_str().trim_end_matches('/').to_owned());
    if !table.has("tls") {
        table.wrong("tls", without_tls);
    }
    let tls = table.table("tls").and_then(listener_tls::read);
    if let Some(says) = tls.as_ref().and_then(amiss) {
        table.wrong("tls", says);
    }
    table.close();
    Some(SecondListener { listen: listen?, public_base_url, tls: tls? })
}
