//! From the answers of all searches to one reply.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::bundle::type_of;
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::outcome::read_outcome;
use tributary_fhir::{Bundle, Document, FhirVersion, Json, Notice, Reply};
use tributary_model::{NoticeKind, Section, SectionSet, SectionState, SourceFault};

use super::paging::Pages;
use super::types::{SearchType, of_section};
use crate::connect::{fingerprint, holding};

/// Everything that was received.
pub(super) struct Answers {
    pub(super) version: FhirVersion,
    pub(super) asked: SectionSet,
    pub(super) patients: Pages,
    /// Each type with what became of its search.
    pub(super) types: Vec<(&'static SearchType, Searched)>,
    pub(super) attempts: u32,
}

/// What became of the search for one type.
#[derive(Debug)]
pub(super) enum Searched {
    /// It was answered.
    Read(Pages),
    /// The source refused it, which is to be told so. Other searches stand.
    Refused(NoticeKind),
}

/// What is known of one type.
#[derive(Debug)]
struct Found {
    resources: usize,
    /// Why there may be more than was read.
    gaps: BTreeSet<NoticeKind>,
}

impl Answers {
    pub(super) fn into_reply(self) -> Result<Reply, SourceFault> {
        let found: BTreeMap<_, _> =
            self.types.iter().map(|(kind, searched)| (kind.name, seen(kind, searched))).collect();
        let of_patients = gaps(&self.patients);
        let is_short = |found: &Found| found.gaps.contains(&NoticeKind::CutShort);
        let mut reply = Reply {
            asked: self.asked,
            attempts: self.attempts,
            // Without every Patient of the person, every section may be short.
            truncated: of_patients.iter().any(|kind| *kind != NoticeKind::ConfidentialItems)
                || found.values().any(is_short),
            ..Reply::default()
        };
        let whole = |kind| Notice { kind, section: None, count: None, detail: None };
        let mut notices: BTreeSet<_> = of_patients.into_iter().map(whole).collect();
        for section in self.asked.iter() {
            let names = of_section(section, self.version);
            let of_this: Vec<_> = names.iter().filter_map(|name| Some((*name, found.get(name)?))).collect();
            notices.extend(notices_of(section, &of_this));
            let shared = names.iter().any(|name| self.is_shared(section, name));
            reply.states.extend(state_of(&of_this, shared).map(|state| (section, state)));
        }
        reply.notices = notices.into_iter().collect();
        self.keep_documents(&mut reply)?;
        reply.held = holding(std::mem::take(&mut reply.held), reply.weight())?;
        Ok(reply)
    }

    /// Whether a type carries other sections too, so that its presence says nothing about this one.
    fn is_shared(&self, section: Section, name: &str) -> bool {
        Section::ALL.iter().any(|other| *other != section && of_section(*other, self.version).contains(&name))
    }

    fn keep_documents(self, reply: &mut Reply) -> Result<(), SourceFault> {
        let of_types = self.types.into_iter().filter_map(|(_, searched)| searched.pages());
        let pages = std::iter::once(self.patients).chain(of_types);
        let mut documents: Vec<Document> = Vec::new();
        for pages in pages {
            documents.extend(pages.documents);
            reply.held.absorb(pages.held);
        }
        (reply.digest, reply.bytes) = fingerprint(&documents);
        if self.version == FhirVersion::R4 {
            reply.documents = documents;
            return Ok(());
        }
        reply.converted = true;
        for document in &documents {
            let converted = convert_bundle(document).map_err(SourceFault::new)?;
            reply.documents.push(converted.document);
            reply.losses.extend(converted.losses);
            reply.carried.extend(converted.carried);
        }
        Ok(())
    }
}

impl Searched {
    fn pages(self) -> Option<Pages> {
        match self {
            Self::Read(pages) => Some(pages),
            Self::Refused(_) => None,
        }
    }
}

fn seen(kind: &SearchType, searched: &Searched) -> Found {
    match searched {
        Searched::Refused(told) => Found { resources: 0, gaps: BTreeSet::from([*told]) },
        Searched::Read(pages) => {
            let of_kind = resources(pages).filter(|resource| type_of(*resource) == kind.name);
            Found { resources: of_kind.count(), gaps: gaps(pages) }
        }
    }
}

/// Why pages may hold less than the source has.
pub(super) fn gaps(pages: &Pages) -> BTreeSet<NoticeKind> {
    let cut_short = pages.truncated.then_some(NoticeKind::CutShort);
    let told = resources(pages).filter_map(read_outcome).flat_map(|facts| {
        let kinds = [
            (facts.failed, NoticeKind::Failed),
            (facts.omits.suppressed, NoticeKind::ConfidentialItems),
            (facts.omits.incomplete, NoticeKind::CutShort),
        ];
        kinds.into_iter().filter(|(is_so, _)| *is_so).map(|(_, kind)| kind)
    });
    told.chain(cut_short).collect()
}

fn resources(pages: &Pages) -> impl Iterator<Item = Json<'_>> {
    pages.documents.iter().filter_map(|page| Bundle::of(page).ok()).flat_map(Bundle::resources)
}

fn notices_of(section: Section, types: &[(&'static str, &Found)]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (name, found) in types {
        let told = found.gaps.iter();
        notices.extend(
            told.map(|kind| Notice { detail: Some((*name).to_owned()), ..Notice::about(*kind, section) }),
        );
    }
    notices
}

/// The state of a section; nothing where only its statements can tell.
///
/// A section is empty only when every one of its types was answered, whole, and nothing came.
fn state_of(types: &[(&'static str, &Found)], shared: bool) -> Option<SectionState> {
    if types.is_empty() {
        return Some(SectionState::NotHeld);
    }
    let has_content = types.iter().any(|(_, found)| found.resources > 0);
    let gaps: BTreeSet<_> = types.iter().flat_map(|(_, found)| found.gaps.iter().copied()).collect();
    let only_confidential = gaps.iter().all(|kind| *kind == NoticeKind::ConfidentialItems);
    match (has_content, gaps.is_empty()) {
        (true, false) => Some(SectionState::Partial),
        (true, true) if shared => None,
        (true, true) => Some(SectionState::Content),
        (false, true) => Some(SectionState::Empty),
        (false, false) if only_confidential => Some(SectionState::Withheld),
        (false, false) => Some(SectionState::Failed),
    }
}
