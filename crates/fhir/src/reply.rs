//! What one source answered, checked and in R4, before anything is merged.

use std::collections::BTreeMap;

use bytes::Bytes;
use tributary_model::{Lease, NoticeKind, Section, SectionSet, SectionState, SourceFault};

use crate::json::Document;

/// Something a reader must know of a section at a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// What kind.
    pub kind: NoticeKind,
    /// The section concerned; `None` concerns the whole answer.
    pub section: Option<Section>,
    /// How many things are concerned, where that can be counted.
    pub count: Option<u32>,
    /// A word from a closed set that makes it precise: a parameter name or a resource type.
    pub detail: Option<String>,
}

impl Notice {
    /// A notice about a section.
    pub const fn about(kind: NoticeKind, section: Section) -> Self {
        Self { kind, section: Some(section), count: None, detail: None }
    }
}

/// An element that has no home in the other version, and where it was kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LossNote {
    /// The statement: `Type/id` as the source named it.
    pub statement: String,
    /// The element's path in the source's version.
    pub path: String,
    /// How it was kept.
    pub kept_as: KeptAs,
}

/// Where an element without a home went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptAs {
    /// A cross-version extension.
    Extension,
    /// Left out because it says nothing: a fixed value the specification calls meaningless.
    Meaningless,
}

/// A resource carried whole because it cannot be converted.
#[derive(Clone, PartialEq, Eq)]
pub struct Carried {
    /// The type it has in its own version.
    pub resource_type: String,
    /// The id of the `Binary` that carries it: its own id, or the one made up for it.
    pub binary_id: String,
}

/// A source's answer.
#[derive(Default)]
pub struct Reply {
    /// Bundles in R4, in the order they were read.
    pub documents: Vec<Document>,
    /// The sections that were asked.
    pub asked: SectionSet,
    /// What the connector knows of each section; absent sections are judged by their content.
    pub states: BTreeMap<Section, SectionState>,
    /// What a reader must know.
    pub notices: Vec<Notice>,
    /// Elements that found no home.
    pub losses: Vec<LossNote>,
    /// Resources carried whole.
    pub carried: Vec<Carried>,
    /// Whether the source spoke STU3.
    pub converted: bool,
    /// Whether pages were left unread.
    pub truncated: bool,
    /// Bytes received, decoded.
    pub bytes: u64,
    /// SHA-256 of the bodies as received, in hexadecimal, for the audit record.
    pub digest: String,
    /// Attempts it took.
    pub attempts: u32,
    /// What it holds of the memory budget, for as long as it lives.
    pub held: Lease,
}

impl Reply {
    /// Bytes the reply keeps in memory, with everything it holds. `tests/weight.rs` holds it to the truth.
    pub fn weight(&self) -> usize {
        /// A tree keeps its entries by the dozen, half full at the least.
        const STATE_BYTES: usize = 2 * size_of::<(Section, SectionState)>() + 2 * size_of::<usize>();
        let documents = room(&self.documents) + self.documents.iter().map(Document::weight).sum::<usize>();
        let notices = self.notices.iter().filter_map(|notice| notice.detail.as_ref());
        let losses = self.losses.iter().flat_map(|note| [&note.statement, &note.path]);
        let carried = self.carried.iter().flat_map(|one| [&one.resource_type, &one.binary_id]);
        let words: usize = notices.chain(losses).chain(carried).map(String::capacity).sum();
        size_of::<Self>()
            + documents
            + self.states.len() * STATE_BYTES
            + room(&self.notices)
            + room(&self.losses)
            + room(&self.carried)
            + words
            + self.digest.capacity()
    }
}

/// Bytes that a list itself takes, used or not.
const fn room<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

/// What is attached to a record: a `Binary` in the version of its source.
#[derive(Debug)]
pub struct Attached {
    /// The resource, past the safety gate.
    pub document: Document,
    /// How often it was tried.
    pub attempts: u32,
    /// What it holds of the memory budget, for as long as it lives.
    pub held: Lease,
}

/// What a GP system answered to a request that is passed through.
pub struct Relayed {
    /// HTTP status.
    pub status: u16,
    /// The version of a single resource: `ETag`.
    pub etag: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// What it said.
    pub said: Passed,
    /// What it holds of the memory budget, for as long as it lives.
    pub held: Lease,
}

/// What is passed on.
pub enum Passed {
    /// What the interaction gives, past the safety gate.
    Document(Document),
    /// The GP system's own `OperationOutcome`, byte for byte, and what it amounts to.
    Refusal(Bytes, SourceFault),
}
