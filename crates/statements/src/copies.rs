//! Copies: entries that a system imported from their author and hands on under the author's identifier.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use tributary_fhir::Json;

use crate::cascade;
use crate::facts::{Facts, Part, Thing};
use crate::inputs::SourceCard;
use crate::load::{Loaded, Statement, Voice};
use tributary_model::{Section, SectionState, SourceKind, Views};

/// What a copy is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// The author says the same.
    Echo,
    /// The author says something else by now.
    Stale,
    /// The author answered, and does not hold it.
    OfAbsent,
    /// The author did not answer.
    Unverified,
}

impl Copy {
    /// The tag on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Stale => "stale-copy",
            Self::OfAbsent => "copy-of-absent",
            Self::Unverified => "copy-unverified",
        }
    }
}

type Identifier<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Finds the copies among the statements. Ownership comes from the registry, never from rank.
pub fn find(
    loaded: &Loaded<'_>,
    parts: &[Part],
    registry: &[SourceCard],
    views: &Views,
) -> Vec<Option<Copy>> {
    let (originals, owners) = (originals(loaded), Owners::of(registry));
    let judge = |statement: &Statement<'_>, facts: &Facts| {
        let voice = loaded.voice(statement)?;
        let (owner, identifier) = identifiers(statement.resource).find_map(|identifier| {
            let owner = owners.of_system(&identifier.0)?;
            (owner.id != voice.id).then_some((owner, identifier))
        })?;
        // Of an author who is not shown whole, nobody can say that it does not hold something.
        let spoke = views.is_whole() && spoke(loaded, owner, facts.section);
        let Some(place) = originals.get(&(owner.id.as_str(), identifier)) else {
            return Some(if spoke { Copy::OfAbsent } else { Copy::Unverified });
        };
        let same = matches!(parts.get(*place), Some(Part::Line(original)) if says_the_same(original, facts));
        Some(if same { Copy::Echo } else { Copy::Stale })
    };
    let pairs = loaded.statements.iter().zip(parts);
    let copy = |statement: &Statement<'_>, part: &Part| {
        let Part::Line(facts) = part else { return None };
        judge(statement, facts).or_else(|| passed(loaded, statement))
    };
    pairs.map(|(statement, part)| copy(statement, part)).collect()
}

/// Whether the author of an entry answered for its section, itself or through a broker.
fn spoke(loaded: &Loaded<'_>, owner: &SourceCard, section: Section) -> bool {
    let heard = loaded.voices.iter().filter(|voice| voice.id == owner.id);
    let mut answers = heard.filter_map(|voice| loaded.answers.get(voice.answer));
    answers.any(|answer| {
        let seen = answer.reply.states.get(&section);
        let told = seen.or_else(|| answer.told.as_ref()?.states.get(&section));
        !matches!(told, Some(SectionState::Failed | SectionState::Withheld | SectionState::Partial))
    })
}

/// What a broker found out about a copy whose owner is not registered here.
fn passed(loaded: &Loaded<'_>, statement: &Statement<'_>) -> Option<Copy> {
    let is_passed = loaded.home(statement)?.card.kind == SourceKind::Broker;
    if is_passed { cascade::copy(statement.resource) } else { None }
}

/// Who is the author of identifiers, each with a beginning of their systems. A registry has thousands of sources, few
/// of whom are the author of anything, and it is asked for every identifier of a record.
struct Owners<'r>(Vec<(&'r str, &'r SourceCard)>);

impl<'r> Owners<'r> {
    fn of(registry: &'r [SourceCard]) -> Self {
        Self(registry.iter().flat_map(|card| card.owns.iter().map(move |one| (one.as_str(), card))).collect())
    }

    /// The source with the longest beginning of a system, whatever order the registry has.
    fn of_system(&self, system: &str) -> Option<&'r SourceCard> {
        let claims = self.0.iter().filter(|(beginning, _)| system.starts_with(beginning));
        claims.max_by_key(|(beginning, card)| (beginning.len(), Reverse(&card.id))).map(|(_, card)| *card)
    }
}

fn owns(card: &SourceCard, system: &str) -> bool {
    card.owns.iter().any(|beginning| system.starts_with(beginning.as_str()))
}

fn identifiers(resource: Json<'_>) -> impl Iterator<Item = Identifier<'_>> {
    let all = resource.get("identifier").into_iter().flat_map(Json::each);
    all.filter_map(|one| Some((one.text_at("system")?, one.text_at("value")?)))
}

fn originals<'a>(loaded: &'a Loaded<'a>) -> HashMap<(&'a str, Identifier<'a>), usize> {
    let mut originals = HashMap::new();
    let card = |voice: &Voice| loaded.registry.iter().find(|card| card.id == voice.id);
    let cards: Vec<Option<&SourceCard>> = loaded.voices.iter().map(card).collect();
    for (place, statement) in loaded.statements.iter().enumerate() {
        let Some(card) = cards.get(statement.voice).copied().flatten() else { continue };
        for identifier in identifiers(statement.resource).filter(|(system, _)| owns(card, system)) {
            originals.entry((card.id.as_str(), identifier)).or_insert(place);
        }
    }
    originals
}

/// Whether two statements of one entry agree in everything that matters.
fn says_the_same(original: &Facts, copy: &Facts) -> bool {
    let same_thing = match (&original.thing, &copy.thing) {
        (Thing::Medicine(a), Thing::Medicine(b)) => a.position == b.position && a.dose == b.dose,
        (a, b) => a == b,
    };
    original.section == copy.section
        && same_thing
        && original.in_error == copy.in_error
        && original.date == copy.date
        && original.end == copy.end
        && (original.key == copy.key || !original.conceptual)
}
