//! Dates of birth, and how far two of them agree.

use tributary_model::FhirDate;

/// A date of birth as it was stated.
#[derive(Clone)]
pub struct Birth {
    text: String,
    /// Year, month and day, as far as they are stated; nothing when the text is no date.
    parts: Option<[Option<i16>; 3]>,
}

impl std::fmt::Debug for Birth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Birth([redacted])")
    }
}

impl Birth {
    /// Takes a text that may be a date.
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), parts: FhirDate::parse(text).map(parts) }
    }

    /// Whether every part that this one states is stated by the other, and the same.
    pub fn is_met_by(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (self.parts, other.parts) else { return false };
        own.iter().zip(&others).all(|(own, other)| own.is_none() || own == other)
    }

    /// How many of year, month and day both state, and the same.
    pub fn shared_parts(&self, other: &Self) -> usize {
        let (Some(own), Some(others)) = (self.parts, other.parts) else { return 0 };
        own.iter().zip(&others).filter(|(own, other)| own.is_some() && own == other).count()
    }

    /// Whether both say the same, with the same precision.
    pub fn agrees(&self, other: &Self) -> bool {
        match (self.parts, other.parts) {
            (Some(own), Some(others)) => own == others,
            (None, _) | (_, None) => self.text == other.text,
        }
    }

    /// As people read it; as it was stated when it is no date.
    pub fn shown(&self) -> String {
        FhirDate::parse(&self.text).map_or_else(|| self.text.clone(), FhirDate::display)
    }
}

fn parts(date: FhirDate) -> [Option<i16>; 3] {
    match date {
        FhirDate::Year(year) => [Some(year), None, None],
        FhirDate::Month(year, month) => [Some(year), Some(i16::from(month)), None],
        FhirDate::Day(_) | FhirDate::Instant(_) => {
            let day = date.first_day();
            [Some(day.year()), Some(i16::from(day.month())), Some(i16::from(day.day()))]
        }
    }
}
