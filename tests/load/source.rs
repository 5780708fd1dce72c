//! The sources alone: raw sockets that answer with prepared bytes, or misbehave, and do nothing else.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::pause;
use crate::wire::{Connection, Message};

/// A patient's number in a prepared answer; the one that was asked for takes its place.
pub(crate) const NUMBER: &str = crate::record::NHS_NUMBER;
/// Pause between two bytes of a source that drips.
const DRIP: Duration = Duration::from_millis(50);
/// What a flood is made of.
static FLOOD: [u8; 64 << 10] = [b' '; 64 << 10];

/// How a source takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It answers.
    Answers,
    /// It takes the request, and says nothing.
    Hangs,
    /// It sends a head, and a byte now and then.
    Drips,
    /// It sends without end, as fast as it can.
    Floods,
}

const MANNERS: [Manner; 4] = [Manner::Answers, Manner::Hangs, Manner::Drips, Manner::Floods];

/// One prepared answer.
#[derive(Clone, Debug)]
struct Prepared {
    /// What the path of the request ends in.
    ending: &'static str,
    bytes: Arc<[u8]>,
    /// Where the patient's number stands.
    numbers: Arc<[usize]>,
    /// Whether it comes after the source's wait.
    is_awaited: bool,
}

/// A source that is yet to be given its answers; its address is known.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    /// Where it will listen.
    pub(crate) address: SocketAddr,
    answers: Vec<Prepared>,
}

/// A running source: one thread for each connection, until the process ends.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    answers: Vec<Prepared>,
    wait_us: AtomicU64,
    manner: AtomicU8,
    opened: AtomicU64,
    asked: AtomicU64,
}

impl Bound {
    /// Takes an address.
    pub(crate) fn new() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, answers: Vec::new() })
    }

    /// Answers requests whose path ends so with this body: at once, or after the source's wait.
    #[must_use]
    pub(crate) fn answer(mut self, ending: &'static str, body: &str, is_awaited: bool) -> Self {
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nCache-Control: no-store\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let numbers = text.match_indices(NUMBER).map(|(at, _)| at).collect();
        self.answers.push(Prepared { ending, bytes: text.into_bytes().into(), numbers, is_awaited });
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Source {
        let Self { listener, address, answers } = self;
        let state = Arc::new(State {
            answers,
            wait_us: AtomicU64::new(0),
            manner: AtomicU8::new(0),
            opened: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.opened.fetch_add(1, Ordering::Relaxed);
                let state = Arc::clone(&shared);
                // A broken connection is noticed by whoever waits at its other end.
                thread::spawn(move || Connection::over(stream).and_then(|kept| serve(kept, &state)));
            }
        });
        Source { address, state }
    }
}

impl Source {
    /// How long it takes from now on before it answers.
    pub(crate) fn wait(&self, wait: Duration) {
        self.state.wait_us.store(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How it takes part from now on.
    pub(crate) fn behave(&self, manner: Manner) {
        let place = MANNERS.iter().position(|one| *one == manner).unwrap_or_default();
        self.state.manner.store(u8::try_from(place).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Connections accepted so far.
    pub(crate) fn opened(&self) -> u64 {
        self.state.opened.load(Ordering::Relaxed)
    }

    /// Requests received so far.
    pub(crate) fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::Relaxed)
    }
}

fn serve(connection: Connection, state: &State) -> io::Result<()> {
    let mut connection = connection.patient()?;
    // A copy of what has the patient's number in it: each request writes its own there.
    let mut own: Vec<Vec<u8>> = state.answers.iter().map(|_| Vec::new()).collect();
    loop {
        let Some(message) = connection.receive()? else { return Ok(()) };
        state.asked.fetch_add(1, Ordering::Relaxed);
        let path = message.head.split(' ').nth(1).unwrap_or_default();
        let Some(at) = state.answers.iter().position(|one| path.ends_with(one.ending)) else {
            connection.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let Some(prepared) = state.answers.get(at) else { continue };
        let number = number_in(&message).map(<[u8; 10]>::to_owned);
        let place = usize::from(state.manner.load(Ordering::Relaxed));
        let manner = MANNERS.get(place).copied().unwrap_or(Manner::Answers);
        if manner != Manner::Answers {
            return misbehave(connection, manner);
        }
        if prepared.is_awaited {
            pause(Duration::from_micros(state.wait_us.load(Ordering::Relaxed)));
        }
        match (number, own.get_mut(at)) {
            (Some(number), Some(copy)) if !prepared.numbers.is_empty() => {
                if copy.is_empty() {
                    copy.extend_from_slice(&prepared.bytes);
                }
                for place in prepared.numbers.iter() {
                    if let Some(slot) = copy.get_mut(*place..*place + number.len()) {
                        slot.copy_from_slice(&number);
                    }
                }
                connection.send(copy)?;
            }
            _ => connection.send(&prepared.bytes)?,
        }
    }
}

/// The ten digits that a request names its patient by. All our patients' begin with 999.
fn number_in<'m>(message: &Message<'m>) -> Option<&'m [u8; 10]> {
    let windows = message.body.windows(10);
    let mut digits =
        windows.filter(|window| window.starts_with(b"999") && window.iter().all(u8::is_ascii_digit));
    digits.next()?.try_into().ok()
}

fn misbehave(connection: Connection, manner: Manner) -> io::Result<()> {
    let mut stream = connection.into_stream();
    match manner {
        Manner::Answers => Ok(()),
        // Until the other side has had enough.
        Manner::Hangs => io::copy(&mut stream, &mut io::sink()).map(drop),
        Manner::Drips => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 50000\r\n\r\n{",
            )?;
            loop {
                pause(DRIP);
                stream.write_all(b" ")?;
            }
        }
        Manner::Floods => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n",
            )?;
            loop {
                stream.write_all(b"10000\r\n")?;
                stream.write_all(&FLOOD)?;
                stream.write_all(b"\r\n")?;
            }
        }
    }
}
