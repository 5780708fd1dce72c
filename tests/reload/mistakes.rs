//! Configurations with a mistake: the one in force stays, and everybody is told.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tributary_tests::sha256;

use crate::scene::{Outcome, Scene, name, numbers};

/// What is wrong, the key that the log names, and how the text of a good one becomes it.
struct Row {
    what: &'static str,
    key: &'static str,
    spoil: fn(&str) -> String,
}

const fn row(what: &'static str, key: &'static str, spoil: fn(&str) -> String) -> Row {
    Row { what, key, spoil }
}

fn server(text: &str, key: &str) -> String {
    text.replacen("[server]\n", &format!("[server]\n{key}\n"), 1)
}

/// With keys for the last source.
fn tls(text: &str, keys: &str) -> String {
    format!("{text}[source.tls]\n{keys}\n")
}

const ROWS: &[Row] = &[
    row("no TOML", "", |text| format!("{text}[server")),
    row("not UTF-8 is no text either", "", |_| "\u{0}".to_owned()),
    row("nothing at all", "source", |_| String::new()),
    row("an unknown key", "server.listne", |text| server(text, "listne = 1")),
    row("an unknown table", "sever", |text| format!("{text}[sever]\n")),
    row("a value out of bounds", "server.drain_secs", |text| server(text, "drain_secs = 0")),
    row("no source", "source", |text| text.split("[[source]]").next().unwrap().to_owned()),
    row("a source twice", "source[3].id", |text| {
        let last = text.rsplit("[[source]]").next().unwrap();
        format!("{text}[[source]]{last}")
    }),
    row("callers that nobody proves", "consumer", |text| text.replacen("[demo]\ninsecure = true\n", "", 1)),
    row("maps that are not there", "maps.dir", |text| text.replacen("config/maps", "config/no-maps", 1)),
    row("lists that are not there", "codelists.dir", |text| {
        format!("{text}[codelists]\ndir = \"no-lists\"\n")
    }),
    row("a prompt nobody signed for", "prompts.same_high_risk_class", |text| {
        format!("{text}[prompts]\nsame_high_risk_class = true\n")
    }),
    row("an authority that is not there", "source[2].tls.ca_file", |text| tls(text, "ca_file = \"no.pem\"")),
    row("an authority that is none", "source[2].tls.ca_file", |text| tls(text, "ca_file = \"empty.pem\"")),
    row("a certificate that is none", "source[2].tls.cert_file", |text| {
        tls(text, "cert_file = \"empty.pem\"\nkey_file = \"own.key\"")
    }),
    row("another certificate's key", "source[2].tls", |text| {
        tls(text, "cert_file = \"own.pem\"\nkey_file = \"other.key\"")
    }),
    row("a key that others can read", "source[2].tls.key_file", |text| {
        tls(text, "cert_file = \"own.pem\"\nkey_file = \"open.key\"")
    }),
    row("a link key that is not there", "server.link_key_file", |text| {
        server(text, "link_key_file = \"no.key\"")
    }),
    row("a link key that is too short", "server.link_key_file", |text| {
        server(text, "link_key_file = \"empty.pem\"")
    }),
    row("a secret that is not there", "oauth.key_file", |text| {
        format!(
            "{text}[oauth]\ntoken_url = \"http://127.0.0.1:1/token\"\nclient_id = \"CANARYTOKEN\"\nkid = \"k\"\nkey_file = \"no.key\"\n"
        )
    }),
    row("another address", "server.listen", |text| {
        text.replacen("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:1\"", 1)
    }),
    row("another address of the operators", "server.admin_listen", |text| {
        text.replacen("admin_listen = \"127.0.0.1:0\"", "admin_listen = \"127.0.0.1:1\"", 1)
    }),
    row("another drain", "server.drain_secs", |text| server(text, "drain_secs = 11")),
    row("another cap on requests", "server.max_in_flight", |text| server(text, "max_in_flight = 7")),
    row("another pace", "server.max_behind_ms", |text| {
        text.replacen("max_behind_ms = 1000", "max_behind_ms = 7", 1)
    }),
    row("another cap on connections", "server.max_connections", |text| server(text, "max_connections = 7")),
    row("another cap by address", "server.max_connections_per_address", |text| {
        server(text, "max_connections_per_address = 7")
    }),
    row("another cap by connection", "server.max_requests_per_connection", |text| {
        server(text, "max_requests_per_connection = 7")
    }),
    row("another log", "log.level", |text| text.replacen("level = \"warn\"", "level = \"info\"", 1)),
    row("another audit log", "audit.dir", |text| text.replacen("dir = \"audit\"", "dir = \"elsewhere\"", 1)),
    row("another clock", "demo.as_of", |text| {
        text.replacen("insecure = true", "insecure = true\nas_of = \"2026-03-10T02:10:00Z\"", 1)
    }),
];

/// Certificates and keys that fit, do not fit, and can be read by everybody.
fn lay_out(dir: &Path) {
    let pair = || generate_simple_self_signed(vec!["broker.example.test".to_owned()]).unwrap();
    let (CertifiedKey { cert, signing_key: own }, other) = (pair(), pair().signing_key);
    let files = [
        ("own.pem", cert.pem(), 0o644),
        ("own.key", own.serialize_pem(), 0o600),
        ("other.key", other.serialize_pem(), 0o600),
        ("open.key", own.serialize_pem(), 0o644),
        ("empty.pem", String::new(), 0o600),
    ];
    for (file, text, mode) in files {
        let path = dir.join(file);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// The configurations on record, as their change and digest.
fn on_record(log: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ext| ext == "log")) {
        let records = payloads(&std::fs::read(file).unwrap());
        for record in records.iter().filter(|record| record["kind"] == "config") {
            let text = |key: &str| record["config"][key].as_str().unwrap_or_default().to_owned();
            found.push((text("change"), text("digest")));
        }
    }
    found
}

/// The records of one file, read by hand.
fn payloads(mut rest: &[u8]) -> Vec<Value> {
    let mut records = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        let Some((payload, tail)) = tail.split_at_checked(length).filter(|_| length > 0) else { break };
        records.push(serde_json::from_slice(payload).unwrap());
        rest = tail;
    }
    records
}

/// The keys that the log names.
fn named(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused = lines.filter(|line| line.to_string().contains("configuration refused"));
    refused.map(|line| find(&line, "config.key").unwrap_or_default()).collect()
}

fn find(line: &Value, key: &str) -> Option<String> {
    let inner = line.as_object()?.values().find_map(|inner| inner.get(key));
    line.get(key).or(inner).and_then(Value::as_str).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_a_mistake_takes_no_effect() {
    let scene = Scene::set().await;
    lay_out(scene.dir.path());
    let good = scene.text(0);
    let mut expected = vec![("loaded".to_owned(), sha256(&good))];
    for (place, Row { what, key, spoil }) in ROWS.iter().enumerate() {
        let since = scene.broker.log_text().len();
        let (bad, before) = (spoil(&scene.text(1)), scene.counts().await);
        assert_eq!(scene.reload(&bad).await, Outcome::Rejected, "{what}");
        let now = scene.counts().await;
        assert_eq!((now.applied, now.rejected), (before.applied, before.rejected + 1), "{what}");
        let reply = scene.record().await;
        assert_eq!(
            (reply.status, reply.header("Tributary-Config")),
            (200, Some(name(&good).as_str())),
            "{what}"
        );
        assert!(numbers(&reply.body).iter().all(|number| *number == 0), "{what}");
        let log = scene.broker.log_text();
        let told = log.get(since..).unwrap_or_default();
        assert!(named(told).contains(&(*key).to_owned()), "{place} {what}: {told}");
        assert!(!log.contains("CANARYTOKEN") && !log.contains("PRIVATE KEY"), "{what}: {log}");
        expected.push(("refused".to_owned(), sha256(&bad)));
    }
    std::fs::remove_file(scene.config()).unwrap();
    let before = scene.counts().await;
    scene.broker.hang_up();
    assert_eq!(scene.outcome_after(before).await, Outcome::Rejected, "no file");
    expected.push(("refused".to_owned(), sha256("")));
    // None of them keeps a good one away.
    let next = tls(&scene.text(2), "cert_file = \"own.pem\"\nkey_file = \"own.key\"");
    assert_eq!(scene.reload(&next).await, Outcome::Applied);
    assert_eq!(scene.record().await.header("Tributary-Config"), Some(name(&next).as_str()));
    expected.push(("reloaded".to_owned(), sha256(&next)));
    let log = scene.dir.path().join("audit");
    assert_eq!(on_record(&log), expected);
    scene.end().await;
}
