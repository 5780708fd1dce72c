//! Settings in, a broker out: the one place where the conductor meets its sources.

mod handing_on;
mod kept;
pub(crate) mod national;
mod ports;
mod traces;

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use tributary_broker::{Broker, FindPractice, Limits, Locator, Mode, Parts, Tracing};
use tributary_model::{Maintenance, MemoryBudget, Purpose, SourceId, SourceKind, SystemClock};
use tributary_sources::egress::SourceTls;
use tributary_sources::national::pds::Pds;
use tributary_sources::national::practice::Practices;
use tributary_sources::national::sds::Sds;
use tributary_sources::{
    BrokerIdentity, Context, Egress, EgressSettings, Fixed, Route, SourceEntry, Traced, UnobservedSources,
};

use crate::error::StartError;
use crate::rules::Rules;
use tributary_settings::{Settings, TlsFiles};

use kept::{Gathered, SealedBy};
use national::National;
use ports::{found, port, practices_id};

pub(crate) use handing_on::hand_on;
pub(crate) use kept::{Ground, Kept};
pub(crate) use traces::TraceFeed;

/// Puts a broker together, with what the one before it leaves, if there is one. Nobody is contacted.
pub(crate) fn wire(
    settings: &Settings,
    rules: Rules,
    ground: &Ground,
    before: Option<&Kept>,
) -> Result<(Broker, Kept), StartError> {
    wire_for(settings, rules, ground, before, None)
}

/// The same, with another purpose on record than requests name.
pub(crate) fn wire_for(
    settings: &Settings,
    Rules { maps, lists, policy }: Rules,
    ground: &Ground,
    before: Option<&Kept>,
    recorded_purpose: Option<Purpose>,
) -> Result<(Broker, Kept), StartError> {
    let gathered = Gathered::by(settings, ground, before)?;
    let link_key = SealedBy::of(settings, before)?;
    let practices = gathered.practices.clone();
    let find = practices.clone().map(|practices| FindPractice::by(move |ods| found(practices.source(ods))));
    let broker = Broker::new(Parts {
        ports: gathered
            .registry
            .iter()
            .map(|source| port(source, settings.maintenance.get(&source.entry.id)))
            .collect(),
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
        policy,
        recorded_purpose,
        config: settings.digest,
        signals: settings.signals.limits,
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

/// The maintenance that is announced, for operators: seconds since 1970.
pub(crate) fn announced(settings: &Settings) -> Vec<(SourceId, i64, i64)> {
    let second = |one: &Maintenance| (one.from.as_second(), one.until.as_second());
    let all = settings.maintenance.iter().map(|(id, one)| (id.clone(), second(one)));
    all.map(|(id, (from, until))| (id, from, until)).collect()
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
    let with_tls = |(entry, tls): (&SourceEntry, _)| SourceEntry { tls, ..entry.clone() };
    demands(settings).map(|demanded| demanded.map(with_tls)).collect()
}

/// Every source with what it demands of TLS. The files of the Spine proxy, which thousands may share, are read once.
pub(crate) fn demands(
    settings: &Settings,
) -> impl Iterator<Item = Result<(&SourceEntry, Option<SourceTls>), StartError>> {
    let of_spine = settings.spine.as_ref().and_then(|spine| spine.tls.as_ref());
    let spine = LazyCell::new(move || of_spine.map(TlsFiles::load).transpose());
    settings.sources.iter().map(move |entry| {
        let tls = match settings.source_tls.get(&entry.id) {
            Some(files) => files.load().map(Some),
            None if entry.route == Route::Spine => spine.clone(),
            None => Ok(None),
        };
        let tls = tls.map_err(|_told_by_check| StartError::Tls(entry.id.clone()))?;
        Ok((entry, tls))
    })
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
