//! Rules about statements on different lines.

use std::collections::{BTreeMap, BTreeSet};

use tributary_model::Section;

use super::{DONE_VS_NOT_DONE, MORE_THAN_ONE_PLAN, NKA_VS_ALLERGY, POSSIBLE_SAME, SAME_INGREDIENT, Verdict};
use crate::lines::{Ground, Line};
use tributary_statements::concept;
use tributary_statements::facts::{Allergy, Facts, Position, Thing};

pub(super) fn judge(ground: Ground<'_>, lines: &[Line]) -> Vec<(Verdict, Section)> {
    let mut found = Vec::new();
    found.extend(absence_against_allergy(ground, lines).map(|verdict| (verdict, Section::Allergies)));
    found.extend(ingredients(ground, lines).into_iter().map(|verdict| (verdict, Section::Medications)));
    found.extend(plans(ground, lines).into_iter().map(|verdict| (verdict, Section::Plans)));
    for section in [Section::Procedures, Section::Immunisations] {
        found.extend(deeds(ground, lines, section).into_iter().map(|verdict| (verdict, section)));
    }
    for section in [Section::Allergies, Section::Medications, Section::Problems] {
        found.extend(same_names(ground, lines, section).into_iter().map(|verdict| (verdict, section)));
    }
    found
}

pub(super) fn of_section<'a>(
    ground: Ground<'a>,
    lines: &'a [Line],
    section: Section,
) -> impl Iterator<Item = (usize, &'a Facts)> {
    let lines = lines.iter().filter(move |line| line.section == section);
    lines.flat_map(move |line| ground.valid(&line.members))
}

/// In the order of their names, whatever line they are on.
pub(super) fn sorted(ground: Ground<'_>, mut members: Vec<usize>) -> Vec<usize> {
    members.sort_by_cached_key(|place| {
        let statement = ground.loaded.statements.get(*place);
        (statement.map(tributary_statements::load::Statement::origin), ground.source(*place))
    });
    members
}

fn absence_against_allergy(ground: Ground<'_>, lines: &[Line]) -> Option<Verdict> {
    let places = |wanted: fn(Allergy) -> bool| -> Vec<usize> {
        let all = of_section(ground, lines, Section::Allergies);
        all.filter(|(_, facts)| matches!(facts.thing, Thing::Allergy(allergy) if wanted(allergy)))
            .map(|(place, _)| place)
            .collect()
    };
    let (negatives, positives) = (places(Allergy::denies_drugs), places(Allergy::counts));
    if negatives.is_empty() || positives.is_empty() {
        return None;
    }
    Some(Verdict { rule: NKA_VS_ALLERGY, members: sorted(ground, [negatives, positives].concat()) })
}

/// Current products of one ingredient, by source.
#[derive(Default)]
struct Products<'a> {
    by_source: BTreeMap<usize, BTreeSet<&'a str>>,
    members: Vec<usize>,
}

/// Two strengths in one source alone are its own business; different sets in two sources are not.
fn ingredients(ground: Ground<'_>, lines: &[Line]) -> Vec<Verdict> {
    let mut ingredients: BTreeMap<&str, Products<'_>> = BTreeMap::new();
    for (place, facts) in of_section(ground, lines, Section::Medications) {
        let Thing::Medicine(medicine) = &facts.thing else {
            continue;
        };
        let (Some(ingredient), Some(product)) = (&medicine.ingredient, &medicine.product) else {
            continue;
        };
        if medicine.position == Position::Current {
            let products = ingredients.entry(ingredient).or_default();
            products.by_source.entry(ground.source(place)).or_default().insert(product);
            products.members.push(place);
        }
    }
    let differ = |products: &Products<'_>| products.by_source.values().collect::<BTreeSet<_>>().len() > 1;
    let disputed = ingredients.into_values().filter(differ);
    disputed
        .map(|products| Verdict { rule: SAME_INGREDIENT, members: sorted(ground, products.members) })
        .collect()
}

fn plans(ground: Ground<'_>, lines: &[Line]) -> Vec<Verdict> {
    let mut kinds: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.section == Section::Plans) {
        let first = ground.valid(&line.members).next();
        if let Some((_, Facts { thing: Thing::Plan { kind: Some(kind), .. }, .. })) = first {
            kinds.entry(kind).or_default().push(line);
        }
    }
    let several = kinds.into_values().filter(|lines| lines.len() > 1);
    several
        .map(|lines| {
            let members = lines.iter().flat_map(|line| line.members.iter().copied()).collect();
            Verdict { rule: MORE_THAN_ONE_PLAN, members }
        })
        .collect()
}

fn deeds(ground: Ground<'_>, lines: &[Line], section: Section) -> Vec<Verdict> {
    let mut deeds: BTreeMap<&str, (Vec<usize>, BTreeSet<bool>)> = BTreeMap::new();
    for (place, facts) in of_section(ground, lines, section) {
        if let Thing::Deed { done, what, .. } = &facts.thing {
            let (members, ways) = deeds.entry(what).or_default();
            members.push(place);
            ways.insert(*done);
        }
    }
    let both = deeds.into_values().filter(|(_, ways)| ways.len() > 1);
    both.map(|(members, _)| Verdict { rule: DONE_VS_NOT_DONE, members: sorted(ground, members) }).collect()
}

/// The statements of one name.
#[derive(Default)]
struct Named {
    /// The lines they are on, by source.
    lines_of: BTreeMap<usize, BTreeSet<usize>>,
    members: Vec<usize>,
}

/// Equal names under different keys of different sources: typically a code map is missing.
///
/// One verdict for each set of lines, and in it only the statements of that name, so that the work and the answer
/// stay as large as what was sent.
fn same_names(ground: Ground<'_>, lines: &[Line], section: Section) -> Vec<Verdict> {
    let mut names: BTreeMap<String, Named> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.section == section) {
        for (place, facts) in ground.valid(&line.members).filter(|(_, facts)| facts.conceptual) {
            let alike = names.entry(concept::normal(&facts.title)).or_default();
            alike.lines_of.entry(ground.source(place)).or_default().insert(index);
            alike.members.push(place);
        }
    }
    let mut sets: BTreeMap<BTreeSet<usize>, Vec<usize>> = BTreeMap::new();
    for Named { lines_of, members } in names.into_values() {
        let on_lines: BTreeSet<usize> = lines_of.values().flatten().copied().collect();
        // Sources that each have both entries do not differ from each other.
        if lines_of.into_values().collect::<BTreeSet<_>>().len() > 1 {
            sets.entry(on_lines).or_default().extend(members);
        }
    }
    sets.into_values()
        .map(|members| Verdict { rule: POSSIBLE_SAME, members: sorted(ground, members) })
        .collect()
}
