//! Addresses of pages that are good for one look.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// For so long an address of a page is remembered: longer than it is good for.
const LOOK_LIFE: Duration = Duration::from_mins(3);
/// Most addresses remembered. With more than that none is good for a while.
const MOST_LOOKS: usize = 65_536;

/// Addresses that were good for one look, and have had it.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<String, Instant>>);

impl Looks {
    /// Whether this is the first look.
    pub fn take(&self, address: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_LOOKS {
            all.retain(|_, at| at.elapsed() < LOOK_LIFE);
        }
        if all.len() >= MOST_LOOKS || all.contains_key(address) {
            return false;
        }
        all.insert(address.to_owned(), Instant::now());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_is_good_once_and_never_again_while_it_could_be_opened() {
        let looks = Looks::default();
        assert!(looks.take("a") && looks.take("b"));
        assert!(!looks.take("a"));
        tokio::time::advance(LOOK_LIFE * 2).await;
        assert!(!looks.take("a"), "it is forgotten only for room");
    }
}
