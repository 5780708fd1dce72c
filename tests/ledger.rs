//! The audit log in a database: what is disclosed is there, whatever happens to the broker or to the database.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]
#![expect(clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[path = "ledger/tree.rs"]
mod tree;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tributary_tests::postgres::{BROKER, DATABASE, OWNER, Postgres, exported, in_database, made};
use tributary_tests::process::{Process, run};
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

/// What callers saw.
#[derive(Default)]
struct Seen {
    disclosed: Mutex<BTreeSet<String>>,
    asked: AtomicUsize,
    refused: AtomicUsize,
}

/// Asks until so many were asked by all; notes the number of every disclosure that came through.
async fn call(address: Arc<Mutex<SocketAddr>>, most: usize, seen: Arc<Seen>) {
    let body = parameters(GEORGE, &["flags"]);
    while seen.asked.load(Ordering::Relaxed) < most {
        let to = *address.lock().unwrap();
        let path = "/fhir/R4/Patient/$record";
        let reply = http::post(to, path, "application/fhir+json", &body, &[]).await;
        if let Some(id) = reply.header("Tributary-Audit") {
            seen.disclosed.lock().unwrap().insert(id.to_owned());
        } else {
            assert!(!reply.body.contains("Just in case"), "disclosed without a number: {}", reply.body);
        }
        // Who was killed is asked again as soon as it is there again.
        if reply.status == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        } else {
            seen.asked.fetch_add(1, Ordering::Relaxed);
            seen.refused.fetch_add(usize::from(reply.status != 200), Ordering::Relaxed);
        }
    }
}

/// Waits until callers have asked so often.
async fn asked(seen: &Seen, times: usize) {
    while seen.asked.load(Ordering::Relaxed) < times {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Copies a node's log out of the database, has it verified by both verifiers, and gives the names of its disclosures.
fn verified(config: &Path, dir: &Path, node: &str) -> BTreeSet<String> {
    let found = exported(config, dir, node);
    assert_eq!(tree::verdicts(&dir.join(format!("copy-of-{node}")), &[]), [0, 0]);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_lose_nothing_when_one_is_killed_and_the_database_crashes() {
    let Some(postgres) = Postgres::start() else { return };
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let config = made(dir.path(), &in_database(&base, &postgres, "north"));
    let folders = ["north", "south"].map(|node| dir.path().join(node));
    let texts = ["north", "south"].map(|node| in_database(&base, &postgres, node));
    for folder in &folders {
        std::fs::create_dir(folder).unwrap();
    }
    let north = Process::serve(&folders[0], &texts[0]);
    let mut south = Process::serve(&folders[1], &texts[1]);
    let addresses = [north.data, south.data].map(|address| Arc::new(Mutex::new(address)));
    let seen = Arc::new(Seen::default());
    let mut callers = tokio::task::JoinSet::new();
    for place in 0..8 {
        callers.spawn(call(Arc::clone(&addresses[place % 2]), 2_000, Arc::clone(&seen)));
    }
    asked(&seen, 500).await;
    south.kill();
    let south = Process::serve(&folders[1], &texts[1]);
    *addresses[1].lock().unwrap() = south.data;
    asked(&seen, 1_000).await;
    postgres.crash();
    postgres.begin();
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    let disclosed = seen.disclosed.lock().unwrap().clone();
    assert!(disclosed.len() > 1_000, "only {} answers came through", disclosed.len());
    let mut on_record = verified(&config, dir.path(), "north");
    on_record.append(&mut verified(&config, dir.path(), "south"));
    let lost: Vec<&String> = disclosed.difference(&on_record).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    println!(
        "{} disclosed, {} on record, {} refused",
        disclosed.len(),
        on_record.len(),
        seen.refused.load(Ordering::Relaxed)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_broker_discloses_nothing_and_recovers() {
    let Some(postgres) = Postgres::start() else { return };
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let text = in_database(&base, &postgres, "north");
    made(dir.path(), &text);
    let broker = Process::serve(dir.path(), &text);
    let ask = || async {
        let body = parameters(GEORGE, &[]);
        http::post(broker.data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await
    };
    assert_eq!(ask().await.status, 200);
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("a.toml"), &text).unwrap();
    let (code, _, error) = run(&["serve", "--config", other.join("a.toml").to_str().unwrap()]);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("in use by another process"), "{error}");
    postgres.crash();
    let counted =
        || -> u64 { federation.providers().iter().map(mock_providers::ProviderHandle::ask_count).sum() };
    let before = counted();
    let reply = ask().await;
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert_eq!(reply.json()["resourceType"], "OperationOutcome");
    assert!(!reply.body.contains("resuscitation"));
    assert_eq!(before, counted(), "a source was asked without an intent on record");
    assert_eq!(http::get(broker.admin, "/health/ready").await.status, 503);
    postgres.begin();
    assert_eq!(ask().await.status, 200, "it goes on when the database is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_could_lose_or_change_records_is_refused() {
    let Some(postgres) = Postgres::start() else { return };
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let text = in_database(&base, &postgres, "north");
    let config = dir.path().join("a.toml");
    std::fs::write(&config, &text).unwrap();
    let config = config.to_str().unwrap();
    let refused = |says: &str| {
        let (code, _, error) = run(&["serve", "--config", config]);
        assert_eq!(code, 1, "{error}");
        assert!(error.contains(says), "{says}: {error}");
    };
    refused("run `tributary audit init`");
    let (code, _, error) = run(&["audit", "init", "--config", config, "--owner", BROKER]);
    assert_eq!((code, error.contains("cannot be the broker's user")), (1, true), "{error}");
    made(dir.path(), &text);
    let said = |user: &str, statement: &str| postgres.sql(user, DATABASE, statement);
    for weaker in ["off", "local", "remote_write"] {
        said("postgres", &format!("ALTER ROLE {BROKER} SET synchronous_commit TO {weaker}"));
        refused(&format!("synchronous_commit is {weaker}"));
    }
    said("postgres", &format!("ALTER ROLE {BROKER} RESET synchronous_commit"));
    for power in ["UPDATE", "DELETE", "TRUNCATE"] {
        assert!(said(OWNER, &format!("GRANT {power} ON tributary_audit.record TO {BROKER}")).0);
        refused("and no more");
        assert!(said(OWNER, &format!("REVOKE {power} ON tributary_audit.record FROM {BROKER}")).0);
    }
    said("postgres", &format!("GRANT {OWNER} TO {BROKER}"));
    refused("and no more");
    said("postgres", &format!("REVOKE {OWNER} FROM {BROKER}"));

    let folder = dir.path().join("node");
    std::fs::create_dir(&folder).unwrap();
    let mut broker = Process::serve(&folder, &text);
    assert_eq!(broker.terminate(), Some(0));
    for statement in [
        "UPDATE tributary_audit.record SET payload = 'x'",
        "DELETE FROM tributary_audit.record",
        "TRUNCATE tributary_audit.record",
    ] {
        for user in [BROKER, OWNER, "postgres"] {
            let (done, words) = said(user, statement);
            assert!(!done, "{user}: {statement}: {words}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_searched_over_all_nodes_and_its_readers_are_in_it() {
    let Some(postgres) = Postgres::start() else { return };
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let config = made(dir.path(), &in_database(&base, &postgres, "north"));
    for node in ["north", "south"] {
        let folder = dir.path().join(node);
        std::fs::create_dir(&folder).unwrap();
        let mut broker = Process::serve(&folder, &in_database(&base, &postgres, node));
        let body = parameters(GEORGE, &["flags"]);
        http::post(broker.data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await;
        // A patient is told of every node.
        let form = format!("nhs={GEORGE}");
        let told = http::post(broker.data, "/looked", "application/x-www-form-urlencoded", &form, &[]).await;
        assert!(told.body.contains(&format!("\"entry\":\"{node}-4\"")), "{}", told.body);
        assert!(node == "north" || told.body.contains("\"entry\":\"north-4\""), "{}", told.body);
        assert_eq!(broker.terminate(), Some(0));
    }
    let config_text = config.to_str().unwrap();
    let search = |more: &[&str]| {
        let words = ["audit", "search", "--config", config_text, "--case", "IG-1"];
        run(&[&words, more].concat())
    };
    let (code, out, error) = search(&["--patient", GEORGE]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("north-4") && out.contains("south-4") && out.contains("delivered whole"), "{out}");
    let (_, out, _) = search(&["--patient", GEORGE]);
    assert!(out.contains("reads-") && out.contains("search for case IG-1"), "{out}");
    let (_, out, _) = search(&["--patient", "9990000115"]);
    assert!(out.starts_with("0 records found among"), "{out}");
    verified(&config, dir.path(), "reads");
    // What an administrator takes out is missed.
    for statement in [
        "ALTER TABLE tributary_audit.record DISABLE TRIGGER only_added",
        "DELETE FROM tributary_audit.record WHERE node = 'south' AND seq = 3",
    ] {
        assert!(postgres.sql("postgres", DATABASE, statement).0);
    }
    let (code, _, error) = search(&["--patient", GEORGE]);
    assert_eq!((code, error.contains("the log of south is not whole")), (3, true), "{error}");
}

/// Stands before the server's socket. When it is told to, it passes a statement on, waits for the answer, and lets
/// nobody have it: what was committed is in doubt.
async fn forgetful(to: PathBuf, at: PathBuf, forgets: Arc<AtomicUsize>) {
    let listener = tokio::net::UnixListener::bind(at).unwrap();
    while let Ok((mut client, _)) = listener.accept().await {
        let (to, forgets) = (to.clone(), Arc::clone(&forgets));
        tokio::spawn(async move {
            let Ok(mut server) = tokio::net::UnixStream::connect(to).await else { return };
            let (mut asked, mut said) = (vec![0; 1 << 16], vec![0; 1 << 16]);
            loop {
                tokio::select! {
                    read = client.read(&mut asked) => match read {
                        Ok(length @ 1..) if server.write_all(&asked[..length]).await.is_ok() => {}
                        _ => return,
                    },
                    read = server.read(&mut said) => match read {
                        Ok(length @ 1..) => {
                            let is_forgotten =
                                forgets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                            if is_forgotten.is_ok() || client.write_all(&said[..length]).await.is_err() {
                                return;
                            }
                        }
                        _ => return,
                    },
                }
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_neither_lost_nor_written_twice() {
    let Some(postgres) = Postgres::start() else { return };
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let direct =
        in_database(&base, &postgres, "north").replace("node = ", "append_timeout_ms = 1000\nnode = ");
    let config = made(dir.path(), &direct);
    let between = dir.path().join("between");
    std::fs::create_dir(&between).unwrap();
    let forgets = Arc::new(AtomicUsize::new(0));
    let socket = ".s.PGSQL.5432";
    tokio::spawn(forgetful(postgres.socket_dir().join(socket), between.join(socket), Arc::clone(&forgets)));
    let text = direct.replace(&postgres.socket_dir().display().to_string(), &between.display().to_string());
    let folder = dir.path().join("node");
    std::fs::create_dir(&folder).unwrap();
    let mut broker = Process::serve(&folder, &text);
    let mut disclosed = BTreeSet::new();
    for round in 0..20 {
        // Twice in a row also loses the answer of the look.
        forgets.store(1 + round % 2, Ordering::Relaxed);
        let body = parameters(GEORGE, &["flags"]);
        let path = "/fhir/R4/Patient/$record";
        let reply = http::post(broker.data, path, "application/fhir+json", &body, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        disclosed.insert(reply.header("Tributary-Audit").unwrap().to_owned());
    }
    forgets.store(0, Ordering::Relaxed);
    // Answers are lost for so long that a caller is refused: whether it is there shows later.
    forgets.store(1_000_000, Ordering::Relaxed);
    let body = parameters(GEORGE, &["flags"]);
    let path = "/fhir/R4/Patient/$record";
    let reply = http::post(broker.data, path, "application/fhir+json", &body, &[]).await;
    assert_eq!(reply.status, 503, "{}", reply.body);
    forgets.store(0, Ordering::Relaxed);
    assert_eq!(broker.terminate(), Some(0));
    assert_eq!(disclosed.len(), 20);
    let (_, sessions) = postgres.sql(BROKER, DATABASE, "SELECT count(*) FROM tributary_audit.session");
    assert!(sessions.parse::<u32>().unwrap() >= 15, "only {sessions} sessions: no answer was lost");
    let on_record = verified(&config, dir.path(), "north");
    assert_eq!(on_record, disclosed, "each disclosure is there, and once");
}
