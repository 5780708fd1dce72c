//! Reads a summary as a stranger would: from the Composition.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tributary_merge::{Custodian, SummaryFrame};

use crate::kit::Federation;

/// A document with its entries by address.
pub(super) struct Document {
    bundle: Value,
    text: String,
    by_url: BTreeMap<String, Value>,
}

fn list<'v>(holder: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    holder[key].as_array().into_iter().flatten()
}

/// The words of a narrative, without its markup.
fn plain(div: &str) -> String {
    let mut text = String::new();
    for part in div.split('<').skip(1) {
        let (tag, words) = part.split_once('>').expect("a whole tag");
        assert!(tag == tag.to_lowercase() || tag.contains("xmlns"), "{tag}");
        if !words.is_empty() {
            text.push_str(words);
            text.push(' ');
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The summary of a federation, as text.
pub(super) fn summary(stage: &Federation) -> String {
    let custodian = Custodian { name: "Demonstration Trust".to_owned(), ods: None };
    stage.merged().to_summary(&SummaryFrame { custodian: Some(&custodian) })
}

impl Document {
    pub(super) fn of(stage: &Federation) -> Self {
        let text = summary(stage);
        let bundle: Value = serde_json::from_str(&text).expect("JSON");
        let entries = list(&bundle, "entry")
            .map(|entry| (entry["fullUrl"].as_str().expect("fullUrl").to_owned(), entry["resource"].clone()));
        let by_url = entries.collect();
        Self { bundle, text, by_url }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn composition(&self) -> &Value {
        &self.bundle["entry"][0]["resource"]
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = &Value> {
        list(self.composition(), "section")
    }

    pub(super) fn section(&self, code: &str) -> Option<&Value> {
        self.sections().find(|one| one["code"]["coding"][0]["code"] == code)
    }

    /// `Type/id` of each entry of a section, as its source has it.
    pub(super) fn entries(&self, code: &str) -> Vec<String> {
        let section = self.section(code).unwrap_or_else(|| unreachable!("no section {code}"));
        list(section, "entry")
            .map(|entry| &self.by_url[entry["reference"].as_str().expect("reference")])
            .map(|one| {
                one["meta"]["source"].as_str().expect("source").split_once('#').expect("origin").1.to_owned()
            })
            .collect()
    }

    pub(super) fn words(&self, code: &str) -> String {
        self.section(code).map(|one| plain(one["text"]["div"].as_str().expect("words"))).unwrap_or_default()
    }

    pub(super) fn overview(&self) -> String {
        plain(self.composition()["text"]["div"].as_str().expect("words"))
    }

    pub(super) fn reason(&self, code: &str) -> Option<&str> {
        self.section(code)?["emptyReason"]["coding"][0]["code"].as_str()
    }

    pub(super) fn reason_text(&self, code: &str) -> &str {
        let section = self.section(code).expect("section");
        section["emptyReason"]["text"].as_str().unwrap_or_default()
    }

    pub(super) fn note(&self, code: &str) -> &str {
        let section = self.section(code).expect("section");
        section["extension"][0]["valueAnnotation"]["text"].as_str().unwrap_or_default()
    }

    pub(super) fn resource(&self, kind: &str) -> &Value {
        let mut all = self.by_url.values().filter(|one| one["resourceType"] == kind);
        all.next().expect("a resource of this type")
    }

    /// Whether an entry is this one of a source.
    pub(super) fn has(&self, origin: &str) -> bool {
        self.by_url.values().any(|one| {
            one["meta"]["source"].as_str().is_some_and(|source| source.ends_with(&format!("#{origin}")))
        })
    }

    /// What holds of every document (Bundle-uv-ips, Composition-uv-ips, ips-comp-1, bdl-ips-1, cmp-2).
    pub(super) fn is_sound(&self) {
        let bundle = &self.bundle;
        assert_eq!(
            (&bundle["type"], &bundle["timestamp"]),
            (&"document".into(), &"2026-03-10T02:10:00Z".into())
        );
        assert!(bundle["identifier"]["value"].as_str().is_some_and(|value| value.starts_with("urn:uuid:")));
        assert_eq!(self.by_url.len(), list(bundle, "entry").count(), "an address twice");
        let count = |kind: &str| self.by_url.values().filter(|one| one["resourceType"] == kind).count();
        assert_eq!((count("Composition"), count("Patient")), (1, 1));
        assert_eq!(self.composition()["resourceType"], "Composition");
        for required in ["11450-4", "48765-2", "10160-0", "42348-3"] {
            assert!(self.section(required).is_some(), "{required} is missing");
        }
        let codes: Vec<_> = self.sections().map(|one| one["code"]["coding"][0]["code"].as_str()).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        for section in self.sections() {
            let code = section["code"]["coding"][0]["code"].as_str().expect("code");
            assert!(!plain(section["text"]["div"].as_str().expect("words")).trim().is_empty(), "{code}");
            let (filled, reason) = (section.get("entry").is_some(), section.get("emptyReason").is_some());
            assert!(!(filled && reason), "{code} has both");
            let is_required = ["11450-4", "48765-2", "10160-0"].contains(&code);
            assert!(filled || reason || !is_required, "{code} has neither");
            assert!(
                list(section, "entry").all(|one| self.leads(one["reference"].as_str().expect("reference")))
            );
        }
        self.references(bundle);
    }

    fn leads(&self, reference: &str) -> bool {
        self.by_url.contains_key(reference)
    }

    fn references(&self, value: &Value) {
        if let Some(reference) = value.get("reference").and_then(Value::as_str) {
            let told = reference.starts_with("urn:x-tributary:unresolved:") || reference.starts_with('#');
            assert!(told || self.leads(reference), "{reference} leads nowhere");
        }
        value.as_object().into_iter().flat_map(|all| all.values()).for_each(|one| self.references(one));
        value.as_array().into_iter().flatten().for_each(|one| self.references(one));
    }
}
