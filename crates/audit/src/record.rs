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

/// Whose log a record is in, where several nodes keep theirs in one store: 1 to 24 lower-case letters, digits and
/// hyphens, beginning with a letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName([u8; Self::LONGEST]);

impl NodeName {
    const LONGEST: usize = 24;
    /// The log in a directory of this machine.
    pub const LOCAL: Self = {
        let mut bytes = [0; Self::LONGEST];
        bytes.split_at_mut(5).0.copy_from_slice(b"local");
        Self(bytes)
    };

    /// Reads a name; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let mut bytes = [0; Self::LONGEST];
        let place = bytes.get_mut(..text.len()).filter(|_| begins && text.bytes().all(is_fit))?;
        place.copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    /// As it was read.
    pub fn as_str(&self) -> &str {
        // Only ASCII letters get in.
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches('\0')
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Proof that a record is durable. It is shown as the value of the `Tributary-Audit` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// Whose log it is in.
    pub node: NodeName,
    /// Sequence number in this log: without gaps, from 1.
    pub seq: u64,
    /// The record's id.
    pub id: RecordId,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.node, self.seq)
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct Appended {
    /// Of each record of the batch, in its order.
    pub receipts: Vec<Receipt>,
    /// The leaf hash of every record that has become durable since the last batch, those of the store itself and those
    /// whose fate was in doubt included, in the order of the log.
    pub leaves: Vec<Digest>,
    /// Whether a part of the store came to its end.
    pub is_end: bool,
}

impl Appended {
    /// The number of the last record.
    pub(crate) fn last(&self) -> u64 {
        self.receipts.last().map_or(0, |receipt| receipt.seq)
    }
}

/// A record before it has a place in the chain.
#[derive(Clone, Debug)]
pub struct Draft {
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

    /// Gives the record its place in the log of a node, and moves the chain on. The bytes are what must be stored.
    pub fn place(&self, clock: &dyn Clock, node: NodeName, link: &mut Link) -> (Receipt, Vec<u8>) {
        let receipt = Receipt { node, seq: link.seq, id: RecordId(RequestId::random()) };
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
        let payload = payload.into_bytes();
        *link = link.after(&payload);
        (receipt, payload)
    }

    /// Gives the record its place in the log of this machine: appends the frame to `frames`.
    pub(crate) fn frame(&self, clock: &dyn Clock, link: &mut Link, frames: &mut Vec<u8>) -> Receipt {
        let (receipt, payload) = self.place(clock, NodeName::LOCAL, link);
        frame(&payload, frames);
        receipt
    }
}

/// Appends the frame of a payload.
pub(crate) fn frame(payload: &[u8], frames: &mut Vec<u8>) {
    // `Trail::record` refuses anything longer than MAX_RECORD, which fits.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    frames.extend_from_slice(&length.to_le_bytes());
    frames.extend_from_slice(&crc32c(payload).to_le_bytes());
    frames.extend_from_slice(payload);
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
