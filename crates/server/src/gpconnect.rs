//! GP Connect in the provider's position: checked here, answered by the GP system of the practice.
//!
//! The order of the checks is the one consumers know: trace id, sender, receiver, interaction, token present,
//! body's type, answer's type, token, body. A request refused here has reached nobody.

mod address;
mod headers;
mod metadata;
mod parameters;
mod refusal;
mod search;
mod spine;
mod table;

use std::sync::Arc;

use http::{Method, StatusCode, header};
use tributary_bounds::{Problem, Spine};
use tributary_broker::{DocumentsRoot, RelayAnswer, RelayRequest, Subject};
use tributary_fhir::{Document, Limits};
use tributary_identity::Refused;
use tributary_model::date::zoned;
use tributary_model::{Capability, Interaction, OdsCode, Redacted, Requester};
use tributary_xml::to_xml;

use crate::exchange::{Exchange, FHIR_JSON, FHIR_XML, Reply, reply, set, status};
use crate::identity::token::Token;
use crate::identity::{Caller, turned_away};
use crate::negotiate::{self, Format};
use crate::render::outcome::{gp_connect, respond_as};
use refusal::from_refusal;
use table::Does;

pub(crate) use address::Address;
pub(crate) use spine::Proxied;
#[cfg(test)]
pub(crate) use table::TABLE;

/// What logs and metrics call a path below a GP Connect root that means nothing.
const UNMATCHED: &str = "gpconnect-unmatched";

/// Where the caller believes us to be, and what it asks for there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'p> {
    practice: Option<&'p OdsCode>,
    capability: Capability,
    tail: &'p str,
    /// Whether it takes us for the Spine proxy.
    is_proxied: bool,
}

/// What logs and metrics call a path, if it is one of GP Connect's.
pub(crate) fn template(path: &str) -> Option<&'static str> {
    if Proxied::is_it(path) {
        return Some("/https://{endpoint}");
    }
    let address = Address::of(path)?;
    Some(table::template(address.capability, address.tail).unwrap_or(UNMATCHED))
}

/// Serves a path below a GP Connect root in the provider's position.
pub(crate) async fn serve(exchange: Exchange, method: Method, path: String) -> Reply {
    let Some(address) = Address::of(&path) else {
        return respond_as(Format::Json, Problem::bad("There is no such address."));
    };
    let practice = match address.ods() {
        Some(Ok(practice)) => Some(practice),
        Some(Err(())) => return respond_as(Format::Json, no_such_practice()),
        None => None,
    };
    let (practice, Address { capability, tail, .. }) = (practice.as_ref(), address);
    answer(&exchange, &method, Target { practice, capability, tail, is_proxied: false }).await
}

/// Serves a path that is a whole address, as the Spine proxy does.
pub(crate) async fn serve_proxied(exchange: Exchange, method: Method, path: String) -> Reply {
    let Some(Proxied { practice, capability, tail }) = Proxied::of(&path, &exchange) else {
        return spine::varies();
    };
    // The proxy itself answers what a browser asks before it asks; a GP system does not.
    if method == Method::OPTIONS {
        return spine::options(&table::methods(capability, tail));
    }
    answer(&exchange, &method, Target { practice: Some(&practice), capability, tail, is_proxied: true }).await
}

async fn answer(exchange: &Exchange, method: &Method, target: Target<'_>) -> Reply {
    let Admitted { interaction, format, call } = match checked(exchange, method, target) {
        Ok(admitted) => admitted,
        Err((format, Denied::Problem(problem))) => return respond_as(format, problem),
        Err((format, Denied::Caller(refused))) => {
            let problem = turned_away(&exchange.edge, exchange.id, refused).await;
            // The one refusal for which the Spine has words of its own, and consumers know them.
            return if refused == Refused::Asid { spine::sender() } else { respond_as(format, problem) };
        }
    };
    let Some(request) = call else { return metadata::statement(exchange, interaction, format) };
    match exchange.edge.desk.relay(request).await {
        Ok(answer) => {
            let audit = answer.audit.clone();
            let reply = from_answer(answer, interaction, format);
            reply.map(|body| body.disclosed(Arc::clone(&exchange.edge.desk), audit))
        }
        Err(refusal) => respond_as(format, from_refusal(refusal, interaction)),
    }
}

/// Why a request may not go on.
enum Denied {
    /// Something is wrong with it.
    Problem(Problem),
    /// Something is wrong with who asks.
    Caller(Refused),
}

impl From<Problem> for Denied {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// A request that may go on.
struct Admitted {
    interaction: Interaction,
    format: Format,
    /// What is asked of the GP system; nothing where the answer is ours to give.
    call: Option<RelayRequest>,
}

/// Every check, in its order. What is refused before the format is known is refused in JSON.
fn checked(exchange: &Exchange, method: &Method, target: Target<'_>) -> Result<Admitted, (Format, Denied)> {
    let in_json = |problem| (Format::Json, Denied::Problem(problem));
    let headers = &exchange.headers;
    let practice = match target.practice {
        Some(ods) => Some(exchange.edge.desk.practice(ods).ok_or_else(|| in_json(no_such_practice()))?),
        None => None,
    };
    let spine = headers::read(headers, practice.as_ref()).map_err(in_json)?;
    let fit = table::find(method, target.capability, target.tail, spine.interaction).map_err(in_json)?;
    let Does::Serve(interaction) = fit.does else { return Err(in_json(not_offered())) };
    let authorization = headers.get(header::AUTHORIZATION);
    let authorization = authorization.ok_or_else(|| in_json(headers::problem("Authorization")))?;
    if method == Method::POST {
        negotiate::stu3_body(headers).map_err(in_json)?;
    }
    let query = exchange.query.as_deref();
    let format = negotiate::stu3_answer(headers, query, is_given_in_xml(interaction)).map_err(in_json)?;
    let told = |problem| (format, Denied::Problem(problem));
    let token = Token::read(authorization)
        .map_err(|fault| told(Problem::bad(fault.words()).naming("Authorization")))?;
    let requester =
        requester(exchange, &token, spine.from, interaction).map_err(|denied| (format, denied))?;
    let is_metadata = matches!(
        interaction,
        Interaction::StructuredMetadata | Interaction::DocumentsMetadata | Interaction::FoundationsMetadata
    );
    if is_metadata {
        return Ok(Admitted { interaction, format, call: None });
    }
    let subject = subject(exchange, interaction, fit.id).map_err(told)?;
    let request = RelayRequest {
        id: exchange.id,
        interaction,
        subject,
        practice: target.practice.cloned(),
        tail: Redacted::new(tail(target.tail, query)),
        body: exchange.body.clone(),
        documents_root: if target.is_proxied {
            DocumentsRoot::Theirs
        } else {
            DocumentsRoot::Ours(exchange.edge.settings.public_base_url.clone())
        },
        trace: spine.trace.to_owned(),
        requester: Arc::new(requester),
        deadline: exchange.deadline,
    };
    Ok(Admitted { interaction, format, call: Some(request) })
}

/// Records and documents are given in JSON only: turning them into XML could change clinical values.
const fn is_given_in_xml(interaction: Interaction) -> bool {
    !matches!(interaction, Interaction::GetStructuredRecord | Interaction::ReadBinary)
}

fn requester(
    exchange: &Exchange,
    token: &Token,
    from: &str,
    interaction: Interaction,
) -> Result<Requester, Denied> {
    let settings = &exchange.edge.settings;
    token.check(settings.clock.now().as_second(), interaction.scope())?;
    let requester = token.requester(settings.demo_requester.role);
    let unnamed = || Problem::resource("Authorization: requesting_practitioner", "It names nobody.");
    let requester = requester.ok_or_else(unnamed)?;
    // The certificate proves the system; what its token says is believed as far as the system may say it.
    let requester = match &exchange.caller {
        None => requester,
        Some(Caller { consumer, certificate }) => {
            let asserted = consumer.asserted(certificate, requester).map_err(Denied::Caller)?;
            consumer.sends_as(from, &asserted.organisation).map_err(Denied::Caller)?;
            exchange.edge.metrics.login("asserted");
            asserted
        }
    };
    let priority = exchange.asked.lowers(requester.priority);
    Ok(Requester { asid: Some(from.to_owned()), priority, ..requester })
}

/// Whom the request is about: from its body, its query or its address.
fn subject(exchange: &Exchange, interaction: Interaction, id: Option<&str>) -> Result<Subject, Problem> {
    let id = id.map(|id| if is_id(id) { Ok(id) } else { Err(not_found(interaction)) }).transpose()?;
    match interaction {
        Interaction::GetStructuredRecord => {
            let today = zoned(exchange.edge.settings.clock.now()).date();
            parameters::read(&exchange.body, today).map(Subject::Patient)
        }
        Interaction::ReadBinary => Ok(Subject::Attachment(id.unwrap_or_default().to_owned())),
        Interaction::ReadPatient => Ok(Subject::OwnId),
        Interaction::SearchDocuments => {
            search::check(interaction, exchange.query.as_deref()).map(|_none| Subject::OwnId)
        }
        Interaction::DocumentsFindPatient
        | Interaction::FindPatient
        | Interaction::FindPractitioner
        | Interaction::FindOrganization
        | Interaction::ReadPractitioner
        | Interaction::ReadOrganization
        | Interaction::ReadLocation
        | Interaction::StructuredMetadata
        | Interaction::DocumentsMetadata
        | Interaction::FoundationsMetadata => {
            let patient = search::check(interaction, exchange.query.as_deref())?;
            Ok(patient.map_or(Subject::Practice, Subject::Patient))
        }
    }
}

/// Only what can be an id goes into the address of a source; an attachment's may be longer than FHIR's.
fn is_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    id.len() <= 256 && id.bytes().all(fits) && !id.bytes().all(|byte| byte == b'.')
}

/// What follows the service root at the GP system.
fn tail(tail: &str, query: Option<&str>) -> String {
    match search::passed_on(query) {
        Some(query) => format!("{tail}?{query}"),
        None => tail.to_owned(),
    }
}

/// The GP system's own answer.
fn from_answer(answer: RelayAnswer, interaction: Interaction, format: Format) -> Reply {
    let code = status(answer.status);
    let Ok((media, body)) = in_format(answer.body, format) else {
        let text = "The answer cannot be given as application/fhir+xml; ask for application/fhir+json.";
        return respond_as(Format::Json, Problem::media(text).naming("Accept"));
    };
    let mut reply = reply(code, media, body);
    if let Some(etag) = answer.etag.filter(|_| interaction != Interaction::ReadBinary) {
        set(&mut reply, "etag", &etag);
    }
    set(&mut reply, "tributary-audit", &answer.audit);
    reply.map(|body| body.leased(answer.lease))
}

fn in_format(body: bytes::Bytes, format: Format) -> Result<(&'static str, bytes::Bytes), ()> {
    match format {
        Format::Json => Ok((FHIR_JSON, body)),
        Format::Xml => {
            let document = Document::scan(body.into(), &Limits::default()).map_err(drop)?;
            let text = to_xml(&document).map_err(drop)?;
            Ok((FHIR_XML, text.into()))
        }
    }
}

fn no_such_practice() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "No such practice is served here.")
        .coded(Spine::ORGANISATION)
}

fn not_offered() -> Problem {
    let text = "This interaction is not offered here.";
    Problem::new(StatusCode::NOT_IMPLEMENTED, "not-supported", text).coded(Spine::UNIMPLEMENTED)
}

/// Nothing has this id, in the words that consumers know for it.
fn not_found(interaction: Interaction) -> Problem {
    let known = [
        (Interaction::ReadPatient, Spine::PATIENT),
        (Interaction::SearchDocuments, Spine::PATIENT),
        (Interaction::ReadOrganization, Spine::ORGANISATION),
        (Interaction::ReadPractitioner, Spine::PRACTITIONER),
    ];
    let spine = known.into_iter().find(|(of, _)| *of == interaction);
    let spine = spine.map_or(Spine::NO_RECORD, |(_, spine)| spine);
    let text = if spine == Spine::PATIENT {
        // Nothing may tell apart who is unknown and who is restricted.
        "No record of this patient can be given."
    } else {
        "There is nothing with this id."
    };
    Problem::new(StatusCode::NOT_FOUND, "not-found", text).coded(spine)
}

/// An outcome in the caller's format; what cannot be written as XML is written as JSON.
pub(crate) fn outcome_in(format: Format, problem: &Problem) -> (&'static str, String) {
    let json = gp_connect(problem).to_json();
    if format == Format::Json {
        return (FHIR_JSON, json);
    }
    let document = Document::scan(json.clone().into_bytes(), &Limits::default()).ok();
    match document.and_then(|document| to_xml(&document).ok()) {
        Some(text) => (FHIR_XML, text),
        None => (FHIR_JSON, json),
    }
}

#[cfg(test)]
mod tests;
