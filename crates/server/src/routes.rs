//! Every route of the data listener. A route that is not in this table does not exist.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use matchit::Router;
use tributary_bounds::Problem;
use tributary_model::Redacted;

use crate::exchange::{BoxFuture, Edge, Exchange, Reply};
use crate::gpconnect::{self, Address, Proxied};
use crate::handlers::{
    attachment, health, launch, looked, metadata, openapi, page, record, sources, summary, tour,
};
use crate::render::outcome::{Dialect, respond};

/// What answers a route.
#[derive(Clone, Copy)]
enum Handler {
    /// From what is at hand.
    Tell(fn(&Exchange) -> Reply),
    /// After asking the broker.
    Ask(fn(Exchange) -> BoxFuture<Reply>),
    /// The same, about what the last part of the path names.
    AskOf(fn(Exchange, String) -> BoxFuture<Reply>),
}

/// One route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) pattern: &'static str,
    handler: Handler,
}

const fn get(pattern: &'static str, tell: fn(&Exchange) -> Reply) -> Route {
    Route { method: Method::GET, pattern, handler: Handler::Tell(tell) }
}

const fn post(pattern: &'static str, ask: fn(Exchange) -> BoxFuture<Reply>) -> Route {
    Route { method: Method::POST, pattern, handler: Handler::Ask(ask) }
}

const fn get_one(pattern: &'static str, ask: fn(Exchange, String) -> BoxFuture<Reply>) -> Route {
    Route { method: Method::GET, pattern, handler: Handler::AskOf(ask) }
}

const fn ask(pattern: &'static str, ask: fn(Exchange) -> BoxFuture<Reply>) -> Route {
    Route { method: Method::GET, pattern, handler: Handler::Ask(ask) }
}

const fn post_one(pattern: &'static str, ask: fn(Exchange, String) -> BoxFuture<Reply>) -> Route {
    Route { method: Method::POST, pattern, handler: Handler::AskOf(ask) }
}

fn attached(exchange: Exchange, link: String) -> BoxFuture<Reply> {
    Box::pin(attachment::attachment(exchange, link))
}

fn merged(exchange: Exchange) -> BoxFuture<Reply> {
    Box::pin(record::record(exchange))
}

fn merged_stu3(exchange: Exchange) -> BoxFuture<Reply> {
    Box::pin(record::record_stu3(exchange))
}

fn summed_up(exchange: Exchange) -> BoxFuture<Reply> {
    Box::pin(summary::summary(exchange, None))
}

fn summed_up_of(exchange: Exchange, number: String) -> BoxFuture<Reply> {
    Box::pin(summary::summary(exchange, Some(Redacted::new(number))))
}

fn told(exchange: Exchange) -> BoxFuture<Reply> {
    Box::pin(looked::looked(exchange))
}

/// The table, but for what lies below GP Connect roots.
pub(crate) const TABLE: &[Route] = &[
    post("/fhir/R4/Patient/$record", merged),
    get_one("/fhir/R4/Binary/{link}", attached),
    post("/fhir/R4/Patient/$summary", summed_up),
    get_one("/fhir/R4/Patient/{nhs}/$summary", summed_up_of),
    get("/fhir/R4/metadata", metadata::r4),
    post("/fhir/STU3/Patient/$record", merged_stu3),
    get("/fhir/STU3/metadata", metadata::stu3),
    get("/sources", sources::sources),
    get("/_ping", health::ping),
    get("/_status", health::status),
    get("/openapi.yaml", openapi::openapi),
    get("/", page::search),
    post("/record", page::viewed),
    get_one("/record/{look}", page::sent_on),
    get_one("/viewer/{asset}", page::asset),
    post("/print", page::printed),
    post("/sign-out", page::signed_out),
    post("/launch", launch::offered),
    get("/launch", launch::by_address),
    get_one("/launch/{visit}", launch::opened),
    post("/document", launch::document),
    get_one("/refused/{why}", launch::refused),
    post("/looked", told),
    ask("/demo", tour::first),
    get_one("/demo/{step}", tour::read),
    post_one("/demo/{step}", tour::taken),
];

/// What logs and metrics call a path that matches nothing.
pub(crate) const UNMATCHED: &str = "unmatched";

type Found = (&'static str, Vec<&'static Route>);

static ROUTER: LazyLock<Router<Found>> = LazyLock::new(router);

fn router() -> Router<Found> {
    let mut router = Router::new();
    for route in TABLE {
        let same: Vec<_> = TABLE.iter().filter(|other| other.pattern == route.pattern).collect();
        // A pattern with two methods comes twice; the second insertion changes nothing. That no two patterns
        // clash is a test.
        let _known_already = router.insert(route.pattern, (route.pattern, same));
    }
    router
}

/// Some clients escape the dollar sign of operations; nothing else is undone.
fn plain(path: &str) -> String {
    path.replace("%24", "$")
}

/// The pattern a path matches, for logs and metrics.
pub(crate) fn template(path: &str) -> &'static str {
    let path = plain(path);
    gpconnect::template(&path).unwrap_or_else(|| ROUTER.at(&path).map_or(UNMATCHED, |found| found.value.0))
}

/// The name of a method; the caller's own words never reach a log.
pub(crate) fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "other",
    }
}

/// Finds the route and lets it answer.
pub(crate) async fn dispatch(edge: Arc<Edge>, request: Request<Bytes>) -> Result<Reply, Infallible> {
    let dialect = Dialect::of(request.uri().path());
    let path = plain(request.uri().path());
    let method = request.method().clone();
    let speaks = edge.settings.callers.speaks();
    if speaks.gp_connect && edge.settings.spine_position && Proxied::is_it(&path) {
        let Some(exchange) = Exchange::of(edge, request) else {
            return Ok(respond(dialect, Problem::internal()));
        };
        return Ok(gpconnect::serve_proxied(exchange, method, path).await);
    }
    if speaks.gp_connect && Address::of(&path).is_some() {
        let Some(exchange) = Exchange::of(edge, request) else {
            return Ok(respond(dialect, Problem::internal()));
        };
        return Ok(gpconnect::serve(exchange, method, path).await);
    }
    let found = ROUTER.at(&path).ok().filter(|found| speaks.has(found.value.0));
    let Some(found) = found else {
        return Ok(respond(dialect, not_found()));
    };
    let (_, routes) = found.value;
    let Some(route) = routes.iter().find(|route| route.method == request.method()) else {
        return Ok(respond(dialect, not_allowed(routes)));
    };
    let named = found.params.iter().next().map(|(_, value)| value.to_owned()).unwrap_or_default();
    let Some(exchange) = Exchange::of(edge, request) else {
        return Ok(respond(dialect, Problem::internal()));
    };
    Ok(match route.handler {
        Handler::Tell(tell) => tell(&exchange),
        Handler::Ask(ask) => ask(exchange).await,
        Handler::AskOf(ask) => ask(exchange, named).await,
    })
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this address.")
}

fn not_allowed(routes: &[&Route]) -> Problem {
    let methods: Vec<_> = routes.iter().map(|route| known(&route.method)).collect();
    let allow = HeaderValue::from_str(&methods.join(", "));
    let text = "This address does not take this method.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", text)
        .with(header::ALLOW, allow.unwrap_or_else(|_| HeaderValue::from_static("")))
}
