//! `tributary policy follow-up`: broken glass that somebody must still look at.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use tributary_audit::Kind;

use crate::commands::Done;

/// Arguments of `policy follow-up`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The directory of the audit log.
    #[arg(long, value_name = "AUDIT_DIR")]
    dir: PathBuf,
    /// Numbers of records that were reviewed, one at the beginning of each line. What follows it is the reviewer's.
    #[arg(long, value_name = "FILE")]
    reviewed: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Record {
    at: String,
    user: User,
    glass: Glass,
    why: Why,
}

#[derive(Deserialize)]
struct User {
    id: String,
    role: String,
    org: String,
}

#[derive(Deserialize)]
struct Glass {
    decision: String,
}

#[derive(Deserialize)]
struct Why {
    purpose: String,
    denied: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let reviewed = match &arguments.reviewed {
        Some(file) => std::fs::read_to_string(file)?,
        None => String::new(),
    };
    let reviewed: BTreeSet<u64> = reviewed.lines().filter_map(number).collect();
    let mut lines = Vec::new();
    let mut unread = 0_u64;
    tributary_audit::pick(&arguments.dir, Kind::BreakGlass, &mut |seq, payload| {
        if reviewed.contains(&seq) {
            return;
        }
        if let Ok(record) = serde_json::from_slice::<Record>(payload) {
            lines.push(told(seq, &record));
        } else {
            // What cannot be read is not passed over: somebody must look at it too.
            unread += 1;
            lines.push(format!("local-{seq}  cannot be read here"));
        }
    })?;
    // The record names the patient; this list is for a desk where others look, so it does not.
    for line in &lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{} to review", lines.len())?;
    Ok(u8::from(unread > 0))
}

fn number(line: &str) -> Option<u64> {
    let first = line.split_whitespace().next()?;
    first.strip_prefix("local-").unwrap_or(first).parse().ok()
}

fn told(seq: u64, record: &Record) -> String {
    let Record { at, user, glass, why } = record;
    let why_not = why.denied.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let (id, role, org) = (&user.id, &user.role, &user.org);
    format!("local-{seq}  {at}  {id}  {role}  {org}  {}  {}{why_not}", why.purpose, glass.decision)
}
