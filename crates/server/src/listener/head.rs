//! What the head of an HTTP/1.1 request must be for us to hand it on (RFC 9112; RFC 9110, 5 and 7).
//!
//! Where the standard lets a server be generous, two servers in a row may differ in what they make of the same
//! bytes, and a request can hide in the difference. So nothing is mended here: what can be read in two ways is
//! not read at all.

use http::{HeaderValue, Method, StatusCode, Uri, header};
use tributary_bounds::Problem;

use crate::render::outcome::Dialect;

/// Bounds on a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of all of it.
    pub(crate) head: usize,
    /// Its fields.
    pub(crate) fields: usize,
    /// Bytes of the request target.
    pub(crate) target: usize,
}

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes, often none.
    Sized(u64),
    /// Chunks.
    Chunked,
}

/// A request that is refused before anybody else sees it.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) dialect: Dialect,
    pub(crate) problem: Problem,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { dialect: Dialect::R4, problem }
    }
}

/// A method without a body, for which one would be read as the next request by somebody.
pub(crate) fn has_no_body(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS | Method::TRACE)
}

/// 431.
pub(crate) fn too_large() -> Problem {
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    Problem::new(status, "too-long", "The head of the request is too large.")
}

/// 414.
pub(super) fn too_long(most: usize) -> Problem {
    let text = format!("The request target is longer than {most} bytes.");
    Problem::new(StatusCode::URI_TOO_LONG, "too-long", text)
}

/// 405, on any path.
pub(crate) fn not_offered() -> Problem {
    let text = "This method is not offered on any path.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not-supported", text)
        .with(header::ALLOW, HeaderValue::from_static("GET, POST"))
}

/// What a request line says.
#[derive(Debug)]
pub(super) struct RequestLine {
    method: Method,
    pub(super) dialect: Dialect,
    is_http_10: bool,
}

/// Reads a request line, without its line end.
pub(super) fn request_line(line: &[u8], bounds: &Bounds) -> Result<RequestLine, Problem> {
    let malformed = || Problem::bad("The request line is malformed.");
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    if target.len() > bounds.target {
        return Err(too_long(bounds.target));
    }
    let is_http_10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err(Problem::bad("Only HTTP/1.1 is spoken here.")),
    };
    let is_word = !method.is_empty() && method.iter().all(|byte| is_token(*byte));
    let method = if is_word { Method::from_bytes(method) } else { return Err(malformed()) };
    let method = method.map_err(|_| malformed())?;
    if method == Method::CONNECT {
        return Err(not_offered());
    }
    let is_plain = !target.is_empty() && target.iter().all(u8::is_ascii_graphic) && !target.contains(&b'#');
    let target = if is_plain { Uri::try_from(target) } else { return Err(malformed()) };
    let target = target.map_err(|_| malformed())?;
    // "host:1" alone is the form of CONNECT.
    if target.authority().is_some() && target.scheme().is_none() {
        return Err(malformed());
    }
    Ok(RequestLine { method, dialect: Dialect::of(target.path()), is_http_10 })
}

/// The fields that frame a request, as they come.
#[derive(Debug, Default)]
struct Frame {
    fields: usize,
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
}

/// Reads the fields of a head: every line with its line end, without the empty line.
pub(super) fn fields(lines: &[u8], line: &RequestLine, bounds: &Bounds) -> Result<Length, Problem> {
    let mut frame = Frame::default();
    for field in lines.split_inclusive(|byte| *byte == b'\n') {
        let field = field.strip_suffix(b"\r\n").unwrap_or(field);
        frame.fields += 1;
        if frame.fields > bounds.fields {
            return Err(too_large());
        }
        frame.take(field)?;
    }
    if frame.hosts != 1 {
        return Err(Problem::bad("A request names its host exactly once.").naming("Host"));
    }
    if frame.is_chunked && line.is_http_10 {
        return Err(Problem::bad("HTTP/1.0 has no chunks.").naming("Transfer-Encoding"));
    }
    let length = if frame.is_chunked { Length::Chunked } else { Length::Sized(frame.length.unwrap_or(0)) };
    if length != Length::Sized(0) && has_no_body(&line.method) {
        return Err(Problem::bad("A request with this method has no body."));
    }
    Ok(length)
}

impl Frame {
    fn take(&mut self, field: &[u8]) -> Result<(), Problem> {
        if field.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(Problem::bad("A header may not go on in the next line."));
        }
        let colon = field.iter().position(|byte| *byte == b':');
        let (name, value) = match colon.and_then(|colon| field.split_at_checked(colon)) {
            Some((name, value)) => (name, value.get(1..).unwrap_or_default().trim_ascii()),
            None => return Err(Problem::bad("A header has no colon.")),
        };
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(Problem::bad("The name of a header is malformed."));
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.sized(value)?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encoded(value)?;
        }
        Ok(())
    }

    fn sized(&mut self, value: &[u8]) -> Result<(), Problem> {
        let says = |text: &str| Err(Problem::bad(text).naming("Content-Length"));
        if self.length.is_some() {
            return says("This header may come once only.");
        }
        if self.is_chunked {
            return says("A length and chunks exclude each other.");
        }
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| is_number);
        // hyper keeps two values of this range for itself; no body comes near it.
        let length = text.and_then(|text| text.parse().ok()).filter(|length| *length < 1 << 62);
        let Some(length) = length else { return says("The length is no number.") };
        self.length = Some(length);
        Ok(())
    }

    fn encoded(&mut self, value: &[u8]) -> Result<(), Problem> {
        let says = |text: &str| Err(Problem::bad(text).naming("Transfer-Encoding"));
        if self.is_chunked {
            return says("This header may come once only.");
        }
        if self.length.is_some() {
            return says("A length and chunks exclude each other.");
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return says("Only \"chunked\" is understood.");
        }
        self.is_chunked = true;
        Ok(())
    }
}

/// RFC 9110, 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
