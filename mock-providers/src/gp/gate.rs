//! What a GP system looks at before it reads the body: path, Spine headers, media types, token.

use crate::outcome::Refusal;
use crate::wire::Request;

use super::{GpIdentity, jwt};

pub(crate) const TRACE_HEADER: &str = "Ssp-TraceID";
const PREFIX: &str = "urn:nhs:names:services:gpconnect:";
const JSON: &str = "application/fhir+json";

/// An interaction of Access Record Structured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interaction {
    /// `POST Patient/$gpc.getstructuredrecord`
    GetStructured,
    /// `GET metadata`
    Metadata,
}

impl Interaction {
    const ALL: [Self; 2] = [Self::GetStructured, Self::Metadata];

    fn urn(self) -> &'static str {
        match self {
            Self::GetStructured => "fhir:operation:gpc.getstructuredrecord-1",
            Self::Metadata => "structured:fhir:rest:read:metadata-1",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::GetStructured => "POST",
            Self::Metadata => "GET",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::GetStructured => "/Patient/$gpc.getstructuredrecord",
            Self::Metadata => "/metadata",
        }
    }

    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::GetStructured => "patient/*.read",
            Self::Metadata => "organization/*.read",
        }
    }
}

/// Checks a request in the order of the reference provider, so that the answer to a request with
/// two mistakes is always the same.
pub(crate) fn admit(identity: &GpIdentity, request: &Request) -> Result<Interaction, Refusal> {
    let tail = below_root(identity, &request.path)?;
    spine_headers(identity, request)?;
    let interaction = interaction(request, tail)?;
    let authorization = request
        .header("authorization")
        .ok_or_else(|| Refusal::bad_request("Authorization header is missing"))?;
    media_types(request, interaction)?;
    jwt::check(authorization, interaction, identity.clock.now())?;
    Ok(interaction)
}

fn below_root<'r>(identity: &GpIdentity, path: &'r str) -> Result<&'r str, Refusal> {
    let root = format!("/{}/STU3/1/gpconnect/structured", identity.ods);
    let tail = path
        .strip_prefix(root.as_str())
        .ok_or_else(|| Refusal::new(404, "NO_RECORD_FOUND", "no such service root"))?;
    Ok(tail.strip_prefix("/fhir").unwrap_or(tail))
}

fn spine_headers(identity: &GpIdentity, request: &Request) -> Result<(), Refusal> {
    let header = |name: &str| {
        request
            .header(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::bad_request(format!("{name} header is missing")))
    };
    header(TRACE_HEADER)?;
    let from = header("Ssp-From")?;
    if from.len() != 12 || !from.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::bad_request("Ssp-From header is not an ASID"));
    }
    if header("Ssp-To")? != identity.asid {
        return Err(Refusal::bad_request("Ssp-To header is not the ASID of this endpoint"));
    }
    header("Ssp-InteractionID").map(|_| ())
}

fn interaction(request: &Request, tail: &str) -> Result<Interaction, Refusal> {
    let urn = request.header("Ssp-InteractionID").unwrap_or_default();
    let named = urn
        .strip_prefix(PREFIX)
        .and_then(|name| Interaction::ALL.into_iter().find(|known| known.urn() == name))
        .ok_or_else(|| Refusal::bad_request("Ssp-InteractionID header names no known interaction"))?;
    let matches = named.method() == request.method && named.path() == tail;
    if matches {
        Ok(named)
    } else {
        Err(Refusal::bad_request("Ssp-InteractionID header does not match the verb and the path"))
    }
}

fn media_types(request: &Request, interaction: Interaction) -> Result<(), Refusal> {
    let refuse = |what: &str| Refusal::new(415, "BAD_REQUEST", format!("{what} is not supported"));
    let content = request.header("content-type");
    if interaction == Interaction::GetStructured && !content.is_some_and(is_fhir_json) {
        return Err(refuse("Content-Type"));
    }
    let accept = request.header("accept").unwrap_or("*/*");
    let wanted = request.query.iter().find(|(key, _)| key == "_format");
    let accepted = match wanted {
        Some((_, format)) => format == "json" || is_fhir_json(format),
        None => accept.split(',').any(|one| is_fhir_json(one) || one.trim().starts_with("*/*")),
    };
    if accepted { Ok(()) } else { Err(refuse("Accept")) }
}

fn is_fhir_json(media: &str) -> bool {
    media.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON))
}
