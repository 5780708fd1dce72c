//! The viewer: `GET /`, `POST /record`, `POST /sign-out`, the style of its form.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, StatusCode};
use jiff::Timestamp;
use tributary_bounds::Problem;
use tributary_broker::{Answer, Pass, Refusal};
use tributary_model::{
    Deadline, Freshness, Handling, NhsNumber, Purpose, RecordForm, RecordRequest, Requester, Role,
    SectionSet, StreamId,
};
use tributary_viewer::{Growing, Reader, Unopened};

use super::record::from_refusal;
use super::{launch, looked, tour};
use crate::body::{Grown, ReplyBody};
use crate::exchange::{BoxFuture, Exchange, Reply, reply, set, status, text};
use crate::render::outcome::{Dialect, respond};
use crate::render::page::{self, Seat};
use crate::settings::Callers;

const NO_NUMBER: &str = "Enter an NHS number";
const FORM: &str = "application/x-www-form-urlencoded";

/// The search form; where nobody searches, what to do instead.
pub(crate) fn search(exchange: &Exchange) -> Reply {
    if matches!(exchange.edge.settings.callers, Callers::Launched(_)) {
        return launch::unopened(&exchange.edge, (&Method::GET, &exchange.headers), Unopened::Spent);
    }
    let patients = &exchange.edge.settings.demo_patients;
    page::framed(&exchange.edge, page::respond(StatusCode::OK, tributary_viewer::search(patients, None)))
}

/// The style of the search form, by its name. It holds nothing of anybody, and never changes under one name.
pub(crate) fn asset(exchange: Exchange, name: String) -> BoxFuture<Reply> {
    drop(exchange);
    Box::pin(async move { asset_of(&name) })
}

fn asset_of(name: &str) -> Reply {
    let Some((media, text)) = tributary_viewer::asset(name) else {
        let problem = Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this address.");
        return respond(Dialect::R4, problem);
    };
    let mut reply = reply(StatusCode::OK, media, text);
    set(&mut reply, "cache-control", "public, max-age=31536000, immutable");
    reply
}

/// The end of the work: the browser forgets what it holds of us.
pub(crate) fn signed_out(exchange: Exchange) -> BoxFuture<Reply> {
    Box::pin(async move { sign_out(&exchange) })
}

fn sign_out(exchange: &Exchange) -> Reply {
    if let Err(words) = same_site(exchange) {
        return page::respond(StatusCode::FORBIDDEN, tributary_viewer::failed(words));
    }
    let mut reply =
        page::framed(&exchange.edge, page::respond(StatusCode::OK, tributary_viewer::signed_out()));
    set(&mut reply, "clear-site-data", "\"cache\", \"cookies\", \"storage\"");
    reply
}

/// The record of the patient named in the form. The number travels in the body only: addresses are logged and
/// remembered.
pub(crate) fn viewed(exchange: Exchange) -> BoxFuture<Reply> {
    let edge = Arc::clone(&exchange.edge);
    Box::pin(async move { page::framed(&edge, record(exchange).await) })
}

/// The same, to be printed.
pub(crate) fn printed(mut exchange: Exchange) -> BoxFuture<Reply> {
    exchange.body = Bytes::from([&exchange.body[..], b"&print=1"].concat());
    viewed(exchange)
}

async fn record(exchange: Exchange) -> Reply {
    if let Err((status, words)) = allowed(&exchange) {
        return page::respond(status, tributary_viewer::failed(words));
    }
    if let (Some(_), Ok(patient)) = (&exchange.visit, asked(&exchange.body))
        && let Err(refused) = launch::same_patient(&exchange, patient).await
    {
        return refused;
    }
    if text(&exchange.headers, "sec-fetch-mode") == Some("navigate")
        && let Some(elsewhere) = elsewhere(&exchange)
    {
        return elsewhere;
    }
    asked_for(exchange).await
}

/// A browser writes the form that led to a page into its session file, and the address that it was sent on to: so it is
/// sent on to an address that says nothing, and is good for one look. Of a number that is none only that goes along.
fn elsewhere(exchange: &Exchange) -> Option<Reply> {
    if let Some(visit) = &exchange.visit {
        return Some(launch::next_page(exchange, visit));
    }
    let form = match asked(&exchange.body) {
        Ok(_) => std::str::from_utf8(&exchange.body).ok()?,
        Err(NO_NUMBER) => "",
        Err(_) => "nhs=0",
    };
    let sealed = exchange.edge.desk.seal_form(&exchange.requester, form)?;
    let mut reply = page::respond(StatusCode::SEE_OTHER, String::new());
    set(&mut reply, "location", &format!("/record/{sealed}"));
    Some(reply)
}

/// The record of the patient whose form such an address stands for.
pub(crate) fn sent_on(mut exchange: Exchange, sealed: String) -> BoxFuture<Reply> {
    Box::pin(async move {
        if let Err(words) = same_site(&exchange) {
            return page::respond(StatusCode::FORBIDDEN, tributary_viewer::failed(words));
        }
        let form = exchange.edge.desk.open_form(&exchange.requester, &sealed);
        let Some(form) = form.filter(|_| exchange.edge.house.looks.take(&sealed)) else {
            let words = "This address was good for one look, and for two minutes. Find the record again.";
            return page::respond(StatusCode::NOT_FOUND, tributary_viewer::failed(words));
        };
        exchange.body = Bytes::from(form);
        page::framed(&Arc::clone(&exchange.edge), asked_for(exchange).await)
    })
}

pub(super) async fn asked_for(exchange: Exchange) -> Reply {
    let patient = match asked(&exchange.body) {
        Ok(patient) => patient,
        Err(wrong) => {
            let patients = &exchange.edge.settings.demo_patients;
            return page::respond(StatusCode::BAD_REQUEST, tributary_viewer::search(patients, Some(wrong)));
        }
    };
    let requester = match tour::requester(&exchange, patient) {
        Ok(requester) => requester,
        Err(wrong) => return page::respond(StatusCode::BAD_REQUEST, tributary_viewer::failed(wrong)),
    };
    let role = requester.role;
    let is_print = is_print(&exchange);
    if says(&exchange.body, "live", "1") && !is_print {
        return grows(&exchange, patient, requester).await;
    }
    match exchange.edge.desk.answer_in_words(request(&exchange, patient, Arc::clone(&requester))).await {
        Ok((answer, view)) => {
            let desk = Arc::clone(&exchange.edge.desk);
            let mut seat = Seat::of(&requester, purpose(&exchange, role), &view);
            seat.all_originals = says(&exchange.body, "originals", "all");
            seat.carry = carried(&exchange, role);
            seat.looked = looked::rows(&exchange, patient, &requester).await;
            let mut bar = bar(&exchange, patient, (&seat.reader, &seat.carry));
            if is_print {
                bar = Some(bar.unwrap_or_default() + &tributary_viewer::printing(&seat.reader));
            }
            let page = tour::with_bar(bar.as_deref(), page::record(&answer, &view, &seat));
            from_answer(&answer, page).map(|body| body.disclosed(desk, answer.audit))
        }
        Err(refusal) => refused(refusal),
    }
}

/// What goes along when more is asked from a page: the visit, or what a demo's form had named.
fn carried(exchange: &Exchange, role: Role) -> Vec<(String, String)> {
    let Some(visit) = &exchange.visit else { return tour::carried(exchange, role) };
    let sealed = exchange.edge.desk.seal_visit(Pass::Page, visit);
    sealed.map(|sealed| (launch::VISIT.to_owned(), sealed)).into_iter().collect()
}

/// What stands before the record.
fn bar(
    exchange: &Exchange,
    patient: NhsNumber,
    (reader, carry): (&Reader, &[(String, String)]),
) -> Option<String> {
    if exchange.visit.is_none() {
        return tour::bar(exchange, patient, reader.role);
    }
    let own = [("nhs".to_owned(), patient.expose().to_owned())];
    let fields: Vec<_> = own.into_iter().chain(carry.iter().cloned()).collect();
    Some(tributary_viewer::launched(reader, &fields))
}

/// The same, in one body that grows as the sources answer: the script places what comes later.
async fn grows(exchange: &Exchange, patient: NhsNumber, requester: Arc<Requester>) -> Reply {
    let asked = request(exchange, patient, Arc::clone(&requester));
    let asked = RecordRequest { form: RecordForm::Lines, ..asked };
    let moments = match exchange.edge.desk.stream(asked, (StreamId::random(), None)).await {
        Ok(moments) => moments,
        Err(refusal) => return refused(refusal),
    };
    let role = requester.role;
    let (carry, purpose) = (carried(exchange, role), purpose(exchange, role));
    let all_originals = says(&exchange.body, "originals", "all");
    let looked = looked::rows(exchange, patient, &requester).await;
    let bar = bar(exchange, patient, (&page::reader(&requester, purpose, Timestamp::UNIX_EPOCH), &carry));
    let begun = (moments, Growing::default(), None);
    let parts = futures_util::stream::unfold(begun, move |(mut moments, mut growing, seat)| {
        let (requester, carry, bar, looked) =
            (Arc::clone(&requester), carry.clone(), bar.clone(), looked.clone());
        async move {
            let Ok(moment) = tokio::time::timeout(Growing::ALIVE_EVERY, moments.next()).await else {
                return Some((Grown::idle(Growing::ALIVE.as_bytes()), (moments, growing, seat)));
            };
            // A refusal ends the body before its end: the script sees that, and says so.
            let moment = moment?.ok()?;
            let is_first = seat.is_none();
            let own = || Seat { carry, all_originals, looked, ..Seat::of(&requester, purpose, &moment.view) };
            let seat = seat.unwrap_or_else(own);
            let text = page::grown(&mut growing, &moment, &seat);
            let text = if is_first { tour::with_bar(bar.as_deref(), text) } else { text };
            let part = Grown { bytes: Bytes::from(text), audit: Some(moment.audit), lease: moment.lease };
            Some((part, (moments, growing, Some(seat))))
        }
    });
    let mut reply = page::respond(StatusCode::OK, String::new());
    *reply.body_mut() = ReplyBody::growing(Arc::clone(&exchange.edge.desk), parts.boxed());
    set(&mut reply, "x-accel-buffering", "no");
    reply
}

/// A form of another site must not make this browser look a patient up.
pub(super) fn allowed(exchange: &Exchange) -> Result<(), (StatusCode, &'static str)> {
    same_site(exchange).map_err(|words| (StatusCode::FORBIDDEN, words))?;
    let media = text(&exchange.headers, "content-type").unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(FORM) {
        Ok(())
    } else {
        Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "The form was not sent as a form."))
    }
}

fn same_site(exchange: &Exchange) -> Result<(), &'static str> {
    let site = text(&exchange.headers, "sec-fetch-site");
    let is_ours = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    if is_ours { Ok(()) } else { Err("The request came from another site.") }
}

pub(super) fn asked(body: &[u8]) -> Result<NhsNumber, &'static str> {
    let mut numbers = url::form_urlencoded::parse(body).filter(|(key, _)| key == "nhs");
    let number = match (numbers.next(), numbers.next()) {
        (Some((_, number)), None) if !number.trim().is_empty() => number,
        _ => return Err(NO_NUMBER),
    };
    NhsNumber::parse(number.trim())
        .map_err(|_| "Enter a real NHS number: 10 digits, the last one checks the others")
}

/// Whether a field of the form has exactly this value.
fn says(body: &[u8], field: &str, value: &str) -> bool {
    url::form_urlencoded::parse(body).any(|(key, found)| key == field && found == value)
}

/// What for: as the system said that sent somebody here. Nobody cares for themselves: patients ask to see what is on
/// record.
fn purpose(exchange: &Exchange, role: Role) -> Purpose {
    let usual = if role == Role::Patient { Purpose::PatientAccess } else { Purpose::DirectCare };
    exchange.visit.as_ref().map_or(usual, |visit| visit.purpose)
}

/// How long a reader whose page cannot grow waits: then it comes with what is there, and who is missing can be asked
/// again.
const WHOLE_WITHIN: Duration = Duration::from_secs(3);

fn is_print(exchange: &Exchange) -> bool {
    says(&exchange.body, "print", "1")
}

/// By when the answer is wanted. The script says that it can place what comes later.
fn deadline(exchange: &Exchange) -> Deadline {
    // What is printed waits for everybody: nothing can be added to paper.
    let waits = says(&exchange.body, "live", "1") || is_print(exchange);
    if waits { exchange.deadline } else { exchange.deadline.capped(WHOLE_WITHIN) }
}

fn request(exchange: &Exchange, patient: NhsNumber, requester: Arc<Requester>) -> RecordRequest {
    RecordRequest {
        id: exchange.id,
        patient,
        sections: SectionSet::all(),
        since: None,
        purpose: purpose(exchange, requester.role),
        relationship: requester.relationship_to(patient),
        break_glass: None,
        requester,
        deadline: deadline(exchange),
        handling: Handling::Lenient,
        freshness: Freshness::Allowed,
        form: if is_print(exchange) { RecordForm::Print } else { RecordForm::R4 },
        public_root: exchange.edge.public_root(),
    }
}

/// The page of an answer, with the headers of the API.
pub(crate) fn from_answer(answer: &Answer, page: String) -> Reply {
    let mut reply = page::respond(status(answer.verdict.http()), page);
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
