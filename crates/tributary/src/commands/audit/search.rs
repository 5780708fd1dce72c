//! `tributary audit search`: who looked.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use tributary_audit::AuditReadKind;
use tributary_ledger::entry::Entry;
use tributary_ledger::{BreakGlassOnly, Found, Hit, Query};
use tributary_model::{NhsNumber, OdsCode};

use super::super::Done;
use super::place::{self, By, Period, Place};

/// Arguments of `audit search`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    by: By,
    /// About this patient.
    #[arg(long, value_name = "NHS", value_parser = place::patient)]
    patient: Option<NhsNumber>,
    /// By this user, as their own system calls them.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// From this organisation.
    #[arg(long, value_name = "ODS", value_parser = place::organisation)]
    organisation: Option<OdsCode>,
    /// Only where the glass was broken, or was to be.
    #[arg(long)]
    break_glass: bool,
    #[command(flatten)]
    period: Period,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn query(&self) -> Query {
        Query {
            patient: self.patient,
            user: self.user.clone(),
            organisation: self.organisation.clone(),
            break_glass: if self.break_glass { BreakGlassOnly::Yes } else { BreakGlassOnly::No },
            since: self.period.since,
            until: self.period.until,
            newest: None,
        }
    }
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let opened = arguments.place.open()?;
    let query = arguments.query();
    let found = opened.stored.search(&query).await?.told_once();
    let seen = found.hits.len() as u64;
    let reader = arguments.by.reader();
    let event = reader.event(AuditReadKind::Search, query.patient, query.in_words(), seen);
    opened.note(event).await?;
    place::warn(&found);
    if arguments.json {
        for hit in &found.hits {
            writeln!(out, "{}", serde_json::to_string(&JsonHit::of(hit))?)?;
        }
    } else {
        told(out, &found)?;
    }
    Ok(place::code(&found))
}

fn told(out: &mut dyn Write, found: &Found) -> io::Result<()> {
    for hit in &found.hits {
        let Line { at, who, org, patient, what, came_to } = Line::of(hit);
        writeln!(out, "{at}  {:<14}  {who}, {org}, patient {patient}: {what}, {came_to}", hit.name())?;
    }
    let noun = if found.hits.len() == 1 { "record" } else { "records" };
    writeln!(out, "{} {noun} found among {}", found.hits.len(), found.scanned)
}

/// What is told of one record.
struct Line {
    at: String,
    who: String,
    org: String,
    patient: String,
    what: String,
    came_to: String,
}

impl Line {
    fn of(hit: &Hit) -> Self {
        let entry = &hit.entry;
        let user = entry.user.clone().unwrap_or_default();
        let reader = entry.read.as_ref().map(|read| read.reader.clone());
        let named = if user.id.is_empty() {
            "nobody named".to_owned()
        } else {
            format!("{} ({})", user.name, user.id)
        };
        let glass = if entry.is_break_glass() { ", glass broken" } else { "" };
        let sections = entry.what.as_ref().map(|what| what.interaction.clone());
        Self {
            at: entry.at.get(..19).unwrap_or(&entry.at).replace('T', " "),
            who: reader.unwrap_or(named),
            org: if user.org.is_empty() { "-".to_owned() } else { user.org },
            patient: entry.patient.as_ref().map_or_else(|| "-".to_owned(), |patient| patient.nhs.clone()),
            what: sections.unwrap_or_else(|| entry.kind.clone()),
            came_to: format!("{}{glass}", came_to(entry, hit.end.as_ref())),
        }
    }
}

fn came_to(entry: &Entry, end: Option<&Entry>) -> String {
    let delivered = end.and_then(|end| end.delivery.as_ref()).map(|delivery| delivery.delivered.as_str());
    let denied = entry.why.as_ref().and_then(|why| why.denied.as_deref());
    match (entry.kind.as_str(), &entry.outcome) {
        ("disclosure", Some(sent)) => {
            format!(
                "answered {} {}, delivered {}",
                sent.http,
                sent.completeness,
                delivered.unwrap_or("not known")
            )
        }
        ("denied", _) => format!("denied ({})", denied.unwrap_or("no reason on record")),
        ("intent", _) => "asked, and no end on record".to_owned(),
        ("security", _) => entry.security.clone().unwrap_or_default(),
        ("audit_read", _) => {
            let read = entry.read.clone().unwrap_or_default();
            format!("{} for case {}", read.what, read.case.as_deref().unwrap_or("-"))
        }
        (kind, _) => kind.to_owned(),
    }
}

#[derive(Serialize)]
struct JsonHit<'h> {
    record: String,
    id: &'h str,
    kind: &'h str,
    at: &'h str,
    user: Option<&'h str>,
    name: Option<&'h str>,
    role: Option<&'h str>,
    organisation: Option<&'h str>,
    patient: Option<&'h str>,
    purpose: Option<&'h str>,
    rule: Option<&'h str>,
    denied: Option<&'h str>,
    break_glass: bool,
    interaction: Option<&'h str>,
    sections: &'h [String],
    http: Option<u16>,
    completeness: Option<&'h str>,
    delivered: Option<&'h str>,
    case: Option<&'h str>,
}

impl<'h> JsonHit<'h> {
    fn of(hit: &'h Hit) -> Self {
        let entry = &hit.entry;
        let (user, why, what) = (entry.user.as_ref(), entry.why.as_ref(), entry.what.as_ref());
        let end = hit.end.as_ref().and_then(|end| end.delivery.as_ref());
        Self {
            record: hit.name(),
            id: &entry.id,
            kind: &entry.kind,
            at: &entry.at,
            user: user.map(|user| user.id.as_str()),
            name: user.map(|user| user.name.as_str()),
            role: user.map(|user| user.role.as_str()),
            organisation: user.map(|user| user.org.as_str()),
            patient: entry.patient.as_ref().map(|patient| patient.nhs.as_str()),
            purpose: why.map(|why| why.purpose.as_str()),
            rule: why.and_then(|why| why.rule.as_deref()),
            denied: why.and_then(|why| why.denied.as_deref()),
            break_glass: entry.is_break_glass(),
            interaction: what.map(|what| what.interaction.as_str()),
            sections: what.map(|what| what.sections.as_slice()).unwrap_or_default(),
            http: entry.outcome.as_ref().map(|sent| sent.http),
            completeness: entry.outcome.as_ref().map(|sent| sent.completeness.as_str()),
            delivered: end.map(|delivery| delivery.delivered.as_str()),
            case: entry.read.as_ref().and_then(|read| read.case.as_deref()),
        }
    }
}
