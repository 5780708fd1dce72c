//! Records as AuditEvents of FHIR R4, in the shapes of IHE Basic Audit Log Patterns (BALP).
//!
//! BALP's profiles are for what succeeded: only that claims one. What it wants and the log does not hold is told by a
//! name of our own in its place: the network address of a caller, and the raw request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::agent;
use crate::entry::Entry;

const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const BALP_AUTHZ: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ENTITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// One event, ready to be handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id: that of the record, and which of its events it is.
    pub id: String,
    /// Name of the record: node and number.
    pub record: String,
    /// The resource, in one line.
    pub json: String,
}

/// The events of a record of this node's log, by the address that callers know it by. Some records have none: what
/// they tell is in the event of another.
pub fn audit_events(node: &str, address: &str, entry: &Entry) -> Vec<AuditEvent> {
    let maker = Maker { node, address, entry };
    let shapes = match entry.kind.as_str() {
        "intent" => vec![maker.asking()],
        "trace" => vec![maker.tracing()],
        "launch" => vec![maker.launching()],
        "disclosure" => maker.disclosing(),
        "denied" => vec![maker.denying()],
        "security" => vec![maker.alert("urn:x-tributary:security", entry.security.as_deref())],
        "break_glass" => vec![maker.breaking()],
        "anomaly" => {
            let what = entry.anomaly.as_ref().map(|anomaly| anomaly.what.as_str());
            vec![maker.alert("urn:x-tributary:anomaly", what)]
        }
        "closed_unknown" => vec![maker.alert("urn:x-tributary:audit-event", Some("closed-unknown"))],
        "audit_read" => vec![maker.reading()],
        "config" => vec![maker.alert(agent::DCM, Some("110131"))],
        "lifecycle" => maker.running().into_iter().collect(),
        _ => Vec::new(),
    };
    (0..).zip(shapes).map(|(place, shape)| maker.event(place, shape)).collect()
}

/// What one event differs in.
struct Shape {
    profile: Option<&'static str>,
    kind: Value,
    subtype: Vec<Value>,
    action: &'static str,
    outcome: &'static str,
    says: Option<String>,
    agents: Vec<Value>,
    entities: Vec<Value>,
}

struct Maker<'e> {
    node: &'e str,
    address: &'e str,
    entry: &'e Entry,
}

impl Maker<'_> {
    fn event(&self, place: usize, shape: Shape) -> AuditEvent {
        let entry = self.entry;
        let id = if place == 0 { entry.id.clone() } else { format!("{}-{place}", entry.id) };
        let record = format!("{}-{}", self.node, entry.seq);
        let entities: Vec<Value> = shape.entities.into_iter().chain([self.record()]).collect();
        let mut event = json!({
            "resourceType": "AuditEvent",
            "id": id,
            "type": shape.kind,
            "subtype": shape.subtype,
            "action": shape.action,
            "recorded": entry.at,
            "outcome": shape.outcome,
            "agent": shape.agents,
            "source": {
                "site": self.address,
                "observer": agent::observer(self.node),
                "type": [agent::coding(SOURCE_TYPE, "4", "Application Server")],
            },
            "entity": entities,
        });
        if let Some(event) = event.as_object_mut() {
            let profile = shape.profile.map(|profile| json!({"profile": [format!("{BALP}{profile}")]}));
            let purpose = entry.why.as_ref().map(|_| json!([agent::purpose(entry)]));
            let more = [
                ("meta", profile),
                ("outcomeDesc", shape.says.map(Value::from)),
                ("purposeOfEvent", purpose),
            ];
            let more = more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            event.extend(more);
        }
        AuditEvent { id, record, json: event.to_string() }
    }

    fn here(&self) -> Value {
        agent::observer(self.node)
    }

    /// The broker asks sources: BALP's query, seen from the client, where it is one source.
    fn asking(&self) -> Shape {
        let sources = self.entry.expected.iter().map(|id| agent::source(id));
        let servers: Vec<Value> = sources.map(|(who, address)| agent::destination(&who, &address)).collect();
        let is_one = servers.len() == 1;
        let mut shape = self.query([vec![agent::origin(&self.here(), self.address)], servers].concat());
        shape.profile = shape.profile.filter(|_| is_one);
        shape
    }

    fn tracing(&self) -> Shape {
        let (who, address) = agent::source("pds");
        self.query(vec![agent::origin(&self.here(), self.address), agent::destination(&who, &address)])
    }

    /// A caller's system opens a page for somebody: nothing has gone to them yet.
    fn launching(&self) -> Shape {
        let (who, address) = agent::consumer(self.entry);
        self.query(vec![agent::origin(&who, &address), agent::destination(&self.here(), self.address)])
    }

    /// A caller was answered, and each source's data went to them.
    fn disclosing(&self) -> Vec<Shape> {
        let entry = self.entry;
        let (who, address) = agent::consumer(entry);
        let mut answer =
            self.query(vec![agent::origin(&who, &address), agent::destination(&self.here(), self.address)]);
        let sent = entry.outcome.clone().unwrap_or_default();
        answer.outcome = match sent.http {
            200..=399 => "0",
            400..=499 => "4",
            _ => "8",
        };
        answer.profile = answer.profile.filter(|_| answer.outcome == "0");
        answer.says = Some(format!("{} {}", sent.http, sent.completeness));
        let mut shapes = vec![answer];
        if entry.is_answer() && entry.patient.is_some() {
            let gave = |status: &str| {
                status.starts_with("ok") && status != "ok-empty" || status == "withheld-source"
            };
            let giving = entry.sources.iter().filter(|source| gave(&source.status));
            shapes.extend(giving.map(|source| self.disclosure_of(&source.source)));
        }
        if entry.is_break_glass() {
            shapes.push(self.breaking());
        }
        shapes
    }

    fn disclosure_of(&self, source: &str) -> Shape {
        let entry = self.entry;
        let (who, address) = agent::consumer(entry);
        let agents = [
            Some(agent::origin(&self.here(), self.address)),
            Some(agent::destination(&who, &address)),
            agent::user(entry),
            Some(agent::custodian(source)),
        ];
        let sections = entry.what.as_ref().map(|what| what.sections.join(" ")).unwrap_or_default();
        let sent = entry.outcome.as_ref().and_then(|sent| sent.bundle_digest.clone()).unwrap_or_default();
        let mut data = json!({
            "what": {"identifier": {"system": "urn:x-tributary:bundle-sha256", "value": sent}},
            "type": agent::coding(ENTITY_TYPE, "2", "System Object"),
            "role": agent::coding(ENTITY_ROLE, "4", "Domain Resource"),
        });
        if let Some(data) = data.as_object_mut().filter(|_| !sections.is_empty()) {
            data.insert("detail".to_owned(), json!([{"type": "sections", "valueString": sections}]));
        }
        Shape {
            profile: Some("IHE.BasicAudit.PrivacyDisclosure.Source"),
            kind: agent::coding(agent::DCM, "110106", "Export"),
            subtype: vec![agent::coding(LIFECYCLE, "disclose", "Disclose Record Lifecycle Event")],
            action: "R",
            outcome: "0",
            says: None,
            agents: agents.into_iter().flatten().collect(),
            entities: self.patient().into_iter().chain([data]).chain(self.request()).collect(),
        }
    }

    /// A query between two sides, for a person.
    fn query(&self, sides: Vec<Value>) -> Shape {
        let entry = self.entry;
        let profile = match entry.patient {
            Some(_) => "IHE.BasicAudit.PatientQuery",
            None => "IHE.BasicAudit.Query",
        };
        let what = entry.what.clone().unwrap_or_default();
        let purpose = entry.why.as_ref().map(|why| why.purpose.as_str()).unwrap_or_default();
        let asked = format!("{}?section={}&purpose={purpose}", what.interaction, what.sections.join(","));
        let query = json!({
            "type": agent::coding(ENTITY_TYPE, "2", "System Object"),
            "role": agent::coding(ENTITY_ROLE, "24", "Query"),
            "query": STANDARD.encode(asked),
        });
        Shape {
            profile: Some(profile),
            kind: agent::coding(EVENT_TYPE, "rest", "RESTful Operation"),
            subtype: vec![
                agent::coding(INTERACTION, "search", "search"),
                agent::coding(INTERACTION, "operation", "operation"),
            ],
            action: "E",
            outcome: "0",
            says: None,
            agents: sides.into_iter().chain(agent::user(entry)).collect(),
            entities: [query].into_iter().chain(self.patient()).chain(self.request()).collect(),
        }
    }

    fn denying(&self) -> Shape {
        let entry = self.entry;
        let reason = entry.why.as_ref().and_then(|why| why.denied.clone()).unwrap_or_default();
        let is_role = matches!(
            reason.as_str(),
            "no-rule" | "break-glass-not-offered" | "reason-for-request" | "requested-scope"
        );
        let subtype = if is_role {
            agent::coding(BALP_AUTHZ, "AuthZ-Role", "Authorization Decision using only Roles")
        } else {
            agent::coding(BALP_AUTHZ, "AuthZ-Consent", "Authorization Decision using Roles and Consent")
        };
        Shape { subtype: vec![subtype], says: Some(reason), ..self.security("8") }
    }

    fn breaking(&self) -> Shape {
        let is_refused = self.entry.glass.as_ref().is_some_and(|glass| glass.decision == "refused");
        let subtype = agent::coding(agent::DCM, "110127", "Emergency Override Started");
        Shape { subtype: vec![subtype], ..self.security(if is_refused { "8" } else { "0" }) }
    }

    fn alert(&self, system: &str, code: Option<&str>) -> Shape {
        let outcome = if self.entry.kind == "config" { "0" } else { "4" };
        let code = code.unwrap_or("unknown");
        let mut shape =
            Shape { subtype: vec![json!({"system": system, "code": code})], ..self.security(outcome) };
        if let Some(source) = self.entry.source.as_deref() {
            let (what, _) = agent::source(source);
            shape
                .entities
                .push(json!({"what": what, "type": agent::coding(ENTITY_TYPE, "2", "System Object")}));
        }
        if let Some(corr) = self.entry.corr {
            shape.entities.push(named(&format!("{}-{corr}", self.node)));
        }
        shape
    }

    fn security(&self, outcome: &'static str) -> Shape {
        let entry = self.entry;
        let caller = entry.user.as_ref().map(|_| {
            let (who, address) = agent::consumer(entry);
            agent::application(&who, &address)
        });
        let agents =
            [Some(agent::authorizer(self.node)), caller, agent::user(entry), agent::organisation(entry)];
        Shape {
            profile: None,
            kind: agent::coding(agent::DCM, "110113", "Security Alert"),
            subtype: Vec::new(),
            action: "E",
            outcome,
            says: None,
            agents: agents.into_iter().flatten().collect(),
            entities: self.patient().into_iter().chain(self.request()).collect(),
        }
    }

    fn reading(&self) -> Shape {
        let read = self.entry.read.clone().unwrap_or_default();
        let case = read.case.map(|case| {
            json!({
                "what": {"identifier": {"system": "urn:x-tributary:audit-case", "value": case}},
                "type": agent::coding(ENTITY_TYPE, "2", "System Object"),
            })
        });
        Shape {
            kind: agent::coding(agent::DCM, "110101", "Audit Log Used"),
            subtype: vec![json!({"system": "urn:x-tributary:audit-read", "code": read.what})],
            action: "R",
            agents: vec![agent::reader(&read.reader)],
            entities: self.patient().into_iter().chain(case).chain(self.request()).collect(),
            ..self.security("0")
        }
    }

    fn running(&self) -> Option<Shape> {
        let (code, display) = match self.entry.phase.as_deref()? {
            "start" => ("110120", "Application Start"),
            "stop" => ("110121", "Application Stop"),
            _ => return None,
        };
        Some(Shape {
            kind: agent::coding(agent::DCM, "110100", "Application Activity"),
            subtype: vec![agent::coding(agent::DCM, code, display)],
            agents: vec![agent::application(&self.here(), self.address)],
            ..self.security("0")
        })
    }

    fn patient(&self) -> Option<Value> {
        let patient = self.entry.patient.as_ref()?;
        Some(json!({
            "what": {"type": "Patient", "identifier": {"system": NHS_NUMBER, "value": patient.nhs}},
            "type": agent::coding(ENTITY_TYPE, "1", "Person"),
            "role": agent::coding(ENTITY_ROLE, "1", "Patient"),
        }))
    }

    fn request(&self) -> Option<Value> {
        let request = self.entry.req.as_ref()?;
        Some(json!({
            "what": {"identifier": {"value": request}},
            "type": {"system": BALP_ENTITY, "code": "XrequestId"},
        }))
    }

    /// The record in the log: what tells two deliveries of one event from two events.
    fn record(&self) -> Value {
        named(&format!("{}-{}", self.node, self.entry.seq))
    }
}

/// A record of the log.
fn named(record: &str) -> Value {
    json!({
        "what": {"identifier": {"system": "urn:x-tributary:audit-record", "value": record}},
        "type": {"system": "urn:x-tributary:audit-entity", "code": "record"},
    })
}

#[cfg(test)]
mod tests;
