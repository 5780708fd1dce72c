//! One row of the table, and how rows are played.

use std::any::Any;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::answer::{Expected, check};

/// How many rows are played at once: two processors, and most rows wait most of the time.
const AT_ONCE: u32 = 4;
/// Characters that are told of what is broken.
const MOST_TOLD: usize = 1_200;
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE as usize);

/// What came of a row that broke nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// What was promised held.
    Held,
    /// This machine lacks something.
    NotRun(&'static str),
}

/// A play of a row's own. It stops where a promise is broken.
pub(crate) type Play = Pin<Box<dyn Future<Output = Played> + Send>>;

/// What is done for a row.
#[derive(Debug)]
pub(crate) enum Act {
    /// One source has a fault, and one record is asked for.
    Source(Box<Expected>),
    /// A play of its own.
    Own(fn() -> Play),
}

/// One fault.
#[derive(Debug)]
pub(crate) struct Row {
    /// `F01`, …: the same everywhere it is spoken of.
    pub(crate) id: &'static str,
    /// The fault in words.
    pub(crate) fault: &'static str,
    /// Whether it measures what a busy machine would blur, or makes it busy.
    pub(crate) is_alone: bool,
    /// What is done.
    pub(crate) act: Act,
}

impl Row {
    /// A fault of one source.
    pub(crate) fn source(id: &'static str, fault: &'static str, expected: Expected) -> Self {
        Self { id, fault, is_alone: false, act: Act::Source(Box::new(expected)) }
    }

    /// A play of its own.
    pub(crate) fn own(id: &'static str, fault: &'static str, play: fn() -> Play) -> Self {
        Self { id, fault, is_alone: false, act: Act::Own(play) }
    }

    /// The same row, played while no other is.
    pub(crate) fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }
}

fn is_wanted(row: &Row) -> bool {
    std::env::var("CHAOS_ONLY").map_or(true, |only| only.split(',').any(|id| id == row.id))
}

/// Plays rows, a few at a time, and tells all that failed.
pub(crate) async fn play(rows: Vec<Row>) {
    let mut playing = JoinSet::new();
    for row in rows.into_iter().filter(is_wanted) {
        playing.spawn(async move {
            let places = if row.is_alone { AT_ONCE } else { 1 };
            let _place = PLACES.acquire_many(places).await.unwrap();
            let (id, fault) = (row.id, row.fault);
            let ended = tokio::spawn(async move {
                match row.act {
                    Act::Source(expected) => check(*expected).await,
                    Act::Own(play) => play().await,
                }
            });
            (id, fault, ended.await)
        });
    }
    let mut broken = String::new();
    while let Some(ended) = playing.join_next().await {
        let (id, fault, ended) = ended.unwrap();
        match ended {
            Ok(Played::Held) => {}
            Ok(Played::NotRun(reason)) => println!("NOT RUN: {id} {fault}: {reason}"),
            Err(error) => {
                let told = error.try_into_panic().map_or_else(|error| error.to_string(), words);
                write!(broken, "\n{id} {fault}: {told}").unwrap();
            }
        }
    }
    assert!(broken.is_empty(), "{broken}");
}

fn words(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast::<String>().map(|text| *text);
    let text = text.or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()));
    // Whole answers are long.
    text.unwrap_or_default().chars().take(MOST_TOLD).collect()
}
