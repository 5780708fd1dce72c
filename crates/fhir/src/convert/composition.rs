//! `Composition`.

use crate::draft::{Draft, Fields};

use super::edit::{Notes, rehome};
use super::kept::attach;

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "Composition.class", "category", "CodeableConcept");
    fields.wrap("category");
    fields.each("attester", |attester| mode(attester, notes));
}

/// R4 has room for one way in which somebody attests.
fn mode(attester: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const PATH: &str = "Composition.attester.mode";
    let Some(items) = attester.get_mut("mode").and_then(Draft::items) else { return };
    if items.len() == 1 && !attester.has("_mode") {
        if let Some(only) = attester.get_mut("mode").and_then(Draft::items).and_then(Vec::pop) {
            attester.put("mode", only);
        }
        return;
    }
    let whole = (attester.take("mode"), attester.take("_mode"));
    let first = whole.0.clone().and_then(|mut list| list.items()?.first().cloned());
    attach(attester, notes, PATH, "Code", whole);
    notes.kept(PATH);
    if let Some(first) = first {
        attester.put("mode", first);
    }
}
