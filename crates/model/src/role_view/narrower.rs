//! What two limits show together: what both let through.
//!
//! Where two limits have no common measure here, nothing is shown: a limit that cannot be kept is not loosened.

use super::{Limit, Shown};

/// Of a section, which statements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    PlanExists,
    Adjustments,
    Current,
    Active,
    LastResults,
    Filed,
    Recent(u16),
    Last(u16),
    PlansAndDischarge,
}

/// Of a statement, how much. A later one is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Whole,
    WithoutNotes,
    Names,
}

impl Shown {
    /// What both show.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Hidden, _) | (_, Self::Hidden) => Self::Hidden,
            (Self::Whole, one) | (one, Self::Whole) => one,
            (Self::Limited(one), Self::Limited(two)) => one.and(two).map_or(Self::Hidden, Self::Limited),
        }
    }
}

impl Limit {
    fn and(self, other: Self) -> Option<Self> {
        let ((part, detail), (others, less)) = (self.apart(), other.apart());
        Self::of(part.and(others)?, detail.max(less))
    }

    const fn apart(self) -> (Part, Detail) {
        match self {
            Self::PlanExists => (Part::PlanExists, Detail::WithoutNotes),
            Self::Adjustments => (Part::Adjustments, Detail::WithoutNotes),
            Self::Names => (Part::All, Detail::Names),
            Self::WithoutNotes => (Part::All, Detail::WithoutNotes),
            Self::CurrentMedicines => (Part::Current, Detail::Whole),
            Self::CurrentWithoutNotes => (Part::Current, Detail::WithoutNotes),
            Self::CurrentNames => (Part::Current, Detail::Names),
            Self::ActiveProblems => (Part::Active, Detail::Whole),
            Self::ActiveWithoutNotes => (Part::Active, Detail::WithoutNotes),
            Self::LastResults => (Part::LastResults, Detail::WithoutNotes),
            Self::Filed => (Part::Filed, Detail::Whole),
            Self::FiledWithoutNotes => (Part::Filed, Detail::WithoutNotes),
            Self::RecentContacts(days) => (Part::Recent(days), Detail::Whole),
            Self::RecentWithoutNotes(days) => (Part::Recent(days), Detail::WithoutNotes),
            Self::LastContacts(count) => (Part::Last(count), Detail::WithoutNotes),
            Self::PlansAndDischarge => (Part::PlansAndDischarge, Detail::WithoutNotes),
        }
    }

    const fn of(part: Part, detail: Detail) -> Option<Self> {
        Some(match (part, detail) {
            // Nothing of a plan is shown anyhow.
            (Part::PlanExists, _) => Self::PlanExists,
            (Part::Adjustments, Detail::Whole | Detail::WithoutNotes) => Self::Adjustments,
            (Part::All, Detail::Names) => Self::Names,
            (Part::All, Detail::Whole | Detail::WithoutNotes) => Self::WithoutNotes,
            (Part::Current, Detail::Whole) => Self::CurrentMedicines,
            (Part::Current, Detail::WithoutNotes) => Self::CurrentWithoutNotes,
            (Part::Current, Detail::Names) => Self::CurrentNames,
            (Part::Active, Detail::Whole) => Self::ActiveProblems,
            (Part::Active, Detail::WithoutNotes) => Self::ActiveWithoutNotes,
            (Part::LastResults, Detail::Whole | Detail::WithoutNotes) => Self::LastResults,
            (Part::Filed, Detail::Whole) => Self::Filed,
            (Part::Filed, Detail::WithoutNotes) => Self::FiledWithoutNotes,
            (Part::Recent(days), Detail::Whole) => Self::RecentContacts(days),
            (Part::Recent(days), Detail::WithoutNotes) => Self::RecentWithoutNotes(days),
            (Part::Last(count), Detail::Whole | Detail::WithoutNotes) => Self::LastContacts(count),
            (Part::PlansAndDischarge, Detail::Whole | Detail::WithoutNotes) => Self::PlansAndDischarge,
            (
                Part::Adjustments
                | Part::Active
                | Part::LastResults
                | Part::Filed
                | Part::Recent(_)
                | Part::Last(_)
                | Part::PlansAndDischarge,
                Detail::Names,
            ) => return None,
        })
    }
}

impl Part {
    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::All, one) | (one, Self::All) => Some(one),
            (Self::Recent(one), Self::Recent(two)) => Some(Self::Recent(one.min(two))),
            (Self::Last(one), Self::Last(two)) => Some(Self::Last(one.min(two))),
            (one, two) if one == two => Some(one),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Limit] = &[
        Limit::PlanExists,
        Limit::Adjustments,
        Limit::Names,
        Limit::WithoutNotes,
        Limit::CurrentMedicines,
        Limit::CurrentWithoutNotes,
        Limit::CurrentNames,
        Limit::ActiveProblems,
        Limit::ActiveWithoutNotes,
        Limit::LastResults,
        Limit::Filed,
        Limit::FiledWithoutNotes,
        Limit::RecentContacts(30),
        Limit::RecentContacts(90),
        Limit::RecentWithoutNotes(30),
        Limit::RecentWithoutNotes(90),
        Limit::LastContacts(3),
        Limit::LastContacts(5),
        Limit::PlansAndDischarge,
    ];

    fn shown() -> Vec<Shown> {
        ALL.iter().copied().map(Shown::Limited).chain([Shown::Whole, Shown::Hidden]).collect()
    }

    #[test]
    fn neither_order_nor_grouping_nor_repetition_matters() {
        for a in shown() {
            assert_eq!(a.and(a), a);
            for b in shown() {
                assert_eq!(a.and(b), b.and(a), "{a:?} {b:?}");
                assert_eq!(a.and(b).and(a), a.and(b), "{a:?} {b:?}");
                for c in shown() {
                    assert_eq!(a.and(b).and(c), a.and(b.and(c)), "{a:?} {b:?} {c:?}");
                }
            }
        }
    }

    #[track_caller]
    fn check(one: Limit, two: Limit, both: Option<Limit>) {
        let expected = both.map_or(Shown::Hidden, Shown::Limited);
        assert_eq!(Shown::Limited(one).and(Shown::Limited(two)), expected);
    }

    #[test]
    fn both_limits_hold() {
        use Limit as L;
        check(L::CurrentMedicines, L::Names, Some(L::CurrentNames));
        check(L::CurrentMedicines, L::WithoutNotes, Some(L::CurrentWithoutNotes));
        check(L::RecentContacts(30), L::RecentWithoutNotes(90), Some(L::RecentWithoutNotes(30)));
        check(L::LastContacts(3), L::RecentContacts(30), None);
        check(L::ActiveProblems, L::Names, None);
        check(L::PlanExists, L::Names, Some(L::PlanExists));
    }
}
