//! The Composition: whose summary, by whom, and its sections.

use std::collections::BTreeSet;

use tributary_fhir::{Json, Writer};
use tributary_model::{Section, SectionState, Tally};

use super::super::{patient, r4, view};
use super::choose::Chosen;
use super::entries::Inside;
use super::narrative::{self, Opening};
use super::sections::Need;
use super::xhtml::Xhtml;
use super::{PROFILES, SummaryFrame, composition_id, custodian_id, document_id};
use crate::gaps;
use crate::record::Record;
use tributary_statements::load::device_id;

const LOINC: &str = "http://loinc.org";
/// `List.emptyReason` and `Composition.section.emptyReason` of FHIR R4.
const EMPTY_REASON: &str = "http://terminology.hl7.org/CodeSystem/list-empty-reason";
/// The extension of the guide for what applies to a section and to no entry of it.
const NOTE: &str = "http://hl7.org/fhir/StructureDefinition/note";

pub(super) fn write(
    record: &Record<'_>,
    frame: &SummaryFrame<'_>,
    chosen: &[Chosen<'_>],
    inside: &Inside,
    json: &mut Writer,
) {
    json.object(|document| {
        document.text("resourceType", "Composition");
        document.text("id", &composition_id(record).to_string());
        document.key("meta").object(|meta| {
            meta.key("profile").array(|list| list.string(&format!("{PROFILES}Composition-uv-ips")));
        });
        document.text("language", "en-GB");
        write_text(&overview(record, chosen), document);
        let id = r4::urn(document_id(record));
        document.key("identifier").record([("system", "urn:ietf:rfc:3986"), ("value", &id)]);
        document.text("status", "final");
        let title = "Patient summary Document";
        document.key("type").object(|concept| write_loinc("60591-5", title, concept));
        document.key("subject").record([("reference", &r4::urn(record.patient_id))]);
        document.text("date", &record.inputs.as_of.to_string());
        document.key("author").array(|list| list.record([("reference", &r4::urn(device_id()))]));
        document.text("title", "International Patient Summary");
        document.text("confidentiality", confidentiality(record, inside));
        if let Some(custodian) = frame.custodian {
            let id = r4::urn(custodian_id(custodian));
            document.key("custodian").record([("reference", &id), ("display", &custodian.name)]);
        }
        document.key("section").array(|list| {
            for one in chosen.iter().filter(|one| one.is_sent()) {
                list.object(|section| write_section(record, one, section));
            }
        });
    });
}

fn write_loinc(code: &str, display: &str, concept: &mut Writer) {
    concept
        .key("coding")
        .array(|list| list.record([("system", LOINC), ("code", code), ("display", display)]));
}

fn write_text(div: &str, holder: &mut Writer) {
    holder.key("text").record([("status", "generated"), ("div", div)]);
}

fn write_section(record: &Record<'_>, chosen: &Chosen<'_>, section: &mut Writer) {
    let Some(first) = chosen.row.from.first() else { return };
    let opening = narrative::opening(record, chosen, *first);
    if !chosen.entries.is_empty() && !opening.missing.is_empty() {
        write_note(&opening, section);
    }
    section.text("title", chosen.row.title);
    section.key("code").object(|concept| write_loinc(chosen.row.code, chosen.row.display, concept));
    write_text(&narrative::section(record, chosen, &opening), section);
    if chosen.entries.is_empty() {
        // Where the words name something, an optional section is not empty for want of a fitting resource.
        if chosen.row.need == Need::Required || chosen.named().next().is_none() {
            section.key("emptyReason").object(|reason| {
                write_empty_reason(gaps::overall(&record.sources, *first), &opening, reason);
            });
        }
        return;
    }
    section.key("entry").array(|list| {
        for statement in chosen.entries.iter().filter_map(|place| record.loaded.statements.get(*place)) {
            list.record([("reference", &r4::urn(statement.id))]);
        }
    });
}

/// A section with entries cannot say why it is not whole by an empty reason.
fn write_note(opening: &Opening, section: &mut Writer) {
    section.key("extension").array(|list| {
        list.object(|extension| {
            extension.text("url", NOTE);
            let words = opening.missing.join(" ");
            extension.key("valueAnnotation").record([("text", &words)]);
        });
    });
}

/// Why there is no entry. Nothing known here allows to say that there is nothing: `nilknown` is never used.
fn write_empty_reason(state: SectionState, opening: &Opening, reason: &mut Writer) {
    let (code, display) = match state {
        SectionState::Withheld => ("withheld", "Information Withheld"),
        SectionState::NotAsked | SectionState::NotHeld => ("notasked", "Not Asked"),
        SectionState::Failed
        | SectionState::Pending
        | SectionState::Partial
        | SectionState::Content
        | SectionState::Empty => ("unavailable", "Unavailable"),
    };
    reason
        .key("coding")
        .array(|list| list.record([("system", EMPTY_REASON), ("code", code), ("display", display)]));
    let words: Vec<&str> = opening.missing.iter().chain(&opening.said).map(String::as_str).collect();
    reason.text("text", &words.join(" "));
}

/// What stands over the whole document: who it is about, who answered, and what is left unsaid.
fn overview(record: &Record<'_>, chosen: &[Chosen<'_>]) -> String {
    let mut html = Xhtml::new();
    let patient = patient::view(record);
    let name = if patient.name.is_empty() { "Name not recorded" } else { &patient.name };
    let born = if patient.born.is_empty() { "date not recorded" } else { &patient.born };
    html.element("p", &format!("{name}. Born {born}. NHS No. {}.", patient.nhs_number));
    if !patient.died.is_empty() {
        html.element("p", &format!("Died: {}.", patient.died));
    }
    html.element("p", &format!("{} As of {}.", whole(record.tally()), as_of(record)));
    html.within("ul", |html| {
        for source in &record.sources {
            html.element("li", &view::row(source).words);
        }
    });
    for note in record.inputs.notes {
        html.element("p", note.words());
    }
    for one in record.discrepancies.iter().filter(|one| one.section.is_none()) {
        html.element("p", &one.words);
    }
    let mut spoken: BTreeSet<Section> = chosen.iter().filter(|one| one.is_sent()).filter_map(home).collect();
    for one in chosen.iter().filter(|one| !one.is_sent()) {
        let is_first = home(one).is_some_and(|section| spoken.insert(section));
        write_unsent(record, one, is_first, &mut html);
    }
    html.finish()
}

fn as_of(record: &Record<'_>) -> String {
    tributary_model::date::zoned(record.inputs.as_of).strftime("%H:%M on %d-%b-%Y").to_string()
}

fn whole(tally: Tally) -> &'static str {
    use tributary_model::Completeness;
    match tally.completeness() {
        Completeness::Complete => "Assembled by software from what every expected source answered.",
        Completeness::CompleteWithheld => {
            "Assembled by software. Every expected source answered; some information was withheld."
        }
        Completeness::Partial => "Assembled by software. NOT COMPLETE: not every expected source answered.",
        Completeness::None => "Assembled by software. No source answered.",
    }
}

/// The section of the record whose state a section of the document shares.
fn home(chosen: &Chosen<'_>) -> Option<Section> {
    chosen.row.from.first().copied()
}

/// A section that is not sent must not read as "none" where somebody did not answer for it.
fn write_unsent(record: &Record<'_>, chosen: &Chosen<'_>, is_first: bool, html: &mut Xhtml) {
    let Some(first) = home(chosen) else { return };
    let is_quiet = matches!(
        gaps::overall(&record.sources, first),
        SectionState::Content | SectionState::Empty | SectionState::NotHeld
    );
    let is_told = is_quiet || !is_first;
    let mut words = if is_told { Vec::new() } else { record.section_notices(first) };
    words.extend(narrative::left_out(chosen));
    if !words.is_empty() {
        html.element("p", &format!("{}: {}", chosen.row.title, words.join(" ")));
    }
}

/// A document is as confidential as the strictest of its statements.
fn confidentiality(record: &Record<'_>, inside: &Inside) -> &'static str {
    let mut strictest = "N";
    for statement in inside.statements(record) {
        let labels = statement.resource.get("meta").and_then(|meta| meta.get("security"));
        for label in labels.into_iter().flat_map(Json::each) {
            match label.text_at("code").as_deref() {
                Some("V") => strictest = "V",
                Some("R") if strictest == "N" => strictest = "R",
                _ => {}
            }
        }
    }
    strictest
}
