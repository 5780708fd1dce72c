//! Browsers, which another system sends to one patient's pages. They have no certificate and no token of their own.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use tower::ServiceExt as _;
use tributary_broker::{Pass, TurnedAway, Visit};
use tributary_identity::{Gate, Refused};
use tributary_model::{Purpose, RequestId, Role};
use tributary_telemetry::LaunchOutcome;
use tributary_viewer::Unopened;

use super::proven;
use crate::exchange::{Edge, Next, Reply};
use crate::handlers::launch;
use crate::layers::HEALTH;

/// What begins the address that opens a page.
const ADDRESS: &str = "/launch/";
/// Where the pages of a visit ask for more.
const ASKING: &[&str] = &["/record", "/print", "/document"];
/// What tells nothing of anybody, and is told to everybody.
const OPEN: &[&str] = &["/", "/launch", "/sign-out"];
const OPEN_BELOW: &[&str] = &["/viewer/", "/refused/", ADDRESS];

/// Why somebody who shows something is not let in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turned {
    /// It is no visit, or none any more.
    Spent,
    /// A signed form that proves nobody, or somebody who may not.
    Refused(Refused),
}

/// The layer of the listener for browsers.
pub(super) async fn sent(edge: &Edge, gate: &Gate, mut request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    let path = request.uri().path();
    if HEALTH.contains(&path) {
        let Ok(reply) = next.oneshot(request).await;
        return reply;
    }
    if path == launch::PATH && request.method() == Method::POST && request.uri().query().is_none() {
        return match posted(edge, gate, request.body()).await {
            Ok(visit) => {
                edge.metrics.login("proven");
                pass(visit, request, next).await
            }
            Err(why) => refused(edge, &request, Turned::Refused(why)).await,
        };
    }
    match shown(edge, &request) {
        Some(Ok(visit)) if gate.still_knows(&visit.requester) => pass(visit, request, next).await,
        Some(Ok(_)) => refused(edge, &request, Turned::Refused(Refused::UnknownCaller)).await,
        Some(Err(spent)) => refused(edge, &request, spent).await,
        None if OPEN.contains(&path) || OPEN_BELOW.iter().any(|below| path.starts_with(below)) => {
            // Nobody in particular: nothing behind this line looks at them.
            request.extensions_mut().insert(Arc::new(edge.settings.demo_requester.clone()));
            let Ok(reply) = next.oneshot(request).await;
            reply
        }
        None => refused(edge, &request, Turned::Spent).await,
    }
}

/// The visit that an address or a form shows; nothing where it shows none.
pub(super) fn shown(edge: &Edge, request: &Request<Bytes>) -> Option<Result<Visit, Turned>> {
    let path = request.uri().path();
    let opens = path.strip_prefix(ADDRESS).filter(|_| request.method() == Method::GET);
    let (pass, sealed) = if let Some(sealed) = opens {
        (Pass::Launch, sealed.to_owned())
    } else if ASKING.contains(&path) && request.method() == Method::POST {
        (Pass::Page, launch::field(request.body(), launch::VISIT)?)
    } else {
        return None;
    };
    Some(edge.desk.open_visit(pass, &sealed).ok_or(Turned::Spent))
}

/// Who sends somebody here, by the form that their browser posts.
async fn posted(edge: &Edge, gate: &Gate, body: &[u8]) -> Result<Visit, Refused> {
    let token = launch::field(body, launch::TOKEN).ok_or(Refused::NoToken)?;
    let audience = format!("{}{}", edge.public_root(), launch::PATH);
    let launched = gate.launched(&token, &audience, edge.settings.clock.now()).await?;
    let usual =
        if launched.requester.role == Role::Patient { Purpose::PatientAccess } else { Purpose::DirectCare };
    Ok(Visit {
        requester: Arc::new(launched.requester),
        patient: launched.patient,
        purpose: launched.purpose.unwrap_or(usual),
        began: edge.desk.visit_begins(),
        page: launch::FIRST_PAGE.to_owned(),
    })
}

/// Lets a visit in, as the person whom it names.
pub(super) async fn pass(visit: Visit, mut request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    let extensions = request.extensions_mut();
    extensions.insert(Arc::clone(&visit.requester));
    extensions.insert(Arc::new(visit));
    let Ok(reply) = next.oneshot(request).await;
    reply
}

/// Counts and records that somebody is not let in, and says so.
pub(super) async fn refused(edge: &Edge, request: &Request<Bytes>, why: Turned) -> Reply {
    let id = request.extensions().get::<RequestId>().copied().unwrap_or_else(RequestId::random);
    let unopened = match why {
        Turned::Spent => {
            edge.metrics.launch(LaunchOutcome::Unknown);
            edge.desk.turned_away(id, TurnedAway::Launch(None)).await;
            Unopened::Spent
        }
        Turned::Refused(refused) => {
            edge.metrics.launch(LaunchOutcome::Unproven);
            let problem = proven::turned_away(edge, id, refused).await;
            Unopened::of_status(problem.status.as_u16())
        }
    };
    launch::unopened(edge, (request.method(), request.headers()), unopened)
}
