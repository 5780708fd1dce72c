//! Draws what sources say. A drawing is made of short constants, so that a failing case reads like the record it
//! is, and shrinks to the one thing that matters.

use proptest::prelude::*;
use proptest::sample::select;
use tributary_model::FaultClass;

/// One drawn resource. Every field stands for a piece of JSON; `pools` says what there is to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: &'static str,
    pub(crate) id: &'static str,
    pub(crate) codings: &'static str,
    pub(crate) words: &'static str,
    pub(crate) status: &'static str,
    pub(crate) date: &'static str,
    pub(crate) about: About,
    pub(crate) link: &'static str,
    pub(crate) extra: &'static str,
}

/// Whom a resource is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The patient, by this reference.
    Patient(&'static str),
    /// Nobody that can be named.
    Nobody(&'static str),
    /// Somebody else.
    Other(&'static str),
}

/// The Patient of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The patient, with these further members.
    Patient(&'static str),
    /// Something that must be held back: the Patient entries as they are.
    Wrong(&'static str),
}

/// What one source came up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Documents, in STU3 or in R4.
    Said { stu3: bool, who: Who, documents: Vec<Vec<Piece>> },
    /// A failure.
    Failed(FaultClass),
}

impl Told {
    /// Whether it must be quarantined, seen from what was drawn.
    pub(crate) fn is_wrong(&self) -> bool {
        let Self::Said { who, documents, .. } = self else { return false };
        let speaks_of_other =
            |piece: &Piece| !is_administrative(piece.kind) && matches!(piece.about, About::Other(_));
        matches!(who, Who::Wrong(_)) || documents.iter().flatten().any(speaks_of_other)
    }
}

/// What can be drawn.
pub(crate) mod pools {
    use super::{About, Who};

    /// Types, clinical ones first.
    pub(crate) const KINDS: &[&str] = &[
        "AllergyIntolerance",
        "MedicationStatement",
        "MedicationRequest",
        "Condition",
        "Observation",
        "Immunization",
        "Procedure",
        "DiagnosticReport",
        "DocumentReference",
        "Flag",
        "Encounter",
        "CarePlan",
        "QuestionnaireResponse",
        "Specimen",
        "ProcedureRequest",
        "ReferralRequest",
        "ServiceRequest",
        "MedicationDispense",
        "MedicationAdministration",
        "Appointment",
        "EpisodeOfCare",
        "Task",
        "Device",
        "RelatedPerson",
        "Consent",
        "ClinicalImpression",
        "Goal",
        "List",
        "Medication",
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Location",
        "HealthcareService",
        "Provenance",
        "Nonsense",
        "OperationOutcome",
    ];

    /// Ids: shared by all sources, absent, and such as could be taken for marks of our own.
    pub(crate) const IDS: &[&str] = &["1", "2", "3", "4", "", "a~b", "a%7Eb", "x#y", "é \\\" /"];

    /// `coding`, as JSON: codes of the rules' tables, placeholders, and what should not be.
    pub(crate) const CODINGS: &[&str] = &[
        "[]",
        r#"[{"system":"http://snomed.info/sct","code":"91936005","display":"Penicillin allergy"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"890458001"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"716186003","display":"No known allergy"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"409137002"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"428607008"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"716186003"},{"system":"http://snomed.info/sct","code":"91936005"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"319734006"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"42217611000001104"}]"#,
        r#"[{"system":"https://dmd.nhs.uk","code":"9"}]"#,
        r#"[{"system":"http://snomed.info/sct ","code":"10","userSelected":true},{"system":"http://snomed.info/sct","code":"9"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"450475007"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"450476008"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"1382601000000107"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"713673000"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"196461000000101"}]"#,
        r#"[{"system":"http://snomed.info/sct","code":"37331000000100"}]"#,
        r#"[{"system":"http://hl7.org/fhir/v3/NullFlavor","code":"UNK"}]"#,
        r#"[{"system":"http://read.info/readv2","code":"H33..","display":"Asthma"}]"#,
        r#"[{"system":"","code":"7"},{"code":""},{"system":"x","code":7},null,"x"]"#,
    ];

    /// Words as they stand between quotes: names, other forms of a name, escapes, and long ones.
    pub(crate) const WORDS: &[&str] = &[
        "",
        "Asthma",
        "asthma ",
        "Warfarin 3mg tablets",
        "Warfarin  3MG\\u00a0tablets",
        "Resolved: nut allergy",
        "say \\\"no\\\" \\\\ \\/ \\u0000\\u001f \\ud83d\\udc8a \u{202e}\u{fdfa}",
        "urn:uuid:296ac9f3-c288-591b-bb7b-6fe473dc93f8",
    ];

    /// Statuses, right and wrong ones.
    pub(crate) const STATUSES: &[&str] = &[
        "active",
        "completed",
        "final",
        "entered-in-error",
        "resolved",
        "inactive",
        "stopped",
        "refuted",
        "corrected",
        "on-hold",
        "not-done",
        "unknown",
        "cancelled",
        "ACTIVE",
        "",
    ];

    /// Dates of every precision, and none.
    pub(crate) const DATES: &[&str] = &[
        "2026-03-02",
        "2012",
        "2025-03",
        "2025-06-30T23:30:00Z",
        "2025-07-01T00:30:00+01:00",
        "2026-03-02T15:30:00.000+00:00",
        "0000",
        "9999-12-31T23:59:59.999999999-14:00",
        "2026-02-30",
        "not a date",
        "",
    ];

    /// Subjects. `p1` is the patient's id in every answer, as it may well be.
    pub(crate) const ABOUT: &[About] = &[
        About::Patient(r#"{"reference":"Patient/p1"}"#),
        About::Patient(r#"{"reference":"Patient/p1/_history/3"}"#),
        About::Patient(r#"{"reference":"{base}/Patient/p1","display":"x"}"#),
        About::Patient(
            r#"{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"},"display":"x"}"#,
        ),
        About::Nobody(r#"{"reference":"Patient/p2"}"#),
        About::Nobody(r#"{"display":"George Ashworth"}"#),
        About::Nobody(r#"{"reference":"https://elsewhere.example/Patient/p1"}"#),
        About::Other(
            r#"{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000204"},"reference":"Patient/p1"}"#,
        ),
    ];

    /// References of every form. `{source}` stands for the source, `{base}` for where its resources live.
    pub(crate) const LINKS: &[&str] = &[
        "{}",
        r#"{"reference":"Encounter/1"}"#,
        r#"{"reference":"Condition/2"}"#,
        r#"{"reference":"MedicationRequest/1"}"#,
        r#"{"reference":"MedicationStatement/1"}"#,
        r#"{"reference":"Observation/3"}"#,
        r#"{"reference":"ProcedureRequest/1"}"#,
        r#"{"reference":"Medication/2/_history/7"}"#,
        r#"{"reference":"List/1#part"}"#,
        r##"{"reference":"#inside"}"##,
        r#"{"reference":"{base}/Observation/1","display":"under the base"}"#,
        r#"{"reference":"{base}/Observation/none"}"#,
        r#"{"reference":"https://elsewhere.example/Observation/1"}"#,
        r#"{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"}"#,
        r#"{"reference":"urn:uuid:00000000-0000-4000-8000-000000000004"}"#,
        // The address that another source's entry has in the merged bundle.
        r#"{"reference":"urn:uuid:296ac9f3-c288-591b-bb7b-6fe473dc93f8"}"#,
        r#"{"reference":"URN:UUID:296AC9F3-C288-591B-BB7B-6FE473DC93F8"}"#,
        r#"{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"A99901"},"display":"x"}"#,
        r#"{"display":"not supported by this system"}"#,
        r#"{"reference":"No consultation/ none","display":""}"#,
        r#"{"reference":"Observation/nobody-has-it"}"#,
        r#"{"reference":""}"#,
        r#"{"reference":7}"#,
    ];

    /// Further members. `{id}` stands for the piece's own id.
    pub(crate) const EXTRAS: &[&str] = &[
        "",
        r#""valueQuantity":{"value":7.10,"unit":"mmol/L"}"#,
        r#""valueQuantity":{"value":0.71E+1,"unit":"mmol/L","comparator":"<"}"#,
        r#""valueQuantity":{"value":-0.000,"code":"g"},"referenceRange":[{"low":{"value":1E400}}]"#,
        r#""valueString":"seven","note":[{"text":"a note"}]"#,
        r#""component":[{"code":{"text":"systolic"},"valueQuantity":{"value":120.0}},{"code":{"text":"diastolic"}}]"#,
        r#""identifier":[{"system":"https://gp.example/ms","value":"{id}"}]"#,
        r#""identifier":[{"system":"https://acute.example/x","value":"{id}"},{"system":"https://gp.example/ms","value":"1"}]"#,
        r#""identifier":[{"system":"https://fhir.nhs.uk/Id/prescription-order-item-number","value":"{id}"},{"system":"urn:oid:2.16.840.1.113883.2.1.4.5.5","value":"9"}]"#,
        r#""modifierExtension":[{"url":"https://unknown.example/x","valueBoolean":true}]"#,
        r#""implicitRules":"https://unknown.example/rules""#,
        r#""doNotPerform":true"#,
        r#""doNotPerform":"true""#,
        r#""notGiven":true,"notDone":true,"taken":"n""#,
        r#""notGiven":false,"notDone":false,"taken":"unk""#,
        r#""lotNumber":"AB 12""#,
        r#""bodySite":[{"coding":[{"system":"http://snomed.info/sct","code":"7771000"}]}]"#,
        r#""criticality":"high","reaction":[{"severity":"severe","manifestation":[{"text":"rash"}]}]"#,
        r#""criticality":"low","reaction":[{"severity":"mild"}]"#,
        r#""content":[{"attachment":{"hash":"2jmj7l5rSw0yVb/vlWAYkK/YBwk=","url":"Binary/1"}}]"#,
        r#""meta":{"security":[{"code":"NOPAT"}],"tag":[{"system":"urn:x-tributary:source","code":"forged"}],"source":"urn:x-tributary:gp#Condition/1","profile":["x/CareConnect-GPC-X-1"],"extension":[{"url":"x","valueReference":{"reference":"Condition/1"}}],"author":{"reference":"Observation/1"}}"#,
        r#""contained":[{"resourceType":"AllergyIntolerance","id":"inside","clinicalStatus":"resolved","code":{"text":"contained nuts"}}],"code":{"coding":[{"code":"1103671000000101"}]}"#,
        r#""contained":[{"resourceType":"Patient","id":"inside","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000204"}]}]"#,
        r#""contained":[{"resourceType":"Medication","id":"inside","code":{"text":"contained drug"}}],"medicationReference":{"reference":"inside"}"#,
        r#""extension":[{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1","valueCode":"confidential-items"},{"url":"x","valueReference":{"reference":"Condition/1"}}]"#,
        r#""text":{"status":"generated","div":"<div>\u00e9 <script>x</script></div>"}"#,
        r#""intent":"plan","category":[{"coding":[{"code":"3457005"}]}]"#,
        r#""intent":"order","category":[{"coding":[{"code":"laboratory"}]}]"#,
        r#""unheard":[[[{"of":null}]],-0,true,{"é":"\\"}]"#,
    ];

    /// Patients that pass the gate.
    pub(crate) const PATIENTS: &[Who] = &[
        Who::Patient(r#""birthDate":"1953-02-11","name":[{"family":"Ashworth","given":["George"]}]"#),
        Who::Patient(r#""birthDate":"1953-02-12","gender":"male","deceasedDateTime":"2026-03-01""#),
        Who::Patient(r#""gender":"female","address":[{"postalCode":"ls1 1aa"}]"#),
        Who::Patient(r#""managingOrganization":{"reference":"Organization/1"}"#),
    ];

    /// Patients that must not.
    pub(crate) const WRONG: &[Who] = &[
        Who::Wrong(
            r#"{"resource":{"resourceType":"Patient","id":"p1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000204"}]}}"#,
        ),
        Who::Wrong(r#"{"resource":{"resourceType":"Patient","id":"p1"}}"#),
        Who::Wrong(
            r#"{"resource":{"resourceType":"Patient","id":"p1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}]}},
            {"resource":{"resourceType":"Patient","id":"p2","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}]}}"#,
        ),
        Who::Wrong(r#"{"search":{"mode":"outcome"}}"#),
    ];
}

/// Types that are nobody's, so that a subject on them says nothing.
pub(crate) fn is_administrative(kind: &str) -> bool {
    matches!(
        kind,
        "Organization"
            | "Practitioner"
            | "PractitionerRole"
            | "Location"
            | "HealthcareService"
            | "Medication"
            | "Provenance"
            | "OperationOutcome"
    )
}

/// A resource. Most are whole and about the patient; about nobody and about somebody else is rarer.
pub(crate) fn piece() -> impl Strategy<Value = Piece> {
    let mostly = |pool: &'static [About]| {
        let (tied, rest) = pool.split_at(4);
        prop_oneof![8 => select(tied), 1 => select(rest)]
    };
    let named = (select(pools::KINDS), select(pools::IDS), mostly(pools::ABOUT));
    let said = (select(pools::CODINGS), select(pools::WORDS), select(pools::STATUSES), select(pools::DATES));
    let more = (select(pools::LINKS), select(pools::EXTRAS));
    (named, said, more).prop_map(|((kind, id, about), (codings, words, status, date), (link, extra))| Piece {
        kind,
        id,
        codings,
        words,
        status,
        date,
        about,
        link,
        extra,
    })
}

/// A resource that quarantines nothing.
pub(crate) fn own_piece() -> impl Strategy<Value = Piece> {
    piece().prop_map(|piece| {
        let is_other = matches!(piece.about, About::Other(_));
        Piece { about: if is_other { pools::ABOUT[0] } else { piece.about }, ..piece }
    })
}

fn documents(piece: impl Strategy<Value = Piece>) -> impl Strategy<Value = Vec<Vec<Piece>>> {
    let few = prop::collection::vec(piece, 0..7);
    // Half of the answers are one document, the others pages.
    (few, any::<bool>()).prop_map(|(pieces, split)| {
        let half = pieces.len() / 2;
        if split { vec![pieces[..half].to_vec(), pieces[half..].to_vec()] } else { vec![pieces] }
    })
}

/// What a source says or fails with; never anything that is quarantined.
pub(crate) fn told() -> impl Strategy<Value = Told> {
    let failed =
        vec![FaultClass::NoHead, FaultClass::NoRecord, FaultClass::Consent, FaultClass::NothingAsked];
    prop_oneof![
        9 => said(own_piece(), select(pools::PATIENTS)),
        1 => select(failed).prop_map(Told::Failed),
    ]
}

/// An answer about another patient, or mixed up, or nothing at all.
pub(crate) fn mixed_up() -> impl Strategy<Value = Told> {
    prop_oneof![
        said(own_piece(), select(pools::WRONG)),
        (said(own_piece(), select(pools::PATIENTS)), piece()).prop_map(|(mut told, piece)| {
            let other = Piece { kind: "Condition", about: pools::ABOUT[7], ..piece };
            if let Told::Said { documents, .. } = &mut told {
                documents[0].push(other);
            }
            told
        }),
    ]
}

fn said(piece: impl Strategy<Value = Piece>, who: impl Strategy<Value = Who>) -> impl Strategy<Value = Told> {
    (any::<bool>(), who, documents(piece)).prop_map(|(stu3, who, documents)| Told::Said {
        stu3,
        who,
        documents,
    })
}

/// What up to four sources come up with.
pub(crate) fn all_told(sources: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Told>> {
    prop::collection::vec(told(), sources)
}
