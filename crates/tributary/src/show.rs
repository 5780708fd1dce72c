//! A record on a terminal: rows, words and marks, nothing that is not in the table.

use std::io::{self, IsTerminal, Write};

use tributary_client::{Discrepancy, Line, Member, RecordAnswer, RecordTable, SectionRows, SourceRow};
use tributary_model::Completeness;

/// Titles are padded to a common width up to here; longer ones push their row aside.
const WIDEST_TITLE: usize = 72;

/// Whether words may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text, for files and programs.
    Never,
    /// A terminal that understands it.
    Ansi,
}

impl Colour {
    /// Colour on a terminal only, and not where `NO_COLOR` is set.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !is_unwanted { Self::Ansi } else { Self::Never }
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Never => text.to_owned(),
            Self::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.paint("1;31", text)
    }
}

/// A record, and what its head says of it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Whether it is whole.
    pub completeness: Completeness,
    /// Sources that answered, and sources that were expected.
    pub sources: (usize, usize),
    /// Number of the audit record of this disclosure.
    pub audit: &'a str,
    /// The record.
    pub table: &'a RecordTable,
}

impl<'a> From<&'a RecordAnswer> for Shown<'a> {
    fn from(answer: &'a RecordAnswer) -> Self {
        let RecordAnswer { completeness, sources, audit, table, .. } = answer;
        Self { completeness: *completeness, sources: *sources, audit, table }
    }
}

/// Prints a record.
pub fn record<'a>(out: &mut dyn Write, answer: impl Into<Shown<'a>>, colour: Colour) -> io::Result<()> {
    let answer = answer.into();
    let table = answer.table;
    let patient = &table.patient;
    let born = if patient.born.is_empty() { "date of birth not given" } else { &patient.born };
    let name = if patient.name.is_empty() { "name not given" } else { &patient.name };
    let number = &patient.nhs_number;
    let is_dead = !patient.died.is_empty();
    let died = if is_dead { colour.warn(&format!("   died {}", patient.died)) } else { String::new() };
    writeln!(out, "{}   born {born}{died}   NHS number {number}", colour.bold(name))?;
    let (answered, expected) = answer.sources;
    let completeness = colour.bold(answer.completeness.code());
    writeln!(out, "Completeness: {completeness} ({answered} of {expected} sources answered)\n")?;
    sources(out, &table.sources, colour)?;
    for notice in &table.notices {
        writeln!(out, "  ! {}", one_line(notice))?;
    }
    // Whoever did not ask about allergies knows nothing of them.
    let unasked = "Allergies unavailable";
    let label = if table.allergy_label.is_empty() { unasked } else { &table.allergy_label };
    writeln!(out, "\nAllergies: {}", colour.bold(&one_line(label)))?;
    for section in table.sections.iter().filter(|section| !section.lines.is_empty()) {
        self::section(out, section, colour)?;
    }
    empty_sections(out, table)?;
    discrepancies(out, &table.discrepancies, colour)?;
    writeln!(out, "\nRecorded in the audit log as {}.", answer.audit)
}

/// Prints one row per source.
pub fn sources(out: &mut dyn Write, rows: &[SourceRow], colour: Colour) -> io::Result<()> {
    let names: Vec<String> = rows.iter().map(source_name).collect();
    let name_width = width(names.iter().map(String::as_str));
    let status_width = width(rows.iter().map(|row| row.status.as_str()));
    let words_width = width(rows.iter().map(|row| row.words.as_str()));
    for (name, row) in names.iter().zip(rows) {
        let status = padded(&row.status, status_width);
        let status = if row.severity == "information" { status } else { colour.warn(&status) };
        // A fixed clock tells no durations; a zero would look like one.
        let latency = row.latency_ms.filter(|ms| *ms > 0).map(|ms| format!("{ms:>6} ms")).unwrap_or_default();
        let words = padded(&one_line(&row.words), words_width);
        let row = format!("  {}  {status}  {words}  {latency}", padded(name, name_width));
        writeln!(out, "{}", row.trim_end())?;
    }
    Ok(())
}

/// A source that sent nothing is not named in the answer; its id does.
pub(crate) fn source_name(row: &SourceRow) -> String {
    if row.name == row.id { row.id.clone() } else { format!("{} ({})", one_line(&row.name), row.id) }
}

fn section(out: &mut dyn Write, section: &SectionRows, colour: Colour) -> io::Result<()> {
    writeln!(out, "\n{}  {}", colour.bold(&section.code), section.title)?;
    for notice in &section.notices {
        writeln!(out, "  ! {}", one_line(notice))?;
    }
    let titles: Vec<String> = section.lines.iter().map(|line| one_line(&line.title)).collect();
    let title_width = width(titles.iter().map(String::as_str)).min(WIDEST_TITLE);
    let class_width = width(section.lines.iter().map(|line| line.class.as_str()));
    for (title, line) in titles.iter().zip(&section.lines) {
        let class = padded(&line.class, class_width);
        let class = if line.class == "conflict" { colour.warn(&class) } else { class };
        writeln!(out, "  {}  {class}  {}", padded(title, title_width), members(line))?;
    }
    Ok(())
}

fn members(line: &Line) -> String {
    line.members.iter().map(member).collect::<Vec<_>>().join(", ")
}

/// `community MedicationStatement/m1 [echo] (current)`.
fn member(member: &Member) -> String {
    let copy = member.copy.as_ref().map(|copy| format!(" [{copy}]")).unwrap_or_default();
    let position = member.position.as_ref().map(|position| format!(" ({position})")).unwrap_or_default();
    format!("{} {}{copy}{position}", member.source, one_line(&member.origin))
}

/// Sections without lines in one paragraph, grouped by why: an empty section is never only empty.
fn empty_sections(out: &mut dyn Write, table: &RecordTable) -> io::Result<()> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for section in table.sections.iter().filter(|section| section.lines.is_empty()) {
        let why = why_empty(section);
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, codes)) => codes.push(&section.code),
            None => reasons.push((why, vec![&section.code])),
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWithout lines:")?;
    for (reason, codes) in reasons {
        writeln!(out, "  {}: {reason}", codes.join(", "))?;
    }
    Ok(())
}

fn why_empty(section: &SectionRows) -> String {
    let mut parts = Vec::new();
    if let Some(empty) = &section.empty {
        // The words of the others say it themselves.
        if matches!(empty.code.as_str(), "unavailable" | "withheld") || empty.words.is_empty() {
            parts.push(empty.code.clone());
        }
        parts.push(one_line(&empty.words));
    }
    parts.extend(section.notices.iter().map(|notice| one_line(notice)));
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        // The broker always says why; if it did not, nothing is known.
        parts.push("not known".to_owned());
    }
    parts.join(". ").replace("..", ".")
}

fn discrepancies(out: &mut dyn Write, found: &[Discrepancy], colour: Colour) -> io::Result<()> {
    if found.is_empty() {
        return writeln!(out, "\nDiscrepancies: none");
    }
    writeln!(out, "\nDiscrepancies:")?;
    for one in found {
        let (rule, kind, severity) = (colour.warn(&one.rule), &one.kind, &one.severity);
        let members: Vec<String> = one.members.iter().map(|member| one_line(member)).collect();
        writeln!(out, "  {rule} ({kind}, {severity}): {}", members.join(", "))?;
        writeln!(out, "    {}", one_line(&one.words))?;
    }
    Ok(())
}

/// Words of a source may hold anything: a line break would forge a row, an escape would drive the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let is_safe = |letter: char| {
        !letter.is_control() && !matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|letter| if is_safe(letter) { letter } else { ' ' }).collect()
}

pub(crate) fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

#[cfg(test)]
mod tests {
    use tributary_client::{Banner, EmptyReason};

    use super::*;

    fn text(value: &str) -> String {
        value.to_owned()
    }

    fn member(source: &str, origin: &str, copy: Option<&str>, position: Option<&str>) -> Member {
        Member {
            source: text(source),
            origin: text(origin),
            copy: copy.map(text),
            position: position.map(text),
            attachments: Vec::new(),
        }
    }

    fn sample() -> RecordAnswer {
        let medications = SectionRows {
            code: text("medications"),
            title: text("Medications and medical devices"),
            notices: vec![text("Some are withheld.")],
            empty: None,
            lines: vec![Line {
                key: text("k"),
                title: text("Codeine\n30mg \u{1b}[2Jtablets"),
                class: text("conflict"),
                members: vec![
                    member("gp", "MedicationStatement/ms4", None, Some("past")),
                    member("community", "MedicationStatement/m2", Some("stale-copy"), Some("current")),
                ],
            }],
        };
        let empty = |code: &str| SectionRows {
            code: text(code),
            empty: Some(EmptyReason { code: text("unavailable"), words: text("Nobody answered.") }),
            ..SectionRows::default()
        };
        RecordAnswer {
            completeness: Completeness::Partial,
            sources: (1, 2),
            audit: text("local-7"),
            bundle_json: String::new(),
            table: RecordTable {
                patient: Banner {
                    name: text("PICKERING, Harold"),
                    born: text("01-Jan-1950"),
                    gender: text("Male"),
                    nhs_number: text("999 000 0301"),
                    died: text("03-Nov-2024"),
                },
                as_of: text("2026-03-10T00:00:00Z"),
                allergy_label: text("Allergies unavailable"),
                sources: vec![SourceRow {
                    id: text("gp"),
                    name: text("Riverside Surgery"),
                    status: text("ok"),
                    severity: text("information"),
                    words: text("Riverside Surgery answered."),
                    latency_ms: Some(240),
                    last_answered: None,
                }],
                notices: Vec::new(),
                sections: vec![medications, empty("results"), empty("diary")],
                discrepancies: vec![Discrepancy {
                    rule: text("medicine-status"),
                    kind: text("conflict"),
                    severity: text("high"),
                    words: text("One says current, one says past."),
                    members: vec![
                        text("MedicationStatement/ms4@gp"),
                        text("MedicationStatement/m2@community"),
                    ],
                }],
            },
        }
    }

    fn printed(colour: Colour) -> String {
        let mut out = Vec::new();
        record(&mut out, &sample(), colour).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn everything_of_a_record_is_printed() {
        let expected = "\
PICKERING, Harold   born 01-Jan-1950   died 03-Nov-2024   NHS number 999 000 0301
Completeness: partial (1 of 2 sources answered)

  Riverside Surgery (gp)  ok  Riverside Surgery answered.     240 ms

Allergies: Allergies unavailable

medications  Medications and medical devices
  ! Some are withheld.
  Codeine 30mg  [2Jtablets  conflict  gp MedicationStatement/ms4 (past), community MedicationStatement/m2 [stale-copy] (current)

Without lines:
  results, diary: unavailable. Nobody answered.

Discrepancies:
  medicine-status (conflict, high): MedicationStatement/ms4@gp, MedicationStatement/m2@community
    One says current, one says past.

Recorded in the audit log as local-7.
";
        assert_eq!(printed(Colour::Never), expected);
    }

    #[test]
    fn only_colour_differs_on_a_terminal() {
        let coloured = printed(Colour::Ansi);
        let mut plain = coloured.clone();
        for code in ["\u{1b}[1m", "\u{1b}[1;31m", "\u{1b}[0m"] {
            plain = plain.replace(code, "");
        }
        assert_ne!(coloured, plain);
        assert_eq!(plain, printed(Colour::Never));
    }
}
