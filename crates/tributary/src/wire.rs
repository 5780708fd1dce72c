//! Settings in, a broker out: the one place where the conductor meets its sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use tributary_audit::Trail;
use tributary_broker::{Broker, Limits, Locator, Mode, Parts, SourcePort};
use tributary_broker::{Maps, SourceCard};
use tributary_model::{Clock, SystemClock};
use tributary_sources::{Context, Egress, EgressSettings, Fixed, Registry, Source, UnobservedSources};
use tributary_telemetry::Metrics;

use crate::error::StartError;
use crate::observe::{AuditCounts, note_maps};
use crate::settings::Settings;

/// Puts the broker together. Sources are told that we are at `base_url`.
pub(crate) fn wire(
    settings: &Settings,
    maps: Maps,
    clock: Arc<dyn Clock>,
    trail: Trail,
    base_url: &str,
) -> Result<(Broker, Arc<Metrics>), StartError> {
    let ids: Vec<_> = settings.sources.iter().map(|entry| (entry.id.clone(), entry.kind)).collect();
    let metrics = Arc::new(Metrics::new(&ids)?);
    note_maps(&maps, &metrics);
    trail.observe(Arc::new(AuditCounts(Arc::clone(&metrics))));
    let egress = Egress::new(&EgressSettings {
        connect_timeout: settings.limits.connect_timeout,
        extra_roots: Vec::new(),
    })?;
    let context = Context {
        identity: Arc::new(settings.identity.identity(base_url)),
        token_clock: Arc::new(SystemClock),
        // The conductor counts asks, with the status that became of them.
        observers: Arc::new(UnobservedSources),
    };
    let registry = Registry::build(settings.sources.iter().cloned(), &egress, &context)?;
    let broker = Broker::new(Parts {
        ports: registry.iter().map(port).collect(),
        locator: locator(settings),
        trail,
        metrics: Arc::clone(&metrics),
        clock,
        maps,
        mode: if settings.demo.is_some() { Mode::Demo } else { Mode::Live },
        limits: Limits::default(),
    });
    Ok((broker, metrics))
}

fn port(source: &Source) -> SourcePort {
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
    };
    let (service, relay) = (source.service.clone(), source.relay.clone());
    SourcePort { card, service, relay, timeout: entry.timeout, cache_ttl: entry.cache_ttl }
}

fn locator(settings: &Settings) -> Locator {
    let patients = settings.demo.iter().flat_map(|demo| &demo.patients);
    let own = patients.filter_map(|patient| Some((patient.nhs_number, patient.sources.clone()?)));
    let by_patient: BTreeMap<_, _> = own.collect();
    let fixed = Fixed { expected: settings.locator.expected(&settings.sources), by_patient };
    BoxCloneSyncService::new(fixed.into_locator().map_err(|_fault| tributary_broker::LocateFault))
}
