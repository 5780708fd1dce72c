//! A disclosure is made again from its sources: the same, or what differs, and nothing of the patient either way.

#![expect(clippy::expect_used, reason = "a test may stop where it stands")]

use std::path::{Path, PathBuf};

use mock_providers::{Fault, Federation};
use serde_json::{Map, Value, json};
use tributary_tests::audit::records;
use tributary_tests::process::{Process, run};
use tributary_tests::{GEORGE, Plan, configuration, federation, http, parameters};

/// A record that was disclosed by a broker of its own, which runs on.
struct Scene {
    federation: Federation,
    dir: tempfile::TempDir,
    broker: Process,
    /// As its answer named the disclosure.
    id: String,
}

impl Scene {
    async fn set(fixed: bool) -> Self {
        Self::with(fixed, Plan::default(), |_| String::new()).await
    }

    /// The same, with further tables that may name files in its folder.
    async fn with(fixed: bool, plan: Plan, more: fn(&Path) -> String) -> Self {
        let federation = federation(&plan).await;
        let dir = tempfile::tempdir().expect("a directory");
        let mut text = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
        text.push_str(&more(dir.path()));
        if !fixed {
            text = text.lines().filter(|line| !line.starts_with("as_of = ")).collect::<Vec<_>>().join("\n");
        }
        let broker = Process::serve(dir.path(), &text);
        let (path, body) = ("/fhir/R4/Patient/$record", parameters(GEORGE, &["allergies", "medications"]));
        let reply = http::post(broker.data, path, "application/fhir+json", &body, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let id = reply.header("Tributary-Audit").expect("an id").to_owned();
        Self { federation, dir, broker, id }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("tributary.toml")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    /// Replays while the broker runs; gives the exit code, the answer for programs and the words for people.
    async fn replay(&self, id: &str) -> (i32, Value, String) {
        let [dir, config] = [self.log(), self.config()].map(|path| path.display().to_string());
        let id = id.to_owned();
        let both = tokio::task::spawn_blocking(move || {
            let words = [
                "audit",
                "replay",
                &id,
                "--dir",
                &dir,
                "--config",
                &config,
                "--case",
                "IG-7",
                "--as",
                "p.officer",
            ];
            (run(&[&words[..], &["--json"]].concat()), run(&words))
        });
        let ((code, json, error), (same_code, words, _)) = both.await.expect("ran");
        assert_eq!(code, same_code, "{words} {error}");
        for text in [&json, &words] {
            assert!(!text.contains(GEORGE) && !text.to_lowercase().contains("ashworth"), "{text}");
            assert!(!text.to_lowercase().contains("penicillin"), "{text}");
        }
        (code, serde_json::from_str(&json).unwrap_or_default(), format!("{words}{error}"))
    }
}

fn of_source<'v>(answer: &'v Value, id: &str) -> &'v Value {
    let sources = answer["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    sources.iter().find(|source| source["source"] == id).unwrap_or(&Value::Null)
}

fn differing(answer: &Value) -> Vec<&str> {
    let sources = answer["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    sources.iter().filter(|one| one["state"] != "same").filter_map(|one| one["source"].as_str()).collect()
}

fn replays(log: &Path, kind: &str) -> Vec<Value> {
    records(&log.join("replays")).into_iter().filter(|record| record["kind"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_the_same_and_is_asked_on_record() {
    let scene = Scene::set(true).await;
    let (code, answer, words) = scene.replay(&scene.id).await;
    assert_eq!((code, &answer["verdict"]), (0, &json!("same")), "{words}");
    assert_eq!((differing(&answer), &answer["bundle"]), (vec![], &json!("same")), "{words}");
    assert_eq!(answer["record"], json!(scene.id));
    assert_eq!(
        answer["versions"],
        json!({"build": "same", "codelists": "same", "configuration": "same", "maps": "same", "policy": "same"})
    );
    assert!(words.starts_with("same: this record would be shown today\n"), "{words}");
    assert!(!words.contains("not compared: the policy"), "{words}");

    // It is on record first who asked and for which case; then as any other access, for the purpose of audit.
    let log = scene.log();
    let read = replays(&log, "audit_read");
    assert_eq!(read.len(), 2, "one for programs, one for people");
    assert_eq!(
        (&read[0]["read"]["what"], &read[0]["read"]["reader"]),
        (&json!("replay"), &json!("p.officer"))
    );
    for kind in ["intent", "disclosure"] {
        let found = replays(&log, kind);
        assert_eq!(found.len(), 2, "{kind}");
        assert_eq!(
            (&found[0]["user"]["id"], &found[0]["why"]["purpose"]),
            (&json!("p.officer"), &json!("audit"))
        );
    }
    let own = log.join("replays").display().to_string();
    assert_eq!(run(&["audit", "verify", &own]).0, 0);
    // The log of the broker has nothing of it, and nothing was stored but records.
    assert!(records(&log).iter().all(|record| record["kind"] != "audit_read"));
    drop(scene.broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_says_something_else_is_named() {
    let scene = Scene::set(true).await;
    let members = json!({"telecom": [{"system": "phone", "value": "0151 496 0000"}]});
    let members: Map<String, Value> = members.as_object().cloned().unwrap_or_default();
    scene.federation.provider("acute-a").expect("a source").set_fault(Fault::OtherDetails { members });
    let (code, answer, words) = scene.replay(&scene.id).await;
    assert_eq!((code, &answer["verdict"]), (1, &json!("differs")), "{words}");
    assert_eq!(differing(&answer), ["acute-a"], "{words}");
    assert!(words.contains("source acute-a: differs: it says something else"), "{words}");

    scene.federation.provider("acute-a").expect("a source").set_fault(Fault::status(500));
    let (code, answer, words) = scene.replay(&scene.id).await;
    assert_eq!((code, differing(&answer)), (1, vec!["acute-a"]), "{words}");
    assert_eq!(of_source(&answer, "acute-a")["was"], json!("ok"), "{words}");
    assert_ne!(of_source(&answer, "acute-a")["is"], json!("ok"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_is_named() {
    let scene = Scene::set(true).await;
    let text = std::fs::read_to_string(scene.config()).expect("a configuration");
    std::fs::write(scene.config(), format!("# Another.\n{text}")).expect("written");
    let (code, answer, words) = scene.replay(&scene.id).await;
    assert_eq!(answer["versions"]["configuration"], json!("differs"), "{words}");
    assert_eq!((code, &answer["bundle"]), (0, &json!("same")), "a remark changes no record: {words}");
    assert!(words.contains("configuration: differs"), "{words}");
    // One that expects somebody less does.
    let fewer = text.replace("\"specialist\",", "").replace(",\"specialist\"", "");
    std::fs::write(scene.config(), &fewer).expect("written");
    let (code, answer, words) = scene.replay(&scene.id).await;
    assert_eq!((code, differing(&answer)), (1, vec!["specialist"]), "{words}");
    assert!(words.contains("source specialist: differs: is not expected any more"), "{words}");
}

/// Code lists in a folder of the broker's own.
fn lists(dir: &Path) -> String {
    let lists = dir.join("lists");
    std::fs::create_dir(&lists).expect("a folder");
    let one = "code,kinds,source,release\n165816005,all,test,2026\n";
    std::fs::write(lists.join("999004381000000103.csv"), one).expect("a list");
    format!("[codelists]\ndir = \"{}\"\n", lists.display())
}

/// Maps and lists are files of their own: the digest of the configuration says nothing of them.
#[tokio::test(flavor = "multi_thread")]
async fn other_maps_and_lists_are_named() {
    let plan = Plan { without_map: Some("bp-panel"), ..Plan::default() };
    let scene = Scene::with(true, plan, lists).await;
    let (code, answer, words) = scene.replay(&scene.id).await;
    assert_eq!((code, &answer["versions"]["maps"]), (0, &json!("same")), "{words}");
    for (file, differs, same) in [
        ("audit.maps/vmp-to-vtm.csv", "maps", "codelists"),
        ("lists/999004381000000103.csv", "codelists", "maps"),
    ] {
        let file = scene.dir.path().join(file);
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(&file, format!("{text}# Another release, with the same rows.\n")).expect("written");
        let (code, answer, words) = scene.replay(&scene.id).await;
        assert_eq!((code, &answer["bundle"]), (0, &json!("same")), "{words}");
        assert_eq!(answer["versions"][differs], json!("differs"), "{words}");
        assert_eq!(answer["versions"][same], json!("same"), "{words}");
        assert_eq!(answer["versions"]["configuration"], json!("same"), "{words}");
        assert!(words.contains(&format!("{differs}: differs")), "{words}");
        std::fs::write(&file, text).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_clock_that_runs_sources_and_versions_are_compared() {
    let scene = Scene::set(false).await;
    let (code, answer, words) = scene.replay(&scene.id).await;
    assert_eq!((code, &answer["bundle"]), (0, &json!("not-compared")), "{words}");
    assert!(words.contains("not compared: the record byte for byte"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_is_told() {
    let scene = Scene::set(true).await;
    for (id, why) in [("1", "is no disclosure of a record"), ("9999", "no such record")] {
        let (code, _, words) = scene.replay(id).await;
        assert_eq!(code, 2, "{words}");
        assert!(words.contains(why) || words.is_empty(), "{words}");
    }
    assert!(!scene.log().join("replays").exists(), "nothing was asked, so nothing is on record");
}
