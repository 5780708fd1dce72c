//! A merged record in rows and words. None of it is printed by `Debug`, but for what became of the sources.

use std::fmt;

use serde::Serialize;

/// A record for reading.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordTable {
    /// Who it is about.
    pub patient: Banner,
    /// The instant that every dated rule used, as RFC 3339.
    pub as_of: String,
    /// What may be said about allergies; empty when allergies were not asked for.
    pub allergy_label: String,
    /// One row per expected source, in the order of the answer.
    pub sources: Vec<SourceRow>,
    /// What else a reader must know of the record as a whole.
    pub notices: Vec<String>,
    /// One block per section that was asked for, in display order.
    pub sections: Vec<SectionRows>,
    /// Where the records disagree.
    pub discrepancies: Vec<Discrepancy>,
}

/// The facts by which a person is recognised.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Banner {
    /// `ASHWORTH, George`; empty when no source said it.
    pub name: String,
    /// `11-Feb-1953 (73y)`; empty when no source said it.
    pub born: String,
    /// `Male`, `Female` …; empty when no source said it.
    pub gender: String,
    /// Grouped 3-3-4.
    pub nhs_number: String,
    /// `03-Nov-2024`, or that the date is not known; empty unless the record says that the patient is dead.
    pub died: String,
}

/// What became of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceRow {
    /// Its id.
    pub id: String,
    /// Its name; its id when the answer does not name it.
    pub name: String,
    /// Its status code.
    pub status: String,
    /// `information`, `warning` or `error`.
    pub severity: String,
    /// The status in words.
    pub words: String,
    /// How long it took.
    pub latency_ms: Option<u64>,
    /// When it last gave a good answer, if it gave none now.
    pub last_answered: Option<String>,
}

/// One section.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct SectionRows {
    /// Its code.
    pub code: String,
    /// Its heading.
    pub title: String,
    /// What is missing here and why.
    pub notices: Vec<String>,
    /// Why there is no line. A section that is empty is never only empty.
    pub empty: Option<EmptyReason>,
    /// Its lines in display order.
    pub lines: Vec<Line>,
}

/// Why a section shows no line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EmptyReason {
    /// `unavailable`, `withheld`, `notasked` or `no-content-recorded`.
    pub code: String,
    /// In words.
    pub words: String,
}

/// One line: statements about the same thing.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Hash of what made it a line.
    pub key: String,
    /// The words of its lead.
    pub title: String,
    /// `single`, `repeat`, `copied`, `agree`, `difference` or `conflict`.
    pub class: String,
    /// Its statements, lead first.
    pub members: Vec<Member>,
}

/// One statement on a line.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Who said it.
    pub source: String,
    /// `Flag/f1`: type and id as the source has them.
    pub origin: String,
    /// `current`, `past` …: the position of a medicine.
    pub position: Option<String>,
    /// `echo`, `stale-copy`, `copy-of-absent` or `copy-unverified`.
    pub copy: Option<String>,
    /// Addresses of what is attached to it, as far as the broker gives it out.
    pub attachments: Vec<String>,
}

/// One place where the records disagree.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Discrepancy {
    /// Rule id.
    pub rule: String,
    /// `conflict`, `difference`, `possible`, `information` or `error`.
    pub kind: String,
    /// `high`, `moderate` or `low`.
    pub severity: String,
    /// In words.
    pub words: String,
    /// `Flag/f1@specialist`: the statements concerned.
    pub members: Vec<String>,
}

impl fmt::Debug for RecordTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordTable")
            .field("sources", &self.sources)
            .field("sections", &self.sections)
            .field("discrepancies", &self.discrepancies.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SectionRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SectionRows")
            .field("code", &self.code)
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Banner([redacted])")
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line([redacted])")
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member([redacted])")
    }
}

impl fmt::Debug for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Discrepancy([redacted])")
    }
}
