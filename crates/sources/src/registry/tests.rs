use super::*;

use tower::ServiceExt as _;
use tributary_model::requester::Assurance;
use tributary_model::{
    Ask, Deadline, FaultClass, NhsNumber, Priority, Purpose, Requester, Role, SpineIds, SystemClock,
};

use crate::egress::EgressSettings;
use crate::identity::{Asids, Others};

fn entry(id: &str, protocol: Protocol, address: &str) -> SourceEntry {
    SourceEntry {
        id: SourceId::parse(id).unwrap(),
        name: "Riverside Surgery".into(),
        kind: SourceKind::Gp,
        protocol,
        ods: None,
        asid: Some("200000000205".into()),
        base_url: ServiceRoot::parse(address).unwrap(),
        more_roots: BTreeMap::new(),
        route: Route::Direct,
        tls: None,
        sections: None,
        owns: Vec::new(),
        rank: 1,
        timeout: Duration::from_secs(3),
        cache_ttl: None,
        max_body_bytes: 1 << 20,
        max_in_flight: 8,
        sends_deadline: false,
    }
}

fn build(entries: Vec<SourceEntry>) -> Result<Registry, RegistryError> {
    build_after(&Registry { sources: Arc::default() }, entries)
}

fn build_after(before: &Registry, entries: Vec<SourceEntry>) -> Result<Registry, RegistryError> {
    let identity = BrokerIdentity {
        iss: "https://broker.example.test".into(),
        device_system: "https://broker.example.test/Id/device".into(),
        device_value: "node-1".into(),
        model: "Tributary".into(),
        version: "0.1.0".into(),
        asids: Asids { by_organisation: BTreeMap::new(), others: Others::Believed("200000000001".into()) },
    };
    let context = Context {
        identity: Arc::new(identity),
        token_clock: Arc::new(SystemClock),
        spine_proxy: None,
        directory: None,
        observers: Arc::new(UnobservedSources),
    };
    before.followed_by(entries, &Egress::new(&EgressSettings::default()).unwrap(), &context)
}

#[test]
fn one_id_is_one_source() {
    let twice = ["a", "a"].map(|id| entry(id, Protocol::FhirR4, "https://one.example.test"));
    let built = build(twice.to_vec()).map(drop);
    assert_eq!(built, Err(RegistryError::Twice(SourceId::parse("a").unwrap())));
}

#[test]
fn a_gp_connect_source_needs_its_system_id_and_can_be_relayed_to() {
    let gp = entry("gp-1", Protocol::GpConnectStructured, "https://one.example.test");
    let nameless = SourceEntry { asid: None, ..gp.clone() };
    assert_eq!(build(vec![nameless]).map(drop), Err(RegistryError::NoAsid(gp.id.clone())));
    let acute = entry("acute-1", Protocol::FhirR4, "https://two.example.test");
    let registry = build(vec![gp.clone(), acute.clone()]).unwrap();
    assert!(registry.get(&gp.id).unwrap().relay.is_some());
    assert!(registry.get(&acute.id).unwrap().relay.is_none());
}

#[test]
fn a_source_serves_what_it_is_registered_with_as_far_as_its_protocol_can() {
    let wide = SourceEntry {
        sections: Some([Section::Allergies, Section::Appointments].into_iter().collect()),
        ..entry("gp-1", Protocol::GpConnectStructured, "https://one.example.test")
    };
    assert_eq!(wide.serves(), SectionSet::EMPTY.with(Section::Allergies));
    let all = entry("acute-1", Protocol::FhirR4, "https://two.example.test").serves();
    assert_eq!(all.iter().count(), Section::ALL.len() - 1);
    assert!(!all.contains(Section::Uncategorised));
}

/// An ask that nobody answers, at a source that takes one at a time.
async fn ask(registry: &Registry, id: &SourceId) -> FaultClass {
    let requester = Requester {
        user_id: "u".into(),
        family: "Family".into(),
        given: "Given".into(),
        role: Role::Ambulance,
        organisation: OdsCode::parse("RX999").unwrap(),
        organisation_name: "Service".into(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: Priority::Interactive,
    };
    let ask = Ask {
        patient: NhsNumber::parse("9990000107").unwrap(),
        sections: SectionSet::EMPTY.with(Section::Allergies),
        since: None,
        requester: Arc::new(requester),
        purpose: Purpose::DirectCare,
        deadline: Deadline::after(Duration::from_secs(5)),
    };
    let service = registry.get(id).unwrap().service.clone();
    service.oneshot(ask).await.unwrap_err().class
}

#[tokio::test]
async fn a_source_that_is_asked_as_before_keeps_its_limits() {
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let first = SourceEntry { max_in_flight: 1, ..entry("a", Protocol::FhirR4, &address) };
    let before = build(vec![first.clone()]).unwrap();
    let full = before.clone();
    let id = first.id.clone();
    let waiting = tokio::spawn(async move { ask(&full, &id).await });
    let _held = silent.accept().await.unwrap();
    let renamed = SourceEntry {
        name: "Other".into(),
        rank: 7,
        owns: vec!["https://a.example/".into()],
        cache_ttl: Some(Duration::from_secs(1)),
        ..first.clone()
    };
    let next = build_after(&before, vec![renamed.clone()]).unwrap();
    assert_eq!(*next.get(&first.id).unwrap().entry, renamed);
    assert_eq!(ask(&next, &first.id).await, FaultClass::Guard, "the one ask is at it still");
    let changed = [
        SourceEntry { timeout: Duration::from_millis(50), ..first.clone() },
        SourceEntry { max_in_flight: 2, timeout: Duration::from_millis(50), ..first.clone() },
        SourceEntry { tls: Some(SourceTls::default()), timeout: Duration::from_millis(50), ..first.clone() },
    ];
    for entry in changed {
        let anew = build_after(&next, vec![entry]).unwrap();
        assert_ne!(ask(&anew, &first.id).await, FaultClass::Guard);
    }
    waiting.abort();
}
