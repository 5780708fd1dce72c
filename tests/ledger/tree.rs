//! The tree over a log in a database: who administers that may do anything to rows, and is found.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tributary_audit::{
    ConfigChange, ConfigEvent, Digest, Event, KeyKind, Link, NodeName, Notary, Settings, SigningKey,
    VerifyingKey, WitnessPolicy,
};
use tributary_ledger::postgres::{self, Place, Store};
use tributary_model::SystemClock;
use tributary_tests::postgres::{BROKER, DATABASE, OWNER, Postgres};
use tributary_tests::process::{Process, run};
use tributary_tests::witness::{WitnessProcess, keygen};
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

use super::{in_database, made};

/// What our verifier and the one in Python say of a copy, as exit codes.
#[expect(clippy::print_stdout, reason = "what was found is shown where a test fails")]
pub(super) fn verdicts(dir: &Path, more: &[&str]) -> [i32; 2] {
    let dir = dir.to_str().unwrap();
    let (ours, out, error) = run(&[&["audit", "verify", dir], more].concat());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/verify.py");
    let output =
        Command::new("python3").arg(script).arg(dir).args(more).stdin(Stdio::null()).output().unwrap();
    let theirs = output.status.code().unwrap_or(-1);
    if (ours, theirs) != (0, 0) {
        println!("{out}{error}{}", String::from_utf8_lossy(&output.stdout));
    }
    [ours, theirs]
}

/// A copy of a node's log, by the command; gives what it printed.
fn copied(config: &Path, node: &str, to: &Path) -> String {
    let words = ["audit", "export", "--config", config.to_str().unwrap(), "--node", node, "--case", "T-1"];
    let (code, out, error) = run(&[&words[..], &["--out", to.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{out}{error}");
    out
}

fn store(server: &Postgres) -> Store {
    Store {
        place: Place::Socket(server.socket_dir().to_owned()),
        port: 5432,
        database: DATABASE.to_owned(),
        user: BROKER.to_owned(),
        password: None,
        tls: None,
        node: NodeName::parse("north").unwrap(),
        connect_timeout: Duration::from_secs(5),
        append_timeout: Duration::from_secs(5),
        lease_wait: Duration::from_secs(5),
        needs_standby: false,
    }
}

/// Adds so many records in one run of its own.
fn write(server: &Postgres, key: &SigningKey, records: u64) {
    let key = SigningKey::parse(&key.secret_text()).unwrap();
    let notary = Notary { key: Some(key), witnesses: Vec::new(), policy: WitnessPolicy::default() };
    let trail = postgres::open(store(server), Settings::default(), Arc::new(SystemClock), notary).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for number in 0..records {
            let digest = Digest::of(&number.to_le_bytes());
            trail.record(Event::Config(ConfigEvent { change: ConfigChange::Loaded, digest })).await.unwrap();
        }
        trail.close().await.unwrap();
    });
}

/// What an administrator says to the database.
fn says(server: &Postgres, statement: &str) -> String {
    let (done, words) = server.sql("postgres", DATABASE, statement);
    assert!(done, "{statement}: {words}");
    words
}

const TABLES: [&str; 3] = ["record", "checkpoint", "tile"];

/// Copies every table aside, triggers off: from here on an administrator does what he likes.
fn set_aside(server: &Postgres) {
    for table in TABLES {
        says(server, &format!("ALTER TABLE tributary_audit.{table} DISABLE TRIGGER only_added"));
        says(server, &format!("CREATE TABLE public.{table} AS SELECT * FROM tributary_audit.{table}"));
    }
}

fn put_back(server: &Postgres) {
    for table in TABLES {
        says(server, &format!("DELETE FROM tributary_audit.{table}"));
        says(server, &format!("INSERT INTO tributary_audit.{table} SELECT * FROM public.{table}"));
    }
}

/// Rewrites the log from a record on, so that each record follows from the one before again.
fn rewrite(server: &Postgres, from: u64) {
    let rows = says(
        server,
        &format!(
            "SELECT seq, encode(payload, 'hex') FROM tributary_audit.record WHERE node = 'north' AND seq >= {from} ORDER BY seq"
        ),
    );
    let mut link: Option<Link> = None;
    for row in rows.lines() {
        let (seq, hex) = row.split_once('|').unwrap();
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let mut text = String::from_utf8(bytes).unwrap();
        let seq: u64 = seq.parse().unwrap();
        match link {
            // Another salt of the same length: nothing else of the record is touched.
            None => {
                let place = text.find("\"salt\":\"").unwrap() + 8;
                let other = if text.as_bytes()[place] == b'f' { "e" } else { "f" };
                text.replace_range(place..=place, other);
            }
            Some(link) => {
                let place = text.find("\"prev\":\"").unwrap() + 8;
                text.replace_range(place..place + 64, &link.prev.to_string());
            }
        }
        let hex: String = text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        says(
            server,
            &format!(
                "UPDATE tributary_audit.record SET payload = decode('{hex}', 'hex') WHERE node = 'north' AND seq = {seq}"
            ),
        );
        link = Some(Link { seq, prev: Digest::of(b"") }.after(text.as_bytes()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_does_to_rows_is_found_by_both_verifiers() {
    let Some(server) = Postgres::start() else { return };
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let config = made(dir.path(), &in_database(&base, &server, "north"));
    tokio::task::spawn_blocking(move || administrator(&server, &config, dir.path())).await.unwrap();
}

fn administrator(server: &Postgres, config: &Path, dir: &Path) {
    let key = SigningKey::generate("example.test/audit/north", KeyKind::Log).unwrap();
    let public = key.public().to_string();
    let known = ["--key", public.as_str()];
    for records in [1, 300, 300] {
        write(server, &key, records);
    }
    let tiles = says(server, "SELECT count(*) FROM tributary_audit.tile WHERE node = 'north'");
    assert_eq!(tiles, "2", "two full tiles");
    let clean = dir.join("clean");
    copied(config, "north", &clean);
    assert_eq!(verdicts(&clean, &known), [0, 0]);
    set_aside(server);
    let row = "UPDATE tributary_audit.record SET payload";
    let of_north = "WHERE node = 'north' AND seq";
    let named: [(&str, String, i32); 9] = [
        ("a byte of a record", format!("{row} = set_byte(payload, 200, 88) {of_north} = 40"), 2),
        ("a record removed", format!("DELETE FROM tributary_audit.record {of_north} = 40"), 2),
        (
            "two records in each other's place",
            "UPDATE tributary_audit.record AS one SET payload = other.payload FROM public.record AS other \
                 WHERE one.node = 'north' AND other.node = 'north' AND one.seq IN (40, 41) AND other.seq = 81 - one.seq"
                .to_owned(),
            2,
        ),
        ("the end removed", format!("DELETE FROM tributary_audit.record {of_north} > 500"), 3),
        (
            "a tile altered",
            "UPDATE tributary_audit.tile SET hashes = set_byte(hashes, 70, get_byte(hashes, 70) # 1) WHERE node = 'north' AND level = 0 AND place = 1".to_owned(),
            2,
        ),
        ("a tile removed", "DELETE FROM tributary_audit.tile WHERE node = 'north' AND place = 0".to_owned(), 3),
        (
            "a checkpoint altered",
            "UPDATE tributary_audit.checkpoint SET entry = set_byte(entry, 40, 65) WHERE node = 'north' AND place = 2"
                .to_owned(),
            2,
        ),
        ("all checkpoints removed", "DELETE FROM tributary_audit.checkpoint WHERE node = 'north'".to_owned(), 3),
        ("all of the tree removed", "DELETE FROM tributary_audit.checkpoint; DELETE FROM tributary_audit.tile".to_owned(), 3),
    ];
    for (place, (what, statement, code)) in named.into_iter().enumerate() {
        says(server, &statement);
        let copy = dir.join(format!("copy-{place}"));
        copied(config, "north", &copy);
        assert_eq!(verdicts(&copy, &known), [code, code], "{what}");
        put_back(server);
    }
    // Who can compute hashes makes the chain whole again, and is found by what was signed.
    rewrite(server, 590);
    let copy = dir.join("rewritten");
    copied(config, "north", &copy);
    assert_eq!(verdicts(&copy, &[]), [2, 2], "the chain is whole, and the checkpoints are of other records");
    let reopened = postgres::open(
        store(server),
        Settings::default(),
        Arc::new(SystemClock),
        Notary { key: Some(key), ..Notary::default() },
    );
    let told = reopened.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("are not those of its checkpoint"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_stands_between_a_database_and_its_administrator() {
    let Some(server) = Postgres::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (dir, plan) = (dir.path(), Plan { expected: vec!["specialist"], ..Plan::default() });
    let log_key = keygen(&dir.join("log.key"), "example.test/audit/north", &[]);
    let witness_key = keygen(&dir.join("witness.key"), "w.example.test", &["--witness"]);
    let federation = federation(&plan).await;
    let witness = WitnessProcess::start(dir, "127.0.0.1:0", &log_key);
    let audit = format!("[audit]\nkey_file = {:?}\nwitness_interval_secs = 1\n", dir.join("log.key"));
    let entry = format!("[[audit.witness]]\nurl = \"{}\"\nkey = \"{witness_key}\"\n", witness.url);
    let base = configuration(federation.source_facts(), &plan, &dir.join("audit"));
    let text = in_database(&base, &server, "north").replace("[audit]\n", &audit);
    let text = format!("{text}\n{entry}");
    let config = made(dir, &text);
    let ask = async |broker: &Process| {
        let body = parameters(GEORGE, &["flags"]);
        http::post(broker.data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await.status
    };
    let mut broker = Process::serve(dir, &text);
    for _ in 0..100 {
        assert_eq!(ask(&broker).await, 200);
    }
    // The node is killed, and the database crashes: the tree goes on over what is there.
    broker.kill();
    let broker = Process::serve(dir, &text);
    assert_eq!(ask(&broker).await, 200);
    server.crash();
    assert_eq!(ask(&broker).await, 503);
    server.begin();
    assert_eq!(ask(&broker).await, 200);
    drop(broker);
    set_aside(&server);
    let broker = Process::serve(dir, &text);
    assert_eq!(ask(&broker).await, 200);
    drop(broker);
    let mut broker = Process::serve(dir, &text);
    assert_eq!(broker.terminate(), Some(0));

    let copy = dir.join("copy");
    copied(&config, "north", &copy);
    let known = ["--key", &log_key, "--witness-key", &witness_key];
    assert_eq!(verdicts(&copy, &known), [0, 0]);
    let (_, out, _) =
        run(&["audit", "verify", "--json", copy.to_str().unwrap(), known[0], known[1], known[2], known[3]]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["signed_size"], told["records"], "the last checkpoint is of everything: {out}");
    assert!(told["records"].as_u64() > Some(256) && told["cosigned_checkpoints"].as_u64() > Some(2), "{out}");

    // The database of an hour ago: whole in itself, and behind its witness.
    put_back(&server);
    let old = dir.join("old");
    copied(&config, "north", &old);
    assert_eq!(verdicts(&old, &known[..2]), [0, 0]);
    let (code, _, told) = run(&["serve", "--config", config.to_str().unwrap()]);
    assert!(code == 1 && told.contains("checkpoint behind witness"), "{code} {told}");
    for table in TABLES {
        says(&server, &format!("DELETE FROM tributary_audit.{table}"));
    }
    let (code, _, told) = run(&["serve", "--config", config.to_str().unwrap()]);
    assert!(code == 1 && told.contains("checkpoint behind witness"), "{code} {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_the_first_version_get_their_tree_from_the_records() {
    let Some(server) = Postgres::start() else { return };
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().unwrap();
    let base = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let config = made(dir.path(), &in_database(&base, &server, "north"));
    let done = tokio::task::spawn_blocking(move || {
        let key = SigningKey::generate("example.test/audit/north", KeyKind::Log).unwrap();
        write(&server, &key, 300);
        for table in ["checkpoint", "tile"] {
            says(&server, &format!("DROP TABLE tributary_audit.{table}"));
        }
        says(&server, "DELETE FROM tributary_audit.migration WHERE version = 2");
        let (code, _, told) = run(&["serve", "--config", config.to_str().unwrap()]);
        assert!(code == 1 && told.contains("are version 1"), "{told}");
        let words = ["audit", "init", "--config", config.to_str().unwrap(), "--owner", OWNER];
        let (code, out, error) = run(&words);
        assert_eq!(code, 0, "{out}{error}");
        write(&server, &key, 1);
        let copy = dir.path().join("copy");
        copied(&config, "north", &copy);
        let public: &VerifyingKey = key.public();
        assert_eq!(verdicts(&copy, &["--key", &public.to_string()]), [0, 0]);
        assert_eq!(says(&server, "SELECT count(*) FROM tributary_audit.tile WHERE node = 'north'"), "1");
    });
    done.await.unwrap();
}
