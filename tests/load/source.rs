//! The GP system alone: answers every request with one prepared record, and does nothing else.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::pause;
use crate::wire::Connection;

/// A running server: one thread for each connection, until the process ends.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    opened: Arc<AtomicU64>,
}

impl Source {
    /// Starts it. Every answer carries this body, after this wait.
    pub(crate) fn start(body: &str, wait: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let answer: Arc<[u8]> = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nCache-Control: no-store\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
        .into();
        let opened = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&opened);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                let answer = Arc::clone(&answer);
                // A broken connection is noticed by whoever waits at its other end.
                thread::spawn(move || Connection::over(stream).and_then(|kept| serve(kept, &answer, wait)));
            }
        });
        Ok(Self { address, opened })
    }

    /// Connections accepted so far.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

fn serve(connection: Connection, answer: &[u8], wait: Duration) -> io::Result<()> {
    let mut connection = connection.patient()?;
    while connection.receive()?.is_some() {
        if !wait.is_zero() {
            pause(wait);
        }
        connection.send(answer)?;
    }
    Ok(())
}
