//! The order of the layers around an ask.

use super::*;

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures_util::FutureExt as _;
use tributary_model::{Deadline, Interaction, OdsCode, Redacted, SystemClock};

use crate::exchange::tests::entry;
use crate::identity::{Asids, BrokerIdentity, Others};
use crate::national::stub::requester;
use crate::registry::{Observers, UnobservedSources};

#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<Vec<FaultClass>>>);

impl Observers for Notebook {
    fn of(&self, _source: &SourceEntry) -> Arc<dyn Observer> {
        Arc::new(self.clone())
    }
}

impl Observer for Notebook {
    fn finished(&self, outcome: Result<(), FaultClass>, _elapsed: Duration) {
        self.0.lock().unwrap().extend(outcome.err());
    }
}

fn context(observers: Arc<dyn Observers>) -> Arc<Context> {
    let identity = BrokerIdentity {
        iss: "https://broker.example.test".into(),
        device_system: "https://broker.example.test/Id/device".into(),
        device_value: "node-1".into(),
        model: "Tributary".into(),
        version: "0.1.0".into(),
        asids: Asids { by_organisation: BTreeMap::new(), others: Others::Believed("200000000001".into()) },
    };
    Arc::new(Context {
        identity: Arc::new(identity),
        token_clock: Arc::new(SystemClock),
        spine_proxy: None,
        directory: None,
        observers,
    })
}

fn gp() -> SourceEntry {
    SourceEntry {
        protocol: Protocol::GpConnectStructured,
        ods: OdsCode::parse("A99901").ok(),
        asid: Some("200000000205".into()),
        ..entry(Duration::from_secs(3), 4)
    }
}

fn relayed(interaction: Interaction) -> RelayAsk {
    RelayAsk {
        interaction,
        patient: None,
        tail: Redacted::new("metadata".into()),
        body: bytes::Bytes::new(),
        requester: requester("u-17"),
        deadline: Deadline::after(Duration::from_secs(3)),
    }
}

async fn class_of(source: &Source, interaction: Interaction) -> FaultClass {
    let relay = source.relay.clone().unwrap();
    relay.oneshot(relayed(interaction)).await.map(drop).unwrap_err().class
}

/// Swapped with the breaker, nobody would hear of what it refuses.
#[tokio::test(start_paused = true)]
async fn refusals_of_the_breaker_are_heard() {
    let notebook = Notebook::default();
    let failing: Attempt =
        Arc::new(|_bounds, _outgoing| std::future::ready(Err(SourceFault::new(FaultClass::Dns))).boxed());
    let source = Source::over(gp(), failing, &context(Arc::new(notebook.clone())));
    for _ in 0..6 {
        class_of(&source, Interaction::StructuredMetadata).await;
    }
    let mut expected = vec![FaultClass::Dns; 5];
    expected.push(FaultClass::Breaker);
    assert_eq!(*notebook.0.lock().unwrap(), expected);
}

/// The breaker would hear of an ask that was ended beneath it as well; whoever swaps the lines has to say why.
#[test]
fn the_breaker_stands_outside_of_the_deadline() {
    let list =
        include_str!("../source.rs").lines().filter_map(|line| line.trim().strip_prefix(".layer(limits."));
    let names: Vec<_> = list.filter_map(|line| line.split(['.', ')']).next()).collect();
    assert_eq!(names, ["observe", "breaker", "deadline"]);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_hangs_is_not_the_source_s_fault() {
    let unreachable: Attempt = Arc::new(|_bounds, _outgoing| {
        std::future::ready(Err(SourceFault::new(FaultClass::Internal))).boxed()
    });
    let hanging = service_fn(|_look_up| std::future::pending());
    let context = Arc::new(Context {
        directory: Some(BoxCloneSyncService::new(hanging)),
        ..(*context(Arc::new(UnobservedSources))).clone()
    });
    let source = Source::over(gp(), unreachable, &context);
    for _ in 0..6 {
        // Its documents have no root in the entry.
        let class = class_of(&source, Interaction::DocumentsMetadata).await;
        assert_eq!(class, FaultClass::Unlocated);
    }
    assert_eq!(source.pulse.breaker(), BreakerState::Passing);
}
