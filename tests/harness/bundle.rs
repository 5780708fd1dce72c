//! Reads a merged bundle as a stranger would: from the reference, not from our code.

use std::collections::BTreeMap;

use serde_json::Value;

/// A merged bundle.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The Bundle.
    pub bundle: Value,
    by_url: BTreeMap<String, Value>,
}

fn texts<'v>(list: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    list[key].as_array().into_iter().flatten()
}

fn extension<'v>(holder: &'v Value, url: &str) -> Option<&'v Value> {
    texts(holder, "extension").find(|one| one["url"] == url)
}

impl Merged {
    /// Takes a Bundle.
    pub fn of(bundle: Value) -> Self {
        assert_eq!(bundle["resourceType"], "Bundle");
        let entries = texts(&bundle, "entry").map(|entry| {
            let url = entry["fullUrl"].as_str().expect("fullUrl").to_owned();
            (url, entry["resource"].clone())
        });
        let by_url = entries.collect();
        Self { bundle, by_url }
    }

    /// Whether an entry has this `fullUrl`.
    pub fn has(&self, url: &str) -> bool {
        self.by_url.contains_key(url.split_once('#').map_or(url, |(whole, _)| whole))
    }

    /// The resource of an entry.
    pub fn resource(&self, url: &str) -> Option<&Value> {
        self.by_url.get(url.split_once('#').map_or(url, |(whole, _)| whole))
    }

    /// The resources in their order.
    pub fn resources(&self) -> impl Iterator<Item = &Value> {
        texts(&self.bundle, "entry").map(|entry| &entry["resource"])
    }

    /// The first entry.
    pub fn outcome(&self) -> &Value {
        &self.bundle["entry"][0]["resource"]
    }

    /// Source id to status code; a source with two statuses fails.
    pub fn statuses(&self) -> BTreeMap<String, String> {
        let mut statuses = BTreeMap::new();
        for issue in texts(self.outcome(), "issue") {
            let coding = &issue["details"]["coding"][0];
            if coding["system"] == "urn:x-tributary:source-status" {
                let source = extension(issue, "urn:x-tributary:source").expect("source")["valueString"]
                    .as_str()
                    .expect("id");
                assert!(extension(issue, "urn:x-tributary:latency-ms").is_some(), "{issue}");
                let code = coding["code"].as_str().expect("code").to_owned();
                assert!(statuses.insert(source.to_owned(), code).is_none(), "two statuses of {source}");
            }
        }
        statuses
    }

    /// `code source section` of every section notice.
    pub fn notices(&self) -> Vec<String> {
        let issues = texts(self.outcome(), "issue");
        let notices = issues
            .filter(|issue| issue["details"]["coding"][0]["system"] == "urn:x-tributary:section-notice");
        notices
            .map(|issue| {
                let source =
                    extension(issue, "urn:x-tributary:source").and_then(|one| one["valueString"].as_str());
                let section =
                    extension(issue, "urn:x-tributary:section").and_then(|one| one["valueCode"].as_str());
                let code = issue["details"]["coding"][0]["code"].as_str().expect("code");
                format!("{code} {} {}", source.unwrap_or("-"), section.unwrap_or("-"))
            })
            .collect()
    }

    /// The completeness tag.
    pub fn tag(&self) -> &str {
        let mut tags = texts(&self.bundle["meta"], "tag");
        let tag = tags.find(|tag| tag["system"] == "urn:x-tributary:completeness").expect("tag");
        tag["code"].as_str().expect("code")
    }

    fn list(&self, section: &str) -> Option<&Value> {
        self.resources().filter(|one| one["resourceType"] == "List").find(|list| {
            texts(&list["code"], "coding")
                .any(|coding| coding["system"] == "urn:x-tributary:section" && coding["code"] == section)
        })
    }

    /// The words over the allergies.
    pub fn allergy_label(&self) -> &str {
        let list = self.list("allergies").expect("allergies list");
        extension(list, "urn:x-tributary:allergy-label").expect("label")["valueString"]
            .as_str()
            .expect("words")
    }

    /// Why a section is empty.
    pub fn empty_reason(&self, section: &str) -> Option<&str> {
        self.list(section)?["emptyReason"]["coding"][0]["code"].as_str()
    }

    /// `section | title | key hash | class | members` of every line, in order.
    pub fn lines(&self) -> Vec<String> {
        let mut rows: Vec<String> = Vec::new();
        for list in self.resources().filter(|one| one["resourceType"] == "List") {
            let mut codings = texts(&list["code"], "coding");
            let Some(section) = codings.find(|coding| coding["system"] == "urn:x-tributary:section") else {
                continue;
            };
            let mut open: Option<String> = None;
            for entry in texts(list, "entry") {
                let value = |url: &str, key: &str| {
                    extension(entry, url).map(|one| one[key].clone()).unwrap_or_default()
                };
                let hash = value("urn:x-tributary:line", "valueString").as_str().expect("key").to_owned();
                let member = self.member(entry);
                if value("urn:x-tributary:lead", "valueBoolean") == true {
                    let class = value("urn:x-tributary:line-class", "valueCode");
                    let title = entry["item"]["display"].as_str().expect("title");
                    rows.push(format!(
                        "{} | {title} | {hash} | {} | {member}",
                        section["code"].as_str().expect("code"),
                        class.as_str().expect("class")
                    ));
                    open = Some(hash);
                } else {
                    assert_eq!(open.as_ref(), Some(&hash), "a member without its lead");
                    let row = rows.last_mut().expect("a lead");
                    row.push_str(", ");
                    row.push_str(&member);
                }
            }
        }
        rows
    }

    /// `source Type/id [copy] (position)`.
    fn member(&self, entry: &Value) -> String {
        let url = entry["item"]["reference"].as_str().expect("reference");
        let resource = self.by_url.get(url).unwrap_or_else(|| panic!("{url} is not in the bundle"));
        let (source, origin) = origin(resource).expect("origin");
        let mut tags =
            texts(&resource["meta"], "tag").filter(|tag| tag["system"] == "urn:x-tributary:handling");
        let copy =
            tags.find_map(|tag| tag["code"].as_str().filter(|code| code.contains("copy") || *code == "echo"));
        let copy = copy.map(|copy| format!(" [{copy}]")).unwrap_or_default();
        let position = extension(entry, "urn:x-tributary:position").and_then(|one| one["valueCode"].as_str());
        let position = position.map(|position| format!(" ({position})")).unwrap_or_default();
        format!("{source} {origin}{copy}{position}")
    }

    /// `rule: Type/id@source, …`, members sorted.
    pub fn discrepancies(&self) -> Vec<String> {
        let issues = self.resources().filter(|one| one["resourceType"] == "DetectedIssue");
        let mut rows: Vec<String> = issues
            .map(|issue| {
                // STU3 calls it a category.
                let code = issue.get("code").unwrap_or_else(|| &issue["category"]);
                let mut codings = texts(code, "coding");
                let rule =
                    codings.find(|coding| coding["system"] == "urn:x-tributary:discrepancy").expect("rule");
                let mut members: Vec<String> = texts(issue, "implicated")
                    .map(|one| &self.by_url[one["reference"].as_str().expect("reference")])
                    .filter_map(origin)
                    .map(|(source, origin)| format!("{origin}@{source}"))
                    .collect();
                members.sort();
                format!(
                    "{} ({}): {}",
                    rule["code"].as_str().expect("code"),
                    issue["severity"].as_str().expect("severity"),
                    members.join(", ")
                )
            })
            .collect();
        rows.sort();
        rows
    }

    /// `source Type/id` of every entry that came from a source.
    pub fn origins(&self) -> Vec<String> {
        self.resources().filter_map(origin).map(|(source, origin)| format!("{source} {origin}")).collect()
    }
}

/// Source and `Type/id` from `meta.source`, which is an extension in STU3.
pub fn origin(resource: &Value) -> Option<(String, String)> {
    const STU3: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Meta.source";
    let meta = &resource["meta"];
    let source = meta["source"].as_str().or_else(|| extension(meta, STU3)?["valueUri"].as_str())?;
    let source = source.strip_prefix("urn:x-tributary:")?;
    let (source, origin) = source.split_once('#')?;
    Some((source.to_owned(), origin.to_owned()))
}
