//! Words that are not the record's own.

use jiff::Timestamp;
use tributary_merge::view::SourceRow;
use tributary_model::date::zoned;
use tributary_model::{NoticeKind, SourceStatus, StatusClass};

/// `14:05`, and the day where it is another one.
pub(crate) fn clock(instant: Timestamp, now: Timestamp) -> String {
    let (instant, today) = (zoned(instant), zoned(now).date());
    if instant.date() == today {
        instant.strftime("%H:%M").to_string()
    } else {
        instant.strftime("%H:%M on %d-%b-%Y").to_string()
    }
}

/// What became of a source, as the strip says it. Never told by colour alone.
pub(crate) fn state(row: &SourceRow, now: Timestamp) -> String {
    if row.pending {
        return "Checking\u{2026}".to_owned();
    }
    let standing = &row.standing;
    let at = clock(standing.heard_at, now);
    let base = match row.status {
        SourceStatus::Ok | SourceStatus::WithheldSource => format!("Answered {at}"),
        SourceStatus::OkEmpty => format!("Answered {at}, holds nothing here"),
        SourceStatus::OkCached => format!("Answered from {}", ago(standing.heard_at, now)),
        SourceStatus::OkStale => format!("Did not answer. An older answer of {at} is shown"),
        SourceStatus::OkTruncated => format!("Answered {at}, not for everything"),
        SourceStatus::NoRecord => "Could not find this patient".to_owned(),
        SourceStatus::WithheldConsent => "Not allowed to share: the patient has not agreed".to_owned(),
        SourceStatus::WithheldPolicy if !standing.states.is_empty() && carries(row) => {
            format!("Answered {at}, in part not shown for your role")
        }
        SourceStatus::WithheldPolicy => "Not shown for your role".to_owned(),
        SourceStatus::Denied => "Not allowed to share".to_owned(),
        SourceStatus::Timeout => "Did not answer".to_owned(),
        SourceStatus::Unavailable => "Did not answer: could not be reached".to_owned(),
        SourceStatus::Shed => "Did not answer: too busy".to_owned(),
        SourceStatus::Invalid => "Answer could not be read: not shown".to_owned(),
        SourceStatus::IdentityMismatch => "Details did not match: not shown".to_owned(),
        SourceStatus::NotQueried => "Not asked".to_owned(),
    };
    let mut said = base;
    for lack in lacks(row) {
        said.push_str(&lack);
    }
    if !row.status.carries_statements()
        && let Some(last) = standing.last_answered
    {
        let is_today = zoned(last).date() == zoned(now).date();
        let day = if is_today { " today" } else { "" };
        said = format!("{said}. Last answered {}{day}", clock(last, now));
    }
    said
}

/// Whether something of it is on the page.
fn carries(row: &SourceRow) -> bool {
    use tributary_model::SectionState as State;
    row.standing.states.values().any(|state| matches!(state, State::Content | State::Partial | State::Empty))
}

/// What a source says that it left out, each as the end of a sentence.
fn lacks(row: &SourceRow) -> Vec<String> {
    let has = |kind: NoticeKind| row.standing.notices.iter().any(|(found, _)| *found == kind);
    let mut lacks = Vec::new();
    if has(NoticeKind::ConfidentialItems) {
        lacks.push(", some information withheld".to_owned());
    }
    if has(NoticeKind::DataInTransit) {
        lacks.push(", older records not yet transferred".to_owned());
    }
    if has(NoticeKind::DataAwaitingFiling) {
        lacks.push(", letters waiting to be filed".to_owned());
    }
    let off = row.standing.notices.iter().filter(|(kind, _)| *kind == NoticeKind::NotSupported);
    let mut off: Vec<String> =
        off.filter_map(|(_, section)| section.map(|section| section.title().to_lowercase())).collect();
    off.dedup();
    if !off.is_empty() {
        lacks.push(format!(", switched off for {}", off.join(", ")));
    }
    if row.status == SourceStatus::WithheldSource && lacks.is_empty() {
        lacks.push(", some information withheld".to_owned());
    }
    lacks
}

/// How long ago, in words.
fn ago(instant: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(instant).as_secs().max(0) / 60;
    match minutes {
        0 => "less than a minute ago".to_owned(),
        1 => "1 minute ago".to_owned(),
        more => format!("{more} minutes ago"),
    }
}

/// Whether a source's whole sentence says more than its state.
pub(crate) const fn says_more(row: &SourceRow) -> bool {
    !row.pending
        && !matches!(
            row.status,
            SourceStatus::Ok
                | SourceStatus::OkCached
                | SourceStatus::OkEmpty
                | SourceStatus::Timeout
                | SourceStatus::Unavailable
                | SourceStatus::Shed
                | SourceStatus::Denied
                | SourceStatus::WithheldConsent
                | SourceStatus::WithheldPolicy
        )
}

/// Whether asking again may help.
pub(crate) const fn may_answer(row: &SourceRow) -> bool {
    !row.pending
        && matches!(
            row.status,
            SourceStatus::Timeout
                | SourceStatus::Unavailable
                | SourceStatus::Shed
                | SourceStatus::OkStale
                | SourceStatus::OkTruncated
        )
}

/// Whether all of a source is on the page.
pub(crate) const fn is_whole(row: &SourceRow) -> bool {
    !row.pending && matches!(row.status.class(), StatusClass::Contributed | StatusClass::Answered)
}

/// A source's own word beside a title, as people say it.
pub(crate) fn fact(word: &str) -> &str {
    match word {
        "current" => "Current",
        "suspended" => "Suspended",
        "past" => "Stopped",
        "not-taken" => "Not taken",
        "do-not-give" => "Do not give",
        "unknown" => "Not known",
        other => other,
    }
}

/// What makes a statement a copy, in words.
pub(crate) fn copied(copy: &'static str) -> &'static str {
    match copy {
        "echo" => "copy of another source's entry",
        "stale-copy" => "copy of another source's entry, out of date",
        "copy-of-absent" => "copy of an entry its author no longer shows",
        "copy-unverified" => "copy, its author could not be asked",
        _ => "copy",
    }
}
