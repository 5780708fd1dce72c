//! A patient who must not be seen cannot be told from one who is not there.

use std::time::Duration;

use tributary_tests::Reply;

use crate::consumer::{Request, allergies, everything, parameters};
use crate::outcome::refused;
use crate::stand::{Stand, number};

/// Asked for in turn, in an order that a fixed seed decides.
const ROUNDS: usize = 60;

fn kinds() -> [(&'static str, &'static str); 4] {
    [
        ("sensitive", number("patient9")),
        ("deceased", number("patient18")),
        ("inactive", number("patient21")),
        ("unknown", "9990000107"),
    ]
}

/// The head of a reply without what belongs to the request alone.
fn head(reply: &Reply) -> Vec<&str> {
    const OWN: &[&str] = &["x-request-id", "tributary-audit", "date"];
    let is_own = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        OWN.iter().any(|own| own.eq_ignore_ascii_case(name))
    };
    reply.head.lines().filter(|line| !is_own(line)).collect()
}

#[tokio::test]
async fn who_must_not_be_seen_is_answered_as_one_who_is_not_there() {
    let stand = Stand::usual().await;
    for areas in [vec![], vec![allergies(true)], everything()] {
        let mut replies = Vec::new();
        for (kind, number) in kinds() {
            let reply = stand.ask(&Request::record(&parameters(number, &areas))).await;
            refused(kind, &reply, 404, "PATIENT_NOT_FOUND");
            assert_eq!(reply.json()["issue"][0]["details"]["coding"][0]["display"], "Patient not found");
            assert!(!reply.body.contains(number), "{kind}");
            replies.push((kind, reply));
        }
        let (_, unknown) = replies.pop().unwrap();
        for (kind, reply) in &replies {
            assert_eq!(reply.body, unknown.body, "{kind}");
            assert_eq!(head(reply), head(&unknown), "{kind}");
            assert_eq!(reply.head.lines().count(), unknown.head.lines().count(), "{kind}");
        }
    }
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// How often a time of one is longer than a time of the other, ties as halves: one half when nothing tells
/// them apart, none or one when every time does.
#[expect(clippy::cast_precision_loss, reason = "a few thousand pairs")]
fn longer(one: &[Duration], other: &[Duration]) -> f64 {
    let pairs = one.iter().flat_map(|left| other.iter().map(move |right| (left, right)));
    let won: f64 = pairs
        .map(|(left, right)| match left.cmp(right) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    won / (one.len() * other.len()) as f64
}

#[tokio::test]
async fn how_long_the_answer_takes_does_not_tell_them_apart() {
    let stand = Stand::usual().await;
    let mut took: [Vec<Duration>; 4] = Default::default();
    let mut dice = Dice(20_260_310);
    for round in 0..=ROUNDS {
        let mut order = [0, 1, 2, 3];
        for last in (1..order.len()).rev() {
            order.swap(last, dice.below(last + 1));
        }
        for kind in order {
            let reply = stand.ask(&Request::record(&parameters(kinds()[kind].1, &[]))).await;
            assert_eq!(reply.status, 404);
            // The first of each warms up.
            if round > 0 {
                took[kind].push(reply.took);
            }
        }
    }
    for one in 0..took.len() {
        for other in one + 1..took.len() {
            let share = longer(&took[one], &took[other]);
            let names = (kinds()[one].0, kinds()[other].0);
            // With sixty of each, chance alone gives a share beyond these bounds once in ten million times.
            assert!((0.21..0.79).contains(&share), "{names:?}: {share}");
        }
    }
}

#[test]
fn a_difference_in_time_would_be_noticed() {
    let times = |from: u64| -> Vec<Duration> { (0..60).map(|at| Duration::from_micros(from + at)).collect() };
    assert!((longer(&times(100), &times(100)) - 0.5).abs() < 1e-9);
    assert!(longer(&times(140), &times(100)) > 0.79);
    assert!(longer(&times(100), &times(140)) < 0.21);
}
