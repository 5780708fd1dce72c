//! The record as compact JSON of lines, for parts of a screen in somebody else's program (`?view=lines`).
//!
//! It shows what the Bundle shows, in the same order and the same words, and holds the same statements. Its
//! members are named in `openapi.yaml`.

use std::collections::BTreeSet;

use tributary_fhir::Writer;
use tributary_model::{Section, SourceId};

use super::{lists, r4, statement};
use crate::lines::Line;
use crate::record::Record;
use crate::rules::Discrepancy;
use crate::view::{LineView, MemberView, RecordView, SectionView, SourceRow};

/// The record as lines, cut into what a stream sends one by one. Each piece is a JSON object of its own; put
/// together they hold what [`Record::to_lines`] gives, statement by statement.
#[derive(Clone)]
pub struct Pieces {
    /// The `patient` of the lines.
    pub patient: String,
    /// Each of its `sources`, worst first, with `pending` while it is awaited.
    pub sources: Vec<(SourceId, String)>,
    /// Each of its `sections`, with the discrepancies and statements that belong there; the label of the allergies
    /// stands with them.
    pub sections: Vec<(Section, String)>,
    /// What belongs to no section: time, completeness, the other discrepancies, and what statements refer to.
    pub rest: String,
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces")
            .field("sources", &self.sources.len())
            .field("sections", &self.sections.len())
            .finish_non_exhaustive()
    }
}

impl Record<'_> {
    /// The record as lines, piece by piece; `view` is its own. Equal records give equal bytes.
    pub fn to_pieces(&self, view: &RecordView) -> Pieces {
        let beneath = self.beneath();
        let mut told = BTreeSet::new();
        let mut piece = |section: &SectionView| {
            let shown = self.lines_of(section.section).flat_map(|line| &line.members);
            let below = |top: &usize| beneath.get(*top).into_iter().flatten();
            let places = shown.flat_map(|top| std::iter::once(top).chain(below(top))).copied();
            let places: Vec<usize> = places.filter(|place| told.insert(*place)).collect();
            (section.section, written(|json| self.write_piece(section, (&beneath, &places), json)))
        };
        let sections = view.sections.iter().map(&mut piece).collect();
        let mut rest = Writer::with_capacity(1_024);
        rest.object(|piece| {
            piece.text("timestamp", &view.as_of);
            piece.text("completeness", self.tally().completeness().code());
            piece.key("discrepancies").array(|list| self.write_disputes(None, list));
            piece.key("statements").array(|list| {
                let others = self.display_order(&beneath).into_iter().filter(|place| !told.contains(place));
                for place in others.chain(self.supporting_order()) {
                    statement::write_entry(self, place, list);
                }
            });
        });
        Pieces {
            patient: written(|json| write_patient(view, json)),
            sources: view
                .sources
                .iter()
                .map(|row| (row.id.clone(), written(|json| write_row(row, json))))
                .collect(),
            sections,
            rest: rest.finish(),
        }
    }

    fn write_piece(
        &self,
        section: &SectionView,
        (beneath, places): (&[Vec<usize>], &[usize]),
        json: &mut Writer,
    ) {
        json.object(|piece| {
            self.write_section(section, beneath, piece);
            if section.section == Section::Allergies {
                piece.text("allergyLabel", self.label.words());
            }
            piece.key("discrepancies").array(|list| self.write_disputes(Some(section.section), list));
            let statements = piece.key("statements");
            statements
                .array(|list| places.iter().for_each(|place| statement::write_entry(self, *place, list)));
        });
    }

    /// The record as lines, with every statement in the same answer. Equal records give equal bytes.
    pub fn to_lines(&self) -> String {
        let view = self.to_view();
        let beneath = self.beneath();
        let received: usize = self.loaded.statements.iter().map(|one| one.resource.raw().len() + 900).sum();
        let mut json = Writer::with_capacity(received + 8_192);
        json.object(|record| {
            record.text("timestamp", &view.as_of);
            record.text("completeness", self.tally().completeness().code());
            write_patient(&view, record.key("patient"));
            record.key("sources").array(|list| write_sources(&view, list));
            record.text("allergyLabel", self.label.words());
            record.key("sections").array(|list| {
                for section in &view.sections {
                    list.object(|one| self.write_section(section, &beneath, one));
                }
            });
            record.key("discrepancies").array(|list| {
                for one in &self.discrepancies {
                    self.write_dispute(one, list);
                }
            });
            record.key("statements").array(|list| {
                for place in self.display_order(&beneath).into_iter().chain(self.supporting_order()) {
                    statement::write_entry(self, place, list);
                }
            });
        });
        json.finish()
    }

    fn write_section(&self, view: &SectionView, beneath: &[Vec<usize>], json: &mut Writer) {
        json.text("section", view.section.code());
        json.text("title", view.section.title());
        json.text("state", view.state.code());
        json.key("notices").array(|list| view.notices.iter().for_each(|notice| list.string(notice)));
        json.key("lines").array(|list| {
            // The view has the same lines in the same order.
            for (line, words) in self.lines_of(view.section).zip(&view.lines) {
                let below = line.members.iter().filter_map(|top| beneath.get(*top)).flatten().copied();
                list.object(|one| self.write_line(line, words, &below.collect::<Vec<_>>(), one));
            }
        });
    }

    fn write_line(&self, line: &Line, words: &LineView, below: &[usize], json: &mut Writer) {
        write_words(line, words, json);
        json.key("beneath").array(|list| below.iter().for_each(|place| self.write_url(*place, list)));
    }

    /// The discrepancies of a section, or those of none.
    fn write_disputes(&self, section: Option<Section>, list: &mut Writer) {
        let home = |one: &Discrepancy| one.section.filter(|section| self.inputs.sections.contains(*section));
        for one in self.discrepancies.iter().filter(|one| home(one) == section) {
            self.write_dispute(one, list);
        }
    }

    fn write_dispute(&self, one: &Discrepancy, list: &mut Writer) {
        list.object(|dispute| {
            dispute.text("rule", one.rule.id);
            dispute.text("kind", one.rule.kind.code());
            dispute.text("severity", one.rule.severity);
            dispute.text_if("section", one.section.map(Section::code));
            dispute.text("words", &one.words);
            dispute.key("statements").array(|list| {
                one.members.iter().for_each(|place| self.write_url(*place, list));
            });
        });
    }

    fn write_url(&self, place: usize, list: &mut Writer) {
        if let Some(statement) = self.loaded.statements.get(place) {
            list.string(&r4::urn(statement.id));
        }
    }
}

fn written(write: impl FnOnce(&mut Writer)) -> String {
    let mut json = Writer::with_capacity(256);
    write(&mut json);
    json.finish()
}

fn write_patient(view: &RecordView, json: &mut Writer) {
    let patient = &view.patient;
    json.record([
        ("nhsNumber", patient.nhs_number.as_str()),
        ("name", patient.name.as_str()),
        ("born", patient.born.as_str()),
        ("gender", patient.gender.as_str()),
        ("died", patient.died.as_str()),
    ]);
}

fn write_sources(view: &RecordView, list: &mut Writer) {
    for source in &view.sources {
        list.record([
            ("id", source.id.as_str()),
            ("name", source.name.as_str()),
            ("status", source.status.code()),
            ("words", source.words.as_str()),
        ]);
    }
}

/// A source in a stream, where it may still be awaited.
fn write_row(source: &SourceRow, json: &mut Writer) {
    json.object(|row| {
        row.text("id", source.id.as_str());
        row.text("name", &source.name);
        row.text("status", source.status.code());
        row.text("words", &source.words);
        row.key("pending").truth(source.pending);
        row.key("latencyMs").number(source.latency_ms);
    });
}

fn write_words(line: &Line, words: &LineView, json: &mut Writer) {
    json.text("line", &lists::key_hash(&line.key));
    json.text("class", line.class.code());
    json.text("title", &words.title);
    json.key("members").array(|list| {
        for member in &words.members {
            list.object(|one| write_member(member, one));
        }
    });
}

fn write_member(member: &MemberView, json: &mut Writer) {
    json.text("statement", &member.full_url);
    json.text("source", member.source.as_str());
    json.text("sourceName", &member.source_name);
    json.text("origin", &member.origin);
    json.text("title", &member.title);
    json.text("date", &member.date);
    json.key("facts").array(|list| member.facts.iter().for_each(|fact| list.string(fact)));
    json.text_if("copy", member.copy);
    json.text("detail", &member.detail);
    json.key("attachments").array(|list| member.attachments.iter().for_each(|url| list.string(url)));
}
