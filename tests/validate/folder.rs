//! Where answers and what the sources sent for them are written down.

use std::fs;
use std::path::{Path, PathBuf};

use mock_providers::ProviderHandle;
use serde_json::{Value, json};
use tributary_tests::{Reply, http};

/// A folder of documents, and its index.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Where it is.
    pub(crate) path: PathBuf,
    index: Vec<Value>,
}

/// The FHIR version that a path promises.
pub(crate) fn version(path: &str) -> &'static str {
    if path.contains("/STU3/") { "STU3" } else { "R4" }
}

impl Folder {
    /// An empty folder below `target/validate`.
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/validate").join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self { path, index: Vec::new() }
    }

    /// Keeps an answer of ours, made from these inputs.
    pub(crate) fn answer(&mut self, name: &str, path: &str, reply: &Reply, inputs: &[String]) {
        let media = reply.header("Content-Type").unwrap_or_default();
        assert!(media.starts_with("application/fhir+json"), "{name}: {} {media}", reply.status);
        self.keep(name, &reply.body, json!({"version": version(path), "ours": true, "inputs": inputs}));
    }

    fn keep(&mut self, name: &str, body: &str, mut row: Value) {
        let file = format!(
            "{:04}-{}.json",
            self.index.len(),
            name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        );
        fs::write(self.path.join(&file), body).unwrap();
        row["name"] = json!(name);
        row["file"] = json!(file);
        self.index.push(row);
    }

    /// Asks a source again whatever the broker asked it, and keeps what it says. Gives the names of what was kept.
    pub(crate) async fn inputs(
        &mut self,
        scope: &str,
        source: &str,
        provider: &ProviderHandle,
    ) -> Vec<String> {
        let mut names = Vec::new();
        for (at, ask) in provider.asks().into_iter().enumerate() {
            let own = ["host", "connection", "content-length", "accept-encoding"];
            let headers: Vec<(&str, &str)> = ask
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()))
                .collect();
            let reply = http::send(provider.address(), &ask.method, &ask.target, &ask.body, &headers).await;
            let name = format!("{scope} from {source} {at}");
            let version = if provider.base_url.contains("/R4") { "R4" } else { "STU3" };
            self.keep(&name, &reply.body, json!({"version": version, "ours": false, "source": source}));
            names.push(name);
        }
        provider.clear_asks();
        names
    }

    /// Keeps the audit events of a record of every kind.
    pub(crate) fn audit_events(&mut self) {
        let records = include_str!("../../crates/ledger/src/export/records.ndjson");
        for record in records.lines() {
            let entry = tributary_ledger::Entry::parse(record.as_bytes()).unwrap();
            for event in
                tributary_ledger::export::audit_events("north", "https://record.example.test", &entry)
            {
                let row = json!({"version": "R4", "ours": true, "inputs": []});
                self.keep(&format!("audit event {}", event.id), &event.json, row);
            }
        }
    }

    /// Writes the index.
    pub(crate) fn close(&self) {
        fs::write(self.path.join("index.json"), Value::from(self.index.clone()).to_string()).unwrap();
    }
}
