//! Which lines a summary lists, tells of or only counts, and which of their statements are entries.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Span;
use jiff::civil::Date;
use tributary_fhir::Json;
use tributary_model::{FhirDate, Limit, Section};

use super::sections::{Need, ROWS, Row};
use crate::lines::Line;
use crate::record::Record;
use tributary_statements::facts::Facts;

/// What becomes of a line in one section of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Listed, with its statements as entries.
    Entry,
    /// Told in words only, under this heading.
    Told(&'static str),
    /// Left out, and counted under these words.
    Counted(&'static str),
    /// Not of this section.
    Elsewhere,
}

/// One statement of a line that its own source does not call a mistake.
#[derive(Clone, Copy)]
pub(super) struct Member<'s> {
    pub(super) place: usize,
    pub(super) kind: &'s str,
    pub(super) facts: &'s Facts,
    pub(super) resource: Json<'s>,
}

/// What deciding about a line needs to know of the others.
pub(super) struct Scale<'r, 'a> {
    record: &'r Record<'a>,
    /// Whether an active allergy is recorded.
    pub(super) has_allergy: bool,
    recent: BTreeSet<&'r str>,
    ninety_days_ago: Date,
}

/// One section of a summary with what goes into it.
pub(super) struct Chosen<'r> {
    pub(super) row: &'static Row,
    /// Lines that are listed, in display order.
    pub(super) listed: Vec<&'r Line>,
    /// Lines that are told in words only, by heading.
    pub(super) told: BTreeMap<&'static str, Vec<&'r Line>>,
    /// How many are left out, by what they are.
    pub(super) counted: BTreeMap<&'static str, usize>,
    /// The statements that are entries.
    pub(super) entries: Vec<usize>,
}

impl Chosen<'_> {
    /// Every line that is named.
    pub(super) fn named(&self) -> impl Iterator<Item = &Line> {
        self.listed.iter().chain(self.told.values().flatten()).copied()
    }

    /// Whether the section is part of the document.
    pub(super) fn is_sent(&self) -> bool {
        self.row.need != Need::IfHeld || self.named().next().is_some()
    }
}

/// Everything a summary says, section by section.
pub(super) fn all<'r>(record: &'r Record<'_>) -> Vec<Chosen<'r>> {
    let scale = Scale::of(record);
    ROWS.iter().map(|row| choose(&scale, row)).collect()
}

fn choose<'r>(scale: &Scale<'r, '_>, row: &'static Row) -> Chosen<'r> {
    let (listed, told, entries) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut chosen = Chosen { row, listed, told, counted: BTreeMap::new(), entries };
    for line in row.from.iter().flat_map(|section| scale.record.lines_of(*section)) {
        let valid = scale.members(line).count();
        let place = if valid == 0 { Place::Elsewhere } else { (row.place)(scale, line) };
        let mistakes = line.members.len() - valid;
        // A line that is all mistakes is counted where its section is told first.
        let home = ROWS.iter().find(|one| one.from.first() == Some(&line.section));
        let is_home = home.is_some_and(|home| home.code == row.code);
        if mistakes > 0 && (place != Place::Elsewhere || (valid == 0 && is_home)) {
            *chosen.counted.entry("statements entered in error").or_default() += mistakes;
        }
        match place {
            Place::Entry => {
                let fit = scale.members(line).filter(|member| is_entry(row, member));
                chosen.entries.extend(fit.map(|member| member.place));
                chosen.listed.push(line);
            }
            Place::Told(heading) => chosen.told.entry(heading).or_default().push(line),
            Place::Counted(words) => *chosen.counted.entry(words).or_default() += 1,
            Place::Elsewhere => {}
        }
    }
    chosen
}

fn is_entry(row: &Row, member: &Member<'_>) -> bool {
    let is_taken = row.types.is_empty() || row.types.contains(&member.kind);
    is_taken && member.facts.lapsed.is_none() && (row.fits)(member)
}

impl<'r, 'a> Scale<'r, 'a> {
    fn of(record: &'r Record<'a>) -> Self {
        let today = tributary_model::date::zoned(record.inputs.as_of).date();
        let before = |span: Span| today.checked_sub(span).unwrap_or(Date::MIN);
        let mut scale = Self {
            record,
            has_allergy: false,
            recent: BTreeSet::new(),
            ninety_days_ago: before(Span::new().days(i64::from(Limit::STOP_DAYS))),
        };
        let counts = |member: Member<'_>| member.facts.thing.allergy().is_some_and(|one| one.counts());
        scale.has_allergy = record.lines_of(Section::Allergies).any(|line| scale.members(line).any(counts));
        scale.recent = scale.recent_results(before(Span::new().months(12)));
        scale
    }

    /// The statements of a line, without mistakes.
    pub(super) fn members<'s>(&'s self, line: &'s Line) -> impl Iterator<Item = Member<'s>> {
        members(self.record, line)
    }

    /// A date that may lie in the last 90 days counts as one that does.
    pub(super) fn is_within_90_days(&self, date: FhirDate) -> bool {
        date.may_be_since(self.ninety_days_ago)
    }

    pub(super) fn is_of_category(&self, line: &Line, category: &str) -> bool {
        let categories = self.members(line).filter_map(|member| member.resource.get("category"));
        let categories = categories.flat_map(Json::each);
        categories.flat_map(tributary_statements::concept::codes).any(|code| code == category)
    }

    pub(super) fn is_recent_result(&self, line: &Line) -> bool {
        self.recent.contains(line.key.as_str())
    }

    /// The keys of the two newest lines of each test. Lines come newest first.
    fn recent_results(&self, since: Date) -> BTreeSet<&'r str> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut recent = BTreeSet::new();
        let sections = [Section::Results, Section::Uncategorised];
        for line in sections.into_iter().flat_map(|section| self.record.lines_of(section)) {
            let mut dates = self.members(line).filter_map(|member| member.facts.date);
            let before = seen.entry(test(&line.key)).or_default();
            if dates.any(|date| date.may_be_since(since)) && *before < 2 {
                *before += 1;
                recent.insert(line.key.as_str());
            }
        }
        recent
    }
}

/// The statements of a line that are no mistakes.
pub(super) fn members<'s>(record: &'s Record<'_>, line: &'s Line) -> impl Iterator<Item = Member<'s>> {
    record.ground().valid(&line.members).filter_map(|(place, facts)| {
        let statement = record.loaded.statements.get(place)?;
        Some(Member { place, kind: &statement.kind, facts, resource: statement.resource })
    })
}

/// The test that the key of a result is about; without a date it is only itself.
fn test(key: &str) -> &str {
    let dated = key.rsplit_once("|eff|").or_else(|| key.rsplit_once("|iss|"));
    dated.map_or(key, |(test, _)| test)
}
