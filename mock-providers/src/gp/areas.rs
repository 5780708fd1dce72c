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

/// One clinical area.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) parameter: &'static str,
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
        parts: &[("includeResolvedAllergies", PartKind::Boolean)],
        list: list("886921000000105", "Allergies and adverse reactions", "AllergyIntolerance"),
    },
    Area {
        parameter: "includeMedication",
        parts: &[
            ("includePrescriptionIssues", PartKind::Boolean),
            ("medicationSearchFromDate", PartKind::PastDate),
        ],
        list: list("933361000000108", "Medications and medical devices", "MedicationStatement"),
    },
    Area {
        parameter: "includeConsultations",
        parts: &[
            ("consultationSearchPeriod", PartKind::PastPeriod),
            ("includeNumberOfMostRecent", PartKind::PositiveInt),
        ],
        list: list("1149501000000101", "List of consultations", "Encounter"),
    },
    Area {
        parameter: "includeProblems",
        parts: &[("filterStatus", STATUSES), ("filterSignificance", SIGNIFICANCES)],
        list: list("717711000000103", "Problems", "Condition"),
    },
    Area {
        parameter: "includeImmunisations",
        parts: &[("includeNotGiven", PartKind::Boolean), ("includeStatus", PartKind::Boolean)],
        list: list("1102181000000102", "Immunisations", "Immunization"),
    },
    Area {
        parameter: "includeUncategorisedData",
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
        parts: &[("investigationSearchPeriod", PartKind::PastPeriod)],
        list: list("887191000000108", "Investigations and results", "DiagnosticReport"),
    },
    Area {
        parameter: "includeReferrals",
        parts: &[("referralSearchPeriod", PartKind::PastPeriod)],
        list: list("792931000000107", "Outbound referral", "ReferralRequest"),
    },
    Area {
        parameter: "includeDiaryEntries",
        parts: &[("diaryEntriesSearchDate", PartKind::ComingDate)],
        list: list("714311000000108", "Patient recall administration", "ProcedureRequest"),
    },
];

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
