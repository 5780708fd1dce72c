//! Sources as the conductor sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_broker::{FeelPulse, Pulse, SourceCard, SourcePort};
use tributary_flow::bulkhead::Occupancy;
use tributary_model::{Capability, Maintenance, SourceId, SourceKind};
use tributary_sources::Source;
use tributary_sources::national::practice::PracticeSource;

use crate::observe;
use tributary_settings::national::PRACTICES;

/// A registered source as the conductor sees it.
pub(super) fn port(source: &Source, maintenance: Option<&Maintenance>) -> SourcePort {
    let entry = &source.entry;
    let card = SourceCard {
        id: entry.id.clone(),
        name: entry.name.clone(),
        kind: entry.kind,
        ods: entry.ods.clone(),
        rank: entry.rank,
        serves: entry.serves(),
        owns: entry.owns.clone(),
        base_url: Some(entry.base_url.as_str().to_owned()),
        maintenance: maintenance.cloned(),
    };
    let (service, relay) = (source.service.clone(), source.relay.clone());
    let attachments = source.attachments.clone();
    let offered =
        Capability::ALL.iter().filter_map(|one| Some((*one, entry.root(*one)?.as_str().to_owned())));
    let roots = if relay.is_some() { offered.collect() } else { BTreeMap::new() };
    SourcePort {
        card,
        service,
        relay,
        attachments,
        asid: entry.asid.clone(),
        roots,
        timeout: entry.timeout,
        cache_ttl: entry.cache_ttl,
        counted_as: entry.id.clone(),
        found_roots: Arc::default(),
        feel_pulse: Some(feel_pulse(source.pulse.clone())),
    }
}

/// Looks at the limits around a source.
fn feel_pulse(pulse: tributary_sources::Pulse) -> FeelPulse {
    FeelPulse::by(move || {
        let Occupancy { limit, used, waiting } = pulse.occupancy();
        Pulse { breaker: observe::shown(pulse.breaker()), limit, used, waiting }
    })
}

/// A practice that was found for one patient.
pub(super) fn found(source: PracticeSource) -> Arc<SourcePort> {
    let card = SourceCard {
        id: source.id,
        name: source.name,
        kind: SourceKind::Gp,
        ods: source.ods,
        rank: source.rank,
        serves: source.serves,
        owns: Vec::new(),
        base_url: None,
        maintenance: None,
    };
    Arc::new(SourcePort {
        card,
        service: source.service,
        relay: source.relay,
        attachments: None,
        asid: None,
        roots: BTreeMap::new(),
        timeout: source.timeout,
        cache_ttl: source.cache_ttl,
        counted_as: practices_id(),
        found_roots: source.roots,
        // Practices found are shown to nobody: their ids would be those of patients' practices.
        feel_pulse: None,
    })
}

/// All practices found are counted as one: a label for each would be one for each patient's practice.
pub(super) fn practices_id() -> SourceId {
    SourceId::parse(PRACTICES).unwrap_or_else(|_never| SourceId::unlocated())
}
