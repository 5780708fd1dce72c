//! From the name of a host to its addresses: in time, a few at once, with what was known an hour ago to fall back on.
//!
//! The resolver of the machine cannot be interrupted, so a look-up runs on when nobody waits any more. There is one
//! for each name, and a bounded number for all names.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tributary_model::FaultClass;

/// Longest wait for the addresses of a name.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait for news of a name whose addresses are known.
const NEWS_WAIT: Duration = Duration::from_millis(100);
/// So long the last addresses are used when no newer ones come.
const LAST_KNOWN: Duration = Duration::from_hours(1);
/// So long a name without addresses is not looked up again.
const NEGATIVE: Duration = Duration::from_secs(5);
/// Look-ups at once. Each holds a thread for as long as the machine's resolver takes, which may be many seconds.
const MOST_LOOK_UPS: usize = 16;
/// Most names remembered: every practice of England, and some.
const MOST_NAMES: usize = 16_384;

/// Looks names up.
pub(super) trait Resolve: Send + Sync {
    /// The addresses of a name.
    fn resolve(&self, name: Arc<str>) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the machine.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Arc<str>) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        async move {
            let found = tokio::net::lookup_host((&*name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    }
}

/// The names that were looked up.
pub(super) struct Names {
    resolver: Arc<dyn Resolve>,
    places: Arc<Semaphore>,
    known: Mutex<HashMap<Arc<str>, Known>>,
}

/// What is known of a name.
#[derive(Default)]
struct Known {
    addresses: Arc<[IpAddr]>,
    found: Option<Instant>,
    failed: Option<Instant>,
    /// Closed when the look-up under way has ended.
    under_way: Option<watch::Receiver<()>>,
}

impl Known {
    fn usable(&self) -> Option<Arc<[IpAddr]>> {
        let is_young = self.found.is_some_and(|found| found.elapsed() <= LAST_KNOWN);
        is_young.then(|| Arc::clone(&self.addresses))
    }

    fn has_just_failed(&self) -> bool {
        self.failed.is_some_and(|failed| failed.elapsed() <= NEGATIVE)
    }
}

/// What to do for a name.
enum Plan {
    /// There is an answer.
    Answer(Result<Arc<[IpAddr]>, FaultClass>),
    /// A look-up is under way.
    Wait(watch::Receiver<()>, Duration),
}

impl Names {
    pub(super) fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, places: Arc::new(Semaphore::new(MOST_LOOK_UPS)), known: Mutex::default() }
    }

    /// The addresses of a name; not checked yet.
    pub(super) async fn find(self: &Arc<Self>, name: &str) -> Result<Arc<[IpAddr]>, FaultClass> {
        let (mut end, wait) = match self.plan(name) {
            Plan::Answer(answer) => return answer,
            Plan::Wait(end, wait) => (end, wait),
        };
        let begun = Instant::now();
        // The sender is dropped at the end; nothing is ever sent.
        let _ended_or_late = timeout(wait, end.changed()).await;
        let known = self.known();
        let Some(known) = known.get(name) else { return Err(FaultClass::Dns) };
        if known.found.is_none_or(|found| found < begun) {
            tracing::debug!("a name was not found in time or at all, addresses found before are used if any");
        }
        known.usable().ok_or(FaultClass::Dns)
    }

    fn plan(self: &Arc<Self>, name: &str) -> Plan {
        let mut all = self.known();
        if all.len() >= MOST_NAMES && !all.contains_key(name) {
            all.retain(|_, known| known.usable().is_some() && known.under_way.is_none());
            if all.len() >= MOST_NAMES {
                all.clear();
            }
        }
        let name: Arc<str> = name.into();
        let known = all.entry(Arc::clone(&name)).or_default();
        let usable = known.usable();
        if known.has_just_failed() {
            return Plan::Answer(usable.ok_or(FaultClass::Dns));
        }
        let wait = if usable.is_some() { NEWS_WAIT } else { LONGEST_WAIT };
        let end = known.under_way.get_or_insert_with(|| self.look_up(name));
        Plan::Wait(end.clone(), wait)
    }

    /// Begins a look-up that ends when the resolver does.
    fn look_up(self: &Arc<Self>, name: Arc<str>) -> watch::Receiver<()> {
        let (at_end, end) = watch::channel(());
        let names = Arc::clone(self);
        tokio::spawn(async move {
            let place = Arc::clone(&names.places).acquire_owned().await;
            let found = names.resolver.resolve(Arc::clone(&name)).await;
            drop(place);
            names.learn(&name, found.unwrap_or_default());
            drop(at_end);
        });
        end
    }

    fn learn(&self, name: &Arc<str>, addresses: Vec<IpAddr>) {
        let mut all = self.known();
        let known = all.entry(Arc::clone(name)).or_default();
        known.under_way = None;
        let now = Instant::now();
        if addresses.is_empty() {
            known.failed = Some(now);
        } else {
            known.failed = None;
            known.found = Some(now);
            known.addresses = addresses.into();
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Arc<str>, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests;
