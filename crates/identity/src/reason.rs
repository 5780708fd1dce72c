//! What a signed token says its bearer asks for: the one table from its words to our purposes.

use tributary_model::Purpose;
use tributary_model::requester::{Said, ScopeSaid};

use crate::json::Json;

const REASON: &str = "reason_for_request";
const SCOPE: &str = "requested_scope";
/// The scope of GP Connect for reading what is about a patient.
const PATIENTS: &str = "patient/*.read";

/// The purposes that each `reason_for_request` covers. GP Connect knows the first and the last; the others are our
/// own purposes by their own codes. Urgent care is direct care that cannot wait, so each of the two covers both.
/// What is moved from practice to practice is nobody's record to look at, and what is not here covers nothing.
pub(crate) const REASONS: &[(&str, &[Purpose])] = &[
    ("directcare", &[Purpose::DirectCare, Purpose::UrgentCare]),
    ("urgentcare", &[Purpose::DirectCare, Purpose::UrgentCare]),
    ("safeguarding", &[Purpose::Safeguarding]),
    ("patientaccess", &[Purpose::PatientAccess]),
    ("audit", &[Purpose::Audit]),
    ("migration", &[]),
];

/// What the claims say. A claim of another form than it should have covers nothing.
pub(crate) fn said(claims: &Json) -> Said {
    let reason = claims.words(REASON).unwrap_or_default();
    let scope = match claims.get(SCOPE) {
        None => ScopeSaid::Nothing,
        Some(scope) if scope.text().is_some_and(is_of_patients) => ScopeSaid::Patients,
        Some(_) => ScopeSaid::Otherwise,
    };
    Said { purposes: covered(reason), scope }
}

/// The purposes that a reason covers.
pub(crate) fn covered(reason: &str) -> &'static [Purpose] {
    REASONS.iter().find(|(word, _)| *word == reason).map_or(&[], |(_, purposes)| purposes)
}

/// `conf/N` asks for nothing more, so it may stand there; `conf/R` belongs to transfers between practices.
fn is_of_patients(scope: &str) -> bool {
    let mut words = scope.split_ascii_whitespace().filter(|word| *word != "conf/N");
    words.next() == Some(PATIENTS) && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, once more and by hand: whoever changes it changes both.
    #[test]
    fn a_reason_covers_these_purposes_and_no_others() {
        use Purpose::{Audit, DirectCare, PatientAccess, Safeguarding, UrgentCare};
        let rows: &[(&str, &[Purpose])] = &[
            ("directcare", &[DirectCare, UrgentCare]),
            ("urgentcare", &[DirectCare, UrgentCare]),
            ("safeguarding", &[Safeguarding]),
            ("patientaccess", &[PatientAccess]),
            ("audit", &[Audit]),
            ("migration", &[]),
            ("", &[]),
            ("DirectCare", &[]),
            ("directcare ", &[]),
            ("research", &[]),
        ];
        for (reason, purposes) in rows {
            assert_eq!(covered(reason), *purposes, "{reason}");
        }
        let is_told = |(word, _): &(&str, _)| rows.iter().any(|(row, _)| row == word);
        assert!(REASONS.iter().all(is_told), "every reason has a row here");
    }

    #[track_caller]
    fn check(claims: &str, purposes: usize, scope: ScopeSaid) {
        let said = said(&Json::object(claims.as_bytes()).unwrap());
        assert_eq!((said.purposes.len(), said.scope), (purposes, scope), "{claims}");
    }

    #[test]
    fn claims_of_another_form_cover_nothing() {
        check("{}", 0, ScopeSaid::Nothing);
        check(r#"{"reason_for_request":"directcare"}"#, 2, ScopeSaid::Nothing);
        check(r#"{"reason_for_request":["directcare"]}"#, 0, ScopeSaid::Nothing);
        check(r#"{"reason_for_request":null}"#, 0, ScopeSaid::Nothing);
        for (scope, said) in [
            (r#""patient/*.read""#, ScopeSaid::Patients),
            (r#""patient/*.read conf/N""#, ScopeSaid::Patients),
            (r#""conf/N patient/*.read""#, ScopeSaid::Patients),
            (r#""patient/*.read conf/R""#, ScopeSaid::Otherwise),
            (r#""patient/*.read organization/*.write""#, ScopeSaid::Otherwise),
            (r#""patient/*.write""#, ScopeSaid::Otherwise),
            (r#""organization/*.read""#, ScopeSaid::Otherwise),
            (r#""conf/N""#, ScopeSaid::Otherwise),
            (r#""""#, ScopeSaid::Otherwise),
            ("null", ScopeSaid::Otherwise),
            (r#"["patient/*.read"]"#, ScopeSaid::Otherwise),
        ] {
            check(&format!(r#"{{"requested_scope":{scope}}}"#), 0, said);
        }
    }
}
