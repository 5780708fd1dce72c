//! `POST /looked`: who looked at a record, for the patient.

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tributary_bounds::{Problem, retry_seconds};
use tributary_broker::TurnedAway;
use tributary_fhir::Writer;
use tributary_model::{NhsNumber, Requester, Role};
use tributary_viewer::Looked as Row;

use super::page;
use crate::desk::{LookAside, LookRow, Looked, LookedRequest, NotLooked};
use crate::exchange::{Exchange, JSON, Reply, reply, set};
use crate::render::outcome::{Dialect, respond};
use crate::settings::Callers;

/// When whoever found others reading may come back.
const COME_BACK: Duration = Duration::from_secs(5);
const NOT_THEIRS: &str = "Only the patient may see who looked: somebody in the role of a patient, whose signed token proves \
                          this NHS number to be their own.";

/// Tells who looked at the record of the patient named in the form, as plain JSON.
pub(crate) async fn looked(exchange: Exchange) -> Reply {
    match answered(&exchange).await {
        Ok((patient, looked)) => shown(patient, &looked),
        Err(problem) => respond(Dialect::R4, problem),
    }
}

async fn answered(exchange: &Exchange) -> Result<(NhsNumber, Looked), Problem> {
    page::allowed(exchange).map_err(|(status, words)| Problem::new(status, "not-supported", words))?;
    let patient = page::asked(&exchange.body).map_err(Problem::bad)?;
    let [since, until] = ["since", "until"].map(|name| moment(&exchange.body, name));
    let (since, until) = (since?, until?);
    if !may(exchange, patient) {
        exchange.edge.desk.turned_away(exchange.id, TurnedAway::Forbidden).await;
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", NOT_THEIRS));
    }
    let nobody = || Problem::new(StatusCode::NOT_FOUND, "not-found", "Who looked is not told here.");
    let ask = exchange.edge.settings.who_looked.as_ref().ok_or_else(nobody)?;
    let requester = Arc::clone(&exchange.requester);
    let asked = ask.ask(LookedRequest { id: exchange.id, requester, patient, since, until });
    match tokio::time::timeout(exchange.deadline.remaining(), asked).await {
        Ok(Ok(looked)) => Ok((patient, looked)),
        Ok(Err(why)) => Err(not_told(why)),
        Err(_late) => Err(Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            "Reading the audit log took longer than there was time. Ask for less of it.",
        )),
    }
}

/// Who looked, for the page of a patient; nothing where nobody could say.
pub(super) async fn rows(
    exchange: &Exchange,
    patient: NhsNumber,
    requester: &Arc<Requester>,
) -> Option<Vec<Row>> {
    let ask = exchange.edge.settings.who_looked.as_ref()?;
    if requester.role != Role::Patient || !may(exchange, patient) {
        return None;
    }
    let requester = Arc::clone(requester);
    let asked = LookedRequest { id: exchange.id, requester, patient, since: None, until: None };
    let looked = tokio::time::timeout(exchange.deadline.remaining() / 2, ask.ask(asked)).await.ok()?.ok()?;
    let told = |row: LookRow| Row {
        when: row.when,
        who: [row.who, row.role, row.organisation].join(", "),
        why: [row.why, row.because].join(" "),
    };
    Some(looked.rows.into_iter().map(told).collect())
}

/// A demo believes its callers, and its patients are invented. Otherwise people see who looked at them, and nobody
/// else does: information governance has commands of its own, which ask for a case.
fn may(exchange: &Exchange, patient: NhsNumber) -> bool {
    let own = exchange.requester.proof.as_ref().and_then(|proof| proof.own);
    match exchange.edge.settings.callers {
        Callers::Believed => true,
        Callers::Proven(_) | Callers::Launched(_) => {
            exchange.requester.role == Role::Patient && own == Some(patient)
        }
        Callers::GpConnect(_) => false,
    }
}

/// A moment of the form, or a day as it begins in England.
fn moment(body: &[u8], name: &str) -> Result<Option<Timestamp>, Problem> {
    let mut found = url::form_urlencoded::parse(body).filter(|(key, _)| key == name).map(|(_, value)| value);
    let (first, second) = (found.next(), found.next());
    let Some(text) = first.filter(|text| !text.is_empty()) else { return Ok(None) };
    let day = || {
        let day: Date = text.parse().ok()?;
        Some(day.to_zoned(TimeZone::get("Europe/London").ok()?).ok()?.timestamp())
    };
    let read = text.parse().ok().or_else(day).filter(|_| second.is_none());
    let wrong = "It must be a day, as in 2026-03-10, or a moment, as in 2026-03-10T02:10:00Z, once.";
    read.map(Some).ok_or_else(|| Problem::bad(wrong).naming(name))
}

fn not_told(why: NotLooked) -> Problem {
    let away = |words: &str| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "transient", words)
            .with(header::RETRY_AFTER, retry_seconds(COME_BACK).into())
    };
    match why {
        NotLooked::Busy => away("Others are reading the audit log. Try again soon."),
        NotLooked::Unrecorded => away("That you asked could not be put on record, so nothing is told."),
        NotLooked::Unreadable => Problem::internal(),
    }
}

fn shown(patient: NhsNumber, looked: &Looked) -> Reply {
    let mut json = Writer::default();
    json.object(|body| {
        body.text("patient", patient.expose());
        body.text("covers", &looked.covers);
        body.key("complete").truth(looked.warnings.is_empty() && looked.older == 0);
        texts(body, "warnings", &looked.warnings);
        body.key("olderLeftOut").number(looked.older);
        body.key("looks")
            .array(|list| looked.rows.iter().for_each(|look| list.object(|row| write(row, look))));
        body.key("alsoOnRecord").array(|list| {
            for LookAside { at, when, says, entry } in &looked.asides {
                list.record([("at", at), ("when", when), ("says", says), ("entry", entry)]);
            }
        });
        body.text("audit", &looked.audit);
    });
    let mut reply = reply(StatusCode::OK, JSON, json.finish());
    set(&mut reply, "tributary-audit", &looked.audit);
    reply
}

fn write(row: &mut Writer, look: &LookRow) {
    for (key, text) in [
        ("at", &look.at),
        ("when", &look.when),
        ("who", &look.who),
        ("role", &look.role),
        ("organisation", &look.organisation),
        ("why", &look.why),
        ("because", &look.because),
        ("asked", &look.asked),
        ("reached", &look.reached),
        ("entry", &look.entry),
    ] {
        row.text(key, text);
    }
    row.text("outcome", look.outcome);
    texts(row, "sources", &look.sources);
    texts(row, "notShown", &look.not_shown);
    row.text_if("emergency", look.emergency.as_deref());
}

fn texts(row: &mut Writer, key: &str, all: &[String]) {
    row.key(key).array(|list| all.iter().for_each(|text| list.string(text)));
}

#[cfg(test)]
mod tests;
