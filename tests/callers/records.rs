//! What proven callers are shown, and what is on record of it.

use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, federation, parameters};

use crate::scene::{Plan, Scene};

const RECORD: &str = "/fhir/R4/Patient/$record";

/// A nurse sees what the policy says of nurses; her proof, and the rule, are on record before that.
#[tokio::test]
async fn who_is_proven_sees_what_their_role_may_see() {
    let sources = federation(&tributary_tests::Plan::default()).await;
    let acute = sources.source_facts().iter().find(|facts| facts.id == "acute-a").unwrap();
    let source = format!(
        "[[source]]\nid = \"acute-a\"\nkind = \"acute\"\nprotocol = \"fhir-r4\"\nods = \"RA001\"\n\
         base_url = \"{}\"\ntimeout_ms = 3000\n",
        acute.base_url
    );
    let plan = Plan { more: source, ..Plan::default() };
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
    let token = scene.bearer(&shown);
    let mut asked: serde_json::Value = serde_json::from_str(&body).unwrap();
    let purpose = serde_json::json!({"name": "purpose", "valueCode": "audit"});
    asked["parameter"].as_array_mut().unwrap().push(purpose);
    let refused = line.post(RECORD, &[("Authorization", &token)], &asked.to_string()).await.unwrap();
    assert_eq!(refused.status, 403, "{}", refused.body);
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
