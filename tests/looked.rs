//! Who looked: searching, the report for the patient, and that whoever reads is on record first.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::path::Path;
use std::process::{Command, Stdio};

use tributary_tests::audit::records;
use tributary_tests::process::{Process, binary, run};
use tributary_tests::{GEORGE, Plan, bearer_of, configuration, federation, http, parameters};

/// What the walk through the page is about: three people asked, one of them was refused, one source was away.
struct Scene {
    dir: tempfile::TempDir,
    broker: Process,
}

impl Scene {
    async fn set() -> Self {
        let plan = Plan::default();
        let federation = federation(&plan).await;
        let dir = tempfile::tempdir().unwrap();
        let mut text = configuration(federation.source_facts(), &plan, Path::new("audit"));
        let walkin = federation.source_facts().iter().find(|facts| facts.id == "walkin").unwrap();
        // Nobody listens there.
        text = text.replace(&walkin.base_url, "http://127.0.0.1:9/fhir");
        let broker = Process::serve(dir.path(), &text);
        let all = parameters(GEORGE, &[]);
        let some = parameters(GEORGE, &["allergies", "flags"]);
        let wish = "{\"name\":\"breakGlass\",\"valueString\":\"found unconscious\"}";
        let glass = some.replacen("[{\"name\":\"patient\"", &format!("[{wish},{{\"name\":\"patient\""), 1);
        let asks = [
            ("ambulance-7", &all, 200),
            ("ward-3", &some, 200),
            ("ward-3", &glass, 403),
            ("ambulance-7", &some, 200),
        ];
        for (user, body, status) in asks {
            let token = bearer_of(user);
            let headers = [("Authorization", token.as_str())];
            let path = "/fhir/R4/Patient/$record";
            let reply = http::post(broker.data, path, "application/fhir+json", body, &headers).await;
            assert_eq!(reply.status, status, "{}", reply.body);
        }
        drop(federation);
        // What is told of deliveries follows its answer.
        let of_kind =
            |kind: &str| records(&dir.path().join("audit")).iter().filter(|one| one["kind"] == kind).count();
        while of_kind("delivery") < of_kind("disclosure") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Self { dir, broker }
    }

    /// Runs a line of the page in the scene's folder: exit code and standard output.
    fn says(&self, words: &[String]) -> (i32, String) {
        let output = Command::new(binary())
            .args(words)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The words of a command line; quotes keep some together.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// A page without what differs from run to run: numbers, days and months, and who runs it.
fn settled(page: &str) -> String {
    const NAMES: &str = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May \
                         June July August September October November December";
    let settle = |word: &str| {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_alphabetic());
        if NAMES.split(' ').any(|name| name == bare) { "DAY".to_owned() } else { word.to_owned() }
    };
    let line = |line: &str| {
        let mut text = line.split_whitespace().map(settle).collect::<Vec<_>>().join(" ");
        if let Some((before, after)) = text.split_once("user ") {
            let after = after.split_once(" of this machine").map_or("", |(_, after)| after);
            text = format!("{before}user{after}");
        }
        let mut out = String::new();
        for letter in text.chars() {
            let letter = if letter.is_ascii_digit() { '0' } else { letter };
            if letter != '0' || !out.ends_with('0') {
                out.push(letter);
            }
        }
        out
    };
    page.trim().lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Every command of the page with the output that is shown below it.
fn steps(page: &str) -> Vec<(String, String)> {
    let blocks = |kind: &str| -> Vec<String> {
        let begin = format!("```{kind}\n");
        page.split(&begin)
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
            .collect()
    };
    let (commands, outputs) = (blocks("sh"), blocks("text"));
    assert_eq!(commands.len(), outputs.len());
    commands.into_iter().zip(outputs).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_from_a_question_to_its_answer_is_as_the_page_shows_it() {
    let scene = Scene::set().await;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/runbook/who-looked.md");
    let steps = steps(&std::fs::read_to_string(&page).unwrap());
    assert!(steps.len() >= 4);
    let (mut wrong, began) = (Vec::new(), std::time::Instant::now());
    for (command, shown) in steps {
        let words = words(command.trim().strip_prefix("tributary ").unwrap());
        let (code, out) = scene.says(&words);
        assert_eq!(code, 0, "{command}{out}");
        if settled(&out) != settled(&shown) {
            wrong.push(format!("{command}\n{out}"));
        }
    }
    assert!(wrong.is_empty(), "the page shows something else than:\n{}", wrong.join("\n"));
    assert!(began.elapsed().as_secs() < 60, "an answer within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_is_on_record_before_anything_is_told() {
    let scene = Scene::set().await;
    let log = scene.dir.path().join("audit");
    let read = |words: &[&str]| {
        let mut all = vec!["audit", "search", "audit", "--patient", GEORGE];
        all.extend(words);
        scene.says(&all.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(read(&[]), (1, String::new()), "no case, no answer");
    assert_eq!(read(&["--case", " "]), (1, String::new()));
    // Where it cannot be written down, nothing is told.
    let file = scene.dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(read(&["--case", "IG-1", "--reads", "file"]), (1, String::new()));

    let (code, out) = read(&["--case", "IG-1", "--as", "Priya"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("ambulance-7") && out.contains("ward-3") && out.contains("break-glass-not-offered"),
        "{out}"
    );
    let reads = records(&log.join("reads"));
    let record = reads.iter().find(|record| record["kind"] == "audit_read").unwrap();
    assert_eq!((&record["read"]["what"], &record["read"]["case"]), (&"search".into(), &"IG-1".into()));
    assert_eq!((&record["patient"]["nhs"], &record["read"]["records"]), (&GEORGE.into(), &5.into()));
    assert!(record["read"]["reader"].as_str().unwrap().starts_with("Priya (user "));
    // The next reader is told of this one.
    assert!(read(&["--case", "IG-2"]).1.contains("search for case IG-1"));

    let verify = || scene.says(&["audit", "verify", "audit"].map(ToOwned::to_owned)).0;
    assert_eq!(verify(), 0);
    let segment = log.join("reads/00000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(verify(), 2, "verify covers who read");
    assert_eq!(http::get(scene.broker.admin, "/health/ready").await.status, 200);
}

#[test]
fn a_log_that_is_not_there_is_not_one_in_which_nobody_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["audit", "search", dir.path().to_str().unwrap(), "--case", "IG-1", "--patient", GEORGE];
    let (code, out, error) = run(&words);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(error.contains("there is no audit log here"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_told_who_looked_and_that_is_on_record_first() {
    let scene = Scene::set().await;
    let form = "application/x-www-form-urlencoded";
    let ask = async |body: &str| http::post(scene.broker.data, "/looked", form, body, &[]).await;
    let reply = ask(&format!("nhs={GEORGE}")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let told = reply.json();
    assert_eq!((&told["complete"], &told["olderLeftOut"]), (&true.into(), &0.into()), "{told}");
    let looks = told["looks"].as_array().unwrap();
    let outcomes: Vec<&str> = looks.iter().map(|look| look["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["shown", "refused", "shown", "shown"], "the newest first: {told}");
    let last = &looks[0];
    assert!(
        last["when"].as_str().unwrap().contains("202") && last["who"] != "" && last["role"] != "",
        "{last}"
    );
    assert!(
        last["because"].as_str().unwrap().starts_with("because of this rule: A demo on loopback"),
        "{last}"
    );
    assert_eq!(last["asked"], "the shared record: alerts and allergies.");
    assert!(!last["sources"].as_array().unwrap().is_empty(), "{last}");
    assert!(looks[3]["notShown"].to_string().contains("could not be reached"), "{told}");
    assert!(looks[1]["emergency"].as_str().unwrap().contains("asked for"), "{told}");
    for clinical in ["resuscitation", "enicillin", "found unconscious"] {
        assert!(!reply.body.contains(clinical), "{clinical}: {}", reply.body);
    }
    let on_record = records(&scene.dir.path().join("audit"));
    let read: Vec<_> = on_record.iter().filter(|record| record["kind"] == "audit_read").collect();
    assert_eq!(read.len(), 1);
    assert_eq!(format!("local-{}", read[0]["seq"]), told["audit"].as_str().unwrap());
    assert_eq!(
        (&read[0]["patient"]["nhs"], &read[0]["read"]["what"]),
        (&GEORGE.into(), &"patient-report".into())
    );

    // Whoever looks again is told of it; nothing of other people, and nothing of other times.
    let again = ask(&format!("nhs={GEORGE}")).await.json();
    assert!(again["alsoOnRecord"].to_string().contains("read this audit log about you"), "{again}");
    let nobody = ask("nhs=9990000115").await.json();
    assert_eq!(nobody["looks"].as_array().map(Vec::len), Some(0), "{nobody}");
    let before = ask(&format!("nhs={GEORGE}&until=2020-01-01")).await.json();
    assert_eq!(before["looks"].as_array().map(Vec::len), Some(0), "{before}");
    assert_eq!(ask("nhs=12").await.status, 400);
}
