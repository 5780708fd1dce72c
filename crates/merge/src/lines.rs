//! Lines: statements with equal keys, their class, and the order of everything.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tributary_model::{FhirDate, Section, SourceId};

use crate::rules;
use tributary_statements::copies::Copy;
use tributary_statements::facts::{Facts, Part, Standing, Thing};
use tributary_statements::load::{Loaded, Voice};

/// How the statements of a line relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// One statement.
    Single,
    /// Several of one source.
    Repeat,
    /// Other sources only repeat what its author said.
    Copied,
    /// At least two independent sources, nothing incompatible.
    Agree,
    /// More detail or corrected, not incompatible.
    Difference,
    /// Incompatible.
    Conflict,
}

impl Class {
    /// The code on the wire.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Repeat => "repeat",
            Self::Copied => "copied",
            Self::Agree => "agree",
            Self::Difference => "difference",
            Self::Conflict => "conflict",
        }
    }
}

/// One line.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) section: Section,
    pub(crate) key: String,
    pub(crate) class: Class,
    /// Positions of its statements, lead first.
    pub(crate) members: Vec<usize>,
}

/// The statements with what was found out about each.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) loaded: &'a Loaded<'a>,
    pub(crate) parts: &'a [Part],
    pub(crate) copies: &'a [Option<Copy>],
}

impl<'a> Ground<'a> {
    /// The facts of a statement on a line.
    pub(crate) fn facts(&self, place: usize) -> Option<&'a Facts> {
        match self.parts.get(place)? {
            Part::Line(facts) => Some(facts),
            Part::Beneath(_) | Part::Support => None,
        }
    }

    /// Who says a statement, as their place in the order of ranks. One source heard in two ways counts as two: what
    /// they say may differ.
    pub(crate) fn source(&self, place: usize) -> usize {
        self.voice(place).map_or(usize::MAX, |voice| voice.order)
    }

    /// Whose statement it is. One source heard in two ways is one: it cannot confirm itself.
    fn author(&self, place: usize) -> Option<&'a SourceId> {
        self.voice(place).map(|voice| &voice.id)
    }

    fn voice(&self, place: usize) -> Option<&'a Voice> {
        self.loaded.voice(self.loaded.statements.get(place)?)
    }

    /// Whether the statement repeats another source's entry.
    pub(crate) fn copy(&self, place: usize) -> Option<Copy> {
        self.copies.get(place).copied().flatten()
    }

    /// The statements of a line that its own source does not call a mistake.
    pub(crate) fn valid<'m>(
        &self,
        members: &'m [usize],
    ) -> impl Iterator<Item = (usize, &'a Facts)> + use<'a, 'm> {
        let ground = *self;
        members
            .iter()
            .filter_map(move |place| Some((*place, ground.facts(*place)?)))
            .filter(|(_, facts)| !facts.in_error)
    }

    fn origin(&self, place: usize) -> String {
        self.loaded
            .statements
            .get(place)
            .map(tributary_statements::load::Statement::origin)
            .unwrap_or_default()
    }
}

/// Groups all statements, every section in display order, every line in its place.
pub(crate) fn group(ground: Ground<'_>) -> Vec<Line> {
    let mut groups: BTreeMap<(Section, &str), Vec<usize>> = BTreeMap::new();
    for (place, part) in ground.parts.iter().enumerate() {
        if let Part::Line(facts) = part {
            groups.entry((facts.section, facts.key.as_str())).or_default().push(place);
        }
    }
    let mut lines: Vec<Line> = groups
        .into_iter()
        .map(|((section, key), mut members)| {
            members.sort_by_cached_key(|place| member_order(ground, *place));
            Line { section, key: key.to_owned(), class: class(ground, &members), members }
        })
        .collect();
    // The groups come by section and key, and the sort is stable: equals stay in the order of their keys.
    lines.sort_by_cached_key(|line| line_order(ground, line));
    lines
}

fn class(ground: Ground<'_>, members: &[usize]) -> Class {
    // Nobody can differ from, copy or repeat a single statement, and most lines have one.
    if members.len() < 2 {
        return Class::Single;
    }
    let verdicts = rules::of_line(ground, members);
    if verdicts.iter().any(|verdict| verdict.rule.kind == rules::Weight::Conflict) {
        return Class::Conflict;
    }
    if verdicts.iter().any(|verdict| verdict.rule.kind == rules::Weight::Difference) {
        return Class::Difference;
    }
    let lapsed = |(_, facts): &(usize, &Facts)| facts.lapsed.is_some();
    if ground.valid(members).any(|one| lapsed(&one)) && !ground.valid(members).all(|one| lapsed(&one)) {
        return Class::Difference;
    }
    let sources: BTreeSet<Option<&SourceId>> =
        ground.valid(members).map(|(place, _)| ground.author(place)).collect();
    let own: BTreeSet<Option<&SourceId>> = ground
        .valid(members)
        .filter(|(place, _)| ground.copy(*place).is_none())
        .map(|(place, _)| ground.author(place))
        .collect();
    match (sources.len(), own.len()) {
        (0 | 1, _) => Class::Repeat,
        (_, 0 | 1) => Class::Copied,
        _ => Class::Agree,
    }
}

/// Newest first: dated before undated.
type Newest = Reverse<Option<FhirDate>>;

/// Worst or newest first, then by rank, then by name; what no longer holds after that, mistakes last.
fn member_order(ground: Ground<'_>, place: usize) -> (u8, Reverse<(u8, u8)>, u8, Newest, usize, String) {
    let Some(facts) = ground.facts(place) else {
        return (2, Reverse((0, 0)), 0, Reverse(None), ground.source(place), ground.origin(place));
    };
    let badness = facts.thing.allergy().map(|allergy| allergy.badness()).unwrap_or_default();
    let is_corrected = facts.thing.finding().is_some_and(|finding| finding.standing == Standing::Corrected);
    let standing = u8::from(!is_corrected);
    let standing_of_all = if facts.in_error { 2 } else { u8::from(facts.lapsed.is_some()) };
    (
        standing_of_all,
        Reverse(badness),
        standing,
        Reverse(facts.date),
        ground.source(place),
        ground.origin(place),
    )
}

/// Section, block, conflict, badness, date.
type LineOrder = (Section, u8, u8, Reverse<(u8, u8)>, DateOrder);

/// Most sections show the newest first, some the soonest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum DateOrder {
    Newest(Newest),
    Soonest(bool, Option<FhirDate>),
}

fn line_order(ground: Ground<'_>, line: &Line) -> LineOrder {
    let all = || ground.valid(&line.members).map(|(_, facts)| facts);
    let is_calm = u8::from(line.class != Class::Conflict);
    let newest = all().filter_map(|facts| facts.date).max();
    let worst = all().filter_map(|facts| facts.thing.allergy()).map(|allergy| allergy.badness()).max();
    let block = all().map(|facts| block(&facts.thing)).min().unwrap_or(u8::MAX);
    // Disputed medicines and problems come first of all. Plans are never moved for being disputed, and a calm
    // negative never stands above a disputed allergy.
    let (block, calm) = if matches!(line.section, Section::Medications | Section::Problems) {
        (is_calm, block)
    } else if line.section == Section::Allergies {
        (block, is_calm)
    } else {
        (block, 0)
    };
    let soonest_first = matches!(line.section, Section::Diary | Section::Appointments);
    let date = if soonest_first {
        DateOrder::Soonest(newest.is_none(), newest)
    } else {
        DateOrder::Newest(Reverse(newest))
    };
    (line.section, block, calm, Reverse(worst.unwrap_or_default()), date)
}

/// The block of its section in which a statement is shown.
fn block(thing: &Thing) -> u8 {
    match thing {
        Thing::Allergy(allergy) => u8::from(allergy.negative.is_some()),
        Thing::Medicine(medicine) => medicine.position.block(),
        Thing::Problem(problem) => problem.block(),
        Thing::Plan { place, .. } => *place,
        Thing::Other { active } => u8::from(!active),
        Thing::Cpr(_) | Thing::Finding(_) | Thing::Report(_) | Thing::Deed { .. } => 0,
    }
}
