//! The patients of the suite practice: who they are and how they stand. All are invented.

use serde_json::{Value, json};

use crate::gp::Standing;

/// A patient of the suite practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuitePatient {
    /// `patient1`, …, as the test suite names them.
    pub name: &'static str,
    /// The NHS number.
    pub nhs_number: &'static str,
    /// How the patient stands at the practice.
    pub standing: Standing,
    /// Family name.
    pub family: &'static str,
    /// Given name.
    pub given: &'static str,
    /// Administrative gender.
    pub gender: &'static str,
    /// Date of birth.
    pub birth_date: &'static str,
    /// The logical id at the practice.
    pub id: &'static str,
}

macro_rules! patients {
    ($($name:literal $number:literal $standing:ident $family:literal $given:literal $gender:literal
       $birth:literal $id:literal;)*) => {
        &[$(SuitePatient {
            name: $name,
            nhs_number: $number,
            standing: Standing::$standing,
            family: $family,
            given: $given,
            gender: $gender,
            birth_date: $birth,
            id: $id,
        }),*]
    };
}

/// Every patient of the suite practice. The numbers of the test suite's own patients are the suite's.
pub fn suite_patients() -> &'static [SuitePatient] {
    patients! {
        "patient1" "9690937278" Registered "Applewhite" "Simon" "male" "1984-02-11" "s01";
        "patient2" "9690937286" Registered "Brockbank" "Horatia" "female" "1955-07-13" "s02";
        "patient3" "9690937294" Registered "Cattermole" "Denzil" "male" "1972-09-30" "s03";
        "patient4" "9690937308" Registered "Dunnachie" "Morag" "female" "1990-01-05" "s04";
        "patient5" "9690937375" Registered "Entwhistle" "Percy" "male" "1949-11-21" "s05";
        "patient6" "9690937383" Registered "Fothergay" "Lucinda" "female" "2019-04-17" "s06";
        "patient7" "9690937391" Registered "Grimshaw" "Alfred" "male" "1961-12-02" "s07";
        "patient8" "9690937405" Registered "Hollingbery" "Jane" "female" "1978-06-24" "s08";
        "patient9" "9690938533" Sensitive "Ibbotson" "Keith" "male" "1969-03-08" "s09";
        "patient10" "9690938541" Sensitive "Jessop" "Wilma" "female" "1981-10-19" "s10";
        "patient11" "9690938622" Registered "Kettlewell" "Owen" "male" "1958-08-01" "s11";
        "patient12" "9690938614" Registered "Lillywhite" "Nora" "female" "1966-05-15" "s12";
        "patient13" "9690938096" Registered "Micklethwaite" "Ravi" "male" "1993-07-27" "s13";
        "patient14" "9476718943" Unverified "Nettleship" "Gwen" "female" "1975-12-12" "s14";
        "patient15" "9690938576" Dissenting "Oglethorpe" "Barnaby" "male" "1988-09-09" "s15";
        "patient16" "9690938118" Registered "Pettigrew" "Sunita" "female" "1963-02-28" "s16";
        "patient17" "9690938126" Registered "Quarmby" "Ewan" "male" "1996-11-03" "s17";
        "patient18" "9690938681" Deceased "Rothwell" "Edna" "female" "1931-01-30" "s18";
        "patient21" "9690938142" Inactive "Sugden" "Marcus" "male" "1985-05-05" "s21";
        "patientNoAppointments" "9690938134" Registered "Thistlewood" "Ana" "female" "2001-08-16" "s22";
        "patientTemporary" "9999900003" Temporary "Underhill" "Joost" "male" "1979-03-23" "s23";
        "patientLarge" "9999900011" Registered "Varley" "Constance" "female" "1938-10-10" "s24";
    }
}

/// The Patient of a suite patient; the practice moves in time with `registered`.
pub(super) fn patient(person: &SuitePatient, registered: &str, died: &str) -> Value {
    let mut patient = json!({
        "resourceType": "Patient",
        "id": person.id,
        "meta": {
            "versionId": "3",
            "profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Patient-1"],
        },
        "extension": [
            {"url": extension("RegistrationDetails"), "extension": [
                {"url": "registrationPeriod", "valuePeriod": {"start": registered}},
                {"url": "registrationType", "valueCodeableConcept": coded("RegistrationType", registration(person.standing))},
                {"url": "preferredBranchSurgery", "valueReference": {"reference": "Location/1"}},
            ]},
            {"url": extension("NHSCommunication"), "extension": [
                {"url": "language", "valueCodeableConcept": coded("HumanLanguage", ("en", "English"))},
                {"url": "preferred", "valueBoolean": true},
                {"url": "interpreterRequired", "valueBoolean": false},
            ]},
        ],
        "identifier": [{
            "extension": [{
                "url": extension("NHSNumberVerificationStatus"),
                "valueCodeableConcept": coded("NHSNumberVerificationStatus", verification(person.standing)),
            }],
            "system": "https://fhir.nhs.uk/Id/nhs-number",
            "value": person.nhs_number,
        }],
        "active": person.standing != Standing::Inactive,
        "name": [{
            "use": "official",
            "text": format!("{} {}", person.given, person.family),
            "family": person.family,
            "given": [person.given],
        }],
        "telecom": [{"system": "phone", "value": "01632 960143", "use": "home"}],
        "gender": person.gender,
        "birthDate": person.birth_date,
        "address": [{
            "use": "home",
            "type": "physical",
            "line": ["14 Made-up Row", "Nowhere Green"],
            "city": "Fabletown",
            "district": "Examplefordshire",
            "postalCode": "ZZ99 3WZ",
        }],
        "generalPractitioner": [{"reference": "Practitioner/g2"}],
        "managingOrganization": {"reference": "Organization/o1"},
    });
    if person.standing == Standing::Deceased
        && let Some(fields) = patient.as_object_mut()
    {
        fields.insert("deceasedDateTime".to_owned(), died.into());
    }
    patient
}

fn coded(system: &str, (code, display): (&str, &str)) -> Value {
    let system = format!("https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-{system}-1");
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

fn extension(name: &str) -> String {
    format!("https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-{name}-1")
}

fn registration(standing: Standing) -> (&'static str, &'static str) {
    if standing == Standing::Temporary { ("T", "Temporary") } else { ("R", "Regular") }
}

fn verification(standing: Standing) -> (&'static str, &'static str) {
    if standing == Standing::Unverified {
        ("02", "Number present but not traced")
    } else {
        ("01", "Number present and verified")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn patients_have_valid_numbers_and_ids_of_their_own() {
        let all = suite_patients();
        for field in
            [|one: &SuitePatient| one.nhs_number, |one: &SuitePatient| one.id, |one: &SuitePatient| one.name]
        {
            assert_eq!(all.iter().map(field).collect::<BTreeSet<_>>().len(), all.len());
        }
        for one in all {
            assert!(tributary_model::NhsNumber::parse(one.nhs_number).is_ok(), "{}", one.name);
        }
    }
}
