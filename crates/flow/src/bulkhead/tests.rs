use super::*;

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tower::service_fn;

use crate::observe::Unobserved;

const CAP: Duration = Duration::from_secs(3);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Clone, Debug)]
struct Request {
    errand: Errand,
    deadline: Deadline,
    takes: Duration,
}

impl HasDeadline for Request {
    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }
}

impl HasErrand for Request {
    fn errand(&self) -> &Errand {
        &self.errand
    }
}

fn bulkhead(most: usize, observer: Arc<dyn Observer>) -> Bulkhead {
    Bulkhead::new(most, CAP, Chance::seeded(1), observer)
}

fn organisation(code: &str) -> OdsCode {
    OdsCode::parse(code).unwrap()
}

fn request(bulkhead: &Bulkhead, left: u64, takes: u64) -> Request {
    let errand = bulkhead.errand(Priority::Interactive, organisation("RXX01"));
    Request { errand, deadline: Deadline::after(ms(left)), takes: ms(takes) }
}

async fn put(request: Request) -> Result<(), SourceFault> {
    let source = service_fn(|request: Request| async move {
        sleep(request.takes).await;
        Ok(())
    });
    BulkheadLayer.layer(source).oneshot(request).await
}

fn full() -> Result<(), SourceFault> {
    Err(SourceFault::new(FaultClass::Guard))
}

#[tokio::test(start_paused = true)]
async fn a_place_is_waited_for_during_a_quarter_of_what_is_left() {
    let bulkhead = bulkhead(1, Arc::new(Unobserved));
    let begun = Instant::now();
    let (first, patient, hasty) =
        tokio::join!(put(request(&bulkhead, 2000, 300)), put(request(&bulkhead, 2000, 300)), async {
            let answer = put(request(&bulkhead, 1000, 300)).await;
            (answer, begun.elapsed())
        });
    // The second to come was displaced by the third, which was fresher, and had less patience than was needed.
    assert_eq!((first, patient, hasty), (Ok(()), full(), (full(), ms(250))));
    let (first, second) =
        tokio::join!(put(request(&bulkhead, 2000, 300)), put(request(&bulkhead, 2000, 300)));
    assert_eq!((first, second), (Ok(()), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_leaves_nothing_behind() {
    let bulkhead = bulkhead(1, Arc::new(Unobserved));
    let gone = timeout(ms(10), put(request(&bulkhead, 2000, 300))).await;
    assert!(gone.is_err());
    let free = Occupancy { limit: 1, used: 0, waiting: 0 };
    assert_eq!(bulkhead.occupancy(), free);
    let (first, gone) =
        tokio::join!(put(request(&bulkhead, 2000, 300)), timeout(ms(10), put(request(&bulkhead, 2000, 300))));
    assert!(first.is_ok() && gone.is_err());
    assert_eq!(bulkhead.occupancy(), free);
}

/// Counts what it hears of waiting and of the limit.
#[derive(Default)]
struct Notebook {
    waiting: AtomicUsize,
    waits: AtomicUsize,
    limit: AtomicUsize,
}

impl Observer for Notebook {
    fn limit(&self, requests: usize) {
        self.limit.store(requests, Ordering::Relaxed);
    }

    fn waits(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    fn waited(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A source that counts who is there, and never may count more than `most`.
#[derive(Clone)]
struct Counting {
    there: Arc<AtomicUsize>,
    most: usize,
}

impl Counting {
    async fn serve(self, takes: Duration) {
        struct There(Arc<AtomicUsize>);
        impl Drop for There {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let there = self.there.fetch_add(1, Ordering::Relaxed) + 1;
        let _there = There(Arc::clone(&self.there));
        assert!(there <= self.most, "{there} of {}", self.most);
        sleep(takes).await;
    }
}

/// One of these.
fn pick<T: Copy>(chance: &mut Chance, from: &[T]) -> T {
    from[usize::try_from(chance.up_to(from.len() as u64 - 1)).unwrap()]
}

/// One ask of some requests, one after another, given up at some point or not.
async fn ask(bulkhead: Bulkhead, source: Counting, seed: u64) {
    let mut chance = Chance::seeded(seed);
    sleep(ms(chance.up_to(60))).await;
    let priority = pick(&mut chance, Priority::ALL);
    let errand = bulkhead.errand(priority, organisation(pick(&mut chance, &["RXX01", "RYY02", "RZZ03"])));
    let deadline = Deadline::after(ms(20 + chance.up_to(200)));
    let patience = if chance.up_to(1) == 0 { ms(chance.up_to(50)) } else { CAP };
    let all = async {
        for _ in 0..=chance.up_to(3) {
            let outcome = pick(&mut chance, &[Ok(()), Err(FaultClass::Throttled), Err(FaultClass::Reset)]);
            let takes = ms(chance.up_to(30));
            let (source, feedback) = (source.clone(), bulkhead.clone());
            let inner = service_fn(move |request: Request| {
                let (source, feedback, begun) = (source.clone(), feedback.clone(), Instant::now());
                async move {
                    source.serve(request.takes).await;
                    feedback.heard(Heard { begun, given: CAP, outcome });
                    Ok::<_, SourceFault>(())
                }
            });
            let request = Request { errand: errand.clone(), deadline, takes };
            let _outcome = BulkheadLayer.layer(inner).oneshot(request).await;
        }
    };
    let _given_up = timeout(patience, all).await;
}

#[tokio::test(start_paused = true)]
async fn the_source_never_has_more_than_agreed_and_no_place_is_lost() {
    let mut waited = 0;
    for seed in 0..3000_u64 {
        let most = usize::try_from(seed % 5 + 1).unwrap();
        let notebook = Arc::new(Notebook::default());
        let bulkhead = bulkhead(most, Arc::<Notebook>::clone(&notebook));
        let source = Counting { there: Arc::default(), most };
        let asks = (0..24).map(|one| ask(bulkhead.clone(), source.clone(), seed * 100 + one));
        join_all(asks).await;
        let after = bulkhead.occupancy();
        assert_eq!((after.used, after.waiting), (0, 0), "{seed}");
        assert_eq!(notebook.waiting.load(Ordering::Relaxed), 0, "{seed}");
        assert_eq!(notebook.limit.load(Ordering::Relaxed), after.limit, "{seed}");
        assert!(after.limit <= most);
        waited += notebook.waits.load(Ordering::Relaxed);
        // Every place that there is can be had again.
        let again: Vec<_> = (0..after.limit).map(|_| put(request(&bulkhead, 1000, 10))).collect();
        assert!(join_all(again).await.iter().all(Result::is_ok), "{seed}");
    }
    assert!(waited > 3000, "the schedules are crowded enough to wait: {waited}");
}

/// An ask of ten requests, one after another; the first that gets no place ends it.
async fn long_ask(bulkhead: Bulkhead, source: Counting, begins: Duration) -> Result<(), SourceFault> {
    sleep(begins).await;
    let errand = bulkhead.errand(Priority::Interactive, organisation("RXX01"));
    let inner = service_fn(move |request: Request| {
        let source = source.clone();
        async move {
            source.serve(request.takes).await;
            Ok::<_, SourceFault>(())
        }
    });
    for _ in 0..10 {
        let deadline = Deadline::after(CAP);
        let request = Request { errand: errand.clone(), deadline, takes: ms(10) };
        BulkheadLayer.layer(inner.clone()).oneshot(request).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_long_asks_finishes_some_of_them() {
    let bulkhead = bulkhead(2, Arc::new(Unobserved));
    let source = Counting { there: Arc::default(), most: 2 };
    let asks = (0..200).map(|number| long_ask(bulkhead.clone(), source.clone(), ms(number)));
    let done = join_all(asks).await.iter().filter(|outcome| outcome.is_ok()).count();
    // Two places for a fifth of a second, a tenth of a second for each ask: four, and who waited at the end.
    assert!(done >= 4, "{done}");
}

#[tokio::test(start_paused = true)]
async fn a_place_given_to_somebody_who_has_just_gone_comes_back() {
    let bulkhead = bulkhead(1, Arc::new(Unobserved));
    let inside = request(&bulkhead, 2000, 0).errand.place(Deadline::after(CAP)).await.unwrap();
    let mut waiting = Box::pin(put(request(&bulkhead, 2000, 0)));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(inside);
    assert_eq!(bulkhead.occupancy(), Occupancy { limit: 1, used: 1, waiting: 0 });
    // Told, and gone before it heard.
    drop(waiting);
    assert_eq!(bulkhead.occupancy(), Occupancy { limit: 1, used: 0, waiting: 0 });
}
