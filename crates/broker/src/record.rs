//! One record request through the rooms: policy, intent, fan-out, merge, disclosure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;
use tributary_audit::{BreakGlass, Digest, Made, Outcome, SourceEntry};
use tributary_fhir::Reply;
use tributary_merge::view::SourceRow;
use tributary_merge::{
    Answer as SourceAnswer, Heard, Inputs, Overview, Record, RecordView, SourceCard, SummaryFrame,
    Withholding, merge, withhold,
};
use tributary_model::{
    Completeness, Demographics, FaultClass, FhirDate, Handling, Lease, NhsNumber, Obligations, PatientNote,
    RecordForm, RecordRequest, SectionSet, SourceFault, SourceId, SourceStatus, StatusClass, StreamId, Tally,
    Views,
};
use tributary_telemetry::Work;

use crate::admission::{self, Answered};
use crate::answer::{Answer, Verdict};
use crate::attachment::Addresses;
use crate::broker::{Located, Room};
use crate::cache::{Held, Kept};
use crate::counts;
use crate::flights::Ticket;
use crate::gather::{Allowed, Counting, Hearing, gather};
use crate::key::Key;
use crate::ledger::{self, Contribution, OpenIntent, Received};
use crate::memory::{self, Way};
use crate::parts::SourcePort;
use crate::refusal::{Refusal, shortest_wait};
use crate::signals::Glance;

/// Longest time for which "asked, holds nothing" is remembered, whatever may be kept of the source: a record that
/// is made meanwhile must not stay unseen for long.
const ABSENCE_MOST: Duration = Duration::from_mins(1);

/// A request that may be answered, and is on record as asked: what is left is to ask.
pub(crate) struct Opened {
    /// With the patient's present number.
    pub(crate) request: RecordRequest,
    pub(crate) obligations: Obligations,
    pub(crate) glass: BreakGlass,
    pub(crate) arrived: Ticket,
    /// The time that it had when it came.
    pub(crate) budget: Duration,
    /// Who may hold something of it, by rank.
    pub(crate) ports: Vec<Arc<SourcePort>>,
    pub(crate) about: About,
    /// The memory that its work takes.
    pub(crate) lease: Lease,
    pub(crate) intent: OpenIntent,
    pub(crate) glance: Glance,
}

impl Opened {
    /// What it may ask for.
    pub(crate) fn allowed(&self, resumes: Option<StreamId>) -> Allowed<'_> {
        Allowed { obligations: &self.obligations, glass: self.glass, arrived: self.arrived, resumes }
    }
}

/// Everything that comes before the first ask: the policy's word, whom to ask, the memory for it, and the intent on
/// record.
pub(crate) async fn open(room: &Arc<Room>, request: RecordRequest) -> Result<Opened, Refusal> {
    let (arrived, budget) = (room.flights.draw(), request.deadline.remaining());
    let access = ledger::access(room, &request, request.sections);
    let (sections, deadline) = (request.sections, request.deadline);
    let obligations = admission::permitted(room, &access, sections, Answered::Merged, deadline).await?;
    // What was permitted for one purpose may be done for another, as when a record is made again to compare it.
    let access = ledger::as_recorded(room, access);
    let located = admission::located(room, &access, request.patient, deadline).await?;
    let access = ledger::now_known_as(access, located.patient);
    let request = RecordRequest { patient: located.patient, ..request };
    // A source that serves nothing of what was asked for is not expected to say anything.
    let Located { mut ports, notes, pds, .. } = located;
    ports.retain(|port| !port.card.serves.and(sections).is_empty());
    if ports.is_empty() {
        // Nobody was asked, so nobody can be said to hold nothing.
        return Err(Refusal::NoSuchSource);
    }
    // Nobody is asked for what there would be no room for.
    let glass = access.break_glass;
    let allowed = Allowed { obligations: &obligations, glass, arrived, resumes: None };
    let asked: Vec<_> = ports.iter().filter(|port| !allowed.of(port).is_empty()).cloned().collect();
    let lease = room.memory.reserve(&asked, Way::Record)?;
    let expected = asked.iter().map(|port| port.card.id.clone()).collect();
    let glance = Glance::of(&access, pds.as_ref());
    let rule = Arc::clone(&obligations.rule);
    let intent = ledger::intend(room, access, rule, expected, deadline).await?;
    let found = ports.iter().filter(|port| !room.ports.contains_key(&port.card.id)).cloned().collect();
    // Whatever was asked for has its place in the record, if only to say that it is not shown.
    let about = About {
        patient: request.patient,
        sections,
        views: Arc::clone(&obligations.views),
        handling: request.handling,
        writing: Writing::Whole(request.form),
        public_root: Arc::clone(&request.public_root),
        notes,
        pds,
        found,
    };
    Ok(Opened { request, obligations, glass, arrived, budget, ports, about, lease, intent, glance })
}

/// Answers a request.
pub(crate) async fn answer(room: &Arc<Room>, request: RecordRequest) -> Result<Answer, Refusal> {
    made(room, request, |_record| ()).await.map(|(answer, ())| answer)
}

/// The same, and the record in words. It holds no statement unless the verdict is a record.
pub(crate) async fn answer_in_words(
    room: &Arc<Room>,
    request: RecordRequest,
) -> Result<(Answer, RecordView), Refusal> {
    let (answer, view) = made(room, request, in_words).await?;
    let view = if answer.verdict.is_record() { view } else { without_statements(view) };
    let view = RecordView { sources: answer.sources.clone(), ..view };
    Ok((answer, view))
}

/// A record in words. A function of its own, so that it fits records of any life.
fn in_words(record: &Record<'_>) -> RecordView {
    record.to_view()
}

/// Answers a request, and gives what `words` makes of the record beside its body.
async fn made<W: Send + 'static>(
    room: &Arc<Room>,
    request: RecordRequest,
    words: Words<W>,
) -> Result<(Answer, W), Refusal> {
    let opened = open(room, request).await?;
    let heard = gather(room, &opened.ports, &opened.request, opened.allowed(None)).await;
    let Opened { request, ports, about, lease, intent, glance, budget, .. } = opened;
    let views = Arc::clone(&about.views);
    let answers = heard.iter().map(|one| one.answer.clone()).collect();
    let merging = merge_all(room, Arc::new(about), Material { answers, lease }, words);
    // A record that takes too long to merge must not hold its caller past the deadline.
    let merged = tokio::time::timeout_at(request.deadline.instant(), merging).await;
    let (merged, mut lease) = merged.map_err(|_late| Refusal::Internal)??;
    for rule in &merged.rules {
        room.metrics.discrepancy(rule);
    }
    let entries = settle(room, &request, &merged, &heard, &ports);
    let verdict = merged.verdict;
    let told = outcome(room, &merged, &request, verdict.http());
    let body = Bytes::from(merged.body);
    memory::hold(&mut lease, body.len());
    let audit = intent.disclose(entries, told, None, request.deadline).await?;
    room.saw(&glance);
    remember(room, &merged.statuses, &heard);
    room.metrics.record_answered(merged.tally.completeness());
    counts::answered(room, &merged.overview, &ports, request.deadline.share_used(budget));
    counts::removed(room, &views, &ports, request.sections);
    let mut sources = merged.overview.sources;
    show_timings(&mut sources, &heard);
    Ok((Answer { verdict, tally: merged.tally, audit, body, sources, lease }, merged.words))
}

/// What is put on record of a record that was made.
pub(crate) fn outcome<W>(room: &Room, merged: &Merged<W>, request: &RecordRequest, http: u16) -> Outcome {
    let (completeness, rules) = (merged.tally.completeness(), merged.rules.clone());
    let told = ledger::outcome(http, completeness, Some(merged.body.as_bytes()), rules);
    let since = request.since.map(FhirDate::key);
    let [maps, codelists] = room.codes;
    let made = Made { as_of: merged.as_of.to_string(), form: merged.form.code(), since, maps, codelists };
    Outcome { made: Some(made), ..told }
}

/// What a record is made of, and the memory that it takes.
pub(crate) struct Material {
    pub(crate) answers: Vec<SourceAnswer>,
    pub(crate) lease: Lease,
}

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// As a whole, in a form.
    Whole(RecordForm),
    /// As the pieces of a stream, and as lines for the audit log.
    InPieces,
}

impl Writing {
    /// The form in which it can be made again.
    const fn form(self) -> RecordForm {
        match self {
            Self::Whole(form) => form,
            Self::InPieces => RecordForm::Lines,
        }
    }
}

/// What a record is about.
pub(crate) struct About {
    pub(crate) patient: NhsNumber,
    /// The sections asked for, whether shown or not.
    pub(crate) sections: SectionSet,
    pub(crate) views: Arc<Views>,
    pub(crate) handling: Handling,
    pub(crate) writing: Writing,
    /// The address below which callers reach this broker.
    pub(crate) public_root: Arc<str>,
    pub(crate) notes: Vec<PatientNote>,
    /// Who the patient is, as traced.
    pub(crate) pds: Option<Demographics>,
    /// Sources that are in no registry.
    pub(crate) found: Vec<Arc<SourcePort>>,
}

/// Makes of a record what its reader needs beside its body. Pages need it in words; programs need nothing, and do not
/// pay for words.
pub(crate) type Words<W> = fn(&Record<'_>) -> W;

/// What a merge leaves behind, free of the answers it was made from.
pub(crate) struct Merged<W> {
    pub(crate) verdict: Verdict,
    pub(crate) body: String,
    pub(crate) overview: Overview,
    pub(crate) words: W,
    pub(crate) tally: Tally,
    pub(crate) statuses: Statuses,
    pub(crate) rules: Vec<&'static str>,
    pub(crate) as_of: Timestamp,
    form: RecordForm,
}

pub(crate) type Statuses = BTreeMap<SourceId, (SourceStatus, Option<FaultClass>)>;

/// Merges in the workshop when there is more to merge than a handful of statements: no record must delay the others,
/// nor those who are refused.
pub(crate) async fn merge_all<W: Send + 'static>(
    room: &Arc<Room>,
    about: Arc<About>,
    Material { answers, mut lease }: Material,
    words: Words<W>,
) -> Result<(Merged<W>, Lease), Refusal> {
    let replies = || {
        answers.iter().filter_map(|one| if let Heard::Reply(reply) = &one.heard { Some(reply) } else { None })
    };
    let (bytes, sources) = (replies().map(|reply| reply.bytes).sum::<u64>(), answers.len());
    room.memory.work_on(&mut lease, weight(replies()))?;
    let shared = Arc::clone(room);
    // What it takes is held until it is done, even if nobody waits for it any more.
    let work = move || {
        let merged = merge_now(&shared, &about, &answers, words);
        merged.map(|merged| (merged, lease))
    };
    let began = Instant::now();
    let done = if bytes > room.limits.merge_inline_bytes {
        room.workshop.done(work).await.map_err(|_undone| Refusal::Internal)?
    } else {
        work()
    };
    let elapsed = began.elapsed();
    room.metrics.merged(elapsed.as_secs_f64());
    room.metrics.spans().note(elapsed, || Work::Merge { sources, bytes });
    done
}

/// What replies take in memory.
pub(crate) fn weight<'r>(replies: impl Iterator<Item = &'r Arc<Reply>>) -> u64 {
    u64::try_from(replies.map(|reply| reply.weight()).sum::<usize>()).unwrap_or(u64::MAX)
}

fn merge_now<W>(
    room: &Room,
    about: &About,
    answers: &[SourceAnswer],
    words: Words<W>,
) -> Result<Merged<W>, Refusal> {
    let as_of = room.clock.now();
    let found = about.found.iter().map(|port| port.card_now());
    let registry: Cow<'_, [SourceCard]> = if about.found.is_empty() {
        Cow::Borrowed(&room.cards)
    } else {
        Cow::Owned(room.cards.iter().cloned().chain(found).collect())
    };
    let addresses = Addresses { room, patient: about.patient, root: &about.public_root };
    let withheld = withhold(Withholding {
        patient: about.patient,
        as_of,
        pds: about.pds.as_ref(),
        registry: &registry,
        answers,
        maps: &room.maps,
        views: &about.views,
        lists: &room.lists,
    });
    let inputs = Inputs {
        patient: about.patient,
        as_of,
        sections: about.sections,
        registry: &registry,
        answers: withheld.screened(),
        notes: &about.notes,
        pds: about.pds.as_ref(),
        maps: &room.maps,
        attachments: Some(&addresses),
        prompts: room.prompts,
    };
    let record = merge(inputs);
    let statuses = record.statuses().map(|(id, status, fault)| (id.clone(), (status, fault))).collect();
    let faults =
        answers.iter().filter_map(|one| if let Heard::Fault(fault) = one.heard { Some(fault) } else { None });
    let form = about.writing.form();
    let verdict = verdict(&statuses, about.handling, shortest_wait(faults));
    let is_growing = about.writing == Writing::InPieces;
    Ok(Merged {
        verdict,
        // What grows is told as far as it has come, even if that is nothing.
        body: if is_growing || verdict.is_record() {
            written(room, &record, form)?
        } else {
            record.to_outcome()
        },
        overview: record.overview(),
        words: words(&record),
        form,
        tally: record.tally(),
        statuses,
        rules: record.rules().collect(),
        as_of,
    })
}

fn written(room: &Room, record: &Record<'_>, form: RecordForm) -> Result<String, Refusal> {
    match form {
        RecordForm::R4 | RecordForm::Print => Ok(record.to_r4()),
        // It reads our own text, so a text that cannot be read is our own mistake.
        RecordForm::Stu3 => record.to_stu3().map_err(|_class| Refusal::Internal),
        RecordForm::Lines => Ok(record.to_lines()),
        RecordForm::Summary => Ok(record.to_summary(&SummaryFrame { custodian: room.custodian.as_ref() })),
    }
}

/// Counts and remembers what became of every source; gives the entries of the disclosure record.
fn settle(
    room: &Room,
    request: &RecordRequest,
    merged: &Merged<impl Sized>,
    heard: &[Hearing],
    ports: &[Arc<SourcePort>],
) -> Vec<SourceEntry> {
    let port = |one: &Hearing| ports.iter().find(|port| port.card.id == one.answer.source);
    let all = heard.iter().filter_map(|one| Some((one, port(one)?)));
    all.map(|(one, port)| {
        let became = Became::of(one, &merged.statuses);
        became.count(room, request, one, port);
        became.note(room, one);
        became.entry(one)
    })
    .collect()
}

/// What became of a source: what it said, and what the merge made of that.
#[derive(Clone, Copy)]
pub(crate) struct Became {
    pub(crate) status: SourceStatus,
    class: Option<FaultClass>,
    fault: Option<SourceFault>,
}

impl Became {
    pub(crate) fn of(one: &Hearing, statuses: &Statuses) -> Self {
        let known = statuses.get(&one.answer.source).copied();
        let (status, class) = known.unwrap_or((SourceStatus::Unavailable, Some(FaultClass::Internal)));
        let fault = match &one.answer.heard {
            Heard::Fault(fault) => Some(*fault),
            Heard::Reply(_) | Heard::Pending => class.map(SourceFault::new),
        };
        Self { status, class, fault }
    }

    /// Counts it.
    pub(crate) fn count(self, room: &Room, request: &RecordRequest, one: &Hearing, port: &SourcePort) {
        let Self { status, class, fault } = self;
        let source = &one.answer.source;
        // What came from memory, or was not asked, says nothing about how fast the source is; what several share is
        // one ask.
        if one.counting == Counting::Here {
            if status != SourceStatus::NotQueried {
                let class = fault.map(|fault| fault.class);
                room.metrics.sources().asked(&port.counted_as, status, class, one.elapsed.as_secs_f64());
            }
            if let Some(fault) = fault {
                room.metrics.sources().failed(&port.counted_as, fault.class);
            }
        }
        if status == SourceStatus::IdentityMismatch {
            let reason = class.unwrap_or(FaultClass::IdentityNumber);
            room.quarantine(request.id, Some(request.patient), source, (one.fetch, reason));
        }
    }

    /// Remembers that the source answered.
    pub(crate) fn note(self, room: &Room, one: &Hearing) {
        let Self { status, class, .. } = self;
        let is_withheld = class == Some(FaultClass::NotPermitted);
        if !is_withheld && (status.carries_statements() || status.class() == StatusClass::Answered) {
            room.note_answer(&one.answer.source, one.answer.fetched_at);
        }
    }

    /// Its entry in the disclosure record.
    pub(crate) fn entry(self, one: &Hearing) -> SourceEntry {
        let Self { status, fault, .. } = self;
        let body = one.reply().map(|reply| Received {
            bytes: reply.bytes,
            digest: Digest::from_hex(&reply.digest),
            content: one.content(),
            attempts: reply.attempts,
        });
        let source = &one.answer.source;
        Contribution { source, status, fault, body, elapsed: one.elapsed, fetch: one.fetch }.entry()
    }
}

/// Keeps what may be kept: replies proved to be the patient's, and that there is none. Not before the disclosure
/// that names their fetch is on record.
pub(crate) fn remember(room: &Room, statuses: &Statuses, heard: &[Hearing]) {
    for one in heard {
        let Some((keep, ttl)) = one.keep.as_ref().and_then(|keep| Some((keep, keep.ttl?))) else { continue };
        let ttl = if one.reply().is_some() { ttl } else { ttl.min(ABSENCE_MOST) };
        keep_one(room, statuses, one, (&keep.key, keep.landed + ttl));
    }
}

/// Keeps what a source said, if it is proved, or that it holds nothing.
pub(crate) fn keep_one(room: &Room, statuses: &Statuses, one: &Hearing, (key, until): (&Key, Instant)) {
    let source = &one.answer.source;
    let is_proved = statuses.get(source).is_some_and(|(status, _)| status.carries_statements());
    let held = match &one.answer.heard {
        Heard::Reply(reply) if is_proved => Held::Reply(Arc::clone(reply)),
        Heard::Fault(fault) if fault.class == FaultClass::NoRecord => Held::Nothing(*fault),
        Heard::Reply(_) | Heard::Fault(_) | Heard::Pending => return,
    };
    let Some(keep) = one.keep.as_ref().filter(|_| !room.mixups.is_off(source)) else { return };
    let Some(fetch) = one.fetch else { return };
    let (content, fetched_at) = (one.content(), one.answer.fetched_at);
    room.cache.keep(key, Kept { held, content, fetched_at, fetch, began: keep.began, until });
}

/// What the statuses amount to; `wait` is what callers are told if all were too busy.
fn verdict(statuses: &Statuses, handling: Handling, wait: Duration) -> Verdict {
    let all =
        |wanted: SourceStatus| !statuses.is_empty() && statuses.values().all(|(status, _)| *status == wanted);
    let tally = Tally::of(statuses.values().map(|(status, _)| *status));
    if all(SourceStatus::NoRecord) {
        return Verdict::NotFound;
    }
    match tally.completeness() {
        Completeness::None if all(SourceStatus::Timeout) => Verdict::TimedOut,
        Completeness::None if all(SourceStatus::Shed) => Verdict::Shed(wait),
        Completeness::None => Verdict::Failed,
        Completeness::Partial if handling == Handling::Strict => Verdict::Incomplete,
        Completeness::Partial | Completeness::Complete | Completeness::CompleteWithheld => Verdict::Record,
    }
}

/// The view of an answer that is no record: who did not answer, and nothing else.
fn without_statements(mut view: RecordView) -> RecordView {
    view.sections.clear();
    view.discrepancies.clear();
    let nhs_number = std::mem::take(&mut view.patient.nhs_number);
    view.patient = tributary_merge::view::PatientView { nhs_number, ..Default::default() };
    view
}

/// How long each source really took. The bundle does not say so under a fixed clock; people may know.
pub(crate) fn show_timings(sources: &mut [SourceRow], heard: &[Hearing]) {
    for row in sources {
        if let Some(one) = heard.iter().find(|one| one.answer.source == row.id) {
            row.latency_ms = u64::try_from(one.elapsed.as_millis()).unwrap_or(u64::MAX);
        }
    }
}

#[cfg(test)]
mod tests;
