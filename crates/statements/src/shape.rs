//! What `Debug` shows of statements: their shape, positions and counts, never their content.

use std::fmt;

use crate::cascade::{Origin, Relayed, Told};
use crate::concept::Concept;
use crate::facts::{Classes, Facts, Finding, Medicine, Thing};
use crate::identified::Identified;
use crate::load::{Accepted, Loaded, Statement};
use crate::refs::Fate;

impl fmt::Debug for Statement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("answer", &self.answer)
            .field("voice", &self.voice)
            .field("id", &self.id)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Accepted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("source", &self.card.id)
            .field("received", &self.received)
            .field("indexed", &self.index.len())
            .field("loose", &self.loose.len())
            .field("shared", &self.shared.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Loaded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("answers", &self.answers)
            .field("statements", &self.statements.len())
            .field("voices", &self.voices.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("source", &self.source).finish_non_exhaustive()
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told")
            .field("states", &self.states)
            .field("worst", &self.worst)
            .field("notices", &self.notices)
            .field("relayed", &self.relayed)
            .field("kept", &self.kept.len())
            .finish()
    }
}

impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relayed")
            .field("severity", &self.severity)
            .field("code", &self.code)
            .field("what", &self.what)
            .field("section", &self.section)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts").field("section", &self.section).finish_non_exhaustive()
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classes").finish_non_exhaustive()
    }
}

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allergy(_) => "Allergy(..)",
            Self::Medicine(_) => "Medicine(..)",
            Self::Problem(_) => "Problem(..)",
            Self::Finding(_) => "Finding(..)",
            Self::Cpr(_) => "Cpr(..)",
            Self::Plan { .. } => "Plan { .. }",
            Self::Report(_) => "Report(..)",
            Self::Deed { .. } => "Deed { .. }",
            Self::Other { .. } => "Other { .. }",
        })
    }
}

impl fmt::Debug for Medicine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Medicine").finish_non_exhaustive()
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finding").finish_non_exhaustive()
    }
}

impl fmt::Debug for Concept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concept").field("placeholder", &self.placeholder).finish_non_exhaustive()
    }
}

impl fmt::Debug for Identified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identified").finish_non_exhaustive()
    }
}

impl fmt::Debug for Fate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stays => f.write_str("Stays"),
            Self::Leads(id, _) => f.debug_tuple("Leads").field(id).finish_non_exhaustive(),
            Self::Nowhere(source, _) => f.debug_tuple("Nowhere").field(source).finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests;
