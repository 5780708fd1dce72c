//! The conductor in a thousand invented worlds: sources that are slow, silent, wrong or broken, callers who hurry
//! and leave, a log that stalls. Each world follows from one seed, runs on a clock of its own, and is held to what
//! must be true at every step and when all is quiet.
//!
//! `TRIBUTARY_SEEDS=20000 cargo test -p tributary-broker --test simulation` looks at more of them;
//! `TRIBUTARY_SEED=17` looks at one.

#[cfg(test)]
mod chance;
#[cfg(test)]
mod log;
#[cfg(test)]
#[path = "../fan_out/permitted.rs"]
mod permitted;
#[cfg(test)]
mod play;
#[cfg(test)]
mod promises;
#[cfg(test)]
#[path = "../fan_out/quiet.rs"]
mod quiet;
#[cfg(test)]
mod stubs;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::quiet::keep_quiet_about_stubs;
    use crate::{play, world};

    /// Worlds in an ordinary run.
    const USUAL_SEEDS: u64 = 1_000;

    fn number(variable: &str) -> Option<u64> {
        std::env::var(variable).ok()?.parse().ok()
    }

    #[test]
    fn what_must_be_true_is_true_in_every_world() {
        keep_quiet_about_stubs();
        let (first, end) = match number("TRIBUTARY_SEED") {
            Some(seed) => (seed, seed + 1),
            None => (0, number("TRIBUTARY_SEEDS").unwrap_or(USUAL_SEEDS)),
        };
        let (next, broken) = (AtomicU64::new(first), Mutex::new(Vec::new()));
        let total = Mutex::new(world::Coverage::default());
        let look = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    break;
                }
                match catch_unwind(AssertUnwindSafe(|| play::run(seed))) {
                    Ok((coverage, broken_here)) => {
                        total.lock().unwrap().add(&coverage);
                        broken.lock().unwrap().extend(broken_here.into_iter().map(|what| (seed, what)));
                    }
                    Err(_told) => broken.lock().unwrap().push((seed, "panicked".to_owned())),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(look);
            }
        });
        let mut broken = broken.into_inner().unwrap();
        broken.sort();
        for (seed, what) in broken.iter().take(20) {
            println!("TRIBUTARY_SEED={seed}: {what}");
        }
        let total = total.into_inner().unwrap();
        println!("{total:?}");
        assert!(broken.is_empty(), "{} promises broken", broken.len());
        assert!(end - first < USUAL_SEEDS || total.is_wide(), "these worlds show too little: {total:?}");
    }
}
