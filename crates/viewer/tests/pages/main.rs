//! What every page of a record keeps to, whatever the record.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

mod growing;
mod kit;
mod properties;
mod weight;

use kit::{conflict, full, line, member, now, page, reader, record, section, source, view};
use tributary_merge::AllergyLabel;
use tributary_merge::view::{Era, LineView};
use tributary_model::{FhirDate, NoticeKind, Role, Section, SectionState, Shown, SourceStatus};
use tributary_viewer::Looked;

/// Where a text stands on a page.
fn at(page: &str, text: &str) -> usize {
    let place = page.find(text);
    assert!(place.is_some(), "{text} is not on the page");
    place.unwrap()
}

#[track_caller]
fn in_order(page: &str, texts: &[&str]) {
    let places: Vec<usize> = texts.iter().map(|text| at(page, text)).collect();
    assert!(places.is_sorted(), "{texts:?} at {places:?}");
}

#[test]
fn the_banner_is_first_and_in_its_order() {
    let page = record(&full(), Role::Ambulance);
    in_order(
        &page,
        &[
            "ASHWORTH, George (Mr)",
            "Born</dt>",
            "Gender</dt>",
            "NHS No.</dt><dd class=\"number\">999 000 0107",
            "<main",
        ],
    );
    let title = page.get(at(&page, "<title>")..at(&page, "</title>")).unwrap();
    assert!(!title.contains("ASHWORTH") && !title.contains("999"), "{title}");
}

#[test]
fn who_died_has_another_banner_and_an_age() {
    let mut dead = full();
    dead.patient.died = "03-Nov-2024".to_owned();
    dead.patient.died_aged = Some(71);
    let page = record(&dead, Role::UcrClinician);
    assert!(page.contains("class=\"banner deceased\""));
    assert!(page.contains("03-Nov-2024 (71y)"));
    assert!(!record(&full(), Role::UcrClinician).contains("deceased"));
}

#[test]
fn each_role_has_its_own_order() {
    let orders: &[(Role, &[&str])] = &[
        (
            Role::Ambulance,
            &[
                "s-plans",
                "s-allergies",
                "s-medications",
                "s-problems",
                "s-flags",
                "s-socialcare",
                "s-encounters",
            ],
        ),
        (
            Role::UcrClinician,
            &[
                "s-plans",
                "s-allergies",
                "s-medications",
                "s-problems",
                "s-results",
                "s-encounters",
                "s-flags",
                "s-documents",
            ],
        ),
        (Role::CommunityNurse, &["s-plans", "s-allergies", "s-medications", "s-problems", "s-flags"]),
        (
            Role::CareManager,
            &["s-flags", "s-allergies", "s-medications", "s-problems", "s-encounters", "s-immunisations"],
        ),
        (Role::HomeCarer, &["s-flags", "s-allergies", "s-medications", "s-socialcare"]),
        (Role::Patient, &["s-allergies", "s-medications", "s-problems", "s-plans"]),
    ];
    for (role, order) in orders {
        let page = record(&full(), *role);
        let order: Vec<String> = order.iter().map(|id| format!("id=\"{id}\"")).collect();
        in_order(&page, &order.iter().map(String::as_str).collect::<Vec<_>>());
        for one in Section::ALL {
            assert_eq!(page.matches(&format!("id=\"s-{}\"", one.code())).count(), 1, "{role:?} {one:?}");
        }
    }
}

#[test]
fn what_is_missing_comes_first_and_is_told_in_words() {
    let mut some = full();
    let mut in_transit =
        source("gp", "Riverside Surgery", SourceStatus::WithheldSource, SectionState::Partial);
    in_transit.standing.notices = vec![
        (NoticeKind::DataInTransit, Some(Section::Allergies)),
        (NoticeKind::ConfidentialItems, Some(Section::Problems)),
        (NoticeKind::NotSupported, Some(Section::Referrals)),
    ];
    some.sources = vec![
        source("acute-a", "Mersey Royal", SourceStatus::Timeout, SectionState::Failed),
        in_transit,
        source("walkin", "Wirral Walk-in", SourceStatus::Timeout, SectionState::Pending),
        source("community", "Mersey Community", SourceStatus::Ok, SectionState::Content),
    ];
    let page = record(&some, Role::UcrClinician);
    in_order(
        &page,
        &[
            "2 of 4 answered",
            "Mersey Royal</strong>: Did not answer. Last answered 13:58 on 09-Mar-2026",
            "Check again for Mersey Royal",
            "Riverside Surgery</strong>: Answered 02:10, some information withheld, older records not yet transferred, \
             switched off for referrals",
            "Wirral Walk-in</strong>: Checking\u{2026}",
            "Mersey Community: Answered 02:10",
        ],
    );
    assert!(page.contains("name=\"nhs\" value=\"999 000 0107\""), "in the body of a form");
    assert!(!page.contains("action=\"/record?"));
}

#[test]
fn a_label_never_says_more_than_is_known() {
    let sections =
        |state| vec![section(Section::Allergies, state, vec![line(1, "Penicillin", Era::Current)])];
    let mut some = view(sections(SectionState::Failed));
    some.allergy_label = AllergyLabel::Known;
    assert!(
        record(&some, Role::Ambulance)
            .contains("Known allergies</strong> <span class=\"rest\">(list may be incomplete)")
    );
    some.sections = sections(SectionState::Pending);
    assert!(record(&some, Role::Ambulance).contains("(still checking)"));
    some.sections = sections(SectionState::Content);
    assert!(!record(&some, Role::Ambulance).contains("class=\"rest\""));
    for label in [
        AllergyLabel::NoneKnown,
        AllergyLabel::NoneKnownDrugs,
        AllergyLabel::NotRecorded,
        AllergyLabel::Unavailable,
        AllergyLabel::Incomplete,
        AllergyLabel::Checking,
        AllergyLabel::NotShown,
    ] {
        some.allergy_label = label;
        assert!(record(&some, Role::Ambulance).contains(&format!("<strong>{}</strong>", label.words())));
    }
}

#[test]
fn a_disagreement_about_cpr_is_told_newest_first_before_the_lines() {
    let mut older = member(1, "For CPR", Era::Current);
    older.dated = FhirDate::parse("2025-10-20");
    older.source_name = "GP practice".to_owned();
    let newer = member(2, "Not for CPR", Era::Current);
    let line = LineView {
        title: "For CPR".to_owned(),
        key: "topic|cpr".to_owned(),
        class: "conflict",
        members: vec![older, newer],
    };
    let mut some = view(vec![section(Section::Plans, SectionState::Content, vec![line])]);
    let names = vec!["Thing/1@gp".to_owned(), "Thing/2@gp".to_owned()];
    some.discrepancies = vec![conflict("cpr-recommendation", names, Some(Section::Plans))];
    let page = record(&some, Role::Ambulance);
    in_order(
        &page,
        &[
            "id=\"h-plans\"",
            "Records disagree about CPR",
            "<li><strong>Not for CPR",
            "<li><strong>For CPR",
            "Check the form and ask.",
            "class=\"line conflict\"",
        ],
    );
}

#[test]
fn a_discrepancy_about_the_person_stands_before_every_section() {
    let mut some = full();
    some.discrepancies = vec![
        conflict("demographics-name", Vec::new(), None),
        conflict("medicine-status", Vec::new(), Some(Section::Medications)),
    ];
    let page = record(&some, Role::Ambulance);
    in_order(
        &page,
        &["demographics-name in words.", "id=\"s-plans\"", "medicine-status in words.", "id=\"s-problems\""],
    );
}

#[test]
fn medicines_are_current_or_past_and_never_without_a_status() {
    let mut conflicting = line(3, "Warfarin", Era::Past);
    conflicting.members.push(member(4, "Warfarin", Era::Current));
    let lines = vec![line(1, "Apixaban", Era::Current), conflicting, line(2, "Codeine", Era::Past)];
    let page =
        record(&view(vec![section(Section::Medications, SectionState::Content, lines)]), Role::Ambulance);
    in_order(
        &page,
        &[
            "Current (2)",
            "Past (1)",
            "1 stopped or finished in the last 30 days",
            "Apixaban",
            "Warfarin",
            "class=\"past\"",
            "Codeine",
        ],
    );
    assert_eq!(page.matches("Status: </span>").count(), 4, "two of them contradict each other");
    let none = record(
        &view(vec![section(
            Section::Medications,
            SectionState::Content,
            vec![line(2, "Codeine", Era::Past)],
        )]),
        Role::Ambulance,
    );
    assert!(none.contains("No current medicine is recorded by the sources that answered."));
}

#[test]
fn a_copy_is_no_second_source() {
    let mut copied = line(1, "Furosemide", Era::Current);
    copied.class = "copied";
    let mut copy = member(2, "Furosemide", Era::Current);
    copy.copy = Some("echo");
    copied.members.push(copy);
    let page = record(
        &view(vec![section(Section::Medications, SectionState::Content, vec![copied])]),
        Role::CommunityNurse,
    );
    assert!(page.contains("1 source + 1 copy"));
    assert!(!page.contains("2 sources"));
}

#[test]
fn a_hidden_section_says_so_and_nothing_else() {
    let mut some =
        view(vec![section(Section::Problems, SectionState::NotAsked, vec![line(1, "Secret", Era::Current)])]);
    some.sections[0].shown = Some(Shown::Hidden);
    some.sections[0].notices = vec!["3 entries".to_owned()];
    let page = record(&some, Role::HomeCarer);
    assert!(page.contains("Not shown for your role."));
    assert!(!page.contains("Secret") && !page.contains("3 entries"));
}

#[test]
fn a_call_handler_sees_one_flag_and_no_failure() {
    let mut some = full();
    some.sources = vec![source("acute-a", "Mersey Royal", SourceStatus::Timeout, SectionState::Failed)];
    let page = record(&some, Role::CallHandler);
    assert!(page.contains("<strong>Yes</strong>"));
    assert!(!page.contains("Mersey Royal") && !page.contains("Thing number"));
    let page = record(&view(Vec::new()), Role::CallHandler);
    assert!(page.contains("No flag found") && page.contains("does not say that there is no plan"));
}

#[test]
fn plain_readers_get_plain_words() {
    for role in [Role::Patient, Role::HomeCarer, Role::CareManager, Role::SocialWorker] {
        let page = record(&full(), role);
        assert!(!page.contains("Thing/1") && !page.contains("urn:uuid"), "{role:?}");
        assert!(page.contains("Where this comes from"), "{role:?}");
        assert!(page.contains("Health problems"), "{role:?}");
    }
}

#[test]
fn only_the_patient_reads_who_looked() {
    let (some, patient, nurse) = (full(), reader(Role::Patient), reader(Role::CommunityNurse));
    let looks = [Looked {
        when: "10-Mar-2026 02:10".to_owned(),
        who: "Sam <Reader>".to_owned(),
        why: "Direct care".to_owned(),
    }];
    let mut of_patient = page(&some, &patient);
    assert!(tributary_viewer::record(&of_patient).contains("That does not mean that nobody looked."));
    of_patient.looked = Some(&looks);
    assert!(tributary_viewer::record(&of_patient).contains("Sam &lt;Reader&gt;"));
    let mut of_nurse = page(&some, &nurse);
    of_nurse.looked = Some(&looks);
    assert!(!tributary_viewer::record(&of_nurse).contains("Who looked at this record"));
}

#[test]
fn contacts_stand_under_their_months() {
    let mut undated = line(2, "Phone call", Era::Current);
    undated.members[0].dated = None;
    let lines = vec![line(1, "Nurse visit", Era::Current), undated];
    let page =
        record(&view(vec![section(Section::Encounters, SectionState::Content, lines)]), Role::Ambulance);
    in_order(
        &page,
        &[
            "<h3 class=\"month\">Mar-2026",
            "Nurse visit",
            "<h3 class=\"month\">Date not recorded",
            "Phone call",
        ],
    );
}

#[test]
fn what_its_source_calls_a_mistake_is_folded_and_counted() {
    let mut wrong = line(1, "Penicillin", Era::Current);
    wrong.members[0].in_error = true;
    let lines = vec![wrong, line(2, "Latex", Era::Current)];
    let page =
        record(&view(vec![section(Section::Allergies, SectionState::Content, lines)]), Role::Ambulance);
    in_order(&page, &["Latex", "1 entry that its source calls a mistake", "Penicillin"]);
}

#[test]
fn only_addresses_of_pages_are_followed() {
    let mut some = line(1, "Letter", Era::Current);
    some.members[0].attachments =
        vec!["javascript:alert(1)".to_owned(), "https://broker.test/fhir/R4/Binary/x".to_owned()];
    let page =
        record(&view(vec![section(Section::Documents, SectionState::Content, vec![some])]), Role::Ambulance);
    assert!(!page.contains("javascript:"));
    assert_eq!(page.matches("Open the document").count(), 1);
}

#[test]
fn a_printed_sheet_names_who_printed_it() {
    let page = record(&full(), Role::Ambulance);
    assert!(page.contains(
        "<span id=\"printed\">10-Mar-2026 02:10</span> by Sam Reader, Ambulance clinician, Mersey Ambulance"
    ));
    assert_eq!(now().to_string(), "2026-03-10T02:10:00Z");
}
