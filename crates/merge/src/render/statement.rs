//! A source's resource in the merged bundle: its own bytes, with a new id, its origin, and references that lead
//! somewhere.

use tributary_fhir::{Json, Writer};
use tributary_model::SourceKind;
use uuid::Uuid;

use super::r4;
use crate::record::Record;
use tributary_statements::cascade;
use tributary_statements::copying::Copier;
use tributary_statements::load::{Accepted, Loaded, Statement, Voice};

pub(super) fn write_entry(record: &Record<'_>, place: usize, entries: &mut Writer) {
    write_entry_with(record, record.copier(), place, entries);
}

/// As [`write_entry`], copied by a copier that knows in what it will stand.
pub(super) fn write_entry_with(record: &Record<'_>, copier: Copier<'_>, place: usize, entries: &mut Writer) {
    let Some(statement) = record.loaded.statements.get(place) else {
        return;
    };
    let Some(home) = record.loaded.home(statement) else {
        return;
    };
    r4::entry(entries, statement.id, |json| {
        json.object(|resource| {
            resource.text("resourceType", &statement.kind);
            resource.text("id", r4::hyphened(statement.id, &mut Uuid::encode_buffer()));
            resource.key("meta").object(|meta| write_meta(record, copier, place, (statement, home), meta));
            copier.members(statement, resource);
        });
    });
}

/// Adds where it came from to what the source said about it. Security labels stay as they are.
fn write_meta(
    record: &Record<'_>,
    copier: Copier<'_>,
    place: usize,
    (statement, home): (&Statement<'_>, &Accepted<'_>),
    meta: &mut Writer,
) {
    let own = statement.resource.get("meta");
    let members = || own.into_iter().flat_map(Json::members);
    // An extension of the source may hold a reference, which would lead to whoever has that name.
    let write = |value, out: &mut String| copier.value(home, value, out);
    for (key, value) in members() {
        if !matches!(key, "source" | "tag" | "extension") {
            meta.key(key).raw(|out| write(value, out));
        }
    }
    let voice = record.loaded.voice(statement);
    let source = voice.map_or(&home.card.id, |voice| &voice.id);
    let (kind, id) = (&statement.origin_type, &statement.origin_id);
    meta.text("source", &["urn:x-tributary:", source.as_str(), "#", kind, "/", id].concat());
    // A broker has told already when and as what it heard this.
    let is_passed = home.card.kind == SourceKind::Broker && cascade::origin(statement.resource).is_some();
    meta.key("extension").array(|list| {
        own_items(home, own, ("extension", "url"), &mut |item| list.raw(|out| write(item, out)));
        if !is_passed {
            write_hearing(record, (statement, home), own, list);
        }
    });
    meta.key("tag").array(|list| {
        own_items(home, own, ("tag", "system"), &mut |item| list.raw(|out| write(item, out)));
        match record.origins.get(statement.voice) {
            Some(origin) => list.raw(|out| out.push_str(&origin.tag)),
            None => tag(list, SOURCE, source.as_str(), None),
        }
        let handling =
            record.ground().copy(place).map_or("original", tributary_statements::copies::Copy::code);
        word(list, HANDLING, handling);
        if home.reply.converted || (is_passed && cascade::is_tagged(statement.resource, HANDLING, CONVERTED))
        {
            word(list, HANDLING, CONVERTED);
        }
        let was_cached = is_passed && cascade::is_tagged(statement.resource, FRESHNESS, "cached");
        word(list, FRESHNESS, if home.answer.cached || was_cached { "cached" } else { "live" });
        if home.card.kind == SourceKind::Broker {
            tag(list, VIA, home.card.id.as_str(), Some(&home.card.name));
        }
    });
}

const SOURCE: &str = "urn:x-tributary:source";
const HANDLING: &str = "urn:x-tributary:handling";
const CONVERTED: &str = "converted-stu3";
const FRESHNESS: &str = "urn:x-tributary:freshness";
/// The broker that passed a statement on.
const VIA: &str = "urn:x-tributary:via";

fn write_hearing(
    record: &Record<'_>,
    (statement, home): (&Statement<'_>, &Accepted<'_>),
    own: Option<Json<'_>>,
    list: &mut Writer,
) {
    match record.origins.get(statement.voice) {
        Some(origin) => list.raw(|out| out.push_str(&origin.retrieved)),
        None => retrieved(home, list),
    }
    if let Some(source) = own.and_then(|own| own.get("source")) {
        list.object(|extension| {
            extension.text("url", "urn:x-tributary:meta-source-as-sent");
            extension.key("valueUri").raw(|out| record.copier().value(home, source, out));
        });
    }
}

/// What the source put there itself. Our names are ours: a source that is no broker of this kind cannot use them,
/// and of a broker's only those stay that are not said anew here.
fn own_items<'d>(
    home: &Accepted<'_>,
    meta: Option<Json<'d>>,
    (key, name): (&str, &str),
    write: &mut dyn FnMut(Json<'d>),
) {
    for item in meta.and_then(|meta| meta.get(key)).into_iter().flat_map(Json::each) {
        let is_ours = item.text_at(name).is_some_and(|name| name.starts_with("urn:x-tributary:"));
        let is_broker = home.card.kind == SourceKind::Broker;
        if !is_ours || (is_broker && (key == "extension" || item.says(name, VIA))) {
            write(item);
        }
    }
}

/// What is said alike of every statement of one voice, written once.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Who says it.
    tag: String,
    /// When it was heard.
    retrieved: String,
}

impl Origin {
    /// Of every voice, in their order.
    pub(crate) fn of_all(loaded: &Loaded<'_>) -> Vec<Self> {
        let text = |write: &dyn Fn(&mut Writer)| {
            let mut json = Writer::default();
            write(&mut json);
            json.finish()
        };
        let origin = |voice: &Voice| Self {
            tag: text(&|json| tag(json, SOURCE, voice.id.as_str(), Some(&voice.name))),
            retrieved: loaded
                .answers
                .get(voice.answer)
                .map(|home| text(&|json| retrieved(home, json)))
                .unwrap_or_default(),
        };
        loaded.voices.iter().map(origin).collect()
    }
}

fn retrieved(home: &Accepted<'_>, list: &mut Writer) {
    list.object(|extension| {
        extension.text("url", "urn:x-tributary:retrieved-at");
        extension.text("valueInstant", &home.answer.fetched_at.to_string());
    });
}

/// A tag of two words of our own, which need no escapes.
fn word(list: &mut Writer, system: &'static str, code: &'static str) {
    list.raw(|out| {
        for piece in ["{\"system\":\"", system, "\",\"code\":\"", code, "\"}"] {
            out.push_str(piece);
        }
    });
}

fn tag(list: &mut Writer, system: &str, code: &str, display: Option<&str>) {
    list.object(|tag| {
        tag.text("system", system);
        tag.text("code", code);
        tag.text_if("display", display);
    });
}
