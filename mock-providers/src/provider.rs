//! One running provider: a socket, a system behind it, its faults and what it was asked.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tributary_model::Capability;

use crate::asks::{AskLog, AskRecord};
use crate::fault::{Fault, FaultRule, FaultRules};
use crate::gp::GpIdentity;
use crate::misbehave::{self, Circumstances};
use crate::outcome::Dialect;
use crate::wire::{Connection, Keep, Reply, Request};

/// What stands behind the socket.
pub(crate) trait System: fmt::Debug + Send + Sync {
    /// How it words its errors.
    fn dialect(&self) -> Dialect;
    /// Whom a request is about, as far as can be told.
    fn nhs_number(&self, request: &Request) -> Option<String>;
    /// The answer of a healthy system with these areas switched off.
    fn answer(&self, request: &Request, disabled: &[String]) -> Reply;
    /// How long it works on a request before it answers.
    fn pause(&self, _request: &Request) -> Duration {
        Duration::ZERO
    }
    /// How an answer without a fault is packed for the wire.
    fn packed(&self, reply: Reply, _request: &Request) -> Reply {
        reply
    }
}

/// What a story says about one patient at one provider.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub(crate) delay: Duration,
    pub(crate) fault: Option<Fault>,
    /// When the last run of requests about the patient was released.
    released: Mutex<Option<Instant>>,
}

impl Scene {
    pub(crate) fn new(delay: Duration, fault: Option<Fault>) -> Self {
        Self { delay, fault, released: Mutex::default() }
    }

    /// When a request that came now is answered. Requests that follow one another closely belong to
    /// one look-up, which is delayed once however many requests it takes.
    fn release(&self, dialect: Dialect, now: Instant) -> Instant {
        const SAME_LOOK_UP: Duration = Duration::from_millis(250);
        if dialect == Dialect::GpConnect || self.delay.is_zero() {
            return now + self.delay;
        }
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match *released {
            Some(last) if now < last => last,
            Some(last) if now < last + SAME_LOOK_UP => now,
            Some(_) | None => now + self.delay,
        };
        *released = Some(at);
        at
    }
}

/// Where a provider listens and what it plays.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) id: String,
    /// The path of the service root; of a GP system, that of Access Record Structured.
    pub(crate) root: String,
    /// The paths of the roots that capabilities have of their own.
    pub(crate) roots: BTreeMap<Capability, String>,
    /// 0 for any free port.
    pub(crate) port: u16,
    pub(crate) scenes: BTreeMap<String, Scene>,
}

impl Setup {
    /// A practice: each capability has a root of its own.
    pub(crate) fn of_practice(
        id: String,
        identity: &GpIdentity,
        port: u16,
        scenes: BTreeMap<String, Scene>,
    ) -> Self {
        let root = |capability: &Capability| (*capability, identity.root(*capability));
        let roots = Capability::ALL.iter().map(root).collect();
        Self { id, root: identity.root(Capability::Structured), roots, port, scenes }
    }
}

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    system: Box<dyn System>,
    scenes: BTreeMap<String, Scene>,
    runtime: Handle,
    listener: Mutex<Option<TcpListener>>,
    acceptor: Mutex<Option<AbortHandle>>,
    rules: FaultRules,
    asks: AskLog,
    delay_ms: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
}

/// One exchange, from the request to the last byte of its answer or until the caller has left.
struct Exchange<'a>(&'a Inner);

impl<'a> Exchange<'a> {
    fn begin(inner: &'a Inner) -> Self {
        let open = inner.open.fetch_add(1, Ordering::Relaxed) + 1;
        inner.most_open.fetch_max(open, Ordering::Relaxed);
        Self(inner)
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A provider that runs. Clones are the same provider.
#[derive(Clone, Debug)]
pub struct ProviderHandle {
    /// `gp`, `acute-a`, …
    pub id: String,
    /// Where its service root is; of a GP system, that of Access Record Structured.
    pub base_url: String,
    roots: Arc<BTreeMap<Capability, String>>,
    inner: Arc<Inner>,
}

impl ProviderHandle {
    /// Starts a provider on loopback.
    pub(crate) fn start(setup: Setup, system: Box<dyn System>) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, setup.port)), &runtime)?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Inner {
            address,
            system,
            scenes: setup.scenes,
            runtime,
            listener: Mutex::new(Some(listener)),
            acceptor: Mutex::default(),
            rules: FaultRules::default(),
            asks: AskLog::default(),
            delay_ms: AtomicU64::new(0),
            open: AtomicU64::new(0),
            most_open: AtomicU64::new(0),
        });
        inner.accept();
        let whole = |root: &str| format!("http://{address}{root}");
        let roots = setup.roots.iter().map(|(capability, root)| (*capability, whole(root))).collect();
        Ok(Self { id: setup.id, base_url: whole(&setup.root), roots: Arc::new(roots), inner })
    }

    /// Where the service root of a capability is; a provider that knows no capabilities has one root.
    pub fn root(&self, capability: Capability) -> String {
        self.roots.get(&capability).unwrap_or(&self.base_url).clone()
    }

    /// The address it listens on, or would.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// Makes it misbehave from now on. Replaces the rule for the same patient, or for everybody.
    pub fn set_fault(&self, rule: impl Into<FaultRule>) {
        let rule = rule.into();
        let refuses = rule.fault == Fault::Refuse;
        self.inner.rules.set(rule);
        if refuses {
            self.stop();
        }
    }

    /// Ends every fault that was set; what a story says about a patient stays. Listens again if need be.
    pub fn clear_fault(&self) -> io::Result<()> {
        self.inner.rules.clear();
        self.restart()
    }

    /// The rules in force.
    pub fn faults(&self) -> Vec<FaultRule> {
        self.inner.rules.all()
    }

    /// Delays every answer by so much, on top of any fault.
    pub fn set_delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.inner.delay_ms.store(delay, Ordering::Relaxed);
    }

    /// What it was asked, oldest first; the last 10,000.
    pub fn asks(&self) -> Vec<AskRecord> {
        self.inner.asks.all()
    }

    /// How often it was asked since it started or was last cleared.
    pub fn ask_count(&self) -> u64 {
        self.inner.asks.count()
    }

    /// Forgets what it was asked, and how much of it at once.
    pub fn clear_asks(&self) {
        self.inner.asks.clear();
        self.inner.most_open.store(self.open_count(), Ordering::Relaxed);
    }

    /// Requests it is answering now. One whose caller has left is none.
    pub fn open_count(&self) -> u64 {
        self.inner.open.load(Ordering::Relaxed)
    }

    /// Most requests at once since it started or was last cleared.
    pub fn most_open_count(&self) -> u64 {
        self.inner.most_open.load(Ordering::Relaxed)
    }

    /// Stops listening and drops every connection: further connections are refused.
    pub fn stop(&self) {
        self.inner.listener().take();
        let acceptor = self.inner.acceptor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(acceptor) = acceptor {
            acceptor.abort();
        }
    }

    /// Listens again on the same port; does nothing if it listens.
    pub fn restart(&self) -> io::Result<()> {
        if self.inner.listener().is_some() {
            return Ok(());
        }
        let listener = listen(self.inner.address, &self.inner.runtime)?;
        *self.inner.listener() = Some(listener);
        self.inner.accept();
        Ok(())
    }
}

fn listen(address: SocketAddr, runtime: &Handle) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let _entered = runtime.enter();
    TcpListener::from_std(listener)
}

impl Inner {
    fn listener(&self) -> MutexGuard<'_, Option<TcpListener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>) {
        let task = self.runtime.spawn(accept_all(Arc::clone(self)));
        let mut acceptor = self.acceptor.lock().unwrap_or_else(PoisonError::into_inner);
        *acceptor = Some(task.abort_handle());
    }

    /// The next connection; `None` when nobody listens any more.
    async fn next_connection(&self) -> Option<io::Result<TcpStream>> {
        poll_fn(|context| match self.listener().as_ref() {
            None => Poll::Ready(None),
            Some(listener) => listener.poll_accept(context).map(|got| Some(got.map(|(stream, _)| stream))),
        })
        .await
    }

    async fn serve(&self, stream: TcpStream) {
        let mut connection = Connection::new(stream);
        while let Ok(Some(request)) = connection.next().await {
            if self.listener().is_none() {
                return;
            }
            let kept = self.respond(&mut connection, &request).await;
            if !matches!(kept, Ok(Keep::Alive)) || connection.keep() == Keep::Close {
                return;
            }
        }
    }

    async fn respond(&self, connection: &mut Connection, request: &Request) -> io::Result<Keep> {
        let nhs_number = self.system.nhs_number(request);
        let _exchange = Exchange::begin(self);
        self.asks.push(AskRecord::of(request, nhs_number.clone()));
        let scene = nhs_number.as_ref().and_then(|number| self.scenes.get(number));
        let fault =
            self.rules.take(nhs_number.as_deref()).or_else(|| scene.and_then(|scene| scene.fault.clone()));
        let now = Instant::now();
        let release = scene.map_or(now, |scene| scene.release(self.system.dialect(), now));
        let delay = Duration::from_millis(self.delay_ms.load(Ordering::Relaxed));
        tokio::select! {
            () = tokio::time::sleep_until(release + delay + self.system.pause(request)) => {}
            () = connection.abandoned() => return Ok(Keep::Close),
        }
        let disabled = match &fault {
            Some(Fault::DisabledAreas { parameters }) => parameters.as_slice(),
            Some(_) | None => &[],
        };
        let reply = match &fault {
            Some(Fault::AnswerOf { nhs_number: other }) => {
                let others = request.about_another(nhs_number.as_deref().unwrap_or_default(), other);
                self.system.answer(&others, disabled)
            }
            Some(_) | None => self.system.answer(request, disabled),
        };
        match fault {
            None => {
                let packed = self.system.packed(reply, request);
                connection.send(&packed).await.map(|()| Keep::Alive)
            }
            Some(fault) => {
                let circumstances = Circumstances { dialect: self.system.dialect(), nhs_number };
                misbehave::perform(connection, reply, fault, &circumstances).await
            }
        }
    }
}

async fn accept_all(inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = inner.next_connection().await {
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(stream) => {
                // Small writes are part of some faults; they are to leave at once.
                if stream.set_nodelay(true).is_err() {
                    continue;
                }
                let inner = Arc::clone(&inner);
                connections.spawn(async move { inner.serve(stream).await });
            }
            // Out of file handles, most likely: leave the others time to finish.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_is_delayed_once() {
        let ms = Duration::from_millis;
        let scene = Scene::new(ms(600), None);
        let start = Instant::now();
        let after = |asked: u64| scene.release(Dialect::R4, start + ms(asked)) - start;
        assert_eq!(after(0), ms(600), "the first request");
        assert_eq!(after(100), ms(600), "one beside it");
        assert_eq!(after(610), ms(610), "one that follows from the first answer");
        assert_eq!(after(2000), ms(2600), "another look-up");
        let every = scene.release(Dialect::GpConnect, start + ms(2610)) - start;
        assert_eq!(every, ms(3210), "a GP system is asked once for each look-up");
    }
}
