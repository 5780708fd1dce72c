//! What a GP system looks at before it reads the body: path, Spine headers, media types, token.

use tributary_model::{Capability, Interaction};

use crate::outcome::Refusal;
use crate::wire::Request;

use super::{GpIdentity, jwt};

pub(crate) const TRACE_HEADER: &str = "Ssp-TraceID";
const PREFIX: &str = "urn:nhs:names:services:gpconnect:";
const JSON: &str = "application/fhir+json";

/// What GP Connect has and this GP system has not: registration, migration and appointments.
const NOT_OFFERED: &[&str] = &[
    "fhir:operation:gpc.registerpatient-1",
    "fhir:operation:gpc.migratestructuredrecord-1",
    "documents:fhir:rest:migrate:binary-1",
    "fhir:rest:search:slot-1",
    "fhir:rest:search:patient_appointments-1",
    "fhir:rest:read:appointment-1",
    "fhir:rest:create:appointment-1",
    "fhir:rest:update:appointment-1",
    "fhir:rest:cancel:appointment-1",
];

/// A request that may be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted<'r> {
    pub(crate) interaction: Interaction,
    /// The logical id in the path; empty where the path has none.
    pub(crate) id: &'r str,
}

/// Checks a request in the order of the reference provider, so that the answer to a request with
/// two mistakes is always the same.
pub(crate) fn admit<'r>(identity: &GpIdentity, request: &'r Request) -> Result<Admitted<'r>, Refusal> {
    let (capability, tail) = below_root(identity, &request.path)
        .ok_or_else(|| Refusal::new(404, "NO_RECORD_FOUND", "no such service root"))?;
    spine_headers(identity, request)?;
    let admitted = interaction(request, capability, tail)?;
    let authorization = request
        .header("authorization")
        .ok_or_else(|| Refusal::bad_request("Authorization header is missing"))?;
    media_types(request)?;
    jwt::check(authorization, admitted.interaction.scope(), identity.clock.now())?;
    Ok(admitted)
}

/// The capability whose root a path is below, and the rest of the path.
pub(crate) fn below_root<'r>(identity: &GpIdentity, path: &'r str) -> Option<(Capability, &'r str)> {
    let root = format!("/{}/STU3/1/gpconnect", identity.ods);
    let tail = path.strip_prefix(root.as_str()).filter(|tail| tail.starts_with('/'))?;
    let (capability, tail) = [Capability::Structured, Capability::Documents]
        .into_iter()
        .find_map(|one| {
            let below = tail.strip_prefix('/')?.strip_prefix(one.code())?;
            below.starts_with('/').then_some((one, below))
        })
        .unwrap_or((Capability::Foundations, tail));
    Some((capability, tail.strip_prefix("/fhir").filter(|rest| rest.starts_with('/')).unwrap_or(tail)))
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

fn interaction<'r>(
    request: &Request,
    capability: Capability,
    tail: &'r str,
) -> Result<Admitted<'r>, Refusal> {
    let urn = request.header("Ssp-InteractionID").unwrap_or_default();
    if urn.strip_prefix(PREFIX).is_some_and(|name| NOT_OFFERED.contains(&name)) {
        return Err(Refusal::new(501, "NOT_IMPLEMENTED", "the interaction is not offered"));
    }
    let named = Interaction::from_urn(urn)
        .ok_or_else(|| Refusal::bad_request("Ssp-InteractionID header names no known interaction"))?;
    let (method, path) = form(named);
    let id = path.id(tail).filter(|_| method == request.method && named.capability() == capability);
    let id =
        id.ok_or_else(|| Refusal::bad_request("Ssp-InteractionID header does not match verb and path"))?;
    Ok(Admitted { interaction: named, id })
}

/// The path of an interaction below its root.
#[derive(Clone, Copy, Debug)]
enum Path {
    /// This one.
    Whole(&'static str),
    /// With a logical id between these two.
    Around(&'static str, &'static str),
}

impl Path {
    /// The logical id in a path of this form; empty if the form has none.
    fn id(self, tail: &str) -> Option<&str> {
        match self {
            Self::Whole(path) => (path == tail).then_some(""),
            Self::Around(before, after) => tail
                .strip_prefix(before)?
                .strip_suffix(after)
                .filter(|id| !id.is_empty() && !id.contains(['/', '$'])),
        }
    }
}

/// The verb and the path of an interaction.
fn form(interaction: Interaction) -> (&'static str, Path) {
    let path = match interaction {
        Interaction::GetStructuredRecord => {
            return ("POST", Path::Whole("/Patient/$gpc.getstructuredrecord"));
        }
        Interaction::StructuredMetadata
        | Interaction::DocumentsMetadata
        | Interaction::FoundationsMetadata => Path::Whole("/metadata"),
        Interaction::DocumentsFindPatient | Interaction::FindPatient => Path::Whole("/Patient"),
        Interaction::SearchDocuments => Path::Around("/Patient/", "/DocumentReference"),
        Interaction::ReadBinary => Path::Around("/Binary/", ""),
        Interaction::ReadPatient => Path::Around("/Patient/", ""),
        Interaction::FindPractitioner => Path::Whole("/Practitioner"),
        Interaction::ReadPractitioner => Path::Around("/Practitioner/", ""),
        Interaction::FindOrganization => Path::Whole("/Organization"),
        Interaction::ReadOrganization => Path::Around("/Organization/", ""),
        Interaction::ReadLocation => Path::Around("/Location/", ""),
    };
    ("GET", path)
}

fn media_types(request: &Request) -> Result<(), Refusal> {
    let refuse = |what: &str| Refusal::new(415, "BAD_REQUEST", format!("{what} is not supported"));
    let content = request.header("content-type");
    if request.method == "POST" && !content.is_some_and(is_fhir_json) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tributary_model::SystemClock;

    use super::*;

    #[test]
    fn each_capability_has_its_own_root() {
        let identity = GpIdentity {
            ods: "A99901".to_owned(),
            asid: "200000000205".to_owned(),
            clock: Arc::new(SystemClock),
        };
        let rows = [
            (
                "/A99901/STU3/1/gpconnect/structured/fhir/metadata",
                Some((Capability::Structured, "/metadata")),
            ),
            ("/A99901/STU3/1/gpconnect/structured/metadata", Some((Capability::Structured, "/metadata"))),
            ("/A99901/STU3/1/gpconnect/documents/fhir/Patient", Some((Capability::Documents, "/Patient"))),
            ("/A99901/STU3/1/gpconnect/fhir/Patient/1", Some((Capability::Foundations, "/Patient/1"))),
            ("/A99901/STU3/1/gpconnect/Patient/1", Some((Capability::Foundations, "/Patient/1"))),
            ("/A99902/STU3/1/gpconnect/fhir/metadata", None),
            ("/A99901/stu3/1/gpconnect/fhir/metadata", None),
        ];
        for (path, expected) in rows {
            assert_eq!(below_root(&identity, path), expected, "{path}");
        }
        for capability in Capability::ALL {
            let path = format!("{}/metadata", identity.root(*capability));
            assert_eq!(below_root(&identity, &path), Some((*capability, "/metadata")));
        }
    }
}
