//! `/demo` and what is below it: the tour of a demo, and the roles that its visitors try on.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use tributary_bounds::Problem;
use tributary_model::{NhsNumber, Priority, Requester, Role};

use super::page::allowed;
use crate::exchange::{BoxFuture, Exchange, Reply, reply, set};
use crate::render::outcome::{Dialect, respond};
use crate::render::page;
use crate::settings::Callers;
use crate::tour::{Guide, TourAsk, TourForm, TourReply};

/// Begins the part of a page that the bar is put before. Words are escaped, so this is always markup.
const MAIN: &str = "<main";

/// The first page.
pub(crate) fn first(exchange: Exchange) -> BoxFuture<Reply> {
    read(exchange, String::new())
}

/// A page that is only read.
pub(crate) fn read(exchange: Exchange, step: String) -> BoxFuture<Reply> {
    Box::pin(async move { told(&exchange, TourAsk { step, form: None }).await })
}

/// A step that does something, or tells of one patient.
pub(crate) fn taken(exchange: Exchange, step: String) -> BoxFuture<Reply> {
    Box::pin(step_taken(exchange, step))
}

async fn step_taken(exchange: Exchange, step: String) -> Reply {
    if guide(&exchange).is_some()
        && let Err((status, words)) = allowed(&exchange)
    {
        return respond(Dialect::R4, Problem::new(status, "forbidden", words));
    }
    let form = Some(form(&exchange.body));
    told(&exchange, TourAsk { step, form }).await
}

async fn told(exchange: &Exchange, ask: TourAsk) -> Reply {
    let said = match guide(exchange) {
        Some(guide) => guide.tell(ask).await,
        None => TourReply::Unknown,
    };
    match said {
        TourReply::Page(html) => page::respond(StatusCode::OK, html),
        TourReply::Style(css) => kept(reply(StatusCode::OK, "text/css; charset=utf-8", css)),
        TourReply::Script(js) => kept(reply(StatusCode::OK, "text/javascript; charset=utf-8", js)),
        TourReply::Record => {
            // 307 sends the form again, so that no address names a patient.
            let mut reply = reply(StatusCode::TEMPORARY_REDIRECT, "text/plain; charset=utf-8", "");
            reply.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/record"));
            reply
        }
        TourReply::Unknown => {
            let problem =
                Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this address.");
            respond(Dialect::R4, problem)
        }
    }
}

/// Style and script are the same under each page of a tour, and hold nothing of anybody: who asked for them anew would
/// make every record wait for another turn of the line.
fn kept(mut reply: Reply) -> Reply {
    set(&mut reply, "cache-control", "public, max-age=600");
    reply
}

/// Only where everybody is believed, and only where the wiring has handed one in.
fn guide(exchange: &Exchange) -> Option<&dyn Guide> {
    let settings = &exchange.edge.settings;
    let tour = settings.tour.as_ref().filter(|_| matches!(settings.callers, Callers::Believed));
    tour.map(|tour| &*tour.0)
}

fn form(body: &[u8]) -> TourForm {
    let field = |name: &str| {
        let mut fields = url::form_urlencoded::parse(body);
        fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    TourForm {
        patient: field("nhs").and_then(|number| NhsNumber::parse(number.trim()).ok()),
        role: field("role").and_then(|code| Role::from_code(&code)),
        source: field("source"),
    }
}

/// Who asks for a record: in a demo with a tour, in the role that the form names. An empty field means the role of the
/// patient's story, none the demo's own requester.
pub(crate) fn requester(exchange: &Exchange, patient: NhsNumber) -> Result<Arc<Requester>, &'static str> {
    let own = Arc::clone(&exchange.requester);
    let mut roles = url::form_urlencoded::parse(&exchange.body).filter(|(key, _)| key == "role");
    let (Some(guide), Some((_, code))) = (guide(exchange), roles.next()) else { return Ok(own) };
    let role = match code.as_ref() {
        "" => guide.role_of(patient),
        code => Some(Role::from_code(code).ok_or("Choose one of the roles")?),
    };
    let Some(role) = role else { return Ok(own) };
    let priority = exchange.asked.lowers(Priority::of(role));
    Ok(Arc::new(Requester { role, priority, ..Requester::clone(&own) }))
}

/// What goes along when a source is asked again from a page: the role, where the form had named one.
pub(crate) fn carried(exchange: &Exchange, role: Role) -> Vec<(String, String)> {
    let role = guide(exchange).map(|_| ("role".to_owned(), role.code().to_owned()));
    role.into_iter().collect()
}

/// The bar of the tour, where there is one.
pub(crate) fn bar(exchange: &Exchange, patient: NhsNumber, role: Role) -> Option<String> {
    guide(exchange).map(|guide| guide.bar(patient, role))
}

/// The page of a record with the bar.
pub(crate) fn with_bar(bar: Option<&str>, page: String) -> String {
    match bar {
        Some(bar) => page.replacen(MAIN, &format!("{bar}{MAIN}"), 1),
        None => page,
    }
}
