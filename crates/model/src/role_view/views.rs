//! A view for each kind of source.

use super::{RoleView, Shown};
use crate::section::{Section, SectionSet};
use crate::source::SourceKind;

/// What of a record one requester may see, of each kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Views {
    gp: RoleView,
    acute: RoleView,
    community: RoleView,
    broker: RoleView,
}

impl Views {
    /// Everything of everybody.
    pub const WHOLE: Self = Self::same(RoleView::whole());

    /// One view, whatever the source.
    pub const fn same(view: RoleView) -> Self {
        Self { gp: view, acute: view, community: view, broker: view }
    }

    /// A view for each kind.
    pub fn of_each(view: impl Fn(SourceKind) -> RoleView) -> Self {
        Self {
            gp: view(SourceKind::Gp),
            acute: view(SourceKind::Acute),
            community: view(SourceKind::Community),
            broker: view(SourceKind::Broker),
        }
    }

    /// What is shown of sources of this kind.
    pub const fn of(&self, kind: SourceKind) -> RoleView {
        match kind {
            SourceKind::Gp => self.gp,
            SourceKind::Acute => self.acute,
            SourceKind::Community => self.community,
            SourceKind::Broker => self.broker,
        }
    }

    fn all(&self) -> [RoleView; 4] {
        [self.gp, self.acute, self.community, self.broker]
    }

    /// These views without the sections that are not in the set.
    #[must_use]
    pub fn within(&self, sections: SectionSet) -> Self {
        Self::of_each(|kind| self.of(kind).within(sections))
    }

    /// Whether nothing is held back of anybody.
    pub fn is_whole(&self) -> bool {
        self.all().into_iter().all(RoleView::is_whole)
    }

    /// The sections of which anything is shown, of whatever kind of source.
    pub fn sections(&self) -> SectionSet {
        self.all().into_iter().map(RoleView::sections).fold(SectionSet::EMPTY, SectionSet::or)
    }

    /// Whether nothing of a section is shown, of whatever kind of source.
    pub fn hides(&self, section: Section) -> bool {
        self.all().into_iter().all(|view| view.hides(section))
    }

    /// How much of a section is shown, where that is the same for every kind of source.
    pub fn shown(&self, section: Section) -> Option<Shown> {
        let [first, rest @ ..] = self.all();
        let shown = first.shown(section);
        rest.into_iter().all(|view| view.shown(section) == shown).then_some(shown)
    }
}

impl From<RoleView> for Views {
    fn from(view: RoleView) -> Self {
        Self::same(view)
    }
}
