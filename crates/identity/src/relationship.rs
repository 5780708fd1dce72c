//! What a signed token says of its bearer and a patient.

use tributary_model::requester::Related;
use tributary_model::{NhsNumber, Relationship};

use crate::json::Json;
use crate::refused::Refused;

/// A claim of ours beside those of GP Connect.
const CLAIM: &str = "relationship";
const PATIENT: &str = "nhs_number";
const BASIS: &str = "basis";
const ID: &str = "id";
/// What an evidenced relationship may rest on. Its id is the system's own and goes nowhere.
const BASES: &[&str] = &["referral", "caseload", "appointment"];
/// Longest id of a referral.
const MOST_BYTES: usize = 256;

/// The relationship that the claims name: asserted by its patient alone, evidenced by what it rests on and an id of
/// that. A claim that is there and says something else is a mistake, not silence.
pub(crate) fn claimed(claims: &Json) -> Result<Option<Related>, Refused> {
    let Some(claim) = claims.get(CLAIM) else { return Ok(None) };
    let patient = claim.words(PATIENT).and_then(|number| NhsNumber::parse(number).ok());
    let patient = patient.ok_or(Refused::Claims)?;
    let is_id = |id: &str| id.len() <= MOST_BYTES && !id.chars().any(char::is_control);
    let degree = match (claim.get(BASIS), claim.get(ID)) {
        (None, None) => Relationship::Asserted,
        (Some(basis), Some(_)) => {
            let is_known = basis.text().is_some_and(|basis| BASES.contains(&basis));
            if !is_known || !claim.words(ID).is_some_and(is_id) {
                return Err(Refused::Claims);
            }
            Relationship::Evidenced
        }
        (Some(_), None) | (None, Some(_)) => return Err(Refused::Claims),
    };
    Ok(Some(Related { patient, degree }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(claim: &str, expected: Result<Option<Relationship>, Refused>) {
        let claims = Json::object(format!("{{{claim}}}").as_bytes()).unwrap();
        let found = claimed(&claims).map(|related| related.map(|related| related.degree));
        assert_eq!(found, expected, "{claim}");
    }

    #[test]
    fn a_relationship_is_to_one_patient_and_rests_on_something_or_is_only_said() {
        let of = |more: &str| format!(r#""relationship":{{"nhs_number":"9990000107"{more}}}"#);
        check("", Ok(None));
        check(&of(""), Ok(Some(Relationship::Asserted)));
        for basis in BASES {
            let more = format!(r#","basis":"{basis}","id":"R-17""#);
            check(&of(&more), Ok(Some(Relationship::Evidenced)));
        }
        for more in [
            r#","basis":"referral""#,
            r#","id":"R-17""#,
            r#","basis":"curiosity","id":"R-17""#,
            r#","basis":"Referral","id":"R-17""#,
            r#","basis":["referral"],"id":"R-17""#,
            r#","basis":"referral","id":" ""#,
            r#","basis":"referral","id":17"#,
            r#","basis":"referral","id":"a\nb""#,
        ] {
            check(&of(more), Err(Refused::Claims));
        }
        for claim in [
            r#""relationship":true"#,
            r#""relationship":"evidenced""#,
            r#""relationship":{}"#,
            r#""relationship":{"nhs_number":"9990000108"}"#,
            r#""relationship":[{"nhs_number":"9990000107"}]"#,
        ] {
            check(claim, Err(Refused::Claims));
        }
    }
}
