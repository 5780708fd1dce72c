//! A broker that runs, from its two sockets to the end of the drain.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tributary_audit::{AuditError, ConfigChange, ConfigEvent, Event, Notary, Trail};
use tributary_broker::{Broker, Lasting, Policy};
use tributary_ledger::postgres;
use tributary_model::{Clock, FixedClock, MemoryBudget, Priority, SystemClock};
use tributary_server::{Callers, Front, Limits, Listeners, Tls, TlsIdentity, WhoLooked, serve};
use tributary_telemetry::Metrics;

use crate::callers::{KeptCallers, Registered};
use crate::certificates;
use crate::error::StartError;
use crate::feeds::Feeds;
use crate::looked::who_looked;
use crate::observe::{AuditCounts, MapRows};
use crate::protection::Shelter;
use crate::rules::Rules;
use crate::wire::{Ground, Kept, announced, counted, wire};
use crate::witnessing;
use tributary_settings::{ListenerTls, PostgresSettings, Settings};

/// A broker that runs. Dropping it lets it run on until the runtime ends; [`Running::stop`] drains it.
pub struct Running {
    admin: SocketAddr,
    pub(crate) ground: Ground,
    pub(crate) settings: Arc<Settings>,
    pub(crate) broker: Broker,
    pub(crate) kept: Arc<Kept>,
    /// Who may see what.
    pub(crate) policy: Policy,
    /// Reads the log for patients.
    pub(crate) who_looked: Option<WhoLooked>,
    pub(crate) front: Front,
    /// Who we are to callers; the listener looks here for each handshake.
    pub(crate) tls: Option<Tls>,
    /// Who calls at the data listener.
    pub(crate) callers: Callers,
    pub(crate) kept_callers: KeptCallers,
    pub(crate) gpconnect: Option<SecondFront>,
    pub(crate) launch: Option<SecondFront>,
    /// How far the process is shut in.
    pub(crate) shelter: Shelter,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    /// Follow it for as long as it runs.
    feeds: Feeds,
}

/// A listener beside the data listener: for GP Connect, or for browsers that were sent here.
pub(crate) struct SecondFront {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Tls,
    pub(crate) front: Front,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("data", &self.ground.data).finish_non_exhaustive()
    }
}

impl Running {
    /// Starts a broker. Port 0 in the settings means any free port.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let rules = Rules::load(&settings)?;
        // Boxed: whoever waits for it need not hold all of it on the stack.
        Box::pin(Self::start_by(settings, rules)).await
    }

    /// Starts a broker with rules that are read.
    pub async fn start_by(settings: Settings, rules: Rules) -> Result<Self, StartError> {
        let as_of = settings.demo.as_ref().and_then(|demo| demo.as_of);
        let clock: Arc<dyn Clock> = match as_of {
            Some(instant) => Arc::new(FixedClock(instant)),
            None => Arc::new(SystemClock),
        };
        let listeners = Listeners {
            data: listen(settings.server.listen).await?,
            admin: listen(settings.server.admin_listen).await?,
            // Bound when there is somebody to answer.
            gpconnect: None,
            launch: None,
        };
        // Boxed: whoever waits for it need not hold all of it on the stack.
        Box::pin(Self::start_on(listeners, settings, rules, clock)).await
    }

    /// Starts a broker on sockets that are bound, with rules that are read; `clock` dates them.
    pub async fn start_on(
        mut listeners: Listeners,
        settings: Settings,
        rules: Rules,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let address = |listener: &TcpListener, wanted| {
            listener.local_addr().map_err(|error| StartError::Listen(wanted, error))
        };
        let data = address(&listeners.data, settings.server.listen)?;
        let admin = address(&listeners.admin, settings.server.admin_listen)?;
        let notary = witnessing::notary(&settings.audit)?;
        let mut couriers = witnessing::couriers(&settings.audit)?;
        witnessing::stand_behind(&mut couriers, &settings.audit, &notary).await?;
        let trail = open_trail(&settings, notary).await?;
        let metrics = counters(&settings)?;
        trail.observe(Arc::new(AuditCounts(Arc::clone(&metrics))));
        witnessing::witness(couriers, &settings.audit, &trail, &metrics).await?;
        let lasting = Lasting::new(trail.clone(), Arc::clone(&metrics));
        let memory = MemoryBudget::new(settings.limits.memory_bytes);
        let ground = Ground { trail, metrics, lasting, clock, memory, data };
        MapRows::of(&rules.maps).note(&ground.metrics);
        let policy = rules.policy.clone();
        let (broker, kept) = wire(&settings, rules, &ground, None)?;
        tracing::info!({ config.digest = settings.name() }, "configuration in force");
        let Identities { data: own, gpconnect: other, launch: third } = Identities::load(&settings)?;
        ground.metrics.certificates_end(&certificates::ends(&settings));
        ground.metrics.revocation_lists(&certificates::lists(&settings));
        let registered = Registered::by(&settings, &KeptCallers::default(), &ground.metrics)?;
        let tls = own.map(Tls::new);
        // Bound first: the others give out its address.
        let browsers = browsers(&settings).await?;
        let launch_addr = browsers.as_ref().map(|(address, _)| *address);
        let who_looked = who_looked(&settings, &policy, &ground);
        let edge_settings = tributary_server::Settings {
            who_looked: who_looked.clone(),
            launch_base_url: launch_base_url(&settings, data, launch_addr),
            ..edge(&settings, data, tls.clone(), registered.data.clone())
        };
        let front = Front::new(broker.clone(), Arc::clone(&ground.metrics), edge_settings);
        let second = (front.clone(), broker.clone());
        let gpconnect = gpconnect_front(&settings, &second, registered.gpconnect, other).await?;
        let launch =
            launch_front(&settings, who_looked.clone(), &second, (browsers, registered.launch, third));
        let (gpconnect_listener, gpconnect) = gpconnect.unzip();
        let (launch_listener, launch) = launch.unzip();
        listeners.gpconnect = gpconnect_listener;
        listeners.launch = launch_listener;
        let (callers, kept_callers) = (registered.data, registered.kept);
        let (stop, stopped) = oneshot::channel();
        let feeds = Feeds::begin(&settings, &ground, &settings.server.base_url(data))?;
        let serving = tokio::spawn(serve(listeners, front.clone(), until_told(stopped)));
        kept.make_ready();
        let (settings, kept) = (Arc::new(settings), Arc::new(kept));
        Ok(Self {
            admin,
            ground,
            settings,
            broker,
            kept,
            policy,
            who_looked,
            front,
            tls,
            callers,
            kept_callers,
            gpconnect,
            launch,
            shelter: Shelter::none(),
            stop,
            serving,
            feeds,
        })
    }

    /// Operators are told how far the process is shut in; what is out of its reach is refused at a reload.
    pub(crate) fn is_sheltered(&mut self, shelter: Shelter) {
        self.ground.metrics.sandboxed(&shelter.walls());
        self.shelter = shelter;
        self.front.swap(self.broker.clone(), self.edge(&self.settings, self.callers.clone()));
    }

    /// The edge's part of these settings.
    pub(crate) fn edge(&self, settings: &Settings, callers: Callers) -> tributary_server::Settings {
        let standing: Vec<_> = self.shelter.standing().collect();
        let sandbox = if standing.is_empty() { "none".to_owned() } else { standing.join(" ") };
        let posture = format!("sandbox: {sandbox}\n");
        let who_looked = self.who_looked.clone();
        let usual = edge(settings, self.ground.data, self.tls.clone(), callers);
        let launch_base_url = launch_base_url(settings, self.ground.data, self.launch_addr());
        tributary_server::Settings { posture, who_looked, launch_base_url, ..usual }
    }

    /// Where records are asked for.
    pub const fn data_addr(&self) -> SocketAddr {
        self.ground.data
    }

    /// Where metrics and health are.
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Where GP Connect is spoken, if that has a listener of its own.
    pub fn gpconnect_addr(&self) -> Option<SocketAddr> {
        self.gpconnect.as_ref().map(|gpconnect| gpconnect.address)
    }

    /// Where browsers are sent to, if there is a listener for them.
    pub fn launch_addr(&self) -> Option<SocketAddr> {
        self.launch.as_ref().map(|launch| launch.address)
    }

    /// Leaves and drains: no new connections after the time to leave, then at most the drain time for what is in
    /// flight, then the audit log is closed.
    pub async fn stop(self) -> Result<(), JoinError> {
        // The server may have ended by itself; then there is nobody to tell.
        let _ended = self.stop.send(());
        self.serving.await?;
        self.broker.close(self.settings.server.drain).await;
        self.feeds.end().await;
        Ok(())
    }
}

/// Whoever drops the handle wants the broker to run on.
async fn until_told(stopped: oneshot::Receiver<()>) {
    if stopped.await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::Listen(address, error))
}

/// A listener beside the data listener, with what answers there.
type Second = ((TcpListener, Front), SecondFront);

async fn gpconnect_front(
    settings: &Settings,
    (front, broker): &(Front, Broker),
    callers: Option<Callers>,
    identity: Option<TlsIdentity>,
) -> Result<Option<Second>, StartError> {
    let (Some(section), Some(callers), Some(identity)) = (&settings.server.gpconnect, callers, identity)
    else {
        return Ok(None);
    };
    let listener = listen(section.listen).await?;
    let address = listener.local_addr().map_err(|error| StartError::Listen(section.listen, error))?;
    let tls = Tls::new(identity);
    let front = front.beside(broker.clone(), gpconnect_edge(settings, address, tls.clone(), callers));
    Ok(Some(((listener, front.clone()), SecondFront { address, tls, front })))
}

/// The socket of the listener for browsers, where there is one.
async fn browsers(settings: &Settings) -> Result<Option<(SocketAddr, TcpListener)>, StartError> {
    let Some(section) = &settings.server.launch else { return Ok(None) };
    let listener = listen(section.listen).await?;
    let address = listener.local_addr().map_err(|error| StartError::Listen(section.listen, error))?;
    Ok(Some((address, listener)))
}

type Browsers = (Option<(SocketAddr, TcpListener)>, Option<Callers>, Option<TlsIdentity>);

fn launch_front(
    settings: &Settings,
    who_looked: Option<WhoLooked>,
    (front, broker): &(Front, Broker),
    (browsers, callers, identity): Browsers,
) -> Option<Second> {
    let (address, listener) = browsers?;
    let tls = Tls::new(identity?);
    let edge = launch_edge(settings, who_looked, (address, tls.clone()), callers?);
    let front = front.beside(broker.clone(), edge);
    Some(((listener, front.clone()), SecondFront { address, tls, front }))
}

/// The counters of a node, with what is announced of its sources.
fn counters(settings: &Settings) -> Result<Arc<Metrics>, StartError> {
    let metrics = Arc::new(Metrics::new(&counted(settings))?);
    metrics.sources().maintenance(&announced(settings));
    Ok(metrics)
}

/// Opens the audit log and writes down with which configuration. It is read to its end first, so not here.
pub(crate) async fn open_trail(settings: &Settings, notary: Notary) -> Result<Trail, StartError> {
    let dir = settings.audit.dir.clone();
    let limits = tributary_audit::Settings {
        segment_bytes: settings.audit.segment_bytes,
        ..tributary_audit::Settings::default()
    };
    if notary.key.is_none() && settings.demo.is_none() {
        tracing::warn!("no audit.key_file: checkpoints of the audit log are not signed");
    }
    let failed = |error| StartError::Audit(settings.audit.dir.clone(), error);
    let store = settings.audit.postgres.as_ref().map(PostgresSettings::store).transpose();
    let store = store.map_err(StartError::AuditFile)?;
    // The log tells the true time, whatever clock dates the rules.
    let clock = Arc::new(SystemClock);
    let open = tokio::task::spawn_blocking(move || match store {
        Some(store) => Ok(postgres::open(store, limits, clock, notary)?),
        None => {
            Trail::open_signed(&dir, limits, clock, notary).map_err(|error| StartError::Audit(dir, error))
        }
    });
    let trail = open.await.unwrap_or_else(|_ended| Err(failed(AuditError::Closed)))?;
    let event = ConfigEvent { change: ConfigChange::Loaded, digest: settings.digest };
    trail.record(Event::Config(event)).await.map_err(failed)?;
    Ok(trail)
}

/// Who we are to callers, from the files of the settings.
pub(crate) struct Identities {
    pub(crate) data: Option<TlsIdentity>,
    pub(crate) gpconnect: Option<TlsIdentity>,
    pub(crate) launch: Option<TlsIdentity>,
}

impl Identities {
    pub(crate) fn load(settings: &Settings) -> Result<Self, StartError> {
        let load = |tls: Option<&ListenerTls>| {
            tls.map(ListenerTls::load).transpose().map_err(|_told_by_check| StartError::ListenerTls)
        };
        let gpconnect = settings.server.gpconnect.as_ref().map(|gpconnect| &gpconnect.tls);
        let launch = settings.server.launch.as_ref().map(|launch| &launch.tls);
        let data = load(settings.server.tls.as_ref())?;
        Ok(Self { data, gpconnect: load(gpconnect)?, launch: load(launch)? })
    }
}

/// The edge of the listener for GP Connect: that of the other, but for who calls and what they call us.
pub(crate) fn gpconnect_edge(
    settings: &Settings,
    address: SocketAddr,
    tls: Tls,
    callers: Callers,
) -> tributary_server::Settings {
    let usual = edge(settings, address, Some(tls), callers);
    let base_url = settings.server.gpconnect.as_ref().map(|gpconnect| gpconnect.base_url(address));
    tributary_server::Settings { public_base_url: base_url.unwrap_or_default(), ..usual }
}

/// The edge of the listener for browsers: that of the other, but for who calls and what they call us.
pub(crate) fn launch_edge(
    settings: &Settings,
    who_looked: Option<WhoLooked>,
    (address, tls): (SocketAddr, Tls),
    callers: Callers,
) -> tributary_server::Settings {
    let usual = edge(settings, address, Some(tls), callers);
    let base_url = settings.server.launch.as_ref().map(|launch| launch.base_url(address)).unwrap_or_default();
    tributary_server::Settings {
        public_base_url: base_url.clone(),
        launch_base_url: Some(base_url),
        who_looked,
        ..usual
    }
}

/// What addresses begin with that open a page; a demo opens them where it does everything else.
fn launch_base_url(settings: &Settings, data: SocketAddr, launch: Option<SocketAddr>) -> Option<String> {
    let own = settings.server.launch.as_ref().zip(launch).map(|(section, address)| section.base_url(address));
    own.or_else(|| settings.demo.is_some().then(|| settings.server.base_url(data)))
}

/// The edge's part of the settings.
pub(crate) fn edge(
    settings: &Settings,
    data: SocketAddr,
    tls: Option<Tls>,
    callers: Callers,
) -> tributary_server::Settings {
    let usual = tributary_server::Settings::default();
    let patients = settings.demo.iter().flat_map(|demo| &demo.patients);
    let mut demo_requester = usual.demo_requester.clone();
    if let Some(role) = settings.demo.as_ref().and_then(|demo| demo.role) {
        demo_requester.role = role;
        demo_requester.priority = Priority::of(role);
    }
    tributary_server::Settings {
        demo_requester,
        public_base_url: settings.server.base_url(data),
        frame_ancestors: settings.viewer.frame_ancestors.clone(),
        config: settings.name(),
        callers,
        spine_position: settings.server.spine_position,
        demo_patients: patients
            .map(|patient| (patient.nhs_number.expose().to_owned(), patient.title.clone()))
            .collect(),
        limits: Limits {
            connections: settings.server.max_connections,
            connections_per_address: settings.server.max_connections_per_address,
            requests_per_connection: settings.server.max_requests_per_connection as u64,
            in_flight: settings.server.max_in_flight,
            behind: settings.server.max_behind,
            deadline_default: settings.limits.deadline_default,
            ..usual.limits
        },
        lame_duck: settings.server.lame_duck,
        drain: settings.server.drain,
        tls,
        ..usual
    }
}

#[cfg(test)]
mod tests;
