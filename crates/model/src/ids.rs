//! Identifiers made by us. The only place where chance is drawn.

use std::fmt;

use uuid::Uuid;

/// Names one request of a caller; mirrored as `X-Request-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new id, ordered by time.
    #[expect(clippy::disallowed_methods, reason = "the one place that draws ids")]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads a UUID in its hyphenated form; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one attempt at one source; sent as `Ssp-TraceID`. Fresh for every attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(Uuid);

impl TraceId {
    /// A new id.
    #[expect(clippy::disallowed_methods, reason = "the one place that draws ids")]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Its bytes.
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one stream of a record, for whoever goes on with it after it was cut off. Not to be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(Uuid);

impl StreamId {
    /// A new id.
    #[expect(clippy::disallowed_methods, reason = "the one place that draws ids")]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads an id as it is written; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| Uuid::try_parse(text).ok()).flatten().map(Self)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyphenated_uuids_are_request_ids() {
        let id = RequestId::random();
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        for bad in ["", "x", "{0192f0c1-0000-7000-8000-000000000000}", "0192f0c1000070008000000000000000"] {
            assert_eq!(RequestId::parse(bad), None, "{bad}");
        }
    }
}
