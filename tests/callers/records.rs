//! What proven callers are shown, and what is on record of it.

use serde_json::Value;
use tributary_model::Purpose;
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, federation, parameters};

use crate::scene::{Answer, Plan, Scene, acute};

const RECORD: &str = "/fhir/R4/Patient/$record";

/// Asks for George's record for a purpose.
fn asking(purpose: &str) -> String {
    let mut asked: Value = serde_json::from_str(&parameters(GEORGE, &[])).unwrap();
    let purpose = serde_json::json!({"name": "purpose", "valueCode": purpose});
    asked["parameter"].as_array_mut().unwrap().push(purpose);
    asked.to_string()
}

/// A nurse sees what the policy says of nurses; her proof, and the rule, are on record before that.
#[tokio::test]
async fn who_is_proven_sees_what_their_role_may_see() {
    let sources = federation(&tributary_tests::Plan::default()).await;
    let plan = Plan { more: acute(&sources), ..Plan::default() };
    let scene = Scene::set(&plan).await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let token = scene.bearer(&shown);
    let body = parameters(GEORGE, &[]);
    let answer = line.post(RECORD, &[("Authorization", &token)], &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let statuses = Merged::of(serde_json::from_str(&answer.body).unwrap()).statuses();
    assert_eq!(statuses["acute-a"], "ok");
    // For a purpose that nurses' rules do not name there is nothing.
    let token = scene.bearer_saying(&shown, |claims| claims["reason_for_request"] = "audit".into());
    let refused = line.post(RECORD, &[("Authorization", &token)], &asking("audit")).await.unwrap();
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.body.contains("(no-rule)"), "{}", refused.body);
    drop(line);
    let audit = scene.dir.path().join("audit");
    scene.running.stop().await.unwrap();
    let records = tributary_tests::audit::records(&audit);
    let of = |kind: &str| records.iter().find(|record| record["kind"] == kind).unwrap();
    for kind in ["intent", "disclosure"] {
        let record = of(kind);
        assert_eq!(record["user"]["role"], "community-nurse", "{record}");
        assert_eq!(record["why"]["rule"], "community-nurse", "{record}");
        let text = record.to_string();
        for part in ["epr", "https://epr.example.test", "signed"] {
            assert!(text.contains(part), "{part}: {record}");
        }
    }
}

type Change = fn(&mut Value);

/// What a token may say, and the purposes that it can be used for.
const SAID: &[(&str, &[&str], Change)] = &[
    ("direct care", &["directcare", "urgentcare"], |_| {}),
    ("urgent care", &["directcare", "urgentcare"], |claims| {
        claims["reason_for_request"] = "urgentcare".into();
    }),
    ("safeguarding", &["safeguarding"], |claims| claims["reason_for_request"] = "safeguarding".into()),
    ("the patient", &["patientaccess"], |claims| claims["reason_for_request"] = "patientaccess".into()),
    ("audit", &["audit"], |claims| claims["reason_for_request"] = "audit".into()),
    ("migration", &[], |claims| claims["reason_for_request"] = "migration".into()),
    ("nothing that is known", &[], |claims| claims["reason_for_request"] = "9990000107 curiosity".into()),
    ("no text", &[], |claims| claims["reason_for_request"] = serde_json::json!(["directcare"])),
    ("nothing", &[], |claims| drop(claims.as_object_mut().unwrap().remove("reason_for_request"))),
    ("direct care and its scope", &["directcare", "urgentcare"], |claims| {
        claims["requested_scope"] = "patient/*.read".into();
    }),
];

/// 403 with an outcome that repeats nothing of the request or the token.
fn is_contradiction(answer: &Answer) {
    assert_eq!(answer.status, 403, "{}", answer.body);
    let outcome: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let issue = &outcome["issue"][0];
    assert_eq!((issue["severity"].as_str(), issue["code"].as_str()), (Some("error"), Some("forbidden")));
    for word in ["9990000107", "999 000", "curiosity", "migration", "u-17", "Okoro"] {
        assert!(!answer.body.contains(word), "{word}: {}", answer.body);
    }
}

/// A token that was given for one thing is of no use for another, whatever the policy says of it.
#[tokio::test]
async fn a_token_is_used_for_what_it_says() {
    let scene = Scene::set(&Plan::default()).await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let mut contradicted = 0;
    for (name, covered, change) in SAID {
        for purpose in Purpose::ALL.iter().map(|purpose| purpose.code()) {
            let token = scene.bearer_saying(&shown, change);
            let answer = line.post(RECORD, &[("Authorization", &token)], &asking(purpose)).await.unwrap();
            let is_told = answer.body.contains("reason_for_request");
            assert_eq!(is_told, !covered.contains(&purpose), "{name}, {purpose}: {}", answer.body);
            if is_told {
                contradicted += 1;
                is_contradiction(&answer);
            }
        }
    }
    for scope in ["patient/*.write", "organization/*.read", "patient/*.read conf/R", ""] {
        let token = scene.bearer_saying(&shown, |claims| claims["requested_scope"] = scope.into());
        let answer = line.post(RECORD, &[("Authorization", &token)], &asking("directcare")).await.unwrap();
        assert_eq!(answer.status, 403, "{scope}");
        assert!(answer.body.contains("requested_scope"), "{scope}: {}", answer.body);
    }
    drop(line);
    let audit = scene.dir.path().join("audit");
    scene.running.stop().await.unwrap();
    let records = tributary_tests::audit::records(&audit);
    let denied = |why: &str| records.iter().filter(|record| record["why"]["denied"] == why).count();
    assert_eq!((denied("reason-for-request"), denied("requested-scope")), (contradicted, 4));
}

/// A policy may ask for what shows that somebody has to do with the patient: a token that says so of this patient, of a
/// system that may vouch for it.
#[tokio::test]
async fn a_rule_may_ask_for_a_relationship() {
    const RULE: &str = "\n[[rule]]\nid = \"nurses-see-their-caseload\"\nsays = \"Their own.\"\neffect = \"deny\"\n\
        organisations = \"any\"\nroles = [\"community-nurse\"]\npurposes = \"any\"\nsource_kinds = \"any\"\n\
        sections = \"any\"\nunless_relationship = \"evidenced\"\n";
    let policies = tempfile::tempdir().unwrap();
    let file = policies.path().join("policy.toml");
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policy.toml");
    std::fs::write(&file, std::fs::read_to_string(shipped).unwrap() + RULE).unwrap();
    let plan = Plan {
        more: format!("[policy]\nfile = {file:?}\n"),
        change: |text| text.replace("cis2_client =", "relationship = \"evidenced\"\ncis2_client ="),
        ..Plan::default()
    };
    let scene = Scene::set(&plan).await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let of = |number: &str, more: Value| {
        let mut claim = serde_json::json!({"nhs_number": number});
        claim.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claim
    };
    let evidence = || serde_json::json!({"basis": "caseload", "id": "C-17"});
    // The practice of the scene cannot be reached: 502 is somebody who was let through to ask it.
    for (name, claim, status) in [
        ("none", Value::Null, 403),
        ("asserted", of(GEORGE, serde_json::json!({})), 403),
        ("evidenced, of another patient", of("9990000204", evidence()), 403),
        ("evidenced", of(GEORGE, evidence()), 502),
        ("no relationship at all", of(GEORGE, serde_json::json!({"basis": "curiosity", "id": "C-17"})), 401),
    ] {
        let token = scene.bearer_saying(&shown, |claims| {
            if !claim.is_null() {
                claims["relationship"] = claim;
            }
        });
        let answer = line.post(RECORD, &[("Authorization", &token)], &asking("directcare")).await.unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        assert!(!answer.body.contains("C-17"), "{name}: {}", answer.body);
    }
    drop(line);
    let audit = scene.dir.path().join("audit");
    scene.running.stop().await.unwrap();
    let records = tributary_tests::audit::records(&audit);
    let degrees = |kind: &str| -> Vec<String> {
        let all = records.iter().filter(|record| record["kind"] == kind);
        all.filter_map(|record| Some(record["why"]["relationship"].as_str()?.to_owned())).collect()
    };
    assert_eq!(degrees("denied"), ["unknown", "asserted", "unknown"]);
    assert_eq!(degrees("intent"), ["evidenced"]);
    assert!(records.iter().all(|record| !record.to_string().contains("C-17")), "the id goes nowhere");
}
