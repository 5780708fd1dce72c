//! All persons, within bounds.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::mem::size_of;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::person::Person;
use crate::signal::{Alarm, Limits, Look};

/// What part of all persons is forgotten at once when there is no room.
const FORGOTTEN: usize = 8;

/// Watches over who looks at whom.
#[derive(Debug, Default)]
pub struct Watch {
    /// Persons and patients are told apart by hashes under this key, which nobody knows.
    key: RandomState,
    crowd: Mutex<Crowd>,
}

#[derive(Debug, Default)]
struct Crowd {
    persons: HashMap<u64, Person>,
    /// What persons take beyond their own places.
    beyond: usize,
}

impl Crowd {
    /// The places of the table, each with a byte of its own.
    fn bytes(&self) -> usize {
        self.persons.capacity() * (size_of::<(u64, Person)>() + 1) + self.beyond
    }

    /// Forgets those who were quiet for longest.
    fn make_room(&mut self, bytes: usize) {
        while self.bytes() > bytes && !self.persons.is_empty() {
            let mut times: Vec<u32> = self.persons.values().map(|person| person.last).collect();
            let few = (times.len() / FORGOTTEN).min(times.len() - 1);
            let (_, &mut until, _) = times.select_nth_unstable(few);
            // Those of one second go one after the other.
            let mut left = few + 1;
            self.persons.retain(|_, person| {
                let goes = person.last <= until && left > 0;
                left -= usize::from(goes);
                !goes
            });
            self.persons.shrink_to_fit();
            self.beyond = self.persons.values().map(Person::bytes).sum();
        }
    }
}

impl Watch {
    /// Counts one look, and gives what is out of the ordinary now.
    pub fn note(&self, limits: &Limits, look: &Look<'_>) -> Vec<Alarm> {
        let person = self.key.hash_one((look.organisation, look.user));
        #[expect(clippy::cast_possible_truncation, reason = "half of a hash is one")]
        let patient = look.patient.map(|patient| self.key.hash_one(patient) as u32);
        let now = u32::try_from(look.at.as_second()).unwrap_or(0);
        let mut crowd = self.crowd();
        let known = crowd.persons.entry(person).or_default();
        let before = known.bytes();
        let alarms = known.note(limits, look, patient, now);
        let after = known.bytes();
        crowd.beyond = (crowd.beyond + after).saturating_sub(before);
        crowd.make_room(limits.bytes);
        alarms
    }

    /// How many persons are remembered, and what they take, in bytes.
    pub fn size(&self) -> (usize, usize) {
        let crowd = self.crowd();
        (crowd.persons.len(), crowd.bytes())
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
