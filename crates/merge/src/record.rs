//! The merge itself: one pure function from answers to a record.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::{Json, Notice, Reply};
use tributary_model::{
    FaultClass, NoticeKind, Section, SourceFault, SourceId, SourceKind, SourceStatus, Tally,
};
use uuid::Uuid;

use crate::gaps::{self, Found, SourceRecord};
use crate::label::{AllergyFacts, AllergyLabel};
use crate::lines::{self, Ground, Line};
use crate::render::Origin;
use crate::rules::{self, Discrepancy};
use tributary_statements::concept;
use tributary_statements::copies::{self, Copy};
use tributary_statements::copying::Copier;
use tributary_statements::facts::{self, Part, Reader, Thing};
use tributary_statements::gate::Whom;
use tributary_statements::identified::Identified;
use tributary_statements::inputs::{Answer, Heard, Inputs, SourceCard};
use tributary_statements::load::{Accepted, Loaded, patient_id};
use tributary_statements::person;
use tributary_statements::refs::{self, Fate};

/// A merged record: a view over the answers it was made from.
pub struct Record<'a> {
    pub(crate) inputs: Inputs<'a>,
    pub(crate) loaded: Loaded<'a>,
    pub(crate) parts: Vec<Part>,
    pub(crate) copies: Vec<Option<Copy>>,
    pub(crate) lines: Vec<Line>,
    pub(crate) discrepancies: Vec<Discrepancy>,
    /// Every expected source, by rank.
    pub(crate) sources: Vec<SourceRecord<'a>>,
    pub(crate) label: AllergyLabel,
    pub(crate) patient_id: Uuid,
    pub(crate) identified: Identified,
    /// What is said of every statement of a voice, by voice.
    pub(crate) origins: Vec<Origin>,
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("tally", &self.tally()).finish_non_exhaustive()
    }
}

/// Merges answers into a record. Pure: no clock, no chance, no input or output, no order of arrival.
pub fn merge(inputs: Inputs<'_>) -> Record<'_> {
    let today = tributary_model::date::zoned(inputs.as_of).date();
    let whom = Whom { number: inputs.patient, traced: inputs.pds, today };
    let mut loaded = Loaded { registry: inputs.registry, ..Loaded::default() };
    let mut pending = Vec::new();
    let mut expected = expected(&inputs);
    // What a source says itself comes before what a broker says of it.
    expected.sort_by_key(|(card, _)| card.kind == SourceKind::Broker);
    for (card, answer) in expected {
        let verdict = match &answer.heard {
            Heard::Reply(reply) => {
                loaded.admit(card, answer, reply, whom).map_err(SourceFault::new).map_err(Some)
            }
            Heard::Fault(fault) => Err(Some(*fault)),
            Heard::Pending => Err(None),
        };
        pending.push((card, answer, verdict));
    }
    loaded.settle();
    pending.sort_by_key(|(card, ..)| (card.rank, &card.id));
    let parts = read(&loaded, &inputs);
    let views = inputs.answers.views();
    let copies = copies::find(&loaded, &parts, inputs.registry, views);
    let ground = Ground { loaded: &loaded, parts: &parts, copies: &copies };
    let lines = lines::group(ground);
    let discrepancies = rules::all(ground, &lines, whom, inputs.prompts);
    let patient_id = patient_id(inputs.patient);
    let asked = inputs.sections;
    let mut sources: Vec<SourceRecord<'_>> = pending
        .into_iter()
        .map(|(card, answer, verdict)| match (verdict, &answer.heard) {
            (Ok(()), Heard::Reply(reply)) => {
                let found = found(&loaded, &parts, card, reply, patient_id);
                gaps::accepted(card, answer, reply, found, asked)
            }
            (Err(Some(fault)), _) => gaps::failed(card, answer, fault, asked),
            (Ok(()) | Err(None), _) => gaps::pending(card, answer, asked),
        })
        .collect();
    for source in &mut sources {
        gaps::for_role(source, views.of(source.card.kind), asked);
    }
    let label =
        if views.hides(Section::Allergies) { AllergyLabel::NotShown } else { label(ground, &sources) };
    let identified = Identified::default();
    let origins = Origin::of_all(&loaded);
    Record {
        inputs,
        loaded,
        parts,
        copies,
        lines,
        discrepancies,
        sources,
        label,
        patient_id,
        identified,
        origins,
    }
}

/// The expected sources with their cards, by rank and id: the only order there is.
fn expected<'a>(inputs: &Inputs<'a>) -> Vec<(&'a SourceCard, &'a Answer)> {
    let card = |answer: &'a Answer| inputs.registry.iter().find(|card| card.id == answer.source);
    let mut pairs: Vec<_> =
        inputs.answers.answers().iter().filter_map(|answer| Some((card(answer)?, answer))).collect();
    pairs.sort_by(|(a, _), (b, _)| (a.rank, &a.id).cmp(&(b.rank, &b.id)));
    pairs.dedup_by(|(a, _), (b, _)| a.id == b.id);
    pairs
}

fn read(loaded: &Loaded<'_>, inputs: &Inputs<'_>) -> Vec<Part> {
    let today = tributary_model::date::zoned(inputs.as_of).date();
    let part = |statement| Reader { loaded, maps: inputs.maps, statement, today }.part();
    let mut parts: Vec<Part> = loaded.statements.iter().map(part).collect();
    facts::hang(loaded, &mut parts);
    parts
}

/// What an accepted answer holds, and what must be said about it.
fn found(loaded: &Loaded<'_>, parts: &[Part], card: &SourceCard, reply: &Reply, patient: Uuid) -> Found {
    let Some((place, home)) = loaded.answers.iter().enumerate().find(|(_, one)| one.card.id == card.id)
    else {
        return Found::default();
    };
    let mut sections = BTreeSet::new();
    for (statement, part) in loaded.statements.iter().zip(parts) {
        if let (true, Part::Line(facts)) = (statement.answer == place, part) {
            sections.insert(facts.section);
        }
    }
    let shared = home.shared.iter().filter_map(|place| parts.get(*place));
    sections.extend(
        shared.filter_map(|part| if let Part::Line(facts) = part { Some(facts.section) } else { None }),
    );
    let mut notices = loose(home);
    notices.extend(carried(reply));
    notices.extend(not_understood(parts, &loaded.statements, place));
    notices.extend(buried_allergies(loaded, place));
    // Ended allergies live inside their List on purpose, and are no lines.
    if ended_allergies(loaded, place).next().is_some() {
        sections.insert(Section::Allergies);
    }
    if person::birth(home.proof.patient).is_none() {
        notices.push(Notice { kind: NoticeKind::NoBirthDate, section: None, count: None, detail: None });
    }
    let unresolved = unresolved(loaded, home, place, patient);
    if unresolved > 0 {
        let kind = NoticeKind::UnresolvedReference;
        notices.push(Notice { kind, section: None, count: Some(unresolved), detail: None });
    }
    if let Some(told) = &home.told {
        let notice = |(kind, section, count)| Notice { kind, section, count, detail: None };
        notices.extend(told.notices.iter().copied().map(notice));
    }
    Found { sections, notices, told: home.told.clone() }
}

/// One notice for each section that a withheld statement might have stood in. It is not read any closer: nobody
/// can say whose it is.
fn loose(home: &Accepted<'_>) -> Vec<Notice> {
    let mut counts: BTreeMap<Section, u32> = BTreeMap::new();
    for resource in &home.loose {
        for section in sections_of_type(&tributary_fhir::bundle::type_of(*resource)) {
            *counts.entry(*section).or_default() += 1;
        }
        if allergies_in(*resource).next().is_some() {
            *counts.entry(Section::Allergies).or_default() += 1;
        }
    }
    counted(NoticeKind::NotTied, counts)
}

/// Every section that resources of a type can stand in, in either version.
pub(crate) fn sections_of_type(kind: &str) -> &'static [Section] {
    match kind {
        "AllergyIntolerance" => &[Section::Allergies],
        "MedicationStatement" | "MedicationRequest" | "MedicationDispense" | "MedicationAdministration" => {
            &[Section::Medications]
        }
        "Condition" => &[Section::Problems, Section::Plans],
        "Observation" => &[Section::Results, Section::Plans, Section::Uncategorised],
        "DiagnosticReport" | "Specimen" => &[Section::Reports],
        "Encounter" => &[Section::Encounters],
        "Procedure" => &[Section::Procedures],
        "Immunization" => &[Section::Immunisations],
        "DocumentReference" => &[Section::Documents, Section::Plans],
        "ServiceRequest" | "ProcedureRequest" => &[Section::Referrals, Section::Diary, Section::Reports],
        "ReferralRequest" => &[Section::Referrals],
        "Appointment" => &[Section::Appointments],
        "Flag" => &[Section::Flags, Section::Plans],
        "CarePlan" | "Consent" | "ClinicalImpression" | "Goal" => &[Section::Plans],
        "QuestionnaireResponse" => &[Section::Plans, Section::Uncategorised],
        "EpisodeOfCare" | "Task" | "RelatedPerson" | "Device" | "DeviceUseStatement" => {
            &[Section::SocialCare]
        }
        // Consultations and lists order what stands elsewhere.
        "List" => &[Section::Encounters, Section::Uncategorised],
        _ => &[Section::Uncategorised],
    }
}

/// What could not be converted stands in the uncategorised section; the sections it belongs to must say so.
fn carried(reply: &Reply) -> Vec<Notice> {
    let mut counts: BTreeMap<(Section, &str), u32> = BTreeMap::new();
    for one in &reply.carried {
        for section in sections_of_type(&one.resource_type) {
            *counts.entry((*section, one.resource_type.as_str())).or_default() += 1;
        }
    }
    let notice = |((section, kind), count): ((Section, &str), u32)| Notice {
        count: Some(count),
        detail: Some(kind.to_owned()),
        ..Notice::about(NoticeKind::CarriedWhole, section)
    };
    counts.into_iter().map(notice).collect()
}

/// Statements that carry modifiers nobody here knows, by section.
fn not_understood(
    parts: &[Part],
    statements: &[tributary_statements::load::Statement<'_>],
    answer: usize,
) -> Vec<Notice> {
    let mut counts: BTreeMap<Section, u32> = BTreeMap::new();
    for (statement, part) in statements.iter().zip(parts) {
        if let (true, Part::Line(facts)) = (statement.answer == answer, part)
            && !facts.understood
        {
            *counts.entry(facts.section).or_default() += 1;
        }
    }
    counted(NoticeKind::NotUnderstood, counts)
}

fn counted(kind: NoticeKind, counts: BTreeMap<Section, u32>) -> Vec<Notice> {
    let notice = |(section, count)| Notice { count: Some(count), ..Notice::about(kind, section) };
    counts.into_iter().map(notice).collect()
}

/// The allergies that a source lists as ended: inside its "Ended allergies" List, and inside any other List
/// where their own status says so, for recorded lists have other codes too.
pub(crate) fn ended_allergies<'a>(loaded: &'a Loaded<'a>, answer: usize) -> impl Iterator<Item = Json<'a>> {
    let ended =
        contained_allergies(loaded, answer).filter(|(list, one)| is_ended_list(*list) || has_ended(*one));
    ended.map(|(_, one)| one)
}

/// Allergies inside a List that say nothing of having ended. No line shows them, so a reader must be told.
fn buried_allergies(loaded: &Loaded<'_>, answer: usize) -> Option<Notice> {
    let buried = contained_allergies(loaded, answer)
        .filter(|(list, one)| !is_ended_list(*list) && !has_ended(*one))
        .count();
    let notice = Notice::about(NoticeKind::NotUnderstood, Section::Allergies);
    (buried > 0).then(|| Notice { count: u32::try_from(buried).ok(), ..notice })
}

fn contained_allergies<'a>(
    loaded: &'a Loaded<'a>,
    answer: usize,
) -> impl Iterator<Item = (Json<'a>, Json<'a>)> {
    let lists = loaded.statements.iter().filter(move |one| one.answer == answer && one.kind == "List");
    lists.flat_map(|list| allergies_in(list.resource).map(move |one| (list.resource, one)))
}

fn allergies_in(list: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    let contained = list.get("contained").into_iter().flat_map(Json::items);
    contained.filter(|one| one.says("resourceType", "AllergyIntolerance"))
}

fn is_ended_list(list: Json<'_>) -> bool {
    list.get("code").is_some_and(|code| concept::codes(code).any(|code| code == ENDED_ALLERGIES))
}

fn has_ended(allergy: Json<'_>) -> bool {
    let status = allergy.get("clinicalStatus");
    let mut codes = status.into_iter().flat_map(concept::codes);
    codes.any(|code| matches!(code.as_ref(), "inactive" | "resolved"))
}

const ENDED_ALLERGIES: &str = "1103671000000101";

fn unresolved(loaded: &Loaded<'_>, home: &Accepted<'_>, place: usize, patient: Uuid) -> u32 {
    let statements = loaded.statements.iter().filter(|statement| statement.answer == place);
    let references = statements.flat_map(|statement| statement.resource.marks());
    let references = references.filter(|(mark, _)| *mark == tributary_fhir::Mark::Reference);
    let nowhere = references
        .filter_map(|(_, text)| Json::text(text))
        .filter(|text| matches!(refs::fate(loaded, home, patient, text), Fate::Nowhere(..)))
        .count();
    u32::try_from(nowhere).unwrap_or(u32::MAX)
}

fn label(ground: Ground<'_>, sources: &[SourceRecord<'_>]) -> AllergyLabel {
    let mut facts: AllergyFacts = gaps::allergy_gaps(sources);
    for part in ground.parts {
        let Part::Line(said) = part else { continue };
        let Thing::Allergy(allergy) = &said.thing else {
            continue;
        };
        if said.in_error || !allergy.active || allergy.refuted {
            continue;
        }
        match allergy.negative {
            None => facts.positive = true,
            Some(facts::Scope::All) => facts.negative_all = true,
            Some(facts::Scope::Drugs) => facts.negative_part = true,
            // "No food allergy" says nothing about drugs; its line is shown, the label does not lean on it.
            Some(facts::Scope::Else) => {}
        }
    }
    AllergyLabel::of(facts)
}

impl Record<'_> {
    /// The statuses of the expected sources, counted.
    pub fn tally(&self) -> Tally {
        Tally::of(self.sources.iter().map(|source| source.status))
    }

    /// What may be said about allergies.
    pub const fn allergy_label(&self) -> AllergyLabel {
        self.label
    }

    /// Every expected source with its status and fault, by rank.
    pub fn statuses(&self) -> impl Iterator<Item = (&SourceId, SourceStatus, Option<FaultClass>)> {
        self.sources
            .iter()
            .map(|source| (&source.card.id, source.status, source.fault.map(|fault| fault.class)))
    }

    /// The rules that fired, one item for each discrepancy.
    pub fn rules(&self) -> impl Iterator<Item = &'static str> {
        self.discrepancies.iter().map(|one| one.rule.id)
    }

    pub(crate) fn copier(&self) -> Copier<'_> {
        Copier {
            loaded: &self.loaded,
            identified: &self.identified,
            patient: self.patient_id,
            attachments: self.inputs.attachments,
            document: None,
        }
    }

    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground { loaded: &self.loaded, parts: &self.parts, copies: &self.copies }
    }

    /// The lines of one section, in display order.
    pub(crate) fn lines_of(&self, section: Section) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.section == section)
    }
}
