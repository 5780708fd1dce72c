//! `POST /fhir/R4/Patient/$record` as an event stream (HTML Living Standard, 9.2; contract, 4).
//!
//! A part that was sent is sent again only when it has changed. Ids ascend through all connections of one stream:
//! whoever comes back with the last one within a minute is told what is new to them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use tributary_bounds::Problem;
use tributary_broker::{Moment, Stage};
use tributary_model::{Lease, RecordRequest, Section, SourceId, StreamId};

use super::record::from_refusal;
use crate::body::{Grown, ReplyBody};
use crate::desk::Moments;
use crate::exchange::{Exchange, Reply, reply, set, text};
use crate::house::House;
use crate::render::outcome::{Dialect, r4, respond};

/// The media type of a stream.
const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";
/// A stream that says nothing for so long says so, for those in between who close what is silent.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// For so long a stream that was cut off can be gone on with.
const RESUMES_WITHIN: Duration = Duration::from_mins(1);
/// Most streams that can be gone on with. Of more, those cut off longest ago begin anew.
const MOST_CUT_OFF: usize = 4_096;

/// Answers with a stream.
pub(crate) async fn events(exchange: Exchange, request: RecordRequest) -> Reply {
    let seen = match Seen::of(&exchange.headers) {
        Ok(seen) => seen,
        Err(problem) => return respond(Dialect::R4, problem),
    };
    let house = Arc::clone(&exchange.edge.house);
    let told = Told::begin(&house, Question::of(&house, &request), seen);
    let ids = (told.id, seen.map(|seen| seen.stream));
    let moments = match exchange.edge.desk.stream(request, ids).await {
        Ok(moments) => moments,
        Err(refusal) => return respond(Dialect::R4, from_refusal(refusal)),
    };
    let desk = Arc::clone(&exchange.edge.desk);
    let mut reply = reply(StatusCode::OK, EVENT_STREAM, Bytes::new());
    *reply.body_mut() = ReplyBody::growing(desk, Telling { told, moments, has_ended: false }.parts().boxed());
    set(&mut reply, "tributary-config", &exchange.edge.settings.config);
    // A proxy that collects answers before it passes them on would make a stream useless.
    set(&mut reply, "x-accel-buffering", "no");
    reply
}

/// The last event that a caller has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    number: u64,
    stream: StreamId,
}

impl Seen {
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        const NAME: &str = "Last-Event-ID";
        if !headers.contains_key(NAME) {
            return Ok(None);
        }
        let read = |id: &str| {
            let (number, stream) = id.split_once('-')?;
            Some(Self { number: number.parse().ok()?, stream: StreamId::parse(stream)? })
        };
        let seen = text(headers, NAME).and_then(read);
        seen.map(Some).ok_or_else(|| Problem::bad("This is no id of an event of ours.").naming(NAME))
    }
}

/// Who asks what about whom, as a digest under a key of this process: it is remembered longer than the request lasts.
/// Another question is never gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question(u64);

impl Question {
    fn of(house: &House, request: &RecordRequest) -> Self {
        let who = &request.requester;
        let asked = (request.patient, request.sections, request.purpose);
        Self(house.hashing.hash_one((&who.user_id, &who.organisation, who.role, asked)))
    }
}

/// A part of a record that is sent as one event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Patient,
    Source(SourceId),
    Section(Section),
}

/// What was sent of each part: a digest under a key of this process, and in which event.
type Sent = BTreeMap<Part, (u64, u64)>;

/// What a stream has told.
struct Told {
    house: Arc<House>,
    id: StreamId,
    question: Question,
    /// The number of its last event.
    last: u64,
    sent: Sent,
    is_whole: bool,
}

/// What the streams have told that were cut off.
#[derive(Debug, Default)]
pub(crate) struct CutOff(Mutex<BTreeMap<StreamId, Left>>);

/// What one had told, and when it was cut off.
#[derive(Debug)]
struct Left {
    at: Instant,
    question: Question,
    sent: Sent,
}

impl CutOff {
    fn put(&self, id: StreamId, left: Left) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, one| one.at.elapsed() < RESUMES_WITHIN);
        if all.len() >= MOST_CUT_OFF {
            let eldest = all.iter().min_by_key(|(_, one)| one.at).map(|(id, _)| *id);
            eldest.map(|id| all.remove(&id));
        }
        all.insert(id, left);
    }

    fn take(&self, id: StreamId, question: Question) -> Option<Left> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |one: &Left| one.question == question && one.at.elapsed() < RESUMES_WITHIN;
        all.get(&id).is_some_and(is_it).then(|| all.remove(&id)).flatten()
    }
}

impl Told {
    fn begin(house: &Arc<House>, question: Question, seen: Option<Seen>) -> Self {
        let left = seen.and_then(|seen| house.cut_off.take(seen.stream, question));
        let last = seen.map_or(0, |seen| seen.number);
        // What was sent after the last event that arrived did not arrive.
        let sent = left.map(|left| left.sent).unwrap_or_default();
        let sent = sent.into_iter().filter(|(_, (_, number))| *number <= last).collect();
        let house = Arc::clone(house);
        Self { house, id: StreamId::random(), question, last, sent, is_whole: false }
    }

    /// The events of a state: what has changed, and how far it has come.
    fn tell(&mut self, moment: &Moment) -> String {
        let mut events = String::new();
        self.tell_part(&mut events, ("patient", Part::Patient), &moment.pieces.patient);
        let row = if moment.stage == Stage::Late { "late" } else { "status" };
        for (source, piece) in &moment.pieces.sources {
            self.tell_part(&mut events, (row, Part::Source(source.clone())), piece);
        }
        for (section, piece) in &moment.pieces.sections {
            self.tell_part(&mut events, ("section", Part::Section(*section)), piece);
        }
        if moment.stage != Stage::Growing {
            self.write(&mut events, "complete", &complete(moment));
        }
        self.is_whole = moment.is_last;
        events
    }

    fn tell_part(&mut self, events: &mut String, (event, part): (&str, Part), piece: &str) {
        let digest = self.house.hashing.hash_one(piece);
        if self.sent.get(&part).is_some_and(|(sent, _)| *sent == digest) {
            return;
        }
        self.write(events, event, piece);
        self.sent.insert(part, (digest, self.last));
    }

    /// One event. JSON that a source wrote over several lines stays so: readers put them together again.
    fn write(&mut self, events: &mut String, event: &str, data: &str) {
        self.last += 1;
        let (number, stream) = (self.last, self.id);
        // Writing to a String cannot fail.
        let _infallible = write!(events, "id: {number}-{stream}\nevent: {event}\n");
        for line in data.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            events.push_str("data: ");
            events.push_str(line);
            events.push('\n');
        }
        events.push('\n');
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if !self.is_whole {
            let (question, sent) = (self.question, std::mem::take(&mut self.sent));
            self.house.cut_off.put(self.id, Left { at: Instant::now(), question, sent });
        }
    }
}

/// What belongs to no section, with how far the record has come.
fn complete(moment: &Moment) -> String {
    let tally = &moment.tally;
    let head = format!(
        "{{\"last\":{},\"audit\":\"{}\",\"sourcesAnswered\":{},\"sourcesExpected\":{},",
        moment.is_last, moment.audit, tally.answered, tally.expected
    );
    // The rest is an object that has members always.
    head + moment.pieces.rest.trim_start_matches('{')
}

/// A stream on its way.
struct Telling {
    told: Told,
    moments: Moments,
    has_ended: bool,
}

impl Telling {
    fn parts(self) -> impl futures_util::Stream<Item = Grown> + Send + 'static {
        futures_util::stream::unfold(self, |mut telling| async move {
            let part = telling.next().await?;
            Some((part, telling))
        })
    }

    async fn next(&mut self) -> Option<Grown> {
        if self.has_ended {
            return None;
        }
        let Ok(moment) = tokio::time::timeout(KEEP_ALIVE, self.moments.next()).await else {
            return Some(Grown::idle(b":\n\n"));
        };
        Some(match moment? {
            Ok(moment) => {
                let bytes = Bytes::from(self.told.tell(&moment));
                Grown { bytes, audit: Some(moment.audit), lease: moment.lease }
            }
            Err(refusal) => {
                self.has_ended = true;
                let mut events = String::new();
                self.told.write(&mut events, "error", &r4(&from_refusal(refusal)).to_json());
                Grown { bytes: Bytes::from(events), audit: None, lease: Lease::default() }
            }
        })
    }
}

#[cfg(test)]
mod tests;
