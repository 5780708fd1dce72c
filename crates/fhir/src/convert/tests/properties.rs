//! Nothing a source sent is lost, and nothing it sends makes the conversion fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A JSON value whose leaves get their text when it is written, so that each is found again.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Word,
    Number,
    Fixed(&'static str),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Words and numbers in writing order, each different from all others.
#[derive(Default)]
pub(super) struct Leaves(pub(super) Vec<String>);

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

    pub(super) fn members(&mut self, members: &BTreeMap<String, Tree>, out: &mut String) {
        for (key, value) in members {
            write!(out, ",{}:", quoted(key)).unwrap();
            self.write(value, out);
        }
    }

    fn leaf(&mut self, text: String, out: &mut String) {
        out.push_str(&text);
        self.0.push(text);
    }
}

/// A type, the keys its table touches on both sides, and the keys it touches further inside.
pub(super) type Vocabulary = (&'static str, &'static str, &'static str);

const TYPES: &[Vocabulary] = &[
    (
        "AllergyIntolerance",
        "clinicalStatus verificationStatus assertedDate recordedDate extension encounter",
        "coding",
    ),
    (
        "Appointment",
        "serviceCategory reason reasonCode indication reasonReference incomingReferral basedOn",
        "",
    ),
    (
        "CarePlan",
        "status context encounter definition instantiatesCanonical author contributor activity",
        "detail category definition instantiatesCanonical prohibited doNotPerform statusReason reference",
    ),
    (
        "Condition",
        "clinicalStatus verificationStatus context encounter assertedDate recordedDate abatementBoolean abatementString stage",
        "reference",
    ),
    (
        "DiagnosticReport",
        "context encounter category performer codedDiagnosis conclusionCode image media",
        "actor role reference",
    ),
    (
        "DocumentReference",
        "class category indexed date created docStatus content context",
        "attachment creation encounter related identifier ref reference",
    ),
    ("Encounter", "class reason reasonCode incomingReferral basedOn appointment diagnosis", "role use"),
    ("EpisodeOfCare", "status", ""),
    ("Flag", "category", ""),
    ("HealthcareService", "category eligibility eligibilityNote programName program", "text comment code"),
    (
        "Immunization",
        "notGiven status date occurrenceDateTime occurrenceString practitioner performer explanation reasonCode statusReason vaccinationProtocol protocolApplied extension recorded",
        "role function actor reason reasonNotGiven notGivenReason doseSequence doseNumberPositiveInt seriesDoses seriesDosesPositiveInt description doseStatus doseStatusReason",
    ),
    ("List", "extension contained", ""),
    ("Location", "type", ""),
    (
        "Medication",
        "isBrand isOverTheCounter image ingredient package batch",
        "amount strength batch container content",
    ),
    (
        "MedicationAdministration",
        "notGiven status reasonNotGiven statusReason definition instantiates prescription request performer dosage",
        "actor onBehalfOf reference",
    ),
    (
        "MedicationDispense",
        "notDone status notDoneReasonCodeableConcept statusReasonCodeableConcept performer dosageInstruction",
        "onBehalfOf doseQuantity doseAndRate rateRatio",
    ),
    (
        "MedicationRequest",
        "requester context encounter category definition instantiatesCanonical substitution dosageInstruction dispenseRequest extension courseOfTherapyType statusReason",
        "agent onBehalfOf reference allowed allowedBoolean doseQuantity rateRatio doseAndRate quantity numberOfRepeatsAllowed unit value",
    ),
    (
        "MedicationStatement",
        "taken status reasonNotTaken statusReason dosage extension",
        "doseQuantity rateRatio doseAndRate",
    ),
    (
        "Observation",
        "comment note context encounter related hasMember derivedFrom interpretation valueAttachment component",
        "target type interpretation valueAttachment reference",
    ),
    ("CareTeam", "context encounter participant", "role"),
    ("ClinicalImpression", "status context encounter action", "reference"),
    (
        "Communication",
        "status notDone notDoneReason statusReason context encounter definition instantiatesCanonical topic about",
        "reference",
    ),
    ("CommunicationRequest", "status context encounter requester topic about", "agent onBehalfOf reference"),
    ("Composition", "class category attester", "mode"),
    ("DetectedIssue", "category code date identifiedDateTime identifier", ""),
    ("Device", "model udi udiCarrier deviceName version", "name value"),
    ("DeviceUseStatement", "whenUsed timingPeriod timingTiming indication reasonCode", ""),
    (
        "FamilyMemberHistory",
        "notDone notDoneReason status dataAbsentReason definition instantiatesCanonical gender sex",
        "reference",
    ),
    ("Goal", "status lifecycleStatus achievementStatus target", "measure"),
    (
        "Media",
        "type subtype modality context encounter occurrenceDateTime createdDateTime status",
        "reference",
    ),
    ("Organization", "name", ""),
    (
        "RiskAssessment",
        "context encounter identifier reasonCodeableConcept reasonCode reasonReference comment note",
        "reference",
    ),
    ("Patient", "animal identifier", "coding system"),
    ("Practitioner", "name", ""),
    ("PractitionerRole", "code", ""),
    (
        "Procedure",
        "notDone status notDoneReason statusReason context encounter definition instantiatesCanonical performer",
        "role function actor reference",
    ),
    (
        "ProcedureRequest",
        "status context encounter definition instantiatesCanonical requester performer",
        "agent onBehalfOf reference",
    ),
    (
        "QuestionnaireResponse",
        "context encounter parent partOf questionnaire item",
        "item answer subject reference",
    ),
    (
        "ReferralRequest",
        "status context encounter definition instantiatesCanonical requester category type code serviceRequested orderDetail specialty performerType recipient performer groupIdentifier requisition description note",
        "agent onBehalfOf reference text",
    ),
    ("RelatedPerson", "relationship", ""),
    ("Schedule", "serviceCategory", ""),
    ("Slot", "serviceCategory", ""),
    ("Specimen", "type", ""),
    (
        "Task",
        "priority context encounter requester reason reasonCode definitionUri instantiatesUri definitionReference",
        "agent onBehalfOf reference",
    ),
];

/// Keys of extensions and data types, and some that no table knows.
const COMMON: &str = "extension url valueCode valueString valueReference valueCodeableConcept valueDateTime \
    valuePositiveInt system value code text coding reference display id whatever other";

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
    r#""not-done""#,
    r#""not-taken""#,
    r#""completed""#,
    r#""https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ListWarningCode""#,
    r#""https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation""#,
    r#""http://hl7.org/fhir/3.0/StructureDefinition/extension-Condition.context""#,
    r#""http://hl7.org/fhir/3.0/StructureDefinition/extension-Observation.related""#,
    r#""http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationRequest.requester.onBehalfOf""#,
    r#""http://hl7.org/fhir/3.0/StructureDefinition/extension-Immunization.notGiven""#,
    r#""http://hl7.org/fhir/3.0/StructureDefinition/extension-MedicationStatement.taken""#,
    r#""http://terminology.hl7.org/CodeSystem/v3-ActCode""#,
    r#""http://terminology.hl7.org/CodeSystem/condition-clinical""#,
];

pub(super) fn key(words: &str) -> impl Strategy<Value = String> + use<> {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    (select(words), prop::bool::weighted(0.12))
        .prop_map(|(key, sibling)| if sibling { format!("_{key}") } else { key })
}

/// An object whose keys are likely to mean something to the table; its own words weigh more.
pub(super) fn tree((_, _, inner): Vocabulary) -> BoxedStrategy<Tree> {
    let words = format!("{inner} {inner} {inner} {COMMON}");
    let leaf = prop_oneof![
        3 => Just(Tree::Word),
        1 => Just(Tree::Number),
        2 => select(FIXED).prop_map(Tree::Fixed),
    ];
    leaf.prop_recursive(4, 40, 6, move |value| {
        let object = btree_map(key(&words), value.clone(), 0..6);
        prop_oneof![
            1 => vec(value, 0..4).prop_map(Tree::List),
            3 => object.prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

pub(super) fn resource(types: &'static [Vocabulary]) -> impl Strategy<Value = (String, Vec<String>)> {
    (select(types), select(types), any::<bool>(), any::<bool>())
        .prop_flat_map(|(own, other, is_gpc, holds)| {
            let inner = btree_map(key(other.1), tree(other), if holds { 1..8 } else { 0..1 });
            let words = format!("{0} {0} {0} {COMMON}", own.1);
            (Just((own.0, other.0, is_gpc)), btree_map(key(&words), tree(own), 0..20), inner)
        })
        .prop_map(|((own, other, is_gpc), mut members, inner)| {
            let mut leaves = Leaves::default();
            let mut out = format!(r#"{{"resourceType":"{own}""#);
            if is_gpc {
                out.push_str(r#","meta":{"profile":["x/CareConnect-GPC-X-1"]}"#);
            }
            if !inner.is_empty() {
                write!(out, r#","contained":[{{"resourceType":"{other}""#).unwrap();
                leaves.members(&inner, &mut out);
                out.push_str("}]");
            }
            // These stand there already.
            members.retain(|key, _| !matches!(key.as_str(), "id" | "contained"));
            out.push_str(r#","id":"1""#);
            leaves.members(&members, &mut out);
            out.push('}');
            (out, leaves.0)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn every_word_and_number_survives_byte_for_byte((text, leaves) in resource(TYPES)) {
        let converted = converted(&[&text]);
        let out = converted.document.text();
        for leaf in leaves {
            prop_assert!(out.contains(&leaf), "{leaf} of {text}\nis not in {out}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn one_entry_for_each_and_the_same_id(resources in vec(resource(TYPES), 0..3)) {
        let texts: Vec<&str> = resources.iter().map(|(text, _)| text.as_str()).collect();
        let converted = converted(&texts);
        let bundle = Bundle::of(&converted.document).unwrap();
        prop_assert_eq!(bundle.entries().count(), texts.len());
        prop_assert!(bundle.resources().all(|one| one.says("id", "1")));
    }

    #[test]
    fn any_keys_in_any_type_are_converted(
        (kind, value) in select(TYPES).prop_flat_map(|kind| (Just(kind.0), tree(kind))),
        keys in btree_set("[ -!#-\\[\\]-~é]{0,12}", 0..5),
    ) {
        let members = keys.into_iter().filter(|key| key != "resourceType").map(|key| (key, value.clone()));
        let mut leaves = Leaves::default();
        let mut out = format!(r#"{{"resourceType":"{kind}""#);
        leaves.members(&members.collect(), &mut out);
        out.push('}');
        let converted = converted(&[&out]);
        let found = converted.document.text();
        prop_assert!(leaves.0.iter().all(|leaf| found.contains(leaf)));
    }
}
