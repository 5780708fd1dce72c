//! The story patients: who they are, where they are known, and what goes wrong on the day.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::{Span, Timestamp, ToSpan as _};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::fault::Fault;
use crate::store::{Resource, resources};

/// One story: a patient, a request, and what is expected of the sources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// `p1`, `p2`, …
    pub id: String,
    /// What it is about, in a line.
    pub title: String,
    /// The same for whoever has never seen it, in one sentence.
    pub sentence: String,
    /// The patient's NHS number.
    pub nhs_number: String,
    /// Family name, as the national service has it.
    pub family: String,
    /// Given name.
    pub given: String,
    /// Administrative gender.
    pub gender: String,
    /// Date of birth.
    #[serde(deserialize_with = "parsed")]
    pub birth_date: Date,
    /// The instant the request is made.
    #[serde(deserialize_with = "parsed")]
    pub as_of: Timestamp,
    /// The requester's role.
    pub role: String,
    /// The sections that are asked for; none means all.
    pub sections: Vec<String>,
    /// The sources that know the patient.
    pub sources: Vec<String>,
    /// How long a source takes to answer for this patient.
    pub delays_ms: BTreeMap<String, u64>,
    /// How a source fails for this patient.
    pub faults: BTreeMap<String, Fault>,
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

struct Files {
    story: &'static str,
    sources: &'static [(&'static str, &'static str)],
}

/// The files are part of the program, so that it runs from any directory.
macro_rules! patient {
    ($folder:literal: $($source:literal),+) => {
        Files {
            story: include_str!(concat!("../patients/", $folder, "/story.json")),
            sources: &[$((
                $source,
                include_str!(concat!("../patients/", $folder, "/", $source, ".json")),
            )),+],
        }
    };
}

const PATIENTS: &[Files] = &[
    patient!("p1-george-ashworth": "gp", "acute-a", "specialist", "walkin"),
    patient!("p2-doris-unsworth": "gp", "acute-a", "community"),
    patient!("p3-harold-pickering": "gp", "acute-a", "community"),
    patient!("p4-aisha-rahman": "gp", "acute-a", "community"),
    patient!("p5-winifred-clegg": "gp", "acute-a", "walkin"),
];

/// Every story, in order.
pub fn stories() -> &'static [Story] {
    // A file that cannot be read drops out; the tests count the stories.
    static STORIES: LazyLock<Vec<Story>> = LazyLock::new(|| {
        let read = |files: &Files| serde_json::from_str(files.story).ok();
        PATIENTS.iter().filter_map(read).collect()
    });
    &STORIES
}

impl Story {
    /// What a source holds about the patient, as if the story happened on that day.
    pub(crate) fn resources(&self, source: &str, as_of: Date) -> serde_json::Result<Vec<Resource>> {
        let own =
            |files: &&Files| serde_json::from_str::<Self>(files.story).is_ok_and(|story| story.id == self.id);
        let text = PATIENTS
            .iter()
            .find(own)
            .and_then(|files| files.sources.iter().find(|(name, _)| *name == source));
        match text {
            Some((_, text)) => resources(&shifted(text, self.days_to(as_of))),
            None => Ok(Vec::new()),
        }
    }

    /// The day the story is told on.
    pub fn day(&self) -> Date {
        self.as_of.to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    fn days_to(&self, as_of: Date) -> Span {
        self.day().until(as_of).unwrap_or_else(|_| 0.days())
    }
}

/// Moves every whole date of a JSON text by so many days: `"2026-03-02…"`, and `28-Feb-2026` in notes.
///
/// Dates of birth stay: they identify the patient elsewhere too.
fn shifted(text: &str, days: Span) -> String {
    if days.is_zero() {
        return text.to_owned();
    }
    let mut moved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at_word =
            moved.chars().next_back().is_none_or(|before| !before.is_ascii_alphanumeric() && before != '-');
        let is_birth = moved.ends_with("\"birthDate\": \"");
        let found = if at_word && !is_birth { dated(rest, days) } else { None };
        let (length, replacement) = found.unwrap_or_else(|| (first.len_utf8(), first.to_string()));
        moved.push_str(&replacement);
        rest = rest.get(length..).unwrap_or_default();
    }
    moved
}

/// The date a text begins with, moved: its length and its replacement.
fn dated(text: &str, days: Span) -> Option<(usize, String)> {
    for (format, length) in [("%Y-%m-%d", 10), ("%d-%b-%Y", 11)] {
        let candidate = text.get(..length)?;
        let ends = text.get(length..).is_some_and(|rest| rest.starts_with(['"', 'T', ' ', '.']));
        if ends
            && candidate.starts_with(|first: char| first.is_ascii_digit())
            && let Ok(date) = Date::strptime(format, candidate)
        {
            let moved = date.checked_add(days).ok()?;
            return Some((length, moved.strftime(format).to_string()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_move_by_days_and_nothing_else_does() {
        let text = r#"{"a":"2026-03-09","b":"2012","c":"before 28-Feb-2026 may","d":"2025-09-04T10:20:00+01:00","e":"9990000107"}"#;
        let moved = r#"{"a":"2026-03-11","b":"2012","c":"before 02-Mar-2026 may","d":"2025-09-06T10:20:00+01:00","e":"9990000107"}"#;
        assert_eq!(shifted(text, 2.days()), moved);
        assert_eq!(shifted(text, 0.days()), text);
    }

    #[test]
    fn every_story_and_every_file_of_it_reads() {
        assert_eq!(stories().len(), PATIENTS.len());
        for (story, files) in stories().iter().zip(PATIENTS) {
            let sources: Vec<&str> = files.sources.iter().map(|(name, _)| *name).collect();
            assert_eq!(story.sources, sources);
            for source in sources {
                let resources = story.resources(source, story.day()).unwrap();
                let patient = resources.first().unwrap();
                assert_eq!(patient.nhs_number(), Some(story.nhs_number.as_str()), "{} {source}", story.id);
                assert!(tributary_model::NhsNumber::parse(&story.nhs_number).is_ok());
            }
        }
    }
}
