//! What may stand in a log line.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tributary_model::{RequestId, TraceContext};

/// The fields whose values are written. The value of any other field is dropped.
pub const LOGGED_FIELDS: &[&str] = &[
    "anomaly.kind",
    "attempts",
    "audit.kind",
    "audit.seq",
    "bytes",
    "code",
    "completeness",
    "config.digest",
    "config.key",
    "elapsed_ms",
    "error.kind",
    "expected",
    "failed",
    "fault.class",
    "listener",
    "map",
    "method",
    "outcome.kind",
    "panic.at",
    "policy.rule",
    "process.missing",
    "process.sandbox",
    "process.swap",
    "request.id",
    "route",
    "segment",
    "source.id",
    "source.kind",
    "source.status",
    "trace.id",
    "version",
];

/// Stands where a value was left out.
pub(crate) const WITHHELD: &str = "[withheld]";
/// Characters of one value that are written.
const LONGEST: usize = 256;

/// Takes the message and the allowed fields of an event or a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) message: Option<String>,
    pub(crate) fields: Map<String, Value>,
}

impl Allowed {
    fn take(&mut self, field: &Field, value: impl Into<Value>) {
        if LOGGED_FIELDS.contains(&field.name()) {
            self.fields.insert(field.name().to_owned(), value.into());
        }
    }

    fn take_text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => self.message = Some(harmless(text)),
            "request.id" => {
                let id = RequestId::parse(text).map(|id| id.to_string()).filter(|id| !hides_ten_digits(id));
                self.take(field, id.unwrap_or_else(|| WITHHELD.to_owned()));
            }
            "trace.id" => self.take(field, if TraceContext::is_id(text) { text } else { WITHHELD }),
            "config.digest" => self.take(field, if is_digest(text) { text } else { WITHHELD }),
            _ => self.take(field, harmless(text)),
        }
    }
}

impl Visit for Allowed {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let is_wanted = field.name() == "message" || LOGGED_FIELDS.contains(&field.name());
        let mut text = String::new();
        // Fields that are not wanted are not even rendered.
        if is_wanted && write!(text, "{value:?}").is_ok() {
            self.take_text(field, &text);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take_text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take_number(field, value, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take_number(field, value, value.unsigned_abs());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value);
    }
}

impl Allowed {
    /// A number of ten digits may be an NHS number. No count, duration or code of ours has that many.
    fn take_number(&mut self, field: &Field, value: impl Into<Value>, size: u64) {
        const TEN_DIGITS: u64 = 1_000_000_000;
        if size < TEN_DIGITS {
            self.take(field, value);
        } else {
            self.take(field, WITHHELD);
        }
    }
}

/// A caller chooses its id and could begin it with an NHS number. Our own begin with the time, which in hex has
/// a letter among its first ten digits until 2039.
fn hides_ten_digits(id: &str) -> bool {
    id.bytes().filter(|byte| *byte != b'-').take(10).all(|byte| byte.is_ascii_digit())
}

/// Whether this is the name of a configuration. It may well have ten digits in a row: no caller chooses it.
fn is_digest(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The text, unless ten digits stand in it, written together or in groups: a second net below the list of names.
fn harmless(text: &str) -> String {
    let mut digits = 0;
    for char in text.chars() {
        match char {
            '0'..='9' => digits += 1,
            ' ' | '-' => {}
            _ => digits = 0,
        }
        if digits >= 10 {
            return WITHHELD.to_owned();
        }
    }
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_digits_are_withheld() {
        for text in ["9990000107", "for 999 000 0107", "/Patient/999-000-0107/x"] {
            assert_eq!(harmless(text), WITHHELD, "{text}");
        }
        for text in ["listening", "127.0.0.1:8443", "gp-a99901", "2026-03"] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn an_id_that_begins_with_ten_digits_is_withheld() {
        assert!(hides_ten_digits("99900001-07ab-7000-8000-000000000000"));
        assert!(!hides_ten_digits("9990000a-07ab-7000-8000-000000000000"));
        assert!(!hides_ten_digits("99900001-0abc-7000-8000-000000000000"));
        assert!(!hides_ten_digits(&RequestId::random().to_string()));
    }

    #[test]
    fn fields_are_sorted_and_unique() {
        assert!(LOGGED_FIELDS.is_sorted_by(|one, other| one < other));
    }
}
