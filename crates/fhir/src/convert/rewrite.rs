//! Texts that change wherever they stand: references to renamed types, and code systems that moved.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::bundle::{Bundle, id_of, type_of};
use crate::json::Mark;

/// Knows the replacements for one bundle.
#[derive(Debug)]
pub(super) struct Rewriter<'d> {
    procedures: HashSet<Cow<'d, str>>,
    referrals: HashSet<Cow<'d, str>>,
}

impl<'d> Rewriter<'d> {
    /// Two STU3 types become `ServiceRequest`, so the ids of both must be known before a reference changes.
    pub(super) fn of(bundle: Bundle<'d>) -> Self {
        let mut rewriter = Self { procedures: HashSet::new(), referrals: HashSet::new() };
        for resource in bundle.resources() {
            let ids = match type_of(resource).as_ref() {
                "ProcedureRequest" => &mut rewriter.procedures,
                "ReferralRequest" => &mut rewriter.referrals,
                _ => continue,
            };
            ids.extend(id_of(resource));
        }
        rewriter
    }

    /// The new text of a marked string, if it changes.
    pub(super) fn replacement(&self, mark: Mark, text: &str) -> Option<String> {
        match mark {
            Mark::Reference => self.reference(text),
            Mark::System => moved_system(text),
            Mark::Attachment | Mark::Narrative => None,
        }
    }

    /// A reference changes only when it is certain which resource it means. A target that is not in the
    /// bundle, or an id that both types use, keeps the name the source gave it: a wrong link is worse than
    /// an old one.
    fn reference(&self, text: &str) -> Option<String> {
        let (target, own, other) = match text.strip_prefix("ProcedureRequest/") {
            Some(target) => (target, &self.procedures, &self.referrals),
            None => (text.strip_prefix("ReferralRequest/")?, &self.referrals, &self.procedures),
        };
        let id = target.split(['/', '#']).next().unwrap_or(target);
        let is_certain = own.contains(id) && !other.contains(id);
        is_certain.then(|| format!("ServiceRequest/{target}"))
    }
}

/// Code systems of required bindings. They stayed under `http://hl7.org/fhir/` in R4.
const STAYED: &[&str] = &[
    "address-type",
    "address-use",
    "administrative-gender",
    "allergy-intolerance-category",
    "allergy-intolerance-criticality",
    "allergy-intolerance-type",
    "composition-status",
    "contact-point-system",
    "contact-point-use",
    "data-types",
    "days-of-week",
    "diagnostic-report-status",
    "document-reference-status",
    "encounter-status",
    "event-status",
    "flag-status",
    "identifier-use",
    "list-mode",
    "list-status",
    "name-use",
    "narrative-status",
    "observation-status",
    "quantity-comparator",
    "reaction-event-severity",
    "request-intent",
    "request-priority",
    "request-status",
    "resource-types",
    "specimen-status",
    "task-status",
];

/// The R4 address of a STU3 code system. Sources pad the address with spaces, so it is trimmed first.
fn moved_system(text: &str) -> Option<String> {
    let trimmed = text.trim_end();
    let name = trimmed.strip_prefix("http://hl7.org/fhir/")?;
    let new = match name.split_once('/') {
        None if !is_name(name) || STAYED.contains(&name) => None,
        None => Some(name.to_owned()),
        Some((version @ ("v2" | "v3"), table)) if is_name(table) => Some(format!("{version}-{table}")),
        // `sid/…` and whatever is no code system.
        Some(_) => None,
    };
    match new {
        Some(name) => Some(format!("http://terminology.hl7.org/CodeSystem/{name}")),
        None => (trimmed.len() < text.len()).then(|| trimmed.to_owned()),
    }
}

/// Code systems that R4 made, so that STU3 has no address for them.
const NEW_IN_R4: &[&str] = &[
    "dose-rate-type",
    "goal-achievement",
    "library-type",
    "medicationrequest-course-of-therapy",
    "medicationrequest-status-reason",
    "observation-statistics",
    "program",
    "service-referral-method",
];

/// Code systems that have another name in STU3.
const RENAMED: &[(&str, &str)] = &[
    ("allergyintolerance-clinical", "allergy-clinical-status"),
    ("allergyintolerance-verification", "allergy-verification-status"),
    ("medicationrequest-category", "medication-request-category"),
    ("provenance-participant-type", "provenance-participant-role"),
];

/// The STU3 address of an R4 code system.
pub(super) fn system_of_stu3(text: &str) -> Option<String> {
    let name = text.strip_prefix("http://terminology.hl7.org/CodeSystem/").filter(|name| is_name(name))?;
    let renamed = RENAMED.iter().find(|(r4, _)| *r4 == name).map(|(_, stu3)| *stu3);
    let old = match (name.split_once('-'), renamed) {
        _ if NEW_IN_R4.contains(&name) => return None,
        (_, Some(renamed)) => renamed.to_owned(),
        (Some((version @ ("v2" | "v3"), table)), None) => format!("{version}/{table}"),
        (_, None) => name.to_owned(),
    };
    Some(format!("http://hl7.org/fhir/{old}"))
}

/// Pages and files, which sources quote too, have dots in their names.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Limits};

    #[test]
    fn code_systems_move() {
        let check = |old: &str, new: Option<&str>| assert_eq!(moved_system(old).as_deref(), new, "{old}");
        check(
            "http://hl7.org/fhir/condition-category",
            Some("http://terminology.hl7.org/CodeSystem/condition-category"),
        );
        check("http://hl7.org/fhir/v2/0074", Some("http://terminology.hl7.org/CodeSystem/v2-0074"));
        check(
            "http://hl7.org/fhir/v3/NullFlavor ",
            Some("http://terminology.hl7.org/CodeSystem/v3-NullFlavor"),
        );
        check("http://hl7.org/fhir/sid/icd-10", None);
        check("http://hl7.org/fhir/sid/icd-10  ", Some("http://hl7.org/fhir/sid/icd-10"));
        check("http://hl7.org/fhir/administrative-gender", None);
        check("http://hl7.org/fhir/codesystem-list-order.html", None);
        check("http://hl7.org/fhir/stu3/valueset-immunization-role.html", None);
        check("http://snomed.info/sct", None);
    }

    #[test]
    fn code_systems_move_back() {
        let check = |new: &str, old: Option<&str>| {
            let new = format!("http://terminology.hl7.org/CodeSystem/{new}");
            assert_eq!(system_of_stu3(&new).as_deref(), old, "{new}");
        };
        check("condition-category", Some("http://hl7.org/fhir/condition-category"));
        check("v2-0074", Some("http://hl7.org/fhir/v2/0074"));
        check("v3-NullFlavor", Some("http://hl7.org/fhir/v3/NullFlavor"));
        check("allergyintolerance-clinical", Some("http://hl7.org/fhir/allergy-clinical-status"));
        check("medicationrequest-course-of-therapy", None);
        check("a/b", None);
        assert_eq!(system_of_stu3("http://hl7.org/fhir/sid/icd-10"), None);
    }

    #[test]
    fn a_reference_changes_only_when_its_target_is_certain() {
        let text = r#"{"resourceType":"Bundle","entry":[
            {"resource":{"resourceType":"ProcedureRequest","id":"p"}},
            {"resource":{"resourceType":"ReferralRequest","id":"r"}},
            {"resource":{"resourceType":"ProcedureRequest","id":"both"}},
            {"resource":{"resourceType":"ReferralRequest","id":"both"}}]}"#;
        let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
        let rewriter = Rewriter::of(Bundle::of(&doc).unwrap());
        let check =
            |old: &str, new: Option<&str>| assert_eq!(rewriter.reference(old).as_deref(), new, "{old}");
        check("ProcedureRequest/p", Some("ServiceRequest/p"));
        check("ReferralRequest/r/_history/2", Some("ServiceRequest/r/_history/2"));
        check("ReferralRequest/both", None);
        check("ProcedureRequest/elsewhere", None);
        check("Patient/p", None);
        check("#p", None);
    }
}
