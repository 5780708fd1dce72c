//! The audit log cannot be written, or was tampered with. Nothing is disclosed that is not on record.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mock_providers::Fault;
use tributary_tests::bundle::Merged;
use tributary_tests::process::{Process, run};
use tributary_tests::strace::Strace;
use tributary_tests::witness::{WitnessProcess, keygen};
use tributary_tests::{GEORGE, Reply, http, parameters};

use crate::callers::{asking, begun};
use crate::row::{Played, Row};
use crate::scene::{FHIR, RECORD, Scene, Setting, eventually, sources};

const NO_STRACE: &str = "no strace, or no leave to trace";

/// The rows of this family. A full disk (A01) and killed processes (A08) are in `tests/audit.rs`.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::own("A03", "fdatasync fails once", || {
            Box::pin(fails("fdatasync:error=EIO:when=1", Then::GoesOn))
        }),
        Row::own("A04", "fdatasync fails from now on", || {
            Box::pin(fails("fdatasync:error=EIO", Then::Refuses))
        }),
        Row::own("A05", "fdatasync takes 400 ms", || Box::pin(slow_disk())),
        Row::own("A06", "the disk is read-only", || {
            Box::pin(fails("write,openat:error=EROFS", Then::Refuses))
        }),
        Row::own("A07", "the disk is full in the middle of a record", || {
            Box::pin(fails("write:error=ENOSPC:when=1", Then::GoesOn))
        }),
        Row::own("A07 interrupted", "a write is interrupted", || {
            Box::pin(fails("write:error=EINTR:when=1", Then::GoesOn))
        }),
        Row::own("A10", "killed between intent and disclosure", || Box::pin(killed_while_asking())),
        Row::own("A11", "segments are cut, removed, swapped or altered", || Box::pin(tampered())),
        Row::own("A13", "the witness cannot be reached", || Box::pin(witness_gone())),
        Row::own("A18", "two processes, one log", || Box::pin(second_process())),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Answers come as before.
    GoesOn,
    /// There are none until the disk works again.
    Refuses,
}

/// The files of a log, oldest first.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ext| ext == "log")).collect();
    files.sort();
    files
}

/// System calls on the log's files fail; other files, and sockets above all, are as before. The segment that
/// would follow is one of them.
fn attach(scene: &Scene, injected: &str) -> Option<Strace> {
    let newest = segments(scene.audit_dir()).pop()?;
    let number: u32 = newest.file_stem()?.to_str()?.parse().ok()?;
    let next = newest.with_file_name(format!("{:08}.log", number + 1));
    let (newest, next) = (newest.display().to_string(), next.display().to_string());
    Strace::attach(scene.broker.pid(), &["-P", &newest, "-P", &next, "-e", &format!("inject={injected}")])
}

/// What was acknowledged stays; what cannot be written is not disclosed; and it recovers by itself.
async fn fails(injected: &'static str, then: Then) -> Played {
    let scene = Scene::usual().await;
    assert_eq!(scene.record(&[]).await.status, 200);
    let asked = scene.asked();
    let Some(tracer) = attach(&scene, injected) else { return Played::NotRun(NO_STRACE) };
    let mut replies = Vec::new();
    for _ in 0..3 {
        replies.push(scene.record(&[]).await);
    }
    match then {
        Then::GoesOn => {
            let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
            assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
            assert_eq!(statuses.last(), Some(&200), "it does not recover");
        }
        Then::Refuses => {
            replies.iter().for_each(is_refused);
            assert_eq!(scene.asked(), asked, "a source was asked without an intent on record");
            assert_eq!(http::get(scene.broker.admin, "/health/ready").await.status, 503);
        }
    }
    drop(tracer);
    let last = scene.record(&[]).await;
    assert_eq!(last.status, 200, "it does not recover: {}", last.body);
    replies.push(last);
    scene.verify();
    let records = scene.records();
    let disclosures = records.iter().filter(|record| record["kind"] == "disclosure");
    let numbers: Vec<String> = disclosures.map(|record| format!("local-{}", record["seq"])).collect();
    for number in replies.iter().filter_map(|reply| reply.header("Tributary-Audit")) {
        assert!(numbers.iter().any(|known| known == number), "{number} is not on record");
    }
    Played::Held
}

fn is_refused(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.header("Retry-After").is_some());
    assert!(!reply.body.contains("resuscitation"));
}

/// A slow disk costs two turns for each answer, and no throughput: records of one turn are written together.
async fn slow_disk() -> Played {
    const TURN: Duration = Duration::from_millis(400);
    const CALLERS: u32 = 8;
    let scene = Scene::usual().await;
    let usual = scene.asks(&[]).await;
    let Some(tracer) = Strace::attach(scene.broker.pid(), &["-e", "inject=fdatasync:delay_exit=400000"])
    else {
        return Played::NotRun(NO_STRACE);
    };
    let began = Instant::now();
    let all = (0..CALLERS).map(|_| scene.asks(&[]));
    let mut grace = Duration::ZERO;
    for answered in futures_of(all).await {
        assert_eq!(answered.reply.status, 200, "{}", answered.reply.body);
        grace = grace.max(answered.grace);
    }
    drop(tracer);
    // Two records for each answer, and one turn of waiting before each; one after another it would be 16.
    let most = TURN * 6 + (usual.reply.took + usual.grace) * CALLERS + grace;
    assert!(began.elapsed() <= most, "{:?} of {most:?}", began.elapsed());
    scene.verify();
    Played::Held
}

/// Plays futures that borrow at the same time.
async fn futures_of<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, output) in &mut pending {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = one.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if pending.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, output)| output).collect()
}

/// An intent that a crash left open is closed by the next run, as unknown.
async fn killed_while_asking() -> Played {
    let mut scene = Scene::usual().await;
    scene.gp().set_fault(Fault::HangBeforeHead);
    let _caller = begun(scene.broker.data, &asking()).await;
    eventually("the gp is asked", || scene.gp().ask_count() > 0).await;
    scene.broker.kill();
    let config = fs::read_to_string(scene.dir.path().join("tributary.toml")).unwrap();
    scene.broker = Process::serve(scene.dir.path(), &config);
    let records = scene.records();
    let intent = records.iter().find(|record| record["kind"] == "intent").unwrap();
    let closed = records.iter().find(|record| record["kind"] == "closed_unknown").unwrap();
    assert_eq!((&closed["corr"], &closed["outcome"]), (&intent["seq"], &"unknown_crash".into()));
    assert!(!records.iter().any(|record| record["kind"] == "disclosure"));
    scene.verify();
    Played::Held
}

/// One way to tamper with segments, given their paths in order.
type Tamper = fn(&[PathBuf]);

/// Flipped bytes are in `tests/audit.rs`.
const TAMPERING: [(&str, Tamper); 5] = [
    ("removed", |log| fs::remove_file(&log[1]).unwrap()),
    ("emptied", |log| fs::write(&log[1], b"").unwrap()),
    ("cut", |log| {
        let bytes = fs::read(&log[1]).unwrap();
        fs::write(&log[1], &bytes[..bytes.len() - 20]).unwrap();
    }),
    ("doubled", |log| {
        let bytes = fs::read(&log[1]).unwrap();
        fs::write(&log[1], [bytes.as_slice(), &bytes].concat()).unwrap();
    }),
    ("swapped", |log| {
        let (first, second) = (fs::read(&log[0]).unwrap(), fs::read(&log[1]).unwrap());
        fs::write(&log[0], second).unwrap();
        fs::write(&log[1], first).unwrap();
    }),
];

/// Every way to tamper with files is found by the verifier.
async fn tampered() -> Played {
    let mut scene = Scene::usual().await;
    let config = fs::read_to_string(scene.dir.path().join("tributary.toml")).unwrap();
    // Each run begins a segment.
    for _ in 0..3 {
        scene.record(&[]).await;
        assert_eq!(scene.broker.terminate(), Some(0));
        scene.broker = Process::serve(scene.dir.path(), &config);
    }
    assert_eq!(scene.broker.terminate(), Some(0));
    scene.verify();
    let segments = segments(scene.audit_dir());
    assert!(segments.len() >= 3, "{segments:?}");
    for (what, tamper) in TAMPERING {
        let copy = tempfile::tempdir().unwrap();
        let copied = segments.iter().map(|file| {
            let to = copy.path().join(file.file_name().unwrap());
            fs::copy(file, &to).unwrap();
            to
        });
        tamper(&copied.collect::<Vec<_>>());
        let (code, ..) = run(&["audit", "verify", &copy.path().to_string_lossy()]);
        assert_ne!(code, 0, "{what} was not found");
    }
    Played::Held
}

/// Four hours without a cosignature are told by a number first, and then nothing is disclosed: here they are seconds.
/// With the witness comes everything back, and what was disclosed meanwhile is cosigned with the rest.
async fn witness_gone() -> Played {
    const REFUSES_AFTER: Duration = Duration::from_secs(4);
    let keys = tempfile::tempdir().unwrap();
    let dir = keys.path();
    let log_key = keygen(&dir.join("log.key"), "example.test/audit/a", &[]);
    let witness_key = keygen(&dir.join("witness.key"), "w.example.test", &["--witness"]);
    let witness = WitnessProcess::start(dir, "127.0.0.1:0", &log_key);
    let (url, address) = (witness.url.clone(), witness.url.trim_start_matches("http://").to_owned());
    let setting = Setting {
        audit_keys: format!(
            "key_file = \"{}\"\nwitness_interval_secs = 1\nwitness_warn_secs = 2\nwitness_refuse_secs = {}\n",
            dir.join("log.key").display(),
            REFUSES_AFTER.as_secs()
        ),
        gp_tables: format!("[[audit.witness]]\nurl = \"{url}\"\nkey = \"{witness_key}\"\n"),
        ..Setting::default()
    };
    let scene = Scene::set(sources().await, setting).await;
    let usual = scene.record(&[]).await;
    assert_eq!(usual.header("Tributary-Completeness"), Some("complete"), "{}", usual.body);
    let statuses = Merged::of(usual.json()).statuses();
    drop(witness);
    let began = Instant::now();
    let same = scene.record(&[]).await;
    assert_eq!(Merged::of(same.json()).statuses(), statuses, "a witness gone for a moment costs nothing");
    let refused = first_with(&scene, 503).await;
    is_refused(&refused);
    let most = REFUSES_AFTER + Duration::from_secs(4);
    assert!(began.elapsed() < most, "refused only after {:?}", began.elapsed());
    let asked = scene.asked();
    is_refused(&scene.record(&[]).await);
    assert_eq!(scene.asked(), asked, "a source was asked while nothing may be disclosed");
    assert_eq!(http::get(scene.broker.admin, "/health/ready").await.status, 503);
    let metrics = scene.metrics().await;
    assert!(metrics.sum("tributary_audit_witness_answers_total", &[("outcome", "unreachable")]) >= 1.0);
    assert!(metrics.sum("tributary_audit_witness_answers_total", &[("outcome", "cosigned")]) >= 1.0);
    let _back = WitnessProcess::start(dir, &address, &log_key);
    let back = first_with(&scene, 200).await;
    assert_eq!(Merged::of(back.json()).statuses(), statuses);
    let number = back.header("Tributary-Audit").unwrap().to_owned();
    scene.verify();
    let on_record = |record: &serde_json::Value| format!("local-{}", record["seq"]) == number;
    assert!(scene.records().iter().any(on_record), "{number} is not on record");
    Played::Held
}

/// Asks until an answer has this status, for a while.
async fn first_with(scene: &Scene, status: u16) -> Reply {
    let began = Instant::now();
    loop {
        let reply = scene.record(&[]).await;
        if reply.status == status {
            return reply;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status} never came: {}", reply.status);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The second is told that the log is in use, and the first does not notice.
async fn second_process() -> Played {
    let scene = Scene::usual().await;
    let config = scene.dir.path().join("tributary.toml");
    let (code, _, error) = run(&["serve", "--config", &config.to_string_lossy()]);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("in use"), "{error}");
    let reply = http::post(scene.broker.data, RECORD, FHIR, &parameters(GEORGE, &[]), &[]).await;
    assert_eq!(reply.status, 200);
    scene.verify();
    Played::Held
}
