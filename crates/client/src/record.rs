//! A record as far as it has come: what the events of a stream add up to.

use std::fmt;

use tributary_fhir::Json;
use tributary_model::{Completeness, FaultClass, Section, SourceStatus};

use crate::answer;
use crate::error::ClientError;
use crate::table::{Banner, Discrepancy, Line, Member, RecordTable, SectionRows, SourceRow};
use crate::words::text;

/// What is said about allergies while somebody who could change it has not answered.
const CHECKING: &str = "Checking";

/// A record that may still grow.
#[derive(Clone, Default)]
pub struct GrowingRecord {
    patient: Banner,
    sources: Vec<SourceProgress>,
    sections: Vec<SectionPart>,
    label: Option<String>,
    completion: Option<Completion>,
    /// Whether something came after the last completion.
    has_moved: bool,
}

/// One source, now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceProgress {
    /// What became of it, or that it is being asked.
    pub row: SourceRow,
    /// Whether it is still awaited.
    pub is_pending: bool,
    /// Whether it answered after the deadline.
    pub is_late: bool,
}

/// One section, now.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SectionPart {
    /// Its rows.
    pub rows: SectionRows,
    /// `content`, `empty`, `partial`, `withheld`, `failed`, `not-asked`, `not-held` or `pending`.
    pub state: String,
    /// Where the records disagree in it.
    pub discrepancies: Vec<Discrepancy>,
}

/// The end of a record, or of what came in time.
#[derive(Clone, PartialEq, Eq)]
pub struct Completion {
    /// Whether it is whole.
    pub completeness: Completeness,
    /// Sources that answered, and sources that were expected.
    pub sources: (usize, usize),
    /// Number of the audit record of this disclosure.
    pub audit: String,
    /// The instant that every dated rule used, as RFC 3339.
    pub timestamp: String,
    /// Whether nothing follows.
    pub is_last: bool,
    /// Where the records disagree in what belongs to no section.
    pub discrepancies: Vec<Discrepancy>,
}

/// What may be said about allergies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllergyLabel<'r> {
    /// Nobody asked.
    NotAsked,
    /// Not yet anything.
    Checking,
    /// These words, and no source is awaited that could change them.
    Final(&'r str),
}

impl fmt::Display for AllergyLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "Allergies unavailable",
            Self::Checking => CHECKING,
            Self::Final(words) => words,
        })
    }
}

/// What an event changed. The change itself stands in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// Who it is about.
    Patient,
    /// The source of this id.
    Source(String),
    /// The source of this id, which answered after the deadline.
    Late(String),
    /// The section of this code.
    Section(String),
    /// What came in time is there; the record is whole, or says what it lacks.
    Complete,
    /// The connection was lost; the record stands as it was, and is being resumed.
    Interrupted,
}

impl GrowingRecord {
    /// Who it is about; empty until it is known.
    pub const fn patient(&self) -> &Banner {
        &self.patient
    }

    /// Every expected source that was told of, in the order of their first mention.
    pub fn sources(&self) -> &[SourceProgress] {
        &self.sources
    }

    /// Every section that was told of, in display order.
    pub fn sections(&self) -> &[SectionPart] {
        &self.sections
    }

    /// The section of this code.
    pub fn section(&self, code: &str) -> Option<&SectionPart> {
        self.sections.iter().find(|part| part.rows.code == code)
    }

    /// The end, when it was reached.
    pub const fn completion(&self) -> Option<&Completion> {
        self.completion.as_ref()
    }

    /// Whether everything stands as the last completion left it, and nobody is awaited.
    pub fn is_settled(&self) -> bool {
        self.completion.is_some() && !self.has_moved && !self.sources.iter().any(|one| one.is_pending)
    }

    /// What may be said about allergies. Words that a pending source could change are not given out.
    pub fn allergy_label(&self) -> AllergyLabel<'_> {
        match self.label.as_deref() {
            Some(words) if self.is_settled() => AllergyLabel::Final(words),
            None if self.is_settled() => AllergyLabel::NotAsked,
            Some(_) | None => AllergyLabel::Checking,
        }
    }

    /// The record in the shape of a whole answer, label included as it may be said now.
    pub fn table(&self) -> RecordTable {
        let of_none = self.completion.iter().flat_map(|end| &end.discrepancies);
        let of_sections = self.sections.iter().flat_map(|part| &part.discrepancies);
        RecordTable {
            patient: self.patient.clone(),
            as_of: self.completion.as_ref().map(|end| end.timestamp.clone()).unwrap_or_default(),
            allergy_label: self.allergy_label().to_string(),
            sources: self.sources.iter().map(|one| one.row.clone()).collect(),
            notices: Vec::new(),
            sections: self.sections.iter().map(|part| part.rows.clone()).collect(),
            discrepancies: of_none.chain(of_sections).cloned().collect(),
        }
    }

    /// Takes an event; gives what it changed, or nothing if it is none that is known here.
    pub(crate) fn take(&mut self, name: &str, data: &str) -> Result<Option<Update>, ClientError> {
        if !matches!(name, "patient" | "status" | "late" | "section" | "complete") {
            return Ok(None);
        }
        let document = answer::scan(data.as_bytes().to_vec())?;
        let json = document.root();
        let update = match name {
            "patient" => self.take_patient(json),
            "section" => self.take_section(json),
            "complete" => self.take_completion(json),
            _status => self.take_source(json, name == "late"),
        };
        update.map(Some).ok_or(ClientError::Unreadable(FaultClass::Shape))
    }

    fn take_patient(&mut self, json: Json<'_>) -> Option<Update> {
        json.get("nhsNumber")?;
        self.patient = Banner {
            name: text(json, "name"),
            born: text(json, "born"),
            gender: text(json, "gender"),
            nhs_number: text(json, "nhsNumber"),
            died: text(json, "died"),
        };
        self.has_moved = true;
        Some(Update::Patient)
    }

    fn take_source(&mut self, json: Json<'_>, is_late: bool) -> Option<Update> {
        let id = Some(text(json, "id")).filter(|id| !id.is_empty())?;
        let status = Some(text(json, "status")).filter(|status| !status.is_empty())?;
        let known = SourceStatus::ALL.iter().find(|known| known.code() == status);
        let is_pending = json.get("pending").and_then(Json::truth) == Some(true);
        let name = Some(text(json, "name")).filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
        let row = SourceRow {
            name,
            // Of a status that is not known here, nobody says that it is fine.
            severity: known.map_or("warning", |known| known.severity()).to_owned(),
            words: text(json, "words"),
            latency_ms: json.get("latencyMs").and_then(|number| number.raw().parse().ok()),
            last_answered: json.text_at("lastAnswered").map(Into::into),
            id: id.clone(),
            status,
        };
        let progress = SourceProgress { row, is_pending, is_late };
        match self.sources.iter_mut().find(|one| one.row.id == id) {
            Some(one) => *one = progress,
            None => self.sources.push(progress),
        }
        self.has_moved = true;
        Some(if is_late { Update::Late(id) } else { Update::Source(id) })
    }

    fn take_section(&mut self, json: Json<'_>) -> Option<Update> {
        let code = Some(text(json, "section")).filter(|code| !code.is_empty())?;
        let strings = |key: &str| {
            let items = json.get(key).into_iter().flat_map(Json::items);
            items.filter_map(Json::text).map(Into::into).collect::<Vec<String>>()
        };
        let mut lines: Vec<Line> = json.get("lines")?.items().map(line).collect();
        // Of a medicine the first fact is its position; elsewhere facts are of other kinds.
        if code != Section::Medications.code() {
            let members = lines.iter_mut().flat_map(|line| &mut line.members);
            members.for_each(|member| member.position = None);
        }
        let part = SectionPart {
            discrepancies: discrepancies(json, &lines_by_statement(json)),
            state: text(json, "state"),
            rows: SectionRows {
                code: code.clone(),
                title: text(json, "title"),
                notices: strings("notices"),
                empty: None,
                lines,
            },
        };
        if let Some(label) = json.text_at("allergyLabel") {
            self.label = Some(label.into_owned());
        }
        match self.sections.iter_mut().find(|one| one.rows.code == code) {
            Some(one) => *one = part,
            None => self.sections.push(part),
        }
        self.sections.sort_by_key(|part| place(&part.rows.code));
        self.has_moved = true;
        Some(Update::Section(code))
    }

    fn take_completion(&mut self, json: Json<'_>) -> Option<Update> {
        let count = |key: &str| json.get(key).and_then(|number| number.raw().parse().ok());
        self.completion = Some(Completion {
            completeness: answer::completeness(&json.text_at("completeness")?)?,
            sources: (count("sourcesAnswered")?, count("sourcesExpected")?),
            audit: json.text_at("audit")?.into_owned(),
            timestamp: text(json, "timestamp"),
            is_last: json.get("last").and_then(Json::truth) != Some(false),
            discrepancies: discrepancies(json, &[]),
        });
        self.has_moved = false;
        Some(Update::Complete)
    }
}

impl fmt::Debug for GrowingRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingRecord")
            .field("sources", &self.sources.len())
            .field("sections", &self.sections.len())
            .field("completion", &self.completion)
            .field("is_settled", &self.is_settled())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SectionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SectionPart")
            .field("rows", &self.rows)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("completeness", &self.completeness)
            .field("sources", &self.sources)
            .field("audit", &self.audit)
            .field("is_last", &self.is_last)
            .finish_non_exhaustive()
    }
}

/// The place of a section in display order; what is not known here comes last.
fn place(code: &str) -> usize {
    Section::ALL.iter().position(|section| section.code() == code).unwrap_or(usize::MAX)
}

fn line(json: Json<'_>) -> Line {
    Line {
        key: text(json, "line"),
        title: text(json, "title"),
        class: text(json, "class"),
        members: json.get("members").into_iter().flat_map(Json::items).map(member).collect(),
    }
}

fn member(json: Json<'_>) -> Member {
    let attachments = json.get("attachments").into_iter().flat_map(Json::items);
    Member {
        source: text(json, "source"),
        origin: text(json, "origin"),
        position: json.path(&["facts"]).and_then(Json::text).map(Into::into),
        copy: json.text_at("copy").map(Into::into),
        attachments: attachments.filter_map(Json::text).map(Into::into).collect(),
    }
}

/// Address of a statement, and `Flag/f1@specialist`, for every member of the lines.
fn lines_by_statement(section: Json<'_>) -> Vec<(String, String)> {
    let lines = section.get("lines").into_iter().flat_map(Json::items);
    let members = lines.filter_map(|line| line.get("members")).flat_map(Json::items);
    let named = |one| (text(one, "statement"), format!("{}@{}", text(one, "origin"), text(one, "source")));
    members.map(named).collect()
}

fn discrepancies(json: Json<'_>, statements: &[(String, String)]) -> Vec<Discrepancy> {
    let named = |url: &str| {
        let known = statements.iter().find(|(address, _)| address == url);
        known.map_or_else(|| url.to_owned(), |(_, name)| name.clone())
    };
    let one = |found: Json<'_>| Discrepancy {
        rule: text(found, "rule"),
        kind: text(found, "kind"),
        severity: text(found, "severity"),
        words: text(found, "words"),
        members: found
            .get("statements")
            .into_iter()
            .flat_map(Json::items)
            .filter_map(Json::text)
            .map(|url| named(&url))
            .collect(),
    };
    json.get("discrepancies").into_iter().flat_map(Json::items).map(one).collect()
}

#[cfg(test)]
mod tests;
