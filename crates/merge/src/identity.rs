//! Whose record is this? The gate before anything of an answer is used.

use std::collections::{BTreeSet, HashMap};

use tributary_fhir::bundle::{self, Entry};
use tributary_fhir::{Bundle, Document, Json};
use tributary_model::nhs_number::{NHS_NUMBER_SYSTEM, NhsNumberError};
use tributary_model::{FaultClass, NhsNumber};

use crate::load::bare;

/// The proof that an answer is about the patient.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'d> {
    /// The one Patient of the answer.
    pub patient: Json<'d>,
    /// Its `fullUrl`, if it has one.
    pub full_url: Option<Json<'d>>,
}

/// Proves that an answer holds exactly one Patient, and that it is this one.
///
/// A second Patient, another NHS number, or a second number on the same Patient quarantines the whole
/// answer; an answer without a Patient that carries a valid number proves nothing.
pub fn prove<'d>(documents: &'d [Document], number: NhsNumber) -> Result<Proof<'d>, FaultClass> {
    let mut found: Option<Entry<'d>> = None;
    for entry in patients(documents)? {
        check_number(entry.resource, number)?;
        match found {
            None => found = Some(entry),
            // The same Patient may come with several pages; byte for byte, or it is another one.
            Some(first) if first.resource.raw() == entry.resource.raw() => {}
            Some(_) => return Err(FaultClass::IdentityMixed),
        }
    }
    let entry = found.ok_or(FaultClass::IdentityUnproven)?;
    Ok(Proof { patient: entry.resource, full_url: entry.full_url })
}

fn patients(documents: &[Document]) -> Result<Vec<Entry<'_>>, FaultClass> {
    let mut patients = Vec::new();
    for document in documents {
        let entries = Bundle::of(document)?.entries();
        patients.extend(entries.filter(|entry| bundle::type_of(entry.resource) == "Patient"));
    }
    Ok(patients)
}

fn check_number(patient: Json<'_>, number: NhsNumber) -> Result<(), FaultClass> {
    let mut seen = false;
    for text in bundle::nhs_numbers(patient) {
        match NhsNumber::parse(&text) {
            Ok(other) if other == number => seen = true,
            Ok(_) => return Err(FaultClass::IdentityNumber),
            Err(NhsNumberError::Shape | NhsNumberError::CheckDigit) => {
                return Err(FaultClass::IdentityUnproven);
            }
        }
    }
    if seen { Ok(()) } else { Err(FaultClass::IdentityUnproven) }
}

/// How the subject of a statement relates to the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// It is the patient, or the resource is not about anybody.
    Tied,
    /// It cannot be resolved inside the answer.
    Loose,
    /// It is provably somebody else.
    Other,
}

/// The elements that say whom a resource is about.
const SUBJECTS: &[&str] = &["subject", "patient", "beneficiary", "for", "individual", "securityContext"];

/// Types that belong to nobody in particular.
const ADMINISTRATIVE: &[&str] = &[
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "HealthcareService",
    "Medication",
    "Endpoint",
    "OperationOutcome",
    "Substance",
    "Questionnaire",
    "Schedule",
    "Slot",
    "Provenance",
];

/// Ties a resource to the patient by its subject. `names` are the references that mean the patient.
pub(crate) fn tie(resource: Json<'_>, kind: &str, names: &BTreeSet<String>, number: NhsNumber) -> Tie {
    if ADMINISTRATIVE.contains(&kind) {
        return Tie::Tied;
    }
    // A Device without a patient is a machine on a shelf; with one it is somebody's.
    if kind == "Device" && resource.get("patient").is_none() {
        return Tie::Tied;
    }
    let subjects = SUBJECTS
        .iter()
        .filter(|key| **key != "for" || kind == "Task")
        .filter(|key| **key != "individual" || kind == "ResearchSubject")
        .filter(|key| **key != "securityContext" || kind == "Binary")
        .filter_map(|key| resource.get(key))
        .flat_map(Json::each);
    // An appointment names its patient among the participants.
    let participants = (kind == "Appointment").then(|| resource.get("participant")).flatten();
    let actors = participants.into_iter().flat_map(Json::items).filter_map(|one| one.get("actor"));
    let contained = contained_numbers(resource);
    let mut verdict = Tie::Loose;
    for subject in subjects.chain(actors) {
        match tie_one(subject, &contained, names, number) {
            Tie::Other => return Tie::Other,
            Tie::Tied => verdict = Tie::Tied,
            Tie::Loose => {}
        }
    }
    verdict
}

/// The NHS numbers of contained Patients, by their id. A number that does not parse proves nothing.
fn contained_numbers(resource: Json<'_>) -> HashMap<String, Vec<NhsNumber>> {
    let contained = resource.get("contained").into_iter().flat_map(Json::items);
    let patients = contained.filter(|one| one.says("resourceType", "Patient"));
    let numbers =
        |patient| bundle::nhs_numbers(patient).filter_map(|text| NhsNumber::parse(&text).ok()).collect();
    patients.filter_map(|patient| Some((bundle::id_of(patient)?.into_owned(), numbers(patient)))).collect()
}

fn tie_one(
    subject: Json<'_>,
    contained: &HashMap<String, Vec<NhsNumber>>,
    names: &BTreeSet<String>,
    number: NhsNumber,
) -> Tie {
    let reference = subject.text_at("reference").unwrap_or_default();
    let identifiers = subject.get("identifier").into_iter().flat_map(Json::each);
    let stated = identifiers
        .filter(|one| one.says("system", NHS_NUMBER_SYSTEM))
        .filter_map(|one| one.text_at("value"));
    let mut numbers: Vec<NhsNumber> = stated.filter_map(|text| NhsNumber::parse(&text).ok()).collect();
    if let Some(id) = reference.strip_prefix('#') {
        numbers.extend(contained.get(id).into_iter().flatten().copied());
    }
    // Whatever else it says: a subject that names another number is somebody else.
    if numbers.iter().any(|stated| *stated != number) {
        Tie::Other
    } else if !numbers.is_empty() || names.contains(bare(&reference)) {
        Tie::Tied
    } else {
        Tie::Loose
    }
}

/// Proves an answer as [`prove`] does, and that none of its statements is provably about somebody else.
/// `base_url` is the address its resources live under.
pub fn prove_all(
    documents: &[Document],
    number: NhsNumber,
    base_url: Option<&str>,
) -> Result<(), FaultClass> {
    let proof = prove(documents, number)?;
    let names = names(base_url, proof);
    for document in documents {
        for resource in Bundle::of(document)?.resources() {
            if tie(resource, &bundle::type_of(resource), &names, number) == Tie::Other {
                return Err(FaultClass::IdentityMixed);
            }
        }
    }
    Ok(())
}

/// The references that mean the patient.
pub(crate) fn names(base_url: Option<&str>, proof: Proof<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(id) = bundle::id_of(proof.patient) {
        names.insert(format!("Patient/{id}"));
        names.extend(base_url.map(|base| format!("{}/Patient/{id}", base.trim_end_matches('/'))));
    }
    let full_url = proof.full_url.and_then(Json::text).filter(|url| !url.is_empty());
    names.extend(full_url.map(std::borrow::Cow::into_owned));
    names
}

#[cfg(test)]
mod tests {
    use tributary_fhir::Limits;

    use super::*;

    const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

    fn patient(id: &str, numbers: &[&str]) -> String {
        let identifiers: Vec<String> =
            numbers.iter().map(|number| format!(r#"{{"system":"{SYSTEM}","value":"{number}"}}"#)).collect();
        format!(
            r#"{{"resource":{{"resourceType":"Patient","id":"{id}","identifier":[{}]}}}}"#,
            identifiers.join(",")
        )
    }

    #[track_caller]
    fn check(entries: &[String], expected: Result<(), FaultClass>) {
        let text = format!(r#"{{"resourceType":"Bundle","entry":[{}]}}"#, entries.join(","));
        let documents = [Document::scan(text.into_bytes(), &Limits::default()).unwrap()];
        let number = NhsNumber::parse("9990000107").unwrap();
        assert_eq!(prove(&documents, number).map(|_| ()), expected, "{entries:?}");
    }

    #[test]
    fn exactly_one_patient_with_exactly_this_number() {
        check(&[patient("p", &["999 000 0107"])], Ok(()));
        check(&[patient("p", &["9990000107"]), patient("p", &["9990000107"])], Ok(()));
        check(&[], Err(FaultClass::IdentityUnproven));
        check(&[patient("p", &[])], Err(FaultClass::IdentityUnproven));
        check(&[patient("p", &["9990000019"])], Err(FaultClass::IdentityUnproven));
        check(&[patient("p", &["9990000204"])], Err(FaultClass::IdentityNumber));
        check(&[patient("p", &["9990000107", "9990000204"])], Err(FaultClass::IdentityNumber));
        check(
            &[patient("p", &["9990000107"]), patient("q", &["9990000204"])],
            Err(FaultClass::IdentityNumber),
        );
        check(
            &[patient("p", &["9990000107"]), patient("q", &["9990000107"])],
            Err(FaultClass::IdentityMixed),
        );
    }
}
