//! Labels by which a source holds a single resource back.

use tributary_fhir::{Json, Kind, bundle};
use tributary_model::{Label, RoleView, Section, SectionSet};

use super::{links, walk};

/// The systems of confidentiality codes, in every spelling.
const CONFIDENTIALITY: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "http://hl7.org/fhir/v3/Confidentiality",
    "urn:oid:2.16.840.1.113883.5.25",
    "",
];

/// Whom labels are read for, and where what carries them stands.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    view: RoleView,
    /// `None` for what stands in no section of its own: it must be seen in all of them.
    section: Option<Section>,
}

impl Reading {
    pub(super) const fn in_section(view: RoleView, section: Section) -> Self {
        Self { view, section: Some(section) }
    }

    pub(super) const fn anywhere(view: RoleView) -> Self {
        Self { view, section: None }
    }

    pub(super) fn sees(self, label: Label) -> bool {
        match self.section {
            Some(section) => self.view.sees_in(label, SectionSet::EMPTY.with(section)),
            None => self.view.sees(label),
        }
    }
}

/// Whether every label of a resource lets it be seen, those of what it contains and cannot do without included.
pub(super) fn let_through(resource: Json<'_>, reading: Reading) -> bool {
    let contained = resource.get("contained").into_iter().flat_map(Json::items);
    // Contained clinical resources are judged by themselves, and left out by themselves.
    let parts = contained.filter(|one| links::is_support(&bundle::type_of(*one)));
    std::iter::once(resource).chain(parts).all(|one| own(one, reading))
}

/// Whether a resource's own labels let it be seen.
pub(super) fn own(resource: Json<'_>, reading: Reading) -> bool {
    let of_meta = resource.get("meta").and_then(|meta| meta.get("security"));
    let labels = of_meta.into_iter().chain(resource.get("securityLabel"));
    let sees = |label: Option<Label>| label.is_none_or(|label| reading.sees(label));
    labels.flat_map(Json::each).all(|label| concept(label).into_iter().all(sees))
        && resource.get("confidentiality").is_none_or(|one| sees(read("", one.text().as_deref())))
        && !walk::any(resource, |_, value| is_inline(value) && !sees(inline(value)))
}

/// The labels of a coding, or of a concept with codings. What has neither shape is a label nobody knows.
fn concept(label: Json<'_>) -> Vec<Option<Label>> {
    match label.get("coding").filter(|codings| codings.kind() == Kind::Array) {
        Some(codings) if codings.items().next().is_some() => codings.items().map(coding).collect(),
        Some(_) | None => vec![coding(label)],
    }
}

fn coding(label: Json<'_>) -> Option<Label> {
    let system = label.text_at("system").unwrap_or_default();
    read(&system, label.text_at("code").as_deref())
}

/// A label on a part of a resource (`inline-sec-label`): it holds the whole resource back.
fn is_inline(value: Json<'_>) -> bool {
    value.text_at("url").is_some_and(|url| url.ends_with("inline-sec-label"))
}

fn inline(value: Json<'_>) -> Option<Label> {
    value.get("valueCoding").map_or(Some(Label::Unknown), coding)
}

/// What a code means: nothing for the harmless ones, unknown for all that is not written here.
fn read(system: &str, code: Option<&str>) -> Option<Label> {
    let is_confidentiality = CONFIDENTIALITY.contains(&system.trim());
    match code.map(str::trim) {
        // Whatever its system: nobody means anything else by it.
        Some("NOPAT") => Some(Label::NotForPatient),
        Some("R") if is_confidentiality => Some(Label::Restricted),
        Some("V") if is_confidentiality => Some(Label::VeryRestricted),
        // Unrestricted, low, moderate, normal.
        Some("U" | "L" | "M" | "N") if is_confidentiality => None,
        Some(_) | None => Some(Label::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use tributary_fhir::{Document, Limits};
    use tributary_model::{Reason, ViewRole};

    use super::*;

    /// Which of ambulance with a reason, urgent clinician with a reason, and patient see it.
    #[track_caller]
    fn check(resource: &str, seen: [bool; 3]) {
        let doc = Document::scan(resource.as_bytes().to_vec(), &Limits::default()).unwrap();
        let roles = [ViewRole::Ambulance, ViewRole::UcrClinician, ViewRole::Patient];
        let found =
            roles.map(|role| let_through(doc.root(), Reading::anywhere(RoleView::of(role, Reason::Given))));
        assert_eq!(found, seen, "{resource}");
    }

    #[test]
    fn labels_are_read_wherever_they_stand() {
        let security = |label: &str| format!(r#"{{"resourceType":"Flag","meta":{{"security":[{label}]}}}}"#);
        let old = "http://hl7.org/fhir/v3/Confidentiality";
        check(&security(&format!(r#"{{"system":"{old}","code":"R"}}"#)), [true, true, true]);
        check(&security(&format!(r#"{{"system":"{old}","code":"V"}}"#)), [false, true, false]);
        check(&security(&format!(r#"{{"system":"{old}","code":"N"}}"#)), [true, true, true]);
        check(
            &security(r#"{"system":"http://hl7.org/fhir/v3/ActCode","code":"NOPAT"}"#),
            [true, true, false],
        );
        check(
            r#"{"resourceType":"DocumentReference","securityLabel":[{"coding":[{"code":"V"}]}]}"#,
            [false, true, false],
        );
        check(
            r#"{"resourceType":"MedicationRequest","contained":[{"resourceType":"Medication","meta":{"security":[{"code":"V"}]}}]}"#,
            [false, true, false],
        );
        check(
            r#"{"resourceType":"Flag","code":{"extension":[{"url":"http://x/extension-inline-sec-label","valueCoding":{"code":"V"}}]}}"#,
            [false, true, false],
        );
    }

    #[test]
    fn a_label_nobody_knows_shows_nothing() {
        for label in [
            r#"{"code":"HIV"}"#,
            r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"R"}"#,
            r#"{"display":"restricted"}"#,
            r#""R""#,
            r#"{"coding":[{"code":"N"},{"code":"PSY"}]}"#,
            r#"{"coding":[]}"#,
        ] {
            check(&format!(r#"{{"meta":{{"security":[{label}]}}}}"#), [false, false, false]);
        }
        check(r#"{"meta":{"security":[]}}"#, [true, true, true]);
    }
}
