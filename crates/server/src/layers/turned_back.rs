//! Refuses for load on the word of the head: before the onion, the body, the token and the log line.
//!
//! A storm is refusals, thousands a second, and each of them takes its cost from somebody who is served. Nothing is
//! decided here that the door behind identity would decide otherwise (`tributary_bounds::Claim`); nothing has been
//! disclosed and no source was asked, so there is nothing to put on record. It is counted as every request is, and the
//! log tells of all of them in one line a second.

use std::future::ready;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use tributary_bounds::{Caller, Claim, Crowded, come_back, retry_seconds};
use tributary_identity::Certificate;
use tributary_model::Priority;

use super::HEALTH;
use super::admit::{Asked, problem, reason};
use super::bounds::read;
use super::head::refused;
use super::observe::Name;
use crate::exchange::{BoxFuture, Edge, FHIR_JSON, Inbound, Reply, reply};
use crate::identity::system;
use crate::listener::Whole;
use crate::render::outcome::{Dialect, respond};
use crate::routes;
use crate::settings::Callers;

/// A refusal that is made before anybody asks.
type Made = (StatusCode, Bytes);

/// By dialect, who is over their share and who finds all taken.
static MADE: LazyLock<[[Made; 2]; 2]> = LazyLock::new(|| {
    [Dialect::R4, Dialect::GpConnect].map(|dialect| {
        [Crowded::OverShare, Crowded::Full].map(|crowded| {
            let reply = respond(dialect, problem(crowded));
            (reply.status(), reply.body().bytes())
        })
    })
});

fn made(dialect: Dialect, crowded: Crowded) -> Made {
    let [[r4_share, r4_full], [gp_share, gp_full]] = &*MADE;
    let made = match (dialect, crowded) {
        (Dialect::R4, Crowded::OverShare) => r4_share,
        (Dialect::R4, Crowded::Full) => r4_full,
        (Dialect::GpConnect, Crowded::OverShare) => gp_share,
        (Dialect::GpConnect, Crowded::Full) => gp_full,
    };
    made.clone()
}

/// Why a request gets no further.
pub(crate) struct TurnedBack(Crowded);

/// Whether a request is refused on the word of its head.
pub(crate) fn turned_back(edge: &Edge, request: &Request<Inbound>) -> Option<TurnedBack> {
    // Whether we live is told in any case, and what hyper was given in place of a bad head has its own answer.
    if HEALTH.contains(&request.uri().path()) || refused(request).is_some() {
        return None;
    }
    let claim = claim(edge, request)?;
    edge.house.admission.turns_back(&claim, edge.desk.behind()).map(TurnedBack)
}

/// What the head can claim at most. Nothing where it has to be answered otherwise.
fn claim(edge: &Edge, request: &Request<Inbound>) -> Option<Claim> {
    let headers = request.headers();
    let asked = Asked::of(headers).ok()?;
    match &edge.settings.callers {
        Callers::Believed => {
            let demo = &edge.settings.demo_requester;
            if headers.contains_key(header::AUTHORIZATION) {
                return Some(Claim::Within(asked.lowers(demo.priority.max(Priority::of(demo.role)))));
            }
            let priority = asked.lowers(demo.priority);
            Some(Claim::Of(Caller { organisation: demo.organisation.clone(), priority }))
        }
        Callers::Proven(gate) => {
            let certificate = request.extensions().get::<Arc<Certificate>>()?;
            let consumer = gate.consumer(Some(certificate), edge.settings.clock.now()).ok()?;
            Some(Claim::Within(asked.lowers(consumer.most_urgent())))
        }
        Callers::GpConnect(gate) => {
            let certificate = request.extensions().get::<Arc<Certificate>>()?;
            let consumer = gate.consumer(Some(certificate), edge.settings.clock.now()).ok()?;
            let system = system(consumer).ok()?;
            let priority = asked.lowers(system.priority);
            Some(Claim::Of(Caller { organisation: system.organisation, priority }))
        }
        // A browser is told by a page, and a head of its says nothing of who sends it.
        Callers::Launched(_) => None,
    }
}

impl TurnedBack {
    /// The answer: at once, where all of the request has arrived or need not arrive.
    pub(crate) fn told(self, edge: &Arc<Edge>, request: Request<Inbound>) -> BoxFuture<Reply> {
        let reply = self.reply(edge, &request);
        // A stream of HTTP/2 ends without its neighbours.
        let is_alone = request.version() >= Version::HTTP_2;
        if is_alone || request.extensions().get::<Whole>().is_some() {
            return Box::pin(ready(reply));
        }
        let (head, body) = request.into_parts();
        if head.headers.contains_key(header::EXPECT) {
            // It waits for our leave to send its body, and does not get it.
            return Box::pin(ready(closing(reply)));
        }
        // Closed under what is still being sent, the connection would be reset and the answer lost.
        let edge = Arc::clone(edge);
        Box::pin(async move {
            let rest = read(&edge.settings.limits, &HeaderMap::new(), body).await;
            if rest.is_ok() { reply } else { closing(reply) }
        })
    }

    fn reply(&self, edge: &Edge, request: &Request<Inbound>) -> Reply {
        let Self(crowded) = *self;
        let path = request.uri().path();
        let (status, body) = made(Dialect::of(path), crowded);
        let mut reply = reply(status, FHIR_JSON, body);
        let headers = reply.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_seconds(come_back())));
        Name::of(request.headers()).onto(edge, headers);
        edge.metrics.shed(reason(crowded));
        edge.metrics.http_request(routes::template(path), request.method().as_str(), status.as_u16(), 0.0);
        reply
    }
}

fn closing(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}
