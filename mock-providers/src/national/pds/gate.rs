//! What PDS looks at before it looks the patient up, in its order: token, rate, scope and mode, path, request
//! id, role. A request with two mistakes is always refused for the first.

use tributary_model::RequestId;

use crate::national::tokens::Grant;
use crate::wire::Request;

use super::outcome::Refusal;
use super::{EndUserOrganisation, PdsFault, ROOT, State};

const PRODUCT: &str = "personal-demographics-service";
const APPLICATION: &str = "urn:nhsd:apim:app:level3:";
const USER: [&str; 3] = [
    "urn:nhsd:apim:user-nhs-id:aal3:",
    "urn:nhsd:apim:user-nhs-cis2:aal3:",
    "urn:nhsd:apim:user-nhs-cis2:aal2:",
];

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// An application on its own.
    Restricted,
    /// A health-care worker who has signed in.
    Worker,
}

/// The NHS number a path is about, whatever it looks like.
pub(super) fn number_of(path: &str) -> Option<&str> {
    let number = path.strip_prefix(ROOT)?.strip_prefix("/Patient/")?;
    (!number.is_empty() && !number.contains('/')).then_some(number)
}

/// Checks a request; gives the number it asks for.
pub(super) fn admit<'r>(state: &State, request: &'r Request) -> Result<&'r str, Refusal> {
    let grant = token(state, request)?;
    rate(state, &grant)?;
    let mode = mode(&grant)?;
    allowed(mode, request)?;
    let number = path(request)?;
    request_id(request)?;
    organisation(state, request)?;
    role(mode, &grant, request)?;
    Ok(number)
}

fn token(state: &State, request: &Request) -> Result<Grant, Refusal> {
    let denied = state.fault.take(|fault| {
        let denies = *fault == PdsFault::AccessDenied;
        denies.then(|| Refusal::access_denied("made to fail"))
    });
    if let Some(refusal) = denied {
        return Err(refusal);
    }
    let header = request.header("authorization").ok_or(Refusal::access_denied("no access token"))?;
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    state.tokens.find(token).ok_or(Refusal::access_denied("the access token is invalid or has expired"))
}

fn rate(state: &State, grant: &Grant) -> Result<(), Refusal> {
    let fault = state.fault.take(|fault| match fault {
        PdsFault::Throttled(throttle) => Some(Refusal::throttled(*throttle)),
        PdsFault::Page => Some(Refusal::page()),
        PdsFault::AccessDenied
        | PdsFault::SpineUnreachable
        | PdsFault::UnknownError
        | PdsFault::Unavailable
        | PdsFault::TooManyMatches => None,
    });
    match fault {
        Some(refusal) => Err(refusal),
        None => state.limiter.admit(&grant.client_id, state.clock.now()).map_err(Refusal::throttled),
    }
}

fn mode(grant: &Grant) -> Result<Mode, Refusal> {
    let holds = |prefix: &str| grant.scopes.iter().any(|one| one.strip_prefix(prefix) == Some(PRODUCT));
    if holds(APPLICATION) {
        Ok(Mode::Restricted)
    } else if USER.into_iter().any(holds) {
        Ok(Mode::Worker)
    } else {
        Err(Refusal::wrong_scope())
    }
}

fn allowed(mode: Mode, request: &Request) -> Result<(), Refusal> {
    let writes = ["POST", "PATCH"].contains(&request.method.as_str());
    let results = request.query.iter().find(|(key, _)| key == "_max-results");
    match mode {
        Mode::Restricted if writes => Err(Refusal::invalid_method()),
        Mode::Restricted if results.is_some_and(|(_, count)| count != "1") => {
            Err(Refusal::too_many_results_asked())
        }
        Mode::Restricted | Mode::Worker => Ok(()),
    }
}

fn path(request: &Request) -> Result<&str, Refusal> {
    let searches = request.path.strip_prefix(ROOT) == Some("/Patient");
    if request.method != "GET" {
        return Err(Refusal::unsupported_request());
    }
    if searches {
        return Err(Refusal::unsupported_service());
    }
    number_of(&request.path).ok_or(Refusal::unsupported_request())
}

fn request_id(request: &Request) -> Result<(), Refusal> {
    let id = request.header("x-request-id").filter(|id| !id.is_empty());
    let id = id.ok_or(Refusal::missing_value("X-Request-ID is missing"))?;
    RequestId::parse(id).map(|_| ()).ok_or(Refusal::invalid_value("X-Request-ID is not a UUID"))
}

fn organisation(state: &State, request: &Request) -> Result<(), Refusal> {
    let told = request.header("nhsd-end-user-organisation-ods").is_some_and(|code| !code.is_empty());
    match state.end_user_organisation {
        EndUserOrganisation::Told if !told => {
            Err(Refusal::missing_value("NHSD-End-User-Organisation-ODS is missing"))
        }
        EndUserOrganisation::Told | EndUserOrganisation::Implied => Ok(()),
    }
}

/// A role is looked at only where a user signed in.
fn role(mode: Mode, grant: &Grant, request: &Request) -> Result<(), Refusal> {
    if mode == Mode::Restricted {
        return Ok(());
    }
    match request.header("nhsd-session-urid") {
        None if grant.roles.len() == 1 => Ok(()),
        None => Err(Refusal::invalid_value("NHSD-Session-URID is missing and the user has several roles")),
        Some(role) if role.is_empty() || !role.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Refusal::invalid_value("NHSD-Session-URID is not made of digits"))
        }
        Some(role) if !grant.roles.iter().any(|own| own == role) => {
            Err(Refusal::invalid_value("NHSD-Session-URID is no role of the user"))
        }
        Some(_) => Ok(()),
    }
}
