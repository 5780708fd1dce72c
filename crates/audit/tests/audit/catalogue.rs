//! What is stored of each kind of event, as a reader of the files sees it.

use std::fs;
use std::sync::Arc;

use serde_json::Value;
use tributary_audit::{
    Access, Anomaly, AnomalyKind, AuditRead, AuditReadKind, BreakGlass, Digest, Event, GlassDecision,
    GlassEvent, PeerCheckpoint, Proof, TokenKind, verify,
};
use tributary_model::{DenyReason, NhsNumber, OdsCode, SpineIds};

use crate::samples::{SMALL, access, block_on, boundaries, disclosure, intent, open, segments};

/// Writes one event and reads its record back.
fn stored(event: Event) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), SMALL);
    let kind = event.kind();
    block_on(async {
        trail.record(event).await.unwrap();
        trail.close().await.unwrap();
    });
    assert_eq!(verify(dir.path()).by_kind.get(&kind), Some(&1));
    let content = fs::read(&segments(dir.path())[0]).unwrap();
    let places = boundaries(&content);
    let records =
        places.windows(2).map(|pair| serde_json::from_slice(&content[pair[0] + 8..pair[1]]).unwrap());
    records.into_iter().find(|record: &Value| record["kind"] == kind.code()).unwrap()
}

fn proven() -> Arc<Access> {
    let access = access();
    let mut requester = (*access.requester).clone();
    requester.asid = Some("200000000205".to_owned());
    let (user, role_profile) = (Some("555012345678".to_owned()), Some("555098765432".to_owned()));
    requester.spine = SpineIds { user, role_profile };
    Arc::new(Access {
        requester: Arc::new(requester),
        proof: Proof {
            consumer: Some("community-epr".into()),
            certificate_spki: Some(Digest::of(b"key")),
            token_issuer: Some("https://issuer.example.test".into()),
            token_id: Some(Digest::of(b"jti")),
            token_kind: Some(TokenKind::Signed),
        },
        break_glass: BreakGlass::ReasonGiven,
        policy: Some(Digest::of(b"policy")),
        ..(*access).clone()
    })
}

#[test]
fn who_asked_is_stored_with_what_showed_it() {
    let record = stored(Event::Trace(proven()));
    assert_eq!(record["user"]["role_profile"], "555098765432");
    assert_eq!(record["user"]["spine_user"], "555012345678");
    assert_eq!(record["consumer"]["id"], "community-epr");
    assert_eq!(record["consumer"]["asid"], "200000000205");
    assert_eq!(record["consumer"]["spki_sha256"], Digest::of(b"key").to_string());
    assert_eq!(record["token"]["iss"], "https://issuer.example.test");
    assert_eq!(record["token"]["jti_sha256"], Digest::of(b"jti").to_string());
    assert_eq!(record["token"]["kind"], "signed");
    assert_eq!(record["why"]["policy_sha256"], Digest::of(b"policy").to_string());
}

#[test]
fn what_was_not_shown_is_not_claimed() {
    let record = stored(Event::Trace(access()));
    for absent in ["consumer", "token"] {
        assert_eq!(record[absent], Value::Null);
    }
    assert_eq!(record["user"]["role_profile"], Value::Null);
}

#[test]
fn a_disclosure_names_the_build_and_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let trail = open(dir.path(), SMALL);
    let receipt = block_on(trail.record(intent())).unwrap();
    let record = stored(disclosure(receipt));
    assert_eq!(record["made_by"]["build"], env!("CARGO_PKG_VERSION"));
    assert_eq!(record["made_by"]["config_sha256"], Digest::of(b"[server]").to_string());
}

#[test]
fn broken_glass_is_stored_without_its_reason() {
    let record = stored(Event::BreakGlass(GlassEvent {
        access: proven(),
        decision: GlassDecision::Refused,
        reason: Some(DenyReason::NoRule),
        approver: Some("u-1".to_owned()),
        lasts_secs: 3600,
    }));
    assert_eq!(record["glass"]["decision"], "refused");
    assert_eq!(record["glass"]["approver"], "u-1");
    assert_eq!(record["glass"]["lasts_secs"], 3600);
    assert_eq!(record["why"]["denied"], DenyReason::NoRule.code());
    assert_eq!(record["why"]["break_glass"], "reason-given");
    assert_eq!(record["patient"]["nhs"], "9990000107");
}

#[test]
fn odd_looking_is_stored_as_counts() {
    let record = stored(Event::Anomaly(Anomaly {
        what: AnomalyKind::ManyPatients,
        requester: Some(Arc::clone(&proven().requester)),
        request: None,
        patient: None,
        count: 61,
        limit: 60,
        window_secs: 600,
    }));
    let told = serde_json::json!({"what": "many-patients", "count": 61, "limit": 60, "window_secs": 600});
    assert_eq!(record["anomaly"], told);
    assert_eq!(record["user"]["id"], "u-17");
    assert_eq!(record["patient"], Value::Null);
}

#[test]
fn reading_the_log_is_on_record_itself() {
    let record = stored(Event::AuditRead(AuditRead {
        what: AuditReadKind::PatientReport,
        reader: "privacy-1".to_owned(),
        organisation: OdsCode::parse("RX9").ok(),
        request: None,
        patient: NhsNumber::parse("9990000107").ok(),
        query: Some(Digest::of(b"query")),
        records: Some(7),
        case: Some("SAR-7".to_owned()),
        question: None,
    }));
    assert_eq!(record["read"]["what"], "patient-report");
    assert_eq!(record["read"]["reader"], "privacy-1");
    assert_eq!(record["read"]["org"], "RX9");
    assert_eq!(record["read"]["query_sha256"], Digest::of(b"query").to_string());
    assert_eq!(record["read"]["records"], 7);
    assert_eq!(record["patient"]["nhs"], "9990000107");
}

#[test]
fn the_log_of_another_node_is_told_by_size_and_root() {
    let root = Digest::of(b"root");
    let origin = "example.test/audit/b".to_owned();
    let record = stored(Event::PeerCheckpoint(PeerCheckpoint { origin, size: 17, root }));
    let told = serde_json::json!({"origin": "example.test/audit/b", "size": 17, "root": root.to_string()});
    assert_eq!(record["peer"], told);
}
