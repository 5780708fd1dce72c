//! What is counted of an answer as its reader sees it.

use std::sync::Arc;

use tributary_merge::RecordView;
use tributary_model::{SectionSet, Shown, Views};
use tributary_telemetry::{CopyKind, Extent};

use crate::broker::Room;
use crate::parts::SourcePort;

/// Counts an answer that is on record: what is known of each section, which sources lacked, what was a copy.
pub(crate) fn answered(room: &Room, view: &RecordView, ports: &[Arc<SourcePort>], share: f64) {
    let records = room.metrics.records();
    records.budget_used(share);
    for section in &view.sections {
        records.section(section.section, section.state);
    }
    for row in &view.sources {
        if let Some(port) = ports.iter().find(|port| port.card.id == row.id) {
            room.metrics.sources().stood_in_a_record(&port.counted_as, row.status);
        }
    }
    let lines = view.sections.iter().flat_map(|section| &section.lines);
    let mut counts = [0_u64; CopyKind::ALL.len()];
    for member in lines.flat_map(|line| &line.members) {
        let code = member.copy.unwrap_or(CopyKind::Original.code());
        let kinds = CopyKind::ALL.iter().zip(&mut counts);
        kinds.filter(|(kind, _)| kind.code() == code).for_each(|(_, count)| *count += 1);
    }
    for (kind, count) in CopyKind::ALL.iter().zip(counts) {
        records.statements(*kind, count);
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
