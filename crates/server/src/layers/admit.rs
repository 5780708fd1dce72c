//! Lets in what can be answered, and turns the rest away at once.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use tower::ServiceExt as _;
use tributary_bounds::{Caller, Crowded, Problem, come_back};
use tributary_model::{Priority, Requester};
use tributary_telemetry::ShedReason;

use super::bounds::HEALTH;
use crate::exchange::{Edge, Next, Reply};
use crate::identity::token::Token;
use crate::render::outcome::{Dialect, respond};
use crate::settings::Callers;

/// The layer.
pub(super) async fn admitted(edge: Arc<Edge>, mut request: Request<Bytes>, next: Next<Bytes>) -> Reply {
    let path = request.uri().path();
    if HEALTH.contains(&path) {
        let Ok(reply) = next.oneshot(request).await;
        return reply;
    }
    let dialect = Dialect::of(path);
    let asked = match Asked::of(request.headers()) {
        Ok(asked) => asked,
        Err(problem) => return respond(dialect, problem),
    };
    let caller = asked.lower(&edge, dialect, &mut request);
    match edge.house.admission.admit(caller, edge.desk.behind()) {
        Ok(admitted) => {
            let Ok(reply) = next.oneshot(request).await;
            reply.map(|body| body.admitted(admitted))
        }
        Err(crowded) => {
            edge.metrics.shed(reason(crowded));
            respond(dialect, problem(crowded).after(come_back()))
        }
    }
}

/// The priority that a request asks for itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked(Option<Priority>);

impl Asked {
    /// Reads the header.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        const NAME: &str = "Tributary-Priority";
        let Some(value) = headers.get(NAME) else { return Ok(Self(None)) };
        let priority = value.to_str().ok().and_then(Priority::from_code);
        let text = "The priority is \"urgent\", \"interactive\" or \"background\".";
        priority.map(|priority| Self(Some(priority))).ok_or_else(|| Problem::bad(text).naming(NAME))
    }

    /// Nobody can raise themselves.
    pub(crate) fn lowers(self, priority: Priority) -> Priority {
        self.0.map_or(priority, |asked| priority.lowered_to(asked))
    }

    /// Who asks and how long it can wait; from here on the request says so everywhere.
    fn lower(self, edge: &Edge, dialect: Dialect, request: &mut Request<Bytes>) -> Caller {
        let extensions = request.extensions_mut();
        extensions.insert(self);
        if let Some(requester) = extensions.get_mut::<Arc<Requester>>() {
            let priority = self.lowers(requester.priority);
            if priority != requester.priority {
                Arc::make_mut(requester).priority = priority;
            }
        }
        let demo = &edge.settings.demo_requester;
        let of = |requester: &Requester| Caller {
            organisation: requester.organisation.clone(),
            priority: self.lowers(requester.priority),
        };
        let is_demo = matches!(edge.settings.callers, Callers::Believed);
        if dialect == Dialect::GpConnect && is_demo {
            // There the token is read later, in the order its consumers know; here only for whom it names.
            let token =
                request.headers().get(header::AUTHORIZATION).and_then(|value| Token::read(value).ok());
            return of(token.and_then(|token| token.requester(demo.role)).as_ref().unwrap_or(demo));
        }
        of(request.extensions().get::<Arc<Requester>>().map_or(demo, |requester| requester))
    }
}

/// What it is counted as.
pub(super) const fn reason(crowded: Crowded) -> ShedReason {
    match crowded {
        Crowded::OverShare => ShedReason::Caller,
        Crowded::Full => ShedReason::Requests,
    }
}

/// What the caller is told, but for when to come back.
pub(super) fn problem(crowded: Crowded) -> Problem {
    let (status, text) = match crowded {
        Crowded::OverShare => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests of this organisation at once. No source was asked.",
        ),
        Crowded::Full => (StatusCode::SERVICE_UNAVAILABLE, "Too many requests at once. No source was asked."),
    };
    Problem::new(status, "throttled", text)
}
