//! `Flag`.

use crate::draft::Fields;

use super::edit::Notes;

pub(super) fn convert(fields: &mut Fields<'_>, _notes: &mut Notes<'_>) {
    fields.wrap("category");
}
