//! `tributary witness`: cosigns the checkpoints of other people's audit logs (C2SP tlog-witness).
//!
//! What crosses the network is signed hashes, which tell nothing of any record: plain HTTP on any address will do.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tributary_audit::{VerifyingKey, Witness, WitnessAnswer};
use tributary_model::SystemClock;

use super::serve::stop_signal;
use super::{Done, say};
use crate::witnessing;

/// Connections at once; a log has one.
const MOST_CONNECTIONS: usize = 64;
/// A request is a few kilobytes, and answered after one sync.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// A connection that lives longer than this is closed: logs come again.
const CONNECTION_TIME: Duration = Duration::from_mins(5);

/// Arguments of `witness`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where the last checkpoint of each log is kept. Whoever puts it back to an older state has no witness.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// File of the witness's key, made by `tributary audit keygen --witness`.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The public key of a log. May be given again.
    #[arg(long, value_name = "KEY", required = true, value_parser = VerifyingKey::parse)]
    log: Vec<VerifyingKey>,
}

pub(super) async fn run(arguments: Arguments) -> Done {
    let Arguments { dir, key_file, listen, log } = arguments;
    let key = witnessing::key(&key_file)?;
    let public = key.public().to_string();
    let witness = Arc::new(Witness::open(&dir, key, log, Arc::new(SystemClock))?);
    let stopped = stop_signal()?;
    let listener = TcpListener::bind(listen).await?;
    say(format_args!("witness  http://{}", listener.local_addr()?));
    say(format_args!("key      {public}"));
    tokio::select! {
        () = stopped => {}
        () = accept(listener, witness) => {}
    }
    Ok(0)
}

async fn accept(listener: TcpListener, witness: Arc<Witness>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _peer)) = listener.accept().await else {
            // Out of file descriptors, most likely: others close theirs.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let witness = Arc::clone(&witness);
        tokio::spawn(async move {
            let _place = place;
            // How a connection ends is the log's affair.
            drop(tokio::time::timeout(CONNECTION_TIME, serve(stream, witness)).await);
        });
    }
}

async fn serve(stream: TcpStream, witness: Arc<Witness>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let witness = Arc::clone(&witness);
        async move { Ok::<_, Infallible>(answer(request, witness).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: Request<Incoming>, witness: Arc<Witness>) -> Response<Full<Bytes>> {
    let is_there = request.uri().path() == "/add-checkpoint";
    if !is_there || request.method() != Method::POST {
        return respond(if is_there { 405 } else { 404 }, "text/plain; charset=utf-8", String::new());
    }
    let body = Limited::new(request.into_body(), Witness::MAX_REQUEST).collect();
    let Ok(Ok(body)) = tokio::time::timeout(REQUEST_TIME, body).await else {
        return respond(400, "text/plain; charset=utf-8", String::new());
    };
    let body = body.to_bytes();
    let answer = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    let answer = answer.unwrap_or(WitnessAnswer::Unavailable);
    let (media_type, body) = answer.body();
    respond(answer.status(), media_type, body)
}

fn respond(status: u16, media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(media_type));
    response
}
