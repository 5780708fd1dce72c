//! The clinical areas of a structured record: their parameters, parts and primary Lists.

/// The kind of value a part carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// `valueBoolean`
    Boolean,
    /// `valueDate`, today or before
    PastDate,
    /// `valueDate`, today or later
    ComingDate,
    /// `valuePeriod`, up to today
    PastPeriod,
    /// `valuePositiveInt`
    PositiveInt,
    /// `valueCode`, one of these
    Code(&'static [&'static str]),
}

/// A List that an area is answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrimaryList {
    pub(crate) code: &'static str,
    pub(crate) display: &'static str,
    pub(crate) title: &'static str,
    /// The type of the entries; `None` when they are contained in the List.
    pub(crate) entries: Option<&'static str>,
}

/// Which release of the specification a GP system keeps to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecLevel {
    /// Medication and allergies, nothing else.
    V1_2,
    /// Every area.
    V1_5,
    /// Every area, and the names of the 1.6 releases.
    #[default]
    V1_6,
}

impl SpecLevel {
    /// The areas that are known; the parameters of the others are unknown parameters.
    pub(crate) fn knows(self, area: &Area) -> bool {
        self > Self::V1_2 || matches!(area.parameter, "includeAllergies" | "includeMedication")
    }
}

/// One clinical area.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) parameter: &'static str,
    /// What its entries are called where they are left out.
    pub(crate) noun: &'static str,
    pub(crate) parts: &'static [(&'static str, PartKind)],
    pub(crate) list: PrimaryList,
}

const fn list(code: &'static str, display: &'static str, entries: &'static str) -> PrimaryList {
    PrimaryList { code, display, title: display, entries: Some(entries) }
}

/// The List of resolved allergies, sent when they are asked for.
pub(crate) const ENDED_ALLERGIES: PrimaryList = PrimaryList {
    code: "1103671000000101",
    display: "Ended allergies",
    title: "Ended allergies",
    entries: None,
};

const STATUSES: PartKind = PartKind::Code(&["active", "inactive"]);
const SIGNIFICANCES: PartKind = PartKind::Code(&["major", "minor"]);

/// Every area, in the order their Lists are sent.
pub(crate) const AREAS: &[Area] = &[
    Area {
        parameter: "includeAllergies",
        noun: "Allergy",
        parts: &[("includeResolvedAllergies", PartKind::Boolean)],
        list: list("886921000000105", "Allergies and adverse reactions", "AllergyIntolerance"),
    },
    Area {
        parameter: "includeMedication",
        noun: "Medication",
        parts: &[
            ("includePrescriptionIssues", PartKind::Boolean),
            ("medicationSearchFromDate", PartKind::PastDate),
        ],
        list: list("933361000000108", "Medications and medical devices", "MedicationStatement"),
    },
    Area {
        parameter: "includeConsultations",
        noun: "Consultation",
        parts: &[
            ("consultationSearchPeriod", PartKind::PastPeriod),
            ("includeNumberOfMostRecent", PartKind::PositiveInt),
        ],
        list: list("1149501000000101", "List of consultations", "Encounter"),
    },
    Area {
        parameter: "includeProblems",
        noun: "Problem",
        parts: &[("filterStatus", STATUSES), ("filterSignificance", SIGNIFICANCES)],
        list: list("717711000000103", "Problems", "Condition"),
    },
    Area {
        parameter: "includeImmunisations",
        noun: "Immunisation",
        parts: &[("includeNotGiven", PartKind::Boolean), ("includeStatus", PartKind::Boolean)],
        list: list("1102181000000102", "Immunisations", "Immunization"),
    },
    Area {
        parameter: "includeUncategorisedData",
        noun: "Uncategorised data",
        parts: &[("uncategorisedDataSearchPeriod", PartKind::PastPeriod)],
        list: PrimaryList {
            code: "826501000000100",
            display: "Miscellaneous record",
            title: "Uncategorised data",
            entries: Some("Observation"),
        },
    },
    Area {
        parameter: "includeInvestigations",
        noun: "Investigation",
        parts: &[("investigationSearchPeriod", PartKind::PastPeriod)],
        list: list("887191000000108", "Investigations and results", "DiagnosticReport"),
    },
    Area {
        parameter: "includeReferrals",
        noun: "Referral",
        parts: &[("referralSearchPeriod", PartKind::PastPeriod)],
        list: list("792931000000107", "Outbound referral", "ReferralRequest"),
    },
    Area {
        parameter: "includeDiaryEntries",
        noun: "Diary",
        parts: &[("diaryEntriesSearchDate", PartKind::ComingDate)],
        list: list("714311000000108", "Patient recall administration", "ProcedureRequest"),
    },
];

/// A List of what was reached through consultations or problems: the area of its entries, its title.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondaryList {
    /// The type of the entries.
    pub(crate) entries: &'static str,
    /// The area whose warnings it carries.
    pub(crate) area: &'static str,
    pub(crate) title: &'static str,
}

const fn secondary(entries: &'static str, area: &'static str, title: &'static str) -> SecondaryList {
    SecondaryList { entries, area, title }
}

/// Documents have no area of their own.
const NO_AREA: &str = "";

/// What is contained in the consultations of an answer.
pub(crate) const IN_CONSULTATIONS: &[SecondaryList] = &[
    secondary(
        "AllergyIntolerance",
        "includeAllergies",
        "Consultations - allergies contained in consultations",
    ),
    secondary(
        "MedicationStatement",
        "includeMedication",
        "Consultations - medications contained in consultations",
    ),
    secondary("Condition", "includeProblems", "Consultations - problems contained in consultations"),
    secondary(
        "Immunization",
        "includeImmunisations",
        "Consultations - immunisations contained in consultations",
    ),
    secondary(
        "Observation",
        "includeUncategorisedData",
        "Consultations - uncategorised data contained in consultations",
    ),
    secondary(
        "DiagnosticReport",
        "includeInvestigations",
        "Consultations - investigations contained in consultations",
    ),
    secondary("ReferralRequest", "includeReferrals", "Consultations - outbound referrals in consultations"),
    secondary(
        "ProcedureRequest",
        "includeDiaryEntries",
        "Consultations - diary entries contained in consultations",
    ),
    secondary("DocumentReference", NO_AREA, "Consultations - documents contained in consultations"),
];

/// What the problems of an answer are related to.
pub(crate) const OF_PROBLEMS: &[SecondaryList] = &[
    secondary("AllergyIntolerance", "includeAllergies", "Problems - allergies related to problems"),
    secondary("MedicationStatement", "includeMedication", "Problems - medications related to problems"),
    secondary("Encounter", "includeConsultations", "Problems - consultations related to problems"),
    secondary("Immunization", "includeImmunisations", "Problems - immunisations related to problems"),
    secondary("Observation", "includeUncategorisedData", "Problems - uncategorised data related to problems"),
    secondary("DiagnosticReport", "includeInvestigations", "Problems - investigations related to problems"),
    secondary("ReferralRequest", "includeReferrals", "Problems - outbound referrals related to problems"),
    secondary("ProcedureRequest", "includeDiaryEntries", "Problems - diary entries related to problems"),
    secondary("DocumentReference", NO_AREA, "Problems - documents related to problems"),
];

/// The problems that are in an answer only because something in it is linked to them.
pub(crate) const LINKED_PROBLEMS: SecondaryList =
    secondary("Condition", "includeProblems", "Problems - linked problems not relating to the primary query");

/// Parts that may not go with consultations; with problems all but the filters may not.
pub(crate) const FORBIDDEN_TOGETHER: &[&str] = &[
    "medicationSearchFromDate",
    "uncategorisedDataSearchPeriod",
    "filterStatus",
    "filterSignificance",
    "referralSearchPeriod",
    "diaryEntriesSearchDate",
    "includeNotGiven",
    "includeStatus",
];
