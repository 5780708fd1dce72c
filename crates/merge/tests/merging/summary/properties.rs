//! What must hold of the summary of every federation.

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_merge::view::{LineView, MemberView};
use tributary_model::FaultClass;

use super::document::{Document, summary};
use super::drawn::{Told, resource, stage};

/// A resource with more that matters to a summary.
fn said() -> impl Strategy<Value = Value> {
    let kind = prop::option::of(prop::sample::select(vec![
        "Consent",
        "QuestionnaireResponse",
        "DeviceUseStatement",
        "Composition",
        "List",
        "Practitioner",
    ]));
    let category = prop::sample::select(vec!["vital-signs", "social-history", "laboratory", "other"]);
    (resource(), kind, category, 0_u8..8).prop_map(|(mut one, kind, category, extra)| {
        if let (Some(kind), true) = (kind, extra < 2) {
            one["resourceType"] = json!(kind);
        }
        one["category"] = json!([{"coding": [{"code": category}]}]);
        match extra {
            2 => one["doNotPerform"] = json!(true),
            3 => one["performer"] = json!([{"reference": "Practitioner/1"}, {"reference": "Composition/1"}, {"reference": "Patient/p1"}]),
            4 => one["supportingInfo"] = json!([{"reference": "List/2"}, {"reference": "Condition/3"}, {"reference": "#x"}]),
            5 => one["meta"] = json!({"security": [{"code": "R"}]}),
            6 => one["note"] = json!([{"text": "</div><script>\u{1}&"}]),
            7 => one["code"] = json!({"text": "<b>\u{b}&amp;"}),
            _ => {}
        }
        one
    })
}

fn told() -> impl Strategy<Value = Told> {
    let faults = vec![FaultClass::NoHead, FaultClass::NoRecord, FaultClass::Consent];
    prop_oneof![
        5 => prop::collection::vec(said(), 0..7).prop_map(Told::Said),
        1 => prop::sample::select(faults).prop_map(Told::Failed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn every_summary_is_sound_and_whole(all in prop::collection::vec(told(), 1..=4), seed in any::<prop::sample::Index>()) {
        let first = stage(&all);
        let document = Document::of(&first);
        document.is_sound();
        every_line_is_named_or_counted(&first, &document);
        let mut shuffled = all;
        for one in &mut shuffled {
            if let Told::Said(resources) = one {
                let turn = seed.index(resources.len().max(1));
                resources.rotate_left(turn);
                resources.reverse();
            }
        }
        let mut again = stage(&shuffled);
        let turn = seed.index(again.answers.len());
        again.answers.rotate_left(turn);
        again.registry.reverse();
        prop_assert_eq!(summary(&again), document.text());
    }
}

/// The lines of a section of the record are named in the summary, or counted as left out.
fn every_line_is_named_or_counted(stage: &crate::kit::Federation, document: &Document) {
    let homes: &[(&str, &[&str])] = &[
        ("problems", &["11450-4", "11348-0"]),
        ("allergies", &["48765-2"]),
        ("medications", &["10160-0"]),
        ("plans", &["42348-3", "18776-5"]),
        ("flags", &["104605-1"]),
        ("procedures", &["47519-4"]),
        ("immunisations", &["11369-6"]),
        ("results", &["30954-2", "8716-3", "29762-2"]),
    ];
    let view = stage.merged().to_view();
    for (section, codes) in homes {
        let words: String = codes.iter().map(|code| document.words(code)).collect();
        let overview = document.overview();
        let of_section = view.sections.iter().filter(|one| one.section.code() == *section);
        let is_unnamed = |line: &&LineView| {
            let is_mistake = |one: &MemberView| one.facts.iter().any(|fact| fact == "entered in error");
            !line.members.iter().all(is_mistake) && !words.contains(&line.title.replace('\u{b}', "\u{fffd}"))
        };
        let unnamed = of_section.flat_map(|one| &one.lines).filter(is_unnamed).count();
        let counted = counts(&format!("{words}{overview}"));
        assert!(unnamed <= counted, "{section}: {unnamed} lines are not in {words}");
    }
}

/// How many are said to be left out.
fn counts(words: &str) -> usize {
    let sentences = words.split("Not part of this summary:").skip(1).filter_map(|rest| rest.split_once('.'));
    let numbers = sentences.flat_map(|(said, _)| said.split(['(', ')']));
    numbers.filter_map(|part| part.parse::<usize>().ok()).sum()
}
