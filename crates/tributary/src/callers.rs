//! Callers as they are registered, and the keys of those who vouch for them: read, fetched, and kept from one
//! configuration to the next.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use tokio::task::AbortHandle;
use tributary_identity::{Algorithm, Consumers, Gate, KeyRing, KeySet, MOST_SET_BYTES, Replays};
use tributary_model::{Clock as _, Deadline, SystemClock};
use tributary_server::Callers;
use tributary_sources::egress::SourceTls;
use tributary_sources::{Egress, EgressSettings};
use tributary_telemetry::Metrics;
use url::Url;

use crate::error::StartError;
use tributary_settings::{IssuerSettings, KeysFrom, Mistake, Settings, TlsFiles};

/// What outlives a configuration: tokens that were used, and keys that were fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptCallers {
    replays: Arc<Replays>,
    /// By issuer.
    rings: BTreeMap<String, Ring>,
}

/// The keys of an issuer, with what they were made from: as long as it is equal they are kept.
#[derive(Clone, Debug)]
struct Ring {
    keys: KeysFrom,
    allowed: Vec<Algorithm>,
    kept: Arc<KeyRing>,
    _fetching: Option<Arc<Fetching>>,
}

/// Fetches until it is dropped.
#[derive(Debug)]
struct Fetching(AbortHandle);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The listeners' callers, and what the next configuration may take over.
pub(crate) struct Registered {
    pub(crate) data: Callers,
    pub(crate) gpconnect: Option<Callers>,
    pub(crate) launch: Option<Callers>,
    pub(crate) kept: KeptCallers,
}

impl Registered {
    /// The callers of these settings. Keys that are fetched are fetched from now on, whatever becomes of the rest.
    pub(crate) fn by(
        settings: &Settings,
        before: &KeptCallers,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let replays = Arc::clone(&before.replays);
        if settings.demo.is_some() {
            let kept = KeptCallers { replays, rings: BTreeMap::new() };
            return Ok(Self { data: Callers::Believed, gpconnect: None, launch: None, kept });
        }
        let mut rings = BTreeMap::new();
        for issuer in &settings.callers.issuers {
            let known = before.rings.get(&issuer.id).filter(|ring| ring.is_of(issuer));
            let ring = known.map_or_else(|| Ring::of(issuer, metrics), |ring| Ok(ring.clone()))?;
            rings.insert(issuer.id.clone(), ring);
        }
        let consumers = Consumers::of(settings.callers.consumers.clone())
            .map_err(|_told_by_check| StartError::Callers("consumer".to_owned()))?;
        let issuers = settings.callers.issuers.iter();
        let issuers = issuers
            .filter_map(|issuer| Some((issuer.rules.clone(), Arc::clone(&rings.get(&issuer.id)?.kept))));
        let gate = Arc::new(Gate::new(consumers, issuers, Arc::clone(&replays)));
        let gpconnect = settings.server.gpconnect.is_some().then(|| Callers::GpConnect(Arc::clone(&gate)));
        let launch = settings.server.launch.is_some().then(|| Callers::Launched(Arc::clone(&gate)));
        Ok(Self { data: Callers::Proven(gate), gpconnect, launch, kept: KeptCallers { replays, rings } })
    }
}

impl Ring {
    /// What is fetched stays while it is fetched from the same place; files are read again every time.
    fn is_of(&self, issuer: &IssuerSettings) -> bool {
        let is_same = self.keys == issuer.keys && self.allowed == issuer.rules.algorithms;
        is_same && self.kept.is_fetched()
    }

    fn of(issuer: &IssuerSettings, metrics: &Arc<Metrics>) -> Result<Self, StartError> {
        let failed = |_told_by_check| StartError::Callers(format!("issuer {}", issuer.id));
        let allowed = issuer.rules.algorithms.clone();
        let (ring, fetching) = match &issuer.keys {
            KeysFrom::File(file) => (KeyRing::pinned(pinned(file, &allowed).map_err(failed)?), None),
            KeysFrom::Url(address) => {
                let ring = KeyRing::fetched(address.most_age);
                (ring, Some(Fetch::of(issuer, metrics).map_err(failed)?))
            }
        };
        let ring = Arc::new(ring);
        let keep =
            |fetch: Fetch| Arc::new(Fetching(tokio::spawn(fetch.keep(Arc::clone(&ring))).abort_handle()));
        Ok(Self { keys: issuer.keys.clone(), allowed, _fetching: fetching.map(keep), kept: ring })
    }
}

/// Everything that is wrong with the files of issuers.
pub(crate) fn mistakes(settings: &Settings) -> Vec<Mistake> {
    let issuers = settings.callers.issuers.iter().enumerate();
    let of_one = |(index, issuer): (usize, &IssuerSettings)| match &issuer.keys {
        KeysFrom::File(file) => {
            let says = pinned(file, &issuer.rules.algorithms).err();
            let path = format!("issuer[{}].jwks_file", index + 1);
            says.map(|says| Mistake { path, line: None, says }).into_iter().collect()
        }
        KeysFrom::Url(address) => {
            address.tls.as_ref().and_then(|files| files.load().err()).unwrap_or_default()
        }
    };
    issuers.flat_map(of_one).collect()
}

fn pinned(file: &Path, allowed: &[Algorithm]) -> Result<KeySet, String> {
    let bytes = bounded(file).map_err(|error| format!("cannot be read: {}", error.kind()))?;
    KeySet::read(&bytes, allowed).map_err(|error| error.to_string())
}

fn bounded(file: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    // One byte more than is read as a set: a longer file is told to be none.
    fs::File::open(file)?.take(MOST_SET_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What fetching the keys of one issuer takes.
struct Fetch {
    issuer: String,
    url: Url,
    tls: SourceTls,
    timeout: Duration,
    allowed: Vec<Algorithm>,
    egress: Egress,
    metrics: Arc<Metrics>,
}

impl Fetch {
    fn of(issuer: &IssuerSettings, metrics: &Arc<Metrics>) -> Result<Self, String> {
        let KeysFrom::Url(address) = &issuer.keys else {
            return Err("has no address".to_owned());
        };
        let tls = address.tls.as_ref().map(TlsFiles::load).transpose().map_err(|_told_by_check| "tls")?;
        // A client of its own: keys come from nobody who is a source, and wait for none.
        let egress = Egress::new(&EgressSettings::default()).map_err(|error| error.to_string())?;
        Ok(Self {
            issuer: issuer.id.clone(),
            url: address.url.clone(),
            tls: tls.unwrap_or_default(),
            timeout: address.timeout,
            allowed: issuer.rules.algorithms.clone(),
            egress,
            metrics: Arc::clone(metrics),
        })
    }

    /// Fetches whenever the ring wants it, beside the requests that need the keys.
    async fn keep(self, ring: Arc<KeyRing>) {
        // When nobody looks there for keys any more it is over.
        while Arc::strong_count(&ring) > 1 {
            ring.due().await;
            let set = self.once().await;
            if set.is_some() {
                self.metrics.keys_fetched(&self.issuer, SystemClock.now().as_second());
            }
            ring.put(set);
        }
    }

    async fn once(&self) -> Option<KeySet> {
        let deadline = Deadline::after(self.timeout);
        let fetched = self.egress.fetch(&self.tls, &self.url, deadline, MOST_SET_BYTES as u64).await;
        let issuer = self.issuer.as_str();
        let set = match fetched {
            Ok(bytes) => KeySet::read(&bytes, &self.allowed).map_err(|error| error.to_string()),
            Err(fault) => Err(fault.to_string()),
        };
        set.inspect_err(|why| tracing::warn!({ issuer.id = issuer }, "keys not fetched: {why}")).ok()
    }
}
