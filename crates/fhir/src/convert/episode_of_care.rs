//! `EpisodeOfCare`.

use crate::draft::Fields;

use super::edit::Notes;

/// The elements are the same in both versions.
pub(super) const fn convert(_fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {}
