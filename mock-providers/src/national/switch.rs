//! The fault of a national service that is in force.

use std::sync::{Mutex, PoisonError};

use crate::fault::Lifetime;

/// At most one fault, and how often it happens.
#[derive(Debug)]
pub(super) struct Switch<F>(Mutex<Option<(F, Lifetime)>>);

impl<F> Default for Switch<F> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<F: Clone> Switch<F> {
    pub(super) fn set(&self, fault: F, lifetime: Lifetime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((fault, lifetime));
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The fault in force, which stays so.
    pub(super) fn peek(&self) -> Option<F> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|(fault, _)| fault.clone())
    }

    /// What `choose` makes of the fault in force. A fault that was chosen has happened.
    pub(super) fn take<T>(&self, choose: impl FnOnce(&F) -> Option<T>) -> Option<T> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (fault, lifetime) = held.as_ref()?;
        let chosen = choose(fault)?;
        if *lifetime == Lifetime::Once {
            held.take();
        }
        Some(chosen)
    }
}
