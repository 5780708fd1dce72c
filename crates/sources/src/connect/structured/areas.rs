//! The areas of a structured record: what is asked for, and the list each comes back in.

use tributary_model::{Section, SectionSet};

/// A part that limits an area in time, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// The area is always whole.
    Never,
    /// A part with a date.
    Date(&'static str),
    /// A part with a period.
    Period(&'static str),
}

/// One area.
#[derive(Debug)]
pub(super) struct Area {
    /// The parameter that asks for it.
    pub(super) parameter: &'static str,
    /// Parts that are always sent, with their values.
    pub(super) parts: &'static [(&'static str, bool)],
    /// Whether a provider refuses these parts beside consultations or problems (GP Connect, forbidden
    /// combinations). Its defaults hold there: consents and dissents are sent, vaccinations not given are not.
    /// They are asked for by a second request.
    pub(super) parts_stand_alone: bool,
    /// The part that limits it in time.
    pub(super) since: Since,
    /// SNOMED codes of its primary lists. The first must come back, even when empty.
    pub(super) lists: &'static [&'static str],
    /// How titles of its secondary lists begin after their prefix.
    pub(super) title: &'static str,
    /// The sections it feeds; the first is its own.
    pub(super) sections: &'static [Section],
}

/// Every area (GP Connect Access Record: Structured 1.6).
pub(super) const AREAS: &[Area] = &[
    Area {
        parameter: "includeAllergies",
        parts: &[("includeResolvedAllergies", true)],
        parts_stand_alone: false,
        since: Since::Never,
        lists: &["886921000000105", "1103671000000101"],
        title: "allergies",
        sections: &[Section::Allergies],
    },
    Area {
        parameter: "includeMedication",
        parts: &[("includePrescriptionIssues", true)],
        parts_stand_alone: false,
        since: Since::Date("medicationSearchFromDate"),
        lists: &["933361000000108"],
        title: "medications",
        sections: &[Section::Medications],
    },
    Area {
        parameter: "includeProblems",
        parts: &[],
        parts_stand_alone: false,
        since: Since::Never,
        lists: &["717711000000103"],
        title: "problems",
        sections: &[Section::Problems],
    },
    Area {
        parameter: "includeConsultations",
        parts: &[],
        parts_stand_alone: false,
        since: Since::Period("consultationSearchPeriod"),
        lists: &["1149501000000101"],
        title: "consultations",
        sections: &[Section::Encounters],
    },
    Area {
        parameter: "includeImmunisations",
        parts: &[("includeNotGiven", true), ("includeStatus", true)],
        parts_stand_alone: true,
        since: Since::Never,
        lists: &["1102181000000102"],
        title: "immunisations",
        sections: &[Section::Immunisations],
    },
    Area {
        parameter: "includeUncategorisedData",
        parts: &[],
        parts_stand_alone: false,
        since: Since::Period("uncategorisedDataSearchPeriod"),
        lists: &["826501000000100"],
        title: "uncategorised data",
        sections: &[Section::Uncategorised, Section::Plans, Section::Results],
    },
    Area {
        parameter: "includeInvestigations",
        parts: &[],
        parts_stand_alone: false,
        since: Since::Period("investigationSearchPeriod"),
        lists: &["887191000000108"],
        title: "investigations",
        sections: &[Section::Reports, Section::Results],
    },
    Area {
        parameter: "includeReferrals",
        parts: &[],
        parts_stand_alone: false,
        since: Since::Period("referralSearchPeriod"),
        lists: &["792931000000107"],
        title: "outbound referrals",
        sections: &[Section::Referrals],
    },
    Area {
        parameter: "includeDiaryEntries",
        parts: &[],
        parts_stand_alone: false,
        since: Since::Never,
        lists: &["714311000000108"],
        title: "diary entries",
        sections: &[Section::Diary],
    },
];

impl Area {
    /// The areas that feed any of the sections.
    pub(super) fn implied_by(sections: SectionSet) -> Vec<&'static Self> {
        AREAS.iter().filter(|area| area.feeds_any(sections)).collect()
    }

    fn feeds_any(&self, sections: SectionSet) -> bool {
        self.sections.iter().any(|section| sections.contains(*section))
    }

    /// The sections it feeds that were asked.
    pub(super) fn fed(&self, asked: SectionSet) -> impl Iterator<Item = Section> {
        let sections = self.sections.iter().copied();
        sections.filter(move |section| asked.contains(*section))
    }

    /// Whether a part of that name can stand in its parameter.
    pub(super) fn has_part(&self, name: &str) -> bool {
        let limits = match self.since {
            Since::Never => false,
            Since::Date(part) | Since::Period(part) => part == name,
        };
        limits || self.parts.iter().any(|(part, _)| *part == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_imply_their_areas() {
        let asked: SectionSet = [Section::Results, Section::Allergies].into_iter().collect();
        let parameters: Vec<_> = Area::implied_by(asked).iter().map(|area| area.parameter).collect();
        assert_eq!(parameters, ["includeAllergies", "includeUncategorisedData", "includeInvestigations"]);
        assert!(Area::implied_by(SectionSet::EMPTY.with(Section::Flags)).is_empty());
    }
}
