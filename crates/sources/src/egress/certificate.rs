//! The day on which a certificate or a revocation list ends, read from its DER form (RFC 5280, 4.1 and 5.1).
//!
//! Nothing is verified here: the TLS library has done that.

use jiff::Timestamp;
use jiff::civil::{DateTime, date};

use super::{certificates, revocations};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// One value: its tag, its content, and what follows it.
struct Value<'d> {
    tag: u8,
    content: &'d [u8],
    rest: &'d [u8],
}

fn next(bytes: &[u8]) -> Option<Value<'_>> {
    let (tag, bytes) = bytes.split_first()?;
    let (first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7F => (usize::from(*first), bytes),
        0x81..=0x84 => {
            let (digits, bytes) = bytes.split_at_checked(usize::from(first - 0x80))?;
            (digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit)), bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some(Value { tag: *tag, content, rest })
}

fn of_tag(bytes: &[u8], tag: u8) -> Option<Value<'_>> {
    next(bytes).filter(|value| value.tag == tag)
}

/// When the first of the certificates in PEM form ends, and their chain with it; `None` if none can be read.
pub fn earliest_end(pem: &[u8]) -> Option<Timestamp> {
    certificates(pem).ok()?.iter().filter_map(|certificate| ends(certificate)).min()
}

/// `notAfter` of a certificate; `None` if it cannot be read.
pub(super) fn ends(der: &[u8]) -> Option<Timestamp> {
    let certificate = of_tag(der, SEQUENCE)?.content;
    let mut fields = of_tag(certificate, SEQUENCE)?.content;
    if let Some(version) = of_tag(fields, VERSION) {
        fields = version.rest;
    }
    // Serial number, signature algorithm and issuer come before the validity.
    for _ in 0..3 {
        fields = next(fields)?.rest;
    }
    let validity = of_tag(fields, SEQUENCE)?.content;
    time(&next(next(validity)?.rest)?)
}

/// When the first of the revocation lists in PEM form is out of date; `None` if none says so.
pub fn earliest_update(pem: &[u8]) -> Option<Timestamp> {
    revocations(pem).ok()?.iter().filter_map(|list| outdated(list)).min()
}

/// `nextUpdate` of a revocation list; `None` if it has none or cannot be read.
fn outdated(der: &[u8]) -> Option<Timestamp> {
    let list = of_tag(der, SEQUENCE)?.content;
    let mut fields = of_tag(list, SEQUENCE)?.content;
    if let Some(version) = of_tag(fields, INTEGER) {
        fields = version.rest;
    }
    // Signature algorithm, issuer and its own day come before.
    for _ in 0..3 {
        fields = next(fields)?.rest;
    }
    time(&next(fields)?)
}

fn time(value: &Value<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(value.content).ok()?.strip_suffix('Z')?;
    let text = match value.tag {
        // Two digits of a year: below 50 they mean this century.
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    instant(&text)
}

/// `yyyymmddhhmmss`, in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let small = |from: usize, to: usize| i8::try_from(number(from, to)?).ok();
    let is_whole = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (month, day) = (small(4, 6)?, small(6, 8)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    let time =
        DateTime::new(number(0, 4)?, month, day, small(8, 10)?, small(10, 12)?, small(12, 14)?, 0).ok()?;
    let is_known = time.date() >= date(1950, 1, 1);
    (is_whole && is_date && is_known)
        .then(|| time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// `CN=source.example.test`, valid to 30 November 2027, 15:47:22; its key is thrown away.
    const CERTIFICATE: &str = include_str!("certificate/example.txt");

    fn der() -> Vec<u8> {
        STANDARD.decode(CERTIFICATE.replace('\n', "")).unwrap()
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let ends = ends(&der()).map(|instant| instant.to_string());
        assert_eq!(ends.as_deref(), Some("2027-11-30T15:47:22Z"));
    }

    #[test]
    fn a_chain_ends_with_the_first_of_it() {
        let pem = format!("-----BEGIN CERTIFICATE-----\n{CERTIFICATE}\n-----END CERTIFICATE-----\n");
        let ends = earliest_end(pem.repeat(2).as_bytes()).map(|instant| instant.to_string());
        assert_eq!(ends.as_deref(), Some("2027-11-30T15:47:22Z"));
        assert_eq!(earliest_end(b""), None);
    }

    /// Issued on 1 January 2026, with a version where there is one, and a next update where there is one.
    fn list(version: Option<u8>, next: Option<&str>) -> Vec<u8> {
        let wrapped =
            |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let time = |text: &str| wrapped(UTC_TIME, text.as_bytes());
        let version = version.map(|version| wrapped(INTEGER, &[version])).unwrap_or_default();
        let update = next.map_or_else(|| wrapped(SEQUENCE, &[]), time);
        let names = [wrapped(SEQUENCE, &[5, 0]), wrapped(SEQUENCE, &[5, 0])].concat();
        let fields = [version, names, time("260101000000Z"), update].concat();
        wrapped(SEQUENCE, &wrapped(SEQUENCE, &fields))
    }

    #[test]
    fn a_revocation_list_is_out_of_date_with_its_next_update() {
        let expected = "2026-02-01T00:00:00Z".parse::<Timestamp>().ok();
        let next = Some("260201000000Z");
        let whole = list(Some(1), next);
        assert_eq!((outdated(&whole), outdated(&list(None, next))), (expected, expected));
        assert_eq!(outdated(&list(Some(1), None)), None);
        let text = STANDARD.encode(&whole);
        let pem = format!("-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n");
        assert_eq!((earliest_update(pem.as_bytes()), earliest_update(b"")), (expected, None));
        for length in 0..whole.len() {
            assert_eq!(outdated(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_late_end_has_four_digits_of_a_year() {
        let utc = |text: &str| text.parse::<Timestamp>().ok();
        assert_eq!(instant("20501231235959"), utc("2050-12-31T23:59:59Z"));
        for bad in ["", "2050", "20501331235959", "2050123123595x", "2050-2-1235959"] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn cut_or_changed_bytes_are_no_certificate_and_no_panic() {
        let whole = der();
        for length in 0..whole.len() {
            assert_eq!(ends(&whole[..length]), None, "{length}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0xFF;
            let _any = ends(&changed);
        }
    }
}
