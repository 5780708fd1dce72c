//! `ProcedureRequest` and `ReferralRequest`: both are a `ServiceRequest` in R4.

use crate::draft::{Draft, Fields};
use crate::json::{Json, Kind};

use super::back::{self, Codes, keep_new, require_object, single};
use super::edit::{Notes, definition, encounter, has, recode, rehome, requester};
use super::kept::{attach, keep};
use super::restore::pull;

const STATUS: &[(&str, &str)] = &[("cancelled", "revoked"), ("suspended", "on-hold")];
const REFERRAL: &str =
    r#"{"coding":[{"system":"http://snomed.info/sct","code":"3457005","display":"Patient referral"}]}"#;

/// Diary entries are proposals and plans: the intent stays what it is, and so does `doNotPerform`.
pub(super) fn procedure(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "status", STATUS);
    encounter(fields, notes, "ProcedureRequest.context");
    definition(fields, notes, "ProcedureRequest.definition", "instantiatesCanonical");
    requester(fields, notes, "ProcedureRequest.requester");
    fields.wrap("performer");
}

pub(super) fn referral(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    recode(fields, "status", STATUS);
    encounter(fields, notes, "ReferralRequest.context");
    definition(fields, notes, "ReferralRequest.definition", "instantiatesCanonical");
    requester(fields, notes, "ReferralRequest.requester");
    fields.append("category", Draft::literal(REFERRAL));
    rehome(fields, notes, "ReferralRequest.type", "code", "CodeableConcept");
    service(fields, notes);
    rehome(fields, notes, "ReferralRequest.specialty", "performerType", "CodeableConcept");
    rehome(fields, notes, "ReferralRequest.recipient", "performer", "Reference");
    rehome(fields, notes, "ReferralRequest.groupIdentifier", "requisition", "Identifier");
    description(fields, notes);
}

/// The first service asked for names the request, unless its type did.
fn service(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if has(fields, "code") {
        rehome(fields, notes, "ReferralRequest.serviceRequested", "orderDetail", "CodeableConcept");
        return;
    }
    fields.wrap("serviceRequested");
    let Some(services) = fields.get_mut("serviceRequested").and_then(Draft::items) else { return };
    if services.first().is_some_and(|first| first.kind() == Kind::Object) {
        let first = services.remove(0);
        let is_last = services.is_empty();
        fields.put("code", first);
        if is_last {
            fields.take("serviceRequested");
        }
    }
    rehome(fields, notes, "ReferralRequest.serviceRequested", "orderDetail", "CodeableConcept");
}

/// The description is what a reader looks for first, and R4 shows no extension. So it is the first note too.
fn description(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let text = fields.get("description").filter(|text| text.kind() == Kind::String).cloned();
    let Some(text) = text else {
        keep(fields, notes, "ReferralRequest.description", "String");
        return;
    };
    fields.prepend("note", Draft::object([("text", text)]));
    let whole = (fields.take("description"), fields.take("_description"));
    attach(fields, notes, "ReferralRequest.description", "String", whole);
    notes.kept("ReferralRequest.description");
}

const STATUS_TO_STU3: Codes = Codes {
    same: &["draft", "active", "completed", "entered-in-error", "unknown"],
    renamed: &[("revoked", "cancelled"), ("on-hold", "suspended")],
    near: &[],
};
/// Requests of every kind but for medicines share their intents.
pub(super) const INTENT: Codes = Codes {
    same: &[
        "proposal",
        "plan",
        "order",
        "original-order",
        "reflex-order",
        "filler-order",
        "instance-order",
        "option",
    ],
    renamed: &[],
    near: &[],
};

/// `ProcedureRequest`, which can say `doNotPerform`.
pub(super) fn procedure_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    STATUS_TO_STU3.apply(fields, notes, "ServiceRequest.status");
    INTENT.apply(fields, notes, "ServiceRequest.intent");
    rehome(fields, notes, "ServiceRequest.encounter", "context", "Reference");
    back::definition(fields, notes, "ServiceRequest.instantiatesCanonical");
    back::requester(fields, "ProcedureRequest.requester");
    single(fields, notes, "ServiceRequest.performer", "Reference");
    require_object(fields, "code");
    keep_new(fields, notes, NEW);
    keep(fields, notes, "ServiceRequest.orderDetail", "CodeableConcept");
}

/// Elements of `ServiceRequest` that neither of the two has.
const NEW: &[(&str, &str)] = &[
    ("ServiceRequest.instantiatesUri", "Uri"),
    ("ServiceRequest.insurance", "Reference"),
    ("ServiceRequest.locationCode", "CodeableConcept"),
    ("ServiceRequest.locationReference", "Reference"),
    ("ServiceRequest.patientInstruction", "String"),
    ("ServiceRequest.quantityQuantity", "Quantity"),
    ("ServiceRequest.quantityRange", "Range"),
    ("ServiceRequest.quantityRatio", "Ratio"),
];

/// `ReferralRequest`. One that forbids never gets here, for it could not say so.
pub(super) fn referral_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    STATUS_TO_STU3.apply(fields, notes, "ServiceRequest.status");
    INTENT.apply(fields, notes, "ServiceRequest.intent");
    fields.take("doNotPerform");
    rehome(fields, notes, "ServiceRequest.encounter", "context", "Reference");
    back::definition(fields, notes, "ServiceRequest.instantiatesCanonical");
    back::requester(fields, "ReferralRequest.requester");
    category_to_stu3(fields, notes);
    rehome(fields, notes, "ServiceRequest.code", "type", "CodeableConcept");
    rehome(fields, notes, "ServiceRequest.orderDetail", "serviceRequested", "CodeableConcept");
    rehome(fields, notes, "ServiceRequest.performerType", "specialty", "CodeableConcept");
    rehome(fields, notes, "ServiceRequest.performer", "recipient", "Reference");
    rehome(fields, notes, "ServiceRequest.requisition", "groupIdentifier", "Identifier");
    description_to_stu3(fields);
    keep_new(fields, notes, NEW);
    keep_new(
        fields,
        notes,
        &[
            ("ServiceRequest.asNeededBoolean", "Boolean"),
            ("ServiceRequest.asNeededCodeableConcept", "CodeableConcept"),
            ("ServiceRequest.bodySite", "CodeableConcept"),
            ("ServiceRequest.occurrenceTiming", "Timing"),
            ("ServiceRequest.specimen", "Reference"),
        ],
    );
}

/// The category that says no more than the type goes; others are kept.
fn category_to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    if let Some(items) = fields.get_mut("category").and_then(Draft::items) {
        items.retain(|one| one.raw().is_none_or(|one| one.raw() != REFERRAL));
        if items.is_empty() {
            fields.take("category");
        }
    }
    keep(fields, notes, "ServiceRequest.category", "CodeableConcept");
}

/// The description has its element back, and the note that stood in for it goes.
fn description_to_stu3(fields: &mut Fields<'_>) {
    if has(fields, "description") {
        return;
    }
    let Some((Some(text), sibling)) = pull(fields, "ReferralRequest.description", "String") else { return };
    let words = text.text().map(std::borrow::Cow::into_owned);
    fields.put("description", text);
    if let Some(sibling) = sibling {
        fields.put("_description", sibling);
    }
    if let Some(notes) = fields.get_mut("note").and_then(Draft::items) {
        let stands_in = notes.first_mut().and_then(Draft::fields).is_some_and(|first| {
            first.len() == 1 && first.text_at("text").map(std::borrow::Cow::into_owned) == words
        });
        if stands_in {
            notes.remove(0);
        }
        if notes.is_empty() {
            fields.take("note");
        }
    }
}

/// Whether a `ServiceRequest` is a referral: the source said so, or its category does.
pub(super) fn is_referral(request: Json<'_>, original: Option<&str>) -> bool {
    let source = request.get("meta").and_then(|meta| meta.text_at("source")).unwrap_or_default();
    let named = source.rsplit_once('#').and_then(|(_, place)| place.split_once('/')).map(|(kind, _)| kind);
    match original.or(named) {
        Some("ReferralRequest") => true,
        Some("ProcedureRequest") => false,
        _ => {
            let categories = request.get("category").into_iter().flat_map(Json::each);
            let codings = categories.filter_map(|one| one.get("coding")).flat_map(Json::each);
            codings
                .filter(|coding| coding.says("code", "3457005"))
                .any(|coding| coding.says("system", "http://snomed.info/sct"))
        }
    }
}
