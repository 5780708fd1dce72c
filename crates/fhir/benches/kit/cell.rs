//! What is measured: a few sources of some size, named so that the name says it all.

use std::path::PathBuf;

use crate::record::{self, Dialect};

/// One source of a cell.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it speaks.
    pub(crate) dialect: Dialect,
    /// What it answers.
    pub(crate) text: String,
}

/// The sources that a name stands for, with their answers made or read.
///
/// `gp-3mb+2xr4-200k`: a GP Connect record of 3 MB and two R4 records of 200 kB. `pretty` is a GP Connect record
/// printed as suppliers do, with a line for every member. `recorded` is the largest recorded answer in the folder
/// that `TRIBUTARY_FIXTURES` names; without one there is no such cell.
pub(crate) fn sources(name: &str) -> Option<Vec<Source>> {
    let mut found: Vec<Source> = Vec::new();
    for part in name.split('+') {
        if part == "recorded" {
            let text = std::fs::read_to_string(largest_recorded()?).ok()?;
            // Every source must speak of one patient.
            let text = text.replace(number_in(&text)?, record::NHS_NUMBER);
            found.push(Source { dialect: Dialect::GpConnect, text });
            continue;
        }
        let (times, part) = match part.split_once('x') {
            Some((times, part)) => (times.parse().ok()?, part),
            None => (1_usize, part),
        };
        let (kind, size) = part.split_once('-')?;
        let bytes = bytes(size)?;
        for _ in 0..times {
            let number = found.len();
            let (dialect, text) = match kind {
                "gp" => (Dialect::GpConnect, record::bundle(Dialect::GpConnect, number, bytes)),
                // Suppliers' layout makes 2.7 bytes of one.
                "pretty" => (
                    Dialect::GpConnect,
                    record::pretty(&record::bundle(Dialect::GpConnect, number, bytes * 10 / 27)),
                ),
                "r4" => (Dialect::R4, record::bundle(Dialect::R4, number, bytes)),
                _ => return None,
            };
            found.push(Source { dialect, text });
        }
    }
    Some(found)
}

fn bytes(size: &str) -> Option<usize> {
    let (digits, unit) = match size.strip_suffix("mb") {
        Some(digits) => (digits, 1_000_000),
        None => (size.strip_suffix('k')?, 1_000),
    };
    Some(digits.parse::<usize>().ok()? * unit)
}

/// The first text of ten digits after the system of NHS numbers.
fn number_in(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("\"https://fhir.nhs.uk/Id/nhs-number\"")?;
    after.split('"').find(|one| one.len() == 10 && one.bytes().all(|byte| byte.is_ascii_digit()))
}

fn largest_recorded() -> Option<PathBuf> {
    let folder = std::fs::read_dir(std::env::var_os("TRIBUTARY_FIXTURES")?).ok()?;
    let files = folder.filter_map(Result::ok).map(|entry| entry.path());
    let json = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    json.max_by_key(|path| std::fs::metadata(path).map_or(0, |meta| meta.len()))
}
