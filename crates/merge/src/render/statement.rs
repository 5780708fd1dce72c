//! A source's resource in the merged bundle: its own bytes, with a new id, its origin, and references that lead
//! somewhere.

use tributary_fhir::{Json, Mark, Writer};
use tributary_model::SourceKind;

use super::r4;
use crate::load::{Accepted, Statement};
use crate::record::Record;
use crate::refs::{self, Fate};

pub(super) fn write_entry(record: &Record<'_>, place: usize, entries: &mut Writer) {
    let Some(statement) = record.loaded.statements.get(place) else {
        return;
    };
    let Some(home) = record.loaded.home(statement) else {
        return;
    };
    r4::entry(entries, statement.id, |json| {
        json.object(|resource| {
            resource.text("resourceType", &statement.kind);
            resource.text("id", &statement.id.to_string());
            resource.key("meta").object(|meta| write_meta(record, place, statement, home, meta));
            for (key, value) in statement.resource.members() {
                if !matches!(key, "resourceType" | "id" | "meta") {
                    resource.key(key).raw(|out| copy(record, home, value, out));
                }
            }
        });
    });
}

/// Copies a value; only its references change.
pub(super) fn copy(record: &Record<'_>, home: &Accepted<'_>, value: Json<'_>, out: &mut String) {
    value.copy_into(out, &mut |mark, text| match mark {
        Mark::Reference => match refs::fate(&record.loaded, home, record.patient_id, text) {
            Fate::Stays => None,
            Fate::Leads(address) | Fate::Nowhere(address) => Some(address),
        },
        Mark::System => None,
        Mark::Attachment => refs::attachment(record.inputs.attachments, home, text),
    });
}

/// Adds where it came from to what the source said about it. Security labels stay as they are.
fn write_meta(
    record: &Record<'_>,
    place: usize,
    statement: &Statement<'_>,
    home: &Accepted<'_>,
    meta: &mut Writer,
) {
    let own = statement.resource.get("meta");
    let members = || own.into_iter().flat_map(Json::members);
    // An extension of the source may hold a reference, which would lead to whoever has that name.
    let write = |value, out: &mut String| copy(record, home, value, out);
    for (key, value) in members() {
        if !matches!(key, "source" | "tag" | "extension") {
            meta.key(key).raw(|out| write(value, out));
        }
    }
    meta.text("source", &format!("urn:x-tributary:{}#{}", home.card.id, statement.origin()));
    meta.key("extension").array(|list| {
        kept(home, own, ("extension", "url"), &mut |item| list.raw(|out| write(item, out)));
        list.object(|extension| {
            extension.text("url", "urn:x-tributary:retrieved-at");
            extension.text("valueInstant", &home.answer.fetched_at.to_string());
        });
        if let Some(source) = own.and_then(|own| own.get("source")) {
            list.object(|extension| {
                extension.text("url", "urn:x-tributary:meta-source-as-sent");
                extension.key("valueUri").raw(|out| write(source, out));
            });
        }
    });
    meta.key("tag").array(|list| {
        kept(home, own, ("tag", "system"), &mut |item| list.raw(|out| write(item, out)));
        tag(list, "urn:x-tributary:source", home.card.id.as_str(), Some(&home.card.name));
        let handling = record.ground().copy(place).map_or("original", crate::copies::Copy::code);
        tag(list, "urn:x-tributary:handling", handling, None);
        if home.reply.converted {
            tag(list, "urn:x-tributary:handling", "converted-stu3", None);
        }
        tag(list, "urn:x-tributary:freshness", if home.answer.cached { "cached" } else { "live" }, None);
    });
}

/// What the source put there itself. Our names are ours: a source that is no broker of this kind cannot use them.
fn kept<'d>(
    home: &Accepted<'_>,
    meta: Option<Json<'d>>,
    (key, name): (&str, &str),
    write: &mut dyn FnMut(Json<'d>),
) {
    for item in meta.and_then(|meta| meta.get(key)).into_iter().flat_map(Json::each) {
        let is_ours = item.text_at(name).is_some_and(|name| name.starts_with("urn:x-tributary:"));
        if !is_ours || home.card.kind == SourceKind::Broker {
            write(item);
        }
    }
}

fn tag(list: &mut Writer, system: &str, code: &str, display: Option<&str>) {
    list.object(|tag| {
        tag.text("system", system);
        tag.text("code", code);
        tag.text_if("display", display);
    });
}
