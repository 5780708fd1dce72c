//! One row per source while they answer, painted over and over on a terminal.

use std::time::Duration;

use tributary_client::{GrowingRecord, SourceProgress};

use crate::show::{self, Colour};

/// Nothing is written beyond the right edge, so every row stays one row.
const NO_WRAP: &str = "\u{1b}[?7l";
const WRAP: &str = "\u{1b}[?7h";
/// Clears to the end of the row; to the end of the screen.
const CLEAR_ROW: &str = "\u{1b}[K";
const CLEAR_REST: &str = "\u{1b}[J";

/// What the rows are made of: the record may move on while they are painted.
#[derive(Clone, Debug, Default)]
pub struct LiveRows {
    sources: Vec<SourceProgress>,
    label: String,
    is_interrupted: bool,
}

impl LiveRows {
    /// The rows of a record as it is now.
    pub fn of(record: &GrowingRecord) -> Self {
        let label = record.allergy_label().to_string();
        Self { sources: record.sources().to_vec(), label, is_interrupted: false }
    }

    /// The same, while the connection is being made again.
    #[must_use]
    pub fn interrupted(self) -> Self {
        Self { is_interrupted: true, ..self }
    }

    /// The rows, so long after the question: a head, one for each source, and the allergy label, which is
    /// `Checking` until nobody is awaited who could change it.
    pub fn rows(&self, elapsed: Duration, colour: Colour) -> Vec<String> {
        let seconds = elapsed.as_secs();
        let awaited = self.sources.iter().filter(|one| one.is_pending).count();
        let head = match (self.is_interrupted, self.sources.len()) {
            (true, _) => colour.warn("Connection lost, trying again …"),
            (false, 0) => format!("Asking … {seconds} s"),
            (false, all) => format!("{awaited} of {all} sources awaited, {seconds} s"),
        };
        let names: Vec<String> = self.sources.iter().map(|one| show::source_name(&one.row)).collect();
        let width = show::width(names.iter().map(String::as_str));
        let rows = names.iter().zip(&self.sources);
        let rows = rows.map(|(name, one)| row(&show::padded(name, width), one, seconds, colour));
        let label = (!self.sources.is_empty()).then(|| {
            let label = show::one_line(&self.label);
            format!("Allergies: {}", colour.bold(&label))
        });
        [head].into_iter().chain(rows).chain(label).collect()
    }
}

fn row(name: &str, one: &SourceProgress, seconds: u64, colour: Colour) -> String {
    let words = show::one_line(&one.row.words);
    if one.is_pending {
        return format!("  … {name}  checking, {seconds} s");
    }
    let words = if words.is_empty() { one.row.status.clone() } else { words };
    let words = if one.is_late { format!("{words} (late)") } else { words };
    if one.row.severity == "information" {
        format!("  ✔ {name}  {words}")
    } else {
        format!("  ! {name}  {}", colour.warn(&words))
    }
}

/// The text that puts `rows` in the place of as many rows as were there before. The cursor stays below them.
pub fn repaint(before: usize, rows: &[String]) -> String {
    let mut text = String::from(NO_WRAP);
    text.push_str(&up(before));
    for row in rows {
        text.push_str(row);
        text.push_str(CLEAR_ROW);
        text.push('\n');
    }
    text.push_str(CLEAR_REST);
    text.push_str(WRAP);
    text
}

/// The text that takes the rows away again.
pub fn erase(rows: usize) -> String {
    format!("{}{CLEAR_REST}", up(rows))
}

fn up(rows: usize) -> String {
    // Zero would mean one to a terminal.
    if rows == 0 { "\r".to_owned() } else { format!("\r\u{1b}[{rows}A") }
}

#[cfg(test)]
mod tests {
    use tributary_client::SourceRow;

    use super::*;

    fn source(id: &str, status: &str, severity: &str, words: &str) -> SourceProgress {
        let text = str::to_owned;
        let name = format!("The {id}");
        let row = SourceRow {
            id: text(id),
            name,
            status: text(status),
            severity: text(severity),
            words: text(words),
            ..SourceRow::default()
        };
        SourceProgress { row, is_pending: status == "checking", is_late: false }
    }

    fn rows() -> LiveRows {
        LiveRows {
            sources: vec![
                source("gp", "checking", "warning", ""),
                source("walkin", "timeout", "error", "did not answer\u{1b}[2J\nin time"),
                source("acute-a", "ok", "information", "answered"),
            ],
            label: "Checking".to_owned(),
            is_interrupted: false,
        }
    }

    #[test]
    fn every_source_has_its_row_from_the_first_moment() {
        let seconds = Duration::from_millis(2_900);
        assert_eq!(
            rows().rows(seconds, Colour::Never),
            [
                "1 of 3 sources awaited, 2 s",
                "  … The gp (gp)            checking, 2 s",
                "  ! The walkin (walkin)    did not answer [2J in time",
                "  ✔ The acute-a (acute-a)  answered",
                "Allergies: Checking",
            ]
        );
        assert_eq!(LiveRows::default().rows(seconds, Colour::Never), ["Asking … 2 s"]);
        let lost = rows().interrupted().rows(seconds, Colour::Never);
        assert_eq!(lost[0], "Connection lost, trying again …");
        assert_eq!(lost.len(), 5, "what had come stays");
    }

    #[test]
    fn who_answers_late_is_marked() {
        let mut late = rows();
        late.sources[2].is_late = true;
        let rows = late.rows(Duration::ZERO, Colour::Never);
        assert_eq!(rows[3], "  ✔ The acute-a (acute-a)  answered (late)");
    }

    #[test]
    fn rows_are_painted_over_those_before() {
        let two = ["a".to_owned(), "b".to_owned()];
        assert_eq!(repaint(0, &two), "\u{1b}[?7l\ra\u{1b}[K\nb\u{1b}[K\n\u{1b}[J\u{1b}[?7h");
        assert!(repaint(3, &two).starts_with("\u{1b}[?7l\r\u{1b}[3Aa"));
        assert_eq!(erase(2), "\r\u{1b}[2A\u{1b}[J");
    }
}
