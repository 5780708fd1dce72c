//! Witnesses catch what the holder of the signing key could do.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tributary_audit::{
    AuditError, Expected, KeyKind, Notary, SigningKey, Standing, Trail, Verdict, VerifyingKey, Witness,
    WitnessAnswer, WitnessPolicy, kept_size, probe, verify_against,
};
use tributary_model::SystemClock;

use crate::samples::{SMALL, block_on, disclosure, intent};

const ORIGIN: &str = "example.test/audit/a";
const WITNESS: &str = "witness.example.test";

struct Keys {
    log: SigningKey,
    witness: SigningKey,
}

impl Keys {
    fn new() -> Self {
        let log = SigningKey::generate(ORIGIN, KeyKind::Log).unwrap();
        Self { log, witness: SigningKey::generate(WITNESS, KeyKind::Witness).unwrap() }
    }

    fn log(&self) -> SigningKey {
        SigningKey::parse(&self.log.secret_text()).unwrap()
    }

    fn witness(&self, dir: &Path) -> Witness {
        let key = SigningKey::parse(&self.witness.secret_text()).unwrap();
        Witness::open(dir, key, vec![self.log.public().clone()], Arc::new(SystemClock)).unwrap()
    }

    fn open(&self, dir: &Path, policy: WitnessPolicy) -> Trail {
        let witnesses: Vec<VerifyingKey> = vec![self.witness.public().clone()];
        let notary = Notary { key: Some(self.log()), witnesses, policy };
        Trail::open_signed(dir, SMALL, Arc::new(SystemClock), notary).unwrap()
    }

    fn expected(&self) -> Expected {
        let (keys, witnesses) = (vec![self.log.public().clone()], vec![self.witness.public().clone()]);
        Expected { keys, witnesses, ..Expected::default() }
    }
}

/// Hands the last checkpoint to the witness; keeps what it signs.
fn submit(trail: &Trail, witness: &Witness, old: u64) -> WitnessAnswer {
    let submission = trail.submission(old).unwrap().unwrap();
    let answer = witness.add_checkpoint(submission.body.as_bytes());
    if let WitnessAnswer::Cosigned(lines) = &answer {
        trail.cosigned(&submission, lines).unwrap();
    }
    answer
}

async fn write(trail: &Trail, pairs: usize) {
    let mut checkpoints = trail.checkpoints();
    let mut last = 0;
    for _ in 0..pairs {
        let receipt = trail.record(intent()).await.unwrap();
        last = trail.record(disclosure(receipt)).await.unwrap().seq;
    }
    checkpoints.wait_for(|size| *size >= last).await.unwrap();
}

#[test]
fn a_witness_follows_a_log_that_grows_and_remembers_it() {
    let (dir, held, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Keys::new());
    let witness = keys.witness(held.path());
    let trail = keys.open(dir.path(), WitnessPolicy::default());
    assert_eq!(trail.standing(), Standing::Lapsed(None));
    let refused = block_on(trail.record(intent())).unwrap_err();
    assert_eq!(refused, AuditError::Unwitnessed, "nothing is asked before the first cosignature");
    assert!(matches!(submit(&trail, &witness, 0), WitnessAnswer::Cosigned(_)));
    let seen = *trail.checkpoints().borrow();
    block_on(write(&trail, 30));
    assert!(matches!(submit(&trail, &witness, 0), WitnessAnswer::Conflict(size) if size == seen));
    assert!(matches!(submit(&trail, &witness, seen), WitnessAnswer::Cosigned(_)));
    drop(witness);
    let again = keys.witness(held.path());
    let size = *trail.checkpoints().borrow();
    assert_eq!(again.add_checkpoint(probe(&keys.log()).as_bytes()), WitnessAnswer::Conflict(size));
    assert!(matches!(submit(&trail, &again, size), WitnessAnswer::Cosigned(_)), "the same again");
    block_on(trail.close()).unwrap();
    let report = verify_against(dir.path(), &keys.expected());
    assert_eq!((report.verdict(), report.cosigned_size), (Verdict::Ok, Some(size)), "{report:?}");
    assert_eq!(kept_size(dir.path()).unwrap(), report.last_seq);
}

#[test]
fn what_is_no_request_of_a_known_log_is_refused() {
    let (dir, held, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Keys::new());
    let witness = keys.witness(held.path());
    let trail = keys.open(dir.path(), WitnessPolicy::default());
    let good = trail.submission(0).unwrap().unwrap().body;
    let size = trail.submission(0).unwrap().unwrap().checkpoint.size;
    let status = |body: String| witness.add_checkpoint(body.as_bytes()).status();
    assert_eq!(status(String::new()), 400);
    assert_eq!(status(good.replace("old 0", "old 00")), 400);
    assert_eq!(status(good.replace("old 0", &format!("old {}", size + 1))), 400);
    assert_eq!(status(good.replace("old 0\n", &format!("old 0\n{}", "AA==\n".repeat(64)))), 400);
    assert_eq!(status(good.replace(ORIGIN, "example.test/audit/other")), 404);
    let stranger = SigningKey::generate(ORIGIN, KeyKind::Log).unwrap();
    assert_eq!(status(probe(&stranger)), 403);
    assert_eq!(status(good.replace(&format!("\n{size}\n"), &format!("\n{}\n", size + 1))), 403);
    assert_eq!(status(good), 200);
}

#[test]
fn a_forked_and_resigned_log_is_caught() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (held, keys) = (tempfile::tempdir().unwrap(), Keys::new());
    let witness = keys.witness(held.path());
    let trail = keys.open(ours.path(), WitnessPolicy::default());
    submit(&trail, &witness, 0);
    block_on(write(&trail, 5));
    let seen = *trail.checkpoints().borrow();
    submit(&trail, &witness, 2);
    block_on(trail.close()).unwrap();
    let told = fs::read_dir(held.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ext| ext == "checkpoint"))
        .map(|path| fs::read_to_string(path).unwrap())
        .unwrap();

    // Somebody with the signing key writes another history, longer than the one the witness saw.
    let notary = Notary { key: Some(keys.log()), ..Notary::default() };
    let forged = Trail::open_signed(theirs.path(), SMALL, Arc::new(SystemClock), notary).unwrap();
    block_on(write(&forged, 9));
    let of_forged = |old| witness.add_checkpoint(forged.submission(old).unwrap().unwrap().body.as_bytes());
    assert_eq!(of_forged(seen), WitnessAnswer::Inconsistent);
    assert_eq!(of_forged(0), WitnessAnswer::Conflict(seen));
    block_on(forged.close()).unwrap();
    let alone = Expected { keys: keys.expected().keys, ..Expected::default() };
    assert_eq!(verify_against(theirs.path(), &alone).verdict(), Verdict::Ok, "by itself it is flawless");
    let held = Expected { checkpoints: vec![told], ..alone };
    assert_eq!(verify_against(theirs.path(), &held).verdict(), Verdict::Tampered);
    assert_eq!(verify_against(ours.path(), &held).verdict(), Verdict::Ok);
    assert_eq!(verify_against(theirs.path(), &keys.expected()).verdict(), Verdict::Unwitnessed);
}

#[tokio::test(start_paused = true)]
async fn without_cosignatures_people_are_told_and_then_nothing_is_disclosed() {
    let (dir, held, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Keys::new());
    let witness = keys.witness(held.path());
    let trail = keys.open(dir.path(), WitnessPolicy::default());
    submit(&trail, &witness, 0);
    assert!(matches!(trail.standing(), Standing::Witnessed(_)));
    tokio::time::advance(Duration::from_secs(301)).await;
    assert!(matches!(trail.standing(), Standing::Late(_)));
    let receipt = trail.record(intent()).await.unwrap();
    tokio::time::advance(Duration::from_hours(4)).await;
    assert!(matches!(trail.standing(), Standing::Lapsed(Some(_))));
    assert_eq!(trail.record(intent()).await.unwrap_err(), AuditError::Unwitnessed);
    // What ends an intent without showing anything is taken.
    trail.record(disclosure(receipt)).await.unwrap();
    let size = *trail.checkpoints().borrow();
    submit(&trail, &witness, 2.min(size));
    trail.contradict();
    assert_eq!(trail.record(intent()).await.unwrap_err(), AuditError::Contradicted);
    trail.close().await.unwrap();
}

#[test]
fn how_fresh_the_last_cosignature_was_outlives_a_restart() {
    let (dir, held, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Keys::new());
    let witness = keys.witness(held.path());
    let trail = keys.open(dir.path(), WitnessPolicy::default());
    submit(&trail, &witness, 0);
    block_on(trail.close()).unwrap();
    let trail = keys.open(dir.path(), WitnessPolicy::default());
    assert!(matches!(trail.standing(), Standing::Witnessed(_)));
    block_on(trail.close()).unwrap();
}
