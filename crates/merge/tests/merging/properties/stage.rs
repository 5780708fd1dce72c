//! Puts what was drawn before the merge, and reads what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Document, Json, Kind, Limits, Mark, Reply, narrative};
use tributary_merge::Heard;
use tributary_model::{Section, SectionSet, SourceKind};

use crate::kit::{Federation, federation};
use crate::properties::drawn::{Told, Who};
use crate::properties::written::{Speaker, bundle};

/// The sources: id, kind, where its resources live, what it is the author of.
pub(crate) const SOURCES: &[(&str, SourceKind, &str, &[&str])] = &[
    ("gp", SourceKind::Gp, "https://gp.example/fhir", &["https://gp.example/"]),
    ("acute-a", SourceKind::Acute, "https://acute.example/fhir/", &["https://acute.example/"]),
    ("community", SourceKind::Community, "https://community.example", &[]),
    ("walkin", SourceKind::Community, "https://walkin.example/fhir", &[]),
];

/// The registry of all sources, and no answer yet.
pub(crate) fn empty() -> Federation {
    let mut stage = federation();
    let all: Vec<&str> = SectionSet::all().iter().map(Section::code).collect();
    for (id, kind, base, owns) in SOURCES {
        stage.source(id, *kind, &all, owns);
        stage.registry.last_mut().expect("just put there").base_url = Some((*base).to_owned());
    }
    stage
}

/// A stage on which the first source told the first thing, and so on.
pub(crate) fn stage(told: &[Told]) -> Federation {
    let mut stage = empty();
    for (place, told) in told.iter().enumerate() {
        tell(&mut stage, place, told);
    }
    stage
}

/// Lets one source tell its thing.
pub(crate) fn tell(stage: &mut Federation, place: usize, told: &Told) {
    let (id, _, base, _) = SOURCES[place];
    match told {
        Told::Failed(class) => stage.fails(id, *class),
        Told::Said { stu3, who, documents } => {
            let speaker = Speaker { base, stu3: *stu3 };
            stage.hears(id, Heard::Reply(Arc::new(reply(speaker, *who, documents))));
        }
    }
}

/// A reply as a connector makes it: scanned, and converted if it came in STU3.
pub(crate) fn reply<P: AsRef<[super::drawn::Piece]>>(speaker: Speaker, who: Who, documents: &[P]) -> Reply {
    let texts = documents.iter().map(|pieces| bundle(speaker, who, pieces.as_ref()));
    reply_of(speaker.stu3, texts)
}

/// A reply of these texts.
pub(crate) fn reply_of(stu3: bool, texts: impl Iterator<Item = String>) -> Reply {
    let mut reply = Reply { asked: SectionSet::all(), converted: stu3, ..Reply::default() };
    for text in texts {
        let document = scan(&text);
        if stu3 {
            let converted = convert_bundle(&document).expect("a Bundle");
            reply.losses.extend(converted.losses);
            reply.carried.extend(converted.carried);
            reply.documents.push(converted.document);
        } else {
            reply.documents.push(document);
        }
    }
    reply
}

/// Our own text, or one that must pass the gate.
pub(crate) fn scan(text: &str) -> Document {
    let limits = Limits { depth: 256, string_bytes: usize::MAX, ..Limits::default() };
    Document::scan(text.as_bytes().to_vec(), &limits).expect("JSON that passes")
}

/// The resources of a Bundle with their addresses.
pub(crate) fn entries(bundle: &Document) -> Vec<(String, Json<'_>)> {
    let entries = bundle.root().get("entry").into_iter().flat_map(Json::items);
    entries
        .map(|entry| {
            let url = entry.text_at("fullUrl").expect("an address").into_owned();
            (url, entry.get("resource").expect("a resource"))
        })
        .collect()
}

/// Source and `Type/id` of an entry that came from a source.
pub(crate) fn origin(resource: Json<'_>) -> Option<(String, String)> {
    let told = resource.get("meta")?.text_at("source")?;
    let (source, origin) = told.strip_prefix("urn:x-tributary:")?.split_once('#')?;
    Some((source.to_owned(), origin.to_owned()))
}

/// Every entry that came from a source, as `source Type/id`.
pub(crate) fn origins(bundle: &Document) -> Vec<String> {
    let named = entries(bundle);
    named
        .into_iter()
        .filter_map(|(_, one)| origin(one))
        .map(|(source, name)| format!("{source} {name}"))
        .collect()
}

/// A resource without what the merge may change: its own id, what `meta` says, where references lead, the address of
/// one that only names its target, and markup of narratives that could hurt a reader.
pub(crate) fn content(resource: Json<'_>) -> String {
    let mut out = String::new();
    for (key, value) in resource.members().filter(|(key, _)| !matches!(*key, "id" | "meta")) {
        out.push_str(key);
        out.push('=');
        value.copy_into(&mut out, &mut |mark, text| match mark {
            Mark::Reference => Some("→".to_owned()),
            Mark::Narrative => Some(narrative::tame(text).unwrap_or_else(|| text.to_owned())),
            Mark::System | Mark::Attachment => None,
        });
        out.push('\n');
    }
    out.replace("\"reference\":\"→\",", "")
}

/// The references inside a value.
pub(crate) fn references(value: Json<'_>) -> Vec<String> {
    let marked = value.marks().filter(|(mark, _)| *mark == Mark::Reference);
    marked.filter_map(|(_, text)| text.text()).map(std::borrow::Cow::into_owned).collect()
}

/// Every string and number inside a value, with the key it stands under.
pub(crate) fn leaves<'d>(key: &'d str, value: Json<'d>, out: &mut Vec<(&'d str, &'d str)>) {
    match value.kind() {
        Kind::Object => value.members().for_each(|(key, value)| leaves(key, value, out)),
        Kind::Array => value.items().for_each(|value| leaves(key, value, out)),
        Kind::String | Kind::Number => out.push((key, value.raw())),
        Kind::True | Kind::False | Kind::Null => {}
    }
}

/// Conflicts: the rule with the statements it is about.
pub(crate) fn conflicts(stage: &Federation) -> Vec<(&'static str, BTreeSet<String>)> {
    let view = stage.merged().to_view();
    let all = view.discrepancies.into_iter().filter(|one| one.kind == "conflict");
    all.map(|one| (one.rule, one.members.into_iter().collect())).collect()
}

/// Section and statements of every line.
pub(crate) fn lines(stage: &Federation) -> Vec<BTreeSet<String>> {
    let view = stage.merged().to_view();
    let lines = view.sections.iter().flat_map(|one| one.lines.iter());
    lines.map(|line| line.members.iter().map(|one| one.full_url.clone()).collect()).collect()
}

/// How often each item comes.
pub(crate) fn counted<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

/// Whether two texts are the same bytes; if not, the place at which they part.
pub(crate) fn alike(one: &str, other: &str) -> Result<(), TestCaseError> {
    let Some(at) = one.bytes().zip(other.bytes()).position(|(one, other)| one != other) else {
        prop_assert_eq!(one.len(), other.len());
        return Ok(());
    };
    let around = |text: &str| {
        String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(200)..(at + 200).min(text.len())])
            .into_owned()
    };
    prop_assert_eq!(around(one), around(other));
    Ok(())
}
