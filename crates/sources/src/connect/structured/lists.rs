//! Reads what the lists of a structured record say about its sections.
//!
//! An area that was asked comes back as a primary list, even when empty. So an absent list is a failure,
//! never an empty section; and a warning on a list means that something exists, or may exist, and was not
//! sent.

mod names;

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::bundle::type_of;
use tributary_fhir::outcome::Omissions;
use tributary_fhir::{Bundle, Json, Notice};
use tributary_model::{NoticeKind, Section, SectionSet, SectionState};

use super::areas::{AREAS, Area};
use super::is_beyond;

const WARNING_EXTENSION: &str = "Extension-CareConnect-GPC-ListWarningCode-1";
/// Leads from a problem to what belongs to it. Sources use more than one base for it.
const LINK_EXTENSION: &str = "RelatedClinicalContent-1";
/// How providers name the switched-off metadata of documents.
const DOCUMENT_METADATA: &str = "DocumentReferences";

/// What the lists say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) states: BTreeMap<Section, SectionState>,
    pub(super) notices: Vec<Notice>,
}

/// Reads the lists and the `OperationOutcome` of a bundle.
pub(super) fn read(bundle: Bundle<'_>, asked: SectionSet) -> Report {
    let mut reading = Reading::new(asked);
    for resource in bundle.resources() {
        match type_of(resource).as_ref() {
            "List" => reading.list(resource),
            "OperationOutcome" => reading.outcome(resource),
            "Condition" => reading.problem(resource),
            _ => {}
        }
    }
    reading.finish()
}

/// What was seen of one area.
#[derive(Debug)]
struct Evidence {
    area: &'static Area,
    /// Its first primary list came.
    listed: bool,
    /// Entries that refer to something.
    entries: usize,
    /// Entries that only have words, or cannot be read: the item was left out.
    words_only: usize,
    /// Some of its items are withheld.
    warned: bool,
    /// The source does not support it.
    refused: bool,
}

impl Evidence {
    const fn of(area: &'static Area) -> Self {
        Self { area, listed: false, entries: 0, words_only: 0, warned: false, refused: false }
    }

    const fn state(&self) -> SectionState {
        let gaps = self.warned || self.refused || self.words_only > 0;
        match (self.listed, self.entries, gaps) {
            (false, _, _) => SectionState::Failed,
            (true, 0, _) if self.refused => SectionState::Failed,
            (true, 0, true) => SectionState::Withheld,
            (true, 0, false) => SectionState::Empty,
            (true, _, true) => SectionState::Partial,
            (true, _, false) => SectionState::Content,
        }
    }
}

struct Reading {
    asked: SectionSet,
    areas: Vec<Evidence>,
    /// Sections of which a secondary list says that items are withheld.
    warned: SectionSet,
    /// Sections of which a secondary list has items.
    linked: SectionSet,
    notices: BTreeSet<Notice>,
}

impl Reading {
    fn new(asked: SectionSet) -> Self {
        Self {
            asked,
            areas: Area::implied_by(asked).into_iter().map(Evidence::of).collect(),
            warned: SectionSet::EMPTY,
            linked: SectionSet::EMPTY,
            notices: BTreeSet::new(),
        }
    }

    fn list(&mut self, list: Json<'_>) {
        let warnings: Vec<_> = warnings(list).collect();
        let asked = self.asked;
        let primary = self.areas.iter_mut().find_map(|seen| {
            let place = names::place_of(list, seen.area)?;
            Some((seen, place))
        });
        if let Some((seen, place)) = primary {
            seen.listed |= place == 0;
            seen.warned |= !warnings.is_empty();
            for entry in list.get("entry").into_iter().flat_map(Json::each) {
                let refers = refers(entry);
                seen.entries += usize::from(refers);
                seen.words_only += usize::from(!refers);
            }
            let without = emptiness(list);
            seen.warned |= without.is_some();
            let fed: Vec<_> = seen.area.fed(asked).map(Some).collect();
            self.note(&warnings, &fed);
            self.note(without.as_slice(), &fed);
        } else if names::is_structure(list) {
            let contacts = SectionSet::EMPTY.with(Section::Encounters).and(asked);
            self.left_out(list, contacts);
            // Such a list has no warnings by the specification; one that came is not passed over.
            self.warn(&warnings, contacts);
        } else {
            self.secondary(list, &warnings);
        }
    }

    /// Reads a problem for what it is linked to: words alone say that the provider does not support the item.
    fn problem(&mut self, problem: Json<'_>) {
        let extensions = problem.get("extension").into_iter().flat_map(Json::each);
        let mut links = extensions
            .filter(|one| one.text_at("url").is_some_and(|url| url.ends_with(LINK_EXTENSION)))
            .filter_map(|one| one.get("valueReference"));
        if links.any(|link| !leads(link)) {
            self.lacks(SectionSet::EMPTY.with(Section::Problems).and(self.asked));
        }
    }

    /// Notes the entries of a list that have words only.
    fn left_out(&mut self, list: Json<'_>, sections: SectionSet) {
        if list.get("entry").into_iter().flat_map(Json::each).any(|entry| !refers(entry)) {
            self.lacks(sections);
        }
    }

    /// Notes that items are left out of sections because the provider does not support them.
    fn lacks(&mut self, sections: SectionSet) {
        self.warned = self.warned.or(sections);
        let notices = sections.iter().map(|section| Notice::about(NoticeKind::NotSupported, section));
        self.notices.extend(notices);
    }

    /// Reads a secondary list: what consultations and problems brought along.
    fn secondary(&mut self, list: Json<'_>, warnings: &[NoticeKind]) {
        let (own, cause) = names::sections_of(list, self.asked);
        // Where its own sections were not asked, it speaks of the section it came with.
        let sections = if own.is_empty() { cause } else { own };
        if list.get("entry").into_iter().flat_map(Json::each).any(refers) {
            self.linked = self.linked.or(own);
        }
        self.left_out(list, sections);
        self.warn(warnings, sections);
    }

    /// Notes the warnings of a list that is not primary; of the whole answer when it speaks of no section.
    fn warn(&mut self, warnings: &[NoticeKind], sections: SectionSet) {
        if warnings.is_empty() {
            return;
        }
        self.warned = self.warned.or(sections);
        let named: Vec<_> =
            if sections.is_empty() { vec![None] } else { sections.iter().map(Some).collect() };
        self.note(warnings, &named);
    }

    fn note(&mut self, warnings: &[NoticeKind], sections: &[Option<Section>]) {
        for section in sections {
            self.notices.extend(warnings.iter().map(|kind| Notice {
                kind: *kind,
                section: *section,
                count: None,
                detail: None,
            }));
        }
    }

    /// Reads the outcome that tells which parameters were not served.
    fn outcome(&mut self, outcome: Json<'_>) {
        for issue in outcome.get("issue").into_iter().flat_map(Json::items) {
            let severity = issue.text_at("severity").unwrap_or_default();
            let unsupported = issue.says("code", "not-supported") || has_code(issue, "NOT_IMPLEMENTED");
            let omits = Omissions::of_issue(issue);
            if unsupported {
                self.refuse(&refused_name(issue));
            } else if matches!(severity.as_ref(), "error" | "fatal") {
                self.notices.insert(unplaced(NoticeKind::Failed));
            } else if omits.suppressed {
                self.notices.insert(unplaced(NoticeKind::ConfidentialItems));
            } else if omits.incomplete {
                self.notices.insert(unplaced(NoticeKind::CutShort));
            }
        }
    }

    fn refuse(&mut self, named: &str) {
        let (parameter, part) =
            named.split_once('.').map_or((named, None), |(parameter, part)| (parameter, Some(part)));
        let asked = self.asked;
        let seen = self.areas.iter_mut().find(|seen| {
            seen.area.parameter == parameter && part.is_none_or(|part| seen.area.has_part(part))
        });
        if let Some(seen) = seen {
            seen.refused |= part.is_none();
            let sections: Vec<_> = seen.area.fed(asked).collect();
            for section in sections {
                self.notices.insert(Notice {
                    // Compared with our own names above, so it is no free text of the source.
                    detail: Some(named.to_owned()),
                    ..Notice::about(NoticeKind::NotSupported, section)
                });
            }
        } else if named == DOCUMENT_METADATA {
            self.notices.insert(Notice {
                detail: Some(DOCUMENT_METADATA.to_owned()),
                ..Notice::about(NoticeKind::NotSupported, Section::Documents)
            });
        } else {
            self.notices.insert(unplaced(NoticeKind::NotSupported));
        }
    }

    fn finish(mut self) -> Report {
        for seen in &self.areas {
            // A refused area has its notice already.
            let told = match (seen.refused, seen.listed, seen.words_only) {
                (true, _, _) | (false, true, 0) => continue,
                (false, false, _) => NoticeKind::Failed,
                (false, true, _) => NoticeKind::NotSupported,
            };
            let fed = seen.area.fed(self.asked);
            self.notices.extend(fed.map(|section| Notice::about(told, section)));
        }
        let states = self.asked.iter().filter_map(|section| Some((section, self.state(section)?)));
        Report { states: states.collect(), notices: self.notices.into_iter().collect() }
    }

    /// The state of a section; nothing where only its statements can tell.
    fn state(&self, section: Section) -> Option<SectionState> {
        if is_beyond(section) {
            return Some(SectionState::NotHeld);
        }
        let areas = self.areas.iter();
        let feeding = areas.filter(|seen| seen.area.sections.contains(&section));
        let of_areas = feeding.map(Evidence::state);
        let warned = self.warned.contains(section).then_some(SectionState::Withheld);
        let linked = self.linked.contains(section).then_some(SectionState::Content);
        let state = together(of_areas.chain(warned).chain(linked));
        let is_certain = match state {
            SectionState::Content | SectionState::Empty => is_host(section),
            SectionState::Partial
            | SectionState::Withheld
            | SectionState::Failed
            | SectionState::NotAsked
            | SectionState::NotHeld
            | SectionState::Pending => true,
        };
        is_certain.then_some(state)
    }
}

/// The state of a section that several areas feed.
pub(super) fn together(states: impl Iterator<Item = SectionState>) -> SectionState {
    let states: BTreeSet<_> = states.collect();
    let any = |state| states.contains(&state);
    let content = any(SectionState::Content) || any(SectionState::Partial);
    let gaps = any(SectionState::Partial) || any(SectionState::Withheld) || any(SectionState::Failed);
    if content && gaps {
        SectionState::Partial
    } else if content {
        SectionState::Content
    } else if any(SectionState::Failed) {
        SectionState::Failed
    } else if any(SectionState::Withheld) {
        SectionState::Withheld
    } else {
        SectionState::Empty
    }
}

/// Whether a section has an area of its own. A guest in another's list may have none of its entries.
fn is_host(section: Section) -> bool {
    AREAS.iter().any(|area| area.sections.first() == Some(&section))
}

/// Whether an entry leads to its item. One that does not stands for something that was left out.
fn refers(entry: Json<'_>) -> bool {
    entry.path(&["item"]).is_some_and(leads)
}

/// Whether a reference is an address. Some systems put the words there that belong into the display.
fn leads(reference: Json<'_>) -> bool {
    let address = reference.text_at("reference").unwrap_or_default();
    let address = address.trim();
    !address.is_empty() && !address.contains(char::is_whitespace)
}

/// What a reason for emptiness says that is more than "nothing recorded".
fn emptiness(list: Json<'_>) -> Option<NoticeKind> {
    let reason = list.get("emptyReason")?;
    let codes = reason.get("coding").into_iter().flat_map(Json::each).filter_map(|one| one.text_at("code"));
    let mut kinds = codes.filter_map(|code| match code.as_ref() {
        "withheld" => Some(NoticeKind::ConfidentialItems),
        "unavailable" | "notasked" | "notstarted" => Some(NoticeKind::Failed),
        _ => None,
    });
    kinds.next()
}

/// The name a refusal is about: in the diagnostics, or else the first word of the text. Only names of our own
/// are ever repeated, so it does not matter what else stands there.
fn refused_name(issue: Json<'_>) -> String {
    let named = issue.text_at("diagnostics").unwrap_or_default();
    if !named.trim().is_empty() {
        return named.trim().to_owned();
    }
    let text = issue.get("details").and_then(|details| details.text_at("text")).unwrap_or_default();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// The warning codes of a list. Their texts vary; only the codes count.
fn warnings(list: Json<'_>) -> impl Iterator<Item = NoticeKind> {
    let extensions = list.get("extension").into_iter().flat_map(Json::each);
    extensions
        .filter(|extension| extension.text_at("url").is_some_and(|url| url.ends_with(WARNING_EXTENSION)))
        .map(|extension| match extension.text_at("valueCode").as_deref() {
            Some("confidential-items") => NoticeKind::ConfidentialItems,
            Some("data-in-transit") => NoticeKind::DataInTransit,
            Some("data-awaiting-filing") => NoticeKind::DataAwaitingFiling,
            // A warning we do not know still means that the list is less than whole.
            Some(_) | None => NoticeKind::Failed,
        })
}

fn has_code(issue: Json<'_>, code: &str) -> bool {
    let codings = issue.get("details").and_then(|details| details.get("coding"));
    codings.into_iter().flat_map(Json::each).any(|coding| coding.says("code", code))
}

const fn unplaced(kind: NoticeKind) -> Notice {
    Notice { kind, section: None, count: None, detail: None }
}

#[cfg(test)]
mod tests;
