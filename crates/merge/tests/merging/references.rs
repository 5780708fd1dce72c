//! References that only name their target, and narratives: what is changed in a statement on its way to a reader.

use serde_json::{Value, json};
use tributary_model::{Section, SourceKind};

use crate::kit::{Federation, NHS, about, federation};

fn two(first: &[Value], second: &[Value]) -> Federation {
    let all: Vec<&str> = Section::ALL.iter().map(|section| section.code()).collect();
    let mut stage = federation();
    stage.source("a", SourceKind::Acute, &all, &[]);
    stage.source("b", SourceKind::Acute, &all, &[]);
    stage.answers("a", first);
    stage.answers("b", second);
    stage
}

fn entries(stage: &Federation) -> Vec<Value> {
    let bundle: Value = serde_json::from_str(&stage.merged().to_r4()).unwrap();
    bundle["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect()
}

/// Where `requester` of the one request leads: the origin of its target.
fn leads(stage: &Federation, element: &str) -> Option<String> {
    let all = entries(stage);
    let request = all.iter().find(|one| one["resourceType"] == "ServiceRequest").unwrap();
    let address = request[element]["reference"].as_str()?.strip_prefix("urn:uuid:")?;
    let target = all.iter().find(|one| one["id"] == address).unwrap();
    Some(target["meta"]["source"].as_str().unwrap_or("the patient").to_owned())
}

fn request(element: &str, reference: &Value) -> Value {
    let mut request =
        about("ServiceRequest", "r", json!({"status": "active", "intent": "order", "code": {"text": "x"}}));
    request[element] = reference.clone();
    request
}

fn named(kind: &str, id: &str, system: &str, value: &str) -> Value {
    json!({"resourceType": kind, "id": id, "identifier": [{"system": system, "value": value}]})
}

const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

#[test]
fn an_identifier_leads_to_the_one_entry_that_has_it() {
    let local = json!({"identifier": {"system": "urn:local", "value": "7"}, "display": "Dr X"});
    let one = named("Practitioner", "p", "urn:local", "7");
    let stage = two(&[request("requester", &local), one.clone()], &[]);
    assert_eq!(leads(&stage, "requester").as_deref(), Some("urn:x-tributary:a#Practitioner/p"));
    // What it said itself stays beside the address.
    assert!(stage.merged().to_r4().contains(r#""identifier":{"system":"urn:local","value":"7"}"#));
    let two_of_them =
        [request("requester", &local), one.clone(), named("Practitioner", "q", "urn:local", "7")];
    assert_eq!(leads(&two(&two_of_them, &[]), "requester"), None);
    // A local number means something in its own answer alone.
    assert_eq!(leads(&two(&[request("requester", &local)], &[one]), "requester"), None);
    let typed = json!({"type": "Organization", "identifier": {"system": "urn:local", "value": "7"}});
    let stage = two(&[request("requester", &typed), named("Practitioner", "p", "urn:local", "7")], &[]);
    assert_eq!(leads(&stage, "requester"), None);
}

#[test]
fn only_national_identifiers_lead_from_one_answer_to_another() {
    let trust = json!({"identifier": {"system": ODS, "value": "RZ901"}});
    let stage = two(&[request("requester", &trust)], &[named("Organization", "o", ODS, "RZ901")]);
    assert_eq!(leads(&stage, "requester").as_deref(), Some("urn:x-tributary:b#Organization/o"));
    let wrong_type = two(&[request("requester", &trust)], &[named("Practitioner", "o", ODS, "RZ901")]);
    assert_eq!(leads(&wrong_type, "requester"), None);
    let unknown = json!({"identifier": {"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "UNK"}});
    let user = named("Practitioner", "p", "https://fhir.nhs.uk/Id/sds-user-id", "UNK");
    assert_eq!(leads(&two(&[request("requester", &unknown), user], &[]), "requester"), None);
    let patient = json!({"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS}});
    assert_eq!(leads(&two(&[request("subject", &patient)], &[]), "subject").as_deref(), Some("the patient"));
    let display = json!({"display": "not supported by the provider"});
    assert_eq!(leads(&two(&[request("requester", &display)], &[]), "requester"), None);
}

#[test]
fn a_narrative_reaches_nobody_with_a_script_in_it() {
    let bad = json!({"status": "generated", "div": "<div>INR 2.5<script>x()</script> <a href=\"http://x\">é</a></div>"});
    let mut problem = about("Condition", "c", json!({"code": {"text": "x"}, "text": bad}));
    problem["contained"] = json!([{"resourceType": "Basic", "id": "i", "text": bad}]);
    let good = "<div xmlns=\"http://www.w3.org/1999/xhtml\">K+ &lt; 3.5</div>";
    let plain =
        about("Condition", "d", json!({"code": {"text": "y"}, "text": {"status": "generated", "div": good}}));
    let all = entries(&two(&[problem, plain], &[]));
    let of = |id: &str| {
        all.iter()
            .find(|one| one["meta"]["source"].as_str().is_some_and(|source| source.ends_with(id)))
            .unwrap()
    };
    assert_eq!(of("Condition/c")["text"]["div"], "<div>INR 2.5 <a>é</a></div>");
    assert_eq!(of("Condition/c")["contained"][0]["text"]["div"], "<div>INR 2.5 <a>é</a></div>");
    assert_eq!(of("Condition/d")["text"]["div"], good);
}
