//! The address below which a source serves.

use std::fmt;
use std::sync::Arc;

use url::{Host, Url};

/// A service root: https, or http on loopback; no query, no fragment, no password.
///
/// It is kept as it was written. The Spine proxy compares addresses letter by letter, so a port added, a case
/// changed or a slash collapsed would be another endpoint.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceRoot {
    text: Arc<str>,
    port: u16,
}

/// Why a text cannot be a service root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Not an absolute address of a host.
    #[error("is not an address, as in \"https://record.example.test\"")]
    Address,
    /// Something that belongs to a request, not to a root.
    #[error("has a query or a fragment")]
    Query,
    /// A user name or a password.
    #[error("holds a user name or a password")]
    Credentials,
    /// http to another machine.
    #[error("begins with http://, which is accepted for loopback addresses only")]
    Plain,
    /// Another protocol.
    #[error("begins with neither https:// nor http://")]
    Scheme,
}

impl ServiceRoot {
    /// Checks and takes an address.
    pub fn parse(text: &str) -> Result<Self, RootError> {
        let url = Url::parse(text).map_err(|_not_url| RootError::Address)?;
        match url.scheme() {
            "https" | "http" if url.query().is_some() || url.fragment().is_some() => Err(RootError::Query),
            "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
                Err(RootError::Credentials)
            }
            "http" if !is_loopback(&url) => Err(RootError::Plain),
            "https" | "http" if text.bytes().any(|byte| !byte.is_ascii_graphic()) => Err(RootError::Address),
            "https" | "http" => {
                let port = url.port_or_known_default().ok_or(RootError::Address)?;
                Ok(Self { text: text.into(), port })
            }
            _ => Err(RootError::Scheme),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The TCP port: as written, or that of its protocol.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Without slashes at its end: what addresses below it begin with.
    pub fn stem(&self) -> &str {
        self.text.trim_end_matches('/')
    }

    /// Whether both name one place, whatever their last slash.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.stem() == other.stem()
    }
}

/// Whether an address is one of this machine, by its number or as `localhost`: nobody is in between.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Display for ServiceRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ServiceRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_addresses_are_service_roots() {
        for good in [
            "https://gp.example.test/A99901/STU3/1/gpconnect/structured/fhir",
            "https://GP.example.test:443/A99901/",
            "http://127.0.0.1:9000/fhir",
            "http://[::1]:9000/fhir",
            "http://localhost",
        ] {
            assert_eq!(ServiceRoot::parse(good).unwrap().as_str(), good);
        }
        for (root, port) in
            [("https://a.test", 443), ("https://a.test:7003/", 7003), ("http://localhost", 80)]
        {
            assert_eq!(ServiceRoot::parse(root).unwrap().port(), port);
        }
        for (bad, error) in [
            ("", RootError::Address),
            ("gp.example.test", RootError::Address),
            ("https://gp.example.test/a b", RootError::Address),
            ("http://gp.example.test/fhir", RootError::Plain),
            ("http://127.0.0.1.example", RootError::Plain),
            ("ftp://127.0.0.1/fhir", RootError::Scheme),
            ("https://user@gp.example.test/fhir", RootError::Credentials),
            ("https://gp.example.test/fhir?x=1", RootError::Query),
            ("https://gp.example.test/fhir#x", RootError::Query),
        ] {
            assert_eq!(ServiceRoot::parse(bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn a_last_slash_is_no_other_place() {
        let [one, other] =
            ["https://gp.test/A", "https://gp.test/A/"].map(|text| ServiceRoot::parse(text).unwrap());
        assert!(one.is_same_place(&other));
        assert_ne!(one, other);
    }
}
