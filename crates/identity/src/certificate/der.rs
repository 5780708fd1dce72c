//! The little of DER (X.690) that a certificate takes.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u8);

impl Tag {
    pub(super) const BOOLEAN: Self = Self(0x01);
    pub(super) const INTEGER: Self = Self(0x02);
    pub(super) const OCTETS: Self = Self(0x04);
    pub(super) const OBJECT_ID: Self = Self(0x06);
    pub(super) const UTF8: Self = Self(0x0C);
    pub(super) const PRINTABLE: Self = Self(0x13);
    const UTC_TIME: Self = Self(0x17);
    const GENERALIZED_TIME: Self = Self(0x18);
    pub(super) const SEQUENCE: Self = Self(0x30);
    pub(super) const SET: Self = Self(0x31);
    pub(super) const ISSUER_ID: Self = Self(0x81);
    pub(super) const SUBJECT_ID: Self = Self(0x82);
    /// A general name that is a host has the same number as the subject's id.
    pub(super) const DNS: Self = Self(0x82);
    pub(super) const URI: Self = Self(0x86);
    pub(super) const VERSION: Self = Self(0xA0);
    pub(super) const EXTENSIONS: Self = Self(0xA3);
}

/// Reads values one after the other. What is not DER ends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    pub(super) const fn of(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value, whatever it is.
    pub(super) fn next(&mut self) -> Option<(Tag, &'d [u8])> {
        let (tag, bytes) = self.0.split_first()?;
        let (first, bytes) = bytes.split_first()?;
        let (length, bytes) = match first {
            0..=0x7F => (usize::from(*first), bytes),
            0x81..=0x83 => {
                let (digits, bytes) = bytes.split_at_checked(usize::from(first - 0x80))?;
                let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
                // DER has one form of each length: the shortest.
                let shortest = 1_usize << (8 * (digits.len() - 1)).max(7);
                if length < shortest {
                    return None;
                }
                (length, bytes)
            }
            _ => return None,
        };
        let (content, rest) = bytes.split_at_checked(length)?;
        self.0 = rest;
        Some((Tag(*tag), content))
    }

    /// The content of the next value, which must have this tag.
    pub(super) fn take(&mut self, tag: Tag) -> Option<&'d [u8]> {
        let before = self.0;
        let (found, content) = self.next()?;
        if found != tag {
            self.0 = before;
            return None;
        }
        Some(content)
    }

    /// The content of the next value if it has this tag; otherwise nothing is taken.
    pub(super) fn optional(&mut self, tag: Tag) -> Option<&'d [u8]> {
        self.take(tag)
    }

    /// The next value with its tag and length.
    pub(super) fn whole(&mut self, tag: Tag) -> Option<&'d [u8]> {
        let before = self.0;
        let _content = self.take(tag)?;
        before.get(..before.len() - self.0.len())
    }

    /// The inside of the next value.
    pub(super) fn inside(&mut self, tag: Tag) -> Option<Self> {
        self.take(tag).map(Self)
    }

    /// A time in UTC, to the second (RFC 5280, 4.1.2.5).
    pub(super) fn time(&mut self) -> Option<Timestamp> {
        let (tag, content) = self.next()?;
        let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
        let text = match tag {
            // Two digits of a year: below 50 they mean this century.
            Tag::UTC_TIME if text < "50" => format!("20{text}"),
            Tag::UTC_TIME => format!("19{text}"),
            Tag::GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
        let year = text.get(..4)?.parse().ok()?;
        let (month, day) = (number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
        let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    }
}
