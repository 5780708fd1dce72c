//! Decodes a body while it arrives, under a size and a ratio.

use std::io::{self, Write};

use flate2::write::GzDecoder;
use http::{HeaderMap, header};
use tributary_model::{FaultClass, Lease, MemoryBudget};

use super::body::Expected;
use super::buffer::Buffer;

/// Most decoded bytes for one received. Real records reach 23.
const MAX_RATIO: u64 = 100;
/// Below this many decoded bytes the ratio is nobody's concern.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// Reads `Content-Encoding`: nothing, `identity` or one `gzip`. Nothing else was offered.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, FaultClass> {
        let mut coding = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let value = value.to_str().map_err(|_not_text| FaultClass::Encoding)?;
            for name in value.split(',').map(str::trim) {
                let gzip = name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip");
                if gzip && coding == Self::Identity {
                    coding = Self::Gzip;
                } else if !name.is_empty() && !name.eq_ignore_ascii_case("identity") {
                    return Err(FaultClass::Encoding);
                }
            }
        }
        Ok(coding)
    }
}

/// Takes the chunks of a body and gives the decoded whole.
pub(super) enum Sink {
    Identity(Buffer),
    Gzip { decoder: Box<GzDecoder<Bounded>>, begun: bool },
}

impl Sink {
    /// Takes memory for what the head promised, within reason.
    pub(super) fn new(coding: Coding, body: &Expected, memory: &MemoryBudget) -> Result<Self, FaultClass> {
        let (declared, max_bytes) = (body.declared_bytes.unwrap_or(0), body.max_bytes);
        Ok(match coding {
            Coding::Identity => Self::Identity(Buffer::new(memory, declared.min(max_bytes))?),
            Coding::Gzip => Self::Gzip {
                decoder: Box::new(GzDecoder::new(Bounded {
                    // Records shrink eightfold and more.
                    out: Buffer::new(memory, declared.saturating_mul(8).min(max_bytes))?,
                    allowed: RATIO_FREE_BYTES.min(max_bytes),
                    max: max_bytes,
                    refused: None,
                })),
                begun: false,
            },
        })
    }

    /// Takes a chunk; `received` counts all bytes so far, this chunk included.
    pub(super) fn take(&mut self, chunk: &[u8], received: u64) -> Result<(), FaultClass> {
        match self {
            Self::Identity(out) => out.extend(chunk),
            Self::Gzip { decoder, begun } => {
                *begun |= !chunk.is_empty();
                decoder.get_mut().allow(received);
                let taken = decoder.write_all(chunk);
                taken.map_err(|_error| decoder.get_ref().class())
            }
        }
    }

    /// The whole body, and the memory it holds.
    pub(super) async fn finish(self) -> Result<(Vec<u8>, Lease), FaultClass> {
        match self {
            Self::Identity(out) => out.into_parts().await,
            Self::Gzip { begun: false, .. } => Ok((Vec::new(), Lease::default())),
            Self::Gzip { mut decoder, .. } => {
                decoder.try_finish().map_err(|_error| decoder.get_ref().class())?;
                let finished = decoder.finish().map_err(|_error| FaultClass::Encoding)?;
                finished.out.into_parts().await
            }
        }
    }

    /// How many bytes there are so far, decoded.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Identity(out) => out.len(),
            Self::Gzip { decoder, .. } => decoder.get_ref().out.len(),
        }
    }
}

/// Decoded bytes, never more than allowed.
pub(super) struct Bounded {
    out: Buffer,
    allowed: u64,
    max: u64,
    refused: Option<FaultClass>,
}

impl Bounded {
    fn allow(&mut self, received: u64) {
        let by_ratio = received.saturating_mul(MAX_RATIO).max(RATIO_FREE_BYTES);
        self.allowed = by_ratio.min(self.max);
    }

    fn class(&self) -> FaultClass {
        self.refused.unwrap_or(FaultClass::Encoding)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), FaultClass> {
        let total = (self.out.len() + bytes.len()) as u64;
        if total > self.allowed {
            return Err(FaultClass::TooLarge);
        }
        self.out.extend(bytes)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(class) => {
                self.refused = Some(class);
                Err(io::ErrorKind::OutOfMemory.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    async fn decode(coded: &[u8], max_bytes: u64) -> Result<Vec<u8>, FaultClass> {
        decode_within(coded, max_bytes, &MemoryBudget::default()).await
    }

    async fn decode_within(
        coded: &[u8],
        max_bytes: u64,
        memory: &MemoryBudget,
    ) -> Result<Vec<u8>, FaultClass> {
        let expected = Expected {
            coding: Coding::Gzip,
            declared_bytes: Some(coded.len() as u64),
            max_bytes,
            deadline: tributary_model::Deadline::after(std::time::Duration::from_secs(1)),
        };
        let mut sink = Sink::new(Coding::Gzip, &expected, memory)?;
        let mut received = 0;
        for chunk in coded.chunks(1000) {
            received += chunk.len() as u64;
            sink.take(chunk, received)?;
        }
        let (decoded, held) = sink.finish().await?;
        assert!(held.bytes() >= decoded.len() as u64);
        Ok(decoded)
    }

    #[track_caller]
    fn coding(values: &[&str], expected: Result<Coding, FaultClass>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
        }
        assert_eq!(Coding::of(&headers), expected, "{values:?}");
    }

    #[test]
    fn only_one_gzip_is_understood() {
        coding(&[], Ok(Coding::Identity));
        coding(&["identity"], Ok(Coding::Identity));
        coding(&["GZip"], Ok(Coding::Gzip));
        coding(&["br"], Err(FaultClass::Encoding));
        coding(&["br, gzip"], Err(FaultClass::Encoding));
        coding(&["gzip", "gzip"], Err(FaultClass::Encoding));
        coding(&["deflate"], Err(FaultClass::Encoding));
    }

    #[tokio::test]
    async fn what_was_coded_comes_back() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(decode(&gzip(&plain), 10 << 20).await, Ok(plain));
        assert_eq!(decode(&[], 10).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_bomb_is_cut() {
        let bomb = gzip(&vec![0; 4 << 20]);
        assert_eq!(decode(&bomb, 1 << 30).await, Err(FaultClass::TooLarge));
        assert_eq!(decode(&gzip(&vec![0; 2000]), 1000).await, Err(FaultClass::TooLarge));
    }

    #[tokio::test]
    async fn what_is_decoded_is_taken_from_the_memory_budget() {
        let (coded, memory) = (gzip(&vec![b'x'; 500_000]), MemoryBudget::new(400_000));
        assert_eq!(decode_within(&coded, 10 << 20, &memory).await, Err(FaultClass::Memory));
        assert_eq!(memory.taken(), 0);
    }

    #[tokio::test]
    async fn damage_is_noticed() {
        let whole = gzip(b"{\"resourceType\":\"Bundle\"}");
        let mut wrong_sum = whole.clone();
        let sum = wrong_sum.len() - 8;
        wrong_sum[sum] ^= 1;
        let mut with_rest = whole.clone();
        with_rest.extend_from_slice(b"more");
        let half = &whole[..whole.len() / 2];
        for damaged in [b"not gzip at all".as_slice(), half, &wrong_sum, &with_rest] {
            assert_eq!(decode(damaged, 1000).await, Err(FaultClass::Encoding));
        }
    }
}
