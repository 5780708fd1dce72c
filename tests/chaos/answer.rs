//! What an answer must be while one source has a fault: the default of every row, and where a row differs.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use mock_providers::{Fault, TELLTALE};
use serde_json::Value;
use tributary_tests::bundle::{Merged, origin};

use crate::row::Played;
use crate::scene::{Answered, Healthy, Scene, Setting, healthy, sources};

/// What every answer is allowed beyond the moment by which all is known.
const BOUND: Duration = Duration::from_millis(50);
/// Two records are made durable for an answer, and disks of this kind take up to so long when others write too.
const DISK: Duration = Duration::from_millis(250);
/// Words that only the GP's answer holds.
const ONLY_GP: &[&str] = &["GP consultation", "Paracetamol", "716186003"];
/// Held back of a whole answer: these statuses are no contribution.
const CONTRIBUTES: &[&str] = &["ok", "ok-empty"];

/// What is wrong with the GP.
#[derive(Clone, Debug)]
pub(crate) enum Wrong {
    /// It misbehaves.
    Gp(Fault),
    /// Something stands between it and the broker.
    Behind(Prepare),
}

/// Sets up what stands in front of a source at this address; or says what this machine lacks.
pub(crate) type Prepare = fn(SocketAddr) -> Preparing;
/// A stand-in that is being set up.
pub(crate) type Preparing = Pin<Box<dyn Future<Output = Result<StandIn, &'static str>> + Send>>;

/// What stands in front of a source.
pub(crate) struct StandIn {
    /// Takes the place of `http://address` in the service root.
    pub(crate) origin: String,
    /// Tables of the source.
    pub(crate) tables: String,
    /// The command that becomes the broker.
    pub(crate) under: Vec<String>,
    /// What must live as long as the row.
    pub(crate) kept: Box<dyn Any + Send>,
}

/// What a row demands. [`fault`] has what most rows share.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) wrong: Wrong,
    /// The GP's status.
    pub(crate) status: &'static str,
    /// The fault's class; absent where there is none.
    pub(crate) class: Option<&'static str>,
    /// By when the fault is known, from the first byte of the request on.
    pub(crate) by_ms: u64,
    /// Whether it was tried a second time; absent where either is right.
    pub(crate) retried: Option<bool>,
    /// By how much the broker's memory may grow at most.
    pub(crate) memory_mib: Option<u64>,
    pub(crate) setting: Setting,
}

/// A fault that is known at once.
pub(crate) fn fault(wrong: Fault, status: &'static str, class: &'static str) -> Expected {
    Expected {
        wrong: Wrong::Gp(wrong),
        status,
        class: Some(class),
        by_ms: 0,
        retried: Some(false),
        memory_mib: None,
        setting: Setting::default(),
    }
}

/// Plays the row, and tells all that is not as it should be.
pub(crate) async fn check(expected: Expected) -> Played {
    let healthy = healthy().await;
    let federation = sources().await;
    let gp = federation.provider("gp").unwrap().clone();
    let mut setting = expected.setting.clone();
    let stand_in = match expected.wrong {
        Wrong::Gp(_) => None,
        Wrong::Behind(prepare) => match prepare(gp.address()).await {
            Ok(stand_in) => Some(stand_in),
            Err(lacking) => return Played::NotRun(lacking),
        },
    };
    if let Some(stand_in) = &stand_in {
        setting.gp_origin = Some(stand_in.origin.clone());
        setting.gp_tables.push_str(&stand_in.tables);
        setting.under.clone_from(&stand_in.under);
    }
    let scene = Scene::set(federation, setting).await;
    if let Wrong::Gp(fault) = &expected.wrong {
        gp.set_fault(fault.clone());
    }
    let resident_kib = scene.broker.held().resident_kib;
    let answered = scene.asks(&[]).await;
    let mut wrong = Vec::new();
    of_time(&expected, &answered, healthy, &mut wrong);
    of_answer(&expected, &answered, healthy, &mut wrong);
    of_traces(&expected, &scene, &answered, &mut wrong).await;
    if let Some(most) = expected.memory_mib {
        let grown = scene.broker.held().peak_kib.saturating_sub(resident_kib) >> 10;
        told(grown <= most, || format!("memory grew by {grown} MiB"), &mut wrong);
    }
    drop(stand_in.map(|stand_in| stand_in.kept));
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
    Played::Held
}

fn told(is_so: bool, otherwise: impl FnOnce() -> String, wrong: &mut Vec<String>) {
    if !is_so {
        wrong.push(otherwise());
    }
}

fn of_time(expected: &Expected, answered: &Answered, healthy: &Healthy, wrong: &mut Vec<String>) {
    let most = Duration::from_millis(expected.by_ms) + healthy.took + BOUND + DISK + answered.grace;
    let took = answered.reply.took;
    told(took <= most, || format!("took {took:?}, {most:?} at most"), wrong);
}

/// How whole a record is when only the GP has this status.
fn completeness(status: &str) -> &'static str {
    match status {
        "ok" | "ok-empty" | "no-record" => "complete",
        "withheld-consent" | "withheld-source" | "withheld-policy" => "complete-withheld",
        _ => "partial",
    }
}

fn of_answer(expected: &Expected, answered: &Answered, healthy: &Healthy, wrong: &mut Vec<String>) {
    let reply = &answered.reply;
    told(reply.status == 200, || format!("status {}", reply.status), wrong);
    if reply.status != 200 {
        return;
    }
    let whole = completeness(expected.status);
    let header = reply.header("Tributary-Completeness").unwrap_or_default();
    told(header.split(';').next() == Some(whole), || format!("completeness {header}"), wrong);
    let answered = if whole == "partial" { "4/5" } else { "5/5" };
    let count = reply.header("Tributary-Sources").unwrap_or_default();
    told(count == answered, || format!("sources {count}"), wrong);
    let merged = Merged::of(reply.json());
    told(merged.tag() == whole, || format!("tag {}", merged.tag()), wrong);
    let mut statuses = healthy.merged.statuses();
    statuses.insert("gp".to_owned(), expected.status.to_owned());
    let found = merged.statuses();
    told(found == statuses, || format!("statuses {found:?}"), wrong);
    let contributes = CONTRIBUTES.contains(&expected.status);
    wrong.extend(missing(&healthy.merged, &merged, if contributes { "" } else { "gp" }));
    let shown: Vec<&&str> = ONLY_GP.iter().filter(|words| reply.body.contains(**words)).collect();
    told(contributes || shown.is_empty(), || format!("shows the gp's {shown:?}"), wrong);
    // One source's wish to wait is no reason for the caller to come again.
    told(reply.header("Retry-After").is_none(), || "asks the caller to come again".to_owned(), wrong);
    told(!reply.head.contains(TELLTALE), || "the head tells what it must not".to_owned(), wrong);
    told(!reply.body.contains(TELLTALE), || "the body tells what it must not".to_owned(), wrong);
}

/// What is there of every source but one, by its origin. What a source said of itself is compared; `meta` is
/// ours, and says how the others look beside it.
fn contributions(merged: &Merged, without: &str) -> BTreeMap<(String, String), Value> {
    let resources = merged.resources().filter_map(|resource| {
        let origin = origin(resource)?;
        let mut resource = resource.clone();
        resource.as_object_mut()?.remove("meta");
        unaddressed(&mut resource);
        Some((origin, resource))
    });
    resources.filter(|((source, _), _)| source != without).collect()
}

/// Takes out addresses of attachments: each broker seals them with a key of its own.
fn unaddressed(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(attachment) = members.get_mut("attachment").and_then(Value::as_object_mut) {
                attachment.remove("url");
            }
            members.values_mut().for_each(unaddressed);
        }
        Value::Array(items) => items.iter_mut().for_each(unaddressed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What the healthy answer holds of the others, and this one does not, or holds otherwise.
pub(crate) fn missing(healthy: &Merged, merged: &Merged, without: &str) -> Vec<String> {
    let (whole, found) = (contributions(healthy, without), contributions(merged, without));
    assert!(whole.len() > 5, "the healthy answer is empty");
    let lost = whole.iter().filter(|(origin, resource)| found.get(*origin) != Some(*resource));
    lost.map(|((source, name), _)| format!("{source} {name} is not as it was")).collect()
}

/// Metrics, audit log and process log.
async fn of_traces(expected: &Expected, scene: &Scene, answered: &Answered, wrong: &mut Vec<String>) {
    let metrics = scene.metrics().await;
    let asks = metrics.sum("tributary_source_asks_total", &[("source", "gp"), ("status", expected.status)]);
    told((asks - 1.0).abs() < 0.5, || format!("{asks} asks with status {}", expected.status), wrong);
    let others = metrics.sum("tributary_source_asks_total", &[("status", "ok")]);
    let ok = if expected.status == "ok" { 4.0 } else { 3.0 };
    told((others - ok).abs() < 0.5, || format!("{others} asks with status ok"), wrong);
    if let Some(class) = expected.class {
        let faults = metrics.sum("tributary_source_faults_total", &[("source", "gp"), ("class", class)]);
        let all: Vec<&str> = metrics
            .0
            .lines()
            .filter(|line| {
                line.contains("_faults_total{") && line.contains("source=\"gp\"") && !line.ends_with(" 0")
            })
            .collect();
        told((faults - 1.0).abs() < 0.5, || format!("{faults} faults of class {class}: {all:?}"), wrong);
    }
    let retries = metrics.sum("tributary_source_retries_total", &[("source", "gp")]);
    told(expected.retried.is_none_or(|so| so == (retries > 0.0)), || format!("{retries} retries"), wrong);
    of_records(expected, scene, answered, wrong);
    let places = [("metrics", metrics.0.into_bytes()), ("log", scene.broker.log_text().into_bytes())];
    for (place, bytes) in places.into_iter().chain([("audit log", scene.audit_bytes())]) {
        let text = String::from_utf8_lossy(&bytes);
        let words = ONLY_GP.iter().chain([&TELLTALE]);
        let found: Vec<&&str> = words.filter(|words| text.contains(**words)).collect();
        told(found.is_empty(), || format!("the {place} holds {found:?}"), wrong);
    }
}

fn of_records(expected: &Expected, scene: &Scene, answered: &Answered, wrong: &mut Vec<String>) {
    let records = scene.records();
    let of_kind = |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<_>>();
    let (intents, disclosures) = (of_kind("intent"), of_kind("disclosure"));
    let counts = (intents.len(), disclosures.len());
    told(counts == (1, 1), || format!("{counts:?} intents and disclosures"), wrong);
    let Some(disclosure) = disclosures.first() else { return };
    let number = disclosure["seq"].to_string();
    let named = answered.reply.header("Tributary-Audit") == Some(&format!("local-{number}"));
    told(named, || format!("the answer does not name record {number}"), wrong);
    let sources = disclosure["sources"].as_array().into_iter().flatten();
    let gp: Vec<&Value> = sources.filter(|one| one["source"] == "gp").collect();
    let [gp] = gp.as_slice() else {
        wrong.push(format!("{} entries of the gp on record", gp.len()));
        return;
    };
    told(gp["status"] == expected.status, || format!("on record with status {}", gp["status"]), wrong);
    told(gp["class"].as_str() == expected.class, || format!("on record as {}", gp["class"]), wrong);
    if expected.status == "identity-mismatch" {
        told(of_kind("security").len() == 1, || "no security record".to_owned(), wrong);
    }
}
