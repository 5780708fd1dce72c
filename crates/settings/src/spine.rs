//! `[spine]`: the Spine Secure Proxy, for sources that are reached through it.

use tributary_sources::ServiceRoot;

use super::reader::Reader;
use super::tls::{self, TlsFiles};

/// The proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpineSettings {
    /// Its address; a source's own address follows it, letter by letter.
    pub proxy_url: ServiceRoot,
    /// What it demands of TLS.
    pub tls: Option<TlsFiles>,
}

pub(super) fn read(mut table: Reader<'_>) -> Option<SpineSettings> {
    let proxy_url = table.parsed("proxy_url", ServiceRoot::parse);
    let proxy_url = table.required("proxy_url", proxy_url);
    let tls = table.table("tls").map(tls::read);
    table.close();
    Some(SpineSettings { proxy_url: proxy_url?, tls })
}
