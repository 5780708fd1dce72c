use std::sync::atomic::Ordering;
use std::time::Duration;

use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tributary_merge::{CodeLists, Maps, Prompts};
use tributary_model::{Locate, LocateFault, SystemClock};

use super::*;
use crate::{Broker, Limits, LinkKey, Mode, Parts, Tracing};

fn lasting() -> (Lasting, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let settings = tributary_audit::Settings::default();
    let trail = Trail::open(dir.path(), settings, Arc::new(SystemClock)).unwrap();
    (Lasting::new(trail, Arc::new(Metrics::new(&[]).unwrap())), dir)
}

/// Nobody asks here, so nobody is let in.
fn policy() -> crate::Policy {
    let none = tributary_policy::Rule {
        id: Arc::from("nobody"),
        says: String::new(),
        organisations: tributary_policy::Among::Any,
        roles: tributary_policy::Among::Any,
        purposes: tributary_policy::Among::Any,
        kinds: tributary_policy::Among::Any,
        sections: tributary_policy::Among::Any,
        effect: tributary_policy::Effect::Deny(tributary_policy::rule::Deny { unless: None, labels: None }),
    };
    let draft = tributary_policy::Draft { rules: vec![none], ..tributary_policy::Draft::default() };
    let table = Arc::new(tributary_policy::Table::new(draft).unwrap());
    crate::Policy { table, digest: tributary_audit::Digest::of(b"") }
}

fn broker(lasting: &Lasting) -> Broker {
    let nobody = service_fn(|_: Locate| std::future::ready(Err(LocateFault::Unavailable)));
    Broker::new(Parts {
        memory: tributary_model::MemoryBudget::default(),
        ports: Vec::new(),
        locator: BoxCloneSyncService::new(nobody),
        tracing: Tracing::Off,
        practices: None,
        lasting: lasting.clone(),
        clock: Arc::new(SystemClock),
        link_key: LinkKey::of([7; 32]),
        maps: Maps::default(),
        prompts: Prompts::default(),
        custodian: None,
        lists: CodeLists::default(),
        mode: Mode::Demo,
        policy: policy(),
        config: tributary_audit::Digest::of(b""),
        signals: None,
        recorded_purpose: None,
        limits: Limits::default(),
    })
}

/// Waits until so many tasks are left.
async fn left(lasting: &Lasting, tasks: usize) {
    let become_so = async {
        while lasting.tasks.len() != tasks {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), become_so).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_gone_leaves_no_task() {
    let (lasting, _dir) = lasting();
    let (first, second) = (broker(&lasting), broker(&lasting));
    left(&lasting, 2).await;
    first.retire();
    left(&lasting, 1).await;
    // One that was never in force, and so never retired.
    drop(broker(&lasting));
    left(&lasting, 1).await;
    assert!(first.is_ready() && second.is_ready());
    drop(second);
    left(&lasting, 0).await;
}

#[tokio::test]
async fn what_is_at_a_source_is_counted_over_brokers() {
    let (lasting, _dir) = lasting();
    let [gp, acute] = ["gp", "acute"].map(|id| SourceId::parse(id).unwrap());
    let first = lasting.counts([&gp, &acute].into_iter());
    first[&gp].fetch_add(1, Ordering::Relaxed);
    let second = lasting.counts([&gp].into_iter());
    assert_eq!(second[&gp].load(Ordering::Relaxed), 1);
    drop(first);
    let third = lasting.counts([&gp].into_iter());
    assert_eq!(third[&gp].load(Ordering::Relaxed), 1);
    assert_eq!(lasting.in_flight.lock().unwrap().len(), 1, "whoever is asked no more is forgotten");
}
