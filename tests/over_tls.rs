//! The audit log on its way over networks: to PostgreSQL by TLS and with a password, to a repository by HTTPS. Whoever
//! is not proven to be them is told nothing.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tributary_tests::audit::records;
use tributary_tests::postgres::{BROKER, DATABASE, Postgres, exported, in_database, made, with_sink};
use tributary_tests::process::{Process, run};
use tributary_tests::repository::Repository;
use tributary_tests::tls::{Authority, Front, Issued, Validity};
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

const PASSWORD: &str = "correct-horse-battery";
const TOKEN: &str = "token-of-the-repository";

/// A port that nobody's outgoing connections are given, and another one each time.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 28_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 2;
    let next = || first + NEXT.fetch_add(1, Ordering::Relaxed);
    std::iter::repeat_with(next)
        .find(|port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap()
}

fn secret(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The database, by its host, with what is believed and what is shown.
fn table(dir: &Path, host: &str, port: u16, ca: Option<&Authority>, password: &str) -> String {
    secret(&dir.join("password"), password);
    let ca = ca.map(|ca| {
        let file = dir.join("db-ca.pem");
        std::fs::write(&file, ca.pem()).unwrap();
        format!("ca_file = \"{}\"\n", file.display())
    });
    format!(
        "sink = \"postgres\"\n[audit.postgres]\nhost = \"{host}\"\nport = {port}\ndatabase = \"{DATABASE}\"\n\
         user = \"{BROKER}\"\nnode = \"north\"\npassword_file = \"{}\"\n{}",
        dir.join("password").display(),
        ca.unwrap_or_default(),
    )
}

/// A database that is reached over TLS, with its own authority.
struct Secured {
    postgres: Postgres,
    authority: Authority,
    port: u16,
}

impl Secured {
    fn start() -> Option<Self> {
        let mut postgres = Postgres::start()?;
        let (authority, port) = (Authority::new(), port());
        postgres.listen(port, &authority.issue("localhost", 1, Validity::Present), PASSWORD);
        Some(Self { postgres, authority, port })
    }
}

async fn ask(broker: &Process) -> http::Reply {
    let body = parameters(GEORGE, &["flags"]);
    http::post(broker.data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_over_tls_with_a_password_keeps_the_log() {
    let Some(Secured { postgres, authority, port }) = Secured::start() else { return };
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let config = made(dir.path(), &in_database(&base, &postgres, "north"));
    let text = with_sink(&base, &table(dir.path(), "localhost", port, Some(&authority), PASSWORD));
    let mut broker = Process::serve(dir.path(), &text);
    let mut disclosed = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let reply = ask(&broker).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        disclosed.insert(reply.header("Tributary-Audit").unwrap().to_owned());
    }
    let sessions = "SELECT DISTINCT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                    WHERE application_name LIKE 'tributary %'";
    let (_, said) = postgres.sql("postgres", DATABASE, sessions);
    assert_eq!(said, "t|TLSv1.3", "every session of the broker, and no other kind");
    assert!(!broker.log_text().contains(PASSWORD));
    assert_eq!(broker.terminate(), Some(0));
    assert_eq!(exported(&config, dir.path(), "north"), disclosed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_proven_is_refused_and_so_are_we_without_proof() {
    let Some(Secured { mut postgres, authority, port }) = Secured::start() else { return };
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    made(dir.path(), &in_database(&base, &postgres, "north"));
    let refused = |port: u16, ca: Option<&Authority>, password: &str, says: &str| {
        let config = dir.path().join("a.toml");
        std::fs::write(&config, with_sink(&base, &table(dir.path(), "localhost", port, ca, password)))
            .unwrap();
        let (code, out, error) = run(&["serve", "--config", config.to_str().unwrap()]);
        assert_eq!(code, 1, "{out}{error}");
        assert!(error.contains(says), "{says}: {error}");
        assert!(!error.contains(password), "{error}");
    };
    // Whom we believe, what they are called, what we know, and what they accept.
    refused(port, Some(&Authority::new()), PASSWORD, "BadSignature");
    refused(port, Some(&authority), "another-word", "password authentication failed");
    refused(port, None, PASSWORD, "no encryption");
    postgres.listen(port, &authority.issue("other.example.test", 2, Validity::Present), PASSWORD);
    refused(port, Some(&authority), PASSWORD, "not valid for name");
    postgres.listen(port, &authority.issue("localhost", 3, Validity::Past), PASSWORD);
    refused(port, Some(&authority), PASSWORD, "expired");
    let (_, rows) = postgres.sql("postgres", DATABASE, "SELECT count(*) FROM tributary_audit.record");
    assert_eq!(rows, "0");
}

/// In the middle, somebody who says that there is no TLS hears neither user nor password.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_tls_is_told_nothing() {
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asks_for_tls = [0; 8];
        stream.read_exact(&mut asks_for_tls).await.unwrap();
        stream.write_all(b"N").await.unwrap();
        let mut more = Vec::new();
        // A connection that is reset told nothing more either.
        drop(stream.read_to_end(&mut more).await);
        (asks_for_tls, more)
    });
    let config = dir.path().join("a.toml");
    let text = with_sink(&base, &table(dir.path(), "localhost", port, Some(&Authority::new()), PASSWORD));
    std::fs::write(&config, text).unwrap();
    let file = config.display().to_string();
    let (code, _, error) =
        tokio::task::spawn_blocking(move || run(&["serve", "--config", &file])).await.unwrap();
    assert_eq!((code, error.contains("server does not support TLS")), (1, true), "{error}");
    let (asked, more) = heard.await.unwrap();
    // Length 8, and the number that asks for TLS.
    assert_eq!(asked, [0, 0, 0, 8, 4, 210, 22, 47]);
    assert_eq!(more, b"");
}

/// A repository by HTTPS, which wants our certificate.
fn with_export(
    base: &str,
    dir: &Path,
    address: SocketAddr,
    (ca, shown): (&Authority, Option<&Issued>),
) -> String {
    let folder = dir.join("export");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    secret(&folder.join("token"), TOKEN);
    let identity = shown.map(|shown| {
        std::fs::write(folder.join("broker.pem"), &shown.certificate).unwrap();
        secret(&folder.join("broker.key"), &shown.key);
        let place = folder.display();
        format!("cert_file = \"{place}/broker.pem\"\nkey_file = \"{place}/broker.key\"\n")
    });
    let (place, port) = (folder.display(), address.port());
    with_sink(
        base,
        &format!(
            "[audit.export]\nurl = \"https://localhost:{port}/AuditEvent\"\nstate_dir = \"{place}\"\n\
             pause_max_secs = 1\nca_file = \"{place}/ca.pem\"\nbearer_file = \"{place}/token\"\n{}",
            identity.unwrap_or_default()
        ),
    )
}

async fn metric(broker: &Process, name: &str) -> f64 {
    let name = format!("tributary_audit_export_{name}{{target=\"repository\"}}");
    let page = http::get(broker.admin, "/metrics").await.body;
    page.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok()).unwrap()
}

async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A repository behind a certificate.
async fn behind(repository: &Arc<Repository>, shown: &Issued, callers: &Authority) -> Front {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Arc::clone(repository).serve(listener));
    Front::start(address, shown, Some(callers)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_by_https_to_whom_is_proven_and_the_cursor_survives_a_restart() {
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let (theirs, ours) = (Authority::new(), Authority::new());
    let us = ours.issue("broker.example.test", 1, Validity::Present);
    let repository = Arc::new(Repository::default());
    let good = behind(&repository, &theirs.issue("localhost", 1, Validity::Present), &ours).await;
    let misnamed =
        behind(&repository, &theirs.issue("other.example.test", 2, Validity::Present), &ours).await;
    // Another authority, another name, and we without a certificate: nothing is handed on, and nobody waits.
    for (front, believed, shown) in
        [(&good, &Authority::new(), Some(&us)), (&misnamed, &theirs, Some(&us)), (&good, &theirs, None)]
    {
        let text = with_export(&base, dir.path(), front.address(), (believed, shown));
        let mut broker = Process::serve(dir.path(), &text);
        assert_eq!(ask(&broker).await.status, 200);
        until(async || metric(&broker, "failures_total").await >= 2.0 || !repository.head().is_empty()).await;
        assert!(metric(&broker, "backlog_records").await >= 2.0);
        assert_eq!(repository.head(), "", "it heard something");
        assert_eq!(broker.terminate(), Some(0));
    }
    let text = with_export(&base, dir.path(), good.address(), (&theirs, Some(&us)));
    let mut broker = Process::serve(dir.path(), &text);
    until(async || metric(&broker, "backlog_records").await < 1.0).await;
    assert!(repository.head().contains(&format!("authorization: Bearer {TOKEN}")), "{}", repository.head());
    assert_eq!(broker.terminate(), Some(0));
    let before = repository.records();

    let broker = Process::serve(dir.path(), &text);
    for _ in 0..5 {
        assert_eq!(ask(&broker).await.status, 200);
    }
    let on_disk = records(&dir.path().join("audit"));
    let end =
        on_disk.iter().filter(|one| one["kind"] == "disclosure").filter_map(|one| one["seq"].as_u64()).max();
    until(async || repository.records().last().copied() >= end).await;
    let all = repository.records();
    let (_, after) = all.split_at(before.len());
    let (last, first) = (before.iter().max().unwrap(), after.iter().min().unwrap());
    assert!(first > last, "after an end in order nothing is handed on again: {last} {first}");
    let told = ["disclosure", "intent", "config"];
    let wanted = on_disk.iter().filter(|one| told.contains(&one["kind"].as_str().unwrap()));
    for one in wanted {
        assert!(
            all.contains(&one["seq"].as_u64().unwrap()),
            "{} {} was not handed on",
            one["kind"],
            one["seq"]
        );
    }
    assert!(all.is_sorted(), "out of order: {all:?}");
}
