//! Which resource types are searched for which section.

use tributary_fhir::FhirVersion;
use tributary_model::{Section, SectionSet};

/// A resource type and how it is searched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SearchType {
    pub(super) name: &'static str,
    /// What must come along to understand it.
    pub(super) include: Option<&'static str>,
}

const fn plain(name: &'static str) -> SearchType {
    SearchType { name, include: None }
}

const fn with(name: &'static str, include: &'static str) -> SearchType {
    SearchType { name, include: Some(include) }
}

/// Every type, in the order in which answers are kept.
static TYPES: &[SearchType] = &[
    plain("CarePlan"),
    plain("DocumentReference"),
    plain("QuestionnaireResponse"),
    plain("Flag"),
    plain("Consent"),
    plain("ClinicalImpression"),
    plain("AllergyIntolerance"),
    with("MedicationStatement", "MedicationStatement:medication"),
    with("MedicationRequest", "MedicationRequest:medication"),
    with("MedicationDispense", "MedicationDispense:medication"),
    with("MedicationAdministration", "MedicationAdministration:medication"),
    plain("Condition"),
    plain("Observation"),
    plain("DiagnosticReport"),
    plain("Encounter"),
    plain("Procedure"),
    plain("Immunization"),
    plain("ServiceRequest"),
    plain("ReferralRequest"),
    plain("ProcedureRequest"),
    plain("Appointment"),
    plain("EpisodeOfCare"),
    plain("Task"),
    plain("RelatedPerson"),
];

/// The names of the types that carry a section.
pub(super) const fn of_section(section: Section, version: FhirVersion) -> &'static [&'static str] {
    match (section, version) {
        (Section::Plans, _) => &[
            "CarePlan",
            "DocumentReference",
            "QuestionnaireResponse",
            "Flag",
            "Consent",
            "ClinicalImpression",
        ],
        (Section::Flags, _) => &["Flag"],
        (Section::Allergies, _) => &["AllergyIntolerance"],
        (Section::Medications, _) => {
            &["MedicationStatement", "MedicationRequest", "MedicationDispense", "MedicationAdministration"]
        }
        (Section::Problems, _) => &["Condition"],
        (Section::Results, _) => &["Observation"],
        (Section::Reports, _) => &["DiagnosticReport"],
        (Section::Encounters, _) => &["Encounter"],
        (Section::Procedures, _) => &["Procedure"],
        (Section::Immunisations, _) => &["Immunization"],
        (Section::Documents, _) => &["DocumentReference"],
        (Section::Referrals | Section::Diary, FhirVersion::R4) => &["ServiceRequest"],
        (Section::Referrals, FhirVersion::Stu3) => &["ReferralRequest"],
        (Section::Diary, FhirVersion::Stu3) => &["ProcedureRequest"],
        (Section::Appointments, _) => &["Appointment"],
        (Section::SocialCare, _) => &["EpisodeOfCare", "Task", "RelatedPerson"],
        (Section::Uncategorised, _) => &[],
    }
}

/// The types to search for these sections, each once.
pub(super) fn wanted(sections: SectionSet, version: FhirVersion) -> Vec<&'static SearchType> {
    let is_wanted =
        |kind: &&SearchType| sections.iter().any(|section| of_section(section, version).contains(&kind.name));
    TYPES.iter().filter(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_a_section_can_be_searched() {
        for version in [FhirVersion::R4, FhirVersion::Stu3] {
            for section in Section::ALL {
                let names = of_section(*section, version);
                let wanted = wanted(SectionSet::EMPTY.with(*section), version);
                assert_eq!(wanted.len(), names.len(), "{section:?}");
            }
        }
    }

    #[test]
    fn a_type_of_two_sections_is_searched_once() {
        let sections = [Section::Plans, Section::Flags, Section::Documents];
        let wanted = wanted(sections.into_iter().collect(), FhirVersion::R4);
        assert_eq!(wanted.len(), 6);
    }
}
