//! What one contact without a patient shows.

use std::sync::Arc;

use tributary_model::FaultClass;
use tributary_sources::checkup::{BodyKind, Contact, contact_source};
use tributary_sources::{Egress, EgressSettings, Protocol, SourceEntry, UnobservedSources};

use crate::server::{Server, Step, fhir};
use crate::tls::{Authority, BOTH, Demands, serve};
use crate::{context, entry, requester};

async fn contact(entry: &SourceEntry) -> Contact {
    let egress = Egress::new(&EgressSettings::default()).unwrap();
    contact_source(entry, &egress, &context(Arc::new(UnobservedSources)), &requester()).await
}

#[tokio::test]
async fn the_day_on_which_a_certificate_ends_is_seen() {
    let own = Authority::new();
    let issued = own.issue("localhost", 1);
    let address = serve(Demands { issued: &issued, callers: None, versions: BOTH }).await;
    let root = format!("https://localhost:{}/fhir", address.port());
    let believing = SourceEntry { tls: Some(own.believed()), ..entry(Protocol::FhirR4, &root) };
    let contact_made = contact(&believing).await;
    assert_eq!((contact_made.answer, contact_made.body), (Ok(404), BodyKind::Outcome));
    let ends = contact_made.certificate_ends.unwrap().to_string();
    assert_eq!(ends, "4096-01-01T00:00:00Z");
    let doubting = entry(Protocol::FhirR4, &root);
    assert_eq!(contact(&doubting).await.answer, Err(FaultClass::TlsUntrusted));
}

#[tokio::test]
async fn a_source_tells_its_time_and_what_it_can_do() {
    let server = Server::start(|_, _| {
        let head = "HTTP/1.1 200 X\r\nContent-Type: application/fhir+json\r\nContent-Length: 41\r\n\
                    Date: Tue, 10 Mar 2026 02:10:00 GMT\r\nConnection: close\r\n\r\n";
        vec![Step::Send([head.as_bytes(), br#"{ "resourceType": "CapabilityStatement" }"#].concat())]
    })
    .await;
    for protocol in [Protocol::GpConnectStructured, Protocol::FhirR4, Protocol::FhirStu3] {
        let contact = contact(&entry(protocol, &server.base())).await;
        assert_eq!((contact.answer, contact.body), (Ok(200), BodyKind::Capabilities));
        assert_eq!(contact.date.unwrap().to_string(), "2026-03-10T02:10:00Z");
        assert_eq!(contact.certificate_ends, None);
    }
    for seen in server.seen() {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/fhir/metadata"));
    }
    let of_practice = server.seen()[0].header("ssp-interactionid").to_owned();
    assert!(of_practice.ends_with("structured:fhir:rest:read:metadata-1"), "{of_practice}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_by_its_class() {
    let breaking = Server::start(|_, _| vec![Step::Reset]).await;
    let broken = contact(&entry(Protocol::FhirR4, &breaking.base())).await;
    assert_eq!(broken.answer, Err(FaultClass::Reset));
    let page = Server::start(|_, _| fhir(503, "<html>")).await;
    let page = contact(&entry(Protocol::FhirR4, &page.base())).await;
    assert_eq!((page.answer, page.body, page.date), (Ok(503), BodyKind::Other, None));
}
