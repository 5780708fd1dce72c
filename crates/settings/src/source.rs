//! `[[source]]`: the registered sources.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tributary_model::{Capability, Maintenance, OdsCode, Section, SectionSet, SourceId, SourceKind};
use tributary_sources::{Protocol, Route, ServiceRoot, SourceEntry};
use url::Url;

use super::reader::Reader;
use super::tls::TlsFiles;
use super::{identity, tls};

/// What is said when an entry does not.
const TIMEOUT: Duration = Duration::from_secs(3);
const MAX_BODY_BYTES: u64 = 16 << 20;
/// Letters of what is said of a maintenance: it stands beside a source's name, on a phone.
const MOST_WORDS: usize = 200;
const MAX_IN_FLIGHT: u64 = 32;

/// The registered sources, and the TLS files of those that have any.
pub(super) struct Sources {
    pub(super) entries: Vec<SourceEntry>,
    pub(super) tls: BTreeMap<SourceId, TlsFiles>,
    pub(super) maintenance: BTreeMap<SourceId, Maintenance>,
}

pub(super) fn read(tables: Vec<Reader<'_>>) -> Sources {
    let mut ids = BTreeSet::new();
    let mut practices = BTreeSet::new();
    let mut roots = BTreeSet::new();
    let mut entries = Vec::new();
    let mut all_tls = BTreeMap::new();
    let mut all_maintenance = BTreeMap::new();
    for (place, mut table) in (1..).zip(tables) {
        let id = table.parsed("id", SourceId::parse);
        if id.as_ref().is_some_and(|id| !ids.insert(id.clone())) {
            table.wrong("id", "is the id of an earlier source");
        }
        let ods = table.parsed("ods", OdsCode::parse);
        let tls = table.table("tls").map(tls::read);
        if let (Some(id), Some(files)) = (&id, tls) {
            all_tls.insert(id.clone(), files);
        }
        let announced = table.table("maintenance").and_then(maintenance);
        if let (Some(id), Some(announced)) = (&id, announced) {
            all_maintenance.insert(id.clone(), announced);
        }
        let entry = entry(&mut table, id, ods, place);
        if let Some(entry) = entry {
            let practice = entry.ods.clone().filter(|_| entry.kind == SourceKind::Gp);
            if practice.is_some_and(|practice| !practices.insert(practice)) {
                table.wrong("ods", "is the ods code of an earlier gp source");
            }
            // One system asked twice would look like two that agree.
            let own = std::iter::once(("base_url", &entry.base_url));
            let more = entry.more_roots.iter().map(|(capability, root)| (root_key(*capability), root));
            for (key, root) in own.chain(more) {
                if !roots.insert(root.stem().to_owned()) {
                    table.wrong(key, "is the service root of an earlier source");
                }
            }
            entries.push(entry);
        }
        table.close();
    }
    Sources { entries, tls: all_tls, maintenance: all_maintenance }
}

/// What is told with the source's failures while it lasts.
fn maintenance(mut table: Reader<'_>) -> Option<Maintenance> {
    let instant =
        |text: &str| text.parse::<Timestamp>().map_err(|_| "is no instant, such as 2026-03-10T02:00:00Z");
    let from = table.parsed("from", instant);
    let from = table.required("from", from);
    let until = table.parsed("until", instant);
    let until = table.required("until", until);
    let words = table.parsed("words", |text| {
        let is_short = text.chars().count() <= MOST_WORDS && !text.chars().any(char::is_control);
        if is_short { Ok(text.to_owned()) } else { Err("is longer than one line of 200 letters") }
    });
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        table.wrong("until", "is not after from");
    }
    table.close();
    Some(Maintenance { from: from?, until: until?, words: words.unwrap_or_default() })
}

/// The key that holds the root of a capability.
const fn root_key(capability: Capability) -> &'static str {
    match capability {
        Capability::Structured => "base_url",
        Capability::Documents => "documents_url",
        Capability::Foundations => "foundations_url",
    }
}

fn more_roots(table: &mut Reader<'_>, protocol: Option<Protocol>) -> BTreeMap<Capability, ServiceRoot> {
    let mut roots = BTreeMap::new();
    for capability in [Capability::Documents, Capability::Foundations] {
        let key = root_key(capability);
        if let Some(root) = table.parsed(key, ServiceRoot::parse) {
            roots.insert(capability, root);
            if protocol.is_some_and(|protocol| protocol != Protocol::GpConnectStructured) {
                table.wrong(key, "is for sources with protocol gpconnect-structured only");
            }
        }
    }
    roots
}

pub(super) fn route(text: &str) -> Result<Route, &'static str> {
    match text {
        "direct" => Ok(Route::Direct),
        "spine" => Ok(Route::Spine),
        _ => Err("is neither \"direct\" nor \"spine\""),
    }
}

fn entry(
    table: &mut Reader<'_>,
    id: Option<SourceId>,
    ods: Option<OdsCode>,
    place: u32,
) -> Option<SourceEntry> {
    // Everything is read before anything is given up, so that every mistake is told.
    let id = table.required("id", id);
    let name = table.words("name");
    let kind = table.parsed("kind", kind);
    let kind = table.required("kind", kind);
    let protocol = table.parsed("protocol", protocol);
    let protocol = table.required("protocol", protocol);
    let asid = table.parsed("asid", identity::asid);
    let base_url = table.parsed("base_url", ServiceRoot::parse);
    let base_url = table.required("base_url", base_url);
    let more_roots = more_roots(table, protocol);
    let route = table.parsed("via", route).unwrap_or_default();
    let sections = table.list("sections", section);
    let owns = table.list("owns", prefix).unwrap_or_default();
    let rank = table.number("rank", 0..=1_000_000).and_then(|rank| u32::try_from(rank).ok());
    let timeout = table.number("timeout_ms", 50..=30_000).map_or(TIMEOUT, Duration::from_millis);
    let cache_ttl = table.number("cache_ttl_secs", 0..=900).filter(|seconds| *seconds > 0);
    let max_body_bytes = table.number("max_body_bytes", 1 << 10..=256 << 20);
    let max_in_flight = table.number("max_in_flight", 1..=10_000).unwrap_or(MAX_IN_FLIGHT);
    let sends_deadline = sends_deadline(table, protocol);
    if protocol == Some(Protocol::GpConnectStructured) {
        table.required("ods", ods.as_ref());
        table.required("asid", asid.as_ref());
    }
    Some(SourceEntry {
        name: name.or_else(|| id.as_ref().map(ToString::to_string))?,
        id: id?,
        kind: kind?,
        sections: served(table, sections, protocol?),
        protocol: protocol?,
        ods,
        asid,
        base_url: base_url?,
        more_roots,
        route,
        tls: None,
        owns,
        rank: rank.unwrap_or(place),
        timeout,
        cache_ttl: cache_ttl.map(Duration::from_secs),
        max_body_bytes: max_body_bytes.unwrap_or(MAX_BODY_BYTES),
        max_in_flight: usize::try_from(max_in_flight).ok()?,
        sends_deadline,
    })
}

/// GP Connect names the headers of a request, and this is none of them.
fn sends_deadline(table: &mut Reader<'_>, protocol: Option<Protocol>) -> bool {
    let sends = table.truth("sends_deadline").unwrap_or(false);
    if sends && protocol == Some(Protocol::GpConnectStructured) {
        table.wrong("sends_deadline", "is for sources with protocol fhir-r4 or fhir-stu3 only");
    }
    sends
}

/// The sections registered, none of which may be beyond the protocol.
fn served(table: &Reader<'_>, sections: Option<Vec<Section>>, protocol: Protocol) -> Option<SectionSet> {
    let sections = sections?;
    let able = protocol.can_serve();
    let beyond: Vec<_> = sections.iter().filter(|section| !able.contains(**section)).collect();
    if !beyond.is_empty() {
        let codes: Vec<_> = beyond.into_iter().map(|section| section.code()).collect();
        let words = format!("{} cannot be asked for {}", protocol.code(), codes.join(", "));
        table.wrong("sections", words);
    } else if sections.is_empty() {
        table.wrong("sections", "is empty; leave it out for all that the protocol can");
    }
    Some(sections.into_iter().collect())
}

/// The sections that practices without an entry are asked for.
pub(super) fn practice_sections(table: &mut Reader<'_>) -> Option<SectionSet> {
    let sections = table.list("sections", section);
    served(table, sections, Protocol::GpConnectStructured)
}

fn kind(text: &str) -> Result<SourceKind, &'static str> {
    SourceKind::from_code(text).ok_or("is none of \"gp\", \"acute\", \"community\", \"broker\"")
}

fn protocol(text: &str) -> Result<Protocol, &'static str> {
    if text == "tributary" {
        return Err("\"tributary\" is not offered yet");
    }
    Protocol::from_code(text).ok_or("is none of \"gpconnect-structured\", \"fhir-r4\", \"fhir-stu3\"")
}

fn section(text: &str) -> Result<Section, String> {
    Section::from_code(text).ok_or_else(|| {
        let codes: Vec<_> = Section::ALL.iter().map(|section| section.code()).collect();
        format!("is no section; sections are {}", codes.join(", "))
    })
}

/// The beginning of identifier systems. A short one would own what is not the source's.
fn prefix(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not the beginning of an identifier system")?;
    let names_someone = url.has_host() || url.path().len() > 2;
    if names_someone { Ok(text.to_owned()) } else { Err("would own every identifier system of its kind") }
}
