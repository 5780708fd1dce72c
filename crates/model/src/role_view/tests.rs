//! The matrix as a reviewer reads it, and what holds for every view.

use super::*;

fn word(shown: Shown) -> String {
    match shown {
        Shown::Whole => "all".to_owned(),
        Shown::Hidden => "-".to_owned(),
        Shown::Limited(limit) => format!("{limit:?}"),
    }
}

fn rows() -> Vec<String> {
    let row = |section: Section| {
        let cells = ViewRole::ALL.iter().map(|role| word(matrix::shown(section, *role)));
        format!("{}: {}", section.code(), cells.collect::<Vec<_>>().join(" | "))
    };
    Section::ALL.iter().copied().map(row).collect()
}

/// Reviewed by eye against the access matrix. A change here changes who sees what.
#[test]
fn the_matrix_is_this_one() {
    let columns: Vec<&str> = ViewRole::ALL.iter().map(|role| role.code()).collect();
    assert_eq!(
        columns.join(" | "),
        "ambulance | 111-handler | ucr-clinician | community-nurse | restricted | home-carer | patient | information-governance | gp"
    );
    assert_eq!(
        rows(),
        [
            "plans: all | PlanExists | all | all | PlanExists | - | PlanExists | - | all",
            "flags: all | Adjustments | all | all | Adjustments | Adjustments | Adjustments | - | all",
            "allergies: all | - | all | all | all | Names | all | - | all",
            "medications: CurrentMedicines | - | all | all | CurrentMedicines | CurrentNames | all | - | all",
            "problems: ActiveProblems | - | all | all | ActiveWithoutNotes | - | all | - | all",
            "results: LastResults | - | all | all | - | - | Filed | - | all",
            "reports: - | - | all | all | - | - | - | - | all",
            "encounters: RecentWithoutNotes(30) | - | RecentContacts(90) | all | LastContacts(3) | - | all | - | all",
            "procedures: - | - | all | all | - | - | - | - | all",
            "immunisations: - | - | all | all | all | - | all | - | all",
            "documents: PlansAndDischarge | - | all | all | - | - | Filed | - | all",
            "referrals: - | - | all | all | - | - | - | - | all",
            "diary: - | - | all | all | - | - | - | - | all",
            "appointments: - | - | all | all | - | - | - | - | all",
            "socialcare: all | - | all | all | all | all | all | - | all",
            "uncategorised: - | - | all | all | - | - | - | - | all",
        ]
    );
}

#[track_caller]
fn check_label(label: Label, without: &str, with: &str) {
    let seen = |reason: Reason| {
        let roles = ViewRole::ALL.iter().filter(|role| RoleView::of(**role, reason).sees(label));
        roles.map(|role| role.code()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((seen(Reason::NotGiven).as_str(), seen(Reason::Given).as_str()), (without, with), "{label:?}");
}

#[test]
fn labels_are_seen_by_these() {
    check_label(
        Label::Restricted,
        "ucr-clinician patient gp",
        "ambulance ucr-clinician community-nurse patient gp",
    );
    check_label(Label::VeryRestricted, "", "ucr-clinician gp");
    let others = "ambulance 111-handler ucr-clinician community-nurse restricted home-carer gp";
    check_label(Label::NotForPatient, others, others);
    check_label(Label::Listed, "patient", "ucr-clinician patient gp");
    check_label(Label::Unknown, "", "");
}

#[test]
fn an_unknown_role_and_an_empty_set_see_nothing() {
    for view in [
        RoleView::of_code("consultant", Reason::Given),
        RoleView::of_code("", Reason::Given),
        RoleView::whole().within(SectionSet::EMPTY),
        RoleView::of(ViewRole::UcrClinician, Reason::Given).within(SectionSet::EMPTY),
        RoleView::nothing(),
    ] {
        assert!(view.sections().is_empty(), "{view:?}");
        assert!(!view.is_whole());
    }
    assert!(!RoleView::of_code("consultant", Reason::Given).sees(Label::NotForPatient));
    assert_eq!(
        RoleView::of_code("restricted", Reason::NotGiven),
        RoleView::of(ViewRole::Restricted, Reason::NotGiven)
    );
}

#[test]
fn narrowing_never_widens() {
    let sets = [SectionSet::EMPTY, SectionSet::all(), SectionSet::EMPTY.with(Section::Plans)];
    let reasons = [Reason::Given, Reason::NotGiven];
    let roles = ViewRole::ALL.iter().flat_map(|role| reasons.map(|reason| RoleView::of(*role, reason)));
    for view in roles.chain([RoleView::whole(), RoleView::nothing()]) {
        for set in sets {
            let narrow = view.within(set);
            for section in Section::ALL {
                let shown = narrow.shown(*section);
                assert!(shown == Shown::Hidden || shown == view.shown(*section), "{view:?} {section:?}");
            }
            assert_eq!(narrow.within(SectionSet::all()), narrow);
        }
        assert_eq!(view.within(SectionSet::all()), view);
    }
}

#[test]
fn only_the_whole_view_is_whole() {
    assert!(RoleView::whole().is_whole());
    for role in ViewRole::ALL {
        assert!(!RoleView::of(*role, Reason::Given).is_whole());
    }
    assert!(!RoleView::whole().within(SectionSet::EMPTY.with(Section::Plans)).is_whole());
}
