//! Carries a fault out on the wire.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::distort;
use crate::fault::{ErrorBody, Fault, TELLTALE};
use crate::outcome::{Dialect, Refusal};
use crate::wire::{Connection, Keep, Reply};

/// No more hints than this.
const MAX_HINTS: u32 = 1_000;
const HINT: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
/// Length of the chunks of a body that never ends.
const BLANK_BYTES: usize = 64 * 1024;

/// What a fault needs to know of the request.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) dialect: Dialect,
    pub(crate) nhs_number: Option<String>,
}

/// Answers with a fault. Faults of the connection are done here, whole replies by [`replaced`].
pub(crate) async fn perform(
    connection: &mut Connection,
    reply: Reply,
    fault: Fault,
    circumstances: &Circumstances,
) -> io::Result<Keep> {
    match fault {
        Fault::Delay { ms } => delayed(connection, &reply, Duration::from_millis(ms)).await,
        Fault::HangBeforeHead => silent(connection, &[]).await,
        Fault::HangMidBody => silent(connection, &half(&reply)).await,
        Fault::LyingLength { bytes } => silent(connection, &reply.head_announcing(bytes)).await,
        Fault::SlowDrip { bytes_per_second } => drip(connection, &reply, bytes_per_second).await,
        Fault::EndlessChunks => endless(connection, &reply).await,
        Fault::Reset => {
            connection.write(&half(&reply)).await?;
            connection.stream.set_zero_linger()?;
            Ok(Keep::Close)
        }
        Fault::ShortBody => {
            connection.write(&half(&reply)).await?;
            connection.stream.shutdown().await?;
            Ok(Keep::Close)
        }
        Fault::Informational { count } => {
            let hints = HINT.repeat(usize::try_from(count.min(MAX_HINTS)).unwrap_or_default());
            connection.write(&hints).await?;
            keep(connection.send(&reply).await)
        }
        // The listener is gone already; a request that was under way is dropped.
        Fault::Refuse => Ok(Keep::Close),
        Fault::Status { .. }
        | Fault::Redirect { .. }
        | Fault::GzipBomb { .. }
        | Fault::Telltale { .. }
        | Fault::OutcomeInOk { .. }
        | Fault::TruncatedJson
        | Fault::WrongContentType
        | Fault::HugeBody { .. }
        | Fault::DeepNesting { .. }
        | Fault::DuplicateKeys
        | Fault::WrongPatient
        | Fault::MixedPatients
        | Fault::TwoPatients
        | Fault::OtherDetails { .. }
        | Fault::Dstu2
        | Fault::InvalidUtf8
        | Fault::EmptyBody
        | Fault::ManyHeaders { .. }
        | Fault::PartialContent
        | Fault::WrongCoding { .. }
        | Fault::StrayHeaders
        | Fault::TrailingDocument
        | Fault::Xml
        | Fault::ManyEntries { .. }
        | Fault::BadText { .. }
        | Fault::WithoutPatient
        | Fault::BadCheckDigit
        // The system was asked for the other one: nothing is left to do.
        | Fault::AnswerOf { .. }
        | Fault::DisabledAreas { .. } => {
            let reply = replaced(reply, fault, circumstances).await?;
            keep(connection.send(&reply).await)
        }
    }
}

/// The whole reply that stands in for the right one.
async fn replaced(reply: Reply, fault: Fault, circumstances: &Circumstances) -> io::Result<Reply> {
    if let Fault::Status { status, body, spine_code, retry_after_secs } = fault {
        let reply = failure(status, body, spine_code.as_deref(), circumstances.dialect);
        return Ok(match retry_after_secs {
            Some(seconds) => reply.with("Retry-After", seconds.to_string()),
            None => reply,
        });
    }
    if let Fault::Redirect { location } = fault {
        return Ok(Reply::typed(302, "text/html", "").with("Location", location));
    }
    if let Fault::Telltale { status } = fault {
        return Ok(talkative(status, circumstances));
    }
    if let Fault::GzipBomb { megabytes } = fault {
        let packed = tokio::task::spawn_blocking(move || distort::bomb(megabytes)).await;
        let body = packed.map_err(io::Error::other)??;
        return Ok(Reply::fhir(200, body).with("Content-Encoding", "gzip"));
    }
    Ok(distort::distorted(reply, &fault, circumstances))
}

async fn delayed(connection: &mut Connection, reply: &Reply, delay: Duration) -> io::Result<Keep> {
    tokio::select! {
        () = tokio::time::sleep(delay) => keep(connection.send(reply).await),
        () = connection.abandoned() => Ok(Keep::Close),
    }
}

/// Sends so much, and nothing more for as long as the caller waits.
async fn silent(connection: &mut Connection, bytes: &[u8]) -> io::Result<Keep> {
    connection.write(bytes).await?;
    connection.until_closed().await;
    Ok(Keep::Close)
}

fn keep(sent: io::Result<()>) -> io::Result<Keep> {
    sent.map(|()| Keep::Alive)
}

fn failure(status: u16, body: ErrorBody, spine_code: Option<&str>, dialect: Dialect) -> Reply {
    match body {
        ErrorBody::Outcome => Refusal::of_status(status, spine_code).reply(dialect),
        ErrorBody::Empty => Reply::typed(status, "text/plain", ""),
        ErrorBody::Html => {
            let page = format!("<html><body><h1>{status}</h1></body></html>");
            Reply::typed(status, "text/html", page)
        }
    }
}

/// An error as GP Connect's own examples have it: with a stack trace, and here with the patient too.
fn talkative(status: u16, circumstances: &Circumstances) -> Reply {
    let number = circumstances.nhs_number.as_deref().unwrap_or_default();
    let diagnostics = format!(
        "{TELLTALE}: java.lang.NullPointerException at uk.example.gp.Record.load(Record.java:231); patient {number}"
    );
    Refusal::new(status, "INTERNAL_SERVER_ERROR", diagnostics).reply(circumstances.dialect)
}

/// The beginning of a Bundle, and then white space for as long as anybody reads.
async fn endless(connection: &mut Connection, reply: &Reply) -> io::Result<Keep> {
    let length = format!("{BLANK_BYTES:x}\r\n");
    let blank = [length.as_bytes(), &vec![b' '; BLANK_BYTES], b"\r\n"].concat();
    connection.stream.write_all(&reply.chunked_head()).await?;
    connection.stream.write_all(b"1\r\n{\r\n").await?;
    loop {
        connection.stream.write_all(&blank).await?;
    }
}

/// The head that announces the whole body, and the first half of the body.
fn half(reply: &Reply) -> Vec<u8> {
    let (first, _) = reply.body.split_at(reply.body.len() / 2);
    [reply.head(reply.body.len()).as_slice(), first].concat()
}

async fn drip(connection: &mut Connection, reply: &Reply, bytes_per_second: u32) -> io::Result<Keep> {
    const DROPS_PER_SECOND: u32 = 10;
    let drop = usize::try_from(bytes_per_second / DROPS_PER_SECOND).unwrap_or(1).max(1);
    let pause = Duration::from_secs(1) / bytes_per_second.clamp(1, DROPS_PER_SECOND);
    connection.stream.write_all(&reply.head(reply.body.len())).await?;
    for bytes in reply.body.chunks(drop) {
        connection.stream.write_all(bytes).await?;
        connection.stream.flush().await?;
        tokio::time::sleep(pause).await;
    }
    Ok(Keep::Alive)
}
