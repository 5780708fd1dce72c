use std::fmt::Debug;

use tributary_model::{Section, SectionState, SourceId, Tally};

use super::*;
use crate::label::AllergyLabel;
use crate::view::Era;

const CANARY: &str = "penicillin";

#[track_caller]
fn silent(value: &dyn Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

fn canary() -> String {
    CANARY.to_owned()
}

fn line() -> LineView {
    let member = MemberView {
        source: SourceId::parse("gp").unwrap(),
        source_name: String::new(),
        origin: canary(),
        title: canary(),
        date: canary(),
        facts: vec![canary()],
        copy: None,
        detail: canary(),
        full_url: canary(),
        attachments: vec![canary()],
        in_error: false,
        era: Era::Current,
        dated: None,
        ended: None,
        author: canary(),
        original: None,
    };
    LineView { title: canary(), key: canary(), class: "single", members: vec![member] }
}

#[test]
fn no_words_of_a_record_are_shown() {
    let discrepancy = DiscrepancyView {
        rule: "cpr-recommendation",
        kind: "conflict",
        severity: "high",
        words: canary(),
        members: vec![canary()],
        section: None,
    };
    let patient = PatientView {
        nhs_number: canary(),
        name: canary(),
        born: canary(),
        gender: canary(),
        died: canary(),
        died_aged: None,
        address: canary(),
        phone: canary(),
    };
    let section = SectionView {
        section: Section::Allergies,
        state: SectionState::Content,
        shown: None,
        notices: vec![canary()],
        lines: vec![line()],
    };
    silent(&patient);
    silent(&RecordView {
        patient,
        sources: Vec::new(),
        allergy_label: AllergyLabel::NotRecorded,
        sections: vec![section],
        discrepancies: vec![discrepancy],
        tally: Tally::default(),
        as_of: String::new(),
        entries: (1, 1),
    });
}
