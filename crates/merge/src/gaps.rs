//! What is missing, from whom, and why: statuses of sources and states of sections.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::{Notice, Reply};
use tributary_model::{
    FaultClass, NoticeKind, RoleView, Section, SectionSet, SectionState, Shown, SourceFault, SourceKind,
    SourceStatus, SpineCode, StatusClass,
};

use crate::label::AllergyFacts;
use tributary_statements::cascade::{Relayed, Told};
use tributary_statements::inputs::{Answer, SourceCard};

/// What became of one expected source.
#[derive(Clone, Debug)]
pub(crate) struct SourceRecord<'a> {
    pub(crate) card: &'a SourceCard,
    pub(crate) answer: &'a Answer,
    pub(crate) status: SourceStatus,
    pub(crate) pending: bool,
    pub(crate) fault: Option<SourceFault>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) states: BTreeMap<Section, SectionState>,
    /// What a broker says of its own sources.
    pub(crate) relayed: Vec<Relayed>,
}

impl SourceRecord<'_> {
    /// The Spine code the source sent, if any.
    pub(crate) fn spine(&self) -> Option<SpineCode> {
        self.fault.and_then(|fault| fault.spine)
    }
}

/// What the merge found in an accepted answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Sections with at least one statement.
    pub(crate) sections: BTreeSet<Section>,
    /// Notices the merge itself has to give.
    pub(crate) notices: Vec<Notice>,
    /// What a broker says of its own sources.
    pub(crate) told: Option<Told>,
}

/// The record of a source that did not get in.
pub(crate) fn failed<'a>(
    card: &'a SourceCard,
    answer: &'a Answer,
    fault: SourceFault,
    asked: SectionSet,
) -> SourceRecord<'a> {
    let became = fault.status();
    let state = match became {
        SourceStatus::WithheldConsent | SourceStatus::WithheldPolicy => SectionState::Withheld,
        SourceStatus::NotQueried if fault.class == FaultClass::NothingAsked => SectionState::NotAsked,
        // A hospital that never met the patient holds nothing of him. A GP system that does not find him may
        // be hiding him: deceased, sensitive, moved away and unknown all look the same from outside.
        SourceStatus::NoRecord if card.kind != SourceKind::Gp => SectionState::Empty,
        SourceStatus::Ok
        | SourceStatus::OkEmpty
        | SourceStatus::OkCached
        | SourceStatus::OkStale
        | SourceStatus::OkTruncated
        | SourceStatus::NoRecord
        | SourceStatus::WithheldSource
        | SourceStatus::Denied
        | SourceStatus::Timeout
        | SourceStatus::Unavailable
        | SourceStatus::Shed
        | SourceStatus::Invalid
        | SourceStatus::IdentityMismatch
        | SourceStatus::NotQueried => SectionState::Failed,
    };
    let states = asked.iter().map(|section| (section, serve(card, section, state))).collect();
    SourceRecord {
        card,
        answer,
        status: became,
        pending: false,
        fault: Some(fault),
        notices: Vec::new(),
        states,
        relayed: Vec::new(),
    }
}

/// The record of a source that has not answered yet.
pub(crate) fn pending<'a>(card: &'a SourceCard, answer: &'a Answer, asked: SectionSet) -> SourceRecord<'a> {
    let fault = SourceFault::new(FaultClass::NoHead);
    let states = asked.iter().map(|section| (section, serve(card, section, SectionState::Pending))).collect();
    SourceRecord {
        card,
        answer,
        status: fault.status(),
        pending: true,
        fault: None,
        notices: Vec::new(),
        states,
        relayed: Vec::new(),
    }
}

fn serve(card: &SourceCard, section: Section, state: SectionState) -> SectionState {
    if card.serves.contains(section) { state } else { SectionState::NotHeld }
}

/// The record of an accepted answer.
pub(crate) fn accepted<'a>(
    card: &'a SourceCard,
    answer: &'a Answer,
    reply: &Reply,
    found: Found,
    asked: SectionSet,
) -> SourceRecord<'a> {
    // The same notice twice, from two pages or two requests, is one.
    let once: BTreeSet<&Notice> = reply.notices.iter().collect();
    let notices = one_of_each(once.into_iter().cloned().chain(found.notices));
    let states: BTreeMap<Section, SectionState> = asked
        .iter()
        .map(|section| {
            let told = told(reply, found.told.as_ref(), section);
            let is_asked = card.serves.contains(section) && reply.asked.contains(section);
            let unasked =
                if card.serves.contains(section) { SectionState::NotAsked } else { SectionState::NotHeld };
            let has_content = found.sections.contains(&section);
            let of_section: Vec<&Notice> =
                notices.iter().filter(|one| one.section == Some(section)).collect();
            let state = match (is_asked, has_content) {
                (true, _) => state(told, has_content, &of_section),
                (false, true) => SectionState::Content,
                (false, false) => unasked,
            };
            (section, state)
        })
        .collect();
    let brought = found.sections.iter().any(|section| asked.contains(*section));
    let became = status(answer, reply, &notices, &states, brought);
    let worst = found.told.as_ref().and_then(|told| told.worst);
    let relayed = found.told.map(|told| told.relayed).unwrap_or_default();
    let became = beneath(became, worst);
    SourceRecord { card, answer, status: became, pending: false, fault: None, notices, states, relayed }
}

/// A broker is no better than the worst of its own sources.
const fn beneath(became: SourceStatus, worst: Option<StatusClass>) -> SourceStatus {
    match (worst, became) {
        (Some(StatusClass::Missing | StatusClass::Degraded), _) => SourceStatus::OkTruncated,
        (Some(StatusClass::Withheld), SourceStatus::Ok | SourceStatus::OkCached | SourceStatus::OkEmpty) => {
            SourceStatus::WithheldSource
        }
        _ => became,
    }
}

/// What is known of a section besides its content: what the connector saw, or what a broker says of its sources.
fn told(reply: &Reply, broker: Option<&Told>, section: Section) -> SectionState {
    let seen = reply.states.get(&section).copied();
    seen.or_else(|| broker?.states.get(&section).copied()).unwrap_or(SectionState::Content)
}

/// One notice for each section and kind: counts added up, details put side by side.
fn one_of_each(notices: impl Iterator<Item = Notice>) -> Vec<Notice> {
    type Sum = (BTreeSet<String>, Option<u32>);
    let mut sums: BTreeMap<(NoticeKind, Option<Section>), Sum> = BTreeMap::new();
    for one in notices {
        let (details, count) = sums.entry((one.kind, one.section)).or_default();
        details.extend(one.detail);
        if let Some(more) = one.count {
            *count = Some(count.unwrap_or(0).saturating_add(more));
        }
    }
    let one = |((kind, section), (details, count)): ((NoticeKind, Option<Section>), Sum)| {
        let detail = details.into_iter().reduce(|all, detail| format!("{all}, {detail}"));
        Notice { kind, section, count, detail }
    };
    sums.into_iter().map(one).collect()
}

/// What a role's view makes of a source's record. It looks at the view and the registry, never at what was withheld,
/// so that nobody can conclude from it whether there was anything.
pub(crate) fn for_role(source: &mut SourceRecord<'_>, view: RoleView, asked: SectionSet) {
    if view.is_whole() {
        return;
    }
    source.notices.retain(|notice| notice.section.is_none_or(|section| !view.hides(section)));
    let serves = source.card.serves;
    let is_accepted = !source.pending && source.fault.is_none();
    for (section, state) in &mut source.states {
        let shown = view.shown(*section);
        let about = match shown {
            Shown::Hidden => Some(Notice::about(NoticeKind::NotForRole, *section)),
            Shown::Limited(limit) => {
                let detail = Some(limit.words());
                Some(Notice { detail, ..Notice::about(NoticeKind::PartForRole, *section) })
            }
            Shown::Whole => None,
        };
        source.notices.extend(about.filter(|_| serves.contains(*section)));
        if shown == Shown::Hidden {
            *state = serve(source.card, *section, SectionState::NotAsked);
        } else if is_accepted && matches!(state, SectionState::Content | SectionState::Empty) {
            // Entries may have been withheld: what is there may not be all, and nothing is not none.
            *state = SectionState::Partial;
        }
    }
    source.notices.sort();
    if !is_accepted {
        return;
    }
    let hides = asked.and(serves).iter().any(|section| view.hides(section));
    let is_sound = matches!(source.status, SourceStatus::Ok | SourceStatus::OkEmpty | SourceStatus::OkCached);
    if is_sound && hides {
        source.status = SourceStatus::WithheldPolicy;
    } else if source.status == SourceStatus::OkEmpty {
        source.status = SourceStatus::Ok;
    }
}

fn is_warning(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::ConfidentialItems | NoticeKind::DataInTransit | NoticeKind::DataAwaitingFiling)
}

/// Whether a notice says that something of its section is missing.
fn is_lack(kind: NoticeKind) -> bool {
    match kind {
        NoticeKind::ConfidentialItems
        | NoticeKind::DataInTransit
        | NoticeKind::DataAwaitingFiling
        | NoticeKind::NotSupported
        | NoticeKind::Failed
        | NoticeKind::CutShort
        | NoticeKind::NotTied
        | NoticeKind::CarriedWhole
        | NoticeKind::NotUnderstood => true,
        NoticeKind::NoBirthDate
        | NoticeKind::UnresolvedReference
        | NoticeKind::NotForRole
        | NoticeKind::PartForRole
        | NoticeKind::PlanExists => false,
    }
}

fn status(
    answer: &Answer,
    reply: &Reply,
    notices: &[Notice],
    states: &BTreeMap<Section, SectionState>,
    brought: bool,
) -> SourceStatus {
    let of_state = |wanted: SectionState| states.iter().filter(move |(_, state)| **state == wanted);
    // A section may be switched off at the source, and say so. One that stays silent was not answered.
    let explained = |section: Section| {
        notices.iter().any(|one| one.section == Some(section) && one.kind == NoticeKind::NotSupported)
    };
    let silent = of_state(SectionState::Failed).any(|(section, _)| !explained(*section));
    let answered_all = states
        .values()
        .all(|state| matches!(state, SectionState::Empty | SectionState::NotHeld | SectionState::NotAsked));
    if reply.truncated {
        SourceStatus::OkTruncated
    } else if notices.iter().any(|notice| is_warning(notice.kind)) {
        // What the source says about itself comes first; sections it was silent on have notices of their own.
        SourceStatus::WithheldSource
    } else if silent {
        SourceStatus::OkTruncated
    } else if answered_all {
        SourceStatus::OkEmpty
    } else if !brought {
        // It answered, and of what it was asked nothing is known for certain.
        SourceStatus::OkTruncated
    } else if answer.cached {
        SourceStatus::OkCached
    } else {
        SourceStatus::Ok
    }
}

fn state(told: SectionState, has_content: bool, notices: &[&Notice]) -> SectionState {
    let lacks = notices.iter().any(|notice| is_lack(notice.kind));
    let is_confidential = notices.iter().any(|notice| notice.kind == NoticeKind::ConfidentialItems);
    // What the connector saw on the wire is never made better here.
    let short = match told {
        SectionState::Content | SectionState::Empty | SectionState::Pending => lacks,
        SectionState::Failed
        | SectionState::Partial
        | SectionState::Withheld
        | SectionState::NotAsked
        | SectionState::NotHeld => true,
    };
    if has_content {
        return if short { SectionState::Partial } else { SectionState::Content };
    }
    match told {
        SectionState::Failed | SectionState::NotAsked | SectionState::NotHeld | SectionState::Withheld => {
            told
        }
        SectionState::Content | SectionState::Empty | SectionState::Partial | SectionState::Pending => {
            if is_confidential {
                SectionState::Withheld
            } else if short {
                SectionState::Partial
            } else {
                SectionState::Empty
            }
        }
    }
}

/// One state for a section over all sources: the one a reader must not miss.
pub(crate) fn overall(sources: &[SourceRecord<'_>], section: Section) -> SectionState {
    let states = sources.iter().filter_map(|source| source.states.get(&section).copied());
    states.min_by_key(|state| place(*state)).unwrap_or(SectionState::NotHeld)
}

/// Which of several states is told: the first of them.
const fn place(state: SectionState) -> u8 {
    match state {
        SectionState::Pending => 0,
        SectionState::Failed => 1,
        SectionState::Withheld => 2,
        SectionState::Partial => 3,
        SectionState::Content => 4,
        // Whoever was not asked may hold something: nothing is said of the others' emptiness before it.
        SectionState::NotAsked => 5,
        SectionState::Empty => 6,
        SectionState::NotHeld => 7,
    }
}

/// What the sources' states mean for the allergy label.
pub(crate) fn allergy_gaps(sources: &[SourceRecord<'_>]) -> AllergyFacts {
    let states = || sources.iter().filter_map(|source| source.states.get(&Section::Allergies));
    AllergyFacts {
        unsure: states().any(|state| {
            // A source that holds allergies and was not asked for them is as silent as one that failed.
            matches!(
                state,
                SectionState::Failed
                    | SectionState::Withheld
                    | SectionState::Partial
                    | SectionState::NotAsked
            )
        }),
        answered: states().any(|state| {
            matches!(state, SectionState::Content | SectionState::Partial | SectionState::Empty)
        }),
        pending: states().any(|state| *state == SectionState::Pending),
        ..AllergyFacts::default()
    }
}
