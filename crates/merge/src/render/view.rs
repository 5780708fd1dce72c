//! The record copied out in words.

use std::collections::BTreeMap;

use tributary_fhir::{Json, Mark};
use tributary_model::{FhirDate, NoticeKind, Section, Shown};

use super::{patient, r4};
use crate::gaps::{self, SourceRecord};
use crate::lines::Line;
use crate::record::Record;
use crate::view::{
    DiscrepancyView, Era, LineView, MemberView, Original, Overview, RecordView, SectionView, SourceRow,
    SourceStanding,
};
use crate::words;
use tributary_statements::facts::{Facts, Position, Thing};
use tributary_statements::load::{Accepted, Statement};
use tributary_statements::refs;

impl Record<'_> {
    /// The record in words.
    pub fn to_view(&self) -> RecordView {
        RecordView {
            patient: patient::view(self),
            sources: self.source_rows(),
            allergy_label: self.label,
            sections: self.inputs.sections.iter().map(|section| self.section_view(section)).collect(),
            discrepancies: self.discrepancies.iter().map(|one| self.discrepancy_view(one)).collect(),
            tally: self.tally(),
            as_of: self.inputs.as_of.to_string(),
            entries: self.entries(),
        }
    }

    /// What of it is told and counted beside its statements: a small part of [`Record::to_view`].
    pub fn overview(&self) -> Overview {
        let ground = self.ground();
        let mut copies = BTreeMap::new();
        let asked = self.lines.iter().filter(|line| self.inputs.sections.contains(line.section));
        for place in asked.flat_map(|line| &line.members) {
            let kind = ground.copy(*place).map(tributary_statements::copies::Copy::code);
            *copies.entry(kind).or_default() += 1;
        }
        let state = |section| (section, gaps::overall(&self.sources, section));
        Overview {
            sources: self.source_rows(),
            states: self.inputs.sections.iter().map(state).collect(),
            copies,
        }
    }

    fn source_rows(&self) -> Vec<SourceRow> {
        let mut sources: Vec<SourceRow> = self.sources.iter().map(row).collect();
        // Worst first, who may still answer after those who failed; equals keep the order of ranks.
        sources.sort_by_key(|row| (std::cmp::Reverse(row.status.class()), row.pending));
        sources
    }

    fn section_view(&self, section: Section) -> SectionView {
        SectionView {
            section,
            state: gaps::overall(&self.sources, section),
            shown: self.inputs.answers.views().shown(section),
            notices: self.section_notices(section),
            lines: self.lines_of(section).map(|line| self.line_view(line)).collect(),
        }
    }

    /// The sentences that must stand at a section.
    pub(super) fn section_notices(&self, section: Section) -> Vec<String> {
        let shown = self.inputs.answers.views().shown(section);
        let limit = match shown {
            Some(Shown::Hidden) => return vec![words::NOT_FOR_ROLE.to_owned()],
            Some(Shown::Limited(limit)) => Some(limit.words()),
            // Where of another kind of source another part is shown, that is said source by source.
            Some(Shown::Whole) | None => None,
        };
        let said = self.sources.iter().flat_map(|source| {
            // What a role sees of the section is said once, whoever serves it.
            let of_section = source.notices.iter().filter(move |notice| {
                let is_said = notice.kind == NoticeKind::PartForRole && shown.is_some();
                notice.section == Some(section) && !is_said
            });
            of_section.map(move |notice| match shown {
                Some(_) => words::notice(&source.card.name, notice),
                None => words::notice_of(&source.card.name, notice),
            })
        });
        let relayed = self.sources.iter().flat_map(|source| &source.relayed);
        let relayed = relayed.filter(|one| !one.is_status && one.section == Some(section));
        let said = said.chain(relayed.map(|one| one.words.clone()));
        let ended = (section == Section::Allergies).then(|| self.ended_words()).into_iter().flatten();
        let gaps = self.sources.iter().filter_map(|source| words::gap(source, section));
        let mut notices: Vec<String> = limit.into_iter().chain(gaps).chain(said).chain(ended).collect();
        if self.lines_of(section).next().is_none() {
            notices.push(words::empty(&self.sources, section));
        }
        notices
    }

    /// What each source lists as ended: said, and never shown among what is active.
    pub(super) fn ended_words(&self) -> Vec<String> {
        let of_source = |(place, home): (usize, &Accepted<'_>)| {
            let names = crate::record::ended_allergies(&self.loaded, place);
            let mut names: Vec<String> =
                names.filter_map(|one| tributary_statements::concept::words(one.get("code")?)).collect();
            // Several lists may name the same one.
            let mut told = std::collections::BTreeSet::new();
            names.retain(|name| told.insert(name.clone()));
            (!names.is_empty()).then(|| format!("{} lists as ended: {}.", home.card.name, names.join(", ")))
        };
        self.loaded.answers.iter().enumerate().filter_map(of_source).collect()
    }

    fn line_view(&self, line: &Line) -> LineView {
        let members: Vec<MemberView> =
            line.members.iter().filter_map(|place| self.member_view(*place)).collect();
        let title = members.first().map(|lead| lead.title.clone()).unwrap_or_default();
        LineView { title, key: line.key.clone(), class: line.class.code(), members }
    }

    pub(super) fn member_view(&self, place: usize) -> Option<MemberView> {
        let ground = self.ground();
        let facts = ground.facts(place)?;
        let statement = self.loaded.statements.get(place)?;
        let voice = self.loaded.voice(statement)?;
        Some(MemberView {
            source: voice.id.clone(),
            source_name: voice.name.clone(),
            origin: statement.origin(),
            title: facts.title.clone(),
            date: facts.date.map(FhirDate::display).unwrap_or_default(),
            facts: said(facts),
            copy: ground.copy(place).map(tributary_statements::copies::Copy::code),
            detail: facts.detail.clone(),
            full_url: r4::urn(statement.id),
            attachments: self
                .loaded
                .home(statement)
                .map(|home| self.attachments(statement, home))
                .unwrap_or_default(),
            in_error: facts.in_error,
            era: era(facts),
            dated: facts.date,
            ended: facts.end,
            author: self.author(statement),
            original: self
                .loaded
                .home(statement)
                .and_then(|home| Original::of(home, statement.resource, self.about(statement))),
        })
    }

    /// The resource that names what a statement is about, where that is another one.
    fn about<'r>(&'r self, statement: &Statement<'_>) -> Option<Json<'r>> {
        let reference = statement.resource.get("medicationReference")?.text_at("reference")?;
        self.loaded.target(statement, &reference).map(|medication| medication.resource)
    }

    /// Who is named as the author: by the resource itself, else by what its reference leads to.
    fn author(&self, statement: &Statement<'_>) -> String {
        let named = statement.resource.members().find(|(key, _)| AUTHORS.contains(key));
        let Some(one) = named.and_then(|(_, value)| value.each().next()) else { return String::new() };
        // Performers of procedures and participants stand one step further in.
        let one = one.get("actor").or_else(|| one.get("individual")).unwrap_or(one);
        let display = one.text_at("display").filter(|words| !words.trim().is_empty());
        display
            .map(std::borrow::Cow::into_owned)
            .or_else(|| {
                let target = self.loaded.target(statement, &one.text_at("reference")?)?;
                let name = target.resource.get("name")?;
                Some(name.text().map_or_else(|| patient::name_of(name), std::borrow::Cow::into_owned))
            })
            .unwrap_or_default()
    }

    fn attachments(&self, statement: &Statement<'_>, home: &Accepted<'_>) -> Vec<String> {
        let marks = statement.resource.marks().filter(|(mark, _)| *mark == Mark::Attachment);
        let urls = marks.filter_map(|(_, url)| url.text());
        urls.filter_map(|url| refs::attachment(self.inputs.attachments, home, &url)).collect()
    }

    fn discrepancy_view(&self, one: &crate::rules::Discrepancy) -> DiscrepancyView {
        let name = |place: &usize| {
            let statement = self.loaded.statements.get(*place)?;
            Some(format!("{}@{}", statement.origin(), self.loaded.voice(statement)?.id))
        };
        DiscrepancyView {
            rule: one.rule.id,
            kind: one.rule.kind.code(),
            severity: one.rule.severity,
            words: one.words.clone(),
            members: one.members.iter().filter_map(name).collect(),
            section: one.section,
        }
    }
}

pub(super) fn row(source: &SourceRecord<'_>) -> SourceRow {
    let whole = source.notices.iter().filter(|notice| notice.section.is_none());
    let notices = whole.map(|notice| words::notice(&source.card.name, notice));
    let relayed = source.relayed.iter().filter(|one| one.is_status).map(|one| one.words.clone());
    let sentences: Vec<String> =
        std::iter::once(words::status(source)).chain(notices).chain(relayed).collect();
    SourceRow {
        id: source.card.id.clone(),
        name: source.card.name.clone(),
        status: source.status,
        pending: source.pending,
        words: sentences.join(" "),
        latency_ms: source.answer.latency_ms,
        standing: SourceStanding {
            kind: source.card.kind,
            heard_at: source.answer.fetched_at,
            last_answered: source.answer.last_answered,
            notices: source.notices.iter().map(|notice| (notice.kind, notice.section)).collect(),
            states: source.states.clone(),
        },
    }
}

/// Members that name who said something, in whatever type; each type has one of them.
const AUTHORS: &[&str] =
    &["recorder", "asserter", "author", "performer", "requester", "informationSource", "participant"];

/// Whether it goes on. What is not known to be over does.
fn era(facts: &Facts) -> Era {
    let is_past = match &facts.thing {
        Thing::Medicine(medicine) => medicine.position.block() == Position::Past.block(),
        Thing::Problem(problem) => problem.block() > 0,
        Thing::Allergy(allergy) => allergy.refuted || !allergy.active,
        Thing::Other { active } => !active,
        Thing::Finding(_) | Thing::Cpr(_) | Thing::Plan { .. } | Thing::Report(_) | Thing::Deed { .. } => {
            false
        }
    };
    if is_past || facts.lapsed.is_some() { Era::Past } else { Era::Current }
}

/// What is worth saying beside the title.
fn said(facts: &Facts) -> Vec<String> {
    let mut said = match &facts.thing {
        Thing::Medicine(medicine) => vec![medicine.position.code().to_owned()],
        Thing::Problem(problem) => vec![problem.word().to_owned()],
        Thing::Allergy(allergy) => {
            let standing = match (allergy.refuted, allergy.active) {
                (true, _) => "ruled out",
                (false, true) => "",
                (false, false) => "ended",
            };
            let criticality = if allergy.criticality == 3 { "high criticality" } else { "" };
            vec![allergy.severity_word().to_owned(), criticality.to_owned(), standing.to_owned()]
        }
        Thing::Deed { done: false, .. } if facts.section == Section::Immunisations => {
            vec!["not given on that day".to_owned()]
        }
        Thing::Deed { done: false, .. } => vec!["not done".to_owned()],
        Thing::Report(status) => vec![status.clone()],
        Thing::Other { active: false } => vec!["not active".to_owned()],
        Thing::Finding(_) | Thing::Cpr(_) | Thing::Plan { .. } | Thing::Deed { .. } | Thing::Other { .. } => {
            Vec::new()
        }
    };
    said.extend(facts.lapsed.iter().chain(&facts.remark).chain(&facts.label).map(|word| (*word).to_owned()));
    if facts.in_error {
        said.push("entered in error".to_owned());
    }
    said.retain(|word| !word.is_empty());
    said
}
