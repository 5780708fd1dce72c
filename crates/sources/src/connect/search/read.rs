//! From the answers of all searches to one reply.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::bundle::type_of;
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::outcome::read_outcome;
use tributary_fhir::{Bundle, Document, FhirVersion, Notice, Reply};
use tributary_model::{NoticeKind, Section, SectionSet, SectionState, SourceFault};

use super::paging::Pages;
use super::types::{SearchType, of_section};
use crate::connect::fingerprint;

/// Everything that was received.
pub(super) struct Answers {
    pub(super) version: FhirVersion,
    pub(super) asked: SectionSet,
    pub(super) patients: Pages,
    /// Each type with its pages; none when the source does not know the type.
    pub(super) types: Vec<(&'static SearchType, Option<Pages>)>,
    pub(super) attempts: u32,
}

/// What is known of one type.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    unknown: bool,
    resources: usize,
    truncated: bool,
    /// The source said inside the answer that part of it failed.
    failed: bool,
}

impl Answers {
    pub(super) fn into_reply(self) -> Result<Reply, SourceFault> {
        let found: BTreeMap<_, _> =
            self.types.iter().map(|(kind, pages)| (kind.name, seen(kind, pages.as_ref()))).collect();
        let mut reply = Reply {
            asked: self.asked,
            attempts: self.attempts,
            truncated: self.patients.truncated || found.values().any(|found| found.truncated),
            ..Reply::default()
        };
        let mut notices = BTreeSet::new();
        if self.patients.truncated {
            notices.insert(Notice { kind: NoticeKind::CutShort, section: None, count: None, detail: None });
        }
        for section in self.asked.iter() {
            let names = of_section(section, self.version);
            let of_this: Vec<_> = names.iter().filter_map(|name| Some((*name, *found.get(name)?))).collect();
            notices.extend(notices_of(section, &of_this));
            let shared = names.iter().any(|name| self.is_shared(section, name));
            reply.states.extend(state_of(&of_this, shared).map(|state| (section, state)));
        }
        reply.notices = notices.into_iter().collect();
        self.keep_documents(&mut reply)?;
        Ok(reply)
    }

    /// Whether a type carries other sections too, so that its presence says nothing about this one.
    fn is_shared(&self, section: Section, name: &str) -> bool {
        Section::ALL.iter().any(|other| *other != section && of_section(*other, self.version).contains(&name))
    }

    fn keep_documents(self, reply: &mut Reply) -> Result<(), SourceFault> {
        let of_types = self.types.into_iter().filter_map(|(_, pages)| pages);
        let pages = std::iter::once(self.patients).chain(of_types);
        let documents: Vec<Document> = pages.flat_map(|pages| pages.documents).collect();
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

fn seen(kind: &SearchType, pages: Option<&Pages>) -> Found {
    let Some(pages) = pages else {
        return Found { unknown: true, ..Found::default() };
    };
    let mut found = Found { truncated: pages.truncated, ..Found::default() };
    let bundles = pages.documents.iter().filter_map(|page| Bundle::of(page).ok());
    for resource in bundles.flat_map(Bundle::resources) {
        found.resources += usize::from(type_of(resource) == kind.name);
        found.failed |= read_outcome(resource).is_some_and(|facts| facts.failed);
    }
    found
}

fn notices_of(section: Section, types: &[(&'static str, Found)]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (name, found) in types {
        let kinds = [
            (found.unknown, NoticeKind::NotSupported),
            (found.truncated, NoticeKind::CutShort),
            (found.failed, NoticeKind::Failed),
        ];
        let told = kinds.into_iter().filter(|(is_so, _)| *is_so);
        notices.extend(
            told.map(|(_, kind)| Notice { detail: Some((*name).to_owned()), ..Notice::about(kind, section) }),
        );
    }
    notices
}

/// The state of a section; nothing where only its statements can tell.
fn state_of(types: &[(&'static str, Found)], shared: bool) -> Option<SectionState> {
    let any = |is_so: fn(&Found) -> bool| types.iter().any(|(_, found)| is_so(found));
    let gaps = any(|found| found.truncated || found.failed);
    if types.is_empty() {
        Some(SectionState::NotHeld)
    } else if types.iter().all(|(_, found)| found.unknown) {
        Some(SectionState::Failed)
    } else if any(|found| found.resources > 0) {
        match (gaps, shared) {
            (true, _) => Some(SectionState::Partial),
            (false, true) => None,
            (false, false) => Some(SectionState::Content),
        }
    } else if gaps {
        Some(SectionState::Failed)
    } else {
        Some(SectionState::Empty)
    }
}
