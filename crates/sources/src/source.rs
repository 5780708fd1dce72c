//! One source: its entry and the stack every ask passes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, service_fn};
use tributary_fhir::{Attached, Relayed, Reply};
use tributary_flow::{DeadlineLayer, GuardLayer, HasDeadline, ObserveLayer, Observer};
use tributary_model::{Ask, AttachmentAsk, FaultClass, RelayAsk, SourceFault, SourceId};

use crate::connect::attachment::Attachments;
use crate::connect::relay::Relay;
use crate::connect::search::Search;
use crate::connect::structured::Structured;
use crate::connect::wire::Wire;
use crate::egress::Egress;
use crate::registry::{Context, Protocol, SourceEntry};

/// Asks one source. Clones share the guard and the connections.
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
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl Source {
    pub(crate) fn build(entry: SourceEntry, egress: &Egress, context: &Context) -> Self {
        let entry = Arc::new(entry);
        let wire = Wire::new(Arc::clone(&entry), egress.clone(), context);
        let limits = Limits::of(&entry, context);
        let (service, relay, attachments) = match entry.protocol {
            Protocol::GpConnectStructured => {
                let service = stack(&limits, Structured::new(wire.clone()), Structured::ask);
                (service, Some(stack(&limits, Relay::new(wire), Relay::pass)), None)
            }
            Protocol::FhirR4 | Protocol::FhirStu3 => {
                let attachments = stack(&limits, Attachments::new(wire.clone()), Attachments::fetch);
                (stack(&limits, Search::new(wire), Search::ask), None, Some(attachments))
            }
        };
        Self { entry, service, relay, attachments }
    }
}

/// The layers of one source. Asks and relayed requests share the guard's count.
struct Limits {
    observe: ObserveLayer,
    guard: GuardLayer,
    deadline: DeadlineLayer,
}

impl Limits {
    fn of(entry: &SourceEntry, context: &Context) -> Self {
        let told = Told { source: entry.id.clone(), observer: context.observers.of(entry) };
        Self {
            observe: ObserveLayer::new(Arc::new(told)),
            guard: GuardLayer::new(entry.max_in_flight),
            deadline: DeadlineLayer::new(entry.timeout),
        }
    }
}

/// The onion, outside in: the same for asks and for relayed requests.
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
        // A full source refuses before it costs any time.
        .layer(limits.guard.clone())
        // Innermost: what it ends has given its place in the guard back.
        .layer(limits.deadline)
        .service(service_fn(move |question| ask(Arc::clone(&connector), question)));
    BoxCloneSyncService::new(stack)
}

/// Writes the one debug event of an ask and passes the news on.
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
}
