//! `tributary audit report`: who looked at one patient's record, in words for that patient.

use std::io::Write;

use clap::Args;
use jiff::Timestamp;
use tributary_audit::AuditReadKind;
use tributary_ledger::Query;
use tributary_ledger::report::Report;
use tributary_model::{Clock as _, NhsNumber, SystemClock};

use super::super::Done;
use super::place::{self, By, Place};

/// Arguments of `audit report`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    by: By,
    /// Whose record.
    #[arg(long, value_name = "NHS", value_parser = place::patient)]
    patient: NhsNumber,
    /// From this day or moment on.
    #[arg(long, value_name = "WHEN", value_parser = place::moment)]
    since: Option<Timestamp>,
    /// Before this day or moment.
    #[arg(long, value_name = "WHEN", value_parser = place::moment)]
    until: Option<Timestamp>,
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let opened = arguments.place.open()?;
    let query = Query {
        patient: Some(arguments.patient),
        since: arguments.since,
        until: arguments.until,
        ..Query::default()
    };
    let found = opened.stored.search(&query).await?.one_look_each();
    let seen = found.hits.len() as u64;
    let reader = arguments.by.reader();
    let event = reader.event(AuditReadKind::PatientReport, query.patient, query.in_words(), seen);
    opened.note(event).await?;
    place::warn(&found);
    let report = Report {
        patient: arguments.patient,
        found: &found,
        names: &opened.names,
        case: &arguments.by.case,
        made_at: SystemClock.now(),
        period: (arguments.since, arguments.until),
    };
    write!(out, "{report}")?;
    Ok(place::code(&found))
}
