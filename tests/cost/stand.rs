//! Builds the benchmarks as they are released, and counts what they do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Bench;

/// The benchmarks, ready to run.
pub(crate) struct Stand {
    programs: BTreeMap<String, PathBuf>,
    folder: tempfile::TempDir,
}

/// What one cell costs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost {
    /// Bytes of input.
    pub(crate) bytes: f64,
    /// Instructions for each byte of input, by phase, in their order.
    pub(crate) phases: Vec<(String, f64)>,
    /// The same for parsing the input into `serde_json::Value` and printing it.
    pub(crate) yardstick: f64,
    /// Megabytes of input a second: the machine's mood, never compared.
    pub(crate) speed: f64,
    /// The same of the yardstick.
    pub(crate) yardstick_speed: f64,
    /// Peak memory, the input included, as a multiple of the input.
    pub(crate) peak: f64,
}

impl Cost {
    /// Instructions for each byte of input, over all phases.
    pub(crate) fn total(&self) -> f64 {
        self.phases.iter().map(|(_, count)| count).sum()
    }
}

const YARDSTICK: &str = "yardstick";

impl Stand {
    /// Builds the benchmarks; `None` where instructions cannot be counted.
    pub(crate) fn built(benches: &[Bench]) -> Option<Self> {
        for tool in ["valgrind", "callgrind_annotate"] {
            let found =
                Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            found.ok()?;
        }
        let mut order = Command::new(env!("CARGO"));
        order.args(["bench", "--no-run", "--locked", "--offline", "--message-format=json"]);
        for (package, bench, _) in benches {
            order.args(["-p", &format!("tributary-{package}"), "--bench", bench]);
        }
        let built = order.current_dir(root()).stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(built.status.success(), "the benchmarks do not build");
        let mut programs = BTreeMap::new();
        for line in String::from_utf8_lossy(&built.stdout).lines() {
            let said: Value = serde_json::from_str(line).unwrap_or_default();
            let name = said.pointer("/target/name").and_then(Value::as_str);
            if let (Some(name), Some(path)) = (name, said.get("executable").and_then(Value::as_str)) {
                programs.insert(name.to_owned(), PathBuf::from(path));
            }
        }
        Some(Self { programs, folder: tempfile::tempdir().expect("a folder") })
    }

    /// What a cell costs; `None` if it needs recorded replies, and there are none.
    pub(crate) fn cost(&self, bench: &str, cell: &str) -> Option<Cost> {
        if cell.contains("recorded") && std::env::var_os("TRIBUTARY_FIXTURES").is_none() {
            println!("NOT RUN: TRIBUTARY_FIXTURES is not set, no recorded record was measured");
            return None;
        }
        let program = self.programs.get(bench).expect("it was built");
        let mut cost = timed(program, cell);
        let counted = self.counted(program, cell);
        let each = |phase: &str| counted.get(phase).map(|count| *count as f64 / cost.bytes);
        cost.yardstick = each(YARDSTICK).expect("the yardstick was counted");
        let phases: Vec<(String, f64)> = cost
            .phases
            .iter()
            .map(|(phase, _)| (phase.clone(), each(phase).expect("every phase was counted")))
            .collect();
        Some(Cost { phases, ..cost })
    }

    /// Instructions by phase. Only the functions called `measured_…` count, with all that they call.
    fn counted(&self, program: &Path, cell: &str) -> BTreeMap<String, u64> {
        let out = self.folder.path().join("callgrind.out");
        let run = Command::new("valgrind")
            .args(["--tool=callgrind", "--toggle-collect=*measured_*"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(program)
            .args(["--cell", cell, "--once"])
            .output()
            .expect("valgrind runs");
        assert!(run.status.success(), "{cell}: {}", String::from_utf8_lossy(&run.stderr));
        let told = Command::new("callgrind_annotate")
            .args(["--inclusive=yes", "--threshold=100"])
            .arg(&out)
            .output()
            .expect("callgrind_annotate runs");
        String::from_utf8_lossy(&told.stdout).lines().filter_map(phase_line).collect()
    }
}

/// `12,345 (6.7%)  ???:merge::measured_gate [/path]` → `gate`, 12345.
fn phase_line(line: &str) -> Option<(String, u64)> {
    let (before, after) = line.split_once("::measured_")?;
    let name: String = after.chars().take_while(char::is_ascii_alphabetic).collect();
    let count = before.split_whitespace().next()?.replace(',', "");
    Some((name, count.parse().ok()?))
}

/// Runs a cell against the clock: its size, its phases, its memory.
fn timed(program: &Path, cell: &str) -> Cost {
    let run = Command::new(program).args(["--cell", cell]).output().expect("the benchmark runs");
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}");
    let mut cost = Cost::default();
    let (mut work, mut yardstick) = (0.0, 0.0);
    for line in told.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let number = |word: &str| word.parse::<f64>().expect("a number");
        match words.as_slice() {
            ["cell", _, "bytes", bytes, "peak", peak] => {
                cost.bytes = number(bytes);
                cost.peak = number(peak) / cost.bytes;
            }
            ["phase", phase, _, microseconds, ..] if *phase == YARDSTICK => yardstick = number(microseconds),
            ["phase", phase, _, microseconds, ..] => {
                work += number(microseconds);
                cost.phases.push(((*phase).to_owned(), 0.0));
            }
            _ => panic!("{line}"),
        }
    }
    // Bytes a microsecond are megabytes a second.
    cost.speed = cost.bytes / work.max(1.0);
    cost.yardstick_speed = cost.bytes / yardstick.max(1.0);
    cost
}

/// The compiler that builds the benchmarks.
pub(crate) fn rustc() -> String {
    let told = Command::new("rustc").arg("--version").current_dir(root()).output().expect("rustc runs");
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a root")
}
