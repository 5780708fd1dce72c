//! One budget of bytes for everything that is held on behalf of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that requests may hold at once, together. Clones share one count.
///
/// It counts what is told to it: bodies while they are read, replies until they are merged, answers until they
/// are delivered. Whoever cannot take what it needs gives up, so that nobody runs out.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Purse>);

#[derive(Debug)]
struct Purse {
    most: u64,
    taken: AtomicU64,
}

/// The budget has not that many bytes left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory budget is spent")]
pub struct BudgetSpent;

impl MemoryBudget {
    /// A budget of so many bytes.
    pub fn new(most: u64) -> Self {
        Self(Arc::new(Purse { most, taken: AtomicU64::new(0) }))
    }

    /// Takes bytes, if there are so many left.
    pub fn take(&self, bytes: u64) -> Result<Lease, BudgetSpent> {
        let mut lease = Lease { purse: Some(Arc::clone(&self.0)), bytes: 0 };
        lease.grow(bytes)?;
        Ok(lease)
    }

    /// How many bytes are taken now.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// How many bytes there are in all.
    pub fn most(&self) -> u64 {
        self.0.most
    }
}

/// Two handles are equal if they share one count.
impl PartialEq for MemoryBudget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for MemoryBudget {}

impl Default for MemoryBudget {
    /// A budget that is never spent.
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

/// Bytes taken from a budget; given back when dropped. The default one holds nothing and can take nothing.
#[derive(Debug, Default)]
pub struct Lease {
    purse: Option<Arc<Purse>>,
    bytes: u64,
}

impl Lease {
    /// How many bytes it holds.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more. What it held before stays held when there is not so much left.
    pub fn grow(&mut self, bytes: u64) -> Result<(), BudgetSpent> {
        let Some(purse) = &self.purse else {
            return if bytes == 0 { Ok(()) } else { Err(BudgetSpent) };
        };
        let within = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= purse.most);
        purse
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
            .map_err(|_spent| BudgetSpent)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes over what another lease of the same budget holds. One of another budget gives its bytes back there.
    pub fn absorb(&mut self, mut other: Self) {
        match (&self.purse, &other.purse) {
            (None, _) => *self = other,
            (Some(own), Some(theirs)) if Arc::ptr_eq(own, theirs) => {
                self.bytes += std::mem::take(&mut other.bytes);
            }
            (Some(_), _) => {}
        }
    }

    /// Holds exactly so many bytes from now on, if there are so many.
    pub fn resize(&mut self, bytes: u64) -> Result<(), BudgetSpent> {
        if bytes >= self.bytes {
            return self.grow(bytes - self.bytes);
        }
        if let Some(purse) = &self.purse {
            purse.taken.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(purse) = &self.purse {
            purse.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_there_is() {
        let budget = MemoryBudget::new(100);
        let mut first = budget.take(60).unwrap();
        assert_eq!(budget.take(41).unwrap_err(), BudgetSpent);
        let second = budget.take(40).unwrap();
        assert_eq!(first.grow(1), Err(BudgetSpent));
        assert_eq!((first.bytes(), budget.taken()), (60, 100));
        drop(second);
        assert_eq!(first.grow(40), Ok(()));
        assert_eq!(first.grow(u64::MAX), Err(BudgetSpent));
        assert_eq!(first.resize(10), Ok(()));
        assert_eq!(budget.taken(), 10);
        drop(first);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn two_leases_become_one() {
        let budget = MemoryBudget::new(100);
        let mut all = Lease::default();
        for bytes in [10, 20] {
            all.absorb(budget.take(bytes).unwrap());
        }
        all.absorb(Lease::default());
        assert_eq!((all.bytes(), budget.taken()), (30, 30));
        let other = MemoryBudget::new(100);
        all.absorb(other.take(5).unwrap());
        assert_eq!((all.bytes(), other.taken()), (30, 0));
        drop(all);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn the_default_lease_holds_nothing() {
        let mut none = Lease::default();
        assert_eq!((none.grow(0), none.grow(1)), (Ok(()), Err(BudgetSpent)));
        assert_eq!(none.resize(0), Ok(()));
    }
}
