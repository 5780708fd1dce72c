//! Discrepancies, provenance, and the device that assembled the record.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::Writer;
use tributary_fhir::reply::KeptAs;
use uuid::Uuid;

use super::{lists, r4};
use crate::record::Record;
use crate::rules::Discrepancy;
use tributary_statements::facts::Part;
use tributary_statements::inputs::SourceCard;
use tributary_statements::load::{Accepted, Voice, device_id, own_id};

/// The id of a discrepancy: its rule and the statements it is about.
pub(super) fn discrepancy_id(record: &Record<'_>, one: &Discrepancy) -> Uuid {
    let members = one.members.iter().filter_map(|place| record.loaded.statements.get(*place));
    let members: Vec<String> = members.map(|statement| statement.id.to_string()).collect();
    own_id(&format!("discrepancy|{}|{}", one.rule.id, members.join("|")))
}

pub(super) fn write_discrepancy(record: &Record<'_>, one: &Discrepancy, json: &mut Writer) {
    json.object(|issue| {
        issue.text("resourceType", "DetectedIssue");
        issue.text("id", &discrepancy_id(record, one).to_string());
        issue.text("status", "final");
        issue.key("code").object(|code| {
            code.key("coding").array(|codings| {
                codings.object(|coding| {
                    coding.text("system", "urn:x-tributary:discrepancy");
                    coding.text("code", one.rule.id);
                });
                codings.object(|coding| {
                    coding.text("system", "urn:x-tributary:discrepancy-kind");
                    coding.text("code", one.rule.kind.code());
                });
            });
        });
        issue.text("severity", one.rule.severity);
        issue.key("patient").object(|patient| patient.text("reference", &r4::urn(record.patient_id)));
        issue.text("identifiedDateTime", &record.inputs.as_of.to_string());
        issue.key("author").object(|author| author.text("reference", &r4::urn(device_id())));
        issue.key("implicated").array(|list| {
            for statement in one.members.iter().filter_map(|place| record.loaded.statements.get(*place)) {
                list.object(|item| item.text("reference", &r4::urn(statement.id)));
            }
            // What the national service says stands in the merged Patient.
            if one.section.is_none() && record.inputs.pds.is_some() {
                list.object(|item| item.text("reference", &r4::urn(record.patient_id)));
            }
        });
        issue.text("detail", &one.words);
    });
}

/// One Provenance for everybody who is heard.
pub(super) fn write_sources(record: &Record<'_>, entries: &mut Writer) {
    for (place, voice) in in_order(record) {
        let Some(home) = record.loaded.answers.get(voice.answer) else { continue };
        let by_broker = voice.id != home.card.id;
        let way = if by_broker { format!("{}|{}", home.card.id, voice.id) } else { voice.id.to_string() };
        let id = own_id(&format!("provenance|{way}"));
        let targets = targets(record, place);
        r4::entry(entries, id, |json| write_source(record, (home, voice), id, &targets, json));
    }
}

/// One Provenance for each statement that conversion to R4 could not place whole.
pub(super) fn write_converted(record: &Record<'_>, entries: &mut Writer) {
    for (place, home) in record.loaded.answers.iter().enumerate() {
        for (statement, paths) in losses(record, place, home) {
            let id = loss_id(statement);
            r4::entry(entries, id, |json| write_losses(record, id, statement, &paths, json));
        }
    }
}

/// The id of the Provenance that tells what a conversion kept of a statement.
pub(super) fn loss_id(statement: Uuid) -> Uuid {
    own_id(&format!("provenance|{statement}"))
}

/// Everybody who is heard, with their place in [`tributary_statements::load::Loaded::voices`], in their order.
fn in_order<'r>(record: &'r Record<'_>) -> Vec<(usize, &'r Voice)> {
    let mut voices: Vec<(usize, &Voice)> = record.loaded.voices.iter().enumerate().collect();
    voices.sort_by_key(|(_, voice)| voice.order);
    voices
}

/// The Lists a source contributed to; its Patient when it contributed to none.
fn targets(record: &Record<'_>, voice: usize) -> Vec<Uuid> {
    let own =
        || record.loaded.statements.iter().zip(&record.parts).filter(move |(one, _)| one.voice == voice);
    let sections: BTreeSet<_> = own()
        .filter_map(|(_, part)| if let Part::Line(facts) = part { Some(facts.section) } else { None })
        .filter(|section| record.inputs.sections.contains(*section))
        .collect();
    if !sections.is_empty() {
        return sections.into_iter().map(lists::id).collect();
    }
    let patients: Vec<Uuid> = own().filter(|(one, _)| one.kind == "Patient").map(|(one, _)| one.id).collect();
    // What a broker passes on need not come with a Patient of its own.
    if patients.is_empty() { vec![record.patient_id] } else { patients }
}

/// The answer somebody is heard in, and who that is.
type Heard<'r, 'a> = (&'r Accepted<'a>, &'r Voice);

fn write_source(
    record: &Record<'_>,
    (home, voice): Heard<'_, '_>,
    id: Uuid,
    targets: &[Uuid],
    json: &mut Writer,
) {
    let broker = (voice.id != home.card.id).then_some(home.card);
    let card = record.loaded.registry.iter().find(|card| card.id == voice.id);
    json.object(|provenance| {
        begin(record, id, targets, provenance);
        provenance.key("agent").array(|agents| {
            write_assembler(agents);
            if let Some(broker) = broker {
                agents.object(|agent| write_agent("assembler", Some(broker), &broker.name, agent));
            }
            agents.object(|author| write_agent("author", card, &voice.name, author));
        });
        provenance.key("entity").array(|entities| entities.object(|entity| write_entity(voice, entity)));
    });
}

fn write_agent(role: &str, card: Option<&SourceCard>, name: &str, agent: &mut Writer) {
    write_agent_type(role, agent);
    agent.key("who").object(|who| {
        if let Some(ods) = card.and_then(|card| card.ods.as_ref()) {
            let system = "https://fhir.nhs.uk/Id/ods-organization-code";
            who.key("identifier").record([("system", system), ("value", ods.as_str())]);
        }
        who.text("display", name);
    });
}

fn write_entity(voice: &Voice, entity: &mut Writer) {
    entity.text("role", "source");
    entity.key("what").object(|what| {
        let id = voice.id.as_str();
        what.key("identifier").record([("system", "urn:x-tributary:source"), ("value", id)]);
        what.text("display", &voice.name);
    });
}

pub(super) fn begin(record: &Record<'_>, id: Uuid, targets: &[Uuid], provenance: &mut Writer) {
    provenance.text("resourceType", "Provenance");
    provenance.text("id", r4::hyphened(id, &mut Uuid::encode_buffer()));
    provenance.key("target").array(|list| {
        for target in targets {
            list.object(|one| one.text("reference", &r4::urn(*target)));
        }
    });
    provenance.text("recorded", &record.inputs.as_of.to_string());
}

fn write_assembler(agents: &mut Writer) {
    agents.object(|agent| {
        write_agent_type("assembler", agent);
        agent.key("who").object(|who| who.text("reference", &r4::urn(device_id())));
    });
}

fn write_agent_type(code: &str, agent: &mut Writer) {
    let system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    agent.key("type").object(|concept| {
        concept.key("coding").array(|codings| codings.record([("system", system), ("code", code)]));
    });
}

/// The elements of each statement that are kept as extensions because R4 has no home for them.
fn losses<'r>(
    record: &'r Record<'_>,
    place: usize,
    home: &'r Accepted<'_>,
) -> BTreeMap<Uuid, BTreeSet<&'r str>> {
    let mut losses: BTreeMap<Uuid, BTreeSet<&str>> = BTreeMap::new();
    for note in home.reply.losses.iter().filter(|note| note.kept_as == KeptAs::Extension) {
        let target = home.index.get(note.statement.as_str()).and_then(|at| record.loaded.statements.get(*at));
        if let Some(statement) = target.filter(|statement| statement.answer == place) {
            losses.entry(statement.id).or_default().insert(&note.path);
        }
    }
    for (address, path) in home.told.iter().flat_map(|told| &told.kept) {
        let target = home.index.get(address.as_str()).and_then(|at| record.loaded.statements.get(*at));
        if let Some(statement) = target.filter(|statement| statement.answer == place) {
            losses.entry(statement.id).or_default().insert(path);
        }
    }
    losses
}

fn write_losses(record: &Record<'_>, id: Uuid, statement: Uuid, paths: &BTreeSet<&str>, json: &mut Writer) {
    json.object(|provenance| {
        begin(record, id, &[statement], provenance);
        write_kept(paths.iter().copied(), provenance);
        provenance.key("agent").array(write_assembler);
    });
}

/// The paths of the elements that are kept as extensions.
pub(super) fn write_kept<'p>(paths: impl Iterator<Item = &'p str>, provenance: &mut Writer) {
    provenance.key("extension").array(|list| {
        for path in paths {
            list.record([("url", "urn:x-tributary:kept-as-extension"), ("valueString", path)]);
        }
    });
}

pub(super) fn write_device(json: &mut Writer) {
    json.object(|device| {
        device.text("resourceType", "Device");
        device.text("id", &device_id().to_string());
        device.key("deviceName").array(|names| {
            names.object(|name| {
                name.text("name", "Tributary");
                name.text("type", "user-friendly-name");
            });
        });
        device.key("version").array(|versions| {
            versions.object(|version| version.text("value", env!("CARGO_PKG_VERSION")));
        });
    });
}
