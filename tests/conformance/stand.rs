//! A mock GP system and a broker in front of it, each on a port of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use mock_providers::{
    ProviderHandle, ReplayOptions, SuiteOptions, start_replay, start_suite_practice, suite_patients,
};
use serde_json::Value;
use tributary::{Running, Settings};
use tributary_model::Capability;
use tributary_tests::{Reply, http};

use crate::consumer::{PRACTICE, PRACTICE_ASID, Request};

/// What a broker is set up with besides its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Keys of `[server]`.
    pub(crate) server: String,
    /// Keys of the source.
    pub(crate) source: String,
    /// Whole tables.
    pub(crate) tables: String,
    /// How the practice is started.
    pub(crate) practice: SuiteOptions,
}

/// The practice of the provider suite, and the broker.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) gp: ProviderHandle,
    pub(crate) running: Running,
    pub(crate) audit: tempfile::TempDir,
}

/// The configuration of a broker in front of this practice.
pub(crate) fn configuration(roots: [&str; 3], audit: &Path, plan: &Plan) -> String {
    let [structured, documents, foundations] = roots;
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nlame_duck_secs = 0\nmax_behind_ms = 1000\n{}\n[log]\nlevel = \"trace\"\nformat = \"json\"\n\
         [audit]\ndir = \"{}\"\n[demo]\ninsecure = true\n",
        plan.server,
        audit.display()
    );
    write!(
        text,
        "[[source]]\nid = \"gp\"\nname = \"Fablebrook Surgery\"\nkind = \"gp\"\nprotocol = \"gpconnect-structured\"\n\
         ods = \"{PRACTICE}\"\nasid = \"{PRACTICE_ASID}\"\nbase_url = \"{structured}\"\ndocuments_url = \"{documents}\"\n\
         foundations_url = \"{foundations}\"\ntimeout_ms = 20000\n{}\n{}",
        plan.source, plan.tables
    )
    .unwrap();
    text
}

/// The three roots of a practice.
pub(crate) fn roots(gp: &ProviderHandle) -> [String; 3] {
    [Capability::Structured, Capability::Documents, Capability::Foundations].map(|one| gp.root(one))
}

/// A broker in this process.
pub(crate) async fn broker(text: &str) -> Running {
    let settings = Settings::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
    Running::start(settings).await.unwrap()
}

impl Stand {
    pub(crate) async fn usual() -> Self {
        Self::set(Plan::default()).await
    }

    pub(crate) async fn set(plan: Plan) -> Self {
        let gp = start_suite_practice(plan.practice.clone()).await.unwrap();
        let roots = roots(&gp);
        Self::before(gp, roots, &plan).await
    }

    /// Where every request is refused before the GP system: that one knows nobody, and counts who comes.
    pub(crate) async fn of_nobody() -> Self {
        let (ods, asid) = (PRACTICE.to_owned(), PRACTICE_ASID.to_owned());
        let nobody = tempfile::tempdir().unwrap();
        let options = ReplayOptions { ods, asid, ..ReplayOptions::default() };
        let (gp, _none) = start_replay(nobody.path(), options).await.unwrap();
        let root = |name| gp.base_url.replace("/structured", name);
        let roots = [root("/structured"), root("/documents"), root("")];
        Self::before(gp, roots, &Plan::default()).await
    }

    async fn before(gp: ProviderHandle, roots: [String; 3], plan: &Plan) -> Self {
        let audit = tempfile::tempdir().unwrap();
        let text = configuration(roots.each_ref().map(String::as_str), &audit.path().join("log"), plan);
        let running = broker(&text).await;
        Self { gp, running, audit }
    }

    /// Where the broker is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.running.data_addr()
    }

    /// Asks the broker.
    pub(crate) async fn ask(&self, request: &Request) -> Reply {
        request.send(self.address()).await
    }

    /// Asks the GP system itself, under another trace id.
    pub(crate) async fn direct(&self, request: &Request) -> Reply {
        let request = request.clone().with("Ssp-TraceID", &crate::consumer::trace_id());
        request.send(self.gp.address()).await
    }

    /// Asks for a merged record.
    pub(crate) async fn merged(&self, number: &str, headers: &[(&str, &str)]) -> Reply {
        let (path, body) = ("/fhir/R4/Patient/$record", tributary_tests::parameters(number, &[]));
        http::post(self.address(), path, "application/fhir+json", &body, headers).await
    }

    /// The records of a kind in the audit log.
    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        records(&self.audit.path().join("log"), kind)
    }
}

/// Records of an audit log, read by hand: a length, a checksum, a text.
pub(crate) fn records(folder: &Path, kind: &str) -> Vec<Value> {
    let dir = std::fs::read_dir(folder);
    let mut files: Vec<_> = dir.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "log"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).unwrap_or_default();
        let mut rest = bytes.as_slice();
        while let Some(([a, b, c, d, _, _, _, _], after)) = rest.split_first_chunk() {
            let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            found.extend(serde_json::from_slice::<Value>(payload));
            rest = after;
        }
    }
    found.into_iter().filter(|record| record["kind"] == kind).collect()
}

/// The NHS number of a suite patient.
pub(crate) fn number(name: &str) -> &'static str {
    suite_patients().iter().find(|one| one.name == name).unwrap().nhs_number
}

/// The logical id of a suite patient.
pub(crate) fn id(name: &str) -> &'static str {
    suite_patients().iter().find(|one| one.name == name).unwrap().id
}
