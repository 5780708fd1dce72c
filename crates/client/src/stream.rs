//! A record as it grows, over server-sent events.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::time::{Instant, sleep, timeout_at};
use tributary_model::FaultClass;

use crate::answer;
use crate::client::{Client, SLACK, of_send, read};
use crate::error::ClientError;
use crate::query::{self, Query};
use crate::record::{GrowingRecord, Update};
use crate::retry::spread;
use crate::sse::{Event, EventReader};

const EVENT_STREAM: &str = "text/event-stream";
/// No event is longer: one section of a record.
const MAX_EVENT: usize = 32 << 20;
/// No stream is longer: every section, again for every source.
const MAX_STREAM: usize = 256 << 20;
/// No refusal is longer.
const MAX_REFUSAL: usize = 1 << 20;
/// For so long after a loss a stream can be resumed (contract of the stream: the same node, 60 s).
const RESUMABLE: Duration = Duration::from_mins(1);
/// How long a stream may live beyond its deadline: sources that answer late are told of.
const LATE: Duration = Duration::from_mins(1);
/// A stream without so much as a comment for so long is lost, whatever the connection says.
const SILENCE: Duration = Duration::from_secs(20);
/// Before the first attempt to resume, if the server does not say; then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A record that grows. Ask for the next update until there is none; what has come stands in [`RecordStream::record`].
#[derive(Debug)]
pub struct RecordStream {
    client: Client,
    query: Query,
    body: Option<Response>,
    reader: EventReader,
    events: VecDeque<Event>,
    record: GrowingRecord,
    last_id: String,
    /// After a loss: the last id from before it, until the first event after that.
    told_before: String,
    received: usize,
    loss: Option<Loss>,
    ends: Instant,
    is_over: bool,
}

/// A lost connection.
#[derive(Clone, Copy, Debug)]
struct Loss {
    at: Instant,
    pause: Duration,
    /// Whether the next event is the first since.
    is_resumed: bool,
}

impl RecordStream {
    pub(crate) async fn open(client: Client, query: Query) -> Result<Self, ClientError> {
        client.budget().note_request();
        let ends = Instant::now() + query.terms.deadline + LATE;
        let mut stream = Self {
            client,
            query,
            body: None,
            reader: EventReader::new(MAX_EVENT),
            events: VecDeque::new(),
            record: GrowingRecord::default(),
            last_id: String::new(),
            told_before: String::new(),
            received: 0,
            loss: None,
            ends,
            is_over: false,
        };
        stream.body = Some(stream.connect().await?);
        Ok(stream)
    }

    /// The record as far as it has come.
    pub const fn record(&self) -> &GrowingRecord {
        &self.record
    }

    /// Waits for the next update; `None` at the end. After an error nothing follows, and the record is not
    /// settled unless it was before.
    pub async fn next(&mut self) -> Option<Result<Update, ClientError>> {
        loop {
            while let Some(event) = self.events.pop_front() {
                match self.take(&event) {
                    Ok(Some(update)) => return Some(Ok(update)),
                    Ok(None) => {}
                    Err(error) => return Some(Err(self.end(error))),
                }
            }
            if self.is_over {
                return None;
            }
            let more = match &self.body {
                Some(_) => self.listen().await,
                None => self.resume().await.map(|()| None),
            };
            match more {
                Ok(Some(update)) => return Some(Ok(update)),
                Ok(None) => {}
                Err(error) => return Some(Err(self.end(error))),
            }
        }
    }

    /// Waits to the end; the record that came.
    pub async fn finish(mut self) -> Result<GrowingRecord, ClientError> {
        while let Some(update) = self.next().await {
            update?;
        }
        Ok(self.record)
    }

    fn end(&mut self, error: ClientError) -> ClientError {
        self.is_over = true;
        self.body = None;
        self.events.clear();
        error
    }

    /// Waits for bytes; tells if there will be none.
    async fn listen(&mut self) -> Result<Option<Update>, ClientError> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let by = self.ends.min(Instant::now() + SILENCE);
        // Whoever stops waiting here has lost nothing: the body stays where it is.
        let Ok(Ok(Some(piece))) = timeout_at(by, body.chunk()).await else { return self.lose() };
        self.received = self.received.saturating_add(piece.len());
        if self.received > MAX_STREAM {
            return Err(ClientError::TooLarge);
        }
        self.reader.push(&piece, &mut self.events)?;
        Ok(None)
    }

    /// What is lost can be resumed, unless nothing is missing.
    fn lose(&mut self) -> Result<Option<Update>, ClientError> {
        self.body = None;
        if self.record.is_settled() {
            self.is_over = true;
            return Ok(None);
        }
        if Instant::now() >= self.ends {
            return Err(ClientError::TimedOut);
        }
        self.reader.begin_again();
        let told = self.reader.pause_ms.map(Duration::from_millis);
        let pause = told.unwrap_or(FIRST_PAUSE).min(LONGEST_PAUSE);
        let is_new = self.loss.is_none();
        let loss = self.loss.get_or_insert_with(|| Loss { at: Instant::now(), pause, is_resumed: false });
        loss.is_resumed = false;
        Ok(is_new.then_some(Update::Interrupted))
    }

    /// Waits a little, and connects again where the stream stopped.
    async fn resume(&mut self) -> Result<(), ClientError> {
        let Some(loss) = self.loss else { return Err(ClientError::BrokenOff) };
        // Without an id it would be another question, and not the rest of the answer to this one; and where a
        // question counts, or its token is spent, it is not put again unasked.
        let is_counted = self.query.terms.break_glass.is_some();
        let can_resume = !self.last_id.is_empty() && !is_counted && self.client.can_repeat();
        let pause = spread(loss.pause);
        let by = (loss.at + RESUMABLE).min(self.ends);
        if !can_resume || Instant::now() + pause >= by || !self.client.budget().spend() {
            return Err(ClientError::BrokenOff);
        }
        sleep(pause).await;
        let next_pause = loss.pause.saturating_mul(2).min(LONGEST_PAUSE);
        match self.connect().await {
            Ok(body) => {
                self.body = Some(body);
                self.loss = Some(Loss { pause: next_pause, is_resumed: true, ..loss });
            }
            Err(ClientError::Unreachable | ClientError::BrokenOff | ClientError::TimedOut) => {
                self.loss = Some(Loss { pause: next_pause, ..loss });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Response, ClientError> {
        let terms = &self.query.terms;
        let request = self.client.question("fhir/R4/Patient/$record", terms, terms.deadline)?;
        let request = request.header(ACCEPT, EVENT_STREAM).body(query::of_record(&self.query));
        let request = match self.last_id.as_str() {
            "" => request,
            id => request.header("Last-Event-ID", id),
        };
        // The head comes at once: a stream begins before the first source has answered.
        let by = Instant::now() + terms.deadline + SLACK;
        let response = timeout_at(by, request.send()).await.map_err(|_| ClientError::TimedOut)?;
        let response = response.map_err(|error| of_send(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if status != 200 {
            let body = timeout_at(by, read(response, MAX_REFUSAL)).await;
            return Err(answer::refused(status, &headers, body.map_err(|_| ClientError::TimedOut)??));
        }
        let media = answer::text(&headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let essence = media.split(';').next().unwrap_or_default().trim();
        let is_stream = essence.eq_ignore_ascii_case(EVENT_STREAM);
        is_stream.then_some(response).ok_or(ClientError::Unreadable(FaultClass::MediaType))
    }

    fn take(&mut self, event: &Event) -> Result<Option<Update>, ClientError> {
        if self.loss.take().is_some_and(|loss| loss.is_resumed) {
            if event.name == "patient" && !is_after(&event.id, &self.last_id) {
                // The node did not know what was asked for before, and tells everything from the beginning.
                self.record = GrowingRecord::default();
                self.last_id.clear();
            }
            self.told_before.clone_from(&self.last_id);
        }
        if !event.id.is_empty() && !self.told_before.is_empty() {
            if !is_after(&event.id, &self.told_before) {
                // What stands here may be newer.
                return Ok(None);
            }
            self.told_before.clear();
        }
        if !event.id.is_empty() {
            event.id.clone_into(&mut self.last_id);
        }
        let update = self.record.take(&event.name, &event.data)?;
        if update == Some(Update::Complete) && self.record.completion().is_some_and(|end| end.is_last) {
            self.is_over = true;
            self.body = None;
            self.events.clear();
        }
        Ok(update)
    }
}

/// Whether an id comes after another: by the number that it begins with. Those that have none are taken as they come.
fn is_after(id: &str, last: &str) -> bool {
    let number = |id: &str| id.split('-').next().unwrap_or_default().parse::<u64>();
    match (number(id), number(last)) {
        (Ok(id), Ok(last)) => id > last,
        _ => id != last,
    }
}

#[cfg(test)]
mod tests;
