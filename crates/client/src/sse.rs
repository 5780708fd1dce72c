//! Server-sent events (WHATWG HTML, "Server-sent events"), out of bytes in pieces of any size.
//!
//! Stricter than a browser in two things: text that is not UTF-8 is refused, where a browser would put other
//! letters into a clinical statement, and an event has a largest size.

use std::collections::VecDeque;

use tributary_model::FaultClass;

use crate::error::ClientError;

/// One event.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; `message` when it has none.
    pub(crate) name: String,
    /// Its data lines, joined by line feeds.
    pub(crate) data: String,
    /// The id that was last given in the stream.
    pub(crate) id: String,
}

/// Reads a stream. What it holds between two pieces is never more than one event.
#[derive(Default)]
pub(crate) struct EventReader {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    is_after_return: bool,
    /// Whether a first line was read; a byte order mark stands before that only.
    is_begun: bool,
    event: Event,
    has_data: bool,
    most_bytes: usize,
    /// What the server wishes a client to wait before it comes back, in milliseconds.
    pub(crate) pause_ms: Option<u64>,
}

impl EventReader {
    /// A reader of events of at most so many bytes.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// Forgets what has begun and not ended: the connection it came by is gone.
    pub(crate) fn begin_again(&mut self) {
        *self = Self { most_bytes: self.most_bytes, pause_ms: self.pause_ms, ..Self::default() };
    }

    /// Takes a piece, and adds the events that end in it.
    pub(crate) fn push(&mut self, piece: &[u8], events: &mut VecDeque<Event>) -> Result<(), ClientError> {
        let mut rest = piece;
        if std::mem::take(&mut self.is_after_return) {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            // An empty piece says nothing about what comes next.
            self.is_after_return = piece.is_empty();
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, tail) = rest.split_at(end);
            self.lengthen(line)?;
            self.end_line(events)?;
            rest = match tail {
                [b'\r', b'\n', next @ ..] | [_, next @ ..] => next,
                [] => tail,
            };
            self.is_after_return = tail == b"\r";
        }
        self.lengthen(rest)
    }

    fn lengthen(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        if self.line.len() + self.event.data.len() + bytes.len() > self.most_bytes {
            return Err(ClientError::TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut VecDeque<Event>) -> Result<(), ClientError> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8(line).map_err(|_| ClientError::Unreadable(FaultClass::Utf8))?;
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let line = if is_first { line.strip_prefix('\u{feff}').unwrap_or(&line) } else { &line };
        if line.is_empty() {
            self.dispatch(events);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.event.id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.pause_ms = value.parse().ok().or(self.pause_ms);
            }
            // A comment, whose field is empty, and whatever is not known.
            _ => {}
        }
        Ok(())
    }

    /// An event without data is none; its id stays.
    fn dispatch(&mut self, events: &mut VecDeque<Event>) {
        let name = std::mem::take(&mut self.event.name);
        let data = std::mem::take(&mut self.event.data);
        if std::mem::take(&mut self.has_data) {
            let name = if name.is_empty() { "message".to_owned() } else { name };
            events.push_back(Event { name, data, id: self.event.id.clone() });
        }
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The data is clinical.
        f.debug_struct("Event")
            .field("name", &self.name)
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EventReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader").field("line_bytes", &self.line.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
