//! Answers altered in their structure: nothing stops, nothing is lost, nothing crosses. The long run is the binary
//! `fuzz`; this is a slice of it with a fixed seed.

#![expect(clippy::panic, reason = "a test may stop where it stands")]

use tributary_tests::fuzz::case;
use tributary_tests::fuzz::chance::Chance;
use tributary_tests::fuzz::corpus;
use tributary_tests::fuzz::growth::SHAPES;
use tributary_tests::fuzz::invariants::{Outcome, answers, check, heard};

/// Cases of the slice.
const CASES: u64 = 2_000;

fn slice(bases: &[corpus::Base], seed: u64, cases: u64) -> Outcome {
    let mut all = Outcome::default();
    for number in 0..cases {
        let sent = case::make(bases, &mut Chance::of(seed, number));
        let outcome =
            case::run(sent).unwrap_or_else(|broken| panic!("--seed {seed} --case {number}: {broken}"));
        all.merged += outcome.merged;
        all.held_back += outcome.held_back;
        all.refused += outcome.refused;
    }
    all
}

#[test]
fn altered_stories_are_merged_or_held_back() {
    let bases = corpus::stories();
    assert_eq!(bases.len(), 16);
    let all = slice(&bases, 7, CASES);
    println!("{all:?}");
    // A mutator that breaks everything at the gate proves nothing.
    assert!(all.merged > 1_000 && all.held_back > 50 && all.refused > 100, "{all:?}");
}

#[test]
fn altered_recordings_are_merged_or_held_back() {
    let Some(bases) = corpus::named_recordings() else {
        println!("NOT RUN: TRIBUTARY_FIXTURES is not set, no recording was altered");
        return;
    };
    let all = slice(&bases, 11, CASES);
    println!("{all:?}");
    assert!(all.merged > 1_000, "{all:?}");
}

#[test]
fn a_case_is_the_same_on_every_machine() {
    let make = || case::make(&corpus::stories(), &mut Chance::of(3, 5));
    let bytes = |sent: Vec<case::Sent>| -> Vec<Vec<u8>> { sent.into_iter().map(|one| one.bytes).collect() };
    assert_eq!(bytes(make()), bytes(make()));
}

#[test]
fn large_answers_of_every_shape_hold_together() {
    for (name, make) in SHAPES {
        for stu3 in [true, false] {
            let checked = check(&answers([heard(make(500).into_bytes(), stu3)]));
            let outcome = checked.unwrap_or_else(|broken| panic!("{name}, stu3 {stu3}: {broken}"));
            assert_eq!(outcome.merged, 1, "{name}");
        }
    }
}
