//! The record as compact JSON of lines, for parts of a screen in somebody else's program (`?view=lines`).
//!
//! It shows what the Bundle shows, in the same order and the same words, and holds the same statements. Its
//! members are named in `openapi.yaml`.

use tributary_fhir::Writer;
use tributary_model::Section;

use super::{lists, r4, statement};
use crate::lines::Line;
use crate::record::Record;
use crate::view::{LineView, MemberView, RecordView, SectionView};

impl Record<'_> {
    /// The record as lines, with every statement in the same answer. Equal records give equal bytes.
    pub fn to_lines(&self) -> String {
        let view = self.to_view();
        let beneath = self.beneath();
        let received: usize = self.loaded.statements.iter().map(|one| one.resource.raw().len() + 900).sum();
        let mut json = Writer::with_capacity(received + 8_192);
        json.object(|record| {
            record.text("timestamp", &view.as_of);
            record.text("completeness", self.tally().completeness().code());
            write_patient(&view, record);
            record.key("sources").array(|list| write_sources(&view, list));
            record.text("allergyLabel", self.label.words());
            record.key("sections").array(|list| {
                for section in &view.sections {
                    list.object(|one| self.write_section(section, &beneath, one));
                }
            });
            record.key("discrepancies").array(|list| self.write_disputes(list));
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

    fn write_disputes(&self, list: &mut Writer) {
        for one in &self.discrepancies {
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
    }

    fn write_url(&self, place: usize, list: &mut Writer) {
        if let Some(statement) = self.loaded.statements.get(place) {
            list.string(&r4::urn(statement.id));
        }
    }
}

fn write_patient(view: &RecordView, json: &mut Writer) {
    let patient = &view.patient;
    json.key("patient").record([
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
