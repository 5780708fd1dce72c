//! The layers around a connector, in their order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tributary_flow::Observer;
use tributary_model::{FaultClass, Section};
use tributary_sources::{Observers, Protocol, SourceEntry};

use crate::server::{Server, Step};
use crate::{ask, entry, observed};

/// Writes down what it hears.
#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<Vec<String>>>);

impl Observers for Notebook {
    fn of(&self, _source: &SourceEntry) -> Arc<dyn Observer> {
        Arc::new(self.clone())
    }
}

impl Observer for Notebook {
    fn started(&self) {
        self.0.lock().unwrap().push("started".into());
    }

    fn finished(&self, outcome: Result<(), FaultClass>, _elapsed: Duration) {
        let class = outcome.map_or_else(FaultClass::code, |()| "answered");
        self.0.lock().unwrap().push(class.into());
    }

    fn cancelled(&self, _elapsed: Duration) {
        self.0.lock().unwrap().push("cancelled".into());
    }
}

#[tokio::test]
async fn a_full_source_refuses_at_once_and_the_refusal_is_heard() {
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let narrow = SourceEntry {
        max_in_flight: 1,
        timeout: Duration::from_millis(150),
        ..entry(Protocol::GpConnectStructured, &server.base())
    };
    let notebook = Notebook::default();
    let source = observed(narrow, Arc::new(notebook.clone()));
    let sections = [Section::Allergies];
    let (first, second) = tokio::join!(ask(&source, &sections), ask(&source, &sections));
    assert_eq!(first.unwrap_err().class, FaultClass::NoHead);
    assert_eq!(second.unwrap_err().class, FaultClass::Guard);
    // The place is free again.
    let third = ask(&source, &sections).await;
    assert_eq!(third.unwrap_err().class, FaultClass::NoHead);
    let heard = notebook.0.lock().unwrap().clone();
    assert_eq!(heard, ["started", "started", "guard", "no_head", "started", "no_head"]);
}

#[tokio::test]
async fn an_ask_nobody_waits_for_is_ended_and_heard() {
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let notebook = Notebook::default();
    let registered = entry(Protocol::FhirR4, &server.base());
    let source = observed(registered, Arc::new(notebook.clone()));
    let waiting = ask(&source, &[Section::Allergies]);
    let gone = tokio::time::timeout(Duration::from_millis(50), waiting).await;
    assert!(gone.is_err());
    assert_eq!(*notebook.0.lock().unwrap(), ["started", "cancelled"]);
}
