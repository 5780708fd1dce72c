//! `EpisodeOfCare`.

use crate::draft::Fields;

use super::edit::Notes;

/// The elements are the same in both versions.
pub(super) const fn to_r4(_fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {}

/// So they are on the way back.
pub(super) const fn to_stu3(_fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {}
