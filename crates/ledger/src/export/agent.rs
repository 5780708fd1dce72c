//! Who took part, as an audit event names them.

use serde_json::{Value, json};

use crate::entry::Entry;

/// Code system of DICOM, Part 16.
pub(super) const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ROLE_CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
const SECURITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/extra-security-role-type";
const SNOMED: &str = "http://snomed.info/sct";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const ASID: &str = "https://fhir.nhs.uk/Id/accredited-system";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// What an address of a network is told as.
const URI: &str = "5";

pub(super) fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({"system": system, "code": code, "display": display})
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [coding(system, code, display)]})
}

/// This node, as it observes.
pub(super) fn observer(node: &str) -> Value {
    json!({"identifier": {"system": "urn:x-tributary:node", "value": node}, "display": format!("Tributary {node}")})
}

/// A side of an exchange: its DICOM role, who it is, and where.
fn side(code: &str, display: &str, who: &Value, address: &str) -> Value {
    json!({
        "type": concept(DCM, code, display),
        "who": who,
        "requestor": false,
        "network": {"address": address, "type": URI},
    })
}

/// What data or questions come from.
pub(super) fn origin(who: &Value, address: &str) -> Value {
    side("110153", "Source Role ID", who, address)
}

/// Where data or questions go.
pub(super) fn destination(who: &Value, address: &str) -> Value {
    side("110152", "Destination Role ID", who, address)
}

/// The application that asks, where a decision is told.
pub(super) fn application(who: &Value, address: &str) -> Value {
    side("110150", "Application", who, address)
}

/// The one that decides.
pub(super) fn authorizer(node: &str) -> Value {
    json!({
        "type": concept(SECURITY_ROLE, "authserver", "authorization server"),
        "who": observer(node),
        "requestor": false,
    })
}

/// A source, as the system that is asked.
pub(super) fn source(id: &str) -> (Value, String) {
    let who = json!({"identifier": {"system": "urn:x-tributary:source", "value": id}, "display": id});
    (who, format!("urn:x-tributary:source:{id}"))
}

/// A source, as the one that answers for its data.
pub(super) fn custodian(id: &str) -> Value {
    let (who, _) = source(id);
    json!({"type": concept(SNOMED, "159541003", "Record keeping/library clerk"), "who": who, "requestor": false})
}

/// The system that called, and an address that stands for it: the log does not hold that of the network.
pub(super) fn consumer(entry: &Entry) -> (Value, String) {
    let consumer = entry.consumer.clone().unwrap_or_default();
    let org = entry.user.as_ref().map(|user| user.org.clone()).unwrap_or_default();
    let (system, value) = match (consumer.asid, consumer.id) {
        (Some(asid), _) => (ASID, asid),
        (None, Some(id)) => ("urn:x-tributary:consumer", id),
        (None, None) => (ODS, org),
    };
    let address = format!("urn:x-tributary:consumer:{value}");
    (json!({"identifier": {"system": system, "value": value}}), address)
}

/// The person who asked.
pub(super) fn user(entry: &Entry) -> Option<Value> {
    let user = entry.user.as_ref()?;
    let mut agent = json!({
        "type": concept(PARTICIPATION, "IRCP", "information recipient"),
        "who": {
            "identifier": {"system": format!("urn:x-tributary:user:{}", user.org), "value": user.id},
            "display": user.name,
        },
        "requestor": true,
        "name": user.name,
        "role": [{"coding": [{"system": "urn:x-tributary:role", "code": user.role}], "text": user.role}],
        "purposeOfUse": [purpose(entry)],
    });
    let rule = entry.why.as_ref().and_then(|why| why.rule.as_deref());
    let rule = rule.map(|rule| format!("urn:x-tributary:rule:{rule}"));
    // The id of a token is kept as its digest only, so that nobody can use it again.
    let token = entry.token.as_ref().and_then(|token| token.jti_sha256.as_deref());
    let token = token.map(|digest| format!("urn:x-tributary:jti-sha256:{digest}"));
    let policies: Vec<String> = token.into_iter().chain(rule).collect();
    if let Some(agent) = agent.as_object_mut().filter(|_| !policies.is_empty()) {
        agent.insert("policy".to_owned(), json!(policies));
    }
    Some(agent)
}

/// The person who read the log.
pub(super) fn reader(name: &str) -> Value {
    json!({
        "type": concept(PARTICIPATION, "IRCP", "information recipient"),
        "who": {"identifier": {"system": "urn:x-tributary:audit-reader", "value": name}, "display": name},
        "requestor": true,
        "name": name,
    })
}

/// The person's organisation.
pub(super) fn organisation(entry: &Entry) -> Option<Value> {
    let user = entry.user.as_ref()?;
    Some(json!({
        "type": concept(ROLE_CLASS, "PROV", "healthcare provider"),
        "who": {"identifier": {"system": ODS, "value": user.org}},
        "requestor": false,
    }))
}

/// Why, in HL7's words where there are any.
pub(super) fn purpose(entry: &Entry) -> Value {
    let code = entry.why.as_ref().map_or("", |why| why.purpose.as_str());
    if entry.is_break_glass() {
        return concept(ACT_REASON, "BTG", "break the glass");
    }
    match code {
        "directcare" | "direct-care" => concept(ACT_REASON, "TREAT", "treatment"),
        "urgent-care" => concept(ACT_REASON, "ETREAT", "Emergency Treatment"),
        "" => json!({"text": "not on record"}),
        other => json!({"coding": [{"system": "urn:x-tributary:purpose", "code": other}]}),
    }
}
