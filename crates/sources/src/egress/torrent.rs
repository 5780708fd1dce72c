//! How fast long bodies are read: whoever sends without end takes no more of us than this.
//!
//! A deadline and a cap end one body. They do not keep a source that floods, asked dozens of times a second, from
//! taking the whole processor with bytes that are thrown away in the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::uri::Authority;
use tokio::time::{Instant, sleep_until};

/// A body that is no longer than this is read as fast as it comes: most are.
pub(super) const FREE_BYTES: u64 = 256 << 10;
/// What comes after that, of all bodies of a host together. A record of three megabytes takes a tenth of a second
/// more, if others were read just before; alone it takes no longer.
const BYTES_PER_SEC: u32 = 32 << 20;
/// What may come at once after a pause.
const BURST: Duration = Duration::from_millis(125);

/// The hosts that send long bodies now.
#[derive(Debug, Default)]
pub(super) struct Torrents(Mutex<HashMap<Authority, Weak<Torrent>>>);

impl Torrents {
    /// That of a host; all its bodies share it.
    pub(super) fn of(&self, host: &Authority) -> Arc<Torrent> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(torrent) = all.get(host).and_then(Weak::upgrade) {
            return torrent;
        }
        all.retain(|_, torrent| torrent.strong_count() > 0);
        let torrent = Arc::new(Torrent { paid_until: Mutex::new(Instant::now()) });
        all.insert(host.clone(), Arc::downgrade(&torrent));
        torrent
    }
}

/// The long bodies of one host.
#[derive(Debug)]
pub(super) struct Torrent {
    /// When all that was read so far would have come at the rate allowed.
    paid_until: Mutex<Instant>,
}

impl Torrent {
    /// Waits until so many more bytes may be taken, but not beyond `limit`.
    pub(super) async fn turn(&self, bytes: usize, limit: Instant) {
        let now = Instant::now();
        let cost = Duration::from_secs(u64::try_from(bytes).unwrap_or(u64::MAX)) / BYTES_PER_SEC;
        let due = {
            let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
            *paid_until = (*paid_until).max(now) + cost;
            *paid_until - BURST.min(*paid_until - now)
        };
        if due > now {
            sleep_until(due.min(limit)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: usize = 1 << 20;

    fn far() -> Instant {
        Instant::now() + Duration::from_hours(1)
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_together_shares_the_rate_of_its_host() {
        let torrents = Torrents::default();
        let (one, other) = (Authority::from_static("a.test"), Authority::from_static("b.test"));
        let (first, second) = (torrents.of(&one), torrents.of(&one));
        let began = Instant::now();
        for _ in 0..34 {
            first.turn(MEGABYTE, far()).await;
            second.turn(MEGABYTE, far()).await;
        }
        // Four megabytes at once, 64 at 32 a second.
        assert_eq!(began.elapsed().as_millis(), 2_000);
        let began = Instant::now();
        torrents.of(&other).turn(4 * MEGABYTE, far()).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "another host's business");
        drop((first, second));
        torrents.of(&other);
        assert_eq!(torrents.0.lock().unwrap().len(), 1, "who sends nothing is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_beyond_the_limit() {
        let torrent = Torrents::default().of(&Authority::from_static("a.test"));
        let began = Instant::now();
        torrent.turn(100 * MEGABYTE, began + Duration::from_millis(10)).await;
        assert_eq!(began.elapsed(), Duration::from_millis(10));
    }
}
