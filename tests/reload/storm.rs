//! A thousand configurations while two hundred requests a second go on.

use std::sync::{Arc, Mutex};

use tributary_tests::Reply;

use crate::scene::{Callers, Held, Known, Outcome, Scene, name, numbers};

/// So many configurations, every fourth with a mistake.
const RELOADS: u32 = 1_000;
/// Of them, before it is looked at what the process holds.
const WARM: u32 = 100;
/// What the allocator may keep more after nine hundred of them: a quarter of what comes of leaking each of
/// them.
const GROWTH_BYTES: u64 = 24 << 20;
/// Idle connections to two sources: at most eight each are kept.
const POOLED: usize = 16;

/// One answer, one configuration: what its head names is what its body was made by.
fn whole(known: &Known, reply: &Reply) -> Result<(), String> {
    if reply.status != 200 {
        return Err(format!("status {}: {} {}", reply.status, reply.head, reply.body));
    }
    let name = reply.header("Tributary-Config").unwrap_or_default();
    let number = known.lock().unwrap().get(name).copied();
    let numbers = numbers(&reply.body);
    let is_whole = numbers.len() >= 2 && numbers.iter().all(|one| Some(*one) == number);
    if is_whole { Ok(()) } else { Err(format!("{name} is {number:?}, and the answer of {numbers:?}")) }
}

/// What is wrong with every fourth.
fn spoilt(text: &str, number: u32) -> String {
    match number / 4 % 4 {
        0 => format!("{text}[server"),
        1 => text.replacen("[server]\n", "[server]\nlistne = 1\n", 1),
        2 => text.replacen("config/maps", "config/no-maps", 1),
        _ => text.split("[[source]]").next().unwrap().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_reloads_lose_no_request_and_tear_no_answer() {
    let scene = Scene::set().await;
    let known = Known::new(Mutex::default());
    known.lock().unwrap().insert(name(&scene.text(0)), 0);
    let data = scene.broker.data;
    let seen = Arc::clone(&known);
    let callers = Callers::begin(move || data, move |reply| whole(&seen, reply));
    let began = std::time::Instant::now();
    let mut warm = None;
    for number in 1..=RELOADS {
        if number == WARM {
            warm = Some(Held::by(scene.broker.pid()));
        }
        let text = scene.text(number);
        if number % 4 == 0 {
            assert_eq!(scene.reload(&spoilt(&text, number)).await, Outcome::Rejected, "{number}");
        } else {
            known.lock().unwrap().insert(name(&text), number);
            assert_eq!(scene.reload(&text).await, Outcome::Applied, "{number}");
        }
    }
    let took = began.elapsed();
    let (warm, end) = (warm.unwrap(), Held::by(scene.broker.pid()));
    let tally = callers.end().await;
    println!("{RELOADS} reloads, {} requests in {took:?}: {warm:?}, then {end:?}", tally.answered);
    assert!(tally.failed.is_empty(), "{} failed: {:#?}", tally.failed.len(), tally.failed.first());
    assert!(tally.answered > 1_000, "{}", tally.answered);
    assert!(end.resident_bytes < warm.resident_bytes + GROWTH_BYTES, "{warm:?}, then {end:?}");
    assert_eq!(warm.files, end.files, "{warm:?}, then {end:?}");
    // The callers' own come and go.
    assert!(end.sockets <= warm.sockets + POOLED + 16, "{warm:?}, then {end:?}");
    scene.end().await;
}
