//! Notices when a source answers in another FHIR version than it is registered with.
//!
//! Versions are told apart by shapes that only one of them has. A mistaken version would be read wrongly
//! without any error, so this stands before everything that reads content.

use tributary_fhir::bundle::type_of;
use tributary_fhir::{Bundle, FhirVersion, Json, Kind};
use tributary_model::FaultClass;

/// NHS numbers of DSTU2 answers.
const DSTU2_NHS_NUMBER: &str = "http://fhir.nhs.net/Id/nhs-number";

/// Elements of older versions by which a statement says that something did not happen or must not. No later
/// version reads them, so the statement would be taken for its opposite.
const NEGATIONS: &[(&str, &[&str], Shape)] = &[
    ("Communication", &["notDone", "_notDone"], Shape::Stu3),
    ("Immunization", &["notGiven", "_notGiven"], Shape::Stu3),
    ("MedicationAdministration", &["notGiven", "_notGiven"], Shape::Stu3),
    (
        "MedicationDispense",
        &["notDone", "_notDone", "notDoneCodeableConcept", "notDoneReference"],
        Shape::Stu3,
    ),
    ("MedicationStatement", &["taken", "_taken"], Shape::Stu3),
    ("Procedure", &["notDone", "_notDone"], Shape::Stu3),
    ("Immunization", &["wasNotGiven", "_wasNotGiven"], Shape::Dstu2),
    ("MedicationAdministration", &["wasNotGiven", "_wasNotGiven"], Shape::Dstu2),
    ("MedicationStatement", &["wasNotTaken", "_wasNotTaken"], Shape::Dstu2),
    ("Procedure", &["notPerformed", "_notPerformed"], Shape::Dstu2),
];

/// The version a shape belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Dstu2,
    Stu3,
    R4,
}

/// Checks that nothing in the bundle has the shape of another version.
pub(crate) fn check(bundle: Bundle<'_>, expected: FhirVersion) -> Result<(), FaultClass> {
    let wanted = match expected {
        FhirVersion::Stu3 => Shape::Stu3,
        FhirVersion::R4 => Shape::R4,
    };
    let other = bundle.resources().filter_map(shape_of).any(|shape| shape != wanted);
    if other { Err(FaultClass::Version) } else { Ok(()) }
}

/// The version of a resource, where its shape tells.
fn shape_of(resource: Json<'_>) -> Option<Shape> {
    let has = |key: &str| resource.get(key).is_some();
    let kind = type_of(resource);
    let negation = NEGATIONS.iter().find(|(of, keys, _)| *of == kind && keys.iter().any(|key| has(key)));
    if let Some((_, _, shape)) = negation {
        return Some(*shape);
    }
    match kind.as_ref() {
        "MedicationOrder" | "DiagnosticOrder" | "Conformance" | "DeviceUseRequest" => Some(Shape::Dstu2),
        "ReferralRequest" | "ProcedureRequest" | "Sequence" | "BodySite" | "DataElement" => Some(Shape::Stu3),
        "ServiceRequest" | "BodyStructure" | "MolecularSequence" => Some(Shape::R4),
        "Patient" if has("careProvider") || has_old_number(resource) => Some(Shape::Dstu2),
        "AllergyIntolerance" | "Condition" => status_shape(resource),
        "CarePlan" if has_prohibition(resource) => Some(Shape::Stu3),
        "Immunization" if has("statusReason") => Some(Shape::R4),
        "Observation" if has("context") => Some(Shape::Stu3),
        _ => None,
    }
}

/// A planned activity that must not be done says so in `doNotPerform` since R4.
fn has_prohibition(plan: Json<'_>) -> bool {
    let activities = plan.get("activity").into_iter().flat_map(Json::each);
    let mut details = activities.filter_map(|activity| activity.get("detail"));
    details.any(|detail| detail.get("prohibited").is_some() || detail.get("_prohibited").is_some())
}

/// Clinical and verification status were codes until STU3 and are concepts since.
fn status_shape(resource: Json<'_>) -> Option<Shape> {
    let status = ["clinicalStatus", "verificationStatus"].iter().find_map(|key| resource.get(key))?;
    match status.kind() {
        Kind::String => Some(Shape::Stu3),
        Kind::Object => Some(Shape::R4),
        Kind::Array | Kind::Number | Kind::True | Kind::False | Kind::Null => None,
    }
}

fn has_old_number(patient: Json<'_>) -> bool {
    let identifiers = patient.get("identifier").into_iter().flat_map(Json::each);
    identifiers.into_iter().any(|identifier| identifier.says("system", DSTU2_NHS_NUMBER))
}

#[cfg(test)]
mod tests {
    use super::*;

    use tributary_fhir::{Document, Limits};

    const BOTH: &[FhirVersion] = &[FhirVersion::Stu3, FhirVersion::R4];

    #[track_caller]
    fn fits(resource: &str, versions: &[FhirVersion]) {
        let text = format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{resource}}}]}}"#);
        let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
        let bundle = Bundle::of(&doc).unwrap();
        for version in BOTH {
            let expected = versions.contains(version);
            assert_eq!(check(bundle, *version).is_ok(), expected, "{version:?} {resource}");
        }
    }

    #[test]
    fn shapes_of_other_versions_are_refused() {
        let stu3 = &[FhirVersion::Stu3];
        let r4 = &[FhirVersion::R4];
        fits(r#"{"resourceType":"Patient"}"#, BOTH);
        fits(r#"{"resourceType":"Patient","careProvider":[]}"#, &[]);
        fits(
            r#"{"resourceType":"Patient","identifier":[{"system":"http://fhir.nhs.net/Id/nhs-number"}]}"#,
            &[],
        );
        fits(r#"{"resourceType":"MedicationOrder"}"#, &[]);
        fits(r#"{"resourceType":"ReferralRequest"}"#, stu3);
        fits(r#"{"resourceType":"ServiceRequest"}"#, r4);
        fits(r#"{"resourceType":"Condition","clinicalStatus":"active"}"#, stu3);
        fits(r#"{"resourceType":"Condition","clinicalStatus":{"coding":[]}}"#, r4);
        fits(r#"{"resourceType":"MedicationStatement","taken":"unk"}"#, stu3);
        fits(r#"{"resourceType":"Immunization","notGiven":false}"#, stu3);
    }

    #[test]
    fn a_negation_of_an_older_version_is_never_lost() {
        let stu3 = &[FhirVersion::Stu3];
        for (kind, member) in [
            ("Procedure", r#""notDone":true"#),
            ("Procedure", r#""_notDone":{"extension":[]}"#),
            ("MedicationAdministration", r#""notGiven":true"#),
            ("MedicationDispense", r#""notDone":true"#),
            ("MedicationDispense", r#""notDoneCodeableConcept":{"text":"refused"}"#),
            ("MedicationDispense", r#""notDoneReference":{"reference":"DetectedIssue/1"}"#),
            ("Immunization", r#""notGiven":true"#),
            ("MedicationStatement", r#""taken":"n""#),
            ("Communication", r#""notDone":true"#),
            ("CarePlan", r#""activity":[{},{"detail":{"prohibited":true}}]"#),
        ] {
            fits(&format!(r#"{{"resourceType":"{kind}","status":"completed",{member}}}"#), stu3);
        }
        for (kind, member) in [
            ("Procedure", "notPerformed"),
            ("MedicationAdministration", "wasNotGiven"),
            ("Immunization", "wasNotGiven"),
            ("MedicationStatement", "wasNotTaken"),
        ] {
            fits(&format!(r#"{{"resourceType":"{kind}","{member}":true}}"#), &[]);
        }
        fits(r#"{"resourceType":"CarePlan","activity":[{"detail":{"doNotPerform":true}}]}"#, BOTH);
        fits(r#"{"resourceType":"Procedure","status":"not-done"}"#, BOTH);
    }
}
