//! Property 12: nothing that is told depends on what was withheld.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;
use tributary_model::{Label, Limit, RoleView, Section, SectionSet, Shown, ViewRole};

use super::cases::{
    BELONGS, Case, EVERYTHING, Item, KINDS, SOURCES, Telling, beside, case, role, stage, token,
};
use super::{LISTED, told};

/// The places of the resources that are in a bundle.
fn present(bundle: &str) -> BTreeSet<(usize, usize)> {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    let origin = |entry: &Value| {
        let origin = entry["resource"]["meta"]["source"].as_str()?.strip_prefix("urn:x-tributary:")?;
        let (source, name) = origin.split_once('#')?;
        let place = name.split_once("/id-zq")?.1.split_once('x')?.1.strip_suffix('z')?.parse().ok()?;
        Some((SOURCES.iter().position(|(id, _)| *id == source)?, place))
    };
    bundle["entry"].as_array().unwrap().iter().filter_map(origin).collect()
}

/// Whether a resource must not be shown, whatever else there is: said without looking at the code that decides.
fn is_forbidden(item: &Item, view: RoleView) -> bool {
    let sections = KINDS[item.kind].1.iter().map(|code| Section::from_code(code).unwrap());
    let hidden = sections.into_iter().all(|section| view.shown(section) == Shown::Hidden);
    let label = match item.label {
        "" => None,
        "R" => Some(Label::Restricted),
        "V" => Some(Label::VeryRestricted),
        "NOPAT" => Some(Label::NotForPatient),
        _ => Some(Label::Unknown),
    };
    hidden
        || label.is_some_and(|label| !view.sees(label))
        || (item.code == LISTED && !view.sees(Label::Listed))
}

/// Whether a plan of it may be told to exist, which is more than nothing.
fn may_be_counted(item: &Item, view: RoleView) -> bool {
    let is_limited = view.shown(Section::Plans) == Shown::Limited(Limit::PlanExists);
    is_limited && KINDS[item.kind].1.contains(&"plans") && !is_forbidden(item, view)
}

/// Where it may be told that a plan exists, no plan belongs to anything: whether it counts is then plain to see.
fn countable(mut case: Case, view: RoleView) -> Case {
    if view.shown(Section::Plans) == Shown::Limited(Limit::PlanExists) {
        let links = case.iter_mut().flatten().flat_map(|item| &mut item.links);
        links.filter(|(_, style)| BELONGS.contains(style)).for_each(|(_, style)| *style = 0);
    }
    case
}

/// Where two texts part, with what stands around.
fn difference(one: &str, other: &str) -> Option<(String, String)> {
    let at = one.bytes().zip(other.bytes()).position(|(a, b)| a != b);
    let at = at.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))?;
    let around = |text: &str| text.chars().skip(at.saturating_sub(400)).take(600).collect();
    Some((around(one), around(other)))
}

fn places(case: &Case) -> impl Iterator<Item = (usize, usize, &Item)> {
    case.iter()
        .enumerate()
        .flat_map(|(source, items)| items.iter().enumerate().map(move |(place, item)| (source, place, item)))
}

fn shown(case: &Case, view: RoleView) -> (BTreeSet<(usize, usize)>, String) {
    let stage = stage(case, EVERYTHING);
    let withheld = stage.withheld(view);
    let record = stage.merged_for(&withheld);
    (present(&record.to_r4()), told(&record))
}

/// Nothing withheld is anywhere in what is told, and exactly the same is told where it never was: no class, count,
/// label, notice or status tells the two apart. `names_untold` says whether, there, it is still named.
fn check_no_trace(case: Case, view: RoleView, names_untold: bool) -> Result<(), TestCaseError> {
    let case = countable(case, view);
    let (there, all) = shown(&case, view);
    for (source, place, item) in places(&case) {
        if is_forbidden(item, view) {
            prop_assert!(!there.contains(&(source, place)), "shown: {item:?}");
        }
        if there.contains(&(source, place)) {
            continue;
        }
        for token in [token(source, place), beside("p", source, place), beside("m", source, place)] {
            prop_assert!(!all.contains(&token), "{token} of {item:?}");
        }
    }
    let is_told = |source: usize, place: usize| {
        there.contains(&(source, place)) || may_be_counted(&case[source][place], view)
    };
    let without = stage(&case, Telling { is_told: &is_told, names_untold });
    let withheld = without.withheld(view);
    let difference = difference(&all, &told(&without.merged_for(&withheld)));
    prop_assert!(difference.is_none(), "{difference:?}");
    Ok(())
}

// Two halves of ten thousand cases, side by side.
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

    #[test]
    fn what_is_withheld_from_crews_and_clinicians_leaves_no_trace(case in case(), view in role(CREWS), names_untold in any::<bool>()) {
        check_no_trace(case, view, names_untold)?;
    }

    #[test]
    fn what_is_withheld_from_carers_and_patients_leaves_no_trace(case in case(), view in role(OTHERS), names_untold in any::<bool>()) {
        check_no_trace(case, view, names_untold)?;
    }
}

const CREWS: &[ViewRole] =
    &[ViewRole::Ambulance, ViewRole::CallHandler, ViewRole::UcrClinician, ViewRole::CommunityNurse];
const OTHERS: &[ViewRole] =
    &[ViewRole::Restricted, ViewRole::HomeCarer, ViewRole::Patient, ViewRole::InformationGovernance];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_second_time_takes_nothing_more(case in case(), view in role(ViewRole::ALL)) {
        let stage = stage(&case, EVERYTHING);
        let once = stage.withheld(view);
        let twice = stage.withheld_of(once.answers(), &view.into());
        let difference = difference(&told(&stage.merged_for(&once)), &told(&stage.merged_for(&twice)));
        prop_assert!(difference.is_none(), "{difference:?}");
    }

    #[test]
    fn no_order_matters(case in case(), view in role(ViewRole::ALL), seed in any::<prop::sample::Index>()) {
        let (_, all) = shown(&case, view);
        let mut turned = stage(&case, EVERYTHING);
        let turn = seed.index(turned.answers.len());
        turned.answers.rotate_left(turn);
        turned.registry.reverse();
        let withheld = turned.withheld(view);
        prop_assert_eq!(told(&turned.merged_for(&withheld)), all);
    }

    #[test]
    fn what_one_source_shows_is_its_own_business(case in case(), view in role(ViewRole::ALL)) {
        let (together, _) = shown(&case, view);
        for source in 0..case.len() {
            let mut alone: Case = vec![Vec::new(); case.len()];
            alone[source].clone_from(&case[source]);
            let own: BTreeSet<_> = together.iter().copied().filter(|(one, _)| *one == source).collect();
            prop_assert_eq!(shown(&alone, view).0, own);
        }
    }

    #[test]
    fn a_whole_view_changes_not_a_byte(case in case()) {
        let stage = stage(&case, EVERYTHING);
        let withheld = stage.withheld(RoleView::whole());
        prop_assert_eq!(told(&stage.merged_for(&withheld)), told(&stage.merged()));
    }

    #[test]
    fn a_narrower_view_shows_nothing_more(case in case(), view in role(ViewRole::ALL), bits in any::<u16>()) {
        let set: SectionSet = Section::ALL.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, one)| *one).collect();
        let (wide, _) = shown(&case, view);
        let (narrow, _) = shown(&case, view.within(set));
        prop_assert!(narrow.is_subset(&wide), "{narrow:?} {wide:?}");
        let (whole, _) = shown(&case, RoleView::whole().within(set));
        prop_assert!(narrow.is_subset(&whole), "{narrow:?} {whole:?}");
    }

    #[test]
    fn who_is_nobody_sees_nothing(case in case()) {
        for view in [RoleView::nothing(), RoleView::whole().within(SectionSet::EMPTY)] {
            let (there, all) = shown(&case, view);
            prop_assert!(there.is_empty());
            prop_assert!(!all.contains("zq"), "{all}");
        }
    }
}
