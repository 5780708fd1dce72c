//! Measures appending and verifying: `cargo run --release -p tributary-audit --example throughput [DIR]`.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tributary_audit::{
    Access, BreakGlass, Digest, Disclosure, Event, Intent, Interaction, Outcome, Proof, Receipt, Settings,
    SourceEntry, Trail, verify,
};
use tributary_model::requester::Assurance;
use tributary_model::{
    Completeness, NhsNumber, OdsCode, Purpose, RequestId, Requester, Role, SectionSet, SourceId,
    SourceStatus, SystemClock,
};

const WRITERS: [u32; 4] = [1, 16, 64, 256];

fn main() -> Result<(), Box<dyn Error>> {
    let held = tempfile::tempdir()?;
    let dir = std::env::args().nth(1).map_or_else(|| held.path().to_owned(), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let mut out = std::io::stdout();
    let access = access()?;
    let trail = Trail::open(&dir, Settings::default(), Arc::new(SystemClock))?;
    for writers in WRITERS {
        let each = if writers == 1 { 200 } else { 40_000 / writers };
        let begun = Instant::now();
        runtime.block_on(write(&trail, &access, writers, each))?;
        let records = f64::from(2 * writers * each);
        let speed = records / begun.elapsed().as_secs_f64();
        writeln!(out, "append, {writers:>3} writers: {speed:>9.0} records/s")?;
    }
    runtime.block_on(trail.close())?;
    for _ in 0..3 {
        let begun = Instant::now();
        let report = verify(&dir);
        let taken = begun.elapsed();
        let verdict = report.verdict();
        writeln!(out, "verify: {} records in {taken:?}, {verdict:?}", report.records)?;
    }
    Ok(())
}

async fn write(trail: &Trail, access: &Arc<Access>, writers: u32, each: u32) -> Result<(), Box<dyn Error>> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let (trail, access) = (trail.clone(), Arc::clone(access));
        tasks.spawn(async move {
            for _ in 0..each {
                let intent = trail.record(intent(&access)).await?;
                trail.record(disclosure(&access, intent)).await?;
            }
            Ok::<(), tributary_audit::AuditError>(())
        });
    }
    for result in tasks.join_all().await {
        result?;
    }
    Ok(())
}

fn access() -> Result<Arc<Access>, Box<dyn Error>> {
    Ok(Arc::new(Access {
        request: RequestId::random(),
        requester: Arc::new(Requester {
            user_id: "u-17".to_owned(),
            family: "Example".to_owned(),
            given: "Ann".to_owned(),
            role: Role::Ambulance,
            organisation: OdsCode::parse("RX9")?,
            organisation_name: "Ambulance".to_owned(),
            asid: None,
            spine: tributary_model::SpineIds::default(),
            assurance: Assurance::Demo,
            proof: None,
            priority: tributary_model::Priority::Interactive,
        }),
        proof: Proof::default(),
        patient: Some(NhsNumber::parse("9990000107")?),
        purpose: Purpose::DirectCare,
        relationship: tributary_model::Relationship::Unknown,
        break_glass: BreakGlass::NotAsked,
        interaction: Interaction::Record,
        sections: SectionSet::all(),
        asked_as: None,
        policy: None,
    }))
}

fn sources() -> impl Iterator<Item = SourceId> {
    ["gp-a99901", "acute-rx1", "community-ry2"].into_iter().filter_map(|id| SourceId::parse(id).ok())
}

fn intent(access: &Arc<Access>) -> Event {
    Event::Intent(Intent {
        access: Arc::clone(access),
        rule: "ambulance-direct-care".into(),
        expected: sources().collect(),
    })
}

fn disclosure(access: &Arc<Access>, intent: Receipt) -> Event {
    let entry = |source| SourceEntry {
        source,
        status: SourceStatus::Ok,
        fault: None,
        http: Some(200),
        spine: None,
        bytes: 48_211,
        elapsed_ms: 312,
        fetch_id: None,
        digest: Some(Digest::of(b"body")),
        content: None,
        attempts: 1,
    };
    Event::Disclosure(Disclosure {
        access: Arc::clone(access),
        intent,
        rule: "ambulance-direct-care".into(),
        found: None,
        sources: sources().map(entry).collect(),
        outcome: Outcome {
            http: 200,
            completeness: Completeness::Complete,
            bundle_digest: Some(Digest::of(b"bundle")),
            bytes: 130_112,
            discrepancies: Vec::new(),
            made: None,
        },
        config: Digest::of(b"[server]"),
    })
}
