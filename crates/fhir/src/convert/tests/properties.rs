//! Nothing a source sent is lost, and nothing it sends makes the conversion fail.

use std::fmt::Write as _;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A JSON value whose leaves get their text when it is written, so that each is found again.
#[derive(Clone, Debug)]
enum Tree {
    Word,
    Number,
    Fixed(&'static str),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Words and numbers in writing order, each different from all others.
#[derive(Default)]
struct Leaves(Vec<String>);

impl Leaves {
    fn write(&mut self, tree: &Tree, out: &mut String) {
        let count = self.0.len();
        match tree {
            Tree::Word => self.leaf(format!(r#""word {count:05}; é \"\u00e9""#), out),
            Tree::Number => self.leaf(format!("7{count:05}.10"), out),
            Tree::Fixed(text) => out.push_str(text),
            Tree::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    self.write(item, out);
                }
                out.push(']');
            }
            Tree::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(&quoted(key));
                    out.push(':');
                    self.write(value, out);
                }
                out.push('}');
            }
        }
    }

    fn leaf(&mut self, text: String, out: &mut String) {
        out.push_str(&text);
        self.0.push(text);
    }
}

const TYPES: &[&str] = &[
    "AllergyIntolerance",
    "Appointment",
    "CarePlan",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "Flag",
    "HealthcareService",
    "Immunization",
    "List",
    "Location",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "ProcedureRequest",
    "QuestionnaireResponse",
    "ReferralRequest",
    "RelatedPerson",
    "Schedule",
    "Slot",
    "Specimen",
    "Task",
];

/// Every key a table touches, on both sides, and some that none does.
const KEYS: &[&str] = &[
    "abatementBoolean",
    "abatementString",
    "activity",
    "actor",
    "agent",
    "allowed",
    "allowedBoolean",
    "amount",
    "animal",
    "answer",
    "appointment",
    "assertedDate",
    "attachment",
    "author",
    "basedOn",
    "batch",
    "category",
    "class",
    "clinicalStatus",
    "code",
    "codedDiagnosis",
    "coding",
    "comment",
    "component",
    "content",
    "context",
    "contributor",
    "courseOfTherapyType",
    "created",
    "creation",
    "date",
    "definition",
    "definitionUri",
    "description",
    "detail",
    "diagnosis",
    "dispenseRequest",
    "display",
    "docStatus",
    "doNotPerform",
    "dosage",
    "dosageInstruction",
    "doseAndRate",
    "doseQuantity",
    "doseSequence",
    "doseStatus",
    "eligibility",
    "eligibilityNote",
    "encounter",
    "explanation",
    "extension",
    "hasMember",
    "identifier",
    "image",
    "incomingReferral",
    "indexed",
    "indication",
    "ingredient",
    "instantiatesCanonical",
    "interpretation",
    "isBrand",
    "item",
    "note",
    "notDone",
    "notDoneReason",
    "notGiven",
    "numberOfRepeatsAllowed",
    "occurrenceDateTime",
    "onBehalfOf",
    "orderDetail",
    "package",
    "parent",
    "partOf",
    "performer",
    "practitioner",
    "prescription",
    "priority",
    "program",
    "programName",
    "prohibited",
    "protocolApplied",
    "quantity",
    "questionnaire",
    "rateRatio",
    "reason",
    "reasonCode",
    "reasonNotGiven",
    "reasonNotTaken",
    "recipient",
    "recorded",
    "recordedDate",
    "ref",
    "reference",
    "related",
    "relationship",
    "requester",
    "role",
    "function",
    "seriesDoses",
    "serviceCategory",
    "serviceRequested",
    "specialty",
    "stage",
    "status",
    "statusReason",
    "strength",
    "subject",
    "substitution",
    "system",
    "taken",
    "target",
    "text",
    "type",
    "unit",
    "url",
    "vaccinationProtocol",
    "value",
    "valueAttachment",
    "valueCode",
    "valueCodeableConcept",
    "valueDateTime",
    "valueReference",
    "valueString",
    "verificationStatus",
    "whatever",
];

/// Values that make tables act.
const FIXED: &[&str] = &[
    "true",
    "false",
    "null",
    r#""active""#,
    r#""entered-in-error""#,
    r#""n""#,
    r#""unknown""#,
    r#""unk""#,
    r#""has-member""#,
    r#""Encounter/1""#,
    r#""EpisodeOfCare/1""#,
    r#""ReferralRequest/1""#,
    r#""http://hl7.org/fhir/v2/0078""#,
    r#""true""#,
    r#""x://y/Extension-CareConnect-GPC-PrescriptionType-1""#,
    r#""x://y/Extension-CareConnect-GPC-MedicationRepeatInformation-1""#,
    r#""numberOfRepeatPrescriptionsAllowed""#,
    r#""x://y/Extension-CareConnect-GPC-MedicationStatusReason-1""#,
    r#""statusReason""#,
    r#""x://y/Extension-CareConnect-GPC-AllergyIntoleranceEnd-1""#,
    r#""x://y/encounter-associatedEncounter""#,
    r#""x://y/Extension-CareConnect-DateRecorded-1""#,
    r#""x://y/Extension-CareConnect-GPC-ListWarningCode-1""#,
];

fn key() -> impl Strategy<Value = String> {
    (select(KEYS), prop::bool::weighted(0.1))
        .prop_map(|(key, sibling)| if sibling { format!("_{key}") } else { key.to_owned() })
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        3 => Just(Tree::Word),
        1 => Just(Tree::Number),
        2 => select(FIXED).prop_map(Tree::Fixed),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Tree::List),
            3 => btree_map(key(), inner, 0..6).prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

fn resource() -> impl Strategy<Value = (String, Vec<String>)> {
    let is_gpc = any::<bool>();
    (select(TYPES), btree_map(key(), tree(), 0..14), is_gpc, prop::option::of((select(TYPES), tree())))
        .prop_map(|(kind, members, is_gpc, contained)| {
            let mut leaves = Leaves::default();
            let mut out = format!(r#"{{"resourceType":"{kind}","id":"1""#);
            if is_gpc {
                out.push_str(r#","meta":{"profile":["x/CareConnect-GPC-X-1"]}"#);
            }
            if let Some((kind, tree)) = contained {
                write!(out, r#","contained":[{{"resourceType":"{kind}","status":"#).unwrap();
                leaves.write(&tree, &mut out);
                out.push_str("}]");
            }
            for (key, tree) in &members {
                write!(out, ",{}:", quoted(key)).unwrap();
                leaves.write(tree, &mut out);
            }
            out.push('}');
            (out, leaves.0)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_word_and_number_survives_byte_for_byte((text, leaves) in resource()) {
        let converted = converted(&[&text]);
        let out = converted.document.text();
        for leaf in leaves {
            prop_assert!(out.contains(&leaf), "{leaf} of {text}\nis not in {out}");
        }
    }

    #[test]
    fn one_entry_for_each_and_the_same_id(resources in vec(resource(), 0..6)) {
        let texts: Vec<&str> = resources.iter().map(|(text, _)| text.as_str()).collect();
        let converted = converted(&texts);
        let bundle = Bundle::of(&converted.document).unwrap();
        prop_assert_eq!(bundle.entries().count(), texts.len());
        prop_assert!(bundle.resources().all(|one| one.says("id", "1")));
    }

    #[test]
    fn any_object_of_any_type_is_converted(kind in select(TYPES), tree in tree(), keys in vec("[ -!#-\\[\\]-~é]{0,12}", 0..5)) {
        let mut leaves = Leaves::default();
        let mut out = format!(r#"{{"resourceType":"{kind}""#);
        let mut keys: Vec<String> = keys.into_iter().filter(|key| key != "resourceType").collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            write!(out, r#","{key}":"#).unwrap();
            leaves.write(&tree, &mut out);
        }
        out.push('}');
        let converted = converted(&[&out]);
        let found = converted.document.text();
        prop_assert!(leaves.0.iter().all(|leaf| found.contains(leaf)));
    }
}
