//! One List for every section.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tributary_fhir::Writer;
use tributary_model::{Hex, NoticeKind, Section, SectionState};
use uuid::Uuid;

use super::r4;
use crate::gaps;
use crate::lines::Line;
use crate::record::Record;
use sha2::{Digest as _, Sha256};
use tributary_statements::load::{device_id, own_id};

/// The ids of all Lists: they are the same in every record.
static IDS: LazyLock<BTreeMap<Section, Uuid>> = LazyLock::new(|| {
    Section::ALL.iter().map(|section| (*section, own_id(&format!("list|{}", section.code())))).collect()
});

/// The id of a section's List.
pub(super) fn id(section: Section) -> Uuid {
    IDS.get(&section).copied().unwrap_or_default()
}

/// The code GP Connect gives a list of this kind, so that consumers recognise it.
fn gp_connect_code(section: Section) -> Option<&'static str> {
    match section {
        Section::Allergies => Some("886921000000105"),
        Section::Medications => Some("933361000000108"),
        Section::Problems => Some("717711000000103"),
        Section::Encounters => Some("1149501000000101"),
        Section::Immunisations => Some("1102181000000102"),
        Section::Reports => Some("887191000000108"),
        Section::Referrals => Some("792931000000107"),
        Section::Diary => Some("714311000000108"),
        Section::Uncategorised => Some("826501000000100"),
        Section::Plans
        | Section::Flags
        | Section::Results
        | Section::Procedures
        | Section::Documents
        | Section::Appointments
        | Section::SocialCare => None,
    }
}

pub(super) fn write(record: &Record<'_>, section: Section, json: &mut Writer) {
    json.object(|list| {
        list.text("resourceType", "List");
        list.text("id", &id(section).to_string());
        write_extensions(record, section, list);
        list.text("status", "current");
        list.text("mode", "snapshot");
        list.text("title", &format!("{} – all sources", section.title()));
        list.key("code").object(|code| write_code(section, code));
        list.key("subject").object(|subject| subject.text("reference", &r4::urn(record.patient_id)));
        list.text("date", &record.inputs.as_of.to_string());
        list.key("source").object(|source| source.text("reference", &r4::urn(device_id())));
        let mut lines = record.lines_of(section).peekable();
        if lines.peek().is_some() {
            list.key("entry").array(|entries| lines.for_each(|line| write_line(record, line, entries)));
        } else {
            list.key("emptyReason").object(|reason| write_empty_reason(record, section, reason));
        }
    });
}

fn write_code(section: Section, code: &mut Writer) {
    code.key("coding").array(|codings| {
        if let Some(snomed) = gp_connect_code(section) {
            codings.object(|coding| {
                coding.text("system", tributary_statements::concept::SNOMED);
                coding.text("code", snomed);
            });
        }
        codings.object(|coding| {
            coding.text("system", "urn:x-tributary:section");
            coding.text("code", section.code());
        });
    });
}

fn write_extensions(record: &Record<'_>, section: Section, list: &mut Writer) {
    let warnings = || {
        record.sources.iter().flat_map(move |source| {
            let of_section = source.notices.iter().filter(move |notice| notice.section == Some(section));
            of_section.filter_map(move |notice| Some((source, warning_code(notice.kind)?)))
        })
    };
    if section != Section::Allergies && warnings().next().is_none() {
        return;
    }
    list.key("extension").array(|extensions| {
        if section == Section::Allergies {
            extensions.object(|extension| {
                extension.text("url", "urn:x-tributary:allergy-label");
                extension.text("valueString", record.label.words());
            });
        }
        for (source, code) in warnings() {
            extensions.object(|extension| write_warning(source.card.id.as_str(), code, extension));
        }
    });
}

fn warning_code(kind: NoticeKind) -> Option<&'static str> {
    match kind {
        NoticeKind::ConfidentialItems | NoticeKind::DataInTransit | NoticeKind::DataAwaitingFiling => {
            Some(kind.code())
        }
        NoticeKind::NotSupported
        | NoticeKind::Failed
        | NoticeKind::CutShort
        | NoticeKind::NotTied
        | NoticeKind::CarriedWhole
        | NoticeKind::NotUnderstood
        | NoticeKind::NoBirthDate
        | NoticeKind::UnresolvedReference
        | NoticeKind::NotForRole
        | NoticeKind::PartForRole
        | NoticeKind::PlanExists => None,
    }
}

fn write_warning(source: &str, code: &str, extension: &mut Writer) {
    extension.text("url", "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ListWarningCode");
    extension.key("valueCodeableConcept").object(|concept| {
        concept.key("coding").array(|codings| {
            codings.object(|coding| {
                coding.text("system", "https://fhir.hl7.org.uk/CodeSystem/UKCore-ListWarningCode");
                coding.text("code", code);
            });
            codings.object(|coding| {
                coding.text("system", "urn:x-tributary:source");
                coding.text("code", source);
            });
        });
    });
}

fn write_line(record: &Record<'_>, line: &Line, entries: &mut Writer) {
    let ground = record.ground();
    let hash = key_hash(&line.key);
    for (index, place) in line.members.iter().enumerate() {
        let Some(statement) = record.loaded.statements.get(*place) else { continue };
        let facts = ground.facts(*place);
        let position =
            facts.and_then(|facts| facts.thing.medicine()).map(|medicine| medicine.position.code());
        entries.object(|entry| {
            entry.key("extension").array(|list| {
                // Codes and digits only, so that the fixed pieces can be put together as they are.
                let class = line.class.code();
                pieces(list, &[r#"{"url":"urn:x-tributary:line","valueString":""#, &hash, r#""}"#]);
                pieces(list, &[r#"{"url":"urn:x-tributary:line-class","valueCode":""#, class, r#""}"#]);
                let lead = if index == 0 { "true" } else { "false" };
                pieces(list, &[r#"{"url":"urn:x-tributary:lead","valueBoolean":"#, lead, "}"]);
                if facts.is_some_and(|facts| facts.in_error) {
                    pieces(list, &[r#"{"url":"urn:x-tributary:entered-in-error","valueBoolean":true}"#]);
                }
                if let Some(position) = position {
                    pieces(list, &[r#"{"url":"urn:x-tributary:position","valueCode":""#, position, r#""}"#]);
                }
            });
            entry.key("item").object(|item| {
                let mut buffer = Uuid::encode_buffer();
                let urn: &str = statement.id.urn().encode_lower(&mut buffer);
                pieces(item.key("reference"), &["\"", urn, "\""]);
                item.text_if("display", facts.map(|facts| facts.title.as_str()));
            });
        });
    }
}

/// Writes a value that is put together from pieces of JSON.
fn pieces(json: &mut Writer, pieces: &[&str]) {
    json.raw(|out| pieces.iter().for_each(|piece| out.push_str(piece)));
}

/// The key of a line as others may know it: it holds no clinical text.
pub(crate) fn key_hash(key: &str) -> String {
    Hex(&Sha256::digest(key.as_bytes())).to_string()
}

/// Why a section is empty. Failure outranks withholding, withholding outranks not asking.
fn write_empty_reason(record: &Record<'_>, section: Section, reason: &mut Writer) {
    const HL7: &str = "http://terminology.hl7.org/CodeSystem/list-empty-reason";
    let (system, code) = match gaps::overall(&record.sources, section) {
        SectionState::Failed | SectionState::Pending | SectionState::Partial => (HL7, "unavailable"),
        SectionState::Withheld => (HL7, "withheld"),
        SectionState::Empty | SectionState::Content => {
            ("https://fhir.hl7.org.uk/CodeSystem/UKCore-ListEmptyReasonCode", "no-content-recorded")
        }
        SectionState::NotAsked | SectionState::NotHeld => (HL7, "notasked"),
    };
    reason.key("coding").array(|codings| {
        codings.object(|coding| {
            coding.text("system", system);
            coding.text("code", code);
        });
    });
    let words = if record.inputs.answers.views().hides(section) {
        crate::words::NOT_FOR_ROLE.to_owned()
    } else {
        crate::words::empty(&record.sources, section)
    };
    reason.text("text", &words);
}
