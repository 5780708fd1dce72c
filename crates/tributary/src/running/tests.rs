//! The whole broker on loopback, with mock sources, asked over HTTP.

#![cfg(feature = "demo")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use mock_providers::{Fault, Federation, FederationOptions, Played, start_story_federation};
use tributary_audit::{Verdict, verify};
use tributary_client::{Client, Query, RecordAnswer, Terms};
use tributary_model::{Completeness, NhsNumber};

use super::*;
use crate::commands::demo::story;

async fn mocks() -> Federation {
    let options = FederationOptions { delays: Played::Off, ..FederationOptions::default() };
    start_story_federation(options).await.unwrap()
}

async fn start(federation: &Federation, audit: &Path) -> Running {
    let mut settings = story::settings(federation, audit.to_owned());
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (settings.server.listen, settings.server.admin_listen) = (any, any);
    if let Some(demo) = &mut settings.demo {
        demo.as_of = "2026-03-10T02:10:00Z".parse().ok();
    }
    Running::start(settings).await.unwrap()
}

async fn ask(running: &Running, deadline: Duration) -> RecordAnswer {
    let client = Client::new(&format!("http://{}", running.data_addr())).unwrap();
    let nhs_number = NhsNumber::parse("9990000107").unwrap();
    let terms = Terms { deadline, ..Terms::default() };
    client.record(&Query { terms, ..Query::of(nhs_number) }).await.unwrap()
}

#[tokio::test]
async fn one_question_reaches_every_source_and_leaves_a_sound_log() {
    let audit = tempfile::tempdir().unwrap();
    let federation = mocks().await;
    let running = start(&federation, audit.path()).await;

    let answer = ask(&running, Duration::from_secs(8)).await;
    assert_eq!(answer.completeness, Completeness::Complete, "{:?}", answer.table.sources);
    assert_eq!(answer.sources, (4, 4));
    assert_eq!(answer.table.allergy_label, "No known allergies");
    assert_eq!(answer.table.discrepancies.len(), 1);
    assert_eq!(answer.table.discrepancies[0].members, ["Flag/f1@specialist", "Observation/o1@gp"]);

    running.stop().await.unwrap();
    let report = verify(audit.path());
    assert_eq!((report.verdict(), report.disclosures()), (Verdict::Ok, 1));
    assert_eq!(report.open_intents, 0);
}

#[tokio::test]
async fn the_same_question_gets_the_same_bytes() {
    let audit = tempfile::tempdir().unwrap();
    let federation = mocks().await;
    let running = start(&federation, audit.path()).await;
    let first = ask(&running, Duration::from_secs(8)).await;
    let second = ask(&running, Duration::from_secs(8)).await;
    assert_eq!(first.bundle_json, second.bundle_json);
    assert_ne!(first.audit, second.audit);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_silent_source_is_named_and_not_awaited() {
    let audit = tempfile::tempdir().unwrap();
    let federation = mocks().await;
    federation.provider("specialist").unwrap().set_fault(Fault::HangBeforeHead);
    let running = start(&federation, audit.path()).await;
    let answer = ask(&running, Duration::from_millis(900)).await;
    assert_eq!(answer.completeness, Completeness::Partial);
    let silent: Vec<_> = answer.table.sources.iter().filter(|row| row.status == "timeout").collect();
    assert_eq!(silent.len(), 1);
    assert_eq!(silent[0].id, "specialist");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_audit_log_in_use_is_refused() {
    let audit = tempfile::tempdir().unwrap();
    let federation = mocks().await;
    let running = start(&federation, audit.path()).await;
    let settings = story::settings(&federation, audit.path().to_owned());
    let any = || listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (data, admin) = (any().await.unwrap(), any().await.unwrap());
    let listeners = Listeners { data, admin, gpconnect: None, launch: None };
    let clock = Arc::new(SystemClock);
    let rules = Rules::load(&settings).unwrap();
    let error = Running::start_on(listeners, settings, rules, clock).await.unwrap_err();
    assert!(matches!(error, StartError::Audit(_, AuditError::InUse)), "{error}");
    let expected = format!("the audit log in {} cannot be opened", audit.path().display());
    assert_eq!(error.to_string(), expected);
    running.stop().await.unwrap();
}
