//! Settings in, a broker out: the one place where the conductor meets its sources.

mod kept;
pub(crate) mod national;

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use tributary_broker::{
    Broker, FeelPulse, FindPractice, Limits, Locator, Mode, Parts, Pulse, SourcePort, Tracing,
};
use tributary_broker::{Maps, SourceCard};
use tributary_flow::bulkhead::Occupancy;
use tributary_model::{Capability, MemoryBudget, SourceId, SourceKind, SystemClock};
use tributary_sources::national::pds::Pds;
use tributary_sources::national::practice::{PracticeSource, Practices};
use tributary_sources::national::sds::Sds;
use tributary_sources::{
    BrokerIdentity, Context, Egress, EgressSettings, Fixed, Route, Source, SourceEntry, Traced,
    UnobservedSources,
};

use crate::error::StartError;
use crate::settings::national::PRACTICES;
use crate::settings::{Settings, TlsFiles};
use crate::{codelists, observe};

use kept::{Gathered, SealedBy};
use national::National;

pub(crate) use kept::{Ground, Kept};

/// Puts a broker together, with what the one before it leaves, if there is one. Nobody is contacted.
pub(crate) fn wire(
    settings: &Settings,
    maps: Maps,
    ground: &Ground,
    before: Option<&Kept>,
) -> Result<(Broker, Kept), StartError> {
    let gathered = Gathered::by(settings, ground, before)?;
    let link_key = SealedBy::of(settings, before)?;
    let lists = codelists::load(settings.codelists.as_deref())?;
    let practices = gathered.practices.clone();
    let find = practices.clone().map(|practices| FindPractice::by(move |ods| found(practices.source(ods))));
    let broker = Broker::new(Parts {
        ports: gathered.registry.iter().map(port).collect(),
        locator: locator(settings, gathered.outward.national.pds.clone(), practices),
        practices: find,
        tracing: if settings.national.pds.is_some() { Tracing::Recorded } else { Tracing::Off },
        lasting: ground.lasting.clone(),
        clock: Arc::clone(&ground.clock),
        link_key: link_key.key.clone(),
        maps,
        prompts: settings.prompts.on,
        custodian: settings.identity.custodian(settings.demo.is_some()),
        lists,
        mode: if settings.demo.is_some() { Mode::Demo } else { Mode::Live },
        limits: Limits { cache_bytes: settings.cache.max_bytes, ..Limits::default() },
        memory: ground.memory.clone(),
    });
    Ok((broker, gathered.kept(link_key)))
}

/// The sources that are counted.
pub(crate) fn counted(settings: &Settings) -> Vec<(SourceId, SourceKind)> {
    let mut ids: Vec<_> = settings.sources.iter().map(|entry| (entry.id.clone(), entry.kind)).collect();
    if settings.national.pds.is_some() {
        ids.push((practices_id(), SourceKind::Gp));
    }
    ids
}

/// The client towards sources, who we are there, and the national services.
#[derive(Clone)]
pub(crate) struct Outward {
    pub(crate) egress: Egress,
    pub(crate) context: Context,
    pub(crate) national: National,
}

/// Everything that looks outward; bodies are taken from this budget. Nobody is contacted.
pub(crate) fn outward(
    settings: &Settings,
    base_url: &str,
    memory: &MemoryBudget,
) -> Result<Outward, StartError> {
    let egress = Egress::new(&egress_settings(settings, memory))?;
    let national = National::build(&settings.national, &egress)?;
    let context = Context {
        identity: Arc::new(identity(settings, base_url)),
        token_clock: Arc::new(SystemClock),
        spine_proxy: settings.spine.as_ref().map(|spine| spine.proxy_url.clone()),
        directory: national.sds.clone().map(Sds::into_directory),
        // Whoever asks in earnest puts somebody here who counts.
        observers: Arc::new(UnobservedSources),
    };
    Ok(Outward { egress, context, national })
}

fn egress_settings(settings: &Settings, memory: &MemoryBudget) -> EgressSettings {
    EgressSettings {
        connect_timeout: settings.limits.connect_timeout,
        memory: memory.clone(),
        ..EgressSettings::default()
    }
}

fn identity(settings: &Settings, base_url: &str) -> BrokerIdentity {
    let asids = settings.identity.asids(settings.organisations.clone(), settings.demo.is_some());
    settings.identity.identity(base_url, asids)
}

/// The sources, with the certificates that belong to them.
pub(crate) fn entries(settings: &Settings) -> Result<Vec<SourceEntry>, StartError> {
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
fn practices_id() -> SourceId {
    SourceId::parse(PRACTICES).unwrap_or_else(|_never| SourceId::unlocated())
}

fn locator(settings: &Settings, pds: Option<Pds>, practices: Option<Practices>) -> Locator {
    let patients = settings.demo.iter().flat_map(|demo| &demo.patients);
    let own = patients.filter_map(|patient| Some((patient.nhs_number, patient.sources.clone()?)));
    let by_patient: BTreeMap<_, _> = own.collect();
    let fixed = Fixed { expected: settings.locator.expected(&settings.sources), by_patient };
    let locator = match pds {
        Some(pds) => Traced::new(pds, &settings.sources, fixed, practices).into_locator(),
        None => fixed.into_locator(),
    };
    BoxCloneSyncService::new(locator.map_response(|located| located.map(found)))
}
