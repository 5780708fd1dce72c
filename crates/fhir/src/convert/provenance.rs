//! `Provenance`.

use crate::draft::{Draft, Fields};

use super::edit::{Notes, rehome};
use super::kept::{attach, keep};

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "Provenance.occurredPeriod", "period", "Period");
    keep(fields, notes, "Provenance.occurredDateTime", "DateTime");
    coding(fields, notes, "activity", "Provenance.activity");
    coding(fields, notes, "reason", "Provenance.reason");
    fields.each("agent", |one| agent(one, notes));
    fields.each("entity", |entity| {
        rehome(entity, notes, "Provenance.entity.what", "whatReference", "Reference");
        entity.each("agent", |one| agent(one, notes));
    });
}

fn agent(agent: &mut Fields<'_>, notes: &mut Notes<'_>) {
    // How an agent took part is one of its roles in STU3.
    if let Some(kind) = agent.take("type") {
        agent.prepend("role", kind);
    }
    rehome(agent, notes, "Provenance.agent.who", "whoReference", "Reference");
    rehome(agent, notes, "Provenance.agent.onBehalfOf", "onBehalfOfReference", "Reference");
}

/// STU3 has codings where R4 has concepts. A concept that is more than one coding is kept whole beside it.
fn coding(fields: &mut Fields<'_>, notes: &mut Notes<'_>, key: &'static str, path: &'static str) {
    let Some(mut value) = fields.take(key) else { return };
    let is_list = value.items().is_some();
    let mut concepts = match value.items() {
        Some(items) => std::mem::take(items),
        None => vec![value],
    };
    let mut codings = Vec::new();
    let mut whole = Vec::new();
    for concept in &mut concepts {
        let before = concept.clone();
        let Some(inner) = concept.fields() else {
            whole.push(before);
            continue;
        };
        let is_alone = inner.len() == 1;
        let mut all = inner.get_mut("coding").and_then(Draft::items).map(std::mem::take).unwrap_or_default();
        if !is_alone || all.len() != 1 {
            whole.push(before);
        }
        if !all.is_empty() {
            codings.push(all.remove(0));
        }
    }
    if is_list {
        fields.append_all(key, codings);
    } else if let Some(only) = codings.pop() {
        fields.put(key, only);
    }
    if !whole.is_empty() {
        attach(fields, notes, path, "CodeableConcept", (Some(Draft::Array(whole)), None));
        notes.kept(path);
    }
}
