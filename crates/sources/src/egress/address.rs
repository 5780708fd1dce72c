//! Which network addresses a source may have. Every address is checked before a packet goes to it.
//!
//! Private ranges pass: the NHS's own networks use them. What never is a source is this machine, the link, and the
//! services with which clouds hand out credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses at which a cloud tells a machine about itself, outside the link-local range.
const METADATA: &[IpAddr] = &[
    // Azure's "wire server".
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // AWS over IPv6.
    IpAddr::V6(Ipv6Addr::new(0xFD00, 0x0EC2, 0, 0, 0, 0, 0, 0x0254)),
];

/// What `::ffff:0:0/96` begins with.
const MAPPED: u128 = 0xFFFF;
/// What `64:ff9b::/96` begins with.
const NAT64: u128 = 0x0064_FF9B << 64;

/// Whether the registered host means this machine, so that its addresses may be loopback ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loopback {
    /// It is a loopback address or `localhost`.
    Registered,
    /// It is anything else.
    Refused,
}

impl Loopback {
    /// What a host, as it stands in an address, says. An IPv6 address is without its brackets.
    pub(super) fn of(host: &str) -> Self {
        let literal = host.parse::<IpAddr>().is_ok_and(|address| embedded(address).is_loopback());
        if literal || host.eq_ignore_ascii_case("localhost") { Self::Registered } else { Self::Refused }
    }
}

/// Whether a source may have this address.
pub(super) fn is_allowed(address: IpAddr, loopback: Loopback) -> bool {
    let inner = embedded(address);
    if inner.is_loopback() {
        return loopback == Loopback::Registered;
    }
    let anywhere = match inner {
        // 0.0.0.0/8 is "this network", and Linux takes it for this machine; 240.0.0.0/4 ends with broadcast.
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            first != 0 && first < 240 && !v4.is_link_local()
        }
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_unicast_link_local(),
    };
    anywhere && !inner.is_multicast() && !METADATA.contains(&inner)
}

/// The IPv4 address inside one that only wraps it: mapped, compatible, or behind NAT64 (RFC 6052).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let bits = v6.to_bits();
    let wrapped = match bits >> 32 {
        MAPPED | NAT64 => true,
        // `::` and `::1` are addresses of IPv6 itself.
        0 => bits > 1,
        _ => false,
    };
    let [.., a, b, c, d] = v6.octets();
    if wrapped { Ipv4Addr::new(a, b, c, d).into() } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], host: &str, expected: bool) {
        for address in addresses {
            assert_eq!(
                is_allowed(address.parse().unwrap(), Loopback::of(host)),
                expected,
                "{address} {host}"
            );
        }
    }

    #[test]
    fn networks_of_the_nhs_and_the_world_pass() {
        let good =
            ["10.1.2.3", "172.16.0.1", "192.168.7.7", "100.64.0.1", "81.2.69.142", "fd12::1", "2a00::1"];
        check(&good, "gp.example.test", true);
    }

    #[test]
    fn no_name_leads_to_this_machine_the_link_or_a_cloud_s_secrets() {
        let bad = [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::7f00:1",
            "fd00:ec2::254",
            "168.63.129.16",
        ];
        check(&bad, "gp.example.test", false);
        // Nor does it help to be registered with such a number.
        check(&["169.254.169.254"], "169.254.169.254", false);
        check(&["0.0.0.0"], "0.0.0.0", false);
    }

    #[test]
    fn who_is_registered_on_this_machine_is_asked_there() {
        check(&["127.0.0.1", "::1"], "localhost", true);
        check(&["127.0.0.1"], "127.0.0.1", true);
        check(&["::1"], "::1", true);
        check(&["127.0.0.1"], "localhost.example.test", false);
        check(&["169.254.169.254"], "localhost", false);
    }
}
