//! One record: a frame around one JSON object. The bytes stored are the bytes hashed.

use std::fmt;

use serde::Deserialize;
use tributary_model::{Clock, RequestId, TraceId};

use crate::chain::{Digest, Link};
use crate::crc32c::crc32c;
use crate::event::Kind;
use crate::segment::Previous;

/// Length and checksum before each payload, both little-endian.
pub(crate) const FRAME_HEAD: usize = 8;
/// The longest payload. A thousand sources in one answer need about a third of it.
pub(crate) const MAX_RECORD: usize = 1 << 20;
/// What the fields common to all records can take of [`MAX_RECORD`].
const MAX_PREFIX: usize = 512;

/// Kinds that the log writes of itself: they have fields of their own to be read.
const OWN_KINDS: [&str; 2] = [Kind::Lifecycle.code(), Kind::ClosedUnknown.code()];

/// The id of a record, ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(RequestId);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Proof that a record is durable. It is shown as the value of the `Tributary-Audit` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// Sequence number in this log: without gaps, from 1.
    pub seq: u64,
    /// The record's id.
    pub id: RecordId,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local-{}", self.seq)
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Appended {
    /// Of each record of the batch, in its order.
    pub(crate) receipts: Vec<Receipt>,
    /// The leaf hash of every record that was written, those of the store itself included, in the order of the log.
    pub(crate) leaves: Vec<Digest>,
    /// Whether a part of the store came to its end.
    pub(crate) is_end: bool,
}

/// A record before it has a place in the chain.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its own fields as JSON, without the opening brace.
    body: String,
}

impl Draft {
    /// Takes a JSON object with at least one field.
    pub(crate) fn new(kind: Kind, object: &str) -> Self {
        let body = object.strip_prefix('{').unwrap_or(object).to_owned();
        Self { kind, body }
    }

    /// Length of the payload it makes, at most.
    pub(crate) const fn longest(&self) -> usize {
        self.body.len() + MAX_PREFIX
    }

    /// Gives the record its place: appends the frame to `frames` and moves the chain on.
    pub(crate) fn frame(&self, clock: &dyn Clock, link: &mut Link, frames: &mut Vec<u8>) -> Receipt {
        let receipt = Receipt { seq: link.seq, id: RecordId(RequestId::random()) };
        let salt = TraceId::random().to_string().replace('-', "");
        let payload = format!(
            r#"{{"v":1,"kind":"{}","seq":{},"prev":"{}","salt":"{salt}","id":"{}","at":"{:.6}",{}"#,
            self.kind.code(),
            link.seq,
            link.prev,
            receipt.id,
            clock.now(),
            self.body,
        );
        // `Trail::record` refuses anything longer than MAX_RECORD, which fits.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        frames.extend_from_slice(&length.to_le_bytes());
        frames.extend_from_slice(&crc32c(payload.as_bytes()).to_le_bytes());
        frames.extend_from_slice(payload.as_bytes());
        *link = link.after(payload.as_bytes());
        receipt
    }
}

/// The fields of a stored record that recovery and verification look at.
#[derive(Debug, Deserialize)]
pub(crate) struct Head<'a> {
    v: u32,
    /// Code of the kind.
    pub(crate) kind: &'a str,
    /// Place in the chain.
    pub(crate) seq: u64,
    /// Leaf hash of the record before.
    pub(crate) prev: &'a str,
    /// Wall clock, with six decimals: it sorts as text.
    pub(crate) at: &'a str,
    /// The intent it belongs to.
    pub(crate) corr: Option<u64>,
    /// In the first record of a segment: how the segment before ended.
    pub(crate) previous: Option<Previous>,
}

impl<'a> Head<'a> {
    /// Reads a payload; `None` unless it is a record of a version and kind known here.
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let head = Self::quick(text).or_else(|| serde_json::from_str(text).ok())?;
        let known = head.v == 1 && Kind::from_code(head.kind).is_some();
        known.then_some(head)
    }

    /// Reads a payload that has its first fields as we write them, without looking at the rest: the verifier's
    /// speed is mostly this. What the log says of itself is never read so.
    fn quick(text: &'a str) -> Option<Self> {
        let rest = text.strip_suffix('}')?.strip_prefix(r#"{"v":1,"kind":""#)?;
        let (kind, rest) = rest.split_once('"').filter(|(kind, _)| !OWN_KINDS.contains(kind))?;
        let (seq, rest) = rest.strip_prefix(r#","seq":"#)?.split_once(',')?;
        let (prev, rest) = rest.strip_prefix(r#""prev":""#)?.split_at_checked(64)?;
        let rest = rest.strip_prefix(r#"","salt":""#)?.get(32..)?;
        let rest = rest.strip_prefix(r#"","id":""#)?.get(36..)?;
        let (at, rest) = rest.strip_prefix(r#"","at":""#)?.split_once('"')?;
        let rest = rest.strip_prefix(r#","req":""#)?.get(36..)?.strip_prefix('"')?;
        let corr = match rest.strip_prefix(r#","corr":"#) {
            Some(rest) => Some(rest.split_once(',')?.0.parse().ok()?),
            None => None,
        };
        let is_plain = !prev.contains(['"', '\\']) && !at.contains('\\');
        let seq = seq.parse().ok().filter(|_| is_plain)?;
        Some(Self { v: 1, kind, seq, prev, at, corr, previous: None })
    }
}
