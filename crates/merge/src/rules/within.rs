//! Rules about the statements of one line.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ALLERGY_REFUTED, ALLERGY_SEVERITY, ALLERGY_STATUS, CPR_RECOMMENDATION, IMMUNISATION_BATCH, MEDICINE_DOSE,
    MEDICINE_STATUS, PROBLEM_REFUTED, PROBLEM_STATUS, REPORT_CORRECTED, REPORT_STATUS, RESULT_CORRECTED,
    RESULT_VALUE, Rule, Verdict,
};
use crate::lines::Ground;
use tributary_statements::facts::{Allergy, Cpr, Finding, Medicine, Position, Problem, Standing, Thing};

/// A statement's place, its source, and what it says.
type Said<'a, T> = (usize, usize, &'a T);

pub(super) fn judge(ground: Ground<'_>, members: &[usize]) -> Vec<Verdict> {
    let mut found = Vec::new();
    // Every rule here sets one statement against another, and most lines have one.
    if members.len() < 2 {
        return found;
    }
    allergies(&said(ground, members, Thing::allergy), &mut found);
    medicines(&said(ground, members, Thing::medicine), &mut found);
    problems(&said(ground, members, Thing::problem), &mut found);
    findings(&said(ground, members, Thing::finding), &mut found);
    reports(&said(ground, members, Thing::report), &mut found);
    cpr(&said(ground, members, Thing::cpr), &mut found);
    batches(&said(ground, members, Thing::batch), &mut found);
    found
}

/// What the statements of a line say that still hold.
fn said<'a, T>(
    ground: Ground<'a>,
    members: &[usize],
    pick: fn(&'a Thing) -> Option<&'a T>,
) -> Vec<Said<'a, T>> {
    let holding = ground.valid(members).filter(|(_, facts)| facts.lapsed.is_none());
    holding.filter_map(|(place, facts)| Some((place, ground.source(place), pick(&facts.thing)?))).collect()
}

fn fire<T>(rule: Rule, said: &[Said<'_, T>], found: &mut Vec<Verdict>) {
    found.push(Verdict { rule, members: said.iter().map(|(place, ..)| *place).collect() });
}

/// Whether some source says it and some other source says the opposite. Two sources that both say both do not
/// disagree with each other: the contradiction is in either record alone.
fn opposed<T>(said: &[Said<'_, T>], one: impl Fn(&T) -> bool, other: impl Fn(&T) -> bool) -> bool {
    let mut by_source: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
    for (_, source, what) in said {
        let (for_it, against) = by_source.entry(*source).or_default();
        *for_it |= one(what);
        *against |= other(what);
    }
    let spoke = |sides: &(bool, bool)| sides.0 || sides.1;
    by_source.into_values().filter(spoke).collect::<BTreeSet<_>>().len() > 1
}

fn allergies(said: &[Said<'_, Allergy>], found: &mut Vec<Verdict>) {
    if opposed(said, |one| one.refuted, |other| !other.refuted && other.active) {
        fire(ALLERGY_REFUTED, said, found);
    }
    if opposed(said, |one| one.active && !one.refuted, |other| !other.active && !other.refuted) {
        fire(ALLERGY_STATUS, said, found);
    }
    let differ = |grade: fn(&Allergy) -> u8| {
        let stated: BTreeSet<u8> =
            said.iter().map(|(.., one)| grade(one)).filter(|grade| *grade > 0).collect();
        stated.len() > 1
    };
    if differ(|one| one.severity) || differ(|one| one.criticality) {
        fire(ALLERGY_SEVERITY, said, found);
    }
}

/// The strongest position of each source: a product can be listed as current and, earlier, as past.
fn positions(said: &[Said<'_, Medicine>]) -> BTreeMap<usize, Position> {
    let mut positions = BTreeMap::new();
    for (_, source, medicine) in said.iter().filter(|(.., medicine)| medicine.position != Position::Unknown) {
        let strongest = positions.entry(*source).or_insert(medicine.position);
        *strongest = medicine.position.min(*strongest);
    }
    positions
}

fn medicines(said: &[Said<'_, Medicine>], found: &mut Vec<Verdict>) {
    let positions: BTreeSet<Position> = positions(said).into_values().collect();
    if positions.len() > 1 {
        fire(MEDICINE_STATUS, said, found);
    }
    let current: Vec<Said<'_, Medicine>> = said
        .iter()
        .filter(|(.., medicine)| medicine.position == Position::Current && !medicine.dose.is_empty())
        .copied()
        .collect();
    let mut doses: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for (_, source, medicine) in &current {
        doses.entry(*source).or_default().insert(&medicine.dose);
    }
    // Two doses in one source alone are its own business; different sets in two sources are not.
    if doses.into_values().collect::<BTreeSet<_>>().len() > 1 {
        fire(MEDICINE_DOSE, &current, found);
    }
}

fn problems(said: &[Said<'_, Problem>], found: &mut Vec<Verdict>) {
    if opposed(said, |one| one.refuted, |other| !other.refuted) {
        fire(PROBLEM_REFUTED, said, found);
    }
    // A source that lists an old and a new occurrence calls the problem active.
    let mut active = BTreeMap::new();
    for (_, source, problem) in said.iter().filter(|(.., problem)| !problem.refuted) {
        if let Some(now) = problem.active {
            *active.entry(*source).or_insert(false) |= now;
        }
    }
    if active.values().any(|active| *active) && active.values().any(|active| !active) {
        fire(PROBLEM_STATUS, said, found);
    }
}

fn findings(said: &[Said<'_, Finding>], found: &mut Vec<Verdict>) {
    let finals: Vec<Said<'_, Finding>> =
        said.iter().filter(|(.., finding)| finding.standing == Standing::Final).copied().collect();
    let corrections: Vec<Said<'_, Finding>> =
        said.iter().filter(|(.., finding)| finding.standing == Standing::Corrected).copied().collect();
    // Two corrections can contradict each other just as two first values can.
    for told in [&finals, &corrections] {
        let values: BTreeSet<&str> =
            told.iter().filter_map(|(.., finding)| finding.same.as_deref()).collect();
        if values.len() > 1 {
            fire(RESULT_VALUE, told, found);
        }
    }
    // Every value once: a line may hold thousands of either kind.
    let old: BTreeSet<Option<&str>> = finals.iter().map(|(.., finding)| finding.same.as_deref()).collect();
    let corrects =
        corrections.iter().any(|(.., correction)| old.iter().any(|old| *old != correction.same.as_deref()));
    if corrects {
        fire(RESULT_CORRECTED, said, found);
    }
}

fn reports(said: &[Said<'_, String>], found: &mut Vec<Verdict>) {
    let statuses: BTreeSet<&str> = said.iter().map(|(.., status)| status.as_str()).collect();
    if statuses.len() > 1 {
        let is_correction =
            statuses.iter().any(|status| matches!(*status, "corrected" | "amended" | "appended"));
        fire(if is_correction { REPORT_CORRECTED } else { REPORT_STATUS }, said, found);
    }
}

fn cpr(said: &[Said<'_, Cpr>], found: &mut Vec<Verdict>) {
    let speaks = |wanted: Cpr| said.iter().any(|(.., cpr)| **cpr == wanted);
    if speaks(Cpr::For) && speaks(Cpr::NotFor) {
        fire(CPR_RECOMMENDATION, said, found);
    }
}

fn batches(said: &[Said<'_, String>], found: &mut Vec<Verdict>) {
    let batches: BTreeSet<&str> = said.iter().map(|(.., batch)| batch.as_str()).collect();
    if batches.len() > 1 {
        fire(IMMUNISATION_BATCH, said, found);
    }
}
