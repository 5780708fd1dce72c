//! Answers in gzip, for callers who take it: a record of a megabyte is a tenth of one on a phone.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Request, header};
use tower::ServiceExt as _;

use crate::exchange::{Edge, Inbound, Next, Reply};

/// Below this there is nothing to gain.
const SMALLEST_BYTES: usize = 1 << 10;
/// Above this it would hold up other requests.
const AT_ONCE_BYTES: usize = 64 << 10;

/// The layer.
pub(super) async fn gzipped(_edge: Arc<Edge>, request: Request<Inbound>, next: Next<Inbound>) -> Reply {
    let is_wanted = takes_gzip(request.headers());
    let Ok(mut reply) = next.oneshot(request).await;
    let is_text = is_text(reply.headers());
    if is_text {
        reply.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let effort = effort(reply.headers());
    if is_wanted && is_text && reply.body_mut().packed(effort) {
        reply.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return reply;
    }
    if !is_wanted || !is_text || reply.body().len() < SMALLEST_BYTES {
        return reply;
    }
    let plain = reply.body().bytes();
    let is_small = plain.len() <= AT_ONCE_BYTES;
    let packed = if is_small {
        pack(&plain, effort)
    } else {
        tokio::task::spawn_blocking(move || pack(&plain, effort)).await.ok().flatten()
    };
    // What cannot be packed goes as it is.
    if let Some(packed) = packed {
        reply.body_mut().replace(packed);
        reply.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    reply
}

fn pack(plain: &Bytes, effort: Compression) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), effort);
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// What people look at comes over the lines that they are on, and is a third smaller for it; what programs read comes
/// often, and over better ones.
fn effort(headers: &HeaderMap) -> Compression {
    let is_looked_at = ["text/html", "text/css"].iter().any(|seen| media(headers).starts_with(seen));
    if is_looked_at { Compression::default() } else { Compression::fast() }
}

fn media(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default()
}

fn is_text(headers: &HeaderMap) -> bool {
    let media = media(headers);
    media.starts_with("text/") || media.contains("json") || media.contains("xml") || media.contains("yaml")
}

/// `Accept-Encoding` names gzip, or anything, and does not refuse it.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = || headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings = || values().flat_map(|value| value.split(','));
    let said = |name: &str| {
        codings().find_map(|coding| {
            let (found, rest) = coding.split_once(';').unwrap_or((coding, ""));
            found.trim().eq_ignore_ascii_case(name).then(|| !is_zero(rest))
        })
    };
    said("gzip").or_else(|| said("*")).unwrap_or(false)
}

fn is_zero(parameters: &str) -> bool {
    let quality = parameters.split(';').find_map(|one| one.trim().strip_prefix("q="));
    quality.is_some_and(|quality| quality.trim().bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::tests::bench::{FakeDesk, Say, edge, record_request, send, settings};
    use http_body_util::BodyExt as _;

    #[track_caller]
    fn check(value: &str, expected: bool) {
        let headers =
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap())]);
        assert_eq!(takes_gzip(&headers), expected, "{value}");
    }

    #[test]
    fn gzip_is_given_to_those_who_take_it() {
        check("gzip", true);
        check("deflate, GZIP;q=0.5", true);
        check("*", true);
        check("gzip;q=0, *", false);
        check("gzip; q=0.0", false);
        check("br", false);
        check("", false);
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_people_look_at_is_packed_tighter() {
        let of = |media: &'static str| {
            effort(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media))]))
        };
        assert_eq!(of("text/html; charset=utf-8"), Compression::default());
        assert_eq!(of("text/css; charset=utf-8"), Compression::default());
        assert_eq!(of("application/fhir+json"), Compression::fast());
        assert_eq!(of("text/event-stream"), Compression::fast());
        let page = Bytes::from_static(tributary_viewer::STYLE.as_bytes());
        let size = |effort| pack(&page, effort).unwrap().len();
        assert!(size(Compression::default()) * 5 < size(Compression::fast()) * 4);
    }

    #[tokio::test]
    async fn a_packed_answer_is_the_same_answer() {
        let text = format!(r#"{{"resourceType":"Bundle","text":"{}"}}"#, "many words ".repeat(20_000));
        let desk = FakeDesk::with_body(Say::Record, text.clone().into());
        let reply = send(&edge(&desk, settings()), record_request(&[("accept-encoding", "gzip")])).await;
        assert_eq!(reply.headers()["content-encoding"], "gzip");
        assert_eq!(reply.headers()["vary"], "accept-encoding");
        let packed = reply.into_body().collect().await.unwrap().to_bytes();
        assert!(packed.len() * 10 < text.len());
        let mut plain = String::new();
        flate2::read::GzDecoder::new(packed.as_ref()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, text);
    }

    #[tokio::test]
    async fn small_answers_and_other_callers_get_them_plain() {
        let edge = edge(&FakeDesk::new(Say::Record), settings());
        for headers in [&[("accept-encoding", "gzip")][..], &[]] {
            let reply = send(&edge, record_request(headers)).await;
            assert!(!reply.headers().contains_key("content-encoding"));
        }
    }
}
