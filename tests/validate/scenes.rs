//! Who is asked for, and by which operation.

use std::fmt::Write as _;

use mock_providers::{
    ErrorBody, Fault, ReplayOptions, SuiteOptions, start_replay, start_suite_practice,
    stories as all_stories, suite_patients,
};
use serde_json::json;
use tributary::{Running, Settings};
use tributary_model::Capability;
use tributary_tests::national::{National, Practices};
use tributary_tests::{GEORGE, Plan, Reply, Stage, http, parameters};

use crate::consumer::{self, Request};
use crate::folder::Folder;

const FHIR: &str = "application/fhir+json";

/// An operation that answers for a patient: its name, its path, and its `Parameters` for an NHS number.
type Operation = (&'static str, &'static str, fn(&str) -> String);

/// All of them.
const OPERATIONS: &[Operation] = &[
    ("record", "/fhir/R4/Patient/$record", whole),
    ("record in STU3", "/fhir/STU3/Patient/$record", whole),
    ("summary", "/fhir/R4/Patient/$summary", token),
];

fn whole(number: &str) -> String {
    parameters(number, &[])
}

fn token(number: &str) -> String {
    let token = format!("https://fhir.nhs.uk/Id/nhs-number|{number}");
    json!({"resourceType": "Parameters", "parameter": [{"name": "identifier", "valueString": token}]})
        .to_string()
}

/// A request that is refused: method, path, body, headers.
type Refused<'a> = (&'a str, String, String, Vec<(&'a str, &'a str)>);

async fn asked(running: &Running, (_, path, body): &Operation, number: &str) -> Reply {
    let headers = [("Tributary-Deadline-Ms", "30000")];
    http::post(running.data_addr(), path, FHIR, &body(number), &headers).await
}

/// Every operation for one patient, and what the sources sent for it.
async fn patient(
    folder: &mut Folder,
    scope: &str,
    running: &Running,
    number: &str,
    sources: &[(&str, &mock_providers::ProviderHandle)],
) -> Vec<String> {
    let mut replies = Vec::new();
    for operation in OPERATIONS {
        let (name, path, _) = operation;
        replies.push((format!("{scope} {name}"), path, asked(running, operation, number).await));
    }
    let mut inputs = Vec::new();
    for (id, provider) in sources {
        inputs.extend(folder.inputs(scope, id, provider).await);
    }
    for (name, path, reply) in replies {
        folder.answer(&name, path, &reply, &inputs);
    }
    inputs
}

/// The four stories, whole and with each source failing in turn.
pub(crate) async fn stories(folder: &mut Folder) {
    let stage = Stage::set(Plan::default()).await;
    for story in all_stories() {
        let providers: Vec<_> =
            stage.federation.providers().iter().map(|one| (one.id.as_str(), one)).collect();
        let inputs = patient(folder, &story.id, &stage.running, &story.nhs_number, &providers).await;
        for id in &story.sources {
            let provider = stage.federation.provider(id).unwrap();
            provider.set_fault(Fault::status(503));
            for operation in OPERATIONS {
                let (name, path, _) = operation;
                let reply = asked(&stage.running, operation, &story.nhs_number).await;
                folder.answer(&format!("{} {name} without {id}", story.id), path, &reply, &inputs);
            }
            stage.federation.reset().unwrap();
        }
    }
    let own = [
        ("GET", "/fhir/R4/metadata", "metadata"),
        ("GET", "/A99901/STU3/1/gpconnect/structured/fhir/metadata", "GP Connect metadata without a token"),
    ];
    for (method, path, name) in own {
        let reply = http::send(stage.running.data_addr(), method, path, "", &[]).await;
        folder.answer(name, path, &reply, &[]);
    }
}

/// A patient traced at PDS, whose practice is found in the directory.
pub(crate) async fn national(folder: &mut Folder) {
    let national = National::start(Practices::Found).await;
    let running = broker(&national.configuration("")).await;
    let providers: Vec<_> =
        national.federation.providers().iter().map(|one| (one.id.as_str(), one)).collect();
    patient(folder, "traced", &running, GEORGE, &providers).await;
}

/// Answers for which no source could be used.
pub(crate) async fn without_answer(folder: &mut Folder) {
    let failing = |status, spine: Option<&str>| Fault::Status {
        status,
        body: ErrorBody::Outcome,
        spine_code: spine.map(str::to_owned),
        retry_after_secs: None,
    };
    for (name, fault) in [
        ("nobody holds a record", failing(404, Some("PATIENT_NOT_FOUND"))),
        ("nobody answers in time", Fault::HangBeforeHead),
        ("nobody can be used", failing(500, None)),
        ("everybody answers about somebody else", Fault::WrongPatient),
    ] {
        let stage = Stage::set(Plan { source_keys: "timeout_ms = 400", ..Plan::default() }).await;
        stage.federation.providers().iter().for_each(|one| one.set_fault(fault.clone()));
        for operation in OPERATIONS {
            let (asked_for, path, _) = operation;
            let reply = asked(&stage.running, operation, GEORGE).await;
            folder.answer(&format!("{name} {asked_for}"), path, &reply, &[]);
        }
    }
}

/// Requests that are refused before any source is asked.
pub(crate) async fn refusals(folder: &mut Folder) {
    const RECORD: &str = "/fhir/R4/Patient/$record";
    const RELAY: &str = "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord";
    let stage = Stage::set(Plan::default()).await;
    let good = parameters(GEORGE, &["flags"]);
    let long = "x".repeat(2_100);
    let json = ("Content-Type", FHIR);
    let cases: Vec<Refused<'_>> = vec![
        ("POST", RECORD.into(), String::new(), vec![json]),
        ("POST", RECORD.into(), "{".into(), vec![json]),
        ("POST", RECORD.into(), r#"{"resourceType":"Patient"}"#.into(), vec![json]),
        ("POST", RECORD.into(), good.replace("0107", "0108"), vec![json]),
        ("POST", RECORD.into(), parameters(GEORGE, &["toes"]), vec![json]),
        ("POST", RECORD.into(), " ".repeat((64 << 10) + 1), vec![json]),
        ("POST", RECORD.into(), good.clone(), vec![]),
        ("POST", RECORD.into(), good.clone(), vec![json, ("Accept", "text/html")]),
        ("POST", RECORD.into(), good.clone(), vec![json, ("X-Request-ID", "4711")]),
        ("POST", RECORD.into(), good.clone(), vec![json, ("Authorization", "Bearer x")]),
        ("POST", RECORD.into(), good.clone(), vec![json, ("Authorization", "Basic dTpw")]),
        ("POST", RECORD.into(), good.clone(), vec![json, ("Content-Encoding", "gzip")]),
        ("POST", RECORD.into(), good.clone(), vec![json, ("Tributary-Deadline-Ms", "soon")]),
        ("POST", format!("{RECORD}?x={long}"), good, vec![json]),
        ("DELETE", RECORD.into(), String::new(), vec![]),
        ("GET", RECORD.into(), String::new(), vec![]),
        ("GET", "/nowhere".into(), String::new(), vec![]),
        ("GET", "/fhir/R4/Patient/9990000107".into(), String::new(), vec![]),
        ("GET", "/fhir/R4/Binary/none".into(), String::new(), vec![]),
        ("GET", RELAY.into(), String::new(), vec![]),
        ("POST", RELAY.into(), "{}".into(), vec![json]),
        ("GET", RELAY.replace("$gpc.getstructuredrecord", "$nothing"), String::new(), vec![]),
        ("DELETE", RELAY.into(), String::new(), vec![]),
    ];
    for (at, (method, path, body, headers)) in cases.into_iter().enumerate() {
        let reply = http::send(stage.running.data_addr(), method, &path, &body, &headers).await;
        assert!(reply.status >= 400, "{method} {path} {}", reply.status);
        folder.answer(&format!("refusal {at} {}", reply.status), &path, &reply, &[]);
    }
}

fn configuration(source: &str, base: &str, audit: &std::path::Path, more: &str) -> String {
    let mut text = String::from(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nlame_duck_secs = 0\nmax_behind_ms = 1000\n",
    );
    write!(
        text,
        "[audit]\ndir = \"{}\"\n[demo]\ninsecure = true\n[[source]]\nid = \"gp\"\nname = \"{source}\"\nkind = \"gp\"\n\
         protocol = \"gpconnect-structured\"\nbase_url = \"{base}\"\ntimeout_ms = 20000\n{more}",
        audit.display()
    )
    .unwrap();
    text
}

async fn broker(text: &str) -> Running {
    let settings = Settings::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
    Running::start(settings).await.unwrap()
}

/// The practice of the GP Connect provider suite: its patients, its capability statements, its refusals.
pub(crate) async fn practice(folder: &mut Folder) {
    let gp = start_suite_practice(SuiteOptions::default()).await.unwrap();
    let audit = tempfile::tempdir().unwrap();
    let roots = format!(
        "ods = \"{}\"\nasid = \"{}\"\ndocuments_url = \"{}\"\nfoundations_url = \"{}\"\n",
        consumer::PRACTICE,
        consumer::PRACTICE_ASID,
        gp.root(Capability::Documents),
        gp.root(Capability::Foundations)
    );
    let text = configuration("Fablebrook Surgery", &gp.base_url, &audit.path().join("log"), &roots);
    let running = broker(&text).await;
    for person in suite_patients() {
        patient(folder, person.name, &running, person.nhs_number, &[("gp", &gp)]).await;
    }
    for capability in ["", "structured/", "documents/"] {
        let good = Request::metadata(capability);
        let requests = [
            good.clone(),
            good.clone().without("Ssp-From"),
            good.clone().with("Ssp-InteractionID", "urn:x"),
            good.clone().at(good.path.replace("metadata", "Unknown")),
        ];
        for (at, request) in requests.into_iter().enumerate() {
            let reply = request.send(running.data_addr()).await;
            folder.answer(&format!("GP Connect {capability}{at}"), &request.path, &reply, &[]);
        }
    }
    let number = suite_patients()[1].nhs_number;
    let unknown = json!({"name": "includeToes"});
    for (at, body) in [
        "{}".to_owned(),
        consumer::parameters("9990000108", &[]),
        consumer::parameters(number, &[unknown, consumer::area("includeAllergies")]),
    ]
    .into_iter()
    .enumerate()
    {
        let request = Request::record(&body);
        let reply = request.send(running.data_addr()).await;
        folder.answer(&format!("GP Connect record {at}"), &request.path, &reply, &[]);
    }
}

/// Every recording; whether there are any.
pub(crate) async fn recordings(folder: &mut Folder) -> bool {
    let Some(recordings) = std::env::var_os("TRIBUTARY_FIXTURES") else {
        println!("NOT RUN: TRIBUTARY_FIXTURES is not set, no recording was validated");
        return false;
    };
    served(folder, std::path::Path::new(&recordings)).await;
    true
}

/// Every answer of a folder, served as a GP system serves it.
pub(crate) async fn served(folder: &mut Folder, answers: &std::path::Path) {
    let (gp, patients) = start_replay(answers, ReplayOptions::default()).await.unwrap();
    let audit = tempfile::tempdir().unwrap();
    let codes = "ods = \"A99902\"\nasid = \"200000000206\"\n";
    let running = broker(&configuration("Replay", &gp.base_url, &audit.path().join("log"), codes)).await;
    for one in patients {
        patient(folder, &one.file, &running, &one.nhs_number, &[("gp", &gp)]).await;
    }
}
