//! An answer of another broker of this kind: whose statements it carries, what it made itself, what it says of its
//! own sources.
//!
//! Only a source that is registered as a broker is read so. Each statement keeps the origin that the first broker
//! gave it in `meta.source`, and with it its id and its key, so that two brokers one after the other group as one
//! would. What the first broker made itself is no statement; what it says of its sources is said on.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::bundle::{self, Entry};
use tributary_fhir::{Bundle, Document, Json};
use tributary_model::{
    FaultClass, NhsNumber, NoticeKind, Section, SectionState, SourceId, SourceStatus, StatusClass,
};

use crate::copies::Copy;
use crate::gate::{self, Whom};
use crate::identity::{self, Proof};
use crate::load::{device_id, patient_id};

const OURS: &str = "urn:x-tributary:";

/// Where a statement comes from, as the broker that asked for it says.
#[derive(Clone)]
pub struct Origin {
    /// Who said it.
    pub source: SourceId,
    /// The type it has there.
    pub kind: String,
    /// The id it has there.
    pub id: String,
}

/// Reads `urn:x-tributary:{source}#{Type}/{id}`. Anything else is no origin: the statement is the broker's own.
pub fn origin(resource: Json<'_>) -> Option<Origin> {
    let source = resource.get("meta")?.text_at("source")?;
    let (source, place) = source.strip_prefix(OURS)?.split_once('#')?;
    let (kind, id) = place.split_once('/')?;
    let is_type = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
    let source = SourceId::parse(source).ok()?;
    (is_type && !id.is_empty()).then(|| Origin { source, kind: kind.to_owned(), id: id.to_owned() })
}

/// The name of the source of a statement, as its broker gives it.
pub fn name(resource: Json<'_>) -> Option<String> {
    let tag = tags(resource).find(|tag| tag.says("system", "urn:x-tributary:source"))?;
    tag.text_at("display").filter(|name| !name.trim().is_empty()).map(std::borrow::Cow::into_owned)
}

/// What the first broker found out about a copy whose owner is not registered here.
pub fn copy(resource: Json<'_>) -> Option<Copy> {
    let code = tags(resource).find(|tag| tag.says("system", "urn:x-tributary:handling"))?.text_at("code")?;
    [Copy::Echo, Copy::Stale, Copy::OfAbsent, Copy::Unverified].into_iter().find(|copy| copy.code() == code)
}

/// Whether a statement carries one of our tags.
pub fn is_tagged(resource: Json<'_>, system: &str, code: &str) -> bool {
    tags(resource).any(|tag| tag.says("system", system) && tag.says("code", code))
}

fn tags(resource: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    resource.get("meta").and_then(|meta| meta.get("tag")).into_iter().flat_map(Json::each)
}

/// Whether the broker made a resource itself: it is recognised by what only a broker writes, and has no origin.
pub(crate) fn is_authored(resource: Json<'_>, number: NhsNumber) -> bool {
    if origin(resource).is_some() {
        return false;
    }
    let is_coded = |system: &str| {
        let code = resource.get("code").and_then(|code| code.get("coding"));
        code.into_iter().flat_map(Json::items).any(|coding| coding.says("system", system))
    };
    match bundle::type_of(resource).as_ref() {
        "Patient" => resource.says("id", &patient_id(number).to_string()),
        "List" => is_coded("urn:x-tributary:section"),
        "DetectedIssue" => is_coded("urn:x-tributary:discrepancy"),
        "Device" => resource.says("id", &device_id().to_string()),
        "Provenance" => {
            let device = format!("urn:uuid:{}", device_id());
            let agents = resource.get("agent").into_iter().flat_map(Json::items);
            let mut who = agents.filter_map(|agent| agent.get("who")?.text_at("reference"));
            who.any(|reference| reference == device)
        }
        _ => false,
    }
}

/// Proves that every Patient of the answer is this one, and gives the one that stands for it and all their names.
pub fn prove<'d>(
    documents: &'d [Document],
    whom: Whom<'_>,
    base_url: Option<&str>,
) -> Result<(Proof<'d>, BTreeSet<String>), FaultClass> {
    let mut merged: Option<Entry<'d>> = None;
    let mut other: Option<Entry<'d>> = None;
    let mut names = BTreeSet::new();
    for entry in identity::patients(documents)? {
        identity::check_number(entry.resource, whom.number)?;
        gate::check(entry.resource, whom)?;
        names.extend(identity::names(base_url, proof(entry)));
        if is_authored(entry.resource, whom.number) {
            match merged {
                None => merged = Some(entry),
                Some(first) if first.resource.raw() == entry.resource.raw() => {}
                Some(_) => return Err(FaultClass::IdentityMixed),
            }
        } else if other.is_none_or(|other| entry.resource.raw() < other.resource.raw()) {
            other = Some(entry);
        }
    }
    let entry = merged.or(other).ok_or(FaultClass::IdentityUnproven)?;
    Ok((proof(entry), names))
}

const fn proof(entry: Entry<'_>) -> Proof<'_> {
    Proof { patient: entry.resource, full_url: entry.full_url }
}

/// What a broker says of its own sources.
#[derive(Clone, Default)]
pub struct Told {
    /// The state of each section over its sources.
    pub states: BTreeMap<Section, SectionState>,
    /// The worst that became of one of its sources.
    pub worst: Option<StatusClass>,
    /// Its notices, each under the section it is about.
    pub notices: Vec<(NoticeKind, Option<Section>, Option<u32>)>,
    /// Everything it says of a source that is less than whole.
    pub relayed: Vec<Relayed>,
    /// Elements it kept as extensions: the address of the statement, and the path.
    pub kept: Vec<(String, String)>,
}

/// One issue of a broker about one of its sources.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relayed {
    /// FHIR severity.
    pub severity: &'static str,
    /// FHIR issue type.
    pub code: &'static str,
    /// The kind of notice or the status, by its code.
    pub what: &'static str,
    /// Whether it is what became of the source, and not a notice of it.
    pub is_status: bool,
    /// The id of the source there.
    pub source: String,
    /// The section concerned.
    pub section: Option<Section>,
    /// What the broker says of it.
    pub words: String,
}

/// Most issues that are said on, and the longest words of each: what lies beyond says nothing a reader could use.
const MOST_ISSUES: usize = 1_000;
const LONGEST_WORDS: usize = 1_000;

/// Reads what a broker says of its sources.
pub fn told(documents: &[Document], number: NhsNumber) -> Told {
    let mut told = Told::default();
    for resource in documents.iter().filter_map(|one| Bundle::of(one).ok()).flat_map(Bundle::resources) {
        match bundle::type_of(resource).as_ref() {
            "OperationOutcome" if resource.get("meta").is_none() => read_outcome(resource, &mut told),
            "List" if is_authored(resource, number) => read_list(resource, &mut told),
            "Provenance" if is_authored(resource, number) => read_losses(resource, &mut told),
            _ => {}
        }
    }
    told.relayed.sort();
    told.relayed.dedup();
    let short = matches!(told.worst, Some(StatusClass::Missing | StatusClass::Degraded));
    if short {
        // It does not say which sections a silent source would have filled.
        for state in told.states.values_mut() {
            if matches!(state, SectionState::Content | SectionState::Empty) {
                *state = SectionState::Partial;
            }
        }
    }
    told
}

fn read_outcome(outcome: Json<'_>, told: &mut Told) {
    for issue in outcome.get("issue").into_iter().flat_map(Json::items).take(MOST_ISSUES) {
        let codings = || {
            let details = issue.get("details").and_then(|details| details.get("coding"));
            details.into_iter().flat_map(Json::items)
        };
        let coded = |systems: [&str; 2]| {
            let mut found = codings().filter(|one| systems.iter().any(|system| one.says("system", system)));
            found.find_map(|one| one.text_at("code"))
        };
        let status = coded(["urn:x-tributary:source-status", RELAYED_STATUS]);
        let notice = coded(["urn:x-tributary:section-notice", RELAYED_NOTICE]);
        let status = status.and_then(|code| SourceStatus::ALL.iter().find(|one| one.code() == code));
        let notice = notice.and_then(|code| NoticeKind::ALL.iter().find(|one| one.code() == code));
        if let Some(status) = status {
            read_status(issue, *status, told);
        } else if let Some(kind) = notice {
            let section =
                extension(issue, "urn:x-tributary:section").and_then(|code| Section::from_code(&code));
            let count = extension(issue, "urn:x-tributary:count").and_then(|count| count.parse().ok());
            told.notices.push((*kind, section, count));
            let (severity, code) = (kind.severity(), kind.issue_code());
            told.relayed.push(Relayed { section, ..relayed(issue, severity, code, kind.code()) });
        }
    }
}

fn read_status(issue: Json<'_>, status: SourceStatus, told: &mut Told) {
    let class = status.class();
    if matches!(class, StatusClass::Missing | StatusClass::Degraded | StatusClass::Withheld) {
        told.worst = told.worst.max(Some(class));
    }
    // That all is well needs no words; that a source holds no record does.
    if class != StatusClass::Contributed {
        let one = relayed(issue, status.severity(), status.issue_code(), status.code());
        told.relayed.push(Relayed { is_status: true, ..one });
    }
}

fn relayed(issue: Json<'_>, severity: &'static str, code: &'static str, what: &'static str) -> Relayed {
    let source = extension(issue, RELAYED_SOURCE).or_else(|| extension(issue, "urn:x-tributary:source"));
    let words = issue.get("details").and_then(|details| details.text_at("text")).unwrap_or_default();
    let words = words.chars().take(LONGEST_WORDS).collect();
    Relayed {
        severity,
        code,
        what,
        is_status: false,
        source: source.unwrap_or_default().chars().take(LONGEST_WORDS).collect(),
        section: None,
        words,
    }
}

/// Systems and extension of what is said on: a status of a source of a source is no status of a source.
pub const RELAYED_STATUS: &str = "urn:x-tributary:relayed-status";
/// A notice of a source of a source.
pub const RELAYED_NOTICE: &str = "urn:x-tributary:relayed-notice";
/// Which source of a source.
pub const RELAYED_SOURCE: &str = "urn:x-tributary:relayed-source";

fn extension(holder: Json<'_>, url: &str) -> Option<String> {
    let found = holder.get("extension")?.items().find(|one| one.says("url", url))?;
    let (_, value) = found.members().find(|(key, _)| key.starts_with("value"))?;
    Some(value.text().map_or_else(|| value.raw().to_owned(), std::borrow::Cow::into_owned))
}

fn read_list(list: Json<'_>, told: &mut Told) {
    let codings = list.get("code").and_then(|code| code.get("coding")).into_iter().flat_map(Json::items);
    let mut codes = codings.filter(|coding| coding.says("system", "urn:x-tributary:section"));
    let section = codes.find_map(|coding| Section::from_code(&coding.text_at("code")?));
    let Some(section) = section else { return };
    let reasons = list.get("emptyReason").and_then(|reason| reason.get("coding"));
    let reason = reasons.into_iter().flat_map(Json::items).find_map(|coding| coding.text_at("code"));
    let state = match reason.as_deref() {
        None => SectionState::Content,
        Some("no-content-recorded") => SectionState::Empty,
        Some("withheld") => SectionState::Withheld,
        // None of its sources holds such things.
        Some("notasked") => SectionState::NotHeld,
        Some(_) => SectionState::Failed,
    };
    let unsure = ["Allergy check incomplete", "Allergies unavailable", "Checking"];
    let label = extension(list, "urn:x-tributary:allergy-label");
    let is_unsure = label.is_some_and(|label| unsure.contains(&label.as_str()));
    let is_open = matches!(state, SectionState::Content | SectionState::Empty);
    told.states.insert(section, if is_unsure && is_open { SectionState::Partial } else { state });
}

fn read_losses(provenance: Json<'_>, told: &mut Told) {
    let targets = || provenance.get("target").into_iter().flat_map(Json::items);
    let extensions = provenance.get("extension").into_iter().flat_map(Json::items);
    let paths = extensions.filter(|one| one.says("url", "urn:x-tributary:kept-as-extension"));
    for path in paths.filter_map(|one| one.text_at("valueString")) {
        let targets = targets().filter_map(|target| target.text_at("reference"));
        told.kept.extend(targets.map(|target| (target.into_owned(), path.clone().into_owned())));
    }
}
