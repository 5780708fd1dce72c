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

/// Every Patient of an answer.
pub fn patients(documents: &[Document]) -> Result<Vec<Entry<'_>>, FaultClass> {
    let mut patients = Vec::new();
    for document in documents {
        let entries = Bundle::of(document)?.entries();
        patients.extend(entries.filter(|entry| bundle::type_of(entry.resource) == "Patient"));
    }
    Ok(patients)
}

/// Whether a Patient carries this number, and no other.
pub(crate) fn check_number(patient: Json<'_>, number: NhsNumber) -> Result<(), FaultClass> {
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
    let contained = contained_patients(resource, number);
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

/// Whose contained Patients are, by their id. A number that does not parse proves nothing. Judged once each: a
/// resource may name one of them a thousand times.
fn contained_patients(resource: Json<'_>, number: NhsNumber) -> HashMap<String, Tie> {
    let contained = resource.get("contained").into_iter().flat_map(Json::items);
    let patients = contained.filter(|one| one.says("resourceType", "Patient"));
    let judged = |patient| tie_of(bundle::nhs_numbers(patient), number);
    // Of two under one id the last one is meant, as ever.
    patients.filter_map(|patient| Some((bundle::id_of(patient)?.into_owned(), judged(patient)))).collect()
}

/// Whose numbers these are.
fn tie_of<'n>(numbers: impl Iterator<Item = std::borrow::Cow<'n, str>>, number: NhsNumber) -> Tie {
    let mut tie = Tie::Loose;
    for stated in numbers.filter_map(|text| NhsNumber::parse(&text).ok()) {
        if stated != number {
            return Tie::Other;
        }
        tie = Tie::Tied;
    }
    tie
}

fn tie_one(
    subject: Json<'_>,
    contained: &HashMap<String, Tie>,
    names: &BTreeSet<String>,
    number: NhsNumber,
) -> Tie {
    let reference = subject.text_at("reference").unwrap_or_default();
    let identifiers = subject.get("identifier").into_iter().flat_map(Json::each);
    let stated = identifiers
        .filter(|one| one.says("system", NHS_NUMBER_SYSTEM))
        .filter_map(|one| one.text_at("value"));
    let inside = reference.strip_prefix('#').and_then(|id| contained.get(id)).copied();
    let ties = [tie_of(stated, number), inside.unwrap_or(Tie::Loose)];
    // Whatever else it says: a subject that names another number is somebody else.
    if ties.contains(&Tie::Other) {
        Tie::Other
    } else if ties.contains(&Tie::Tied) || names.contains(bare(&reference)) {
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

/// Whose an answer is that was not asked for by a whole record: a searchset, or one resource of it.
///
/// Nobody's, when it holds nothing of a patient. Otherwise one person's, proven by their number, which is the
/// one asked for if one was. Whatever is provably about somebody else, or about nobody that can be named,
/// is refused.
pub fn whose(
    document: &Document,
    asked: Option<NhsNumber>,
    base_url: Option<&str>,
) -> Result<Option<NhsNumber>, FaultClass> {
    let is_bundle = document.root().says("resourceType", "Bundle");
    let entries = if is_bundle { Some(Bundle::of(document)?) } else { None };
    let single = (!is_bundle).then(|| document.root());
    let resources = || entries.into_iter().flat_map(Bundle::resources).chain(single);
    let mut found = asked;
    let mut names_of = BTreeSet::new();
    let mut is_proven = false;
    for patient in resources().filter(|resource| bundle::type_of(*resource) == "Patient") {
        let number = match found {
            Some(number) => number,
            None => stated_number(patient)?,
        };
        check_number(patient, number)?;
        found = Some(number);
        is_proven = true;
        names_of.extend(names(base_url, Proof { patient, full_url: None }));
    }
    let of_a_patient = |resource: &Json<'_>| !ADMINISTRATIVE.contains(&bundle::type_of(*resource).as_ref());
    for resource in resources().filter(of_a_patient) {
        let Some(number) = found.filter(|_| is_proven) else { return Err(FaultClass::IdentityUnproven) };
        if tie(resource, &bundle::type_of(resource), &names_of, number) == Tie::Other {
            return Err(FaultClass::IdentityMixed);
        }
    }
    Ok(found.filter(|_| is_proven))
}

/// The one number that a Patient carries.
fn stated_number(patient: Json<'_>) -> Result<NhsNumber, FaultClass> {
    let first = bundle::nhs_numbers(patient).next().ok_or(FaultClass::IdentityUnproven)?;
    NhsNumber::parse(&first).map_err(|_not_one| FaultClass::IdentityUnproven)
}

/// The references that mean the patient.
pub fn names(base_url: Option<&str>, proof: Proof<'_>) -> BTreeSet<String> {
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

    #[track_caller]
    fn check_whose(entries: &[String], asked: Option<&str>, expected: Result<Option<&str>, FaultClass>) {
        let text = format!(r#"{{"resourceType":"Bundle","entry":[{}]}}"#, entries.join(","));
        let document = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
        let number = |text: &str| NhsNumber::parse(text).unwrap();
        let found = whose(&document, asked.map(number), None);
        assert_eq!(found, expected.map(|found| found.map(number)), "{entries:?}");
    }

    #[test]
    fn a_searchset_is_one_person_s_or_nobody_s() {
        let (one, other) = ("9990000107", "9990000204");
        let practice = r#"{"resource":{"resourceType":"Organization","id":"o"}}"#.to_owned();
        let letter = |subject: &str| {
            let subject = format!(r#""subject":{{"reference":"{subject}"}}"#);
            format!(r#"{{"resource":{{"resourceType":"DocumentReference",{subject}}}}}"#)
        };
        check_whose(&[], Some(one), Ok(None));
        check_whose(std::slice::from_ref(&practice), None, Ok(None));
        check_whose(&[patient("p", &[one]), practice], Some(one), Ok(Some(one)));
        check_whose(&[patient("p", &[one]), letter("Patient/p")], None, Ok(Some(one)));
        check_whose(&[patient("p", &[other])], Some(one), Err(FaultClass::IdentityNumber));
        check_whose(&[patient("p", &[one]), patient("q", &[other])], None, Err(FaultClass::IdentityNumber));
        check_whose(&[patient("p", &[])], None, Err(FaultClass::IdentityUnproven));
        check_whose(&[letter("Patient/p")], None, Err(FaultClass::IdentityUnproven));
        check_whose(&[letter("Patient/p")], Some(one), Err(FaultClass::IdentityUnproven));
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
