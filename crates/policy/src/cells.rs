//! Every answer that a table can give: all that it is about is closed, so all of it can be written down.

use std::collections::BTreeSet;
use std::fmt;

use tributary_model::{
    Label, OdsCode, Purpose, Relationship, Role, RoleView, Section, SectionSet, Shown, SourceKind, Views,
};

use crate::rule::Glass;
use crate::table::{Subject, Table};

/// Who asks, why, and where: a row of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Whether the broker runs as a demo.
    pub demo: bool,
    /// Role.
    pub role: Role,
    /// Organisation; `None` for whoever no rule names.
    pub organisation: Option<OdsCode>,
    /// Purpose.
    pub purpose: Purpose,
    /// Relationship to the patient.
    pub relationship: Relationship,
    /// Whether the glass is broken.
    pub broken: bool,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broker = if self.demo { "demo" } else { "live" };
        let organisation = self.organisation.as_ref().map_or("any-other", OdsCode::as_str);
        let glass = if self.broken { "broken" } else { "whole" };
        let (role, purpose, relationship) = (self.role.code(), self.purpose.code(), self.relationship.code());
        write!(f, "{broker},{role},{organisation},{purpose},{relationship},{glass}")
    }
}

/// One cell: what a row shows of a section of a kind of source, unlabelled or under a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Kind of source.
    pub kind: SourceKind,
    /// Section.
    pub section: Section,
    /// Label; `None` for what carries none.
    pub label: Option<Label>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label.map_or("-", Label::code);
        write!(f, "{},{},{label}", self.kind.code(), self.section.code())
    }
}

/// What is shown in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How much.
    pub shown: Shown,
    /// Whether it may be passed on as it was sent.
    pub as_sent: bool,
}

impl Cell {
    /// Nothing.
    pub const NOTHING: Self = Self { shown: Shown::Hidden, as_sent: false };

    /// Whether the other cell shows nothing that this one does not.
    pub fn holds(self, other: Self) -> bool {
        self.shown.and(other.shown) == other.shown && (self.as_sent || !other.as_sent)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown {
            Shown::Whole => f.write_str("permit")?,
            Shown::Limited(limit) => write!(f, "limited:{limit:?}")?,
            Shown::Hidden => f.write_str("deny")?,
        }
        if self.as_sent { f.write_str("+as-sent") } else { Ok(()) }
    }
}

/// Everything that one row shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    views: Views,
    /// What may be passed on as it was sent, by kind of source.
    as_sent: Vec<(SourceKind, SectionSet)>,
}

impl Sight {
    /// What is shown in a cell.
    pub fn at(&self, place: Place) -> Cell {
        let (view, section) = (self.views.of(place.kind), SectionSet::EMPTY.with(place.section));
        if place.label.is_some_and(|label| !view.sees_in(label, section)) {
            return Cell::NOTHING;
        }
        let passed = self.as_sent.iter().any(|(kind, all)| *kind == place.kind && all.holds(section));
        Cell { shown: view.shown(place.section), as_sent: place.label.is_none() && passed }
    }
}

/// Every cell of a row, in order.
pub fn places() -> impl Iterator<Item = Place> {
    let labels = || std::iter::once(None).chain(Label::ALL.iter().copied().map(Some));
    let of_section =
        move |kind: SourceKind, section: Section| labels().map(move |label| Place { kind, section, label });
    SourceKind::ALL
        .iter()
        .flat_map(move |kind| Section::ALL.iter().flat_map(move |section| of_section(*kind, *section)))
}

/// Every purpose, with every degree of relationship.
fn reasons() -> impl Iterator<Item = (Purpose, Relationship)> {
    let of = |purpose: Purpose| Relationship::ALL.iter().map(move |degree| (purpose, *degree));
    Purpose::ALL.iter().copied().flat_map(of)
}

impl Table {
    /// Every row that there is, for these organisations and whoever is none of them.
    pub fn rows(organisations: &BTreeSet<OdsCode>) -> Vec<Row> {
        let named: Vec<_> = std::iter::once(None).chain(organisations.iter().cloned().map(Some)).collect();
        let mut rows = Vec::new();
        for (demo, broken) in [(false, false), (false, true), (true, false), (true, true)] {
            for (role, organisation) in
                Role::ALL.iter().flat_map(|role| named.iter().map(move |one| (*role, one)))
            {
                let row = |(purpose, relationship)| Row {
                    demo,
                    role,
                    organisation: organisation.clone(),
                    purpose,
                    relationship,
                    broken,
                };
                rows.extend(reasons().map(row));
            }
        }
        rows
    }

    /// What a row shows, if the identity is proven or believed.
    pub fn sight(&self, row: &Row) -> Sight {
        let subject = Subject {
            role: row.role,
            organisation: row.organisation.clone(),
            purpose: row.purpose,
            relationship: row.relationship,
            glass: if row.broken { Glass::Broken } else { Glass::Whole },
            demo: row.demo,
        };
        if row.broken && !self.offers_glass(&subject, SectionSet::all()) {
            return Sight { views: Views::same(RoleView::nothing()), as_sent: Vec::new() };
        }
        let passed = |kind: &SourceKind| (*kind, self.passable(&subject, *kind));
        Sight { views: self.views(&subject), as_sent: SourceKind::ALL.iter().map(passed).collect() }
    }
}
