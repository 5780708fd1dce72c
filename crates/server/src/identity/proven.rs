//! Callers who prove who they are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tower::ServiceExt as _;
use tributary_bounds::{Problem, Spine};
use tributary_broker::TurnedAway;
use tributary_identity::{Certificate, Consumer, Gate, Profile, Refused, Tokens, Told};
use tributary_model::requester::Assurance;
use tributary_model::{Priority, RequestId, Requester, SpineIds};

use crate::exchange::{Edge, Next, Reply, text};
use crate::layers::HEALTH;
use crate::render::outcome::{Dialect, respond};

/// Holds the person's id token of CIS2.
const USER_TOKEN: &str = "tributary-user-token";
/// When to try again whom we cannot judge now: as long as a failed fetch of keys is left alone.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// A system that is proven by its certificate.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) certificate: Arc<Certificate>,
}

/// A certificate and a signed token.
pub(super) async fn signed(
    edge: &Edge,
    gate: &Gate,
    mut request: Request<Bytes>,
    next: Next<Bytes>,
) -> Reply {
    if is_health(&request) {
        return pass(request, next).await;
    }
    match requester(edge, gate, &request).await {
        Ok(requester) => {
            edge.metrics.login("proven");
            request.extensions_mut().insert(Arc::new(requester));
            pass(request, next).await
        }
        Err(refused) => turn_away(edge, &request, refused).await,
    }
}

async fn requester(edge: &Edge, gate: &Gate, request: &Request<Bytes>) -> Result<Requester, Refused> {
    let certificate = request.extensions().get::<Arc<Certificate>>().map(AsRef::as_ref);
    let now = edge.settings.clock.now();
    // The certificate comes first: only systems that we know may try tokens.
    gate.consumer(certificate, now)?;
    let tokens = Tokens {
        authorization: one(request.headers(), header::AUTHORIZATION.as_str())?.ok_or(Refused::NoToken)?,
        user: one(request.headers(), USER_TOKEN)?,
    };
    gate.requester(certificate, tokens, now).await
}

/// The value of a header that comes once only.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refused> {
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(Refused::NoToken);
    }
    let is_there = headers.contains_key(name);
    let value = text(headers, name);
    if is_there && value.is_none() { Err(Refused::Shape) } else { Ok(value) }
}

/// A certificate alone; the token is read later, in the order that consumers of GP Connect know.
pub(super) async fn asserted(
    edge: &Edge,
    gate: &Gate,
    mut request: Request<Bytes>,
    next: Next<Bytes>,
) -> Reply {
    if is_health(&request) {
        return pass(request, next).await;
    }
    match caller(edge, gate, &request) {
        Ok((caller, system)) => {
            request.extensions_mut().insert(Arc::new(system));
            request.extensions_mut().insert(caller);
            pass(request, next).await
        }
        Err(refused) => turn_away(edge, &request, refused).await,
    }
}

fn caller(edge: &Edge, gate: &Gate, request: &Request<Bytes>) -> Result<(Caller, Requester), Refused> {
    let certificate = request.extensions().get::<Arc<Certificate>>().ok_or(Refused::NoCertificate)?;
    let consumer = gate.consumer(Some(certificate), edge.settings.clock.now())?;
    if !consumer.may(Profile::GpConnect) {
        return Err(Refused::Profile);
    }
    let system = system(consumer)?;
    let (consumer, certificate) = (Arc::clone(consumer), Arc::clone(certificate));
    Ok((Caller { consumer, certificate }, system))
}

/// The system itself, as long as nobody has read for whom it asks: its share of what is admitted is its own,
/// whomever its tokens name.
pub(crate) fn system(consumer: &Consumer) -> Result<Requester, Refused> {
    let role = consumer.default_role.ok_or(Refused::Role)?;
    Ok(Requester {
        user_id: String::new(),
        family: String::new(),
        given: String::new(),
        role,
        organisation: consumer.organisations.first().ok_or(Refused::Organisation)?.clone(),
        organisation_name: String::new(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::AssertedUnsigned,
        proof: None,
        priority: consumer.priority.unwrap_or_else(|| Priority::of(role)),
    })
}

fn is_health(request: &Request<Bytes>) -> bool {
    HEALTH.contains(&request.uri().path())
}

async fn pass(request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    let Ok(reply) = next.oneshot(request).await;
    reply
}

async fn turn_away(edge: &Edge, request: &Request<Bytes>, refused: Refused) -> Reply {
    let id = request.extensions().get::<RequestId>().copied().unwrap_or_else(RequestId::random);
    let problem = turned_away(edge, id, refused).await;
    respond(Dialect::of(request.uri().path()), problem)
}

/// Counts, logs and records that somebody is not let in; gives what they are told, which is the same for all of its
/// kind.
pub(crate) async fn turned_away(edge: &Edge, id: RequestId, refused: Refused) -> Problem {
    edge.metrics.login(refused.code());
    let (name, reason) = (id.to_string(), refused.code());
    tracing::warn!({ request.id = name, login.refused = reason }, "caller not let in");
    let (told, recorded) = match refused.told() {
        Told::Unproven => (unproven(), Some(TurnedAway::Unproven)),
        Told::Forbidden => (forbidden(), Some(TurnedAway::Forbidden)),
        Told::Later => (later(), None),
    };
    if let Some(why) = recorded {
        edge.desk.turned_away(id, why).await;
    }
    told
}

fn unproven() -> Problem {
    let text = "Who calls is not proven. Nothing was asked and nothing was disclosed.";
    Problem::new(StatusCode::UNAUTHORIZED, "login", text)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn forbidden() -> Problem {
    let text = "This caller may not ask this here. Nothing was asked and nothing was disclosed.";
    Problem::new(StatusCode::FORBIDDEN, "forbidden", text).coded(Spine::DENIED)
}

fn later() -> Problem {
    let text = "Who calls cannot be proven at the moment. No source was asked.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "transient", text).after(TRY_AGAIN)
}
