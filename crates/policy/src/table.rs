//! The table, and what it says to a request.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tributary_model::{
    Decision, Denial, DenyReason, Facts, KindSet, Label, Obligations, OdsCode, Purpose, Reason, Relationship,
    Role, RoleView, Section, SectionSet, Shown, SourceKind, ViewRole, Views,
};

use crate::rule::{Among, AsSent, Deny, Effect, Glass, Holds, Limits, Permit, Rule, Taken};

/// Most rules of a table: more than anybody can review.
pub const MOST_RULES: usize = 500;
/// Longest id of a rule, in bytes.
pub const LONGEST_ID: usize = 64;
/// Longest that glass stays broken, whatever a table says.
pub const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// What a role is shown of, before any rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// A column of the access matrix.
    Of(ViewRole),
    /// All, and not even looked at. A demo's alone: on any other broker it is nothing.
    Whole,
}

/// Bounds of breaking the glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlassBounds {
    /// How often one user may break it in that time.
    pub quota: u32,
    /// In which time.
    pub window: Duration,
    /// How long it stays broken for one user and patient: requests in that time are one use.
    pub life: Duration,
}

impl Default for GlassBounds {
    fn default() -> Self {
        Self { quota: 3, window: Duration::from_hours(24), life: LONGEST_LIFE }
    }
}

/// What a table is made from.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The column of each role. A role without one sees nothing.
    pub columns: Vec<(Role, Column)>,
    /// Bounds of breaking the glass.
    pub glass: GlassBounds,
    /// The rules, in any order.
    pub rules: Vec<Rule>,
}

/// What is wrong with a draft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {says}")]
pub struct Flaw {
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub says: &'static str,
}

/// A place in a draft; rules are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The table as a whole.
    Table,
    /// The bounds of breaking the glass, at this key.
    Glass(&'static str),
    /// The column of a role, by its place.
    Column(usize),
    /// A rule by its place, at this key.
    Rule(usize, &'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("rule"),
            Self::Glass(key) => write!(f, "break_glass.{key}"),
            Self::Column(at) => write!(f, "role[{at}]"),
            Self::Rule(at, key) => write!(f, "rule[{at}].{key}"),
        }
    }
}

/// A checked table of rules. It never changes; a request uses one from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(Role, Column)>,
    glass: GlassBounds,
    /// By id, so that their order in the draft is forgotten.
    rules: Vec<Rule>,
}

/// Who asks why. Everything of it is known: what is absent makes nobody.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) role: Role,
    /// `None` for one that no rule names.
    pub(crate) organisation: Option<OdsCode>,
    pub(crate) purpose: Purpose,
    pub(crate) relationship: Relationship,
    pub(crate) glass: Glass,
    pub(crate) demo: bool,
}

impl Table {
    /// Checks a draft; every flaw is told.
    pub fn new(draft: Draft) -> Result<Self, Vec<Flaw>> {
        let flaws = crate::check::flaws(&draft);
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let Draft { columns, glass, mut rules } = draft;
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { columns, glass, rules })
    }

    /// Bounds of breaking the glass.
    pub const fn glass(&self) -> GlassBounds {
        self.glass
    }

    /// The rules, by id.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// May this requester see these sections? Denied unless a rule permits it, and a denial wins.
    pub fn decide(&self, facts: &Facts) -> Decision {
        let Some(subject) = Subject::of(facts) else { return denied(DenyReason::NoRule) };
        if !facts.demo && !facts.is_proven {
            return denied(DenyReason::NotProven);
        }
        if subject.glass == Glass::Broken && !self.offers_glass(&subject, facts.sections) {
            return denied(DenyReason::BreakGlassNotOffered);
        }
        let (views, as_sent) = (self.views(&subject), self.as_sent(&subject, facts.sections));
        let sections = views.sections().and(facts.sections);
        if sections.is_empty() {
            return Decision::Deny(self.why_denied(&subject, facts.sections));
        }
        // Sources send what they were not asked for. Only who may see everything may see that too.
        let views = if views.is_whole() { views } else { views.within(facts.sections) };
        let rule = self.deciding(&subject, facts.sections);
        Decision::Permit(Obligations { sections, views: Arc::new(views), as_sent, rule })
    }

    pub(crate) fn column(&self, role: Role) -> Option<Column> {
        self.columns.iter().find(|(one, _)| *one == role).map(|(_, column)| *column)
    }

    /// What is shown of a role's column, of each kind of source.
    pub(crate) fn views(&self, subject: &Subject) -> Views {
        Views::of_each(|kind| self.view(subject, kind))
    }

    fn view(&self, subject: &Subject, kind: SourceKind) -> RoleView {
        let reason = if subject.glass == Glass::Broken { Reason::Given } else { Reason::NotGiven };
        let own = match self.column(subject.role) {
            Some(Column::Of(role)) => RoleView::of(role, reason),
            Some(Column::Whole) if subject.demo => RoleView::whole(),
            Some(Column::Whole) | None => RoleView::nothing(),
        };
        let mut view = own.within(self.permitted(subject, kind, None));
        for label in Label::ALL {
            view = view.labelled(*label, self.permitted(subject, kind, Some(*label)));
        }
        for (rule, limits) in self.limits(subject, kind) {
            let sections = sections_of(rule);
            if let Some(role) = limits.view {
                view = view.as_also(role, sections);
            }
            if limits.free_text == Taken::Away {
                view = view.without_notes(sections);
            }
            if limits.listed == Taken::Away {
                view = view.labelled(Label::Listed, SectionSet::all().without(sections));
            }
        }
        view
    }

    /// The sections that are permitted and not denied: of what carries no label, or of what carries this one.
    fn permitted(&self, subject: &Subject, kind: SourceKind, label: Option<Label>) -> SectionSet {
        let (mut seen, mut denied) = (SectionSet::EMPTY, SectionSet::EMPTY);
        for rule in self.about(subject, kind) {
            match &rule.effect {
                Effect::Permit(permit) if permit.covers(label) => seen = seen.or(sections_of(rule)),
                Effect::Deny(deny) if deny.covers(label) => denied = denied.or(sections_of(rule)),
                Effect::Permit(_) | Effect::Deny(_) | Effect::Limit(_) => {}
            }
        }
        seen.without(denied)
    }

    /// The kinds whose answers may be passed on as they were sent, if these sections were asked for.
    pub(crate) fn as_sent(&self, subject: &Subject, sections: SectionSet) -> KindSet {
        let may = |kind: &SourceKind| !sections.is_empty() && self.passable(subject, *kind).holds(sections);
        SourceKind::ALL.iter().copied().filter(may).collect()
    }

    /// The sections of a kind of source that may be passed on as they were sent: those that a permit says so of and
    /// that are shown whole. What limits or denies a part of one cannot be kept where nothing is taken out.
    pub(crate) fn passable(&self, subject: &Subject, kind: SourceKind) -> SectionSet {
        let (mut allowed, mut barred) = (SectionSet::EMPTY, SectionSet::EMPTY);
        for rule in self.about(subject, kind) {
            match &rule.effect {
                Effect::Permit(permit) if permit.as_sent == AsSent::Yes => {
                    allowed = allowed.or(sections_of(rule));
                }
                Effect::Permit(_) => {}
                Effect::Limit(_) | Effect::Deny(_) => barred = barred.or(sections_of(rule)),
            }
        }
        let view = self.view(subject, kind);
        let is_whole = |section: &Section| view.shown(*section) == Shown::Whole;
        allowed.without(barred).and(Section::ALL.iter().copied().filter(is_whole).collect())
    }

    /// The rules that hold for a requester, whatever the source.
    pub(crate) fn holding<'t>(&'t self, subject: &'t Subject) -> impl Iterator<Item = &'t Rule> {
        self.rules.iter().filter(|rule| rule.holds_for(subject))
    }

    fn about<'t>(&'t self, subject: &'t Subject, kind: SourceKind) -> impl Iterator<Item = &'t Rule> {
        self.holding(subject).filter(move |rule| rule.kinds.has(&kind))
    }

    fn limits<'t>(
        &'t self,
        subject: &'t Subject,
        kind: SourceKind,
    ) -> impl Iterator<Item = (&'t Rule, &'t Limits)> {
        self.about(subject, kind).filter_map(|rule| match &rule.effect {
            Effect::Limit(limits) => Some((rule, limits)),
            Effect::Permit(_) | Effect::Deny(_) => None,
        })
    }

    pub(crate) fn offers_glass(&self, subject: &Subject, sections: SectionSet) -> bool {
        self.holding(subject).any(|rule| {
            let is_broken = matches!(&rule.effect, Effect::Permit(permit) if permit.glass == Glass::Broken);
            is_broken && !sections_of(rule).and(sections).is_empty()
        })
    }

    /// The ids of the rules that had a part in a decision.
    fn deciding(&self, subject: &Subject, sections: SectionSet) -> Arc<str> {
        joined(self.holding(subject).filter(|rule| !sections_of(rule).and(sections).is_empty()))
    }

    fn why_denied(&self, subject: &Subject, sections: SectionSet) -> Denial {
        let about = |rule: &&Rule| !sections_of(rule).and(sections).is_empty();
        let is_permit = |rule: &Rule| matches!(rule.effect, Effect::Permit(_));
        if !self.holding(subject).filter(about).any(is_permit) {
            return DenyReason::NoRule.into();
        }
        let denials = self.holding(subject).filter(about).filter(|rule| !is_permit(rule));
        let rule = joined(denials);
        if rule.is_empty() {
            return DenyReason::NoRule.into();
        }
        Denial { reason: DenyReason::Forbidden, rule: Some(rule) }
    }

    /// Every organisation that a rule names.
    pub fn organisations(&self) -> BTreeSet<OdsCode> {
        let named = self.rules.iter().filter_map(|rule| match &rule.organisations {
            Among::Only(codes) => Some(codes),
            Among::Any => None,
        });
        named.flatten().cloned().collect()
    }
}

fn denied(reason: DenyReason) -> Decision {
    Decision::Deny(reason.into())
}

fn joined<'r>(rules: impl Iterator<Item = &'r Rule>) -> Arc<str> {
    let ids: Vec<&str> = rules.map(|rule| &*rule.id).collect();
    ids.join("+").into()
}

/// The sections a rule is about.
pub(crate) fn sections_of(rule: &Rule) -> SectionSet {
    Section::ALL.iter().copied().filter(|section| rule.sections.has(section)).collect()
}

impl Subject {
    pub(crate) fn of(facts: &Facts) -> Option<Self> {
        Some(Self {
            role: facts.role?,
            organisation: Some(facts.organisation.clone()?),
            purpose: facts.purpose?,
            relationship: facts.relationship,
            glass: if facts.break_glass { Glass::Broken } else { Glass::Whole },
            demo: facts.demo,
        })
    }
}

impl Rule {
    fn holds_for(&self, subject: &Subject) -> bool {
        let is_far = |unless: Option<Relationship>| unless.is_none_or(|least| subject.relationship < least);
        let holds = match &self.effect {
            Effect::Permit(permit) => permit.holds_for(subject),
            Effect::Limit(limits) => is_far(limits.unless),
            Effect::Deny(deny) => is_far(deny.unless),
        };
        holds
            && self.roles.has(&subject.role)
            && self.purposes.has(&subject.purpose)
            && self.is_of(subject.organisation.as_ref())
    }
}

impl Rule {
    /// Whether it is about an organisation; one that no rule names is among any.
    pub(crate) fn is_of(&self, organisation: Option<&OdsCode>) -> bool {
        match organisation {
            Some(code) => self.organisations.has(code),
            None => self.organisations == Among::Any,
        }
    }
}

impl Permit {
    fn holds_for(&self, subject: &Subject) -> bool {
        subject.relationship >= self.relationship
            && (self.glass == Glass::Whole || subject.glass == Glass::Broken)
            && (self.holds == Holds::Everywhere || subject.demo)
    }

    fn covers(&self, label: Option<Label>) -> bool {
        let Some(label) = label else { return true };
        self.labels.as_ref().is_some_and(|labels| labels.has(&label))
    }
}

impl Deny {
    fn covers(&self, label: Option<Label>) -> bool {
        match (&self.labels, label) {
            (None, _) => true,
            (Some(labels), Some(label)) => labels.has(&label),
            (Some(_), None) => false,
        }
    }
}
