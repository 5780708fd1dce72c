//! Settings in, a broker out: the one place where the conductor meets its sources.

pub(crate) mod national;

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use tributary_audit::Trail;
use tributary_broker::{Broker, Limits, Locator, Mode, Parts, SourcePort};
use tributary_broker::{Maps, SourceCard};
use tributary_model::{Clock, SourceId, SourceKind, SystemClock};
use tributary_sources::national::practice::PracticeSource;
use tributary_sources::{
    Context, Egress, EgressSettings, Fixed, Registry, Source, Traced, UnobservedSources,
};
use tributary_telemetry::Metrics;

use crate::error::StartError;
use crate::observe::{AuditCounts, note_maps};
use crate::settings::Settings;
use crate::settings::national::PRACTICES;

use national::National;

/// Puts the broker together. Sources are told that we are at `base_url`.
pub(crate) fn wire(
    settings: &Settings,
    maps: Maps,
    clock: Arc<dyn Clock>,
    trail: Trail,
    base_url: &str,
) -> Result<(Broker, Arc<Metrics>), StartError> {
    let mut ids: Vec<_> = settings.sources.iter().map(|entry| (entry.id.clone(), entry.kind)).collect();
    if settings.national.pds.is_some() {
        ids.push((practices_id(), SourceKind::Gp));
    }
    let metrics = Arc::new(Metrics::new(&ids)?);
    note_maps(&maps, &metrics);
    trail.observe(Arc::new(AuditCounts(Arc::clone(&metrics))));
    let (egress, context) = outward(settings, base_url)?;
    let registry = Registry::build(settings.sources.iter().cloned(), &egress, &context)?;
    let broker = Broker::new(Parts {
        ports: registry.iter().map(port).collect(),
        locator: locator(settings, &egress, &context)?,
        trail,
        metrics: Arc::clone(&metrics),
        clock,
        maps,
        mode: if settings.demo.is_some() { Mode::Demo } else { Mode::Live },
        limits: Limits::default(),
    });
    Ok((broker, metrics))
}

/// The client towards sources, and who we are there.
pub(crate) fn outward(settings: &Settings, base_url: &str) -> Result<(Egress, Context), StartError> {
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
    Ok((egress, context))
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
    SourcePort {
        card,
        service: source.service.clone(),
        relay: source.relay.clone(),
        timeout: entry.timeout,
        cache_ttl: entry.cache_ttl,
        counted_as: entry.id.clone(),
        found_root: None,
    }
}

/// A practice that was found for one patient.
fn found(source: PracticeSource) -> Arc<SourcePort> {
    let card = SourceCard {
        id: source.id,
        name: source.name,
        kind: SourceKind::Gp,
        ods: source.ods,
        rank: source.rank,
        serves: source.serves,
        owns: Vec::new(),
        base_url: None,
    };
    Arc::new(SourcePort {
        card,
        service: source.service,
        relay: source.relay,
        timeout: source.timeout,
        cache_ttl: source.cache_ttl,
        counted_as: practices_id(),
        found_root: Some(source.root),
    })
}

/// All practices found are counted as one: a label for each would be one for each patient's practice.
fn practices_id() -> SourceId {
    SourceId::parse(PRACTICES).unwrap_or_else(|_never| SourceId::unlocated())
}

fn locator(settings: &Settings, egress: &Egress, context: &Context) -> Result<Locator, StartError> {
    let patients = settings.demo.iter().flat_map(|demo| &demo.patients);
    let own = patients.filter_map(|patient| Some((patient.nhs_number, patient.sources.clone()?)));
    let by_patient: BTreeMap<_, _> = own.collect();
    let fixed = Fixed { expected: settings.locator.expected(&settings.sources), by_patient };
    let national = National::build(&settings.national, egress)?;
    let practices = national.practices(&settings.national, egress, context);
    let locator = match national.pds {
        Some(pds) => Traced::new(pds, &settings.sources, fixed, practices).into_locator(),
        None => fixed.into_locator(),
    };
    Ok(BoxCloneSyncService::new(locator.map_response(|located| located.map(found))))
}
