//! What thousands of sources cost before anybody is asked. Alone in its process, which is weighed.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tributary_model::{SourceId, SourceKind, SystemClock};
use tributary_sources::{
    Asids, BrokerIdentity, Context, Egress, EgressSettings, Others, Protocol, Registry, Route, ServiceRoot,
    SourceEntry, UnobservedSources,
};

/// As many as there are practices in England.
const SOURCES: usize = 7000;
/// Half a kilobyte for each: its entry, and what puts its stacks together when it is first asked.
const MOST_KILOBYTES: u64 = SOURCES as u64 / 2;

/// Resident memory of this process, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn entry(number: usize) -> SourceEntry {
    let root = format!("https://gp-{number}.example.test/A{number}/STU3/1/gpconnect/structured/fhir");
    SourceEntry {
        id: SourceId::parse(&format!("gp-{number}")).unwrap(),
        name: "Surgery".into(),
        kind: SourceKind::Gp,
        protocol: Protocol::GpConnectStructured,
        ods: None,
        asid: Some("200000000205".into()),
        base_url: ServiceRoot::parse(&root).unwrap(),
        more_roots: BTreeMap::new(),
        route: Route::Direct,
        tls: None,
        sections: None,
        owns: Vec::new(),
        rank: 1,
        timeout: Duration::from_secs(3),
        cache_ttl: None,
        max_body_bytes: 16 << 20,
        max_in_flight: 16,
        sends_deadline: false,
    }
}

#[test]
fn seven_thousand_sources_that_nobody_asks_weigh_no_more_than_half_a_kilobyte_each() {
    let identity = BrokerIdentity {
        iss: "https://record.example.test".into(),
        device_system: "https://record.example.test/Id/device".into(),
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
    let entries: Vec<_> = (0..SOURCES).map(entry).collect();
    let before = resident();
    let egress = Egress::new(&EgressSettings::default()).unwrap();
    let client = resident();
    let registry = Registry::build(entries, &egress, &context).unwrap();
    let after = resident();
    println!("the client {} kB, {} stacks {} kB", client - before, registry.len(), after - client);
    assert!(after - client <= MOST_KILOBYTES, "{} kB", after - client);
}
