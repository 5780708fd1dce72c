//! Addresses, and which of them may go without TLS.

use std::net::SocketAddr;

use tributary_sources::is_loopback;
use url::Url;

/// An address to listen on: a number and a port, never a name.
pub(super) fn listener(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "is not an address and a port, as in \"127.0.0.1:8443\"")
}

/// A service root or another base of addresses: https, or http on loopback.
pub(super) fn base_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not an address, as in \"https://record.example.test\"")?;
    let is_bare = url.query().is_none() && url.fragment().is_none();
    let is_nameless = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" | "http" if !is_bare => Err("has a query or a fragment"),
        "https" | "http" if !is_nameless => Err("holds a user name or a password"),
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("begins with http://, which is accepted for loopback addresses only"),
        _ => Err("begins with neither https:// nor http://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_loopback() {
        for good in ["https://a.example", "http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost"] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a.example",
            "http://a.example",
            "http://127.0.0.1.example",
            "ftp://127.0.0.1",
            "https://a?b",
            "https://a#b",
            "https://u@a",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
