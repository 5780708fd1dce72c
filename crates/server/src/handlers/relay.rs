//! GP Connect in the provider's position: checked here, answered by the patient's GP system.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use tributary_broker::{Refusal, RelayAnswer, RelayFailure, RelayRequest};
use tributary_fhir::Document;
use tributary_model::{NhsNumber, Requester, SourceFault};

use super::parameters;
use crate::exchange::{Exchange, FHIR_JSON, Reply, reply, set, status, text};
use crate::identity::token::Token;
use crate::negotiate;
use crate::problem::{Problem, Spine};
use crate::render::outcome::{Dialect, respond};

const INTERACTION: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";
const PATIENT: &str = "patientNHSNumber";
/// When a caller may come back whose GP system, or whose audit record, is not to be had now.
const COME_BACK: Duration = Duration::from_secs(5);

/// Passes one structured record request on.
pub(crate) async fn structured(exchange: Exchange) -> Reply {
    let request = match request(&exchange) {
        Ok(request) => request,
        Err(problem) => return respond(Dialect::GpConnect, problem),
    };
    match exchange.edge.desk.relay(request).await {
        Ok(answer) => {
            let audit = answer.audit.clone();
            from_answer(answer).map(|body| body.disclosed(Arc::clone(&exchange.edge.desk), audit))
        }
        Err(refusal) => respond(Dialect::GpConnect, from_refusal(refusal)),
    }
}

/// Every check, in the order consumers are used to.
fn request(exchange: &Exchange) -> Result<RelayRequest, Problem> {
    let headers = &exchange.headers;
    let trace = named(headers, "Ssp-TraceID", is_id)?;
    let from = named(headers, "Ssp-From", is_asid)?;
    named(headers, "Ssp-To", is_asid)?;
    named(headers, "Ssp-InteractionID", |id| id == INTERACTION)?;
    let authorization = headers.get(header::AUTHORIZATION);
    let authorization = authorization.ok_or_else(|| header_problem("Authorization"))?;
    negotiate::stu3_body(headers)?;
    negotiate::stu3_answer(headers, exchange.query.as_deref())?;
    let requester = requester(exchange, Token::read(authorization), from)?;
    let patient = patient(&parameters::scan(&exchange.body)?)?;
    let practice = match &exchange.practice {
        Some(Ok(practice)) => Some(practice.clone()),
        Some(Err(())) => return Err(no_such_practice()),
        None => None,
    };
    Ok(RelayRequest {
        id: exchange.id,
        patient,
        practice,
        body: exchange.body.clone(),
        trace: trace.to_owned(),
        requester: Arc::new(requester),
        deadline: exchange.deadline,
    })
}

fn requester(
    exchange: &Exchange,
    token: Result<Token, crate::identity::token::TokenFault>,
    from: &str,
) -> Result<Requester, Problem> {
    let settings = &exchange.edge.settings;
    let token = token.map_err(|fault| Problem::bad(fault.words()).naming("Authorization"))?;
    token.check(settings.clock.now().as_second())?;
    let requester = token.requester(settings.demo_requester.role);
    let unnamed = || Problem::resource("Authorization: requesting_practitioner", "It names nobody.");
    Ok(Requester { asid: Some(from.to_owned()), ..requester.ok_or_else(unnamed)? })
}

fn header_problem(name: &str) -> Problem {
    Problem::bad("The header is missing or not what it should be.").naming(name)
}

fn named<'h>(headers: &'h HeaderMap, name: &str, fits: impl Fn(&str) -> bool) -> Result<&'h str, Problem> {
    text(headers, name).filter(|value| fits(value)).ok_or_else(|| header_problem(name))
}

/// It becomes the id of the Bundle.
fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn is_asid(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Exactly one patient; every other parameter is the GP system's to judge.
fn patient(document: &Document) -> Result<NhsNumber, Problem> {
    let mut patients = parameters::named(document).filter(|(name, _)| name == PATIENT);
    let (_, first) =
        patients.next().ok_or_else(|| Problem::parameter(PATIENT, "The parameter is missing."))?;
    if patients.next().is_some() {
        return Err(Problem::bad("The parameter may come once only.").naming(PATIENT));
    }
    let identifier = first
        .get("valueIdentifier")
        .ok_or_else(|| Problem::parameter(PATIENT, "The parameter takes a valueIdentifier."))?;
    parameters::nhs_number(PATIENT, identifier)
}

fn no_such_practice() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "No such practice is served here.")
        .coded(Spine::ORGANISATION)
}

/// The GP system's own answer.
pub(crate) fn from_answer(answer: RelayAnswer) -> Reply {
    let mut reply = reply(status(answer.status), FHIR_JSON, answer.body);
    set(&mut reply, "tributary-audit", &answer.audit);
    reply
}

/// A refusal as a GP Connect consumer knows it. No internals, no source's words.
pub(crate) fn from_refusal(refusal: Refusal) -> Problem {
    let failed = |status, text: &str| Problem::new(status, "processing", text).coded(Spine::INTERNAL);
    match refusal {
        Refusal::Denied(_) => {
            let text = "This requester may not see this record.";
            Problem::new(StatusCode::FORBIDDEN, "forbidden", text).coded(Spine::DENIED)
        }
        Refusal::AuditUnavailable => {
            let text = "The access cannot be recorded, so nothing may be shown.";
            failed(StatusCode::SERVICE_UNAVAILABLE, text).after(COME_BACK)
        }
        Refusal::Overloaded(wait) => {
            failed(StatusCode::SERVICE_UNAVAILABLE, "Too much is going on.").after(wait)
        }
        Refusal::Unlocated => {
            let text = "The patient's GP system could not be located.";
            failed(StatusCode::SERVICE_UNAVAILABLE, text).after(COME_BACK)
        }
        // A GP system says no more than this of a patient who may not be asked about.
        Refusal::Barred(_) => {
            let text = "No record of this patient can be given.";
            Problem::new(StatusCode::NOT_FOUND, "not-found", text).coded(Spine::PATIENT)
        }
        Refusal::NoSuchSource => no_such_practice(),
        Refusal::Source(fault) => from_fault(fault),
        Refusal::Internal => Problem::internal(),
    }
}

fn from_fault(fault: SourceFault) -> Problem {
    let failure = RelayFailure::of(fault.status());
    let (code, spine, text) = match failure {
        RelayFailure::NoRecord => {
            ("not-found", Spine::PATIENT, "The GP system holds no record of this patient.")
        }
        RelayFailure::NoConsent => {
            ("forbidden", Spine::CONSENT, "The patient has not consented to sharing the record.")
        }
        RelayFailure::TimedOut => ("processing", Spine::INTERNAL, "The GP system did not answer in time."),
        RelayFailure::Shed => {
            ("processing", Spine::INTERNAL, "The GP system takes no requests at the moment.")
        }
        RelayFailure::Failed => ("processing", Spine::INTERNAL, "The GP system could not be used."),
    };
    let problem = Problem::new(status(failure.http()), code, text).coded(spine);
    if failure == RelayFailure::Shed { problem.after(COME_BACK) } else { problem }
}

#[cfg(test)]
mod tests;
