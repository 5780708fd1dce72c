//! Statuses and gaps in words fit for a clinician: plain, complete, never reassuring by accident.

use tributary_fhir::Notice;
use tributary_model::{FaultClass, FhirDate, NoticeKind, Section, SectionState, SourceKind, SourceStatus};

use crate::gaps::SourceRecord;

/// What stands for a section that a role does not see. It never says whether there is anything.
pub(crate) const NOT_FOR_ROLE: &str = "Not shown for your role.";

/// What became of a source, in words.
pub(crate) fn status(source: &SourceRecord<'_>) -> String {
    let name = &source.card.name;
    if source.pending {
        return format!("{name} has not answered yet.");
    }
    if let Some(sentence) = source.fault.and_then(|fault| unlocated(name, fault.class)) {
        return sentence;
    }
    let sentence = match source.status {
        SourceStatus::Ok => format!("{name} answered."),
        SourceStatus::OkEmpty => format!("{name} answered and holds nothing in the sections asked for."),
        SourceStatus::OkCached => format!("{name} answered earlier; shown from memory."),
        SourceStatus::OkStale => format!("{name} did not answer; an older answer is shown."),
        SourceStatus::OkTruncated => format!("{name} answered, but not for everything it was asked."),
        SourceStatus::NoRecord if source.card.kind == SourceKind::Gp => format!(
            "The GP system ({name}) did not return a record. This can mean that the patient is not registered there, \
             or that the record may not be shared."
        ),
        SourceStatus::NoRecord => format!("{name} holds no record that it can share."),
        SourceStatus::WithheldConsent => {
            format!("{name} does not share this record: the patient has not agreed.")
        }
        SourceStatus::WithheldSource => format!("{name} answered, and left some information out."),
        SourceStatus::WithheldPolicy if source.fault.is_none() => {
            format!("{name} answered. Some sections of it are not shown for your role.")
        }
        SourceStatus::WithheldPolicy => format!("What {name} holds is not shown for your role."),
        SourceStatus::Denied => format!("{name} refused the request."),
        SourceStatus::Timeout => format!("{name} did not answer in time."),
        SourceStatus::Unavailable => format!("{name} could not be reached."),
        SourceStatus::Shed => format!("{name} is too busy to answer."),
        SourceStatus::Invalid => {
            format!("{name} sent an answer that cannot be read. Nothing of it is shown.")
        }
        SourceStatus::IdentityMismatch => {
            format!(
                "{name} answered with details that do not match this patient. Nothing from {name} is shown."
            )
        }
        SourceStatus::NotQueried => format!("{name} was not asked."),
    };
    let last = source.answer.last_answered.filter(|_| !source.status.carries_statements());
    let last = last.map(|instant| {
        let local = tributary_model::date::zoned(instant);
        format!(" Last answered {}.", local.strftime("%H:%M on %d-%b-%Y"))
    });
    format!("{sentence}{}{}", maintenance(source).unwrap_or_default(), last.unwrap_or_default())
}

/// What was announced for a source that failed. A source that was reached and refused, or that sent somebody else's
/// record, failed for a reason of its own.
fn maintenance(source: &SourceRecord<'_>) -> Option<String> {
    let is_why = matches!(
        source.status,
        SourceStatus::Timeout | SourceStatus::Unavailable | SourceStatus::Shed | SourceStatus::Invalid
    );
    let now = source.answer.fetched_at;
    let on = source.card.maintenance.as_ref().filter(|announced| is_why && announced.is_on(now))?;
    let (end, today) = (tributary_model::date::zoned(on.until), tributary_model::date::zoned(now));
    let form = if end.date() == today.date() { "%H:%M" } else { "%H:%M on %d-%b-%Y" };
    let words = on.words.trim();
    let words = if words.is_empty() { String::new() } else { format!(" {words}") };
    Some(format!(" Planned maintenance until {}.{words}", end.strftime(form)))
}

/// Why a practice was not even asked, in words.
fn unlocated(name: &str, class: FaultClass) -> Option<String> {
    if class == FaultClass::NoPractice {
        let words = "The national demographics service names no GP practice that the patient is registered with \
                     now. No GP system was asked.";
        return Some(words.to_owned());
    }
    let why = if class == FaultClass::Unlocated {
        "where to ask could not be found out"
    } else if class == FaultClass::PracticeNotServed {
        "it cannot be asked from here"
    } else {
        return None;
    };
    Some(format!("{name} was not asked: {why}. Entries may exist there."))
}

/// A notice in words.
pub(crate) fn notice(source: &str, notice: &Notice) -> String {
    let place = notice.section.map_or("the record", Section::title);
    let detail = notice.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let count = notice.count.unwrap_or(0);
    let entries = if count == 1 { "entry".to_owned() } else { "entries".to_owned() };
    match notice.kind {
        NoticeKind::ConfidentialItems => format!("{place}: some information is withheld by {source}."),
        NoticeKind::DataInTransit => format!(
            "{place}: the record from the previous practice has not arrived at {source}; earlier entries may be missing."
        ),
        NoticeKind::DataAwaitingFiling => {
            format!("{place}: the list of {source} may be incomplete: letters are waiting to be filed.")
        }
        NoticeKind::NotSupported => format!("{place}: switched off or not supported at {source}{detail}."),
        NoticeKind::Failed if notice.detail.is_some() => {
            format!("{place}: {source} did not answer for a part of this section{detail}.")
        }
        NoticeKind::Failed => format!("{place}: {source} did not answer for this section."),
        NoticeKind::CutShort => format!("{place}: {source} holds more entries than could be read."),
        NoticeKind::NotTied => format!(
            "{place}: {count} {entries} of {source} that may belong here could not be tied to this patient and {} not shown.",
            if count == 1 { "is" } else { "are" }
        ),
        NoticeKind::CarriedWhole => {
            format!(
                "{place}: {count} {entries} of {source}{detail} could not be converted and are attached as sent."
            )
        }
        NoticeKind::NotUnderstood => format!(
            "{place}: {count} {entries} of {source} {} marks that are not known here. Read {} at the source.",
            if count == 1 { "carries" } else { "carry" },
            if count == 1 { "it" } else { "them" }
        ),
        NoticeKind::NoBirthDate => {
            format!("{source} gives no date of birth; accepted on the NHS number alone.")
        }
        NoticeKind::NotForRole => format!("{place}: {NOT_FOR_ROLE}"),
        NoticeKind::PartForRole => format!("{place}: {}", notice.detail.as_deref().unwrap_or(NOT_FOR_ROLE)),
        NoticeKind::PlanExists => format!("{place}: A plan exists. Ask {source}."),
        NoticeKind::UnresolvedReference => {
            format!("{count} references in the answer of {source} lead to entries it did not send.")
        }
    }
}

/// A notice in words, at a section of which less is shown of one source than of another.
pub(crate) fn notice_of(source: &str, notice: &Notice) -> String {
    let words = self::notice(source, notice);
    let is_of_role = matches!(notice.kind, NoticeKind::NotForRole | NoticeKind::PartForRole);
    if is_of_role { format!("{source}: {words}") } else { words }
}

/// What must be said at a section because of what a source did not say.
pub(crate) fn gap(source: &SourceRecord<'_>, section: Section) -> Option<String> {
    let name = &source.card.name;
    match source.states.get(&section)? {
        SectionState::Failed => Some(match source.fault {
            Some(_) => format!("Nothing from {name}: {}", status(source)),
            None => format!("{name} did not answer for this section."),
        }),
        SectionState::Withheld => Some(format!("{name} withholds entries here.")),
        SectionState::Pending => Some(format!("{name} has not answered yet.")),
        SectionState::Content
        | SectionState::Partial
        | SectionState::Empty
        | SectionState::NotAsked
        | SectionState::NotHeld => None,
    }
}

/// Why a section shows no line.
pub(crate) fn empty(sources: &[SourceRecord<'_>], section: Section) -> String {
    let names = |wanted: &[SectionState]| {
        let is_wanted = |source: &&SourceRecord<'_>| {
            source.states.get(&section).is_some_and(|state| wanted.contains(state))
        };
        sources
            .iter()
            .filter(is_wanted)
            .map(|source| source.card.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let checking = names(&[SectionState::Pending]);
    let failed = names(&[SectionState::Failed]);
    let withheld = names(&[SectionState::Withheld, SectionState::Partial]);
    let silent = names(&[SectionState::Empty]);
    let mut sentences = Vec::new();
    if !checking.is_empty() {
        sentences.push(format!("Checking: {checking}."));
    }
    if !failed.is_empty() {
        sentences.push(format!("Not known: no answer from {failed}."));
    }
    if !withheld.is_empty() {
        sentences.push(format!("May exist and not be shown: {withheld}."));
    }
    if !silent.is_empty() {
        sentences.push(format!("Asked, and nothing recorded: {silent}."));
    }
    if sentences.is_empty() {
        sentences.push("Not checked: no source was asked.".to_owned());
    }
    sentences.join(" ")
}

/// How old somebody is.
pub(crate) fn age(born: FhirDate, today: jiff::civil::Date) -> Option<i16> {
    let FhirDate::Day(born) = born else { return None };
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    Some(today.year() - born.year() - i16::from(!had_birthday)).filter(|age| *age >= 0)
}
