//! `$summary` of the International Patient Summary: by `Parameters`, or by the NHS number in the path.

use std::sync::Arc;

use http::StatusCode;
use tributary_bounds::{Problem, Spine};
use tributary_broker::SUMMARY_SECTIONS;
use tributary_model::{NhsNumber, Purpose, RecordForm, RecordRequest, Redacted};

use super::parameters::summary::{Asked, check_profile, read};
use super::record::{answer, freshness, handling};
use crate::exchange::{Exchange, Reply};
use crate::negotiate;

/// Answers one request for a summary, of the patient that the path names or the body.
pub(crate) async fn summary(exchange: Exchange, named: Option<Redacted<String>>) -> Reply {
    let request = request(&exchange, named.as_ref());
    answer(exchange, request).await
}

fn request(exchange: &Exchange, named: Option<&Redacted<String>>) -> Result<RecordRequest, Problem> {
    if named.is_none() {
        negotiate::r4_body(&exchange.headers)?;
    }
    negotiate::r4_answer(&exchange.headers, exchange.query.as_deref())?;
    check_query(exchange.query.as_deref())?;
    let asked = match named {
        Some(number) => Asked { patient: of_path(number)?, purpose: Purpose::DirectCare, break_glass: None },
        None => read(&exchange.body)?,
    };
    Ok(RecordRequest {
        id: exchange.id,
        patient: asked.patient,
        sections: SUMMARY_SECTIONS,
        since: None,
        purpose: asked.purpose,
        relationship: exchange.requester.relationship_to(asked.patient),
        break_glass: asked.break_glass,
        requester: Arc::clone(&exchange.requester),
        deadline: exchange.deadline,
        handling: handling(&exchange.headers),
        freshness: freshness(&exchange.headers),
        form: RecordForm::Summary,
        public_root: exchange.edge.public_root(),
    })
}

/// The NHS number of the path: ten digits, nothing between them.
fn of_path(number: &Redacted<String>) -> Result<NhsNumber, Problem> {
    let ten = Some(number.expose().as_str()).filter(|number| number.len() == 10);
    let number = ten.and_then(|number| NhsNumber::parse(number).ok());
    number.ok_or_else(|| {
        let text = "The path does not name a valid NHS number.";
        Problem::new(StatusCode::BAD_REQUEST, "value", text).coded(Spine::NHS_NUMBER).naming("id")
    })
}

/// A query may choose the profile and the format. A patient is never taken from it: addresses are logged on
/// their way.
fn check_query(query: Option<&str>) -> Result<(), Problem> {
    for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match key.as_ref() {
            "profile" => check_profile(&value)?,
            "_format" | "_pretty" => {}
            _ => return Err(Problem::parameter("query", "It takes profile and _format only.")),
        }
    }
    Ok(())
}
