//! The viewer: `GET /`, `POST /record`, and its style.

use std::sync::Arc;

use http::StatusCode;
use tributary_broker::{Answer, Refusal};
use tributary_model::{Freshness, Handling, NhsNumber, Purpose, RecordForm, RecordRequest, SectionSet};

use super::record::from_refusal;
use crate::exchange::{Exchange, Reply, reply, set, status, text};
use crate::render::page;

const FORM: &str = "application/x-www-form-urlencoded";

/// The search form.
pub(crate) fn search(exchange: &Exchange) -> Reply {
    let patients = &exchange.edge.settings.demo_patients;
    page::respond(StatusCode::OK, tributary_viewer::search(patients, None))
}

/// The style sheet.
pub(crate) fn style(_exchange: &Exchange) -> Reply {
    reply(StatusCode::OK, "text/css; charset=utf-8", tributary_viewer::STYLE)
}

/// The record of the patient named in the form. The number travels in the body only: addresses are logged and
/// remembered.
pub(crate) async fn record(exchange: Exchange) -> Reply {
    if let Err((status, words)) = allowed(&exchange) {
        return page::respond(status, tributary_viewer::failed(words));
    }
    let patient = match asked(&exchange.body) {
        Ok(patient) => patient,
        Err(wrong) => {
            let patients = &exchange.edge.settings.demo_patients;
            return page::respond(StatusCode::BAD_REQUEST, tributary_viewer::search(patients, Some(wrong)));
        }
    };
    match exchange.edge.desk.answer(request(&exchange, patient)).await {
        Ok(answer) => {
            let desk = Arc::clone(&exchange.edge.desk);
            from_answer(&answer).map(|body| body.disclosed(desk, answer.audit))
        }
        Err(refusal) => refused(refusal),
    }
}

/// A form of another site must not make this browser look a patient up.
fn allowed(exchange: &Exchange) -> Result<(), (StatusCode, &'static str)> {
    let site = text(&exchange.headers, "sec-fetch-site");
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err((StatusCode::FORBIDDEN, "The request came from another site."));
    }
    let media = text(&exchange.headers, "content-type").unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(FORM) {
        Ok(())
    } else {
        Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "The form was not sent as a form."))
    }
}

fn asked(body: &[u8]) -> Result<NhsNumber, &'static str> {
    let mut numbers = url::form_urlencoded::parse(body).filter(|(key, _)| key == "nhs");
    let number = match (numbers.next(), numbers.next()) {
        (Some((_, number)), None) if !number.trim().is_empty() => number,
        _ => return Err("Enter an NHS number"),
    };
    NhsNumber::parse(number.trim())
        .map_err(|_| "Enter a real NHS number: 10 digits, the last one checks the others")
}

fn request(exchange: &Exchange, patient: NhsNumber) -> RecordRequest {
    RecordRequest {
        id: exchange.id,
        patient,
        sections: SectionSet::all(),
        since: None,
        purpose: Purpose::DirectCare,
        relationship: tributary_model::Relationship::Unknown,
        break_glass: None,
        requester: Arc::clone(&exchange.requester),
        deadline: exchange.deadline,
        handling: Handling::Lenient,
        freshness: Freshness::Allowed,
        form: RecordForm::R4,
        public_root: exchange.edge.public_root(),
    }
}

/// The page of an answer, with the headers of the API.
pub(crate) fn from_answer(answer: &Answer) -> Reply {
    let mut reply = page::respond(status(answer.verdict.http()), page::record(answer));
    set(&mut reply, "tributary-completeness", &answer.tally.to_string());
    set(&mut reply, "tributary-audit", &answer.audit);
    reply
}

fn refused(refusal: Refusal) -> Reply {
    let problem = from_refusal(refusal);
    let mut reply = page::respond(problem.status, tributary_viewer::failed(&problem.text));
    reply.headers_mut().extend(problem.headers);
    reply
}
