//! Records that grow while there is hardly any memory left: whoever was let in comes to the end.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, advance};
use tributary_broker::{Moment, RecordStream, Refusal, Stage};
use tributary_model::{Lease, MemoryBudget, StreamId};

use crate::growing::{begun, next, says, shown, slow};
use crate::kit::{Bench, Does, Source, request, settle, source};

const SECOND: Duration = Duration::from_secs(1);
/// What is expected of one source that has not answered yet.
const ONE: u64 = 64 << 10;

/// A stream that has shown what is there at once: one of two sources is silent for a second, the other for two.
async fn waiting(memory: &MemoryBudget) -> (Bench, RecordStream) {
    let sources = vec![source("gp", Does::Answers), slow("acute", SECOND), slow("other", SECOND * 2)];
    let bench = Bench::with_memory(memory, sources);
    let mut stream = begun(&bench, request()).await;
    while !says(&shown(&mut stream).await, "gp") {}
    (bench, stream)
}

#[tokio::test(start_paused = true)]
async fn between_its_states_a_stream_holds_what_is_for_the_awaited() {
    let memory = MemoryBudget::new(4 << 20);
    let (_bench, mut stream) = waiting(&memory).await;
    assert_eq!(memory.taken(), 2 * ONE, "nothing for work that is done");
    while !says(&shown(&mut stream).await, "acute") {}
    assert_eq!(memory.taken(), ONE);
    let last = shown(&mut stream).await;
    assert!(last.is_last && memory.taken() == last.lease.bytes());
    drop(last);
    assert_eq!(memory.taken(), 0);
}

/// The same once it is known that these sources send little: what is kept free for them would not do to make a state.
async fn waiting_for_little(memory: &MemoryBudget) -> (Bench, RecordStream) {
    let at_first = |last| vec![Does::Answers; 60].into_iter().chain([last]).collect();
    let of = |id, last| Source { does: at_first(last), ..source(id, last) };
    let sources = vec![
        source("gp", Does::Answers),
        of("acute", Does::AnswersAfter(SECOND)),
        of("other", Does::AnswersAfter(SECOND * 2)),
    ];
    let bench = Bench::with_memory(memory, sources);
    for _ in 0..60 {
        bench.asks(request()).await.unwrap().unwrap();
    }
    let mut stream = begun(&bench, request()).await;
    while !says(&shown(&mut stream).await, "gp") {}
    (bench, stream)
}

/// The next state while others hold all memory there is, also what comes free, for so long.
async fn next_beside_others(
    stream: &mut RecordStream,
    memory: &MemoryBudget,
    long: Duration,
) -> Option<Result<Moment, Refusal>> {
    let (began, mut others) = (Instant::now(), Lease::default());
    let mut coming = std::pin::pin!(stream.next());
    while began.elapsed() < SECOND * 60 {
        if began.elapsed() < long {
            others.absorb(memory.take(memory.most() - memory.taken()).unwrap());
        } else {
            others = Lease::default();
        }
        settle().await;
        if let std::task::Poll::Ready(moment) = futures_util::poll!(coming.as_mut()) {
            return moment;
        }
        std::thread::yield_now();
        advance(Duration::from_millis(5)).await;
    }
    panic!("nothing came in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_state_waits_for_memory_and_holds_what_came_meanwhile() {
    let memory = MemoryBudget::new(4 << 20);
    let (bench, mut stream) = waiting_for_little(&memory).await;
    let began = Instant::now();
    let moment = next_beside_others(&mut stream, &memory, SECOND * 3).await.unwrap().unwrap();
    assert!(began.elapsed() >= SECOND * 3, "{:?}", began.elapsed());
    assert!(says(&moment, "acute") && says(&moment, "other"), "one state for both");
    assert_eq!((moment.stage, moment.is_last), (Stage::Complete, true));
    assert!(bench.metrics.render().contains("tributary_shed_total{reason=\"memory\"} 0"));
}

#[tokio::test(start_paused = true)]
async fn who_never_finds_memory_is_told_so() {
    let memory = MemoryBudget::new(4 << 20);
    let (_bench, mut stream) = waiting_for_little(&memory).await;
    let moment = next_beside_others(&mut stream, &memory, SECOND * 60).await;
    assert!(matches!(moment, Some(Err(Refusal::Overloaded(_)))));
    assert!(next(&mut stream).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn as_many_as_are_let_in_come_to_their_end() {
    let memory = MemoryBudget::new(4 << 20);
    let sources = vec![source("gp", Does::Answers), slow("acute", SECOND * 3)];
    let bench = Bench::with_memory(&memory, sources);
    let mut streams = Vec::new();
    let refusal = loop {
        match bench.broker.stream(request(), (StreamId::random(), None)).await {
            Ok(stream) => streams.push(stream),
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, Refusal::Overloaded(_)), "{refusal:?}");
    let most = usize::try_from((memory.most() - memory.most() / 8) / (2 * ONE)).unwrap();
    assert_eq!(streams.len(), most, "the last eighth is for the work of those who were let in");
    let ends = join_all(
        streams.into_iter().map(|mut stream| async move { while !shown(&mut stream).await.is_last {} }),
    );
    ends.await;
    settle().await;
    assert_eq!(memory.taken(), 0);
    assert!(bench.is_quiet());
}
