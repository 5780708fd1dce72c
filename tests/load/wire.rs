//! HTTP/1.1 on a connection that is kept: what both ends of the measurement need of it, and no more.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for one read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Room for a head, and for the rest of a body.
const CHUNK: usize = 64 << 10;
/// Longest message that is read.
const LONGEST: usize = 8 << 20;

/// A kept connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One message, still in the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'b> {
    /// The head, with its last line end.
    pub(crate) head: &'b str,
    /// The body.
    pub(crate) body: &'b [u8],
}

impl Message<'_> {
    /// Whether the head begins with a status line that says 200.
    pub(crate) fn is_ok(&self) -> bool {
        self.status() == Some("200")
    }

    /// The status, as text.
    pub(crate) fn status(&self) -> Option<&str> {
        self.head.split(' ').nth(1)
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(self.head, name)
    }
}

fn value<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn bad(words: &str) -> Error {
    Error::new(ErrorKind::InvalidData, words)
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Takes over a stream.
    pub(crate) fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: vec![0; CHUNK] })
    }

    /// Lets the other side keep silent as long as it likes.
    pub(crate) fn patient(self) -> Result<Self> {
        self.stream.set_read_timeout(None)?;
        Ok(self)
    }

    /// The stream alone.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads the next message; `None` where the other side has closed between two messages.
    pub(crate) fn receive(&mut self) -> Result<Option<Message<'_>>> {
        let mut filled = 0;
        let mut bounds = None;
        while bounds.is_none_or(|(_, end)| filled < end) {
            if filled == self.buffer.len() {
                self.buffer.resize(filled + CHUNK, 0);
            }
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            let got = self.stream.read(room)?;
            if got == 0 {
                return if filled == 0 { Ok(None) } else { Err(bad("closed in the middle of a message")) };
            }
            filled += got;
            if bounds.is_none() {
                bounds = self.bounds(filled)?;
            }
        }
        let (head, end) = bounds.unwrap_or_default();
        if filled > end {
            return Err(bad("more than one message"));
        }
        let text = std::str::from_utf8(self.buffer.get(..head).unwrap_or_default());
        let head_text = text.map_err(|_discarded| bad("a head that is no text"))?;
        Ok(Some(Message { head: head_text, body: self.buffer.get(head..end).unwrap_or_default() }))
    }

    /// Where head and body end, once the head is there; makes room for the body.
    fn bounds(&mut self, filled: usize) -> Result<Option<(usize, usize)>> {
        let read = self.buffer.get(..filled).unwrap_or_default();
        let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let head = at + 4;
        let text = std::str::from_utf8(read.get(..head).unwrap_or_default());
        let text = text.map_err(|_discarded| bad("a head that is no text"))?;
        let length = value(text, "Content-Length").and_then(|length| length.parse::<usize>().ok());
        let length = length.filter(|length| *length <= LONGEST).ok_or_else(|| bad("no usable length"))?;
        let end = head + length;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        Ok(Some((head, end)))
    }
}
