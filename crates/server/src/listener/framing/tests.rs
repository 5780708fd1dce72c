use super::super::head::Bounds;
use super::*;

const BOUNDS: Bounds = Bounds { head: 16 << 10, fields: 64, target: 2 << 10 };

/// What comes of some bytes, given in pieces of this size: heads passed, bytes handed on, and how it ended.
fn follow(bytes: &[u8], piece: usize) -> (usize, Vec<u8>, String) {
    let mut framing = Framing::new(BOUNDS);
    let (mut heads, mut on, mut held) = (0, Vec::new(), Vec::new());
    for part in bytes.chunks(piece) {
        held.extend_from_slice(part);
        loop {
            let size = match framing.step(&held) {
                Step::Wait => break,
                Step::Skip(size) => size,
                Step::Head(size) => {
                    heads += 1;
                    on.extend_from_slice(&held[..size]);
                    size
                }
                Step::Body(size) => {
                    on.extend_from_slice(&held[..size]);
                    size
                }
                Step::Refused(refused) => return (heads, on, refused.problem.status.as_str().to_owned()),
                Step::Broken => return (heads, on, "broken".to_owned()),
            };
            held.drain(..size);
        }
    }
    (heads, on, "open".to_owned())
}

#[track_caller]
fn check(text: &str, heads: usize, ends: &str) {
    for piece in [1, 2, 7, text.len().max(1)] {
        let (found, on, end) = follow(text.as_bytes(), piece);
        assert_eq!((found, end.as_str()), (heads, ends), "{text:?} in pieces of {piece}");
        if ends == "open" {
            assert!(text.ends_with(std::str::from_utf8(&on).unwrap()) || heads > 0);
        }
    }
}

#[test]
fn requests_are_told_apart_in_whatever_pieces_they_come() {
    let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    check(get, 1, "open");
    check(&get.repeat(3), 3, "open");
    check(&format!("\r\n{get}\r\n{get}"), 2, "open");
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\nhost:a\r\n\r\n",
        2,
        "open",
    );
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00A;x=y\r\n0123456789\r\n0\r\n\r\n";
    check(&format!("{chunks}{get}"), 2, "open");
    check("GET /\t HTTP/1.1\r\n", 0, "400");
    check("\r\n\r\n", 0, "400");
    check("\r\nGET", 0, "open");
}

#[test]
fn a_dripped_head_is_not_read_again_and_again() {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nx: ".to_vec();
    head.resize(16 << 10, b'y');
    let mut framing = Framing::new(BOUNDS);
    for end in 1..head.len() {
        assert!(matches!(framing.step(&head[..end]), Step::Wait));
        let Place::Head { seen, .. } = &framing.place else { unreachable!() };
        assert!(*seen + 1 >= end);
    }
    assert!(matches!(framing.step(&head), Step::Wait));
    head.push(b'y');
    let Step::Refused(refused) = framing.step(&head) else { unreachable!() };
    assert_eq!(refused.problem.status, 431);
}

mod against_hyper {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Fragments that heads are made of, good and bad.
    const WORDS: &[&str] = &[
        "GET /a HTTP/1.1\r\n",
        "POST /b HTTP/1.1\r\n",
        "POST /c HTTP/1.0\r\n",
        "DELETE /d HTTP/1.1\r\n",
        "Host: a\r\n",
        "host:b\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 05\r\n",
        "content-length:5 \r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding:\tCHUNKED \r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "x: y\r\n",
        "x: \u{e9}\r\n",
        " folded\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "Expect: 100-continue\r\n",
        "\r\n",
        "\n",
        "\r",
        "\0",
        "abcde",
        "5\r\nabcde\r\n",
        "5;e=1\r\nabcde\r\n",
        "0\r\n\r\n",
        "0\r\nx: y\r\n\r\n",
        "5\nabcde\r\n",
        "GET",
        " ",
        ":",
        "/",
        "GET http://a/ HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "OPTIONS * HTTP/1.1\r\n",
    ];

    /// Whole requests, so that much passes, with something put in, taken out or changed.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let get = "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n".to_owned();
        let post = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde".to_owned();
        let chunked =
            "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
                .to_owned();
        let word = proptest::sample::select(WORDS).prop_map(str::to_owned);
        let piece = prop_oneof![2 => Just(get), 2 => Just(post), 2 => Just(chunked), 3 => word];
        let edits = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0_u8..4), 0..4);
        (proptest::collection::vec(piece, 1..8), edits).prop_map(|(pieces, edits)| {
            let mut bytes = pieces.concat().into_bytes();
            for (at, byte, deed) in edits {
                let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
                match deed {
                    0 if !bytes.is_empty() => drop(bytes.remove(at)),
                    1 => bytes.insert(at, byte),
                    2 if !bytes.is_empty() => bytes[at] = byte,
                    _ => bytes.truncate(at.max(1)),
                }
            }
            bytes
        })
    }

    /// The bodies of the requests that hyper reads in these bytes: whole ones only.
    async fn read_by_hyper(bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let told = Arc::clone(&told);
            async move {
                if let Ok(body) = request.into_body().collect().await {
                    told.lock().unwrap().push(body.to_bytes().to_vec());
                }
                Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::new())))
            }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        let talk = builder.half_close(true).serve_connection(TokioIo::new(theirs), service);
        let talk = tokio::spawn(talk);
        let (mut reader, mut writer) = tokio::io::split(ours);
        writer.write_all(&bytes).await.unwrap();
        writer.shutdown().await.unwrap();
        let mut answers = Vec::new();
        drop(reader.read_to_end(&mut answers).await);
        drop(talk.await);
        Arc::into_inner(seen).unwrap().into_inner().unwrap()
    }

    /// The bodies as we tell them apart, of what passes.
    fn read_by_us(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>, bool) {
        let mut framing = Framing::new(BOUNDS);
        let (mut bodies, mut passed, mut rest) = (Vec::<Vec<u8>>::new(), Vec::new(), bytes);
        loop {
            let is_data = matches!(framing.place, Place::Sized(_) | Place::Chunk(_));
            let size = match framing.step(rest) {
                Step::Wait | Step::Refused(_) | Step::Broken => break,
                Step::Skip(size) => {
                    rest = &rest[size..];
                    continue;
                }
                Step::Head(size) => {
                    bodies.push(Vec::new());
                    size
                }
                Step::Body(size) => {
                    if is_data {
                        bodies.last_mut().unwrap().extend_from_slice(&rest[..size]);
                    }
                    size
                }
            };
            passed.extend_from_slice(&rest[..size]);
            rest = &rest[size..];
        }
        let is_whole = framing.is_before_a_body();
        (bodies, passed, is_whole)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

        /// What passes, hyper takes apart exactly as we do: as many requests, with the same bodies. What it
        /// refuses beyond that, it refuses; nothing is a request to it that is none to us.
        #[test]
        fn what_passes_is_read_alike(bytes in bytes()) {
            let (mut ours, passed, is_whole) = read_by_us(&bytes);
            if !is_whole {
                ours.pop();
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let theirs = runtime.block_on(read_by_hyper(passed.clone()));
            // It stops where a request asks to close; up to there nothing differs.
            let text = String::from_utf8_lossy(&passed);
            let may_stop = text.contains("close") || text.contains("HTTP/1.0");
            prop_assert!(ours.starts_with(&theirs), "{text:?}: {ours:?} {theirs:?}");
            prop_assert!(may_stop || ours.len() == theirs.len(), "{text:?}: {ours:?} {theirs:?}");
        }
    }
}
