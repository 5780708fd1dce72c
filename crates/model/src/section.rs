//! The sections of a record.

use std::fmt;

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $title:literal;)*) => {
        /// A part of the record that a caller can ask for and a source can serve.
        ///
        /// The order of the variants is the order on screen and in the bundle.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Section { $($(#[$doc])* $name,)* }

        impl Section {
            /// Every section, in display order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code used on the wire, in configuration and in metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The heading a person reads.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

sections! {
    /// CPR recommendations, ReSPECT, end-of-life and escalation plans.
    Plans, "plans", "Plans and CPR";
    /// Alerts, reasonable adjustments, safety flags.
    Flags, "flags", "Flags";
    /// Allergies and adverse reactions, negatives included.
    Allergies, "allergies", "Allergies and adverse reactions";
    /// Medicines: statements, prescriptions, dispenses.
    Medications, "medications", "Medications and medical devices";
    /// Problems and diagnoses.
    Problems, "problems", "Problems";
    /// Results and measurements with a value.
    Results, "results", "Results";
    /// Reports, specimens, test requests.
    Reports, "reports", "Reports";
    /// Contacts across organisations.
    Encounters, "encounters", "Contacts";
    /// Procedures done or not done.
    Procedures, "procedures", "Procedures";
    /// Vaccinations given or not given.
    Immunisations, "immunisations", "Immunisations";
    /// Letters and other documents.
    Documents, "documents", "Documents";
    /// Referrals.
    Referrals, "referrals", "Referrals";
    /// Planned activities and recalls.
    Diary, "diary", "Diary";
    /// Appointments.
    Appointments, "appointments", "Appointments";
    /// Care packages, assessments, equipment, related persons.
    SocialCare, "socialcare", "Social care";
    /// Statements without a better home, narrative included.
    Uncategorised, "uncategorised", "Uncategorised data";
}

impl Section {
    /// Reads a section code; `None` for anything else (case matters, as in FHIR codes).
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|section| section.code() == code)
    }
}

/// A set of sections.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SectionSet(u32);

impl SectionSet {
    /// No section.
    pub const EMPTY: Self = Self(0);

    /// Every section.
    pub const fn all() -> Self {
        Self((1 << Section::ALL.len()) - 1)
    }

    /// This set with one more section.
    #[must_use]
    pub const fn with(self, section: Section) -> Self {
        Self(self.0 | 1 << section as u8)
    }

    /// Whether the section is in the set.
    pub const fn contains(self, section: Section) -> bool {
        self.0 & (1 << section as u8) != 0
    }

    /// The sections that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The sections that are in either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The sections of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every section of the other set is in this one.
    pub const fn holds(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The sections in display order.
    pub fn iter(self) -> impl Iterator<Item = Section> {
        Section::ALL.iter().copied().filter(move |section| self.contains(*section))
    }
}

impl FromIterator<Section> for SectionSet {
    fn from_iter<I: IntoIterator<Item = Section>>(sections: I) -> Self {
        sections.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for SectionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Section::code)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for section in Section::ALL {
            assert_eq!(Section::from_code(section.code()), Some(*section));
        }
        assert_eq!(Section::from_code("Allergies"), None);
    }

    #[test]
    fn sets_keep_display_order() {
        let set: SectionSet = [Section::Problems, Section::Plans].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Section::Plans, Section::Problems]);
        assert_eq!(SectionSet::all().iter().count(), Section::ALL.len());
        assert!(!set.contains(Section::Diary));
    }
}
