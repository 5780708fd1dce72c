//! One case: a few answers about one patient, some of them altered, merged and looked at.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::chance::Chance;
use super::corpus::Base;
use super::invariants::{self, Broken, Outcome, SOURCES};
use super::mutation;

/// The bytes of one answer, and whether they are STU3.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What went over the wire.
    pub bytes: Vec<u8>,
    /// Whether it is STU3.
    pub stu3: bool,
}

/// Makes the answers of a case. The first one is always altered.
pub fn make(bases: &[Base], chance: &mut Chance) -> Vec<Sent> {
    let sources = 1 + chance.below(SOURCES.len());
    (0..sources)
        .map(|place| {
            let base = chance.pick(bases);
            // A whole recording now and then; mostly a part of one, so that many cases are tried.
            let most = if chance.one_in(400) { usize::MAX } else { 1 + chance.below(30) };
            let mut document = base.sample(most, chance);
            let is_altered = place == 0 || chance.one_in(2);
            if is_altered {
                mutation::mutate(&mut document, chance);
            }
            let mut bytes = Vec::new();
            let mut blanks = chance.one_in(4).then(|| chance.clone());
            document.write(&mut bytes, &mut blanks);
            if is_altered {
                mutation::damage(&mut bytes, chance);
            }
            // An answer in the version that was not expected is converted all the same, or not at all.
            let stu3 = if chance.one_in(25) { !base.stu3 } else { base.stu3 };
            Sent { bytes, stu3 }
        })
        .collect()
}

/// Runs a case. A panic is one more way to break.
pub fn run(sent: Vec<Sent>) -> Result<Outcome, Broken> {
    let whole = AssertUnwindSafe(|| {
        let heard: Vec<_> = sent.into_iter().map(|one| invariants::heard(one.bytes, one.stu3)).collect();
        invariants::check(&invariants::answers(heard))
    });
    catch_unwind(whole).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panic: {}", words.or_else(|| panic.downcast_ref().copied()).unwrap_or("without words")))
    })
}
