//! What the policy leaves of a fan-out: who is asked for what, what is withheld, and what is on record of it.

use std::sync::Arc;

use tributary_broker::{Mode, Policy, Refusal};
use tributary_model::requester::{Claim, Proof, Said, ScopeSaid, TokenKind};
use tributary_model::{
    DenyReason, FaultClass, MemoryBudget, NhsNumber, Purpose, RecordRequest, Redacted, Relationship,
    Requester, Role, Section, SectionSet, SourceKind, ViewRole,
};
use tributary_policy::rule::{AsSent, Glass, Holds, Permit};
use tributary_policy::{Among, Column, Draft, Effect, GlassBounds, Rule, Table};

use crate::kit::{Bench, Does, Source, request, requester, source, statuses};

fn permit(id: &str, kinds: Among<SourceKind>, glass: Glass) -> Rule {
    Rule {
        id: Arc::from(id),
        says: String::new(),
        organisations: Among::Any,
        roles: Among::Only(vec![Role::Ambulance]),
        purposes: Among::Any,
        kinds,
        sections: Among::Only(vec![Section::Problems, Section::Allergies]),
        effect: Effect::Permit(Permit {
            relationship: Relationship::Unknown,
            glass,
            holds: Holds::Everywhere,
            labels: None,
            as_sent: AsSent::No,
        }),
    }
}

fn policy(rules: Vec<Rule>) -> Policy {
    let columns = vec![(Role::Ambulance, Column::Of(ViewRole::Ambulance))];
    let glass = GlassBounds { quota: 1, ..GlassBounds::default() };
    let table = Table::new(Draft { columns, glass, rules }).unwrap();
    Policy { table: Arc::new(table), digest: tributary_audit::Digest::of(b"a policy") }
}

fn of_kind(id: &'static str, kind: SourceKind, does: Does) -> Source {
    Source { kind, ..source(id, does) }
}

fn broken(text: &str) -> RecordRequest {
    RecordRequest { break_glass: Some(Redacted::new(text.to_owned())), ..request() }
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_source_that_is_not_permitted_is_named_and_not_asked() {
    let rules = vec![permit("gp-only", Among::Only(vec![SourceKind::Gp]), Glass::Whole)];
    let sources = vec![
        of_kind("gp", SourceKind::Gp, Does::Answers),
        of_kind("acute", SourceKind::Acute, Does::Answers),
    ];
    let bench = Bench::under(policy(rules), sources);
    let answer = bench.broker.answer(request()).await.unwrap();
    let told = statuses(&answer);
    assert_eq!(told["acute"], "withheld-policy");
    assert_eq!(told.len(), 2);
    let calls = bench.seen.calls();
    assert_eq!(calls.iter().map(|call| call.source).collect::<Vec<_>>(), ["gp"]);
    let asked: SectionSet = [Section::Problems, Section::Allergies].into_iter().collect();
    assert_eq!(calls[0].sections, asked, "nothing is fetched that may not be shown");
    assert!(
        bench
            .metrics
            .render()
            .contains("tributary_record_completeness_total{completeness=\"complete-withheld\"} 1")
    );
    let records = bench.closed_all().await;
    let digest = tributary_audit::Digest::of(b"a policy").to_string();
    for kind in ["intent", "disclosure"] {
        let record = records.iter().find(|record| record["kind"] == kind).unwrap();
        assert_eq!(record["why"]["rule"], "gp-only");
        assert_eq!(record["why"]["policy_sha256"], digest.as_str());
    }
}

/// G05.
#[tokio::test(start_paused = true)]
async fn broken_glass_does_not_move_a_source_that_has_no_consent() {
    let rules = vec![permit("glass", Among::Any, Glass::Broken)];
    let bench = Bench::under(policy(rules), vec![source("gp", Does::Fails(FaultClass::Consent))]);
    let answer = bench.broker.answer(broken("unconscious")).await.unwrap();
    assert_eq!(statuses(&answer)["gp"], "withheld-consent");
    assert_eq!(bench.seen.calls().len(), 1, "nobody is asked a second time");
    assert_eq!(bench.seen.calls()[0].on_record, ["lifecycle", "lifecycle", "break_glass", "intent"]);
}

/// G06.
#[tokio::test(start_paused = true)]
async fn the_glass_is_broken_by_rule_and_within_the_quota() {
    let rules = vec![permit("glass", Among::Any, Glass::Broken)];
    let bench = Bench::under(policy(rules), vec![source("gp", Does::Answers)]);
    assert_eq!(bench.broker.answer(request()).await.unwrap_err(), Refusal::Denied(DenyReason::NoRule));
    bench.broker.answer(broken("canary")).await.unwrap();
    bench.broker.answer(broken("canary")).await.unwrap();
    tokio::time::advance(std::time::Duration::from_hours(1)).await;
    let spent = bench.broker.answer(broken("canary")).await.unwrap_err();
    assert_eq!(spent, Refusal::Denied(DenyReason::BreakGlassQuota));
    let metrics = bench.metrics.render();
    for (outcome, count) in [("opened", 1), ("open", 1), ("over-quota", 1), ("not-offered", 0)] {
        let line = format!("tributary_break_glass_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let records = bench.closed_all().await;
    let glass: Vec<_> = records.iter().filter(|record| record["kind"] == "break_glass").collect();
    let told: Vec<_> = glass.iter().map(|one| one["glass"]["decision"].as_str().unwrap()).collect();
    assert_eq!(told, ["opened", "opened", "refused"]);
    assert_eq!(glass[0]["glass"]["lasts_secs"], 3600);
    assert!(!format!("{records:?}").contains("canary"), "why is nobody's business but theirs");
    let denied = records.iter().rfind(|record| record["kind"] == "denied").unwrap();
    assert_eq!(denied["why"]["denied"], "break-glass-quota");
}

/// Somebody who asks as a patient, whose token proved this number to be theirs.
fn patient(own: Option<&str>) -> RecordRequest {
    let proof = Proof {
        consumer: "nhs-app".to_owned(),
        spki_sha256: Some([7; 32]),
        issuer: Some("https://login.example.test".to_owned()),
        jti_sha256: None,
        token: TokenKind::Signed,
        aal: Some(3),
        own: own.map(|number| NhsNumber::parse(number).unwrap()),
        said: Said { purposes: Purpose::ALL, scope: ScopeSaid::Nothing },
        related: None,
    };
    let requester = Requester { role: Role::Patient, proof: Some(Arc::new(proof)), ..requester() };
    RecordRequest { requester: Arc::new(requester), purpose: Purpose::PatientAccess, ..request() }
}

#[tokio::test(start_paused = true)]
async fn a_patient_sees_their_own_record_and_nobody_elses() {
    let rule = Rule {
        roles: Among::Only(vec![Role::Patient]),
        ..permit("patient", Among::Only(vec![SourceKind::Gp]), Glass::Whole)
    };
    let columns = vec![(Role::Patient, Column::Of(ViewRole::Patient))];
    let table = Table::new(Draft { columns, rules: vec![rule], ..Draft::default() }).unwrap();
    let policy = Policy { table: Arc::new(table), digest: tributary_audit::Digest::of(b"patients") };
    let sources = vec![source("gp", Does::Answers)];
    let bench = Bench::made(Mode::Live, MemoryBudget::default(), policy, sources);
    for of in [None, Some("9990000204")] {
        let refused = bench.broker.answer(patient(of)).await.err();
        assert_eq!(refused, Some(Refusal::Denied(DenyReason::Forbidden)), "{of:?}");
    }
    assert!(bench.seen.calls().is_empty());
    assert_eq!(bench.records_of("denied").len(), 2);
    assert!(bench.broker.answer(patient(Some("9990000107"))).await.is_ok());
}

/// Somebody whose token says this.
fn saying(purposes: &'static [Purpose], scope: ScopeSaid) -> RecordRequest {
    let mut proof = (**patient(None).requester.proof.as_ref().unwrap()).clone();
    proof.said = Said { purposes, scope };
    RecordRequest {
        requester: Arc::new(Requester { proof: Some(Arc::new(proof)), ..requester() }),
        ..request()
    }
}

/// What the policy permits is not asked for under a token that says something else.
#[tokio::test(start_paused = true)]
async fn a_request_that_its_token_contradicts_asks_nobody_and_is_on_record() {
    let rules = vec![permit("gp-only", Among::Any, Glass::Whole)];
    let bench = Bench::under(policy(rules), vec![source("gp", Does::Answers)]);
    let others: &[Purpose] = &[Purpose::Safeguarding, Purpose::PatientAccess, Purpose::Audit];
    for (said, scope, claim) in [
        (&[][..], ScopeSaid::Nothing, Claim::Reason),
        (others, ScopeSaid::Patients, Claim::Reason),
        (Purpose::ALL, ScopeSaid::Otherwise, Claim::Scope),
    ] {
        let refused = bench.broker.answer(saying(said, scope)).await.unwrap_err();
        assert_eq!(refused, Refusal::Denied(DenyReason::Contradicts(claim)));
    }
    assert!(bench.seen.calls().is_empty());
    for scope in [ScopeSaid::Nothing, ScopeSaid::Patients] {
        assert!(bench.broker.answer(saying(&[Purpose::DirectCare], scope)).await.is_ok(), "{scope:?}");
    }
    let records = bench.closed_all().await;
    let denied = records.iter().filter(|record| record["kind"] == "denied");
    let denied: Vec<_> = denied.map(|record| record["why"]["denied"].as_str().unwrap()).collect();
    assert_eq!(denied, ["reason-for-request", "reason-for-request", "requested-scope"]);
}
