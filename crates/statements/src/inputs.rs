//! What a merge is made from.

use std::sync::Arc;

use jiff::Timestamp;
use tributary_fhir::Reply;
use tributary_model::{
    Demographics, Maintenance, NhsNumber, OdsCode, PatientNote, SectionSet, SourceFault, SourceId,
    SourceKind, Views,
};

use crate::maps::Maps;

/// What the merge must know of a registered source, whether it was asked or not.
#[derive(Clone, Debug)]
pub struct SourceCard {
    /// Its id.
    pub id: SourceId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
    /// Its organisation.
    pub ods: Option<OdsCode>,
    /// Orders display, and nothing else.
    pub rank: u32,
    /// What it can answer.
    pub serves: SectionSet,
    /// Identifier systems it is the author of, as prefixes.
    pub owns: Vec<String>,
    /// Where its resources live: references under it resolve inside its own answer.
    pub base_url: Option<String>,
    /// Maintenance that is announced for it: told with its failures while it lasts.
    pub maintenance: Option<Maintenance>,
}

/// What one expected source came up with.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which source.
    pub source: SourceId,
    /// The reply, the fault, or nothing yet.
    pub heard: Heard,
    /// How long it took, in milliseconds. Zero under a fixed clock.
    pub latency_ms: u64,
    /// When the reply was fetched.
    pub fetched_at: Timestamp,
    /// Whether the reply came from memory.
    pub cached: bool,
    /// When the source last gave a good answer, for those that gave none now.
    pub last_answered: Option<Timestamp>,
}

/// What was heard of a source.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A reply that passed the ingest gate; whose patient it is about is still to be proved.
    Reply(Arc<Reply>),
    /// A failure.
    Fault(SourceFault),
    /// Nothing yet.
    Pending,
}

/// Gives out addresses of what is attached to records. Equal questions get equal answers.
pub trait AttachmentLinks: std::fmt::Debug {
    /// The address for the attachment that this source knows by `id`; `None` where it cannot be fetched.
    fn address(&self, source: &SourceId, id: &str) -> Option<String>;
}

/// Answers that may be merged for one requester: what he may not see is no longer in them.
///
/// `tributary_merge::withhold` makes them for a view that is not whole, and nothing else should: what is merged under
/// a view must have been looked at.
#[derive(Clone, Copy, Debug)]
pub struct Screened<'a> {
    answers: &'a [Answer],
    views: &'a Views,
}

impl<'a> Screened<'a> {
    /// Answers for somebody who may see everything.
    pub const fn whole(answers: &'a [Answer]) -> Self {
        Self { answers, views: &Views::WHOLE }
    }

    /// Answers without what the views do not show.
    pub const fn after(answers: &'a [Answer], views: &'a Views) -> Self {
        Self { answers, views }
    }

    /// The answers.
    pub const fn answers(self) -> &'a [Answer] {
        self.answers
    }

    /// The views they are for.
    pub const fn views(self) -> &'a Views {
        self.views
    }
}

/// Everything a merge depends on. Equal inputs give equal output, whatever their order.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Whose record.
    pub patient: NhsNumber,
    /// The instant every dated rule uses.
    pub as_of: Timestamp,
    /// The sections asked for and allowed.
    pub sections: SectionSet,
    /// Every registered source: who owns an identifier must not depend on who answered.
    pub registry: &'a [SourceCard],
    /// One answer for every expected source, without what the requester may not see.
    pub answers: Screened<'a>,
    /// What readers must know of the patient, from outside the sources.
    pub notes: &'a [PatientNote],
    /// Who the patient is, where the national service was asked and answered. Every answer is held against it.
    pub pds: Option<&'a Demographics>,
    /// Optional code maps.
    pub maps: &'a Maps,
    /// Makes addresses of attachments that lead through us; without it they stay as they were sent.
    pub attachments: Option<&'a dyn AttachmentLinks>,
    /// The prompts that are switched on; none unless somebody signed for it.
    pub prompts: Prompts,
}

/// Whether a prompt is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// It is not.
    #[default]
    Off,
    /// It is.
    On,
}

/// The prompts there can be. They speak of treatment, where discrepancies speak of records alone: they are off by
/// default, and need a clinical-safety sign-off (decision 13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompts {
    /// Two current medicines of one high-risk class.
    pub same_high_risk_class: Prompt,
    /// A positive allergy and a current medicine of the class it is about.
    pub allergy_vs_current_medicine: Prompt,
}
