//! Runs the real broker against the mock sources, and reads what comes out of it.
//!
//! The broker is configured by TOML and asked over sockets, as its users do. Nothing of ours parses its answers.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop where it stands"
)]

pub mod audit;
pub mod bundle;
pub mod collector;
pub mod disk;
#[path = "../fuzz/machine.rs"]
pub mod fuzz;
pub mod http;
pub mod national;
pub mod postgres;
pub mod process;
pub mod repository;
pub mod strace;
pub mod tls;
mod token;
mod traces;
pub mod witness;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mock_providers::{Federation, FederationOptions, Played, SourceFacts, start_story_federation};
use serde_json::json;
use tributary::{Running, Settings};

pub use http::Reply;
use sha2::{Digest as _, Sha256};
pub use token::{bearer, bearer_of};
pub use traces::tells;

/// George Ashworth's number.
pub const GEORGE: &str = "9990000107";
/// The instant of George's story.
pub const AS_OF: &str = "2026-03-10T02:10:00Z";

/// A federation, and a broker that runs in this process.
#[derive(Debug)]
pub struct Stage {
    /// The mock sources.
    pub federation: Federation,
    /// The broker.
    pub running: Running,
    /// Where it keeps its audit log.
    pub audit: tempfile::TempDir,
}

/// What a stage is set up with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whose sources are named.
    pub patient: &'static str,
    /// The sources expected for that patient; all registered ones for others.
    pub expected: Vec<&'static str>,
    /// Keys to add to every `[[source]]`.
    pub source_keys: &'static str,
    /// Keys to add to `[server]`.
    pub server_keys: &'static str,
    /// Whether the stories' delays and faults are played.
    pub played: Played,
    /// A code map that the broker goes without.
    pub without_map: Option<&'static str>,
}

impl Default for Plan {
    fn default() -> Self {
        let expected = vec!["gp", "acute-a", "specialist", "walkin"];
        Self {
            patient: GEORGE,
            expected,
            source_keys: "timeout_ms = 3000",
            server_keys: "max_behind_ms = 1000",
            played: Played::Off,
            without_map: None,
        }
    }
}

/// The mock sources, without delays unless the plan wants them.
pub async fn federation(plan: &Plan) -> Federation {
    let options =
        FederationOptions { delays: plan.played, faults: plan.played, ..FederationOptions::default() };
    start_story_federation(options).await.expect("mock sources start")
}

/// The configuration of a broker in front of these sources, on ports of its own.
pub fn configuration(facts: &[SourceFacts], plan: &Plan, audit: &Path) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nlame_duck_secs = 0\n{}\n[log]\nlevel = \"trace\"\nformat = \"json\"\n\
         [audit]\ndir = {}\n[maps]\ndir = {}\n[demo]\ninsecure = true\nas_of = \"{AS_OF}\"\n",
        plan.server_keys,
        quoted(audit),
        quoted(&maps(plan.without_map, audit)),
    );
    for facts in facts {
        let list = |words: &[&str]| serde_json::to_string(words).expect("words");
        let roots = facts.base_url.strip_suffix("/structured/fhir").map(|base| {
            format!("documents_url = \"{base}/documents/fhir\"\nfoundations_url = \"{base}/fhir\"\n")
        });
        let roots = roots.unwrap_or_default();
        let asid = facts.asid.map(|asid| format!("asid = \"{asid}\"\n")).unwrap_or_default();
        write!(
            text,
            "[[source]]\nid = \"{}\"\nname = \"{}\"\nkind = \"{}\"\nprotocol = \"{}\"\nods = \"{}\"\n{asid}{roots}base_url = \"{}\"\n\
             rank = {}\nsections = {}\nowns = {}\n{}\n",
            facts.id, facts.name, facts.kind, facts.protocol, facts.ods, facts.base_url, facts.rank,
            list(facts.sections), list(facts.owns), plan.source_keys,
        )
        .expect("text");
    }
    let expected = serde_json::to_string(&plan.expected).expect("ids");
    write!(
        text,
        "[[demo.patient]]\nnhs_number = \"{}\"\ntitle = \"A story\"\nsources = {expected}\n",
        plan.patient
    )
    .expect("text");
    text
}

/// The maps of the repository, or a copy of them without one.
fn maps(without: Option<&str>, beside: &Path) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/maps");
    let Some(without) = without else { return all };
    let copy = beside.with_extension("maps");
    std::fs::create_dir_all(&copy).expect("a directory");
    for file in std::fs::read_dir(&all).expect("maps").map(|file| file.expect("a file").path()) {
        if file.file_stem().is_some_and(|name| name != without) {
            std::fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("copied");
        }
    }
    copy
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

impl Stage {
    /// Sets the stage.
    pub async fn set(plan: Plan) -> Self {
        let federation = federation(&plan).await;
        let audit = tempfile::tempdir().expect("a directory");
        let text = configuration(federation.source_facts(), &plan, &audit.path().join("log"));
        let settings = Settings::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
        let running = Running::start(settings).await.expect("the broker starts");
        Self { federation, running, audit }
    }

    /// Asks for a record.
    pub async fn record(&self, number: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask(&parameters(number, &[]), headers).await
    }

    /// Asks with these `Parameters`.
    pub async fn ask(&self, parameters: &str, headers: &[(&str, &str)]) -> Reply {
        let path = "/fhir/R4/Patient/$record";
        http::post(self.running.data_addr(), path, "application/fhir+json", parameters, headers).await
    }
}

/// The `Parameters` of a record request.
pub fn parameters(number: &str, sections: &[&str]) -> String {
    let identifier = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number});
    let mut list = vec![json!({"name": "patient", "valueIdentifier": identifier})];
    list.extend(sections.iter().map(|code| json!({"name": "section", "valueCode": code})));
    json!({"resourceType": "Parameters", "parameter": list}).to_string()
}

/// SHA-256 in hexadecimal.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
