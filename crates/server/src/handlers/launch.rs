//! `POST /launch`, `GET /launch/{visit}`: another system opens the page of one patient for one person.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tributary_bounds::{Problem, opens_a_page, reads_pages};
use tributary_broker::{Pass, TurnedAway, Visit};
use tributary_fhir::Writer;
use tributary_model::{NhsNumber, SectionSet};
use tributary_telemetry::LaunchOutcome;
use tributary_viewer::Unopened;

use super::{attachment, page, parameters, record};
use crate::exchange::{BoxFuture, Edge, Exchange, JSON, Reply, reply, set, text};
use crate::negotiate;
use crate::render::outcome::{Dialect, respond};
use crate::render::page::{framed, respond as show};

/// Where launches are posted.
pub(crate) const PATH: &str = "/launch";
/// The field of a signed form.
pub(crate) const TOKEN: &str = "launch";
/// The field in which the pages of a visit show it.
pub(crate) const VISIT: &str = "visit";
/// The fields of the page that a visit begins with: it grows.
pub(crate) const FIRST_PAGE: &str = "live=1";
/// The field that names an attachment.
const LINK: &str = "link";
/// How long an address opens a page, in seconds, as callers are told.
const LASTS_SECS: u64 = 60;
/// What else the pages of a visit may ask for.
const KEPT: &[&str] = &["live", "originals", "print"];

fn problem(why: Unopened) -> Problem {
    let status = StatusCode::from_u16(why.http()).unwrap_or(StatusCode::FORBIDDEN);
    Problem::new(status, why.issue(), why.words())
}

/// A page that is not opened: for a browser a page that says why, for a program an outcome. What a form led to is kept
/// in the session file of a browser together with that form, so a form leads on to an address of its own.
pub(crate) fn unopened(edge: &Edge, (method, headers): (&Method, &HeaderMap), why: Unopened) -> Reply {
    let problem = problem(why);
    if !reads_pages(|name| text(headers, name)) {
        return respond(Dialect::R4, problem);
    }
    if *method == Method::POST {
        return sent_to(&format!("/refused/{}", why.code()));
    }
    framed(edge, show(problem.status, tributary_viewer::not_launched(why)))
}

/// `GET /refused/{why}`: the page for a form that opened nothing.
pub(crate) fn refused(exchange: Exchange, code: String) -> BoxFuture<Reply> {
    Box::pin(async move {
        let why = Unopened::from_code(&code).unwrap_or(Unopened::Spent);
        unopened(&exchange.edge, (&Method::GET, &exchange.headers), why)
    })
}

fn sent_to(address: &str) -> Reply {
    let mut reply = show(StatusCode::SEE_OTHER, String::new());
    set(&mut reply, "location", address);
    reply
}

/// The first value of a form's field; nothing where it comes twice.
pub(crate) fn field(body: &[u8], name: &str) -> Option<String> {
    let mut found = url::form_urlencoded::parse(body).filter(|(key, _)| key == name).map(|(_, value)| value);
    let (first, second) = (found.next(), found.next());
    first.filter(|value| second.is_none() && !value.is_empty()).map(std::borrow::Cow::into_owned)
}

/// `GET /launch`: nothing is launched by an address that says for whom.
pub(crate) fn by_address(exchange: &Exchange) -> Reply {
    unopened(&exchange.edge, (&Method::GET, &exchange.headers), Unopened::InTheAddress)
}

/// `POST /launch`: by a system, which is given an address, or by a browser, which is sent on to it.
pub(crate) fn offered(exchange: Exchange) -> BoxFuture<Reply> {
    Box::pin(async move {
        let edge = Arc::clone(&exchange.edge);
        if exchange.query.is_some() {
            return unopened(&edge, (&Method::POST, &exchange.headers), Unopened::InTheAddress);
        }
        match &exchange.visit {
            Some(visit) => taken(&exchange, visit).await,
            None => offer(&exchange).await.unwrap_or_else(|problem| respond(Dialect::R4, problem)),
        }
    })
}

/// A signed form becomes an address that says nothing.
async fn taken(exchange: &Exchange, visit: &Visit) -> Reply {
    match exchange.edge.desk.offer(visit.clone(), exchange.id, exchange.deadline).await {
        Ok(offer) => {
            exchange.edge.metrics.launch(LaunchOutcome::Taken);
            sent_to(&format!("{PATH}/{}", offer.sealed))
        }
        Err(refusal) => {
            let why = Unopened::of_status(record::from_refusal(refusal).status.as_u16());
            unopened(&exchange.edge, (&Method::POST, &exchange.headers), why)
        }
    }
}

/// What a system asks for, in the words of a record request.
async fn offer(exchange: &Exchange) -> Result<Reply, Problem> {
    negotiate::r4_body(&exchange.headers)?;
    let nobody = || Problem::new(StatusCode::NOT_FOUND, "not-supported", "Nobody is sent to pages here.");
    let root = exchange.edge.settings.launch_base_url.as_ref().ok_or_else(nobody)?;
    let asked = parameters::read(&exchange.body)?;
    if asked.break_glass.is_some() {
        let words = "Whoever breaks the glass does it themselves, and not by being sent here.";
        return Err(Problem::parameter("breakGlass", words));
    }
    if asked.since.is_some() || asked.sections != SectionSet::all() {
        return Err(Problem::parameter("section", "A page shows the whole record that its reader may see."));
    }
    let visit = Visit {
        requester: Arc::clone(&exchange.requester),
        patient: asked.patient,
        purpose: asked.purpose,
        began: exchange.edge.desk.visit_begins(),
        page: FIRST_PAGE.to_owned(),
    };
    let offer = exchange.edge.desk.offer(visit, exchange.id, exchange.deadline).await;
    let offer = offer.map_err(record::from_refusal)?;
    exchange.edge.metrics.launch(LaunchOutcome::Offered);
    let mut json = Writer::default();
    json.object(|body| {
        body.text("address", &format!("{}{PATH}/{}", root.trim_end_matches('/'), offer.sealed));
        body.key("lastsSecs").number(LASTS_SECS);
    });
    let mut reply = reply(StatusCode::CREATED, JSON, json.finish());
    set(&mut reply, "tributary-audit", &offer.audit);
    Ok(reply)
}

/// `GET /launch/{visit}`: the page that it opens, once.
pub(crate) fn opened(exchange: Exchange, sealed: String) -> BoxFuture<Reply> {
    Box::pin(async move {
        let edge = Arc::clone(&exchange.edge);
        let Some(visit) = exchange.visit.as_ref().map(Arc::clone) else {
            return unopened(&edge, (&Method::GET, &exchange.headers), Unopened::Spent);
        };
        let opening = if !opens_a_page(|name| text(&exchange.headers, name)) {
            Err((LaunchOutcome::NotAPage, Unopened::NotAPage))
        } else if !edge.house.looks.take(&sealed) {
            Err((LaunchOutcome::Used, Unopened::Spent))
        } else {
            Ok(())
        };
        if let Err((outcome, why)) = opening {
            edge.metrics.launch(outcome);
            edge.desk.turned_away(exchange.id, TurnedAway::Launch(Some(visit.patient))).await;
            return unopened(&edge, (&Method::GET, &exchange.headers), why);
        }
        edge.metrics.launch(LaunchOutcome::Opened);
        framed(&edge, looked_at(exchange, &visit).await)
    })
}

async fn looked_at(mut exchange: Exchange, visit: &Visit) -> Reply {
    if let Some(link) = field(visit.page.as_bytes(), LINK) {
        return attachment::attachment(exchange, link).await;
    }
    exchange.body = Bytes::from(format!("{}&nhs={}", visit.page, visit.patient.expose()));
    page::asked_for(exchange).await
}

/// A form of a page of the visit, which asks for its next page: sent on to an address that says nothing.
pub(super) fn next_page(exchange: &Exchange, visit: &Visit) -> Reply {
    let fields = url::form_urlencoded::parse(&exchange.body).filter(|(key, _)| KEPT.contains(&key.as_ref()));
    let page = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    onward(exchange, &Visit { page, ..visit.clone() })
}

/// `POST /document`: what is attached to the record that a visit is about.
pub(crate) fn document(exchange: Exchange) -> BoxFuture<Reply> {
    Box::pin(async move {
        if let Err((status, words)) = page::allowed(&exchange) {
            return show(status, tributary_viewer::failed(words));
        }
        let (Some(visit), Some(link)) = (&exchange.visit, field(&exchange.body, LINK)) else {
            return unopened(&exchange.edge, (&Method::POST, &exchange.headers), Unopened::Spent);
        };
        let page = url::form_urlencoded::Serializer::new(String::new()).append_pair(LINK, &link).finish();
        onward(&exchange, &Visit { page, ..Visit::clone(visit) })
    })
}

fn onward(exchange: &Exchange, visit: &Visit) -> Reply {
    match exchange.edge.desk.seal_visit(Pass::Launch, visit) {
        Some(sealed) => sent_to(&format!("{PATH}/{sealed}")),
        None => unopened(&exchange.edge, (&Method::POST, &exchange.headers), Unopened::Spent),
    }
}

/// Refuses what a page of a visit asks about anybody else than its patient.
pub(super) async fn same_patient(exchange: &Exchange, asked: NhsNumber) -> Result<(), Reply> {
    let Some(visit) = exchange.visit.as_ref().filter(|visit| visit.patient != asked) else { return Ok(()) };
    exchange.edge.metrics.launch(LaunchOutcome::OtherPatient);
    exchange.edge.desk.turned_away(exchange.id, TurnedAway::Launch(Some(visit.patient))).await;
    Err(unopened(&exchange.edge, (&Method::POST, &exchange.headers), Unopened::Forbidden))
}
