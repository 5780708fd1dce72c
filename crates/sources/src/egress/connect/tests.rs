use super::*;

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::net::TcpListener;
use tributary_model::Deadline;
use url::Url;

use crate::egress::names::tests::{Says, Stub};
use crate::egress::race::tests::BlackHole;
use crate::egress::{Bounds, Egress, EgressSettings, Outgoing};

fn settings() -> EgressSettings {
    EgressSettings { connect_timeout: Duration::from_millis(400), ..EgressSettings::default() }
}

async fn fault_of(says: Says, url: &str) -> SourceFault {
    let egress = Egress::resolving(&settings(), Stub::new(says)).unwrap();
    fault_at(&egress, url).await
}

async fn fault_at(egress: &Egress, url: &str) -> SourceFault {
    let bounds = Bounds { deadline: Deadline::after(Duration::from_secs(5)), max_body_bytes: 1000 };
    let outgoing = Outgoing {
        method: Method::GET,
        url: Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    egress.attempt(bounds, outgoing).await.err().unwrap()
}

/// A listener that counts who comes, and says nothing.
async fn silent_listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn nobody_came(listener: &TcpListener) -> bool {
    tokio::select! {
        biased;
        _came = listener.accept() => false,
        () = std::future::ready(()) => true,
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_gets_no_packet() {
    let (listener, port) = silent_listener().await;
    for addresses in [["127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["::1"]] {
        let fault = fault_of(Says::these(&addresses), &format!("https://gp.test:{port}/")).await;
        assert_eq!(fault, SourceFault::new(FaultClass::AddressBlocked), "{addresses:?}");
    }
    assert!(nobody_came(&listener).await);
    let fault = fault_of(Says::Nobody, "https://169.254.169.254/latest").await;
    assert_eq!(fault.class, FaultClass::AddressBlocked);
}

#[tokio::test]
async fn a_forbidden_address_among_others_is_left_out() {
    let (listener, port) = silent_listener().await;
    // Nobody listens at the other one, if it can be reached at all.
    let fault =
        fault_of(Says::these(&["127.0.0.1", "0.0.0.0", "192.0.2.1"]), &format!("https://gp.test:{port}/"))
            .await;
    assert!(matches!(fault.class, FaultClass::Connect | FaultClass::ConnectTimeout), "{:?}", fault.class);
    assert!(nobody_came(&listener).await);
}

/// What a name stands for may change at any time: one look-up is checked and used, there is no second one.
#[tokio::test]
async fn a_name_is_looked_up_once_for_a_connection() {
    let (_listener, port) = silent_listener().await;
    let stub = Stub::new(Says::these(&["127.0.0.1"]));
    let egress = Egress::resolving(&settings(), Arc::clone(&stub) as Arc<_>).unwrap();
    let fault = fault_at(&egress, &format!("https://localhost:{port}/")).await;
    assert_eq!(fault.class, FaultClass::TlsTimeout);
    assert_eq!(stub.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn names_without_addresses() {
    assert_eq!(fault_of(Says::Nobody, "https://gp.test/").await, SourceFault::new(FaultClass::Dns));
    assert_eq!(fault_of(Says::Silence, "https://gp.test/").await, SourceFault::new(FaultClass::Dns));
}

#[tokio::test]
async fn packets_that_disappear_cost_the_budget_of_a_connection() {
    let hole = BlackHole::at(Ipv4Addr::new(127, 0, 0, 4), 0).await;
    let begun = tokio::time::Instant::now();
    let fault = fault_of(Says::Nobody, &format!("http://{}/", hole.address)).await;
    assert_eq!(fault, SourceFault::new(FaultClass::ConnectTimeout));
    assert!(begun.elapsed() >= settings().connect_timeout);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_port_that_takes_connections_and_speaks_no_tls() {
    let (_listener, port) = silent_listener().await;
    let begun = tokio::time::Instant::now();
    let fault = fault_of(Says::Nobody, &format!("https://127.0.0.1:{port}/")).await;
    assert_eq!(fault, SourceFault::new(FaultClass::TlsTimeout));
    assert!(begun.elapsed() >= LONGEST_HANDSHAKE);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_handshake_may_be_tried_elsewhere() {
    let (listener, port) = silent_listener().await;
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let fault = fault_of(Says::Nobody, &format!("https://127.0.0.1:{port}/")).await;
    assert_eq!(fault, SourceFault::new(FaultClass::Reset).with_retry(Retry::Elsewhere));
}

#[tokio::test]
async fn what_is_told_of_a_failed_connection_names_nobody() {
    let error = NoConnection::from(FaultClass::Dns);
    assert_eq!(error.to_string(), "no connection");
    assert!(!format!("{error:?}").contains("gp.test"));
}

#[tokio::test]
async fn sources_with_the_same_demands_share_a_client() {
    let egress = Egress::new(&settings()).unwrap();
    let only_12 = || crate::egress::SourceTls {
        versions: crate::egress::TlsVersions::Only12,
        ..crate::egress::SourceTls::default()
    };
    let (one, other) = (egress.with_tls(&only_12()).unwrap(), egress.with_tls(&only_12()).unwrap());
    assert!(Arc::ptr_eq(&one.0, &other.0));
    assert!(!Arc::ptr_eq(&one.0, &egress.0));
    let usual = egress.with_tls(&crate::egress::SourceTls::default()).unwrap();
    assert!(Arc::ptr_eq(&usual.0, &egress.0));
}
