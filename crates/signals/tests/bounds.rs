//! However many persons there are, and whatever they do: bounded memory, and the last ones are remembered.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tributary_model::NhsNumber;
use tributary_signals::{Limits, Look, Outcome, Watch};

fn start() -> Timestamp {
    "2026-03-10T08:00:00Z".parse().unwrap()
}

/// The valid number that comes at or after this one.
fn number(mut base: u32) -> NhsNumber {
    loop {
        let found = (0..10).find_map(|check| NhsNumber::parse(&format!("{base:09}{check}")).ok());
        if let Some(number) = found {
            return number;
        }
        base += 1;
    }
}

#[test]
fn a_hundred_thousand_persons_fit() {
    let (watch, limits) = (Watch::default(), Limits::default());
    let patients: Vec<_> = (0..15_u32).map(|one| number(400_000_000 + one * 1000)).collect();
    for person in 0..100_000 {
        let user = format!("user-{person}");
        for patient in &patients {
            let look = Look { patient: Some(*patient), ..Look::by(&user, "RZ905", start()) };
            assert_eq!(watch.note(&limits, &look), []);
        }
    }
    let (persons, bytes) = watch.size();
    assert_eq!(persons, 100_000);
    assert!(bytes <= limits.bytes, "{bytes}");
}

#[test]
fn whoever_was_quiet_for_longest_is_forgotten_first() {
    let (watch, limits) = (Watch::default(), Limits { bytes: 256 << 10, ..Limits::default() });
    let strict = Limits { repeat_views_per_day: 1, ..limits };
    let patient = Some(number(400_000_000));
    let look = |user: &str, secs: i64| {
        let at = start() + SignedDuration::from_secs(secs);
        watch.note(&strict, &Look { patient, ..Look::by(user, "RZ905", at) }).len()
    };
    for person in 0..10_000 {
        look(&format!("user-{person}"), person);
    }
    let (persons, bytes) = watch.size();
    assert!(bytes <= limits.bytes && persons > 300, "{persons} {bytes}");
    assert_eq!(look("user-9999", 10_001), 1, "remembered: this was the second look");
    assert_eq!(look("user-0", 10_002), 0, "forgotten");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn memory_is_bounded_whatever_comes(
        looks in proptest::collection::vec((0_u32..400, 0_u32..5000, 0_i64..200_000, any::<[bool; 4]>()), 1..500),
        bytes in 4_096_usize..200_000,
    ) {
        let (watch, limits) = (Watch::default(), Limits { bytes, ..Limits::default() });
        for (user, patient, secs, [is_urgent, is_namesake, broke_glass, is_denied]) in looks {
            let user = user.to_string();
            let at = start() + SignedDuration::from_secs(secs);
            let outcome = if is_denied { Outcome::Denied } else { Outcome::Shown };
            let patient = Some(number(400_000_000 + patient));
            let look = Look { patient, is_urgent, is_namesake, broke_glass, outcome, ..Look::by(&user, "RZ905", at) };
            watch.note(&limits, &look);
            prop_assert!(watch.size().1 <= bytes);
        }
    }
}
