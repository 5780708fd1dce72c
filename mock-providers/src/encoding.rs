//! How a healthy reply is packed for the wire.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::wire::{Framing, Reply, Request};

/// Longer bodies are sent in chunks, so that clients meet both framings.
const CHUNKED_FROM: usize = 32 * 1024;

/// The reply, compressed if the client takes gzip, and in chunks if it is long.
pub(crate) fn packed(mut reply: Reply, request: &Request) -> Reply {
    let accepted = request.header("accept-encoding").unwrap_or_default();
    let takes_gzip = accepted.split(',').any(|one| {
        let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
        coding.trim().eq_ignore_ascii_case("gzip") && weight.trim() != "q=0"
    });
    if takes_gzip
        && reply.status == 200
        && let Some(body) = gzip(&reply.body)
    {
        reply = Reply { body, ..reply.with("Content-Encoding", "gzip") };
    }
    if reply.body.len() >= CHUNKED_FROM {
        reply.framing = Framing::Chunked;
    }
    reply
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}
