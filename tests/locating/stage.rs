//! A broker between mock sources and mock national services, and how it is asked.

use std::collections::BTreeMap;
use std::fs;

use mock_providers::ProviderHandle;
use serde_json::json;
use tributary::{Running, Settings};
use tributary_tests::bundle::Merged;
use tributary_tests::national::{National, Practices, STRUCTURED};
use tributary_tests::{Reply, bearer_of, http, parameters};

/// Sources, national services, and a broker that asks both.
pub(crate) struct Stage {
    national: National,
    pub(crate) running: Running,
}

impl std::ops::Deref for Stage {
    type Target = National;

    fn deref(&self) -> &National {
        &self.national
    }
}

impl Stage {
    pub(crate) async fn set(practices: Practices) -> Self {
        Self::with(practices, "").await
    }

    /// `more` are further keys of `[pds]`.
    pub(crate) async fn with(practices: Practices, more: &str) -> Self {
        let national = National::start(practices).await;
        let text = national.configuration(more);
        let settings = Settings::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
        let running = Running::start(settings).await.expect("the broker starts");
        Self { national, running }
    }

    pub(crate) async fn record(&self, number: &str) -> Reply {
        self.record_for("u-1", number).await
    }

    pub(crate) async fn record_for(&self, user: &str, number: &str) -> Reply {
        let token = bearer_of(user);
        let headers = [("Authorization", token.as_str())];
        let body = parameters(number, &[]);
        let path = "/fhir/R4/Patient/$record";
        http::post(self.running.data_addr(), path, "application/fhir+json", &body, &headers).await
    }

    /// GP Connect, passed through to a practice.
    pub(crate) async fn relayed(&self, practice: &str, number: &str) -> Reply {
        let identifier = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number});
        let parameter = json!([{"name": "patientNHSNumber", "valueIdentifier": identifier}]);
        let body = json!({"resourceType": "Parameters", "parameter": parameter}).to_string();
        let token = bearer_of("u-1");
        let headers = [
            ("Ssp-TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706"),
            ("Ssp-From", "200000000359"),
            ("Ssp-To", "200000000205"),
            ("Ssp-InteractionID", STRUCTURED),
            ("Authorization", token.as_str()),
            ("Accept", "application/fhir+json"),
        ];
        let path = format!("/{practice}/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord");
        http::post(self.running.data_addr(), &path, "application/fhir+json", &body, &headers).await
    }

    /// A search for the patient, passed through to Foundations or Documents of a practice.
    pub(crate) async fn searched(&self, capability: &str, number: &str) -> Reply {
        let (root, interaction) = match capability {
            "documents" => ("gpconnect/documents/fhir", "documents:fhir:rest:search:patient-1"),
            _ => ("gpconnect/fhir", "fhir:rest:search:patient-1"),
        };
        let token = bearer_of("u-1");
        let interaction = format!("urn:nhs:names:services:gpconnect:{interaction}");
        let headers = [
            ("Ssp-TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706"),
            ("Ssp-From", "200000000359"),
            ("Ssp-To", "200000000205"),
            ("Ssp-InteractionID", interaction.as_str()),
            ("Authorization", token.as_str()),
            ("Accept", "application/fhir+json"),
        ];
        let identifier = format!("https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C{number}");
        let path = format!("/A99901/STU3/1/{root}/Patient?identifier={identifier}");
        http::send(self.running.data_addr(), "GET", &path, "", &headers).await
    }

    /// How often each source was asked.
    pub(crate) fn asked(&self) -> BTreeMap<String, u64> {
        let count = |one: &ProviderHandle| (one.id.clone(), one.ask_count());
        self.federation.providers().iter().map(count).filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn nobody_was_asked(&self) {
        assert_eq!(self.asked(), BTreeMap::new());
    }

    /// The audit log as text: its records are JSON, each after a short head.
    pub(crate) fn log(&self) -> String {
        let files = fs::read_dir(self.dir.path().join("log")).expect("a log");
        let files = files.flatten().filter(|file| file.path().extension().is_some_and(|end| end == "log"));
        files
            .map(|file| String::from_utf8_lossy(&fs::read(file.path()).expect("bytes")).into_owned())
            .collect()
    }

    pub(crate) async fn metrics(&self) -> String {
        http::get(self.running.admin_addr(), "/metrics").await.body
    }
}

/// The statuses of a record, by source.
#[track_caller]
pub(crate) fn statuses(reply: &Reply) -> BTreeMap<String, String> {
    assert_eq!(reply.status, 200, "{}", reply.body);
    Merged::of(reply.json()).statuses()
}

/// The status of one source, and whether the record is whole.
#[track_caller]
pub(crate) fn status_of(reply: &Reply, source: &str) -> (String, bool) {
    let all = statuses(reply);
    let status = all.get(source).unwrap_or_else(|| panic!("{source} is not in {all:?}"));
    let completeness = reply.header("Tributary-Completeness").unwrap_or_default();
    (status.clone(), completeness == "complete")
}

/// Codes of what is said of the patient.
pub(crate) fn notes(reply: &Reply) -> Vec<String> {
    let outcome = Merged::of(reply.json()).outcome().clone();
    let issues = outcome["issue"].as_array().cloned().unwrap_or_default();
    let codings = issues.iter().map(|issue| &issue["details"]["coding"][0]);
    let own = codings.filter(|coding| coding["system"] == "urn:x-tributary:patient-note");
    own.map(|coding| coding["code"].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn was(status: &str, is_whole: bool) -> (String, bool) {
    (status.to_owned(), is_whole)
}

impl Stage {
    pub(crate) fn nobody_at_the_practice_was_asked(&self) {
        assert!(!self.asked().contains_key("gp"));
    }
}
