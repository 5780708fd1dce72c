//! Settings in, a broker out: the one place where the conductor meets its sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use tributary_audit::Trail;
use tributary_broker::{Broker, Limits, LinkKey, Locator, Mode, Parts, SourcePort};
use tributary_broker::{Maps, SourceCard};
use tributary_model::{Capability, Clock, SystemClock};
use tributary_sources::{
    Context, Egress, EgressSettings, Fixed, Registry, Route, Source, SourceEntry, UnobservedSources,
};
use tributary_telemetry::Metrics;

use crate::error::StartError;
use crate::observe::{AuditCounts, note_maps};
use crate::settings::{Settings, TlsFiles};

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
    let asids = settings.identity.asids(settings.organisations.clone(), settings.demo.is_some());
    let context = Context {
        identity: Arc::new(settings.identity.identity(base_url, asids)),
        token_clock: Arc::new(SystemClock),
        spine_proxy: settings.spine.as_ref().map(|spine| spine.proxy_url.clone()),
        directory: None,
        // The conductor counts asks, with the status that became of them.
        observers: Arc::new(UnobservedSources),
    };
    let registry = Registry::build(entries(settings)?, &egress, &context)?;
    let broker = Broker::new(Parts {
        ports: registry.iter().map(port).collect(),
        locator: locator(settings),
        trail,
        metrics: Arc::clone(&metrics),
        clock,
        link_key: link_key(settings)?,
        maps,
        mode: if settings.demo.is_some() { Mode::Demo } else { Mode::Live },
        limits: Limits::default(),
    });
    Ok((broker, metrics))
}

/// The sources, with the certificates that belong to them.
fn entries(settings: &Settings) -> Result<Vec<SourceEntry>, StartError> {
    let of_spine = settings.spine.as_ref().and_then(|spine| spine.tls.as_ref());
    let with_tls = |entry: &SourceEntry| {
        let by_route = if entry.route == Route::Spine { of_spine } else { None };
        let files = settings.source_tls.get(&entry.id).or(by_route);
        let tls = files
            .map(TlsFiles::load)
            .transpose()
            .map_err(|_told_by_check| StartError::Tls(entry.id.clone()))?;
        Ok(SourceEntry { tls, ..entry.clone() })
    };
    settings.sources.iter().map(with_tls).collect()
}

/// The key of the addresses of documents: from its file, or new with every start.
fn link_key(settings: &Settings) -> Result<LinkKey, StartError> {
    let Some(file) = &settings.server.link_key_file else {
        return LinkKey::random().map_err(StartError::Randomness);
    };
    let bytes = std::fs::read(file).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(LinkKey::of).ok_or_else(|| StartError::LinkKey(file.clone()))
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
    let offered =
        Capability::ALL.iter().filter_map(|one| Some((*one, entry.root(*one)?.as_str().to_owned())));
    let roots = if relay.is_some() { offered.collect() } else { BTreeMap::new() };
    SourcePort {
        card,
        service,
        relay,
        asid: entry.asid.clone(),
        roots,
        timeout: entry.timeout,
        cache_ttl: entry.cache_ttl,
    }
}

fn locator(settings: &Settings) -> Locator {
    let patients = settings.demo.iter().flat_map(|demo| &demo.patients);
    let own = patients.filter_map(|patient| Some((patient.nhs_number, patient.sources.clone()?)));
    let by_patient: BTreeMap<_, _> = own.collect();
    let fixed = Fixed { expected: settings.locator.expected(&settings.sources), by_patient };
    BoxCloneSyncService::new(fixed.into_locator().map_err(|_fault| tributary_broker::LocateFault))
}
