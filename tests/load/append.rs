//! The audit log alone: how long a request stands still until it is on record, at growing rates.
//!
//! What a request writes is what the broker writes for a record of three sources: intent, then disclosure, each
//! awaited, then delivery, which nobody waits for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tributary_audit::{
    Access, BreakGlass, Delivered, Delivery, Digest, Disclosure, Event, Intent, Interaction, Outcome, Proof,
    Receipt, Settings, SourceEntry, Trail, verify,
};
use tributary_model::requester::Assurance;
use tributary_model::{
    Completeness, NhsNumber, OdsCode, Priority, Purpose, Relationship, RequestId, Requester, Role,
    SectionSet, SourceId, SourceStatus, SpineIds, SystemClock, TraceId,
};

use crate::figures::{Spread, each, quantile};
use crate::rounds::micros;
use crate::stage::Stage;
use crate::{Done, pause, told};

/// Sources of the record.
const SOURCES: [&str; 3] = ["gp-a99901", "hospital-rxh", "community-rc1"];
/// Records that a request writes.
const RECORDS: usize = 3;
/// Callers of the closed round.
const CALLERS: usize = 256;

/// What of it is wanted.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// A folder on the disk. Absent: a new one in the temporary folder.
    #[arg(long)]
    disk: Option<PathBuf>,
    /// Seconds of each rate in a round.
    #[arg(long, default_value_t = 5)]
    secs: u64,
    /// Requests a second.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,5000")]
    rates: Vec<u32>,
}

/// Measures the log on a disk, beside the same in memory.
pub(crate) fn measure(stage: &Stage, wish: &Wish) -> Done<()> {
    let own = tempfile::tempdir()?;
    let disk = std::path::absolute(wish.disk.as_deref().unwrap_or_else(|| own.path()))?;
    told(&format!("The disk holds {}. Median (least–greatest) of the rounds.\n", disk.display()));
    told(
        "| log | requests/s | both waits p50, µs | p99, µs | records made durable /s |\n|---|--:|--:|--:|--:|",
    );
    for (name, folder) in [("in memory", stage.folder("append")?), ("on the disk", disk)] {
        for rate in wish.rates.iter().copied().map(Some).chain([None]) {
            row(stage, wish, (name, &folder), rate)?;
        }
    }
    verified(&stage.folder("append")?, wish)
}

/// How fast a log is verified: one that callers without pause have written.
fn verified(folder: &Path, wish: &Wish) -> Done<()> {
    let dir = tempfile::tempdir_in(folder)?;
    let runtime = Builder::new_current_thread().build()?;
    let trail = Trail::open(dir.path(), Settings::default(), Arc::new(SystemClock))?;
    runtime.block_on(closed(&trail, Duration::from_secs(wish.secs)))?;
    runtime.block_on(trail.close())?;
    let began = Instant::now();
    let report = verify(dir.path());
    let records = usize::try_from(report.records)?;
    let speed = 1.0 / each(began.elapsed().as_secs_f64(), records);
    told(&format!(
        "\nA log of {records} records is verified ({:?}): {speed:.0} records/s.",
        report.verdict()
    ));
    Ok(())
}

fn row(stage: &Stage, wish: &Wish, (name, folder): (&str, &Path), rate: Option<u32>) -> Done<()> {
    let lasting = Duration::from_secs(wish.secs);
    let mut rounds: [Vec<f64>; 3] = Default::default();
    for _ in 0..stage.rounds {
        let dir = tempfile::tempdir_in(folder)?;
        let trail = Trail::open(dir.path(), Settings::default(), Arc::new(SystemClock))?;
        let runtime = Builder::new_multi_thread().worker_threads(1).build()?;
        let began = Instant::now();
        let waits = match rate {
            Some(rate) => open(&runtime, &trail, rate, lasting)?,
            None => runtime.block_on(closed(&trail, lasting))?,
        };
        let lasted = began.elapsed();
        runtime.block_on(trail.close())?;
        let [p50, p99, acks] = &mut rounds;
        p50.push(quantile(&waits, 0.5));
        p99.push(quantile(&waits, 0.99));
        acks.push(1.0 / each(lasted.as_secs_f64(), waits.len() * RECORDS));
    }
    let [p50, p99, acks] = rounds.each_ref().map(|rounds| Spread::of(rounds).whole());
    let rate = rate.map_or_else(|| format!("{CALLERS} callers, no pause"), |rate| rate.to_string());
    told(&format!("| {name} | {rate} | {p50} | {p99} | {acks} |"));
    Ok(())
}

/// So many requests a second, whatever becomes of them; the waits in µs, each from when the request was due.
fn open(runtime: &Runtime, trail: &Trail, rate: u32, lasting: Duration) -> Done<Vec<f64>> {
    let interval = Duration::from_secs(1) / rate;
    let count = u32::try_from(lasting.as_nanos() / interval.as_nanos().max(1))?;
    let began = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for number in 0..count {
        let due = began + interval * number;
        // Slept here, and not on the runtime, whose timer goes by the millisecond.
        pause(due.saturating_duration_since(Instant::now()));
        let trail = trail.clone();
        running.spawn_on(async move { request(&trail, due).await }, runtime.handle());
    }
    runtime.block_on(running.join_all()).into_iter().collect()
}

/// So many callers, each again as soon as it is on record.
async fn closed(trail: &Trail, lasting: Duration) -> Done<Vec<f64>> {
    let began = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let trail = trail.clone();
        running.spawn(async move {
            let mut waits = Vec::new();
            while began.elapsed() < lasting {
                waits.push(request(&trail, Instant::now()).await?);
            }
            Ok(waits)
        });
    }
    let lanes: Done<Vec<Vec<f64>>> = running.join_all().await.into_iter().collect();
    Ok(lanes?.concat())
}

/// One request's records; both waits together, in µs.
async fn request(trail: &Trail, due: Instant) -> Done<f64> {
    let access = access()?;
    let intent = trail.record(intent(&access)?).await?;
    let disclosure = trail.record(disclosure(&access, intent)?).await?;
    let waited = micros(due.elapsed());
    let end = Event::Delivery(Delivery {
        request: access.request,
        disclosure,
        delivered: Delivered::Whole,
        bytes: 150_000,
        elapsed_ms: 430,
    });
    trail.record(end).await?;
    Ok(waited)
}

fn access() -> Done<Arc<Access>> {
    // Patients differ, as they do in a service; the numbers are of the range for tests.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let digits = 999_000_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 900_000;
    let patient = (0..10).find_map(|check| NhsNumber::parse(&format!("{digits}{check}")).ok());
    Ok(Arc::new(Access {
        request: RequestId::random(),
        requester: Arc::new(Requester {
            user_id: "555254240107".to_owned(),
            family: "Okafor".to_owned(),
            given: "Ngozi".to_owned(),
            role: Role::Ambulance,
            organisation: OdsCode::parse("RX9")?,
            organisation_name: "Ambulance Service".to_owned(),
            asid: None,
            spine: SpineIds::default(),
            assurance: Assurance::Demo,
            proof: None,
            priority: Priority::Urgent,
        }),
        proof: Proof::default(),
        patient,
        purpose: Purpose::DirectCare,
        relationship: Relationship::Unknown,
        break_glass: BreakGlass::NotAsked,
        interaction: Interaction::Record,
        sections: SectionSet::all(),
        asked_as: None,
        policy: Some(Digest::of(b"policy")),
    }))
}

fn sources() -> Done<Vec<SourceId>> {
    SOURCES.iter().map(|id| Ok(SourceId::parse(id)?)).collect()
}

fn intent(access: &Arc<Access>) -> Done<Event> {
    Ok(Event::Intent(Intent {
        access: Arc::clone(access),
        rule: "ambulance-direct-care".into(),
        expected: sources()?,
    }))
}

fn disclosure(access: &Arc<Access>, intent: Receipt) -> Done<Event> {
    let entry = |source| SourceEntry {
        source,
        status: SourceStatus::Ok,
        fault: None,
        http: Some(200),
        spine: None,
        bytes: 50_000,
        elapsed_ms: 420,
        fetch_id: Some(TraceId::random()),
        digest: Some(Digest::of(b"as received")),
        content: Some(Digest::of(b"as held")),
        attempts: 1,
    };
    Ok(Event::Disclosure(Disclosure {
        access: Arc::clone(access),
        intent,
        rule: "ambulance-direct-care".into(),
        found: None,
        sources: sources()?.into_iter().map(entry).collect(),
        outcome: Outcome {
            http: 200,
            completeness: Completeness::Complete,
            bundle_digest: Some(Digest::of(b"bundle")),
            bytes: 150_000,
            discrepancies: vec!["allergy-conflict"],
            made: None,
        },
        config: Digest::of(b"configuration"),
    }))
}
