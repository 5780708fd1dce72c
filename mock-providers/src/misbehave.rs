//! Carries a fault out on the wire.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::distort;
use crate::fault::{ErrorBody, Fault};
use crate::outcome::{Dialect, Refusal};
use crate::wire::{Connection, Keep, Reply};

/// What a fault needs to know of the request.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) dialect: Dialect,
    pub(crate) nhs_number: Option<String>,
}

/// Answers with a fault. Faults of the connection are done here, faults of the content by
/// [`distort::distorted`].
pub(crate) async fn perform(
    connection: &mut Connection,
    reply: Reply,
    fault: Fault,
    circumstances: &Circumstances,
) -> io::Result<Keep> {
    match fault {
        Fault::Delay { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            keep(connection.send(&reply).await)
        }
        Fault::HangBeforeHead => {
            connection.until_closed().await;
            Ok(Keep::Close)
        }
        Fault::HangMidBody => {
            half(connection, &reply).await?;
            connection.until_closed().await;
            Ok(Keep::Close)
        }
        Fault::SlowDrip { bytes_per_second } => drip(connection, &reply, bytes_per_second).await,
        Fault::Reset => {
            half(connection, &reply).await?;
            connection.stream.set_zero_linger()?;
            Ok(Keep::Close)
        }
        Fault::ShortBody => {
            half(connection, &reply).await?;
            connection.stream.shutdown().await?;
            Ok(Keep::Close)
        }
        // The listener is gone already; a request that was under way is dropped.
        Fault::Refuse => Ok(Keep::Close),
        Fault::Status { status, body, spine_code, retry_after_secs } => {
            let reply = failure(status, body, spine_code.as_deref(), circumstances.dialect);
            let reply = match retry_after_secs {
                Some(seconds) => reply.with("Retry-After", seconds.to_string()),
                None => reply,
            };
            keep(connection.send(&reply).await)
        }
        Fault::Redirect { location } => {
            let reply = Reply::typed(302, "text/html", "").with("Location", location);
            keep(connection.send(&reply).await)
        }
        Fault::GzipBomb { megabytes } => {
            let body = tokio::task::spawn_blocking(move || distort::bomb(megabytes))
                .await
                .map_err(io::Error::other)??;
            let reply = Reply::fhir(200, body).with("Content-Encoding", "gzip");
            keep(connection.send(&reply).await)
        }
        Fault::OutcomeInOk { .. }
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
        | Fault::DisabledAreas { .. } => {
            let reply = distort::distorted(reply, &fault, circumstances);
            keep(connection.send(&reply).await)
        }
    }
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

/// The head that announces the whole body, and the first half of the body.
async fn half(connection: &mut Connection, reply: &Reply) -> io::Result<()> {
    let (first, _) = reply.body.split_at(reply.body.len() / 2);
    let mut bytes = reply.head(reply.body.len());
    bytes.extend_from_slice(first);
    connection.stream.write_all(&bytes).await?;
    connection.stream.flush().await
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
