//! Properties 1 and 2: no order matters, and saying a thing twice changes nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::properties::drawn::{Told, all_told, told};
use crate::properties::stage::{SOURCES, alike, origins, scan, stage, tell};
use crate::properties::{cases, stage::empty};

/// Another order of the same things.
fn turned<T: Clone>(items: &[T], seed: usize) -> Vec<T> {
    let mut items = items.to_vec();
    let turn = seed % items.len().max(1);
    items.rotate_left(turn);
    if seed & 1 == 1 {
        items.reverse();
    }
    items
}

fn shuffled(told: &Told, seed: usize) -> Told {
    let Told::Said { stu3, who, documents } = told else { return told.clone() };
    let documents: Vec<_> = documents.iter().map(|pieces| turned(pieces, seed)).collect();
    Told::Said { stu3: *stu3, who: *who, documents: turned(&documents, seed / 2) }
}

/// What a discrepancy says, but for plan documents: two documents of one type are two plans, whoever holds them.
fn disputes(stage: &crate::kit::Federation) -> BTreeSet<&'static str> {
    stage.merged().rules().filter(|rule| *rule != "more-than-one-plan").collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn bytes_do_not_depend_on_any_order(told in all_told(1..=4), seed in 0_usize..1_000) {
        let first = stage(&told).merged().to_r4();
        let again: Vec<Told> = told.iter().map(|told| shuffled(told, seed)).collect();
        let mut again = stage(&again);
        again.answers = turned(&again.answers, seed);
        again.registry = turned(&again.registry, seed / 3);
        alike(&again.merged().to_r4(), &first)?;
    }

    #[test]
    fn an_answer_given_twice_counts_once(told in all_told(1..=4), again in 0_usize..4) {
        let first = stage(&told).merged().to_r4();
        let mut twice = stage(&told);
        let answer = twice.answers[again % told.len()].clone();
        twice.answers.push(answer);
        alike(&twice.merged().to_r4(), &first)?;
    }

    #[test]
    fn the_same_content_from_a_second_source_disputes_nothing(told in told(), one in 0..SOURCES.len(), more in 1..SOURCES.len()) {
        let other = (one + more) % SOURCES.len();
        let mut alone = empty();
        tell(&mut alone, one, &told);
        let mut both = empty();
        tell(&mut both, one, &told);
        tell(&mut both, other, &told);
        let (before, after) = (scan(&alone.merged().to_r4()), scan(&both.merged().to_r4()));
        let (before, after) = (origins(&before), origins(&after));
        prop_assert!(before.iter().all(|origin| after.contains(origin)));
        prop_assert_eq!(after.len(), before.len() * 2);
        prop_assert_eq!(disputes(&both), disputes(&alone));
        if matches!(told, Told::Said { .. }) {
            prop_assert_eq!(both.merged().allergy_label(), alone.merged().allergy_label());
        }
    }
}
