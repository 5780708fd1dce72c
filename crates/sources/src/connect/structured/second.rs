//! The second question of an ask: areas whose parts may not stand beside consultations or problems.
//!
//! Vaccinations that were not given are sent only where they are asked for, and a provider refuses to be asked
//! so beside consultations or problems (GP Connect, forbidden combinations). The first question has such an
//! area without its parts; the second has nothing else. What goes wrong with the second costs those areas
//! their completeness, and nothing more.

use std::collections::BTreeSet;

use bytes::Bytes;
use tributary_fhir::bundle::{self, Bundle, type_of};
use tributary_fhir::{Document, Json, Notice};
use tributary_model::{FaultClass, NhsNumber, NoticeKind, SectionSet, SectionState, SourceFault};

use super::areas::Area;
use super::{Heard, lists, read, request};
use crate::egress::{Bounds, Received};

/// The part of the time left that is kept for the first answer: the second must not make it late.
const RESERVE: u32 = 4;

/// What the second question may cost, of what the first may.
pub(super) fn bounds(first: Bounds) -> Bounds {
    let reserve = first.deadline.remaining() / RESERVE;
    Bounds { deadline: first.deadline.less(reserve), ..first }
}

/// What the second question asks.
#[derive(Clone, Debug)]
pub(super) struct Second {
    areas: Vec<&'static Area>,
    sections: SectionSet,
}

impl Second {
    /// The second question behind a first one about these areas, where there has to be one.
    pub(super) fn of(areas: &[&'static Area], asked: SectionSet) -> Option<Self> {
        if !request::is_linked(areas) {
            return None;
        }
        let areas: Vec<_> = areas.iter().copied().filter(|area| area.parts_stand_alone).collect();
        let sections: SectionSet = areas.iter().flat_map(|area| area.fed(asked)).collect();
        (!areas.is_empty()).then_some(Self { areas, sections })
    }

    /// What it asks: a request of its own, with its own trace id and token.
    pub(super) fn parameters(&self, patient: NhsNumber) -> Bytes {
        Bytes::from(request::parameters(patient, &self.areas, None))
    }

    /// Adds what came to what the first question brought.
    pub(super) fn join(&self, first: &mut Heard, received: Result<Received, SourceFault>) {
        let heard = received.and_then(|received| read(received, self.sections));
        match heard {
            Ok(second) if is_of_one_patient(first, &second) => self.add(first, second),
            // The fault has a notice; the first answer stands.
            Ok(_) | Err(_) => self.lack(first),
        }
    }

    fn add(&self, first: &mut Heard, second: Heard) {
        let Heard { mut reply, sent } = second;
        let Ok(documents) = without_known(&first.reply.documents, reply.documents) else {
            return self.lack(first);
        };
        reply.documents = documents;
        for (section, state) in &reply.states {
            let before = first.reply.states.get(section).copied();
            let both = lists::together(before.into_iter().chain([*state]));
            first.reply.states.insert(*section, both);
        }
        // Whatever the second answer says of itself concerns only what it was asked.
        let place = self.sections.iter().next();
        let notices = reply.notices.into_iter();
        first.reply.notices.extend(notices.map(|one| Notice { section: one.section.or(place), ..one }));
        tidy(&mut first.reply.notices);
        first.reply.losses.extend(reply.losses);
        tidy(&mut first.reply.losses);
        for carried in reply.carried {
            if !first.reply.carried.contains(&carried) {
                first.reply.carried.push(carried);
            }
        }
        first.reply.documents.extend(reply.documents);
        first.reply.attempts += reply.attempts;
        first.reply.held.absorb(reply.held);
        first.sent.extend(sent);
    }

    /// Says that the parts are missing.
    fn lack(&self, first: &mut Heard) {
        let asked = self.sections;
        for area in &self.areas {
            let part = area.parts.first().map(|(part, _)| format!("{}.{part}", area.parameter));
            for section in area.fed(asked) {
                let state = first.reply.states.entry(section).or_insert(SectionState::Partial);
                if matches!(state, SectionState::Content | SectionState::Empty) {
                    *state = SectionState::Partial;
                }
                let notice = Notice { detail: part.clone(), ..Notice::about(NoticeKind::Failed, section) };
                first.reply.notices.push(notice);
            }
        }
        tidy(&mut first.reply.notices);
    }
}

/// What the second answer brings along beside its vaccines was told by the first.
///
/// A problem comes with each answer's own links, so the two texts of one statement differ; the first answer was
/// asked for problems, and its text is whole.
fn without_known(known: &[Document], new: Vec<Document>) -> Result<Vec<Document>, FaultClass> {
    let bundles = known.iter().filter_map(|document| Bundle::of(document).ok());
    let names: BTreeSet<(String, String)> = bundles.flat_map(Bundle::resources).filter_map(name).collect();
    let is_new = |resource: Json<'_>| {
        let is_asked_for = matches!(type_of(resource).as_ref(), "Immunization" | "Patient");
        is_asked_for || name(resource).is_none_or(|name| !names.contains(&name))
    };
    new.into_iter().map(|document| bundle::keeping(document, is_new)).collect()
}

fn name(resource: Json<'_>) -> Option<(String, String)> {
    Some((type_of(resource).into_owned(), bundle::id_of(resource)?.into_owned()))
}

/// Both answers came from one question in two parts: what they say twice is said once.
fn tidy<T: Ord>(told: &mut Vec<T>) {
    told.sort();
    told.dedup();
}

/// Whether the second answer can stand beside the first one.
///
/// A Patient that differs would have the whole ask quarantined. That is right for another NHS number, so that
/// answer is let through to the gate; it is too much for a Patient that was edited between two answers.
fn is_of_one_patient(first: &Heard, second: &Heard) -> bool {
    let (known, new) = (patients(&first.sent), patients(&second.sent));
    let is_known = |patient: &Patient| known.iter().any(|one| one.raw == patient.raw);
    let is_other = |patient: &Patient| known.iter().all(|one| one.numbers != patient.numbers);
    new.iter().all(is_known) || new.iter().any(is_other)
}

struct Patient {
    raw: String,
    numbers: Vec<String>,
}

fn patients(documents: &[Document]) -> Vec<Patient> {
    let bundles = documents.iter().filter_map(|document| Bundle::of(document).ok());
    let resources = bundles.flat_map(Bundle::resources);
    let patients = resources.filter(|resource| type_of(*resource) == "Patient");
    patients
        .map(|patient| Patient {
            raw: patient.raw().to_owned(),
            numbers: bundle::nhs_numbers(patient).map(std::borrow::Cow::into_owned).collect(),
        })
        .collect()
}
