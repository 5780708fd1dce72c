//! Who looked at one person's record, in words for that person. A4 width, nothing clinical.

mod look;
mod words;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tributary_model::NhsNumber;

use crate::entry::Entry;
use crate::found::{Found, Hit};

pub use look::{Aside, Look, LookOutcome, Looks};
pub use words::Names;

/// Columns of a page.
const WIDTH: usize = 78;
/// Where what is said of a thing begins.
const INDENT: usize = 14;

/// What a report is about.
#[derive(Clone, Debug)]
pub struct Report<'r> {
    /// Whose record.
    pub patient: NhsNumber,
    /// What was found.
    pub found: &'r Found,
    /// Names of organisations, sources and rules.
    pub names: &'r Names,
    /// For which case it is made.
    pub case: &'r str,
    /// When it is made.
    pub made_at: Timestamp,
    /// The time it covers, as it was asked for.
    pub period: (Option<Timestamp>, Option<Timestamp>),
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "WHO LOOKED AT THE CARE RECORD")?;
        writeln!(f, "of the person with NHS number {}", self.patient.grouped())?;
        writeln!(f)?;
        writeln!(f, "Made on {} for case {}.", moment(&self.made_at.to_string()), self.case)?;
        paragraph(f, 0, &self.covers())?;
        writeln!(f)?;
        self.warning(f)?;
        self.summary(f)?;
        for (number, hit) in (1..).zip(self.of(is_look)) {
            writeln!(f)?;
            self.look(f, number, hit)?;
        }
        self.others(f)?;
        writeln!(f)?;
        paragraph(f, 0, CLOSING)
    }
}

const CLOSING: &str = "This list is made from the audit log of the shared care record. It tells who asked and what \
                       they were allowed to see. It holds nothing of what the record says. Each entry has a number, \
                       by which it can be found and checked again.";

/// Whether a record tells of somebody who looked, or wanted to.
pub(crate) fn is_look(entry: &Entry) -> bool {
    matches!(entry.kind.as_str(), "disclosure" | "denied" | "intent")
}

impl Report<'_> {
    fn of(&self, which: impl Fn(&Entry) -> bool) -> impl Iterator<Item = &Hit> {
        self.found.hits.iter().filter(move |hit| which(&hit.entry))
    }

    fn covers(&self) -> String {
        match self.period {
            (None, None) => "It covers everything that is on record.".to_owned(),
            (since, until) => {
                let from = since.map(|since| format!(" from {}", moment(&since.to_string())));
                let to = until.map(|until| format!(" until {}", moment(&until.to_string())));
                format!("It covers the time{}{}.", from.unwrap_or_default(), to.unwrap_or_default())
            }
        }
    }

    fn warning(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.found.gaps.is_empty() {
            return Ok(());
        }
        paragraph(
            f,
            0,
            "PLEASE NOTE: part of the audit log is missing or cannot be read, so this list may not be complete. The \
             people who run the shared care record have to look into this and tell you.",
        )?;
        writeln!(f)
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen: Vec<&Hit> = self.of(Entry::is_answer).collect();
        let user = |hit: &&&Hit| hit.entry.user.as_ref().map(|user| (user.org.clone(), user.id.clone()));
        let people: BTreeSet<_> = seen.iter().filter_map(|hit| user(&hit)).collect();
        let places: BTreeSet<_> = people.iter().map(|(org, _)| org).collect();
        let refused = self.of(|entry| entry.kind == "denied").count();
        let unsent = self.of(|entry| is_look(entry) && entry.kind != "denied" && !entry.is_answer()).count();
        let is_glass = |entry: &Entry| is_look(entry) && entry.is_break_glass();
        let glass = self.of(|entry| is_glass(entry) && entry.kind != "denied").count();
        let wished = self.of(|entry| is_glass(entry) && entry.kind == "denied").count();
        writeln!(f, "IN SHORT")?;
        let opened = match seen.len() {
            0 => "Nobody was given anything from your record.".to_owned(),
            times => format!(
                "Your record was opened {}, by {} from {}.",
                counted(times, "time", "times"),
                counted(people.len(), "person", "people"),
                counted(places.len(), "organisation", "organisations"),
            ),
        };
        paragraph(f, 2, &opened)?;
        if refused > 0 {
            paragraph(f, 2, &format!("{} refused.", counted(refused, "request was", "requests were")))?;
        }
        if unsent > 0 {
            let what = counted(unsent, "request", "requests");
            paragraph(f, 2, &format!("{what} brought no answer: nothing from your record was given."))?;
        }
        let glass = match glass {
            0 => "Nobody used the emergency override.".to_owned(),
            times => format!("The emergency override was used {}.", counted(times, "time", "times")),
        };
        paragraph(f, 2, &glass)?;
        if wished > 0 {
            let times = counted(wished, "time", "times");
            paragraph(f, 2, &format!("The emergency override was asked for {times} and not allowed."))?;
        }
        Ok(())
    }

    fn look(&self, f: &mut fmt::Formatter<'_>, number: usize, hit: &Hit) -> fmt::Result {
        let look = Look::of(hit, self.names);
        writeln!(f, "{number}. {}", look.when)?;
        row(f, "Who", &format!("{}, {}", look.who, look.role))?;
        row(f, "From", &look.organisation)?;
        row(f, "Why", &look.why)?;
        if let Some(words) = &look.emergency {
            row(f, "Override", words)?;
        }
        let refused = look.outcome == LookOutcome::Refused;
        row(f, if refused { "Refused" } else { "Allowed" }, &look.because)?;
        let shown = look.outcome == LookOutcome::Shown;
        row(f, if shown { "Looked at" } else { "Asked for" }, &look.asked)?;
        for (place, line) in look.not_shown.iter().enumerate() {
            row(f, if place == 0 { "Not shown" } else { "" }, line)?;
        }
        row(f, "Reached", &look.reached)?;
        row(f, "Entry", &look.entry)
    }

    fn others(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: Vec<Aside> =
            self.of(|entry| !is_look(entry)).filter_map(|hit| Aside::of(hit, self.names)).collect();
        if said.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nWHAT ELSE IS ON RECORD")?;
        for Aside { when, says, entry, .. } in said {
            paragraph(f, 2, &format!("{when}: {says} Entry {entry}."))?;
        }
        Ok(())
    }
}

/// A moment as it was on clocks in England.
pub(crate) fn moment(at: &str) -> String {
    let read = at.parse::<Timestamp>().ok().zip(TimeZone::get("Europe/London").ok());
    let told =
        |(at, zone): (Timestamp, TimeZone)| at.to_zoned(zone).strftime("%A %-d %B %Y, %H:%M").to_string();
    read.map_or_else(|| at.to_owned(), told)
}

fn counted(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}

/// A thing and what is said of it, within the page.
fn row(f: &mut fmt::Formatter<'_>, name: &str, says: &str) -> fmt::Result {
    let mut text = String::new();
    paragraph(&mut text, INDENT, says)?;
    let rest = text.get(INDENT.min(text.len())..).unwrap_or_default();
    write!(f, "   {name:<width$}{rest}", width = INDENT - 3)
}

/// Words within the page.
fn paragraph(out: &mut impl fmt::Write, indent: usize, words: &str) -> fmt::Result {
    let mut line = " ".repeat(indent);
    let mut is_empty = true;
    for word in words.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.write_str(word)?;
        is_empty = false;
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests;
