//! FHIR dates with the precision they were recorded with.

use std::cmp::Ordering;
use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A FHIR `date`, `dateTime` or `instant`: a year, a month, a day or an instant.
///
/// Nothing is invented: `2012` stays a year. Calendar dates are dates in London, as on the wall of the ward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FhirDate {
    /// A year.
    Year(i16),
    /// A year and a month.
    Month(i16, i8),
    /// A calendar date.
    Day(Date),
    /// A point in time.
    Instant(Timestamp),
}

/// The civil time zone of the record.
fn london() -> TimeZone {
    // The zone data is bundled, so this cannot fail on a machine without zoneinfo files. Looking it up by its
    // name takes far longer than using it.
    static LONDON: LazyLock<TimeZone> =
        LazyLock::new(|| TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC));
    LONDON.clone()
}

impl FhirDate {
    /// Reads a FHIR date, dateTime or instant; `None` if it is none of them.
    ///
    /// A dateTime without a zone is read as London time: some sources leave the zone out.
    pub fn parse(text: &str) -> Option<Self> {
        match text.len() {
            4 => number(text).map(Self::Year),
            7 => {
                let (year, month) = text.split_once('-')?;
                let month = number::<i8>(month)?;
                (1..=12).contains(&month).then_some(Self::Month(number(year)?, month))
            }
            10 => text.parse().ok().map(Self::Day),
            _ => text.parse::<Timestamp>().ok().or_else(|| zoneless(text)).map(Self::Instant),
        }
    }

    /// The London calendar date on which it begins.
    pub fn first_day(self) -> Date {
        match self {
            Self::Year(year) => Date::new(year, 1, 1).unwrap_or(Date::MIN),
            Self::Month(year, month) => Date::new(year, month, 1).unwrap_or(Date::MIN),
            Self::Day(day) => day,
            Self::Instant(instant) => zoned(instant).date(),
        }
    }

    /// Whether it may lie on this day or later: one that is less precise counts as one that does.
    pub fn may_be_since(self, day: Date) -> bool {
        match self {
            Self::Year(year) => year >= day.year(),
            Self::Month(year, month) => (year, month) >= (day.year(), day.month()),
            Self::Day(_) | Self::Instant(_) => self.first_day() >= day,
        }
    }

    /// How people read it: `2012`, `Mar-2012`, `02-Mar-2026`.
    pub fn display(self) -> String {
        let day = self.first_day();
        match self {
            Self::Year(year) => format!("{year:04}"),
            Self::Month(..) => day.strftime("%b-%Y").to_string(),
            Self::Day(_) | Self::Instant(_) => day.strftime("%d-%b-%Y").to_string(),
        }
    }

    /// The exact key of this date: precision included, instants in UTC.
    pub fn key(self) -> String {
        match self {
            Self::Year(year) => format!("{year:04}"),
            Self::Month(year, month) => format!("{year:04}-{month:02}"),
            Self::Day(day) => day.to_string(),
            Self::Instant(instant) => instant.to_string(),
        }
    }

    const fn precision(self) -> u8 {
        match self {
            Self::Year(_) => 0,
            Self::Month(..) => 1,
            Self::Day(_) => 2,
            Self::Instant(_) => 3,
        }
    }

    const fn instant(self) -> Option<Timestamp> {
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Year(_) | Self::Month(..) | Self::Day(_) => None,
        }
    }
}

impl Ord for FhirDate {
    /// Earlier first; a less precise date comes before the more precise ones it contains.
    fn cmp(&self, other: &Self) -> Ordering {
        // No clock in London was ever put back past midnight, so of two instants the earlier one is never on a
        // later day.
        if let (Self::Instant(one), Self::Instant(two)) = (self, other) {
            return one.cmp(two);
        }
        self.first_day()
            .cmp(&other.first_day())
            .then(self.precision().cmp(&other.precision()))
            .then(self.instant().cmp(&other.instant()))
    }
}

impl PartialOrd for FhirDate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The London wall-clock reading of an instant.
pub fn zoned(instant: Timestamp) -> Zoned {
    instant.to_zoned(london())
}

fn zoneless(text: &str) -> Option<Timestamp> {
    let local: jiff::civil::DateTime = text.parse().ok()?;
    local.to_zoned(london()).ok().map(|zoned| zoned.timestamp())
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> FhirDate {
        FhirDate::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn precision_is_kept() {
        for text in ["2012", "2012-04", "2012-04-01"] {
            assert_eq!(date(text).key(), text);
        }
        assert_eq!(date("2026-03-02T15:30:00+01:00").key(), "2026-03-02T14:30:00Z");
    }

    #[test]
    fn days_are_london_days() {
        assert_eq!(date("2025-06-30T22:30:00Z").display(), "30-Jun-2025");
        assert_eq!(date("2025-06-30T23:30:00Z").display(), "01-Jul-2025");
    }

    #[test]
    fn less_precise_sorts_before_what_it_contains() {
        assert!(date("2012") < date("2012-01"));
        assert!(date("2012-01") < date("2012-01-01"));
        assert!(date("2011-12-31") < date("2012"));
        assert!(date("2012-01-01") < date("2012-01-01T00:00:00Z"));
    }

    #[test]
    fn instants_sort_as_their_days_do() {
        // Every half hour around every change of the clocks would be much; every six hours for 180 years is not.
        let start: Timestamp = "1840-01-01T00:10:00Z".parse().unwrap();
        let mut before = FhirDate::Instant(start);
        for step in 1..260_000_i64 {
            let now = FhirDate::Instant(start + jiff::SignedDuration::from_hours(6 * step));
            assert!(before.first_day() <= now.first_day(), "{now:?}");
            assert_eq!(before.cmp(&now), Ordering::Less);
            before = now;
        }
        // Around each change of the last hundred years, every ten minutes.
        let zone = london();
        let from: Timestamp = "1916-01-01T00:00:00Z".parse().unwrap();
        for change in zone.following(from).take(230) {
            let mut before = change.timestamp() - jiff::SignedDuration::from_hours(26);
            for _ in 0..52 * 6 {
                let now = before + jiff::SignedDuration::from_mins(10);
                assert!(zoned(before).date() <= zoned(now).date(), "{now}");
                before = now;
            }
        }
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in ["", "20", "2012-13", "2012-02-30", "yesterday", "2012/01/01", "0x12"] {
            assert_eq!(FhirDate::parse(text), None, "{text}");
        }
    }
}
