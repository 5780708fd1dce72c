//! What must hold of a merged record, whatever it was made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tributary_fhir::bundle::{id_of, type_of};
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Bundle, Document, Json, Kind, Limits, Mark, Reply, narrative};
use tributary_merge::{Answer, Heard, Inputs, Maps, Prompts, SourceCard, merge};
use tributary_model::{FaultClass, NhsNumber, SectionSet, SourceFault, SourceId, SourceKind};

use super::corpus::NUMBER;

/// The sources of a case: id, kind, where its resources live, what it is the author of.
pub const SOURCES: &[(&str, SourceKind, &str, &str)] = &[
    ("first", SourceKind::Gp, "https://first.example/fhir", "https://tpp.example/"),
    ("second", SourceKind::Acute, "https://second.example/fhir/", "https://second.example/"),
    ("third", SourceKind::Community, "https://third.example/fhir", "https://EMIS.example/"),
];

/// Why a case failed, in words.
pub type Broken = String;

/// What became of the answers of a case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Answers that did not pass the gate or have no Bundle.
    pub refused: usize,
    /// Answers held back because they may be about somebody else.
    pub held_back: usize,
    /// Answers merged.
    pub merged: usize,
    /// Resources of the sources in the record.
    pub shown: usize,
    /// Statements held back because nobody can say whose they are.
    pub loose: usize,
}

/// A reply as a connector makes it, or the fault that its bytes amount to.
pub fn heard(bytes: Vec<u8>, stu3: bool) -> Heard {
    match reply(bytes, stu3) {
        Ok(reply) => Heard::Reply(Arc::new(reply)),
        Err(class) => Heard::Fault(SourceFault::new(class)),
    }
}

fn reply(bytes: Vec<u8>, stu3: bool) -> Result<Reply, FaultClass> {
    let document = Document::scan(bytes, &Limits::default()).map_err(|rejection| rejection.class)?;
    Bundle::of(&document)?;
    let mut reply = Reply { asked: SectionSet::all(), converted: stu3, ..Reply::default() };
    if stu3 {
        let converted = convert_bundle(&document)?;
        reply.losses = converted.losses;
        reply.carried = converted.carried;
        reply.documents.push(converted.document);
    } else {
        reply.documents.push(document);
    }
    Ok(reply)
}

/// The registry of all sources.
pub fn registry() -> Vec<SourceCard> {
    let card = |(rank, (id, kind, base, owns)): (u32, &(&str, SourceKind, &str, &str))| SourceCard {
        id: SourceId::parse(id).expect("an id"),
        name: format!("The {id}"),
        kind: *kind,
        ods: None,
        rank,
        serves: SectionSet::all(),
        owns: vec![(*owns).to_owned()],
        base_url: Some((*base).to_owned()),
        maintenance: None,
    };
    (1..).zip(SOURCES).map(card).collect()
}

/// The answers of the first sources, in their order.
pub fn answers(heard: impl IntoIterator<Item = Heard>) -> Vec<Answer> {
    let answer = |((id, ..), heard): (&(&str, SourceKind, &str, &str), Heard)| Answer {
        source: SourceId::parse(id).expect("an id"),
        heard,
        latency_ms: 0,
        fetched_at: "2026-03-10T02:10:00Z".parse().expect("an instant"),
        cached: false,
        last_answered: None,
    };
    SOURCES.iter().zip(heard).map(answer).collect()
}

/// What a merge is made from, in one place.
pub fn inputs<'a>(registry: &'a [SourceCard], answers: &'a [Answer], maps: &'a Maps) -> Inputs<'a> {
    Inputs {
        patient: NhsNumber::parse(NUMBER).expect("a number"),
        as_of: "2026-03-10T02:10:00Z".parse().expect("an instant"),
        sections: SectionSet::all(),
        registry,
        answers: tributary_merge::Screened::whole(answers),
        notes: &[],
        pds: None,
        maps,
        attachments: None,
        prompts: Prompts::default(),
    }
}

/// Merges the answers and looks at everything that must hold of the record.
pub fn check(answers: &[Answer]) -> Result<Outcome, Broken> {
    let (mut cards, maps) = (registry(), Maps::default());
    let record = merge(inputs(&cards, answers, &maps));
    let out = record.to_r4();
    let view = record.to_view();
    let statuses: Vec<_> = record.statuses().map(|(id, _, fault)| (id.clone(), fault)).collect();
    must(statuses.len() == answers.len(), || "a source has no status".to_owned())?;
    bounded(answers, out.len(), &record.entries())?;
    let scanned = rescan(&out)?;
    let shown = Shown::of(&scanned)?;
    let mut outcome = Outcome { shown: shown.entries.len(), ..Outcome::default() };
    for answer in answers {
        let fault = statuses.iter().find(|(id, _)| *id == answer.source).and_then(|(_, fault)| *fault);
        let own = shown.of_source(answer.source.as_str());
        match (&answer.heard, fault) {
            (Heard::Reply(reply), None) => {
                outcome.merged += 1;
                outcome.loose += whole(answer.source.as_str(), reply, &own, shown.outcome)?;
            }
            (Heard::Reply(_), Some(_)) => {
                outcome.held_back += 1;
                must(own.is_empty(), || format!("{} is held back and shown", answer.source))?;
            }
            (Heard::Fault(_) | Heard::Pending, _) => {
                outcome.refused += 1;
                must(own.is_empty(), || format!("{} said nothing and is shown", answer.source))?;
            }
        }
    }
    shown.references()?;
    lines(&view, &shown)?;
    drop(record);
    // Neither the order of arrival nor that of the registry may be seen.
    let mut again = answers.to_vec();
    again.reverse();
    cards.rotate_left(1);
    let other = merge(inputs(&cards, &again, &maps)).to_r4();
    must(other == out, || "another order gives other bytes".to_owned())?;
    Ok(outcome)
}

fn must(holds: bool, words: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(words()) }
}

/// The record is no larger than a fixed multiple of what was sent, and a fixed part for each statement and source.
fn bounded(answers: &[Answer], out: usize, entries: &(usize, usize)) -> Result<(), Broken> {
    let sent: usize = answers
        .iter()
        .filter_map(|answer| if let Heard::Reply(reply) = &answer.heard { Some(reply) } else { None })
        .flat_map(|reply| &reply.documents)
        .map(|document| document.text().len())
        .sum();
    let bound = 60_000 + 12 * sent + 8_000 * entries.1;
    must(out < bound, || format!("{out} bytes come of {sent}, {} statements", entries.1))
}

fn rescan(out: &str) -> Result<Document, Broken> {
    serde_json::from_str::<&serde_json::value::RawValue>(out)
        .map_err(|_not| "the record is no JSON".to_owned())?;
    let limits = Limits { depth: 300, tokens: usize::MAX, string_bytes: usize::MAX, ..Limits::default() };
    Document::scan(out.as_bytes().to_vec(), &limits).map_err(|rejection| format!("the record: {rejection}"))
}

/// One entry that came from a source.
#[derive(Clone, Debug)]
struct Entry<'d> {
    source: String,
    name: String,
    resource: Json<'d>,
}

/// A record, read back.
struct Shown<'d> {
    outcome: &'d str,
    entries: Vec<Entry<'d>>,
    /// Address to source; `*` for the merged Patient, nothing for what is our own.
    homes: BTreeMap<String, String>,
    listed: Vec<String>,
}

impl<'d> Shown<'d> {
    fn of(document: &'d Document) -> Result<Self, Broken> {
        let list = document.root().get("entry").into_iter().flat_map(Json::items);
        let mut shown = Self { outcome: "", entries: Vec::new(), homes: BTreeMap::new(), listed: Vec::new() };
        let mut names = BTreeSet::new();
        for entry in list {
            let url = entry.text_at("fullUrl").ok_or("an entry without address")?.into_owned();
            let resource = entry.get("resource").ok_or("an entry without resource")?;
            let kind = type_of(resource);
            let home = match origin(resource) {
                Some((source, name)) => {
                    must(names.insert((source.clone(), name.clone())), || format!("{source} {name} twice"))?;
                    shown.entries.push(Entry { source: source.clone(), name, resource });
                    source
                }
                None if kind == "Patient" => "*".to_owned(),
                None => String::new(),
            };
            if shown.outcome.is_empty() {
                shown.outcome = resource.raw();
            }
            if home.is_empty() && kind == "List" {
                let items = resource.get("entry").into_iter().flat_map(Json::items);
                let led = items.filter_map(|item| item.path(&["item"])?.text_at("reference"));
                shown.listed.extend(led.map(std::borrow::Cow::into_owned));
            }
            must(shown.homes.insert(url.clone(), home).is_none(), || format!("{url} twice"))?;
        }
        Ok(shown)
    }

    fn of_source(&self, source: &str) -> Vec<&Entry<'d>> {
        self.entries.iter().filter(|entry| entry.source == source).collect()
    }

    /// No reference of a source leads to another source, to nowhere, or to whoever has a resource of that name.
    fn references(&self) -> Result<(), Broken> {
        for entry in &self.entries {
            let marks = entry.resource.marks().filter(|(mark, _)| *mark == Mark::Reference);
            for reference in marks.filter_map(|(_, text)| text.text()) {
                let told = || format!("{} {}: {reference}", entry.source, entry.name);
                must(!is_bare(&reference), || format!("{} is bare", told()))?;
                let address = reference.split('#').next().unwrap_or_default().to_lowercase();
                let leads = self.homes.get(address.as_str());
                let stays = leads.is_none_or(|home| *home == entry.source || home == "*");
                must(stays, || format!("{} leads to {leads:?}", told()))?;
                must(leads.is_some() || !address.starts_with("urn:uuid:"), || {
                    format!("{} leads nowhere", told())
                })?;
            }
        }
        Ok(())
    }
}

fn origin(resource: Json<'_>) -> Option<(String, String)> {
    let told = resource.get("meta")?.text_at("source")?;
    let (source, name) = told.strip_prefix("urn:x-tributary:")?.split_once('#')?;
    Some((source.to_owned(), name.to_owned()))
}

/// `Type/id`: such an address would attach to whoever has a resource of that name.
fn is_bare(reference: &str) -> bool {
    reference.split_once('/').is_some_and(|(kind, id)| {
        kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.chars().all(|letter| letter.is_ascii_alphabetic())
            && !id.is_empty()
            && !id.contains(char::is_whitespace)
    })
}

/// A resource without what the merge may change: its own id, what `meta` says, where references lead, and the place
/// of its type among the members.
fn content(resource: Json<'_>) -> String {
    let mut out = String::with_capacity(resource.raw().len());
    out.push_str(&type_of(resource));
    let kept = |key: &str| !matches!(key, "resourceType" | "id" | "meta");
    for (key, value) in resource.members().filter(|(key, _)| kept(key)) {
        out.push('\n');
        out.push_str(key);
        out.push('=');
        bare_value(value, &mut out);
    }
    out
}

/// Writes a value without blanks and without what the merge may change: a reference is rewritten, or added where an
/// identifier is enough, and the markup of a narrative is tamed.
fn bare_value(json: Json<'_>, out: &mut String) {
    match json.kind() {
        Kind::Object => {
            out.push('{');
            let said =
                json.members().filter(|(key, value)| *key != "reference" || value.kind() != Kind::String);
            for (key, value) in said {
                out.push_str(key);
                out.push(':');
                bare_value(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for item in json.items() {
                bare_value(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Kind::String => {
            let is_narrative = json.marks().any(|(mark, _)| mark == Mark::Narrative);
            match json.text().filter(|_| is_narrative) {
                Some(text) => out.push_str(&narrative::tame(&text).unwrap_or_else(|| text.into_owned())),
                None => out.push_str(json.raw()),
            }
        }
        Kind::Number | Kind::True | Kind::False | Kind::Null => out.push_str(json.raw()),
    }
}

/// Every resource of an accepted answer is shown once, byte for byte; what is not is held back, and told. Tells how
/// many are held back.
fn whole(source: &str, reply: &Reply, own: &[&Entry<'_>], outcome: &str) -> Result<usize, Broken> {
    let mut sent: BTreeMap<&str, Json<'_>> = BTreeMap::new();
    let mut patient = String::new();
    for document in &reply.documents {
        let bundle = Bundle::of(document).map_err(|class| format!("{source}: {class:?}"))?;
        for resource in bundle.resources().filter(|one| type_of(*one) != "OperationOutcome") {
            if type_of(resource) == "Patient" {
                patient = format!("Patient/{}", id_of(resource).unwrap_or_default());
            }
            sent.insert(resource.raw(), resource);
        }
    }
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    for entry in own {
        *shown.entry(content(entry.resource)).or_default() += 1;
    }
    let is_tied = |resource: &Json<'_>| {
        let mut about =
            ["subject", "patient"].iter().filter_map(|key| resource.get(key)?.text_at("reference"));
        about.any(|reference| reference == patient)
    };
    let mut missing = 0;
    // What is plainly about the patient first: its twin about nobody has the same content, but for that.
    let (tied, others): (Vec<&Json<'_>>, Vec<&Json<'_>>) = sent.values().partition(|one| is_tied(one));
    for resource in tied.into_iter().chain(others) {
        match shown.get_mut(&content(*resource)) {
            Some(times) if *times > 0 => *times -= 1,
            Some(_) | None => {
                let name = || format!("{source} {}/{:?}", type_of(*resource), id_of(*resource));
                must(!is_tied(resource), || format!("{} is missing", name()))?;
                missing += 1;
            }
        }
    }
    // Only the beginning is told: the rest is in the case's files.
    let made_up =
        shown.iter().find(|(_, times)| **times > 0).map(|(content, _)| content.chars().take(200).collect());
    let made_up: String = made_up.unwrap_or_default();
    must(made_up.is_empty(), || format!("{source} is said to have sent what it did not: {made_up}"))?;
    let is_told = outcome.contains("not-tied-to-patient");
    must(missing == 0 || is_told, || format!("{source} lacks {missing}, and nobody is told"))?;
    must(reply.carried.is_empty() || outcome.contains("carried-whole"), || {
        format!("{source}: carried and not told")
    })?;
    Ok(missing)
}

/// Every statement stands on at most one line, and the lists of the bundle say the same as the page.
fn lines(view: &tributary_merge::RecordView, shown: &Shown<'_>) -> Result<(), Broken> {
    let members = view.sections.iter().flat_map(|one| &one.lines).flat_map(|line| &line.members);
    let on_lines: Vec<&str> = members.map(|one| one.full_url.as_str()).collect();
    let once: BTreeSet<&str> = on_lines.iter().copied().collect();
    must(once.len() == on_lines.len(), || "a statement stands on two lines".to_owned())?;
    let listed: BTreeSet<&str> = shown.listed.iter().map(String::as_str).collect();
    must(listed == once && listed.len() == shown.listed.len(), || "lists and page differ".to_owned())?;
    must(once.iter().all(|url| shown.homes.contains_key(*url)), || "a line leads nowhere".to_owned())
}
