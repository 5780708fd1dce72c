//! The shipped policy over the real server: what each role is told, and what nobody can find out.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use serde_json::{Value, json};
use tributary::{Running, Settings};
use tributary_tests::audit::records;
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, Plan, Reply, Stage, configuration, federation, http, sha256};

/// Words that are in George's record and nowhere else, by what they tell.
const CPR: &[&str] = &["Not for attempted", "450476008", "cpr-recommendation"];
const PLANS: &[&str] = &["ReSPECT", "Treatment escalation plan", "Summary Plan", "If worse"];
const ALERT: &[&str] = &["Just in case"];
const PROBLEMS: &[&str] = &["lung cancer", "254637007"];
const CONTACTS: &[&str] = &["Emergency admission", "Walk-in centre attendance"];
const MEDICINES: &[&str] = &["Morphine", "Midazolam"];
const AT_THE_PRACTICE: &[&str] = &["Paracetamol", "Cough"];

/// A role, the purpose it asks for, and what must and must not be anywhere it looks.
struct Case {
    role: &'static str,
    purpose: &'static str,
    seen: &'static [&'static [&'static str]],
    unseen: &'static [&'static [&'static str]],
}

const CASES: &[Case] = &[
    Case {
        role: "demo",
        purpose: "directcare",
        seen: &[CPR, PLANS, ALERT, PROBLEMS, CONTACTS, MEDICINES],
        unseen: &[],
    },
    Case { role: "ambulance", purpose: "urgentcare", seen: &[CPR, ALERT, PROBLEMS, MEDICINES], unseen: &[] },
    Case {
        role: "111-handler",
        purpose: "urgentcare",
        seen: &[],
        unseen: &[CPR, PLANS, ALERT, PROBLEMS, CONTACTS, MEDICINES, AT_THE_PRACTICE],
    },
    Case {
        role: "ucr-clinician",
        purpose: "directcare",
        seen: &[CPR, PLANS, ALERT, PROBLEMS, MEDICINES],
        unseen: &[],
    },
    Case {
        role: "community-nurse",
        purpose: "directcare",
        seen: &[CPR, PLANS, PROBLEMS, MEDICINES],
        unseen: &[],
    },
    Case { role: "gp", purpose: "directcare", seen: &[CPR, PLANS, PROBLEMS, MEDICINES], unseen: &[] },
    Case {
        role: "pharmacist",
        purpose: "directcare",
        seen: &[PROBLEMS, MEDICINES],
        unseen: &[CPR, PLANS, ALERT],
    },
    Case {
        role: "care-manager",
        purpose: "directcare",
        seen: &[PROBLEMS, MEDICINES],
        unseen: &[CPR, PLANS, ALERT],
    },
    Case {
        role: "social-worker",
        purpose: "directcare",
        seen: &[PROBLEMS, MEDICINES],
        unseen: &[CPR, PLANS, ALERT],
    },
    Case {
        role: "home-carer",
        purpose: "directcare",
        seen: &[MEDICINES],
        unseen: &[CPR, PLANS, ALERT, PROBLEMS, CONTACTS],
    },
    Case {
        role: "patient",
        purpose: "patientaccess",
        seen: &[PROBLEMS],
        unseen: &[CPR, PLANS, ALERT, AT_THE_PRACTICE],
    },
];

fn asked(purpose: &str, reason: Option<&str>) -> String {
    let identifier = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": GEORGE});
    let mut list = vec![
        json!({"name": "patient", "valueIdentifier": identifier}),
        json!({"name": "purpose", "valueCode": purpose}),
    ];
    list.extend(reason.map(|reason| json!({"name": "breakGlass", "valueString": reason})));
    json!({"resourceType": "Parameters", "parameter": list}).to_string()
}

/// A stage whose requester has this role.
async fn stage(role: &str) -> Stage {
    let plan = Plan::default();
    let federation = federation(&plan).await;
    let audit = tempfile::tempdir().unwrap();
    let text = configuration(federation.source_facts(), &plan, &audit.path().join("log"));
    let text = text.replacen("insecure = true", &format!("insecure = true\nrole = \"{role}\""), 1);
    let running = Running::start(Settings::parse(&text).unwrap()).await.unwrap();
    Stage { federation, running, audit }
}

/// Everything that this requester can get hold of, put side by side.
async fn told(stage: &Stage, purpose: &str) -> Vec<(String, Reply)> {
    let data = stage.running.data_addr();
    let media = "application/fhir+json";
    let mut all = Vec::new();
    for path in
        ["/fhir/R4/Patient/$record", "/fhir/R4/Patient/$record?view=lines", "/fhir/STU3/Patient/$record"]
    {
        let reply = http::post(data, path, media, &asked(purpose, None), &[]).await;
        all.push((path.to_owned(), reply));
    }
    let form = "application/x-www-form-urlencoded";
    let page = http::post(data, "/record", form, &format!("nhs={GEORGE}"), &[]).await;
    all.push(("page".to_owned(), page));
    let summary = http::get(data, &format!("/fhir/R4/Patient/{GEORGE}/$summary")).await;
    all.push(("summary".to_owned(), summary));
    let metrics = http::get(stage.running.admin_addr(), "/metrics").await;
    // A rule that found nothing is counted from zero, and tells nothing.
    let counted = metrics.body.lines().filter(|line| !line.ends_with(" 0") && !line.starts_with('#'));
    let counted = counted.collect::<Vec<_>>().join("\n");
    all.push(("metrics".to_owned(), Reply { body: counted, ..metrics }));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_may_not_see_is_nowhere_it_can_look() {
    for Case { role, purpose, seen, unseen } in CASES {
        let stage = stage(role).await;
        let told = told(&stage, purpose).await;
        let (_, record) = &told[0];
        assert_eq!(record.status, 200, "{role}: {}", record.body);
        for word in seen.iter().copied().flatten().filter(|word| **word != "cpr-recommendation") {
            assert!(record.body.contains(word), "{role} sees no {word}");
        }
        for word in unseen.iter().copied().flatten() {
            for (place, reply) in &told {
                assert!(!reply.body.contains(word), "{role}: {place} holds {word}");
                assert!(!reply.head.contains(word), "{role}: head of {place} holds {word}");
            }
        }
        let merged = Merged::of(record.json());
        let statuses = merged.statuses();
        assert_eq!(statuses.len(), 4, "{role}: every expected source is told: {statuses:?}");
        let is_whole = *role == "demo";
        let withheld = statuses.values().any(|status| status == "withheld-policy");
        let sees_all_sections = ["demo", "ucr-clinician", "community-nurse", "gp"].contains(role);
        assert_eq!(withheld, !sees_all_sections, "{role}: {statuses:?}");
        assert_eq!(record.body.contains("urn:x-tributary:role-view"), !is_whole, "{role}");
    }
}

/// G04, and what a kind of source that is not permitted looks like.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_asked_is_named_as_withheld() {
    let stage = stage("patient").await;
    let reply = stage.ask(&asked("patientaccess", None), &[]).await;
    let merged = Merged::of(reply.json());
    assert_eq!(merged.statuses()["gp"], "withheld-policy", "{:?}", merged.statuses());
    assert!(stage.federation.provider("gp").unwrap().asks().is_empty(), "GP Connect is for direct care");
    assert_eq!(merged.tag(), "complete-withheld");
    assert_ne!(merged.allergy_label(), "No known allergies", "whom nobody asked may know of one");
    let log = records(&stage.audit.path().join("log"));
    let intent = log.iter().find(|one| one["kind"] == "intent").unwrap();
    assert!(!intent["expected"].to_string().contains("\"gp\""), "{intent}");
    let disclosure = log.iter().find(|one| one["kind"] == "disclosure").unwrap();
    assert_eq!(disclosure["sources"].as_array().unwrap().len(), 4);
    let digest = sha256(tributary::policy::SHIPPED);
    for record in [intent, disclosure] {
        assert_eq!(record["why"]["policy_sha256"], digest.as_str());
        assert_eq!(record["why"]["rule"], "patient");
        assert_eq!(record["user"]["role"], "patient");
    }
}

async fn refused(role: &str, purpose: &str, reason: Option<&str>, status: u16) -> (Value, Vec<Value>) {
    let stage = stage(role).await;
    let reply = stage.ask(&asked(purpose, reason), &[]).await;
    assert_eq!(reply.status, status, "{role} {purpose}: {}", reply.body);
    assert!(
        stage.federation.providers().iter().all(|one| one.asks().is_empty()),
        "{role}: somebody was asked"
    );
    let outcome = reply.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    (outcome, records(&stage.audit.path().join("log")))
}

/// G01: who has no rule for it, and who gives no purpose that is known, gets nothing and nobody is asked.
#[tokio::test(flavor = "multi_thread")]
async fn no_rule_no_record() {
    for (role, purpose) in [
        ("information-governance", "audit"),
        ("information-governance", "directcare"),
        ("care-manager", "urgentcare"),
        ("patient", "directcare"),
        ("gp", "patientaccess"),
    ] {
        let (outcome, log) = refused(role, purpose, None, 403).await;
        assert_eq!(outcome["issue"][0]["code"], "forbidden");
        let denied = log.iter().find(|one| one["kind"] == "denied").unwrap();
        assert!(denied["why"]["policy_sha256"].is_string());
        assert!(log.iter().all(|one| one["kind"] != "intent"));
    }
    refused("gp", "research", None, 422).await;
}

/// G06: broken glass needs a reason, a rule and a quota; each refusal is told to somebody.
#[tokio::test(flavor = "multi_thread")]
async fn glass_is_not_broken_by_whoever_asks() {
    refused("gp", "directcare", Some(" "), 422).await;
    for role in ["care-manager", "home-carer", "111-handler", "demo"] {
        let (outcome, log) = refused(role, "directcare", Some("CANARYREASON"), 403).await;
        assert!(outcome["issue"][0].to_string().contains("break-glass-not-offered"), "{outcome}");
        let glass = log.iter().find(|one| one["kind"] == "break_glass").unwrap();
        assert_eq!(glass["glass"]["decision"], "refused");
        assert!(log.iter().all(|one| !one.to_string().contains("CANARYREASON")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_glass_is_counted_on_record_and_listed() {
    let stage = stage("ambulance").await;
    let asked = asked("urgentcare", Some("CANARYREASON"));
    let reply = stage.ask(&asked, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let metrics = http::get(stage.running.admin_addr(), "/metrics").await.body;
    assert!(metrics.contains("tributary_break_glass_total{outcome=\"opened\"} 1\n"), "{metrics}");
    let dir = stage.audit.path().join("log");
    let log = records(&dir);
    let kinds: Vec<_> = log.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    let at = |kind: &str| kinds.iter().position(|one| *one == kind).unwrap();
    assert!(at("break_glass") < at("intent") && at("intent") < at("disclosure"), "{kinds:?}");
    assert!(log.iter().all(|one| !one.to_string().contains("CANARYREASON")));
    let list = |more: &[&str]| {
        let line = ["policy", "follow-up", "--dir", dir.to_str().unwrap()];
        tributary_tests::process::run(&[line.as_slice(), more].concat())
    };
    let (code, out, error) = list(&[]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("demo-user  ambulance") && out.contains("1 to review"), "{out}");
    assert!(!out.contains(GEORGE), "{out}");
    let reviewed = stage.audit.path().join("reviewed.txt");
    let seq = log[at("break_glass")]["seq"].as_u64().unwrap();
    std::fs::write(&reviewed, format!("local-{seq}  seen, 11-Mar-2026, A. Example\n")).unwrap();
    let (_, out, _) = list(&["--reviewed", reviewed.to_str().unwrap()]);
    assert_eq!(out, "0 to review\n");
}
