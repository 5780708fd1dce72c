//! Walks a merged Bundle: the outcome first, then the section Lists, then what they point at.

use std::collections::BTreeMap;

use tributary_fhir::bundle::{Entry, type_of};
use tributary_fhir::{Bundle, Document, Json, Kind};
use tributary_model::{FaultClass, Section};

use crate::error::Refusal;
use crate::table::{Discrepancy, EmptyReason, Line, Member, RecordTable, SectionRows, SourceRow};
use crate::words;

const STATUS: &str = "urn:x-tributary:source-status";
const NOTICE: &str = "urn:x-tributary:section-notice";
const SOURCE: &str = "urn:x-tributary:source";
const SECTION: &str = "urn:x-tributary:section";
const SOURCE_NAME: &str = "urn:x-tributary:source-name";
const LATENCY: &str = "urn:x-tributary:latency-ms";
const LAST_ANSWERED: &str = "urn:x-tributary:last-answered";
const LABEL: &str = "urn:x-tributary:allergy-label";
const LINE: &str = "urn:x-tributary:line";
const CLASS: &str = "urn:x-tributary:line-class";
const LEAD: &str = "urn:x-tributary:lead";
const POSITION: &str = "urn:x-tributary:position";
const HANDLING: &str = "urn:x-tributary:handling";
const DISCREPANCY: &str = "urn:x-tributary:discrepancy";
const KIND: &str = "urn:x-tributary:discrepancy-kind";
const ORIGIN: &str = "urn:x-tributary:";
const ATTACHMENT: &str = "/fhir/R4/Binary/";
/// What our own titles say after the name of the section.
const ALL_SOURCES: &str = " – all sources";
/// Handling codes that say a statement is a copy.
const COPIES: &[&str] = &["echo", "stale-copy", "copy-of-absent", "copy-unverified"];

/// The record of a merged Bundle.
pub(crate) fn table(document: &Document) -> Result<RecordTable, FaultClass> {
    let bundle = Bundle::of(document)?;
    let outcome = bundle.resources().next().filter(|first| type_of(*first) == "OperationOutcome");
    let outcome = outcome.ok_or(FaultClass::Shape)?;
    let index = Index::of(bundle);
    let as_of = words::text(bundle.json(), "timestamp");
    let lists = || bundle.resources().filter(|resource| is_section(*resource));
    Ok(RecordTable {
        patient: index.patient().map(|patient| words::banner(patient, &as_of)).unwrap_or_default(),
        allergy_label: lists().find_map(|list| extension(list, LABEL)).unwrap_or_default(),
        sources: sources(outcome, &index.names),
        sections: lists().map(|list| section(list, outcome, &index)).collect(),
        notices: of_no_section(outcome),
        discrepancies: bundle
            .resources()
            .filter(|resource| type_of(*resource) == "DetectedIssue" && origin(*resource).is_none())
            .filter_map(|issue| discrepancy(issue, &index))
            .collect(),
        as_of,
    })
}

/// What an `OperationOutcome` says.
pub(crate) fn refusal(outcome: Json<'_>) -> Refusal {
    let other = issues(outcome).filter(|issue| code_of(*issue, STATUS).is_none());
    let reasons = other.map(|issue| details(issue, "text")).filter(|text| !text.is_empty());
    let sources = sources(outcome, &BTreeMap::new());
    Refusal { reasons: reasons.collect(), sources, ..Refusal::default() }
}

/// Entries by `fullUrl`, and the names of the sources.
struct Index<'d> {
    entries: BTreeMap<String, Entry<'d>>,
    patients: Vec<Json<'d>>,
    names: BTreeMap<String, String>,
}

impl<'d> Index<'d> {
    fn of(bundle: Bundle<'d>) -> Self {
        let mut index = Self { entries: BTreeMap::new(), patients: Vec::new(), names: BTreeMap::new() };
        for entry in bundle.entries() {
            if let Some(url) = entry.full_url.and_then(Json::text) {
                index.entries.insert(url.into_owned(), entry);
            }
            if type_of(entry.resource) == "Patient" {
                index.patients.push(entry.resource);
            }
            index.note_name(entry.resource);
        }
        index
    }

    /// A statement names its own source, and no other.
    fn note_name(&mut self, resource: Json<'d>) {
        let Some((source, _)) = origin(resource) else { return };
        let own = |tag: &Json<'_>| tag.says("system", SOURCE) && tag.says("code", &source);
        if let Some(name) = tags(resource).filter(own).last().and_then(|tag| tag.text_at("display")) {
            self.names.insert(source, name.into_owned());
        }
    }

    fn resource(&self, url: &str) -> Option<Json<'d>> {
        self.entries.get(url).map(|entry| entry.resource)
    }

    /// The merged Patient, which comes from no single source; else the first.
    fn patient(&self) -> Option<Json<'d>> {
        let merged = self.patients.iter().find(|patient| origin(**patient).is_none());
        merged.or_else(|| self.patients.first()).copied()
    }

    /// The words of a statement. A medicine's name may stand in a resource of its own.
    fn title(&self, statement: Json<'d>) -> String {
        let medicine =
            statement.get("medicationReference").and_then(|reference| reference.text_at("reference"));
        let medicine = medicine.and_then(|url| self.resource(&url)).map(words::title);
        medicine.unwrap_or_else(|| words::title(statement))
    }
}

fn issues(outcome: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    outcome.get("issue").into_iter().flat_map(Json::items)
}

fn details(issue: Json<'_>, key: &str) -> String {
    issue.get("details").map(|details| words::text(details, key)).unwrap_or_default()
}

/// The code of this system in `details` or `code`.
fn code_of(resource: Json<'_>, system: &str) -> Option<String> {
    let concepts = ["details", "code"].into_iter().filter_map(|key| resource.get(key));
    let mut codings = concepts.filter_map(|concept| concept.get("coding")).flat_map(Json::items);
    let coding = codings.find(|coding| coding.says("system", system))?;
    coding.text_at("code").map(Into::into)
}

/// The value of an extension, whatever its type.
fn extension(holder: Json<'_>, url: &str) -> Option<String> {
    let found = holder.get("extension")?.items().find(|extension| extension.says("url", url))?;
    let (_, value) = found.members().find(|(key, _)| key.starts_with("value"))?;
    match value.kind() {
        Kind::String => value.text().map(Into::into),
        Kind::Number | Kind::True | Kind::False => Some(value.raw().to_owned()),
        Kind::Object | Kind::Array | Kind::Null => None,
    }
}

fn sources(outcome: Json<'_>, names: &BTreeMap<String, String>) -> Vec<SourceRow> {
    let row = |issue| {
        let status = code_of(issue, STATUS)?;
        let id = extension(issue, SOURCE)?;
        Some(SourceRow {
            name: extension(issue, SOURCE_NAME)
                .or_else(|| names.get(&id).cloned())
                .unwrap_or_else(|| id.clone()),
            id,
            status,
            severity: words::text(issue, "severity"),
            words: details(issue, "text"),
            latency_ms: extension(issue, LATENCY).and_then(|number| number.parse().ok()),
            last_answered: extension(issue, LAST_ANSWERED),
        })
    };
    issues(outcome).filter_map(row).collect()
}

/// Where a statement comes from, as `(source, Type/id)`.
fn origin(resource: Json<'_>) -> Option<(String, String)> {
    let source = resource.path(&["meta", "source"])?.text()?;
    let (source, origin) = source.strip_prefix(ORIGIN)?.split_once('#')?;
    Some((source.to_owned(), origin.to_owned()))
}

fn tags(resource: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    resource.get("meta").and_then(|meta| meta.get("tag")).into_iter().flat_map(Json::items)
}

/// A List of ours. A source's own List says which source it comes from.
fn is_section(resource: Json<'_>) -> bool {
    type_of(resource) == "List" && origin(resource).is_none()
}

fn section<'d>(list: Json<'d>, outcome: Json<'_>, index: &Index<'d>) -> SectionRows {
    let title = words::text(list, "title");
    let title = title.strip_suffix(ALL_SOURCES).unwrap_or(&title);
    let named = || Section::ALL.iter().find(|section| section.title() == title);
    let code = extension(list, SECTION).or_else(|| code_of(list, SECTION));
    let code = code.or_else(|| named().map(|section| section.code().to_owned())).unwrap_or_default();
    SectionRows {
        title: Section::from_code(&code)
            .map_or_else(|| title.to_owned(), |section| section.title().to_owned()),
        notices: notices(list, outcome, &code),
        empty: list.get("emptyReason").and_then(empty_reason),
        lines: lines(list, index),
        code,
    }
}

/// Notices about the record as a whole.
fn of_no_section(outcome: Json<'_>) -> Vec<String> {
    let notices = issues(outcome).filter(|issue| code_of(*issue, NOTICE).is_some());
    notices.filter(|issue| extension(*issue, SECTION).is_none()).map(|issue| details(issue, "text")).collect()
}

/// What the outcome says of this section, then what its list says, each thing once.
fn notices(list: Json<'_>, outcome: Json<'_>, code: &str) -> Vec<String> {
    let of_section = issues(outcome)
        .filter(|issue| code_of(*issue, NOTICE).is_some())
        .filter(|issue| extension(*issue, SECTION).is_some_and(|section| section == code))
        .map(|issue| details(issue, "text"));
    let notes = list.get("note").into_iter().flat_map(Json::items).map(|note| words::text(note, "text"));
    let mut notices: Vec<String> = Vec::new();
    for notice in of_section.chain(notes) {
        if !notice.is_empty() && !notices.contains(&notice) {
            notices.push(notice);
        }
    }
    notices
}

fn empty_reason(reason: Json<'_>) -> Option<EmptyReason> {
    let code = reason.path(&["coding", "code"])?.text()?.into_owned();
    Some(EmptyReason { code, words: words::text(reason, "text") })
}

/// Entries that share a line key and follow one another are one line; its lead stands first.
fn lines<'d>(list: Json<'d>, index: &Index<'d>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for entry in list.get("entry").into_iter().flat_map(Json::items) {
        let key = extension(entry, LINE).unwrap_or_default();
        let item = entry.get("item");
        let url = item.map(|item| words::text(item, "reference")).unwrap_or_default();
        let Some(statement) = index.resource(&url) else { continue };
        let is_lead = extension(entry, LEAD).is_some_and(|lead| lead == "true");
        let title = || {
            let display = item.map(|item| words::text(item, "display")).unwrap_or_default();
            if display.is_empty() { index.title(statement) } else { display }
        };
        let member = member(entry, statement);
        match lines.last_mut().filter(|line| line.key == key && !key.is_empty()) {
            Some(line) if is_lead => {
                line.title = title();
                line.members.insert(0, member);
            }
            Some(line) => line.members.push(member),
            None => {
                let class = extension(entry, CLASS).unwrap_or_default();
                lines.push(Line { key, title: title(), class, members: vec![member] });
            }
        }
    }
    lines
}

fn member(entry: Json<'_>, statement: Json<'_>) -> Member {
    let (source, origin) = origin(statement).unwrap_or_default();
    let mut handling = tags(statement).filter(|tag| tag.says("system", HANDLING));
    let copy = handling.find_map(|tag| tag.text_at("code").filter(|code| COPIES.contains(&code.as_ref())));
    Member {
        source,
        origin,
        position: extension(entry, POSITION),
        copy: copy.map(Into::into),
        attachments: attachments(statement),
    }
}

/// Where the broker gives out what a statement has attached; what stands elsewhere is not fetched through it.
fn attachments(statement: Json<'_>) -> Vec<String> {
    let contents = statement.get("content").into_iter().flat_map(Json::each);
    let attached = contents.filter_map(|content| content.get("attachment"));
    let presented = statement.get("presentedForm").into_iter().flat_map(Json::each);
    let urls = attached.chain(presented).filter_map(|one| one.text_at("url"));
    urls.filter(|url| url.contains(ATTACHMENT)).map(Into::into).collect()
}

fn discrepancy(issue: Json<'_>, index: &Index<'_>) -> Option<Discrepancy> {
    let member = |reference: Json<'_>| {
        let (source, origin) = origin(index.resource(&words::text(reference, "reference"))?)?;
        Some(format!("{origin}@{source}"))
    };
    Some(Discrepancy {
        rule: code_of(issue, DISCREPANCY)?,
        kind: code_of(issue, KIND).unwrap_or_default(),
        severity: words::text(issue, "severity"),
        words: words::text(issue, "detail"),
        members: issue.get("implicated").into_iter().flat_map(Json::items).filter_map(member).collect(),
    })
}

#[cfg(test)]
mod tests;
