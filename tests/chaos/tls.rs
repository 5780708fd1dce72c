//! TLS towards a source: who it is, who we are to it, and what is spoken.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mock_providers::{Fault, Line, Trouble};
use tributary_tests::tls::{Authority, Front, Issued, Validity};

use crate::answer::{Expected, Preparing, StandIn, Wrong, fault};
use crate::row::Row;
use crate::scene::{Setting, eventually};

/// A handshake may take a second.
const HANDSHAKE_MS: u64 = 1_000;

/// What a server shows, and what it wants to see. The default is as it should be.
#[derive(Clone, Copy, Debug)]
struct Shown {
    name: &'static str,
    validity: Validity,
    is_ours: bool,
    is_revoked: bool,
    wants_another_client: bool,
}

const RIGHT: Shown = Shown {
    name: "localhost",
    validity: Validity::Present,
    is_ours: true,
    is_revoked: false,
    wants_another_client: false,
};

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    let behind = |prepare, class| Expected {
        wrong: Wrong::Behind(prepare),
        // One handshake for the broker, unoptimised as it is.
        by_ms: 200,
        ..fault(Fault::Refuse, "unavailable", class)
    };
    let right = Expected { status: "ok", class: None, ..behind(|at| Box::pin(shown(at, RIGHT)), "") };
    let silent = Expected {
        by_ms: HANDSHAKE_MS,
        setting: Setting { source_keys: Some("timeout_ms = 2500"), ..Setting::default() },
        ..behind(silent, "tls_timeout")
    };
    vec![
        Row::source("C00", "nothing is wrong with it", right),
        Row::source("C01", "its certificate has expired", behind(expired, "tls_expired")),
        Row::source("C02", "its certificate is of tomorrow", behind(early, "tls_not_yet_valid")),
        Row::source("C03", "its certificate names another host", behind(misnamed, "tls_name")),
        Row::source("C04", "nobody vouches for it", behind(untrusted, "tls_untrusted")),
        Row::source("C05", "its certificate was called back", behind(revoked, "tls_revoked")),
        Row::source("C07", "it speaks TLS 1.1 only", behind(old, "tls_version")),
        Row::source("C08", "it does not know our certificate", behind(choosy, "tls_client_rejected")),
        Row::source("N16", "it takes connections and never speaks TLS", silent),
    ]
}

fn expired(at: SocketAddr) -> Preparing {
    Box::pin(shown(at, Shown { validity: Validity::Past, ..RIGHT }))
}

fn early(at: SocketAddr) -> Preparing {
    Box::pin(shown(at, Shown { validity: Validity::Future, ..RIGHT }))
}

fn misnamed(at: SocketAddr) -> Preparing {
    Box::pin(shown(at, Shown { name: "other.example.test", ..RIGHT }))
}

fn untrusted(at: SocketAddr) -> Preparing {
    Box::pin(shown(at, Shown { is_ours: false, ..RIGHT }))
}

fn revoked(at: SocketAddr) -> Preparing {
    Box::pin(shown(at, Shown { is_revoked: true, ..RIGHT }))
}

fn choosy(at: SocketAddr) -> Preparing {
    Box::pin(shown(at, Shown { wants_another_client: true, ..RIGHT }))
}

fn silent(at: SocketAddr) -> Preparing {
    Box::pin(async move {
        let line = Line::open(at, 1).await.unwrap();
        line.set(Trouble::Stall);
        let origin = format!("https://localhost:{}", line.address().port());
        Ok(StandIn { origin, tables: String::new(), under: Vec::new(), kept: Box::new(line) })
    })
}

/// The number of the source's certificate; another one was called back as well.
const SERIAL: u64 = 7;

async fn shown(at: SocketAddr, shown: Shown) -> Result<StandIn, &'static str> {
    let (ours, others) = (Authority::new(), Authority::new());
    let authority = if shown.is_ours { &ours } else { &others };
    let issued = authority.issue(shown.name, SERIAL, shown.validity);
    let front = Front::start(at, &issued, shown.wants_another_client.then_some(&others)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut tables = trusting(dir.path(), &ours);
    let revoked = if shown.is_revoked { vec![SERIAL, 9] } else { vec![9] };
    tables += &file(dir.path(), "crl_file", &ours.calls_back(&revoked));
    let Issued { certificate, key } = ours.issue("broker.example.test", 3, Validity::Present);
    tables += &file(dir.path(), "cert_file", &certificate);
    tables += &file(dir.path(), "key_file", &key);
    let origin = format!("https://localhost:{}", front.address().port());
    Ok(StandIn { origin, tables, under: Vec::new(), kept: Box::new((front, dir)) })
}

/// The table of a source that believes this authority alone.
fn trusting(dir: &Path, authority: &Authority) -> String {
    format!("[source.tls]\n{}", file(dir, "ca_file", &authority.pem()))
}

pub(crate) fn file(dir: &Path, key: &str, text: &str) -> String {
    let path = dir.join(key);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    format!("{key} = \"{}\"\n", path.display())
}

/// A server of another make, since ours has no version that old.
struct OpenSsl(Child);

impl Drop for OpenSsl {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn old(_at: SocketAddr) -> Preparing {
    Box::pin(async {
        let ours = Authority::new();
        let issued = ours.issue("localhost", SERIAL, Validity::Present);
        let dir = tempfile::tempdir().unwrap();
        let tables = trusting(dir.path(), &ours);
        file(dir.path(), "certificate", &issued.certificate);
        file(dir.path(), "key", &issued.key);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-cert", "certificate"])
            .args(["-key", "key", "-accept", &free.to_string()])
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server = OpenSsl(child.map_err(|_| "openssl is not installed")?);
        eventually("openssl listens", || std::net::TcpStream::connect(free).is_ok()).await;
        let origin = format!("https://localhost:{}", free.port());
        Ok(StandIn { origin, tables, under: Vec::new(), kept: Box::new((server, dir)) })
    })
}
