//! What becomes of a permit for less than was asked.

use tributary_model::requester::Assurance;
use tributary_model::{Purpose, Reason, Role, RoleView, Section, SectionSet, ViewRole};

use super::*;

fn asked(sections: SectionSet) -> Facts {
    Facts {
        role: Role::Ambulance,
        assurance: Assurance::Demo,
        purpose: Purpose::DirectCare,
        sections,
        break_glass: false,
        demo: true,
    }
}

const TWO: SectionSet = SectionSet::EMPTY.with(Section::Plans).with(Section::Referrals);

fn permit(sections: SectionSet, view: RoleView) -> Decision {
    Decision::Permit(Obligations { sections, view, rule: "test" })
}

/// The sections to be asked for, and whether nothing is taken out.
#[track_caller]
fn check(decision: Decision, expected: Result<(SectionSet, bool), DenyReason>) {
    let found = permitted(decision, &asked(TWO));
    assert_eq!(found.map(|one| (one.sections, one.view.is_whole())), expected);
}

#[test]
fn a_permit_for_less_takes_out_the_rest() {
    let plans = SectionSet::EMPTY.with(Section::Plans);
    check(permit(TWO, RoleView::whole()), Ok((TWO, true)));
    check(permit(plans, RoleView::whole()), Ok((plans, false)));
    let restricted = RoleView::of(ViewRole::Restricted, Reason::NotGiven);
    check(permit(TWO, restricted), Ok((plans, false)));
    check(permit(SectionSet::all(), restricted), Ok((plans, false)));
    let found = permitted(permit(plans, RoleView::whole()), &asked(TWO)).unwrap();
    assert!(found.view.hides(Section::Referrals));
}

#[test]
fn a_permit_for_nothing_is_a_refusal() {
    let handler = RoleView::of(ViewRole::InformationGovernance, Reason::Given);
    check(permit(TWO, handler), Err(DenyReason::NoRule));
    check(permit(SectionSet::EMPTY, RoleView::whole()), Err(DenyReason::NoRule));
    check(permit(TWO, RoleView::nothing()), Err(DenyReason::NoRule));
    check(Decision::Deny(DenyReason::BreakGlassNotOffered), Err(DenyReason::BreakGlassNotOffered));
}
