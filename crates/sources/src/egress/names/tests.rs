use super::*;

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::advance;

/// What the stub says to a look-up.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    Addresses(Vec<IpAddr>),
    Nobody,
    /// Nothing, ever.
    Silence,
}

impl Says {
    pub(crate) fn these(addresses: &[&str]) -> Self {
        Self::Addresses(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }
}

/// A resolver that says what it is told to.
pub(crate) struct Stub {
    pub(crate) says: Mutex<Says>,
    pub(crate) asked: AtomicUsize,
}

impl Stub {
    pub(crate) fn new(says: Says) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(says), asked: AtomicUsize::new(0) })
    }

    fn now_says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolve for Stub {
    fn resolve(&self, _name: Arc<str>) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let says = self.says.lock().unwrap().clone();
        async move {
            match says {
                Says::Addresses(addresses) => Ok(addresses),
                Says::Nobody => Err(io::ErrorKind::NotFound.into()),
                Says::Silence => std::future::pending().await,
            }
        }
        .boxed()
    }
}

fn names(says: Says) -> (Arc<Stub>, Arc<Names>) {
    let stub = Stub::new(says);
    let names = Arc::new(Names::new(Arc::clone(&stub) as Arc<dyn Resolve>));
    (stub, names)
}

fn one() -> Says {
    Says::these(&["10.0.0.1"])
}

#[tokio::test(start_paused = true)]
async fn a_silent_resolver_costs_its_budget_and_no_more() {
    let (stub, names) = names(Says::Silence);
    let begun = Instant::now();
    assert_eq!(names.find("gp.test").await, Err(FaultClass::Dns));
    assert_eq!(begun.elapsed(), LONGEST_WAIT);
    // One question for each name, however many ask.
    assert_eq!(names.find("gp.test").await, Err(FaultClass::Dns));
    assert_eq!(stub.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn addresses_of_the_last_hour_stand_in_for_a_silent_resolver() {
    let (stub, names) = names(one());
    let found = names.find("gp.test").await.unwrap();
    stub.now_says(Says::Silence);
    let begun = Instant::now();
    assert_eq!(names.find("gp.test").await, Ok(found));
    assert_eq!(begun.elapsed(), NEWS_WAIT);
    advance(LAST_KNOWN).await;
    assert_eq!(names.find("gp.test").await, Err(FaultClass::Dns));
}

#[tokio::test(start_paused = true)]
async fn newer_addresses_are_used_at_once() {
    let (stub, names) = names(one());
    names.find("gp.test").await.unwrap();
    stub.now_says(Says::these(&["10.0.0.2"]));
    assert_eq!(names.find("gp.test").await.unwrap().to_vec(), ["10.0.0.2".parse::<IpAddr>().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_there_is_not_asked_for_again_for_a_while() {
    let (stub, names) = names(Says::Nobody);
    for _ in 0..3 {
        assert_eq!(names.find("gp.test").await, Err(FaultClass::Dns));
    }
    assert_eq!(stub.asked(), 1);
    stub.now_says(one());
    advance(NEGATIVE + Duration::from_millis(1)).await;
    assert!(names.find("gp.test").await.is_ok());
    assert_eq!(stub.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_silent_names_hold_a_bounded_number_of_threads_and_spare_the_known() {
    let (stub, names) = names(one());
    names.find("healthy.test").await.unwrap();
    stub.now_says(Says::Silence);
    let silent = (0..100).map(|number| {
        let names = Arc::clone(&names);
        async move { names.find(&format!("gp-{number}.test")).await }
    });
    for ended in futures_util::future::join_all(silent).await {
        assert_eq!(ended, Err(FaultClass::Dns));
    }
    assert_eq!(stub.asked(), 1 + MOST_LOOK_UPS);
    assert!(names.find("healthy.test").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn memory_of_names_is_bounded() {
    let (_, names) = names(Says::Nobody);
    for number in 0..MOST_NAMES + 10 {
        names.find(&number.to_string()).await.unwrap_err();
    }
    assert!(names.known().len() <= MOST_NAMES);
}
