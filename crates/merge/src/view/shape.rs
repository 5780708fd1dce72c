//! What `Debug` shows of a record: its shape and counts, never its words.

use std::fmt;

use super::{
    CodeView, DiscrepancyView, LineView, MemberView, Original, PatientView, RecordView, SectionView,
    ValueView,
};
use crate::lines::Line;
use crate::rules::Discrepancy;

impl fmt::Debug for RecordView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordView")
            .field("sources", &self.sources)
            .field("sections", &self.sections)
            .field("discrepancies", &self.discrepancies)
            .field("tally", &self.tally)
            .field("as_of", &self.as_of)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PatientView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatientView").finish_non_exhaustive()
    }
}

impl fmt::Debug for SectionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SectionView")
            .field("section", &self.section)
            .field("state", &self.state)
            .field("shown", &self.shown)
            .field("notices", &self.notices.len())
            .field("lines", &self.lines)
            .finish()
    }
}

impl fmt::Debug for LineView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineView")
            .field("class", &self.class)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MemberView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberView")
            .field("source", &self.source)
            .field("copy", &self.copy)
            .field("attachments", &self.attachments.len())
            .field("in_error", &self.in_error)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Original").field("bytes", &self.text().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for CodeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeView").finish_non_exhaustive()
    }
}

impl fmt::Debug for ValueView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueView").finish_non_exhaustive()
    }
}

impl fmt::Debug for DiscrepancyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscrepancyView")
            .field("rule", &self.rule)
            .field("section", &self.section)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("section", &self.section)
            .field("class", &self.class)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discrepancy")
            .field("section", &self.section)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
