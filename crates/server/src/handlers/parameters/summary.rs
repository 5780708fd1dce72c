//! Reads the `Parameters` of `$summary` (IPS 2.0.0), and those it shares with `$record`.

use http::StatusCode;
use tributary_bounds::{Problem, Spine};
use tributary_fhir::Json;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{NhsNumber, Purpose, Redacted};

use super::{check_members, named, nhs_number, once, purpose, reason, scan, string, value};

/// What is said of any other parameter.
const UNKNOWN: &str =
    "There is no such parameter; there are identifier, profile, patient, purpose and breakGlass.";

/// The profiles a summary is given in, with or without this version of them.
const PROFILES: &[&str] = &[
    "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips",
    "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips",
];
const VERSION: &str = "2.0.0";

/// What `$summary` was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) patient: NhsNumber,
    pub(crate) purpose: Purpose,
    pub(crate) break_glass: Option<Redacted<String>>,
}

/// Reads the parameters of `$summary`, as strictly as those of `$record`.
pub(crate) fn read(body: &[u8]) -> Result<Asked, Problem> {
    let document = scan(body)?;
    check_members(&document)?;
    let (mut patient, mut why, mut glass, mut profile) = (None, None, None, None);
    for (at, (name, item)) in named(&document).enumerate() {
        let name = name.as_ref();
        match name {
            "identifier" | "patient" => once(&mut patient, name, number(name, item)?)?,
            "profile" => once(&mut profile, name, read_profile(item)?)?,
            "purpose" => once(&mut why, name, purpose(name, item)?)?,
            "breakGlass" => once(&mut glass, name, reason(name, item)?)?,
            _ => return Err(Problem::parameter(&format!("parameter[{at}]"), UNKNOWN)),
        }
    }
    let missing = || Problem::parameter("identifier", "The parameter is missing.");
    Ok(Asked {
        patient: patient.ok_or_else(missing)?,
        purpose: why.unwrap_or(Purpose::DirectCare),
        break_glass: glass,
    })
}

/// An identifier, or a token: `system|value`, or the value alone.
fn number(name: &str, item: Json<'_>) -> Result<NhsNumber, Problem> {
    if item.get("valueString").is_none() {
        return nhs_number(name, value(name, item, "valueIdentifier")?);
    }
    let token = string(name, item, "valueString")?;
    let refuse = |spine: Spine, text: &str| {
        Problem::new(StatusCode::BAD_REQUEST, "value", text).coded(spine).naming(name)
    };
    let number = match token.split_once('|') {
        Some((NHS_NUMBER_SYSTEM, number)) => number,
        Some(_) => {
            let text = "The identifier system must be that of the NHS number.";
            return Err(refuse(Spine::IDENTIFIER_SYSTEM, text));
        }
        None => token.as_str(),
    };
    let number = Some(number).filter(|number| number.len() == 10);
    let number = number.and_then(|number| NhsNumber::parse(number).ok());
    number.ok_or_else(|| refuse(Spine::NHS_NUMBER, "The value is not a valid NHS number."))
}

fn read_profile(item: Json<'_>) -> Result<(), Problem> {
    let kinds = ["valueCanonical", "valueUri", "valueString"];
    let kind = kinds.into_iter().find(|kind| item.get(kind).is_some()).unwrap_or("valueCanonical");
    check_profile(&string("profile", item, kind)?)
}

/// Whether a summary can be given in a profile. What cannot be given is not replaced by something else.
pub(crate) fn check_profile(canonical: &str) -> Result<(), Problem> {
    let (url, version) =
        canonical.split_once('|').map_or((canonical, None), |(url, version)| (url, Some(version)));
    if PROFILES.contains(&url) && version.is_none_or(|version| version == VERSION) {
        return Ok(());
    }
    Err(Problem::parameter("profile", "Summaries are given in Composition-uv-ips 2.0.0 only."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

    fn asked(parameters: &str) -> Result<Asked, Problem> {
        read(format!(r#"{{"resourceType":"Parameters","parameter":[{parameters}]}}"#).as_bytes())
    }

    fn token(text: &str) -> String {
        format!(r#"{{"name":"identifier","valueString":"{text}"}}"#)
    }

    #[track_caller]
    fn refused(parameters: &str, status: u16, element: &str) {
        let problem = asked(parameters).unwrap_err();
        assert_eq!(
            (problem.status.as_u16(), problem.element.as_deref()),
            (status, Some(element)),
            "{parameters}"
        );
    }

    #[test]
    fn what_is_wrong_is_refused_by_name() {
        let good = token("9990000107");
        refused("", 422, "identifier");
        refused(&token("9990000019"), 400, "identifier");
        refused(&token("999 000 0107"), 400, "identifier");
        refused(&token("https://other.example|9990000107"), 400, "identifier");
        refused(&token("|9990000107"), 400, "identifier");
        refused(r#"{"name":"identifier","valueCode":"9990000107"}"#, 422, "identifier");
        refused(&format!("{good},{good}"), 422, "identifier");
        // Two names of a patient could be two patients.
        let patient =
            format!(r#"{{"name":"patient","valueIdentifier":{{"system":"{SYSTEM}","value":"9990000204"}}}}"#);
        refused(&format!("{good},{patient}"), 422, "patient");
        refused(&format!(r#"{good},{{"name":"section","valueCode":"allergies"}}"#), 422, "parameter[1]");
        refused(
            &format!(r#"{good},{{"name":"profile","valueCanonical":"https://other.example"}}"#),
            422,
            "profile",
        );
        refused(&format!(r#"{good},{{"name":"profile"}}"#), 422, "profile");
    }

    #[test]
    fn a_patient_may_be_named_in_three_ways() {
        let identifier = format!(r#""valueIdentifier":{{"system":"{SYSTEM}","value":"9990000107"}}"#);
        for parameters in [
            token("9990000107"),
            token(&format!("{SYSTEM}|9990000107")),
            format!(r#"{{"name":"identifier",{identifier}}}"#),
            format!(r#"{{"name":"patient",{identifier}}}"#),
        ] {
            assert_eq!(asked(&parameters).unwrap().patient.expose(), "9990000107", "{parameters}");
        }
    }

    #[test]
    fn only_the_profile_that_is_given_is_taken() {
        let ips = PROFILES[0];
        for fine in [ips.to_owned(), format!("{ips}|2.0.0"), PROFILES[1].to_owned()] {
            assert!(check_profile(&fine).is_ok(), "{fine}");
        }
        for other in ["", "x", &format!("{ips}|1.1.0"), &format!("{ips}|")] {
            assert!(check_profile(other).is_err(), "{other}");
        }
    }
}
