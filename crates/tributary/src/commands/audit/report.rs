//! `tributary audit report`: who looked at one patient's record, in words for that patient.

use std::io::Write;

use clap::Args;
use tributary_audit::AuditReadKind;
use tributary_ledger::Query;
use tributary_ledger::report::Report;
use tributary_model::{Clock as _, NhsNumber, SystemClock};

use super::super::Done;
use super::place::{self, By, Period, Place};

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
    #[command(flatten)]
    period: Period,
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let opened = arguments.place.open()?;
    let query = Query {
        patient: Some(arguments.patient),
        since: arguments.period.since,
        until: arguments.period.until,
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
        period: (arguments.period.since, arguments.period.until),
    };
    write!(out, "{report}")?;
    Ok(place::code(&found))
}
