//! What one table shows and another does not.

use std::fmt::Write as _;

use crate::cells::{Cell, Place, Row, places};
use crate::table::{GlassBounds, Table};

/// A cell that is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub row: Row,
    /// Which.
    pub place: Place,
    /// What it was.
    pub was: Cell,
    /// What it is.
    pub is: Cell,
}

/// What changes from one table to another, cell by cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// Cells that show something that they did not show.
    pub gained: Vec<Change>,
    /// Cells that no longer show something. One that shows another part is in both.
    pub lost: Vec<Change>,
    /// The bounds of breaking the glass, before and after, where they are wider.
    pub wider_glass: Option<(GlassBounds, GlassBounds)>,
}

impl Diff {
    /// From an old table to a new one.
    pub fn between(old: &Table, new: &Table) -> Self {
        let organisations = old.organisations().union(&new.organisations()).cloned().collect();
        let (mut gained, mut lost) = (Vec::new(), Vec::new());
        for row in Table::rows(&organisations) {
            let (before, after) = (old.sight(&row), new.sight(&row));
            if before == after {
                continue;
            }
            for place in places() {
                let (was, is) = (before.at(place), after.at(place));
                let change = || Change { row: row.clone(), place, was, is };
                if !was.holds(is) {
                    gained.push(change());
                }
                if !is.holds(was) {
                    lost.push(change());
                }
            }
        }
        let (was, is) = (old.glass(), new.glass());
        let is_wider = is.quota > was.quota || is.window < was.window || is.life > was.life;
        Self { gained, lost, wider_glass: is_wider.then_some((was, is)) }
    }

    /// Whether anybody may see more.
    pub const fn widens(&self) -> bool {
        !self.gained.is_empty() || self.wider_glass.is_some()
    }

    /// All that is gained, one line each: what is signed for is the digest of this text.
    pub fn gains(&self) -> String {
        let mut text = String::new();
        for Change { row, place, was, is } in &self.gained {
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "{row},{place},{was},{is}");
        }
        if let Some((was, is)) = self.wider_glass {
            let _infallible = writeln!(text, "{was:?},{is:?}");
        }
        text
    }
}
