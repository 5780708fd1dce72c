//! Builds answers for merge tests from short notation.

use std::borrow::Borrow;
use std::sync::Arc;

use serde_json::{Value, json};
use tributary_fhir::{Document, Limits, Reply};
use tributary_merge::view::{LineView, MemberView};
use tributary_merge::{Answer, Heard, Inputs, Maps, Prompts, Record, Screened, SourceCard, merge};
use tributary_model::demographics::{Gender, PersonName};
use tributary_model::{
    Demographics, FaultClass, NhsNumber, Redacted, Section, SectionSet, SentDate, SourceFault, SourceId,
    SourceKind,
};

pub(crate) const NHS: &str = "9990000107";

pub(crate) struct Federation {
    pub(crate) registry: Vec<SourceCard>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) maps: Maps,
    pub(crate) prompts: Prompts,
    pub(crate) sections: SectionSet,
    pub(crate) as_of: &'static str,
    pub(crate) pds: Option<Demographics>,
}

pub(crate) fn federation() -> Federation {
    let (registry, answers, maps) = (Vec::new(), Vec::new(), Maps::default());
    let (sections, as_of, prompts) = (SectionSet::all(), "2026-03-10T02:10:00Z", Prompts::default());
    Federation { registry, answers, maps, prompts, sections, as_of, pds: None }
}

pub(crate) fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p1", "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS}],
        "name": [{"use": "official", "family": "Ashworth", "given": ["George"]}], "gender": "male", "birthDate": "1953-02-11"})
}

/// The same person as the national service has him.
pub(crate) fn traced() -> Demographics {
    let name = PersonName {
        family: "Ashworth".to_owned(),
        given: vec!["George".to_owned(), "Albert".to_owned()],
        prefix: vec!["Mr".to_owned()],
    };
    Demographics {
        name: Some(Redacted::new(name)),
        birth_date: SentDate::parse("1953-02-11").map(Redacted::new),
        gender: Gender::from_code("male").map(Redacted::new),
        ..Demographics::default()
    }
}

/// The Patient with other members; `null` takes one out.
pub(crate) fn patient_with(members: impl Borrow<Value>) -> Value {
    let mut patient = patient();
    for (key, value) in members.borrow().as_object().expect("an object") {
        patient[key] = value.clone();
    }
    patient.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    patient
}

pub(crate) fn snomed(code: &str, display: &str) -> Value {
    json!({"coding": [{"system": "http://snomed.info/sct", "code": code, "display": display}]})
}

/// A resource about the patient with these members.
pub(crate) fn about(kind: &str, id: &str, members: impl Borrow<Value>) -> Value {
    let mut resource = json!({"resourceType": kind, "id": id});
    let key = if matches!(kind, "AllergyIntolerance" | "Immunization") { "patient" } else { "subject" };
    resource[key] = json!({"reference": "Patient/p1"});
    for (key, value) in members.borrow().as_object().expect("an object") {
        resource[key] = value.clone();
    }
    resource
}

pub(crate) fn reply(resources: &[Value]) -> Reply {
    let entries: Vec<Value> = resources.iter().map(|one| json!({"resource": one})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string();
    let document = Document::scan(bundle.into_bytes(), &Limits::default()).expect("valid");
    Reply { documents: vec![document], asked: SectionSet::all(), ..Reply::default() }
}

impl Federation {
    pub(crate) fn source(&mut self, id: &str, kind: SourceKind, serves: &[&str], owns: &[&str]) {
        let serves = serves.iter().map(|code| Section::from_code(code).expect("section")).collect();
        let owns = owns.iter().map(ToString::to_string).collect();
        let rank = u32::try_from(self.registry.len()).expect("few") + 1;
        let id = SourceId::parse(id).expect("id");
        let name = format!("Name of {id}");
        self.registry.push(SourceCard {
            id,
            name,
            kind,
            ods: None,
            rank,
            serves,
            owns,
            base_url: None,
            maintenance: None,
        });
    }

    pub(crate) fn answers(&mut self, id: &str, resources: &[Value]) {
        self.describes(id, patient(), resources);
    }

    /// An answer with this Patient and these resources about it.
    pub(crate) fn describes(&mut self, id: &str, patient: Value, resources: &[Value]) {
        let mut all = vec![patient];
        all.extend_from_slice(resources);
        self.hears(id, Heard::Reply(Arc::new(reply(&all))));
    }

    pub(crate) fn fails(&mut self, id: &str, class: FaultClass) {
        self.hears(id, Heard::Fault(SourceFault::new(class)));
    }

    pub(crate) fn hears(&mut self, id: &str, heard: Heard) {
        let source = SourceId::parse(id).expect("id");
        let fetched_at = self.as_of.parse().expect("instant");
        self.answers.push(Answer {
            source,
            heard,
            latency_ms: 0,
            fetched_at,
            cached: false,
            last_answered: None,
        });
    }

    pub(crate) fn merged(&self) -> Record<'_> {
        merge(Inputs {
            patient: NhsNumber::parse(NHS).expect("number"),
            as_of: self.as_of.parse().expect("instant"),
            sections: self.sections,
            registry: &self.registry,
            answers: Screened::whole(&self.answers),
            notes: &[],
            pds: self.pds.as_ref(),
            maps: &self.maps,
            attachments: None,
            prompts: self.prompts,
        })
    }

    /// `section | title | key | class | members`, one row a line.
    pub(crate) fn table(&self) -> Vec<String> {
        let view = self.merged().to_view();
        let rows = view.sections.iter().flat_map(|one| one.lines.iter().map(|line| row(one.section, line)));
        rows.collect()
    }

    /// `rule: members`.
    pub(crate) fn disputes(&self) -> Vec<String> {
        let view = self.merged().to_view();
        view.discrepancies.iter().map(|one| format!("{}: {}", one.rule, one.members.join(", "))).collect()
    }
}

fn row(section: Section, line: &LineView) -> String {
    let members: Vec<String> = line.members.iter().map(|member| told(section, member)).collect();
    format!("{} | {} | {} | {} | {}", section.code(), line.title, line.key, line.class, members.join(", "))
}

fn told(section: Section, member: &MemberView) -> String {
    let copy = member.copy.map(|copy| format!(" [{copy}]")).unwrap_or_default();
    let is_medicine = section == Section::Medications;
    let position = if is_medicine { format!(" ({})", member.facts.join(" ")) } else { String::new() };
    format!("{} {}{copy}{position}", member.source, member.origin)
}
