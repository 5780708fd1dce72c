//! Follows the bytes of an HTTP/1.1 connection from request to request, without reading a socket.

use tributary_bounds::Problem;

use super::head::{self, Bounds, Length, Refused, RequestLine};

/// A chunk's line holds at most sixteen digits; what else it may hold means nothing to us, and must be short.
const CHUNK_LINE: usize = 80;
/// No body is longer than this; sixteen digits would overflow somebody's number.
const CHUNK_DIGITS: usize = 8;

/// Where the next byte stands.
#[derive(Debug)]
enum Place {
    /// In a head: how far it was looked at, and its first line once that is whole.
    Head { seen: usize, line: Option<(usize, RequestLine)> },
    /// In a body, so many bytes before its end.
    Sized(u64),
    /// In the line before a chunk.
    ChunkLine,
    /// In a chunk, so many bytes before its end.
    Chunk(u64),
    /// Behind a chunk.
    ChunkEnd,
    /// Behind the last chunk.
    LastEnd,
}

/// What became of some bytes.
#[derive(Debug)]
pub(super) enum Step {
    /// There must be more of them.
    Wait,
    /// So many mean nothing and are dropped.
    Skip(usize),
    /// So many are a whole head.
    Head(usize),
    /// So many belong to a body.
    Body(usize),
    /// They begin no request that we take.
    Refused(Box<Refused>),
    /// A body cannot go on like this.
    Broken,
}

/// Where one connection has got to.
#[derive(Debug)]
pub(super) struct Framing {
    bounds: Bounds,
    place: Place,
    /// One empty line before a request is old clients' custom (RFC 9112, 2.2); more is none.
    skipped: bool,
}

const START: Place = Place::Head { seen: 0, line: None };

impl Framing {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { bounds, place: START, skipped: false }
    }

    /// Whether a head is expected or has begun.
    pub(super) const fn is_before_a_body(&self) -> bool {
        matches!(self.place, Place::Head { .. })
    }

    /// Looks at bytes that follow those of the steps before; those of `Wait` are given again, with more.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        if bytes.is_empty() {
            return Step::Wait;
        }
        match &mut self.place {
            Place::Head { seen: 0, line: None } if !self.skipped && bytes.first() == Some(&b'\r') => {
                match bytes.get(1) {
                    None => Step::Wait,
                    Some(b'\n') => {
                        self.skipped = true;
                        Step::Skip(2)
                    }
                    Some(_) => Step::Refused(Box::new(bare("carriage return").into())),
                }
            }
            Place::Head { .. } => match self.head(bytes) {
                Ok(step) => step,
                Err(refused) => Step::Refused(Box::new(refused)),
            },
            Place::Sized(left) | Place::Chunk(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    let is_chunk = matches!(self.place, Place::Chunk(_));
                    self.place = if is_chunk { Place::ChunkEnd } else { START };
                }
                Step::Body(taken)
            }
            Place::ChunkLine => self.chunk_line(bytes),
            Place::ChunkEnd => self.line_end(bytes, Place::ChunkLine),
            // Trailers would be headers that no check has seen.
            Place::LastEnd => self.line_end(bytes, START),
        }
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Step, Refused> {
        let bounds = self.bounds;
        let Place::Head { seen, line } = &mut self.place else { return Ok(Step::Wait) };
        loop {
            let dialect = line.as_ref().map(|(_, line)| line.dialect);
            let refuse = |problem: Problem| match dialect {
                Some(dialect) => Refused { dialect, problem },
                None => problem.into(),
            };
            let fresh = bytes.get(*seen..).unwrap_or_default();
            let end = line_end(fresh).map_err(refuse)?;
            let whole = end.map_or(bytes.len(), |end| *seen + end);
            // A target that is too long is told as such, even where it makes the head too large as well.
            if line.is_none() && whole > bounds.target + REQUEST_LINE_REST {
                return Err(refuse(head::too_long(bounds.target)));
            }
            if whole > bounds.head {
                return Err(refuse(head::too_large()));
            }
            let Some(end) = end else {
                // The last byte may be half of a line end.
                *seen = bytes.len() - usize::from(bytes.last() == Some(&b'\r'));
                return Ok(Step::Wait);
            };
            // Lines are looked at as a whole, so the next one begins here.
            let start = line_start(bytes, *seen);
            *seen += end;
            let this = bytes.get(start..(*seen).saturating_sub(2)).unwrap_or_default();
            match line {
                None => *line = Some((*seen, head::request_line(this, &bounds).map_err(refuse)?)),
                Some((first, line)) if this.is_empty() => {
                    let lines = bytes.get(*first..start).unwrap_or_default();
                    let length = head::fields(lines, line, &bounds).map_err(refuse)?;
                    let size = *seen;
                    self.skipped = false;
                    self.place = match length {
                        Length::Sized(0) => START,
                        Length::Sized(size) => Place::Sized(size),
                        Length::Chunked => Place::ChunkLine,
                    };
                    return Ok(Step::Head(size));
                }
                Some(_) => {}
            }
        }
    }

    fn chunk_line(&mut self, bytes: &[u8]) -> Step {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return if bytes.len() > CHUNK_LINE { Step::Broken } else { Step::Wait };
        };
        let Some(line) = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")) else {
            return Step::Broken;
        };
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, rest) = line.split_at_checked(digits).unwrap_or_default();
        let is_plain = rest.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let is_fit = (1..=CHUNK_DIGITS).contains(&digits) && line.len() <= CHUNK_LINE && is_plain;
        if !is_fit || !(rest.is_empty() || rest.starts_with(b";")) {
            return Step::Broken;
        }
        let size = std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
        self.place = match size {
            None => return Step::Broken,
            Some(0) => Place::LastEnd,
            Some(size) => Place::Chunk(size),
        };
        Step::Body(end + 1)
    }

    fn line_end(&mut self, bytes: &[u8], next: Place) -> Step {
        match bytes {
            [b'\r', b'\n', ..] => {
                self.place = next;
                Step::Body(2)
            }
            [b'\r'] => Step::Wait,
            _ => Step::Broken,
        }
    }
}

/// A method, two blanks, the version and the line end.
const REQUEST_LINE_REST: usize = 64;

fn bare(what: &str) -> Problem {
    Problem::bad(format!("A bare {what} ends no line."))
}

/// Where the line that goes on at `at` began.
fn line_start(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// The length of what comes up to the first line end, which is CR LF and nothing else.
fn line_end(bytes: &[u8]) -> Result<Option<usize>, Problem> {
    let mut rest = bytes.iter().enumerate();
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'\r' => match rest.next() {
                Some((_, b'\n')) => return Ok(Some(at + 2)),
                Some(_) => return Err(bare("carriage return")),
                None => return Ok(None),
            },
            b'\n' => return Err(bare("line feed")),
            b'\t' | b' '..=b'~' | 0x80.. => {}
            _ => return Err(Problem::bad("The head holds a control character.")),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
