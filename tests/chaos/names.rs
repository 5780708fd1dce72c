//! From the name of a source to its address. The broker runs in a mount namespace of its own, whose resolver asks a
//! name server of this test: that takes root, on Linux.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mock_providers::{Fault, Line};
use tempfile::TempDir;

use crate::answer::{Expected, StandIn, Wrong, fault};
use crate::row::Row;

/// The name that the GP is registered under.
const NAME: &str = "gp.chaos.test";
/// Longest wait for the addresses of a name.
const LOOK_UP_MS: u64 = 500;
const NO_ROOT: &str = "a name server of our own needs root, port 53 and mount namespaces";
/// Where clouds hand out credentials.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Each name server has an address of its own below 127.53.
static NEXT: AtomicU8 = AtomicU8::new(1);

/// What a name server says of every name.
#[derive(Clone, Copy, Debug)]
enum Says {
    Nothing,
    NoSuchName,
    Address(Ipv4Addr),
}

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    let behind = |prepare, class| Expected {
        wrong: Wrong::Behind(prepare),
        by_ms: LOOK_UP_MS,
        ..fault(Fault::Refuse, "unavailable", class)
    };
    vec![
        Row::source(
            "N01",
            "the name server is silent",
            behind(|at| Box::pin(named(at, Says::Nothing)), "dns"),
        ),
        Row::source(
            "N02",
            "the name does not exist",
            behind(|at| Box::pin(named(at, Says::NoSuchName)), "dns"),
        ),
        Row::source(
            "N03",
            "the name leads to this machine",
            behind(|at| Box::pin(named(at, Says::Address(Ipv4Addr::LOCALHOST))), "address_blocked"),
        ),
        Row::source(
            "N03 metadata",
            "the name leads to the secrets of a cloud",
            behind(|at| Box::pin(named(at, Says::Address(METADATA))), "address_blocked"),
        ),
    ]
}

/// Stops where a connection was made all the same.
struct Untouched(Line);

impl Drop for Untouched {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.opened() == 0, "a connection was opened");
    }
}

async fn named(at: SocketAddr, says: Says) -> Result<StandIn, &'static str> {
    let can = Command::new("unshare").args(["-m", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        return Err(NO_ROOT);
    }
    let server = name_server(says).map_err(|_| NO_ROOT)?;
    let dir = tempfile::tempdir().unwrap();
    let under = resolving_by(&dir, server);
    let line = Line::open(at, 1).await.unwrap();
    let origin = format!("https://{NAME}:{}", line.address().port());
    Ok(StandIn { origin, tables: String::new(), under, kept: Box::new((Untouched(line), dir)) })
}

/// The command that becomes another, whose names are asked for at this server.
fn resolving_by(dir: &TempDir, server: Ipv4Addr) -> Vec<String> {
    let file = dir.path().join("resolv.conf");
    std::fs::write(&file, format!("nameserver {server}\noptions timeout:5 attempts:1\n")).unwrap();
    let script = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", file.display());
    ["unshare", "-m", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
}

/// Starts a name server; it ends with the process.
fn name_server(says: Says) -> io::Result<Ipv4Addr> {
    let address = Ipv4Addr::new(127, 53, 0, NEXT.fetch_add(1, Ordering::Relaxed));
    let socket = Arc::new(UdpSocket::bind((address, 53))?);
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, caller)) = socket.recv_from(&mut query) {
            if let Some(reply) = reply(query.get(..length).unwrap_or_default(), says) {
                drop(socket.send_to(&reply, caller));
            }
        }
    });
    Ok(address)
}

/// A reply by hand (RFC 1035, 4.1): the question again, and for an address of version 4 what it says.
fn reply(query: &[u8], says: Says) -> Option<Vec<u8>> {
    const HEAD: usize = 12;
    let name = query.get(HEAD..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = query.get(HEAD..HEAD + name + 4)?;
    let is_for_v4 = question.get(name..name + 2)? == [0, 1];
    let (code, address) = match says {
        Says::Nothing => return None,
        Says::NoSuchName => (3, None),
        Says::Address(address) => (0, is_for_v4.then_some(address)),
    };
    let mut reply = query.get(..2)?.to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    reply.extend(question);
    if let Some(address) = address {
        // The name of the question, an address, the Internet, to be kept for no time, four bytes.
        reply.extend([0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}
