//! The decision, and the table it is made from.

use tributary_model::requester::Assurance;
use tributary_model::{Decision, DenyReason, Facts, Obligations, Purpose, Role, RoleView, SectionSet};

/// One rule: when it applies, and which of the sections asked for it lets through.
struct Rule {
    id: &'static str,
    applies: fn(&Facts) -> bool,
    shows: SectionSet,
    /// What of those sections is shown.
    view: RoleView,
}

/// Every rule, in the order in which they are tried. The first that applies decides.
const RULES: &[Rule] = &[Rule {
    id: "demo-direct-care",
    applies: is_demo_direct_care,
    shows: SectionSet::all(),
    view: RoleView::whole(),
}];

/// May this requester see these sections? Denied unless a rule says otherwise.
pub fn decide(facts: &Facts) -> Decision {
    if facts.break_glass {
        return Decision::Deny(DenyReason::BreakGlassNotOffered);
    }
    let rule = RULES.iter().find(|rule| (rule.applies)(facts));
    rule.map_or(Decision::Deny(DenyReason::NoRule), |rule| {
        let sections = facts.sections.and(rule.shows);
        Decision::Permit(Obligations { sections, view: rule.view, rule: rule.id })
    })
}

/// A demo broker listens on loopback only and holds invented patients, so an identity may be asserted there.
///
/// Every arm is written out: a new role, assurance or purpose has to be let in by hand.
const fn is_demo_direct_care(facts: &Facts) -> bool {
    let is_known = match facts.assurance {
        Assurance::Demo | Assurance::AssertedUnsigned => true,
    };
    let is_caring = match facts.role {
        Role::Ambulance | Role::UcrClinician | Role::CommunityNurse | Role::Gp => true,
    };
    let is_direct_care = match facts.purpose {
        Purpose::DirectCare => true,
    };
    facts.demo && is_known && is_caring && is_direct_care
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tributary_model::Section;

    use super::*;

    fn facts() -> impl Strategy<Value = Facts> {
        (
            prop::sample::select(Role::ALL),
            prop::sample::select(vec![Assurance::Demo, Assurance::AssertedUnsigned]),
            prop::sample::subsequence(Section::ALL, 0..=Section::ALL.len()),
            any::<bool>(),
            any::<bool>(),
        )
            .prop_map(|(role, assurance, sections, break_glass, demo)| Facts {
                role,
                assurance,
                purpose: Purpose::DirectCare,
                sections: sections.into_iter().collect(),
                break_glass,
                demo,
            })
    }

    proptest! {
        #[test]
        fn no_section_is_shown_that_was_not_asked_for(facts in facts()) {
            if let Decision::Permit(obligations) = decide(&facts) {
                prop_assert_eq!(obligations.sections.and(facts.sections), obligations.sections);
            }
        }

        #[test]
        fn only_a_demo_permits_anything(facts in facts()) {
            let facts = Facts { demo: false, ..facts };
            prop_assert!(matches!(decide(&facts), Decision::Deny(_)));
        }

        #[test]
        fn breaking_the_glass_is_refused_whoever_asks(facts in facts()) {
            let facts = Facts { break_glass: true, ..facts };
            prop_assert_eq!(decide(&facts), Decision::Deny(DenyReason::BreakGlassNotOffered));
        }

        #[test]
        fn a_demo_shows_every_section_asked_for(facts in facts()) {
            let facts = Facts { break_glass: false, demo: true, ..facts };
            let obligations = Obligations { sections: facts.sections, view: RoleView::whole(), rule: "demo-direct-care" };
            prop_assert_eq!(decide(&facts), Decision::Permit(obligations));
        }
    }

    #[test]
    fn rule_ids_are_unique() {
        let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), RULES.len());
    }
}
