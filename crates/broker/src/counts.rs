//! What is counted of an answer as its reader sees it.

use std::sync::Arc;

use tributary_merge::Overview;
use tributary_model::{SectionSet, Shown, Views};
use tributary_telemetry::{CopyKind, Extent};

use crate::broker::Room;
use crate::parts::SourcePort;

/// Counts an answer that is on record: what is known of each section, which sources lacked, what was a copy.
pub(crate) fn answered(room: &Room, seen: &Overview, ports: &[Arc<SourcePort>], share: f64) {
    let records = room.metrics.records();
    records.budget_used(share);
    for (section, state) in &seen.states {
        records.section(*section, *state);
    }
    for row in &seen.sources {
        if let Some(port) = ports.iter().find(|port| port.card.id == row.id) {
            room.metrics.sources().stood_in_a_record(&port.counted_as, row.status);
        }
    }
    for kind in CopyKind::ALL {
        let code = (*kind != CopyKind::Original).then(|| kind.code());
        records.statements(*kind, seen.copies.get(&code).copied().unwrap_or_default());
    }
}

/// Counts what was held back from the requester's role. It looks at the view and the registry, never at what was
/// withheld, so that nobody can conclude from a count whether there was anything.
pub(crate) fn removed(room: &Room, views: &Views, ports: &[Arc<SourcePort>], asked: SectionSet) {
    if views.is_whole() {
        return;
    }
    for port in ports {
        let view = views.of(port.card.kind);
        for section in asked.and(port.card.serves).iter() {
            let extent = match view.shown(section) {
                Shown::Hidden => Extent::Whole,
                Shown::Limited(_) => Extent::Part,
                Shown::Whole => continue,
            };
            room.metrics.records().removed(section, extent);
        }
    }
}
