//! One source: its entry and the stack every ask passes.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use tributary_fhir::{Attached, Relayed, Reply};
use tributary_flow::bulkhead::Occupancy;
use tributary_flow::{
    Breaker, BreakerLayer, BreakerState, Chance, DeadlineLayer, HasDeadline, ObserveLayer, Observer,
};
use tributary_model::{Ask, AttachmentAsk, FaultClass, RelayAsk, SourceFault, SourceId};

use crate::connect::attachment::Attachments;
use crate::connect::relay::Relay;
use crate::connect::search::Search;
use crate::connect::structured::Structured;
use crate::connect::wire::Wire;
use crate::egress::Egress;
use crate::exchange::{self, Attempt, Exchange};
use crate::registry::{Context, Protocol, SourceEntry};

/// Asks one source. Clones share its limits and the connections.
pub type AskService = BoxCloneSyncService<Ask, Reply, SourceFault>;
/// Passes a GP Connect request to one source.
pub type RelayService = BoxCloneSyncService<RelayAsk, Relayed, SourceFault>;

/// Fetches what is attached to a source's records.
pub type AttachmentService = BoxCloneSyncService<AttachmentAsk, Attached, SourceFault>;

/// A registered source, ready to be asked.
#[derive(Clone)]
pub struct Source {
    /// How it is registered.
    pub entry: Arc<SourceEntry>,
    /// Its stack.
    pub service: AskService,
    /// Its stack for requests that are passed through; only GP Connect sources have one.
    pub relay: Option<RelayService>,
    /// Its stack for what is attached; GP Connect sources have a capability of their own for that.
    pub attachments: Option<AttachmentService>,
    /// How it is just now.
    pub pulse: Pulse,
}

/// How a source is just now, by the limits around it. Clones look at the same source.
#[derive(Clone)]
pub struct Pulse(Arc<Deferred>);

impl Pulse {
    /// What its breaker does with asks.
    pub fn breaker(&self) -> BreakerState {
        self.0.built.get().map_or(BreakerState::Passing, |stacks| stacks.breaker.state())
    }

    /// How many requests it may have, has, and has waiting.
    pub fn occupancy(&self) -> Occupancy {
        let all = Occupancy { limit: self.0.entry.first_limit(), used: 0, waiting: 0 };
        self.0.built.get().map_or(all, |stacks| stacks.exchange.bulkhead().occupancy())
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse").field("breaker", &self.breaker()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl Source {
    pub(crate) fn build(entry: SourceEntry, egress: &Egress, context: &Arc<Context>) -> Self {
        Self::over(entry, exchange::over(egress), context)
    }

    /// The same over what makes attempts.
    pub(crate) fn over(entry: SourceEntry, attempt: Attempt, context: &Arc<Context>) -> Self {
        let entry = Arc::new(entry);
        let context = Arc::clone(context);
        let one =
            Arc::new(Deferred { entry: Arc::clone(&entry), attempt, context, built: OnceLock::default() });
        let is_gp = entry.protocol == Protocol::GpConnectStructured;
        Self {
            entry,
            service: later(&one, |stacks| Some(&stacks.service)),
            relay: is_gp.then(|| later(&one, |stacks| stacks.relay.as_ref())),
            attachments: (!is_gp).then(|| later(&one, |stacks| stacks.attachments.as_ref())),
            pulse: Pulse(one),
        }
    }
}

/// A source whose stacks are put together when it is first asked: of the thousands in a registry few ever are.
struct Deferred {
    entry: Arc<SourceEntry>,
    attempt: Attempt,
    context: Arc<Context>,
    built: OnceLock<Box<Stacks>>,
}

impl Deferred {
    fn stacks(&self) -> &Stacks {
        self.built
            .get_or_init(|| Box::new(Stacks::over(&self.entry, Arc::clone(&self.attempt), &self.context)))
    }
}

/// One stack of a source that is put together when it is first asked.
fn later<Q, R>(
    source: &Arc<Deferred>,
    stack: fn(&Stacks) -> Option<&BoxCloneSyncService<Q, R, SourceFault>>,
) -> BoxCloneSyncService<Q, R, SourceFault>
where
    Q: Send + 'static,
    R: Send + 'static,
{
    let source = Arc::clone(source);
    BoxCloneSyncService::new(service_fn(move |question: Q| {
        // A source is given out with those stacks alone that its protocol has.
        let stack = stack(source.stacks()).cloned();
        async move {
            let stack = stack.ok_or_else(|| SourceFault::new(FaultClass::Internal))?;
            stack.oneshot(question).await
        }
    }))
}

/// What every ask of one source passes, and what is known of it.
struct Stacks {
    service: AskService,
    relay: Option<RelayService>,
    attachments: Option<AttachmentService>,
    breaker: Breaker,
    exchange: Exchange,
}

impl Stacks {
    fn over(entry: &Arc<SourceEntry>, attempt: Attempt, context: &Context) -> Self {
        let wire = Arc::new(Wire::new(Arc::clone(entry), context));
        let told: Arc<dyn Observer> =
            Arc::new(Told { source: entry.id.clone(), observer: context.observers.of(entry) });
        let breaker = Breaker::new(entry.timeout, Chance::of_system(), Arc::clone(&told));
        let exchange = Exchange::new(entry, &breaker, &told, attempt);
        let limits = Limits {
            observe: ObserveLayer::new(told),
            breaker: BreakerLayer::new(breaker.clone()),
            deadline: DeadlineLayer::new(entry.timeout),
        };
        let (service, relay, attachments) = match entry.protocol {
            Protocol::GpConnectStructured => {
                let asked =
                    stack(&limits, Structured::new(Arc::clone(&wire), exchange.clone()), Structured::ask);
                (asked, Some(stack(&limits, Relay::new(wire, exchange.clone()), Relay::pass)), None)
            }
            Protocol::FhirR4 | Protocol::FhirStu3 => {
                let attachments = Attachments::new(Arc::clone(&wire), exchange.clone());
                let attachments = stack(&limits, attachments, Attachments::fetch);
                (stack(&limits, Search::new(wire, exchange.clone()), Search::ask), None, Some(attachments))
            }
        };
        Self { service, relay, attachments, breaker, exchange }
    }
}

/// The layers of one source. Asks, relayed requests and attachments share what they know.
struct Limits {
    observe: ObserveLayer,
    breaker: BreakerLayer,
    deadline: DeadlineLayer,
}

/// The onion around an ask, outside in: the same for asks, relayed requests and attachments. Each request that a
/// connector makes of it passes another one, in `exchange.rs`.
fn stack<C, Q, R, F>(
    limits: &Limits,
    connector: C,
    ask: impl Fn(Arc<C>, Q) -> F + Clone + Send + Sync + 'static,
) -> BoxCloneSyncService<Q, R, SourceFault>
where
    C: Send + Sync + 'static,
    Q: HasDeadline + Send + 'static,
    R: Send + 'static,
    F: Future<Output = Result<R, SourceFault>> + Send + 'static,
{
    let connector = Arc::new(connector);
    let stack = ServiceBuilder::new()
        // Outermost, so that refusals of the layers below are counted too.
        .layer(limits.observe.clone())
        // A failing source refuses before it costs any time; and it has one verdict for each ask, however many
        // requests that took. Outside of the deadline, so that it hears of asks that ended there.
        .layer(limits.breaker.clone())
        // Innermost: whatever a connector does is over in time.
        .layer(limits.deadline)
        .service(service_fn(move |question| ask(Arc::clone(&connector), question)));
    BoxCloneSyncService::new(stack)
}

/// Writes the one event of an ask and those of the breaker, and passes the news on.
struct Told {
    source: SourceId,
    observer: Arc<dyn Observer>,
}

impl Told {
    fn write(&self, outcome: &'static str, elapsed: Duration) {
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(source.id = self.source.as_str(), outcome.kind = outcome, elapsed_ms, "ask ended");
    }
}

impl Observer for Told {
    fn started(&self) {
        self.observer.started();
    }

    fn finished(&self, outcome: Result<(), FaultClass>, elapsed: Duration) {
        self.write(outcome.map_or_else(FaultClass::code, |()| "answered"), elapsed);
        self.observer.finished(outcome, elapsed);
    }

    fn cancelled(&self, elapsed: Duration) {
        self.write("cancelled", elapsed);
        self.observer.cancelled(elapsed);
    }

    fn breaker(&self, state: BreakerState) {
        let source = self.source.as_str();
        if state == BreakerState::Shut {
            tracing::warn!(source.id = source, "source failing: not asked for a while");
        } else if state == BreakerState::Probing {
            tracing::debug!(source.id = source, "source asked to see whether it is well");
        } else {
            tracing::debug!(source.id = source, "source asked as usual");
        }
        self.observer.breaker(state);
    }

    fn limit(&self, requests: usize) {
        self.observer.limit(requests);
    }

    fn waits(&self) {
        self.observer.waits();
    }

    fn waited(&self) {
        self.observer.waited();
    }

    fn retried(&self) {
        self.observer.retried();
    }
}

#[cfg(test)]
mod tests;
