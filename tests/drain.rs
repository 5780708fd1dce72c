//! The process from outside: how it ends, what it refuses to start with, and what the demo prints.

#![expect(clippy::expect_used, reason = "a test may stop where it stands")]

use std::path::Path;
use std::time::{Duration, Instant};

use mock_providers::{Fault, Federation};
use tokio::net::TcpStream;
use tributary_tests::bundle::Merged;
use tributary_tests::process::{Process, run};
use tributary_tests::{GEORGE, Plan, Reply, configuration, federation, http, parameters};

/// What lies between a broker and its end.
struct Scene {
    federation: Federation,
    dir: tempfile::TempDir,
    broker: Process,
}

async fn scene(server_keys: &str) -> Scene {
    let plan = Plan { source_keys: "timeout_ms = 20000", ..Plan::default() };
    let federation = federation(&plan).await;
    let dir = tempfile::tempdir().expect("a directory");
    let text = configuration(federation.source_facts(), &plan, &dir.path().join("audit"));
    let text = text.replacen("[server]\n", &format!("[server]\n{server_keys}\n"), 1);
    let broker = Process::serve(dir.path(), &text);
    Scene { federation, dir, broker }
}

impl Scene {
    /// Asks for George, and returns once the slow source has been asked.
    async fn asks(&self, deadline_ms: &'static str) -> tokio::task::JoinHandle<Reply> {
        let address = self.broker.data;
        let answer = tokio::spawn(async move {
            let (path, body) = ("/fhir/R4/Patient/$record", parameters(GEORGE, &[]));
            let headers = [("Tributary-Deadline-Ms", deadline_ms)];
            http::post(address, path, "application/fhir+json", &body, &headers).await
        });
        let gp = self.federation.provider("gp");
        eventually(|| gp.is_some_and(|gp| gp.ask_count() > 0)).await;
        answer
    }
}

/// Looks again and again, for at most ten seconds.
async fn eventually(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "it did not come to be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Exit code, and how long it took from the signal on.
async fn terminated(mut broker: Process) -> (Option<i32>, Duration) {
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || broker.terminate()).await;
    (ended.unwrap_or_default(), began.elapsed())
}

#[track_caller]
fn log_is_sound(dir: &Path) {
    let log = dir.join("audit");
    let (code, out, error) = run(&["audit", "verify", &log.to_string_lossy()]);
    assert_eq!(code, 0, "{out}{error}");
}

#[tokio::test]
async fn what_was_begun_is_finished_and_nothing_new_is_begun() {
    let scene = scene("").await;
    scene.federation.provider("gp").unwrap().set_delay(Duration::from_millis(1_500));
    let idle = TcpStream::connect(scene.broker.data).await.unwrap();
    let answer = scene.asks("8000").await;
    let data = scene.broker.data;
    let ending = tokio::spawn(terminated(scene.broker));
    // From the signal on, nobody new is let in.
    let began = Instant::now();
    while TcpStream::connect(data).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(1), "connections are still taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!answer.is_finished(), "the request in flight goes on");
    let reply = answer.await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.head);
    assert_eq!(reply.header("Tributary-Completeness"), Some("complete"));
    assert_eq!(Merged::of(reply.json()).statuses().len(), 4);
    let (code, took) = ending.await.unwrap();
    assert_eq!(code, Some(0));
    // An idle connection holds nothing up: the default drain is ten seconds.
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(idle);
    log_is_sound(scene.dir.path());
}

#[tokio::test]
async fn whoever_asks_while_a_broker_leaves_is_answered() {
    let scene = scene("").await;
    // The shipped time to leave in place of the suite's.
    let text = std::fs::read_to_string(scene.dir.path().join("tributary.toml")).unwrap();
    let (code, _) = terminated(scene.broker).await;
    assert_eq!(code, Some(0));
    let broker =
        Process::serve(scene.dir.path(), &text.replace("lame_duck_secs = 0\n", "lame_duck_secs = 1\n"));
    let (data, admin) = (broker.data, broker.admin);
    let ending = tokio::spawn(terminated(broker));
    let began = Instant::now();
    while http::get(admin, "/health/ready").await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "it is still ready");
    }
    let mut answered = 0;
    while TcpStream::connect(data).await.is_ok() && began.elapsed() < Duration::from_millis(900) {
        let reply = http::get(data, "/fhir/R4/metadata").await;
        assert_eq!(reply.status, 200, "{}", reply.head);
        answered += 1;
    }
    assert!(answered > 0, "nobody was let in");
    let (code, took) = ending.await.unwrap();
    assert_eq!(code, Some(0));
    assert!(took >= Duration::from_secs(1), "{took:?}");
    log_is_sound(scene.dir.path());
}

#[tokio::test]
async fn an_idle_broker_ends_at_once() {
    let scene = scene("").await;
    let (code, took) = terminated(scene.broker).await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
    log_is_sound(scene.dir.path());
}

#[tokio::test]
async fn a_drain_ends_when_its_time_is_up() {
    let scene = scene("drain_secs = 1").await;
    scene.federation.provider("gp").unwrap().set_fault(Fault::HangBeforeHead);
    let answer = scene.asks("20000").await;
    let (code, took) = terminated(scene.broker).await;
    assert_eq!(code, Some(0));
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");
    // Cut off: not one clinical byte of an answer that was never recorded.
    let reply = answer.await.unwrap();
    assert!(!reply.body.contains("Bundle"), "{}", reply.head);
    log_is_sound(scene.dir.path());
}

#[tokio::test]
async fn two_brokers_do_not_share_a_log() {
    let scene = scene("").await;
    let config = scene.dir.path().join("tributary.toml");
    let (code, out, error) = run(&["serve", "--config", &config.to_string_lossy()]);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(error.contains("tributary: ") && error.contains("in use"), "{error}");
    let (code, _) = terminated(scene.broker).await;
    assert_eq!(code, Some(0));
    log_is_sound(scene.dir.path());
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let scene = scene("").await;
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::default();
    let text = configuration(scene.federation.source_facts(), &plan, &dir.path().join("audit"));
    let taken = format!("[server]\nlisten = \"{}\"", scene.broker.data);
    let config = dir.path().join("taken.toml");
    std::fs::write(&config, text.replacen("[server]\nlisten = \"127.0.0.1:0\"", &taken, 1)).unwrap();
    let (code, _, error) = run(&["serve", "--config", &config.to_string_lossy()]);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains(&format!("cannot listen on {}", scene.broker.data)), "{error}");
}

/// A configuration with a mistake in every block.
const BAD: &str = r#"[server]
listen = "0.0.0.0:8443"
drain_secs = 0
listne = "127.0.0.1:1"

[audit]
sink = "cloud"

[[source]]
id = "GP 1"
kind = "dentist"
protocol = "fhir-r4"
base_url = "http://gp.example.test/fhir"
timeout_ms = 5
cache_ttl_secs = 901

[[source]]
id = "acute-a"
kind = "acute"
protocol = "fhir-r4"
base_url = "https://acute.example.test/fhir"
sections = ["allergies", "toes"]

[demo]
insecure = true
"#;

/// Where each mistake stands: line and key path.
const MISTAKES: &[&str] = &[
    "line 2: server.listen: ",
    "line 3: server.drain_secs: ",
    "line 4: server.listne: ",
    "line 7: audit.sink: ",
    "line 10: source[1].id: ",
    "line 11: source[1].kind: ",
    "line 13: source[1].base_url: ",
    "line 14: source[1].timeout_ms: ",
    "line 15: source[1].cache_ttl_secs: ",
    "line 22: source[2].sections[2]: ",
    "line 25: demo.insecure: ",
];

#[test]
fn every_mistake_of_a_configuration_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bad.toml");
    std::fs::write(&config, BAD).unwrap();
    for command in ["serve", "check"] {
        let (code, out, error) = run(&[command, "--config", &config.to_string_lossy()]);
        assert_eq!((code, out.as_str()), (2, ""), "{command}: {error}");
        let mut told = error.lines();
        let first = told.next().unwrap();
        assert_eq!(first, format!("{}: {} mistakes", config.display(), MISTAKES.len()));
        let told: Vec<&str> = told.map(str::trim_start).collect();
        assert_eq!(told.len(), MISTAKES.len(), "{command}: {error}");
        for (line, mistake) in told.iter().zip(MISTAKES) {
            assert!(line.starts_with(mistake), "{command}: {line} is not {mistake}");
        }
    }
    assert!(!dir.path().join("var").exists(), "a bad configuration takes no effect");
}

#[test]
fn what_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent.toml");
    let (code, _, error) = run(&["serve", "--config", &absent.to_string_lossy()]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("1 mistake") && error.contains("cannot be read"), "{error}");
    let broken = dir.path().join("broken.toml");
    std::fs::write(&broken, "[server]\nlisten = \"\n").unwrap();
    let (code, _, error) = run(&["check", "--config", &broken.to_string_lossy()]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("line 2"), "{error}");
}

fn shipped(name: &str) -> String {
    format!("{}/../config/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_shipped_example_passes_its_check() {
    let (code, out, error) = run(&["check", "--config", &shipped("demo.toml")]);
    assert_eq!((code, error.as_str()), (0, ""));
    for line in [
        "data listener   http://127.0.0.1:8443",
        "admin listener  127.0.0.1:9464",
        "source          gp  gpconnect-structured  Riverside Surgery: ",
        "source          acute-a  fhir-r4  Mersey Royal Hospital: ",
        "source          specialist  fhir-r4  Mersey Specialist Cancer Centre: ",
        "source          walkin  fhir-r4  Wirral Walk-in Centre: encounters",
        "source          community  fhir-stu3  Mersey Community Trust: ",
        "demo            callers are believed; invented patients only",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

#[test]
fn the_shipped_defaults_lack_only_what_nobody_can_guess() {
    let (code, out, error) = run(&["check", "--config", &shipped("tributary.toml")]);
    assert_eq!((code, out.as_str()), (2, ""));
    let mistakes: Vec<&str> = error.lines().skip(1).map(str::trim).collect();
    let keys: Vec<&str> = mistakes.iter().filter_map(|one| one.split(": is missing").next()).collect();
    assert_eq!(keys, ["source", "server.tls", "consumer", "issuer"], "{error}");
}

#[test]
fn the_demo_prints_the_record_of_george() {
    let (code, out, error) = run(&["demo", "--once"]);
    assert_eq!(code, 0, "{out}{error}");
    for line in [
        "ASHWORTH, George   born 11-Feb-1953 (73y)   NHS number 999 000 0107",
        "Completeness: complete (4 of 4 sources answered)",
        "Riverside Surgery (gp) ok",
        "Mersey Royal Hospital (acute-a) ok",
        "Mersey Specialist Cancer Centre (specialist) ok",
        "Wirral Walk-in Centre (walkin) ok",
        "Allergies: No known allergies",
        "Not for attempted cardiopulmonary resuscitation conflict specialist Flag/f1, gp Observation/o1",
        "Treatment escalation plan single acute-a DocumentReference/d1",
        "Just in case medicines are in the home single specialist Flag/f2",
        "No known drug allergy single acute-a AllergyIntolerance/n1",
        "No known allergy single gp AllergyIntolerance/a1",
        "Morphine 10mg modified-release tablets single gp MedicationStatement/ms1 (current)",
        "Midazolam 10mg/2ml solution for injection ampoules single specialist MedicationRequest/mr2 (current)",
        "Non-small cell lung cancer agree specialist Condition/c1, gp Condition/c2, acute-a Condition/c1",
        "Walk-in centre attendance single walkin Encounter/e1",
        "cpr-recommendation (conflict, high): Flag/f1@specialist, Observation/o1@gp",
        "Recorded in the audit log as local-",
    ] {
        let is_there = out.lines().any(|printed| one_spaced(printed).contains(&one_spaced(line)));
        assert!(is_there, "{line}\n{out}");
    }
    // Data on standard output, talk on standard error; no colour where nobody sees it.
    assert!(error.contains("Every patient is invented") && !out.contains("Every patient is invented"));
    assert!(!out.contains('\u{1b}') && !error.contains('\u{1b}'), "{error}");
    assert!(!out.contains("http://") && !error.contains("http://"), "--once serves nobody");
}

fn one_spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_demo_of_a_patient_half_of_whose_sources_are_silent_succeeds_too() {
    let (code, out, error) = run(&["demo", "--once", "--patient", "9990000409"]);
    assert_eq!(code, 0, "{out}{error}");
    assert!(out.contains("Completeness: partial"), "{out}");
    assert!(out.contains("Allergies: Allergies unavailable"), "{out}");
    assert!(out.contains("Mersey Royal Hospital did not answer in time."), "{out}");
    let (code, out, error) = run(&["demo", "--once", "--patient", "9990000019"]);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
}
