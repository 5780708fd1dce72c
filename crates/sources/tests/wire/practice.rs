//! Practices that no entry registers, found through a directory that a script plays.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tower::ServiceExt as _;
use tributary_model::{Capability, Deadline, FaultClass, Interaction, OdsCode, Redacted, RelayAsk, Section};
use tributary_sources::national::practice::{PracticeSource, PracticeTemplate, Practices};
use tributary_sources::national::sds::{Sds, SdsSettings};
use tributary_sources::{Egress, EgressSettings, UnobservedSources};

use crate::server::{Seen, Server, Step, fhir};
use crate::{context, question, requester};

/// Lists one system for every practice; each capability has an address of its own.
async fn directory(gp: &Server) -> Server {
    let gp = format!("http://{}", gp.address);
    Server::start(move |_, seen: &Seen| {
        let capability = if seen.target.contains("documents") { "documents" } else { "structured" };
        let id = |system: &str, value: &str| {
            format!(r#"{{"system":"https://fhir.nhs.uk/Id/{system}","value":"{value}"}}"#)
        };
        let key = id("nhsMhsPartyKey", "A99901-1");
        let resource = if seen.target.contains("/Endpoint") {
            let address = format!("{gp}/{capability}/fhir/");
            format!(r#"{{"resourceType":"Endpoint","status":"active","address":"{address}","identifier":[{key}]}}"#)
        } else {
            format!(r#"{{"resourceType":"Device","identifier":[{key},{}]}}"#, id("nhsSpineASID", "200000000205"))
        };
        fhir(200, format!(r#"{{"resourceType":"Bundle","type":"searchset","entry":[{{"resource":{resource}}}]}}"#))
    })
    .await
}

fn practices(directory: &Server, template: PracticeTemplate) -> Practices {
    let egress = Egress::new(&EgressSettings::default()).unwrap();
    let settings = SdsSettings {
        base_url: directory.base().parse().unwrap(),
        api_key: Redacted::new("key-1".into()),
        timeout: Duration::from_secs(2),
        per_second: 1000,
        session_ttl: Duration::from_mins(1),
        shared_ttl: None,
    };
    let sds = Sds::new(settings, &egress);
    Practices::new(template, sds, &egress, &context(Arc::new(UnobservedSources)), &[]).unwrap()
}

fn found(practices: &Practices, ods: &str) -> PracticeSource {
    practices.source(&OdsCode::parse(ods).unwrap())
}

async fn ask(source: PracticeSource) -> FaultClass {
    source.service.oneshot(question(&[Section::Allergies])).await.unwrap_err().class
}

#[tokio::test]
async fn the_limits_of_a_practice_outlive_a_request() {
    let gp = Server::start(|_, _| vec![Step::Hang]).await;
    let directory = directory(&gp).await;
    let template = PracticeTemplate {
        max_in_flight: 1,
        timeout: Duration::from_millis(400),
        ..PracticeTemplate::default()
    };
    let practices = practices(&directory, template);
    let (first, second, other) = tokio::join!(
        ask(found(&practices, "A99901")),
        ask(found(&practices, "A99901")),
        ask(found(&practices, "B99902")),
    );
    let mut same = [first, second];
    same.sort_unstable();
    assert_eq!(same, [FaultClass::NoHead, FaultClass::Guard]);
    assert_eq!(other, FaultClass::NoHead, "another practice has limits of its own");
}

#[tokio::test]
async fn each_capability_is_looked_up_and_asked_at_its_own_root() {
    let gp = Server::start(|_, _| fhir(404, r#"{"resourceType":"OperationOutcome"}"#)).await;
    let directory = directory(&gp).await;
    let practices = practices(&directory, PracticeTemplate::default());
    let source = found(&practices, "A99901");
    assert_eq!(source.id.as_str(), "gp-a99901");
    ask(source.clone()).await;
    let search = RelayAsk {
        interaction: Interaction::SearchDocuments,
        patient: None,
        tail: Redacted::new("Patient/2/DocumentReference".into()),
        body: Bytes::new(),
        requester: requester(),
        deadline: Deadline::after(Duration::from_secs(2)),
    };
    let _refusal = source.relay.clone().unwrap().oneshot(search).await;
    let targets: Vec<_> = gp.seen().into_iter().map(|seen| seen.target).collect();
    let operation = "/structured/fhir/Patient/$gpc.getstructuredrecord";
    assert_eq!(targets, [operation, "/documents/fhir/Patient/2/DocumentReference"]);
    assert_eq!(directory.seen().len(), 4, "two searches for each capability");
    let roots = source.roots.lock().unwrap().clone();
    assert!(roots[&Capability::Documents].ends_with("/documents/fhir"));
    assert!(roots[&Capability::Structured].ends_with("/structured/fhir"));
    assert!(gp.seen().iter().all(|seen| seen.header("ssp-to") == "200000000205"));
}

#[tokio::test]
async fn only_so_many_practices_are_remembered() {
    let gp = Server::start(|_, _| vec![Step::Hang]).await;
    let directory = directory(&gp).await;
    let template = PracticeTemplate {
        max_in_flight: 1,
        max_practices: 1,
        timeout: Duration::from_millis(400),
        ..PracticeTemplate::default()
    };
    let practices = practices(&directory, template);
    let first = tokio::spawn(ask(found(&practices, "A99901")));
    while gp.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn(ask(found(&practices, "B99902")));
    while gp.seen().len() < 2 {
        tokio::task::yield_now().await;
    }
    // Its stack made room for the other's, and its count went with it.
    assert_eq!(ask(found(&practices, "A99901")).await, FaultClass::NoHead);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (FaultClass::NoHead, FaultClass::NoHead));
}
