//! `POST /fhir/R4/Patient/$record`, and the same in STU3.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use tributary_bounds::{Problem, Spine, retry_seconds};
use tributary_broker::view::SourceRow;
use tributary_broker::{Answer, Refusal, Verdict};
use tributary_model::requester::Claim;
use tributary_model::{Barred, DenyReason, Freshness, Handling, RecordForm, RecordRequest, SourceStatus};

use super::{events, parameters};
use crate::exchange::{Exchange, FHIR_JSON, JSON, Reply, reply, set, status};
use crate::negotiate;
use crate::render::outcome::{Dialect, respond};

/// When a caller may come back after something this broker depends on was not to be had.
const COME_BACK: Duration = Duration::from_secs(5);

/// Answers one record request.
pub(crate) async fn record(exchange: Exchange) -> Reply {
    if negotiate::wants_stream(&exchange.headers, exchange.query.as_deref()) {
        return match growing(&exchange) {
            Ok(request) => events::events(exchange, request).await,
            Err(problem) => respond(Dialect::R4, problem),
        };
    }
    let request = request(&exchange);
    answer(exchange, request).await
}

fn growing(exchange: &Exchange) -> Result<RecordRequest, Problem> {
    negotiate::r4_body(&exchange.headers)?;
    if form(exchange.query.as_deref())? != RecordForm::R4 {
        return Err(Problem::parameter("view", "A stream is of lines always."));
    }
    if handling(&exchange.headers) == Handling::Strict {
        let text = "What is shown as it grows cannot be all or nothing.";
        return Err(Problem::bad(text).naming("Prefer"));
    }
    read(exchange, RecordForm::Lines)
}

/// Answers one record request in STU3.
pub(crate) async fn record_stu3(exchange: Exchange) -> Reply {
    let request = request_stu3(&exchange);
    answer(exchange, request).await
}

/// Answers a request in its form, or says why it could not be read.
pub(crate) async fn answer(exchange: Exchange, request: Result<RecordRequest, Problem>) -> Reply {
    let request = match request {
        Ok(request) => request,
        Err(problem) => return respond(Dialect::R4, problem),
    };
    let form = request.form;
    match exchange.edge.desk.answer(request).await {
        Ok(answer) => {
            let audit = answer.audit.clone();
            let mut reply = from_answer(answer, form);
            set(&mut reply, "tributary-config", &exchange.edge.settings.config);
            reply.map(|body| body.disclosed(Arc::clone(&exchange.edge.desk), audit))
        }
        Err(refusal) => respond(Dialect::R4, from_refusal(refusal)),
    }
}

fn request(exchange: &Exchange) -> Result<RecordRequest, Problem> {
    negotiate::r4_body(&exchange.headers)?;
    negotiate::r4_answer(&exchange.headers, exchange.query.as_deref())?;
    read(exchange, form(exchange.query.as_deref())?)
}

fn request_stu3(exchange: &Exchange) -> Result<RecordRequest, Problem> {
    negotiate::stu3_record_body(&exchange.headers)?;
    negotiate::stu3_record_answer(&exchange.headers, exchange.query.as_deref())?;
    if form(exchange.query.as_deref())? != RecordForm::R4 {
        return Err(Problem::parameter("view", "Lines are given by the operation below /fhir/R4."));
    }
    read(exchange, RecordForm::Stu3)
}

/// The parameters are the same in both versions.
fn read(exchange: &Exchange, form: RecordForm) -> Result<RecordRequest, Problem> {
    let asked = parameters::read(&exchange.body)?;
    Ok(RecordRequest {
        id: exchange.id,
        patient: asked.patient,
        sections: asked.sections,
        since: asked.since,
        purpose: asked.purpose,
        relationship: exchange.requester.relationship_to(asked.patient),
        break_glass: asked.break_glass,
        requester: Arc::clone(&exchange.requester),
        deadline: exchange.deadline,
        handling: handling(&exchange.headers),
        freshness: freshness(&exchange.headers),
        form,
        public_root: exchange.edge.public_root(),
    })
}

/// `?view=lines` asks for the lines. What else may stand there is not guessed at.
fn form(query: Option<&str>) -> Result<RecordForm, Problem> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut views = pairs.filter(|(key, _)| key == "view").map(|(_, view)| view);
    match (views.next().as_deref(), views.next()) {
        (None, _) => Ok(RecordForm::R4),
        (Some("lines"), None) => Ok(RecordForm::Lines),
        (Some(_), _) => Err(Problem::parameter("view", "It may be given once, and be lines.")),
    }
}

pub(crate) fn handling(headers: &HeaderMap) -> Handling {
    if says(headers, "prefer", "handling=strict") { Handling::Strict } else { Handling::Lenient }
}

pub(crate) fn freshness(headers: &HeaderMap) -> Freshness {
    if says(headers, "cache-control", "no-cache") { Freshness::FetchNow } else { Freshness::Allowed }
}

/// Whether a list header has this item, whatever its case and spaces.
fn says(headers: &HeaderMap, name: &str, item: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut items = values.flat_map(|value| value.split([',', ';']));
    items.any(|found| {
        let found: String = found.split_ascii_whitespace().collect();
        found.replace('"', "").eq_ignore_ascii_case(item)
    })
}

/// How long each source took, in milliseconds (Server Timing, W3C). It stands outside the bundle, which is the
/// same for the same answers however long they took.
fn timings(sources: &[SourceRow]) -> String {
    let rows = sources.iter().map(|row| format!("{};dur={}", row.id, row.latency_ms));
    rows.collect::<Vec<_>>().join(", ")
}

/// The response to an answer; the body is the broker's, untouched.
pub(crate) fn from_answer(answer: Answer, form: RecordForm) -> Reply {
    if !answer.verdict.is_record() && answer.sources.is_empty() {
        // Its outcome would have no issue and so say nothing. The broker refuses such requests itself.
        let mut reply = respond(Dialect::R4, from_refusal(Refusal::NoSuchSource));
        set(&mut reply, "tributary-audit", &answer.audit);
        return reply;
    }
    let media = match form {
        RecordForm::Lines if answer.verdict.is_record() => JSON,
        RecordForm::R4 | RecordForm::Stu3 | RecordForm::Lines | RecordForm::Summary | RecordForm::Print => {
            FHIR_JSON
        }
    };
    let mut reply = reply(status(answer.verdict.http()), media, answer.body);
    let tally = answer.tally;
    set(&mut reply, "tributary-completeness", &tally.to_string());
    let sources = format!("{}/{}", tally.answered, tally.expected);
    set(&mut reply, "tributary-sources", &sources);
    set(&mut reply, "tributary-audit", &answer.audit);
    set(&mut reply, "server-timing", &timings(&answer.sources));
    if let Verdict::Shed(wait) = answer.verdict {
        reply.headers_mut().insert(header::RETRY_AFTER, retry_seconds(wait).into());
    }
    reply.map(|body| body.leased(answer.lease))
}

/// A refusal in words for the caller.
pub(crate) fn from_refusal(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Denied(reason) => {
            let text = format!("{} ({}). No source was asked.", denied(reason), reason.code());
            let problem = Problem::new(StatusCode::FORBIDDEN, "forbidden", text).coded(Spine::DENIED);
            let DenyReason::Contradicts(claim) = reason else { return problem };
            problem.naming(&format!("Authorization: {}", claim.name()))
        }
        Refusal::AuditUnavailable => {
            let text = "The audit log cannot be written, so nothing may be shown.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-store", text).after(COME_BACK)
        }
        Refusal::Overloaded(wait) => {
            let text = "Too much is going on. Ask again in a moment.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "throttled", text).after(wait)
        }
        Refusal::Unlocated => {
            let text = "It could not be found out which sources may hold this record. No source was asked.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "transient", text).after(COME_BACK)
        }
        Refusal::Barred(why) => barred(why),
        Refusal::NoSuchSource => {
            Problem::parameter("section", "No registered source serves what was asked for.")
        }
        Refusal::Source(fault, _) if fault.status() == SourceStatus::Timeout => {
            let text = "The source did not answer in time.";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", text)
        }
        // The last three belong to calls that are passed on, and never come here.
        Refusal::Source(..)
        | Refusal::NotTheirPractice
        | Refusal::PracticeNotNamed
        | Refusal::NoSuchAttachment
        | Refusal::AttachmentExpired => {
            let text = "The source could not be used.";
            Problem::new(StatusCode::BAD_GATEWAY, "transient", text)
        }
        Refusal::Internal => Problem::internal(),
    }
}

/// Why the policy refuses, in words.
const fn denied(reason: DenyReason) -> &'static str {
    match reason {
        DenyReason::BreakGlassNotOffered => "Nobody breaks the glass in this role and for this purpose",
        DenyReason::BreakGlassQuota => "This user broke the glass too often",
        DenyReason::NotProven => "It is not proven who asks",
        DenyReason::Contradicts(Claim::Reason) => {
            "The claim reason_for_request of the token does not cover the purpose of this request"
        }
        DenyReason::Contradicts(Claim::Scope) => {
            "The claim requested_scope of the token is not that of reading a record"
        }
        DenyReason::NoRule | DenyReason::Forbidden | DenyReason::Barred(_) => {
            "This requester may not see this record"
        }
    }
}

/// Why nobody may be asked, without a hint at where the patient is.
fn barred(why: Barred) -> Problem {
    let (status, code, text) = match why {
        Barred::Restricted => (
            StatusCode::FORBIDDEN,
            "forbidden",
            "Access to this patient's details is restricted nationally. No source was asked.",
        ),
        Barred::UnverifiedNumber => (
            StatusCode::FORBIDDEN,
            "business-rule",
            "The NHS number is not verified, so it may be another patient's. No source was asked.",
        ),
        Barred::UnknownNumber => (
            StatusCode::NOT_FOUND,
            "not-found",
            "The national demographics service knows no patient with this NHS number. No source was asked.",
        ),
        Barred::InvalidatedNumber => (
            StatusCode::NOT_FOUND,
            "deleted",
            "This NHS number was withdrawn and must not be used any more. No source was asked.",
        ),
    };
    Problem::new(status, code, text)
}

#[cfg(test)]
mod tests;
