//! An ordinary day without a false alarm, and each kind of snooping found in it.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tributary_model::NhsNumber;
use tributary_signals::{Alarm, Limits, Look, Outcome, Signal, Watch};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A small generator with a fixed seed: the day is the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap()
    }
}

fn number(mut base: u32) -> NhsNumber {
    loop {
        let found = (0..10).find_map(|check| NhsNumber::parse(&format!("{base:09}{check}")).ok());
        if let Some(number) = found {
            return number;
        }
        base += 1;
    }
}

/// Forty nurses of a day, ten of whom work at night in urgent care: some twenty patients each, each looked at up to
/// four times, now and then a refusal, a broken glass, a namesake.
fn ordinary_day(watch: &Watch, limits: &Limits, day: i64) -> Vec<Alarm> {
    let mut chance = Chance(7 + u64::try_from(day).unwrap());
    let mut alarms = Vec::new();
    for nurse in 0..40_u32 {
        let is_urgent = nurse < 10;
        let user = format!("nurse-{nurse}");
        let morning = if is_urgent { "2026-03-10T20:30:00Z" } else { "2026-03-10T08:10:00Z" };
        let mut now = at(morning) + SignedDuration::from_hours(24 * day);
        for visit in 0..20_u32 {
            let patient = Some(number(400_000_000 + chance.below(500_000_000)));
            for _ in 0..=chance.below(4) {
                now += SignedDuration::from_secs(i64::from(60 + chance.below(300)));
                let is_namesake = visit == 3 && nurse % 7 == 0;
                let look = Look { patient, is_urgent, is_namesake, ..Look::by(&user, "RZ905", now) };
                alarms.extend(watch.note(limits, &look));
            }
            if visit == 9 {
                let look = Look {
                    outcome: Outcome::Denied,
                    broke_glass: is_urgent,
                    ..Look::by(&user, "RZ905", now)
                };
                alarms.extend(watch.note(limits, &look));
            }
        }
    }
    alarms
}

#[test]
fn ordinary_days_raise_no_alarm() {
    let (watch, limits) = (Watch::default(), Limits::default());
    for day in 0..14 {
        assert_eq!(ordinary_day(&watch, &limits, day), [], "day {day}");
    }
}

/// A snoop among ordinary people: what was told of, with counts.
fn found(looks: impl IntoIterator<Item = Look<'static>>) -> BTreeMap<Signal, usize> {
    let (watch, limits) = (Watch::default(), Limits::default());
    assert_eq!(ordinary_day(&watch, &limits, 0), []);
    let mut found = BTreeMap::new();
    for look in looks {
        for alarm in watch.note(&limits, &look) {
            assert!(alarm.count > alarm.limit, "{alarm:?}");
            *found.entry(alarm.signal).or_default() += 1;
        }
    }
    found
}

fn snoop(minute: i64) -> Look<'static> {
    Look::by("snoop", "RZ905", at("2026-03-10T10:00:00Z") + SignedDuration::from_mins(minute))
}

#[test]
fn each_kind_of_snooping_is_found_and_told_once() {
    let scattered = |count: u32| (0..count).map(|one| number(400_000_000 + one * 977_777 % 500_000_000));
    // A thousand patients in ten minutes.
    let many = scattered(1000).zip(0..).map(|(patient, second)| Look {
        patient: Some(patient),
        at: at("2026-03-10T10:00:00Z") + SignedDuration::from_millis(second * 600),
        ..snoop(0)
    });
    assert_eq!(found(many), BTreeMap::from([(Signal::ManyPatients, 1)]));
    // The neighbour, eleven times a day.
    let again = (0..11).map(|time| Look { patient: Some(number(411_111_111)), ..snoop(time * 50) });
    assert_eq!(found(again), BTreeMap::from([(Signal::RepeatViews, 1)]));
    let family = scattered(3).zip(0..).map(|(patient, hour)| Look {
        patient: Some(patient),
        is_namesake: true,
        ..snoop(hour * 30)
    });
    assert_eq!(found(family), BTreeMap::from([(Signal::SameName, 1)]));
    // At night, every night.
    let night = scattered(24)
        .zip(0..)
        .map(|(patient, one)| Look { patient: Some(patient), ..snoop(13 * 60 + one * 20) });
    assert_eq!(found(night), BTreeMap::from([(Signal::OutOfHours, 1)]));
    let row = (0..8).map(|one| Look { patient: Some(number(455_500_000 + one)), ..snoop(i64::from(one)) });
    assert_eq!(found(row), BTreeMap::from([(Signal::SequentialNumbers, 1)]));
    let down =
        (0..8).map(|one| Look { patient: Some(number(455_500_000 - 2 * one)), ..snoop(i64::from(one)) });
    assert_eq!(found(down), BTreeMap::from([(Signal::SequentialNumbers, 1)]));
    let glass = (0..4).map(|one| Look { broke_glass: true, ..snoop(one * 100) });
    assert_eq!(found(glass), BTreeMap::from([(Signal::BreakGlassRate, 1)]));
    let refused = (0..11).map(|one| Look { outcome: Outcome::Denied, ..snoop(one * 4) });
    assert_eq!(found(refused), BTreeMap::from([(Signal::DeniedRate, 1)]));
}

#[test]
fn urgent_care_may_see_more_patients_and_at_any_hour() {
    let looks = |count: u32| {
        (0..count).map(|one| Look {
            patient: Some(number(400_000_000 + one * 977_777 % 500_000_000)),
            is_urgent: true,
            at: at("2026-03-10T23:00:00Z"),
            ..snoop(0)
        })
    };
    assert_eq!(found(looks(120)), BTreeMap::new());
    assert_eq!(found(looks(121)), BTreeMap::from([(Signal::ManyPatients, 1)]));
}

#[test]
fn the_same_user_id_elsewhere_is_somebody_else() {
    let (watch, limits) = (Watch::default(), Limits { repeat_views_per_day: 1, ..Limits::default() });
    let patient = Some(number(411_111_111));
    let look = |organisation| watch.note(&limits, &Look { patient, organisation, ..snoop(0) }).len();
    assert_eq!((look("RZ905"), look("A99901"), look("RZ905")), (0, 0, 1));
}

#[test]
fn an_alarm_is_told_again_when_it_goes_on() {
    let (watch, limits) = (Watch::default(), Limits { denied_per_hour: 1, ..Limits::default() });
    let refused = |minute| watch.note(&limits, &Look { outcome: Outcome::Denied, ..snoop(minute) }).len();
    assert_eq!([0, 10, 20, 40, 71].map(refused), [0, 1, 0, 0, 1]);
}

/// Ten minutes are ten minutes, to the second.
#[test]
fn distinct_patients_count_for_ten_minutes() {
    let limits = Limits { many_patients: 2, ..Limits::default() };
    let check = |seconds: [i64; 3], expected: usize| {
        let watch = Watch::default();
        let looks = seconds.iter().zip([411_111_111, 422_222_222, 433_333_333]).map(|(second, base)| {
            let at = at("2026-03-10T10:00:00Z") + SignedDuration::from_secs(*second);
            watch.note(&limits, &Look { patient: Some(number(base)), at, ..snoop(0) }).len()
        });
        assert_eq!(looks.sum::<usize>(), expected, "{seconds:?}");
    };
    check([0, 1, 599], 1);
    check([0, 1, 600], 0);
}
