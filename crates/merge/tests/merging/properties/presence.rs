//! Properties 4, 5 and 6: everything is there once, under an address of its own, on one line.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tributary_fhir::bundle::type_of;
use tributary_fhir::{Bundle, Document};
use tributary_merge::Heard;

use crate::kit::Federation;
use crate::properties::cases;
use crate::properties::drawn::{About, Told, all_told, is_administrative};
use crate::properties::stage::{SOURCES, content, counted, entries, origin, scan, stage};

/// What the documents of a source hold, each thing once, but for outcomes.
fn held(documents: &[Document]) -> Vec<(String, String)> {
    let mut held = BTreeSet::new();
    for document in documents {
        for resource in Bundle::of(document).expect("a Bundle").resources() {
            if type_of(resource) != "OperationOutcome" {
                held.insert((resource.raw().to_owned(), content(resource)));
            }
        }
    }
    held.into_iter().collect()
}

/// Whether something the source sent may be held back: what names nobody, or somebody who is not in the answer.
fn may_be_loose(told: &Told) -> bool {
    let Told::Said { stu3, documents, .. } = told else { return false };
    documents.iter().flatten().any(|piece| {
        let names_nobody = matches!(piece.about, About::Nobody(_)) && !is_administrative(piece.kind);
        // Carried whole, a provenance has no subject either.
        names_nobody || (*stu3 && piece.kind == "Provenance")
    })
}

/// The contents that came out of one source.
fn shown(bundle: &Document, source: &str) -> Vec<String> {
    let own = entries(bundle).into_iter().filter(|(_, one)| origin(*one).is_some_and(|(id, _)| id == source));
    own.map(|(_, one)| content(one)).collect()
}

fn documents<'a>(stage: &'a Federation, source: &str) -> &'a [Document] {
    let answer = stage.answers.iter().find(|answer| answer.source.as_str() == source);
    match answer.map(|answer| &answer.heard) {
        Some(Heard::Reply(reply)) => &reply.documents,
        Some(Heard::Fault(_) | Heard::Pending) | None => &[],
    }
}

/// Types that name what statements refer to, and so stand on no line.
fn is_support(kind: &str) -> bool {
    matches!(
        kind,
        "Patient"
            | "Practitioner"
            | "PractitionerRole"
            | "Organization"
            | "Location"
            | "HealthcareService"
            | "Medication"
            | "List"
            | "Provenance"
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_statement_is_there_exactly_once(told in all_told(1..=4)) {
        let stage = stage(&told);
        let bundle = stage.merged().to_r4();
        let bundle = scan(&bundle);
        for ((source, ..), told) in SOURCES.iter().zip(&told) {
            let held = held(documents(&stage, source));
            let expected = counted(held.iter().map(|(_, content)| content.as_str()));
            let shown = shown(&bundle, source);
            let found = counted(shown.iter().map(String::as_str));
            for (content, times) in &found {
                prop_assert!(expected.get(content).is_some_and(|held| held >= times), "{source} never sent {content}");
            }
            for (content, times) in &expected {
                let missing = found.get(content) != Some(times);
                prop_assert!(!missing || may_be_loose(told), "{source} sent {times} of {content}");
            }
        }
    }

    #[test]
    fn what_is_withheld_is_told(told in all_told(1..=1)) {
        let stage = stage(&told);
        let bundle = scan(&stage.merged().to_r4());
        let source = SOURCES[0].0;
        let missing = held(documents(&stage, source)).len() - shown(&bundle, source).len();
        let is_told = entries(&bundle)[0].1.raw().contains("not-tied-to-patient");
        prop_assert_eq!(missing > 0, is_told, "{} are missing", missing);
    }

    #[test]
    fn addresses_are_unique_and_nobody_shares_one(told in all_told(1..=4)) {
        let record = stage(&told);
        let bundle = scan(&record.merged().to_r4());
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (url, resource) in entries(&bundle) {
            // The outcome of all has an address and, as any outcome, no id.
            if let Some(id) = resource.text_at("id") {
                prop_assert_eq!(&url, &format!("urn:uuid:{id}"));
            }
            prop_assert!(seen.insert(url.clone(), resource.raw().to_owned()).is_none(), "{url} twice");
        }
        let named = entries(&bundle).into_iter().filter_map(|(_, one)| origin(one));
        prop_assert!(counted(named).values().all(|times| *times == 1));
    }

    /// What is counted of an answer for a program is what the page of it would show.
    #[test]
    fn the_overview_is_that_of_the_words(told in all_told(1..=4)) {
        let stage = stage(&told);
        let record = stage.merged();
        let (seen, view) = (record.overview(), record.to_view());
        let states: Vec<_> = view.sections.iter().map(|one| (one.section, one.state)).collect();
        prop_assert_eq!(seen.states, states);
        let members = view.sections.iter().flat_map(|one| &one.lines).flat_map(|line| &line.members);
        let mut copies: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        members.for_each(|one| *copies.entry(one.copy).or_default() += 1);
        prop_assert_eq!(seen.copies, copies);
        prop_assert_eq!(format!("{:?}", seen.sources), format!("{:?}", view.sources));
    }

    #[test]
    fn every_statement_stands_on_exactly_one_line(told in all_told(1..=4)) {
        let stage = stage(&told);
        let record = stage.merged();
        let bundle = scan(&record.to_r4());
        let view = record.to_view();
        let members = view.sections.iter().flat_map(|one| &one.lines).flat_map(|line| &line.members);
        let on_lines = counted(members.map(|one| one.full_url.clone()));
        prop_assert!(on_lines.values().all(|times| *times == 1));
        let lists = entries(&bundle).into_iter().filter(|(_, one)| type_of(*one) == "List" && origin(*one).is_none());
        let listed: Vec<String> = lists.flat_map(|(_, list)| {
            let entries = list.get("entry").into_iter().flat_map(tributary_fhir::Json::items);
            entries.filter_map(|entry| entry.path(&["item"])?.text_at("reference")).map(std::borrow::Cow::into_owned).collect::<Vec<_>>()
        }).collect();
        prop_assert!(counted(listed) == on_lines, "lists and page differ");
        for (url, resource) in entries(&bundle) {
            let Some((_, name)) = origin(resource) else { continue };
            let kind = type_of(resource).into_owned();
            let hangs = matches!(kind.as_str(), "MedicationRequest" | "MedicationDispense" | "MedicationAdministration");
            let is_listed = on_lines.contains_key(&url);
            prop_assert!(is_listed != is_support(&kind) || hangs, "{name} of type {kind} is listed: {is_listed}");
        }
    }
}
