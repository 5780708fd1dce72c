//! Who asks. Today this is the demo's identity: nobody is proven, everybody is named.

pub(crate) mod token;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use tower::ServiceExt as _;
use tributary_model::Requester;

use crate::exchange::{Edge, Next, Reply};
use crate::problem::Problem;
use crate::render::outcome::{Dialect, respond};
use token::Token;

/// The layer: an unsigned bearer names user and organisation, none means the built-in demo requester.
///
/// GP Connect paths check their token themselves, in the order their consumers know; there a token that cannot
/// be read is not this layer's business.
pub(crate) async fn identified(edge: Arc<Edge>, mut request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    let demo = &edge.settings.demo_requester;
    let dialect = Dialect::of(request.uri().path());
    let requester = match request.headers().get(header::AUTHORIZATION) {
        Some(value) if dialect == Dialect::R4 => match asserted(value, demo) {
            Ok(requester) => requester,
            Err(problem) => return respond(dialect, problem),
        },
        Some(_) | None => demo.clone(),
    };
    request.extensions_mut().insert(Arc::new(requester));
    let Ok(reply) = next.oneshot(request).await;
    reply
}

fn asserted(value: &HeaderValue, demo: &Requester) -> Result<Requester, Problem> {
    let refuse = |text: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, "login", text)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    };
    let token = Token::read(value).map_err(|fault| refuse(fault.words()))?;
    let unnamed = "The token must name a practitioner and an organisation with its ODS code.";
    token.requester(demo.role).ok_or_else(|| refuse(unnamed))
}
