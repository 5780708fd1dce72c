//! Looks through everything that a process can leave behind.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::canary::{Canaries, WINDOW};

/// Read at a time.
const STRETCH: usize = 1 << 20;

/// How often a canary was found where.
pub(crate) type Findings = BTreeMap<String, usize>;

/// What is looked for, sorted by its first two bytes.
pub(crate) struct Scan {
    by_start: Vec<Vec<(Vec<u8>, String)>>,
    pub(crate) findings: Findings,
    pub(crate) bytes: usize,
    /// Where it was found, for whoever has to find out why.
    pub(crate) shown: Vec<String>,
    /// So many finds are enough.
    enough: usize,
}

impl Scan {
    pub(crate) fn of(canaries: &Canaries) -> Self {
        let mut by_start = vec![Vec::new(); 1 << 16];
        for piece in canaries.pieces() {
            by_start[usize::from(u16::from_le_bytes([piece.0[0], piece.0[1]]))].push(piece);
        }
        Self { by_start, findings: Findings::new(), bytes: 0, shown: Vec::new(), enough: usize::MAX }
    }

    /// Ends the search of a process when so much is found.
    pub(crate) fn until_found(self, enough: usize) -> Self {
        Self { enough, ..self }
    }

    /// Looks through bytes that stand at `place`.
    pub(crate) fn look(&mut self, place: &str, bytes: &[u8]) {
        self.bytes += bytes.len();
        for at in 0..bytes.len().saturating_sub(WINDOW - 1) {
            let candidates = &self.by_start[usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))];
            let is_here = |piece: &[u8]| bytes[at..].starts_with(piece);
            if let Some((_, name)) = candidates.iter().find(|(piece, _)| is_here(piece)) {
                *self.findings.entry(format!("{name} in {place}")).or_default() += 1;
                if self.shown.len() < 40 {
                    let around = &bytes[at.saturating_sub(48)..(at + 64).min(bytes.len())];
                    self.shown.push(format!("{place} +{at:x} {name}: {}", around.escape_ascii()));
                }
            }
        }
    }

    /// Every readable page of a process, those that can be written first; an error where the system forbids it.
    pub(crate) fn process(&mut self, pid: u32) -> io::Result<()> {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let is_written =
            |line: &&str| line.split_whitespace().nth(1).is_some_and(|rights| rights.contains('w'));
        let (written, others): (Vec<_>, Vec<_>) = maps.lines().partition(is_written);
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let empty = vec![0; STRETCH];
        let mut stretch = vec![0; STRETCH];
        for line in written.into_iter().chain(others) {
            let mut words = line.split_whitespace();
            let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
            let name = words.nth(3).unwrap_or("anonymous");
            // Pages of the kernel, which cannot be read this way.
            if !rights.starts_with('r') || name.starts_with("[v") {
                continue;
            }
            let edge = |text: &str| u64::from_str_radix(text, 16).unwrap();
            let (start, end) = range.split_once('-').map(|(start, end)| (edge(start), edge(end))).unwrap();
            let mut at = start;
            while at < end && self.findings.values().sum::<usize>() < self.enough {
                let size = usize::try_from(end - at).unwrap_or(STRETCH).min(STRETCH);
                // A mapping may go while we read.
                let Ok(read) = memory.read_at(&mut stretch[..size], at) else { break };
                if stretch[..read] != empty[..read] {
                    let name = name.rsplit('/').next().unwrap_or(name);
                    self.look(&format!("memory ({name} {rights} {start:x})"), &stretch[..read]);
                }
                if read < WINDOW {
                    break;
                }
                // What lies across two stretches is seen in the second.
                at += read as u64 - if at + read as u64 == end { 0 } else { WINDOW as u64 - 1 };
            }
        }
        Ok(())
    }

    /// Every file below a folder.
    pub(crate) fn folder(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.folder(&path)?;
            } else {
                let bytes = fs::read(&path)?;
                self.look(&path.display().to_string(), &bytes);
            }
        }
        Ok(())
    }
}
