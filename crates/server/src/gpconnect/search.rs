//! The parameters of searches: a caller's mistake is told before any source is asked.

use std::borrow::Cow;

use http::StatusCode;
use tributary_bounds::{Problem, Spine};
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{Interaction, NhsNumber};

use super::parameters::nhs_number_problem;

const USER_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const ODS_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const IDENTIFIER: &str = "identifier";
const INCLUDE: &str = "_include";
/// What a search for documents must bring along: whose they are, who keeps them, who wrote them.
const INCLUDED: &[(&str, &str)] = &[
    (INCLUDE, "DocumentReference:subject:Patient"),
    (INCLUDE, "DocumentReference:custodian:Organization"),
    (INCLUDE, "DocumentReference:author:Organization"),
    (INCLUDE, "DocumentReference:author:Practitioner"),
    ("_revinclude:recurse", "PractitionerRole:practitioner"),
];
/// What such a search may say besides.
const DOCUMENT_PARAMETERS: &[&str] =
    &["created", "author", "description", INCLUDE, "_revinclude:recurse", "_format"];

type Pairs<'q> = Vec<(Cow<'q, str>, Cow<'q, str>)>;

fn pairs(query: Option<&str>) -> Pairs<'_> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect()
}

/// Checks the query of an interaction; gives the patient it names.
pub(super) fn check(interaction: Interaction, query: Option<&str>) -> Result<Option<NhsNumber>, Problem> {
    let pairs = pairs(query);
    match interaction {
        Interaction::FindPatient | Interaction::DocumentsFindPatient => {
            let value = identifier(&pairs, NHS_NUMBER_SYSTEM)?;
            let number = Some(value).filter(|value| value.len() == 10);
            let number = number.and_then(|value| NhsNumber::parse(value).ok());
            number.map(Some).ok_or_else(|| nhs_number_problem(IDENTIFIER))
        }
        Interaction::FindPractitioner => identifier(&pairs, USER_SYSTEM).map(|_value| None),
        Interaction::FindOrganization => identifier(&pairs, ODS_SYSTEM).map(|_value| None),
        Interaction::SearchDocuments => documents(&pairs).map(|()| None),
        Interaction::GetStructuredRecord
        | Interaction::StructuredMetadata
        | Interaction::DocumentsMetadata
        | Interaction::ReadBinary
        | Interaction::FoundationsMetadata
        | Interaction::ReadPatient
        | Interaction::ReadPractitioner
        | Interaction::ReadOrganization
        | Interaction::ReadLocation => Ok(None),
    }
}

/// The value of the one identifier, which must be of this system.
fn identifier<'q>(pairs: &'q Pairs<'_>, system: &str) -> Result<&'q str, Problem> {
    let mut identifiers = pairs.iter().filter(|(name, _)| name == IDENTIFIER);
    let (Some((_, token)), None) = (identifiers.next(), identifiers.next()) else {
        return Err(Problem::bad("The parameter must come exactly once.").naming(IDENTIFIER));
    };
    let wrong = |text: &str| Problem::parameter(IDENTIFIER, text);
    let (found, value) =
        token.split_once('|').ok_or_else(|| wrong("It must be a system, a | and a value."))?;
    if found.trim().is_empty() || value.trim().is_empty() {
        return Err(wrong("System and value must both be given."));
    }
    if found != system {
        let text = "It is not of the system that this search goes by.";
        let problem = Problem::new(StatusCode::BAD_REQUEST, "value", text).naming(IDENTIFIER);
        return Err(problem.coded(Spine::IDENTIFIER_SYSTEM));
    }
    Ok(value)
}

fn documents(pairs: &Pairs<'_>) -> Result<(), Problem> {
    let missing = |wanted: &&(&str, &str)| !pairs.iter().any(|(name, value)| (&**name, &**value) == **wanted);
    if let Some((name, value)) = INCLUDED.iter().find(missing) {
        return Err(Problem::parameter(name, format!("The search must include {value}.")));
    }
    // What a caller calls something may be anything: it is named by its place.
    let unknown = |(name, _): &(Cow<'_, str>, Cow<'_, str>)| !DOCUMENT_PARAMETERS.contains(&&**name);
    if let Some(at) = pairs.iter().position(unknown) {
        return Err(Problem::parameter(&format!("parameter {}", at + 1), "There is no such parameter."));
    }
    for (name, value) in pairs {
        match &**name {
            "author" if !is_token(value, ODS_SYSTEM) => {
                return Err(Problem::parameter("author", "It must be an ODS code with its system."));
            }
            "created" if !is_range(value) => {
                return Err(Problem::parameter("created", "It must be a date behind ge or le."));
            }
            _ => {}
        }
    }
    for (name, most) in [("created", 2), ("author", 1), ("description", 1)] {
        if pairs.iter().filter(|(found, _)| found == name).count() > most {
            return Err(Problem::parameter(name, "The parameter comes too often."));
        }
    }
    Ok(())
}

fn is_token(value: &str, system: &str) -> bool {
    value.split_once('|').is_some_and(|(found, code)| found == system && !code.trim().is_empty())
}

fn is_range(value: &str) -> bool {
    let date = value.strip_prefix("ge").or_else(|| value.strip_prefix("le"));
    date.is_some_and(|date| tributary_model::FhirDate::parse(date).is_some())
}

/// A query as it is passed on: the format is between us and the caller; the rest is the caller's, byte for byte.
pub(super) fn passed_on(query: Option<&str>) -> Option<String> {
    let own = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = url::form_urlencoded::parse(name.as_bytes()).next();
        name.is_none_or(|(name, _)| name != "_format")
    };
    let kept: Vec<_> = query?.split('&').filter(own).filter(|pair| !pair.is_empty()).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9990000107";

    #[track_caller]
    fn refused(interaction: Interaction, query: &str, status: u16, code: &str) {
        let problem = check(interaction, Some(query)).unwrap_err();
        let found = problem.spine.map(|spine| spine.0);
        assert_eq!((problem.status.as_u16(), found), (status, Some(code)), "{query}");
        assert!(problem.element.is_some(), "{query}");
    }

    #[test]
    fn one_identifier_with_its_system_names_the_patient() {
        let find = Interaction::FindPatient;
        let number = NhsNumber::parse("9990000107").ok();
        for query in [
            format!("identifier={NUMBER}"),
            format!("_count=1&identifier={NUMBER}&_sort=status"),
            "identifier=https://fhir.nhs.uk/Id/nhs-number|9990000107".to_owned(),
        ] {
            assert_eq!(check(find, Some(&query)), Ok(number), "{query}");
        }
        let twice = format!("identifier={NUMBER}&identifier={NUMBER}");
        let wrong_case = format!("Identifier={NUMBER}");
        for query in ["", "_count=1", &twice, &wrong_case] {
            refused(find, query, 400, "BAD_REQUEST");
        }
        for value in ["9990000107", "|9990000107", "%7C", "https://fhir.nhs.uk/Id/nhs-number|"] {
            refused(find, &format!("identifier={value}"), 422, "INVALID_PARAMETER");
        }
        refused(find, "identifier=urn:x|9990000107", 400, "INVALID_IDENTIFIER_SYSTEM");
        refused(find, &format!("identifier={}", NUMBER.replace("0107", "0108")), 400, "INVALID_NHS_NUMBER");
        refused(find, &format!("identifier={}", NUMBER.replace("9990", "999+0")), 400, "INVALID_NHS_NUMBER");
    }

    #[test]
    fn each_search_goes_by_its_own_system() {
        let (user, ods) = (format!("identifier={USER_SYSTEM}|G1"), format!("identifier={ODS_SYSTEM}|A99901"));
        assert_eq!(check(Interaction::FindPractitioner, Some(&user)), Ok(None));
        assert_eq!(check(Interaction::FindOrganization, Some(&ods)), Ok(None));
        refused(Interaction::FindPractitioner, &ods, 400, "INVALID_IDENTIFIER_SYSTEM");
        refused(Interaction::FindOrganization, &user, 400, "INVALID_IDENTIFIER_SYSTEM");
    }

    #[test]
    fn a_search_for_documents_is_checked_whole() {
        let all: Vec<_> = INCLUDED.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let good = all.join("&");
        let search = Interaction::SearchDocuments;
        for more in [
            String::new(),
            "&created=ge2025-01-01&created=le2026-01-01&_format=application/fhir%2Bjson".to_owned(),
            format!("&author={ODS_SYSTEM}|A99901&description=letter"),
        ] {
            assert_eq!(check(search, Some(&format!("{good}{more}"))), Ok(None), "{more}");
        }
        for left_out in 0..all.len() {
            let mut some = all.clone();
            some.remove(left_out);
            refused(search, &some.join("&"), 422, "INVALID_PARAMETER");
        }
        for more in [
            "&patient=1",
            "&created=2025-01-01",
            "&created=gt2025-01-01",
            "&created=ge2025-13-01",
            "&created=ge2025&created=ge2025&created=ge2025",
            "&author=A99901",
            "&author=https://fhir.nhs.uk/Id/sds-user-id|A99901",
            "&description=a&description=b",
        ] {
            refused(search, &format!("{good}{more}"), 422, "INVALID_PARAMETER");
        }
    }

    #[test]
    fn only_the_format_stays_with_us() {
        for (query, kept) in [
            ("_format=application%2Ffhir%2Bxml", None),
            ("a=1&_format=xml&b=%7C", Some("a=1&b=%7C")),
            ("%5Fformat=xml&a", Some("a")),
            ("", None),
        ] {
            assert_eq!(passed_on(Some(query)).as_deref(), kept, "{query}");
        }
    }
}
