//! Copies: entries that a system imported from their author and hands on under the author's identifier.

use std::collections::HashMap;

use tributary_fhir::Json;

use crate::facts::{Facts, Part, Thing};
use crate::inputs::SourceCard;
use crate::load::{Loaded, Statement};
use tributary_model::SectionState;

/// What a copy is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
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
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Stale => "stale-copy",
            Self::OfAbsent => "copy-of-absent",
            Self::Unverified => "copy-unverified",
        }
    }
}

type Identifier = (String, String);

/// Finds the copies among the statements. Ownership comes from the registry, never from rank.
pub(crate) fn find(loaded: &Loaded<'_>, parts: &[Part], registry: &[SourceCard]) -> Vec<Option<Copy>> {
    let originals = originals(loaded);
    let judge = |statement: &Statement<'_>, facts: &Facts| {
        let home = loaded.home(statement)?;
        let (owner, identifier) = identifiers(statement.resource).find_map(|identifier| {
            let owner = registry.iter().find(|card| owns(card, &identifier.0))?;
            (owner.id != home.card.id).then_some((owner, identifier))
        })?;
        let author = loaded.answers.iter().find(|accepted| accepted.card.id == owner.id);
        let spoke = author.is_some_and(|author| {
            let told = author.reply.states.get(&facts.section);
            !matches!(told, Some(SectionState::Failed | SectionState::Withheld | SectionState::Partial))
        });
        let Some(place) = originals.get(&(owner.id.as_str().to_owned(), identifier)) else {
            return Some(if spoke { Copy::OfAbsent } else { Copy::Unverified });
        };
        let same = matches!(parts.get(*place), Some(Part::Line(original)) if says_the_same(original, facts));
        Some(if same { Copy::Echo } else { Copy::Stale })
    };
    let pairs = loaded.statements.iter().zip(parts);
    pairs
        .map(|(statement, part)| if let Part::Line(facts) = part { judge(statement, facts) } else { None })
        .collect()
}

fn owns(card: &SourceCard, system: &str) -> bool {
    card.owns.iter().any(|prefix| system.starts_with(prefix.as_str()))
}

fn identifiers(resource: Json<'_>) -> impl Iterator<Item = Identifier> {
    let all = resource.get("identifier").into_iter().flat_map(Json::each);
    all.filter_map(|one| Some((one.text_at("system")?.into_owned(), one.text_at("value")?.into_owned())))
}

fn originals(loaded: &Loaded<'_>) -> HashMap<(String, Identifier), usize> {
    let mut originals = HashMap::new();
    for (place, statement) in loaded.statements.iter().enumerate() {
        let Some(home) = loaded.home(statement) else {
            continue;
        };
        for identifier in identifiers(statement.resource).filter(|(system, _)| owns(home.card, system)) {
            originals.entry((home.card.id.as_str().to_owned(), identifier)).or_insert(place);
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
