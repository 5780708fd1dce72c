//! The record as a person reads it: owned words, ready for a page, a terminal or `?view=lines`.
//!
//! Nothing here decides anything; it is the merged record with its clinical words copied out.

mod original;
mod shape;

use std::collections::BTreeMap;

use jiff::Timestamp;
use tributary_model::{
    FhirDate, NoticeKind, Section, SectionState, Shown, SourceId, SourceKind, SourceStatus, Tally,
};

use crate::label::AllergyLabel;
pub use original::{CodeView, Original, ValueView};

/// A merged record in words.
#[derive(Clone)]
pub struct RecordView {
    /// Who it is about.
    pub patient: PatientView,
    /// One row per expected source, worst first.
    pub sources: Vec<SourceRow>,
    /// What may be said about allergies.
    pub allergy_label: AllergyLabel,
    /// Every section that was asked for, in display order.
    pub sections: Vec<SectionView>,
    /// Every discrepancy, most severe first.
    pub discrepancies: Vec<DiscrepancyView>,
    /// The statuses counted.
    pub tally: Tally,
    /// The instant every dated rule used, as RFC 3339.
    pub as_of: String,
    /// Entries of accepted answers, and entries in the bundle that came from them.
    pub entries: (usize, usize),
}

/// What is told and counted of a record beside its statements: no clinical word is in it.
#[derive(Clone, Debug)]
pub struct Overview {
    /// One row per expected source, worst first.
    pub sources: Vec<SourceRow>,
    /// What is known of every section that was asked for, over all sources.
    pub states: Vec<(Section, SectionState)>,
    /// How many statements on lines are a copy of each kind, by its code; under `None` those that are none.
    pub copies: BTreeMap<Option<&'static str>, u64>,
}

/// The banner's facts.
#[derive(Clone, Default)]
pub struct PatientView {
    /// NHS number, grouped 3-3-4.
    pub nhs_number: String,
    /// `ASHWORTH, George`; empty when no source said it.
    pub name: String,
    /// `11-Feb-1953 (73y)`; empty when no source said it.
    pub born: String,
    /// `Male`, `Female` …; empty when no source said it.
    pub gender: String,
    /// `03-Nov-2024`, or that the date is not known; empty unless the national service holds a formal notice.
    pub died: String,
    /// How old somebody was who died, in years.
    pub died_aged: Option<i16>,
    /// Address in one line; empty when no source said it.
    pub address: String,
    /// Telephone; empty when no source said it.
    pub phone: String,
}

/// What became of one source.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// Its id.
    pub id: SourceId,
    /// Its name.
    pub name: String,
    /// Its status. Of one that is awaited, what it would be if it said nothing.
    pub status: SourceStatus,
    /// Whether it is still awaited.
    pub pending: bool,
    /// The status in words fit for a clinician, notices included.
    pub words: String,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// What the rest stands on.
    pub standing: SourceStanding,
}

/// What a page says of a source beside its words.
#[derive(Clone, Debug)]
pub struct SourceStanding {
    /// Its kind.
    pub kind: SourceKind,
    /// When what is shown of it was fetched, or when it turned out that there is nothing to be had.
    pub heard_at: Timestamp,
    /// When it last gave a good answer, where it gave none now.
    pub last_answered: Option<Timestamp>,
    /// What readers must know of it, each with the section concerned.
    pub notices: Vec<(NoticeKind, Option<Section>)>,
    /// What is known of each section that was asked for.
    pub states: BTreeMap<Section, SectionState>,
}

/// One section.
#[derive(Clone)]
pub struct SectionView {
    /// Which.
    pub section: Section,
    /// What is known of it over all sources.
    pub state: SectionState,
    /// How much of it the requester's role sees; `None` where that differs between kinds of sources.
    pub shown: Option<Shown>,
    /// Sentences that must stand at the section: what is missing and why. Never empty when the section is.
    pub notices: Vec<String>,
    /// Its lines in display order.
    pub lines: Vec<LineView>,
}

/// One line: statements about the same thing.
#[derive(Clone)]
pub struct LineView {
    /// The words of the lead.
    pub title: String,
    /// The key that made it a line.
    pub key: String,
    /// `single`, `repeat`, `copied`, `agree`, `difference` or `conflict`.
    pub class: &'static str,
    /// Its statements, lead first.
    pub members: Vec<MemberView>,
}

/// One statement on a line.
#[derive(Clone)]
pub struct MemberView {
    /// Who said it.
    pub source: SourceId,
    /// The name of who said it.
    pub source_name: String,
    /// `Flag/f1`: type and id as the source has them.
    pub origin: String,
    /// The words of this statement.
    pub title: String,
    /// Its date, as people read it; empty when there is none.
    pub date: String,
    /// `current`, `past`, `active`, `severe` …: what is worth saying beside the title.
    pub facts: Vec<String>,
    /// `echo`, `stale-copy`, `copy-of-absent` or `copy-unverified`.
    pub copy: Option<&'static str>,
    /// Dose or other free words of the statement.
    pub detail: String,
    /// The `fullUrl` of its entry in the bundle.
    pub full_url: String,
    /// Addresses of what is attached to it, as far as it can be fetched through us.
    pub attachments: Vec<String>,
    /// Whether its own source says that it was a mistake: kept, and hidden by default with a count.
    pub in_error: bool,
    /// Whether what it says goes on.
    pub era: Era,
    /// The date that orders it.
    pub dated: Option<FhirDate>,
    /// When it ended, where its source says so.
    pub ended: Option<FhirDate>,
    /// Who is named as its author; empty where nobody is.
    pub author: String,
    /// Where its source's own words are found.
    pub original: Option<Original>,
}

/// Whether what a statement says goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Era {
    /// It does, or nobody says that it does not.
    Current,
    /// It does not: stopped, completed, ended, inactive, ruled out.
    Past,
}

/// One discrepancy.
#[derive(Clone)]
pub struct DiscrepancyView {
    /// Rule id.
    pub rule: &'static str,
    /// `conflict`, `difference`, `possible`, `information` or `error`.
    pub kind: &'static str,
    /// `high`, `moderate` or `low`.
    pub severity: &'static str,
    /// In words, with sources and dates.
    pub words: String,
    /// `Flag/f1@specialist`: the statements concerned.
    pub members: Vec<String>,
    /// The section it belongs to; `None` for demographics.
    pub section: Option<Section>,
}
