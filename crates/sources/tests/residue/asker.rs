//! Asks for the record, drops it, and looks what is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::ServiceExt as _;
use tributary_fhir::Reply;
use tributary_model::requester::Assurance;
use tributary_model::{
    Ask, Deadline, NhsNumber, OdsCode, Priority, Purpose, Requester, Role, Section, SourceId, SourceKind,
    SpineIds, SystemClock,
};
use tributary_sources::egress::{SourceTls, certificates};
use tributary_sources::{
    Asids, BrokerIdentity, Context, Egress, EgressSettings, Others, Protocol, Registry, Route, ServiceRoot,
    Source, SourceEntry, UnobservedSources,
};

use crate::memory::Disguised;

/// What is left must be gone by then; connections live for ten times as long.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn run(told: &str) {
    let mut words = told.splitn(5, ' ');
    let mut word = || words.next().unwrap();
    let disguised = Disguised::read(word());
    let [plain, http1, http2] = std::array::from_fn(|_| word().to_owned());
    let tls = SourceTls {
        roots: certificates(word().replace('|', "\n").as_bytes()).unwrap(),
        ..SourceTls::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let plain = format!("http://localhost:{plain}");
        check("http/1.1, plain", &disguised, &plain, None, Connections::Few).await;
        let http1 = format!("https://localhost:{http1}");
        check("http/1.1, tls", &disguised, &http1, Some(tls.clone()), Connections::Few).await;
        let http2 = format!("https://localhost:{http2}");
        check("h2, tls", &disguised, &http2, Some(tls), Connections::Any).await;
    });
}

/// How many connections the eight requests of four asks may have taken.
#[derive(PartialEq, Eq)]
enum Connections {
    /// They are used again. A request that comes just before one is free may open another.
    Few,
    Any,
}

async fn check(name: &str, word: &Disguised, origin: &str, tls: Option<SourceTls>, most: Connections) {
    let source = source(origin, tls);
    for _ in 0..4 {
        let reply = source.service.clone().oneshot(question()).await.unwrap();
        let present = word.in_memory();
        assert!(present > 4000, "{name}: the search finds only {present} of what is there");
        assert!(reply.bytes > 500_000);
        assert!(most == Connections::Any || connections(&reply) <= 4, "{name}: connections were not kept");
        drop(reply);
        let begun = Instant::now();
        let mut left = word.in_memory();
        while left > 0 && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20)).await;
            left = word.in_memory();
        }
        assert_eq!(left, 0, "{name}");
        println!("{name}: nothing is left after {} ms", begun.elapsed().as_millis());
    }
}

/// How many connections the server had taken when it answered.
fn connections(reply: &Reply) -> u32 {
    let text = reply.documents[1].text();
    let (_, number) = text.split_once("connections-").unwrap();
    number.split('"').next().unwrap().parse().unwrap()
}

fn question() -> Ask {
    Ask {
        patient: NhsNumber::parse("9990000107").unwrap(),
        sections: [Section::Allergies].into_iter().collect(),
        since: None,
        requester: Arc::new(requester()),
        purpose: Purpose::DirectCare,
        deadline: Deadline::after(Duration::from_secs(20)),
    }
}

fn requester() -> Requester {
    Requester {
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
        priority: Priority::Interactive,
    }
}

fn source(origin: &str, tls: Option<SourceTls>) -> Source {
    let id = SourceId::parse("source-1").unwrap();
    let entry = SourceEntry {
        sends_deadline: false,
        id: id.clone(),
        name: "Source".into(),
        kind: SourceKind::Gp,
        protocol: Protocol::FhirR4,
        ods: None,
        asid: None,
        base_url: ServiceRoot::parse(&format!("{origin}/fhir")).unwrap(),
        more_roots: BTreeMap::new(),
        route: Route::Direct,
        tls,
        sections: None,
        owns: Vec::new(),
        rank: 1,
        timeout: Duration::from_secs(20),
        cache_ttl: None,
        max_body_bytes: 16 << 20,
        max_in_flight: 4,
    };
    let identity = BrokerIdentity {
        iss: "https://broker.example.test".into(),
        device_system: "https://broker.example.test/Id/device".into(),
        device_value: "node-1".into(),
        model: "Tributary".into(),
        version: "0.1.0".into(),
        asids: Asids { by_organisation: BTreeMap::new(), others: Others::Refused },
    };
    let context = Context {
        identity: Arc::new(identity),
        token_clock: Arc::new(SystemClock),
        spine_proxy: None,
        directory: None,
        observers: Arc::new(UnobservedSources),
    };
    let egress = Egress::new(&EgressSettings::default()).unwrap();
    Registry::build([entry], &egress, &context).unwrap().get(&id).unwrap().clone()
}
