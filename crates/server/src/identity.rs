//! Who asks.

mod launched;
mod proven;
pub(crate) mod token;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use tower::ServiceExt as _;
use tributary_bounds::Problem;
use tributary_model::Requester;

use crate::exchange::{Edge, Next, Reply};
use crate::render::outcome::{Dialect, respond};
use crate::settings::Callers;
use token::Token;

pub(crate) use proven::{Caller, system, turned_away};

/// The layer: nobody gets past it whom the listener does not let in.
pub(crate) async fn identified(edge: Arc<Edge>, request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    match &edge.settings.callers {
        Callers::Believed => believed(&edge, request, next).await,
        Callers::Proven(gate) => proven::signed(&edge, gate, request, next).await,
        Callers::GpConnect(gate) => proven::asserted(&edge, gate, request, next).await,
        Callers::Launched(gate) => launched::sent(&edge, gate, request, next).await,
    }
}

/// In a demo nobody is proven and everybody is named: an unsigned bearer names user and organisation, none means the
/// built-in demo requester.
///
/// GP Connect paths check their token themselves, in the order their consumers know; there a token that cannot
/// be read is not this layer's business.
async fn believed(edge: &Edge, mut request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    let demo = &edge.settings.demo_requester;
    let dialect = Dialect::of(request.uri().path());
    match launched::shown(edge, &request) {
        None => {}
        Some(Ok(visit)) => return launched::pass(visit, request, next).await,
        Some(Err(spent)) => return launched::refused(edge, &request, spent).await,
    }
    let requester = match request.headers().get(header::AUTHORIZATION) {
        Some(value) if dialect == Dialect::R4 => match named(value, demo) {
            Ok(requester) => requester,
            Err(problem) => return respond(dialect, problem),
        },
        Some(_) | None => demo.clone(),
    };
    request.extensions_mut().insert(Arc::new(requester));
    let Ok(reply) = next.oneshot(request).await;
    reply
}

fn named(value: &HeaderValue, demo: &Requester) -> Result<Requester, Problem> {
    let refuse = |text: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, "login", text)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    };
    let token = Token::read(value).map_err(|fault| refuse(fault.words()))?;
    let unnamed = "The token must name a practitioner and an organisation with its ODS code.";
    token.requester(demo.role).ok_or_else(|| refuse(unnamed))
}
