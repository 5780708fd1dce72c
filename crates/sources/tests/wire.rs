//! Sources over a real socket: a scripted server misbehaves, the connectors must tell what it did.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "wire/checkup.rs"]
mod checkup;
#[path = "wire/faults.rs"]
mod faults;
#[path = "wire/gaps.rs"]
mod gaps;
#[path = "wire/h2.rs"]
mod h2;
#[path = "wire/kept.rs"]
mod kept;
#[path = "wire/limits.rs"]
mod limits;
#[path = "wire/memory.rs"]
mod memory;
#[path = "wire/practice.rs"]
mod practice;
#[path = "wire/relay.rs"]
mod relay;
#[path = "wire/search.rs"]
mod search;
#[path = "wire/second.rs"]
mod second;
#[path = "wire/server.rs"]
mod server;
#[path = "wire/stack.rs"]
mod stack;
#[path = "wire/structured.rs"]
mod structured;
#[path = "wire/tls.rs"]
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tower::ServiceExt as _;
use tributary_fhir::Reply;
use tributary_model::requester::Assurance;
use tributary_model::{
    Ask, Deadline, NhsNumber, OdsCode, Purpose, Requester, Role, Section, SourceFault, SourceId, SourceKind,
    SpineIds, SystemClock,
};
use tributary_sources::{
    Asids, BrokerIdentity, Context, Egress, EgressSettings, Observers, Others, Protocol, Registry, Route,
    ServiceRoot, Source, SourceEntry, UnobservedSources,
};

/// The patient everybody is asked about.
const NUMBER: &str = "9990000107";
/// Another patient.
const OTHER_NUMBER: &str = "9990000204";

fn entry(protocol: Protocol, base_url: &str) -> SourceEntry {
    SourceEntry {
        id: SourceId::parse("source-1").unwrap(),
        name: "Source".into(),
        kind: SourceKind::Gp,
        protocol,
        ods: OdsCode::parse("A99901").ok(),
        asid: Some("200000000205".into()),
        base_url: ServiceRoot::parse(base_url).unwrap(),
        more_roots: BTreeMap::new(),
        route: Route::Direct,
        tls: None,
        sections: None,
        owns: Vec::new(),
        rank: 1,
        timeout: Duration::from_secs(10),
        cache_ttl: None,
        max_body_bytes: 1 << 20,
        max_in_flight: 4,
        sends_deadline: false,
    }
}

fn source(entry: SourceEntry) -> Source {
    observed(entry, Arc::new(UnobservedSources))
}

fn observed(entry: SourceEntry, observers: Arc<dyn Observers>) -> Source {
    built(entry, observers, &EgressSettings::default())
}

fn built(entry: SourceEntry, observers: Arc<dyn Observers>, settings: &EgressSettings) -> Source {
    let (id, context) = (entry.id.clone(), context(observers));
    let egress = Egress::new(settings).unwrap();
    let registry = Registry::build([entry], &egress, &context).unwrap();
    registry.get(&id).unwrap().clone()
}

fn context(observers: Arc<dyn Observers>) -> Context {
    let identity = BrokerIdentity {
        iss: "https://broker.example.test".into(),
        device_system: "https://broker.example.test/Id/device".into(),
        device_value: "node-1".into(),
        model: "Tributary".into(),
        version: "0.1.0".into(),
        asids: Asids { by_organisation: BTreeMap::new(), others: Others::Believed("200000000001".into()) },
    };
    Context {
        identity: Arc::new(identity),
        token_clock: Arc::new(SystemClock),
        spine_proxy: None,
        directory: None,
        observers,
    }
}

fn requester() -> Arc<Requester> {
    Arc::new(Requester {
        user_id: "u-17".into(),
        family: "Okoro".into(),
        given: "Ada".into(),
        role: Role::CommunityNurse,
        organisation: OdsCode::parse("RXX01").unwrap(),
        organisation_name: "Community Trust".into(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: tributary_model::Priority::Interactive,
    })
}

fn question(sections: &[Section]) -> Ask {
    Ask {
        patient: NhsNumber::parse(NUMBER).unwrap(),
        sections: sections.iter().copied().collect(),
        since: None,
        requester: requester(),
        purpose: Purpose::DirectCare,
        deadline: Deadline::after(Duration::from_secs(5)),
    }
}

async fn ask(source: &Source, sections: &[Section]) -> Result<Reply, SourceFault> {
    source.service.clone().oneshot(question(sections)).await
}
