//! Whatever is done to a log after it was written is found: by our verifier, and by one that shares no code with it.
//!
//! Here a counted sample; `TRIBUTARY_AUDIT_MUTATIONS=10000` and `TRIBUTARY_AUDIT_CLEAN=1000` for the whole campaign.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tributary_audit::{
    ConfigChange, ConfigEvent, Digest, Event, Expected, KeyKind, Notary, Settings, SigningKey, Trail,
    Verdict, Witness, WitnessAnswer, WitnessPolicy, verify_against,
};
use tributary_model::SystemClock;

const MUTATIONS: u64 = 200;
const CLEAN: u64 = 20;
const SEGMENT: u64 = 3000;

fn campaign(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

struct Keys {
    log: SigningKey,
    witness: SigningKey,
}

impl Keys {
    fn new() -> Self {
        let log = SigningKey::generate("example.test/audit/a", KeyKind::Log).unwrap();
        Self { log, witness: SigningKey::generate("w.example.test", KeyKind::Witness).unwrap() }
    }

    fn expected(&self) -> Expected {
        let (keys, witnesses) = (vec![self.log.public().clone()], vec![self.witness.public().clone()]);
        Expected { keys, witnesses, ..Expected::default() }
    }

    /// Writes a log in several runs, cosigned after each; the last checkpoint is of everything.
    fn write(&self, dir: &Path, records: u64) {
        let own = |key: &SigningKey| SigningKey::parse(&key.secret_text()).unwrap();
        let held = tempfile::tempdir().unwrap();
        let logs = vec![self.log.public().clone()];
        let witness = Witness::open(held.path(), own(&self.witness), logs, Arc::new(SystemClock)).unwrap();
        let settings = Settings { segment_bytes: SEGMENT, ..Settings::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut seen = 0;
        for _ in 0..2 {
            let witnesses = vec![self.witness.public().clone()];
            let policy = WitnessPolicy::default();
            let notary = Notary { key: Some(own(&self.log)), witnesses, policy };
            let trail = Trail::open_signed(dir, settings, Arc::new(SystemClock), notary).unwrap();
            let submission = trail.submission(seen).unwrap().unwrap();
            seen = submission.checkpoint.size;
            let WitnessAnswer::Cosigned(lines) = witness.add_checkpoint(submission.body.as_bytes()) else {
                panic!("not cosigned");
            };
            trail.cosigned(&submission, &lines).unwrap();
            runtime.block_on(async {
                for number in 0..records / 2 {
                    let digest = Digest::of(&number.to_le_bytes());
                    let event = Event::Config(ConfigEvent { change: ConfigChange::Loaded, digest });
                    trail.record(event).await.unwrap();
                }
                trail.close().await.unwrap();
            });
        }
    }
}

/// Files by name, in order.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "lock" {
                found.push((path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn put(dir: &Path, files: &[(PathBuf, Vec<u8>)]) {
    for (name, content) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A small generator with a fixed seed: which change a number stands for is the same on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

fn boundaries(content: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    let mut at = 0;
    while at < content.len() {
        at += 8 + u32::from_le_bytes(content[at..at + 4].try_into().unwrap()) as usize;
        places.push(at);
    }
    places
}

fn is_segment(name: &Path) -> bool {
    name.extension().is_some_and(|ext| ext == "log")
}

/// Written a second time from the definition, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shift))
}

/// Gives every record from a place in a segment on the right `prev` and checksum again, across all later segments.
fn rechain(log: &mut [(PathBuf, Vec<u8>)]) {
    use std::fmt::Write as _;

    use sha2::Digest as _;

    let mut prev = "0".repeat(64);
    for (_, content) in log.iter_mut().filter(|(name, _)| is_segment(name)) {
        for pair in boundaries(content).windows(2) {
            let payload = &mut content[pair[0] + 8..pair[1]];
            let at = payload.windows(8).position(|word| word == b"\"prev\":\"").unwrap() + 8;
            payload[at..at + 64].copy_from_slice(prev.as_bytes());
            let hash = sha2::Sha256::new().chain_update([0]).chain_update(&payload).finalize();
            prev.clear();
            for byte in hash {
                write!(prev, "{byte:02x}").unwrap();
            }
            let sum = crc32c(payload).to_le_bytes();
            content[pair[0] + 4..pair[0] + 8].copy_from_slice(&sum);
        }
    }
}

/// Alters a bit of a record, and gives it the checksum that fits.
fn reseal(content: &mut [u8], chance: &mut Chance) {
    let places = boundaries(content);
    let frame = chance.below(places.len() - 1);
    let (head, end) = (places[frame], places[frame + 1]);
    content[head + 8 + chance.below(end - head - 8)] ^= 1;
    let sum = crc32c(&content[head + 8..end]).to_le_bytes();
    content[head + 4..head + 8].copy_from_slice(&sum);
}

/// Makes one change, and says which.
fn mutate(log: &mut Vec<(PathBuf, Vec<u8>)>, chance: &mut Chance) -> &'static str {
    let file = chance.below(log.len());
    let segments: Vec<usize> = (0..log.len()).filter(|place| is_segment(&log[*place].0)).collect();
    let segment = segments[chance.below(segments.len())];
    match chance.below(9) {
        0 => {
            let place = chance.below(log[file].1.len());
            log[file].1[place] ^= 1 << chance.below(8);
            "a bit flipped"
        }
        1 => {
            let content = &mut log[segment].1;
            let places = boundaries(content);
            let frame = chance.below(places.len() - 1);
            content.drain(places[frame]..places[frame + 1]);
            "a record deleted"
        }
        2 => {
            let content = &mut log[segment].1;
            let places = boundaries(content);
            let mut frames: Vec<_> =
                places.windows(2).map(|pair| content[pair[0]..pair[1]].to_vec()).collect();
            let one = chance.below(frames.len());
            let other = (one + 1 + chance.below(frames.len() - 1)) % frames.len();
            frames.swap(one, other);
            *content = frames.concat();
            "two records swapped"
        }
        3 => {
            let place = chance.below(log[file].1.len());
            let count = 1 + chance.below(40);
            let bytes: Vec<u8> = (0..count).map(|_| chance.next().to_le_bytes()[0]).collect();
            log[file].1.splice(place..place, bytes);
            "bytes inserted"
        }
        4 => {
            let content = &mut log[segment].1;
            let places = boundaries(content);
            let frame = chance.below(places.len() - 1);
            let copy = content[places[frame]..places[frame + 1]].to_vec();
            let place = places[chance.below(places.len())];
            content.splice(place..place, copy);
            "a record said twice"
        }
        5 => {
            let length = chance.below(log[file].1.len());
            log[file].1.truncate(length);
            "a file cut"
        }
        6 => {
            log.remove(file);
            "a file deleted"
        }
        7 => {
            let content = &mut log[segment].1;
            let places = boundaries(content);
            let frame = chance.below(places.len() - 1);
            let payload = &mut content[places[frame] + 8..places[frame + 1]];
            let salt = payload.windows(8).position(|word| word == b"\"salt\":\"").unwrap() + 8;
            payload[salt] = if payload[salt] == b'0' { b'1' } else { b'0' };
            rechain(log);
            "a record replaced, and everything after it made to fit"
        }
        _ => {
            reseal(&mut log[segment].1, chance);
            "a record altered, with its checksum"
        }
    }
}

/// What the other verifier says of each directory.
fn by_python(keys: &Keys, dirs: &[PathBuf]) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/verify.py");
    let mut child = Command::new("python3")
        .arg(script)
        .args(["--batch", "--key", &keys.log.public().to_string()])
        .args(["--witness-key", &keys.witness.public().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = dirs.iter().flat_map(|dir| [dir.to_str().unwrap(), "\n"]).collect();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_single_change_is_found_by_two_verifiers() {
    let keys = Keys::new();
    let origin = tempfile::tempdir().unwrap();
    keys.write(origin.path(), 520);
    let whole = files(origin.path());
    assert!(whole.iter().filter(|(name, _)| is_segment(name)).count() > 20);
    assert!(whole.iter().any(|(name, _)| name.ends_with("tile/0/000")));
    assert_eq!(verify_against(origin.path(), &keys.expected()).verdict(), Verdict::Ok);
    assert_eq!(by_python(&keys, &[origin.path().to_owned()]), [0]);
    let space = tempfile::tempdir().unwrap();
    let count = campaign("TRIBUTARY_AUDIT_MUTATIONS", MUTATIONS);
    let (mut missed, mut kinds) = (Vec::new(), std::collections::BTreeMap::<_, u64>::new());
    let numbers: Vec<u64> = (0..count).collect();
    for batch in numbers.chunks(100) {
        let mut dirs = Vec::new();
        for number in batch {
            let mut log = whole.clone();
            let mut chance = Chance(*number);
            let how = loop {
                let how = mutate(&mut log, &mut chance);
                // A record put beside itself twice, or a swap of equals, is no change.
                if log != whole {
                    break how;
                }
            };
            *kinds.entry(how).or_default() += 1;
            let dir = space.path().join(number.to_string());
            put(&dir, &log);
            let report = verify_against(&dir, &keys.expected());
            if !matches!(report.verdict(), Verdict::Tampered | Verdict::Truncated | Verdict::Unreadable) {
                missed.push((*number, how, "ours", report.verdict().exit_code()));
            }
            dirs.push((*number, how, dir, report.verdict().exit_code()));
        }
        let paths: Vec<_> = dirs.iter().map(|(_, _, dir, _)| dir.clone()).collect();
        let told = by_python(&keys, &paths);
        assert_eq!(told.len(), dirs.len(), "the other verifier stopped");
        for ((number, how, dir, ours), code) in dirs.into_iter().zip(told) {
            if ![2, 3, 5].contains(&code) {
                missed.push((number, how, "theirs", code));
            } else if code != ours {
                missed.push((number, how, "both, with other codes", code));
            }
            fs::remove_dir_all(dir).unwrap();
        }
    }
    println!("{count} changes: {kinds:?}");
    assert!(
        missed.is_empty(),
        "{} of {count} missed: {:?}",
        missed.len(),
        missed.iter().take(20).collect::<Vec<_>>()
    );
}

#[test]
fn clean_logs_raise_no_alarm() {
    let keys = Keys::new();
    let space = tempfile::tempdir().unwrap();
    let count = campaign("TRIBUTARY_AUDIT_CLEAN", CLEAN);
    let dirs: Vec<_> = (0..count).map(|number| space.path().join(number.to_string())).collect();
    for (number, dir) in (0..).zip(&dirs) {
        keys.write(dir, (number * 7) % 40);
        let report = verify_against(dir, &keys.expected());
        assert_eq!(report.verdict(), Verdict::Ok, "{number}: {report:?}");
    }
    assert_eq!(by_python(&keys, &dirs), vec![0; dirs.len()]);
    println!("{count} clean logs");
}
