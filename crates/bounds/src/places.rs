//! How many connections there are, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tributary_telemetry::InFlight;

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    most: usize,
    most_of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<IpAddr, usize>,
}

impl Places {
    /// For at most so many, and so many from one address.
    pub fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_one, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this address; none if there are too many.
    pub fn take(self: &Arc<Self>, address: IpAddr, counted: InFlight) -> Option<Place> {
        let from = one(address);
        let mut taken = self.taken();
        let of_one = taken.by.get(&from).copied().unwrap_or(0);
        if taken.all >= self.most || of_one >= self.most_of_one {
            return None;
        }
        taken.all += 1;
        taken.by.insert(from, of_one + 1);
        drop(taken);
        Some(Place { places: Arc::clone(self), from, _counted: counted })
    }
}

/// Whom an address belongs to: behind IPv6 stands a network with as many addresses as it likes.
fn one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    from: IpAddr,
    _counted: InFlight,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(count) = taken.by.get_mut(&self.from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.by.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tributary_telemetry::{Listener, Metrics};

    #[test]
    fn places_are_counted_by_whom_they_belong_to_and_given_back() {
        let metrics = Metrics::new(&[]).unwrap();
        let places = Places::new(4, 2);
        let take = |address: &str| places.take(address.parse().unwrap(), metrics.connected(Listener::Data));
        let first = take("10.0.0.1").unwrap();
        let second = take("::ffff:10.0.0.1").unwrap();
        assert!(take("10.0.0.1").is_none(), "two are enough for one");
        let third = take("2001:db8::1").unwrap();
        let fourth = take("2001:db8::2").unwrap();
        assert!(take("2001:db8::3").is_none(), "one network is one caller");
        assert!(take("10.0.0.2").is_none(), "four are enough for all");
        drop((first, third));
        let fifth = take("10.0.0.2").unwrap();
        let sixth = take("10.0.0.1").unwrap();
        drop((second, fourth, fifth, sixth));
        assert!(places.taken().all == 0 && places.taken().by.is_empty());
    }
}
