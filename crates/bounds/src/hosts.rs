//! The hosts that this broker answers to.
//!
//! A page of another site whose name is made to resolve to loopback (DNS rebinding) is, to a browser, of the same
//! origin as we are. Its requests still carry that site's name as their host, and end here.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, StatusCode, header};
use url::Url;

use crate::problem::Problem;

/// What a request may name as its host: loopback addresses and `localhost` with any port, and the authority of
/// the base of our links.
#[derive(Clone, Debug)]
pub struct Hosts {
    public: Option<(String, Option<u16>)>,
}

impl Hosts {
    /// The hosts of a broker whose links begin with this.
    pub fn of(public_base_url: &str) -> Self {
        let url = Url::parse(public_base_url).ok();
        let public = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default())));
        Self { public }
    }

    /// Refuses a request that names another host, or none, or several.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Problem::bad("A request names its host exactly once.").naming("Host"));
        };
        let host = host.to_str().ok().filter(|host| is_authority(host));
        let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else {
            return Err(Problem::bad("The host is malformed.").naming("Host"));
        };
        if self.is_ours(&host) {
            return Ok(());
        }
        let text = "This host is not served here.";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "not-supported", text).naming("Host"))
    }

    fn is_ours(&self, host: &Authority) -> bool {
        let name = host.host();
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if name.eq_ignore_ascii_case("localhost") || literal.is_ok_and(|address| address.is_loopback()) {
            return true;
        }
        // Callers leave out the port that the scheme implies.
        self.public.as_ref().is_some_and(|(ours, port)| {
            ours.eq_ignore_ascii_case(name) && host.port_u16().is_none_or(|asked| Some(asked) == *port)
        })
    }
}

fn is_authority(host: &str) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    (1..=255).contains(&host.len()) && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(host: &str, status: Option<u16>) {
        let hosts = Hosts::of("https://record.example.test/base");
        let headers = [(header::HOST, HeaderValue::from_str(host).unwrap())].into_iter().collect();
        let found = hosts.check(&headers).err().map(|problem| problem.status.as_u16());
        assert_eq!(found, status, "{host}");
    }

    #[test]
    fn only_our_own_names_are_answered_to() {
        for ours in [
            "127.0.0.1",
            "127.0.0.1:8443",
            "127.9.9.9:1",
            "[::1]:8443",
            "[::1]",
            "localhost",
            "LocalHost:9464",
            "record.example.test",
            "Record.Example.Test:443",
        ] {
            check(ours, None);
        }
        for other in [
            "evil.example",
            "evil.example:8443",
            "record.example.test.evil.example",
            "record.example.test:8443",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1:8443",
            "[::2]",
            "0.0.0.0:8443",
        ] {
            check(other, Some(421));
        }
        for malformed in ["", "a/b", "a b", "u@127.0.0.1", "127.0.0.1:99999:1", "[::1"] {
            check(malformed, Some(400));
        }
    }

    #[test]
    fn a_base_that_is_no_address_adds_nothing() {
        let headers = [(header::HOST, HeaderValue::from_static("a"))].into_iter().collect();
        assert!(Hosts::of("nonsense").check(&headers).is_err());
    }
}
