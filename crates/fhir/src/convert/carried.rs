//! A resource that cannot be converted, carried whole.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::bundle::id_of;
use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::edit::{Notes, rehome};

/// The elements that name the subject, in the order in which they are believed.
const SUBJECTS: &[&str] = &["subject", "patient", "beneficiary", "for", "individual"];

/// The id of a resource, or one made of its content: so it does not depend on what else is in the bundle, or in
/// which order.
pub(super) fn id(resource: Json<'_>) -> String {
    id_of(resource).map_or_else(|| made_up_id(resource), Cow::into_owned)
}

fn made_up_id(resource: Json<'_>) -> String {
    let digest = Sha256::digest(resource.raw().as_bytes());
    let head = digest.iter().take(8).fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
    format!("carried-{head:016x}")
}

/// The `Binary` that holds the text of a resource exactly as it was received.
///
/// Whose record it is must stay visible from outside, so the subject becomes the security context: the
/// whole of it, for a reference may name the patient by an identifier alone.
pub(super) fn binary<'d>(resource: Json<'d>, id: &str) -> Fields<'d> {
    whole(resource, id, "\"application/fhir+json; fhirVersion=3.0\"", "data")
}

/// The same in STU3, for a resource of R4. Which source sent it stays outside.
pub(super) fn binary_of_r4<'d>(resource: Json<'d>, id: &str) -> Fields<'d> {
    let mut binary = whole(resource, id, "\"application/fhir+json; fhirVersion=4.0\"", "content");
    if let Some(meta) = resource.get("meta").filter(|meta| meta.kind() == Kind::Object) {
        binary.put("meta", Draft::Raw(meta));
    }
    binary
}

/// `Binary` itself: what it holds has another name in STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "Binary.data", "content", "Base64Binary");
}

fn whole<'d>(resource: Json<'d>, id: &str, kind: &'static str, holder: &'static str) -> Fields<'d> {
    let mut binary = Fields::default();
    binary.put("resourceType", Draft::literal("\"Binary\""));
    binary.put("id", Draft::string(id));
    binary.put("contentType", Draft::literal(kind));
    let mut subjects = SUBJECTS.iter().filter_map(|name| resource.get(name));
    if let Some(subject) = subjects.find(|subject| subject.kind() == Kind::Object) {
        binary.put("securityContext", Draft::Raw(subject));
    }
    binary.put(holder, Draft::string(&STANDARD.encode(resource.raw())));
    binary
}
