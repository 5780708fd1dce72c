//! Why a requester may see a section, or may not: the rules, and what keeps others from holding.

use tributary_model::{Facts, Section, SourceKind};

use crate::rule::{Effect, Glass, Holds, Rule};
use crate::table::{Subject, Table};

/// What a rule has to do with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearing<'t> {
    /// The rule.
    pub rule: &'t Rule,
    /// Why it does not hold; empty if it does.
    pub misses: Vec<&'static str>,
}

impl Table {
    /// Every rule about a section of a kind of source that names the requester's role: those that hold, and what
    /// keeps the others from holding. Nothing for a requester of whom something is not known.
    pub fn bearings(&self, facts: &Facts, kind: SourceKind, section: Section) -> Vec<Bearing<'_>> {
        let Some(subject) = Subject::of(facts) else { return Vec::new() };
        let about = self.rules().iter().filter(|rule| {
            rule.kinds.has(&kind) && rule.sections.has(&section) && rule.roles.has(&subject.role)
        });
        about.map(|rule| Bearing { rule, misses: rule.misses(&subject) }).collect()
    }
}

impl Rule {
    fn misses(&self, subject: &Subject) -> Vec<&'static str> {
        let mut misses = Vec::new();
        let mut unless = |is_met: bool, words: &'static str| {
            if !is_met {
                misses.push(words);
            }
        };
        unless(self.purposes.has(&subject.purpose), "it is for other purposes");
        unless(self.is_of(subject.organisation.as_ref()), "it is for other organisations");
        let is_far = |least| subject.relationship < least;
        match &self.effect {
            Effect::Permit(permit) => {
                unless(!is_far(permit.relationship), "it needs more evidence of a relationship");
                let is_broken = permit.glass == Glass::Whole || subject.glass == Glass::Broken;
                unless(is_broken, "it holds only where the glass is broken");
                unless(permit.holds == Holds::Everywhere || subject.demo, "it holds only in a demo");
            }
            Effect::Limit(limits) => {
                unless(limits.unless.is_none_or(is_far), "the relationship is evidence enough");
            }
            Effect::Deny(deny) => {
                unless(deny.unless.is_none_or(is_far), "the relationship is evidence enough");
            }
        }
        misses
    }
}
