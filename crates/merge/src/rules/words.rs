//! Discrepancies in words a clinician reads: who says what, and when.

use std::collections::BTreeSet;

use tributary_model::Section;

use super::{
    ALLERGY_REFUTED, ALLERGY_SEVERITY, ALLERGY_STATUS, ALLERGY_VS_CURRENT_MEDICINE, CPR_RECOMMENDATION,
    Discrepancy, MEDICINE_DOSE, MEDICINE_STATUS, MORE_THAN_ONE_PLAN, NKA_VS_ALLERGY, POSSIBLE_SAME,
    SAME_HIGH_RISK_CLASS, SAME_INGREDIENT, Verdict,
};
use crate::lines::Ground;
use tributary_statements::facts::{Facts, Thing};

/// Puts a verdict into words.
pub(super) fn tell(ground: Ground<'_>, verdict: Verdict, section: Option<Section>) -> Discrepancy {
    let each = |say: &dyn Fn(&Facts, &str) -> String| {
        let all = ground.valid(&verdict.members).map(|(place, facts)| say(facts, source_name(ground, place)));
        all.collect::<Vec<_>>().join(" ")
    };
    let words = match verdict.rule {
        rule if rule == CPR_RECOMMENDATION => {
            let newest = ground.valid(&verdict.members).next();
            let newest = newest.map(|(place, facts)| {
                format!("Newest: {}, {}{}.", facts.title, source_name(ground, place), on(facts))
            });
            format!("Records disagree about CPR. {} Check the form and ask.", newest.unwrap_or_default())
        }
        rule if rule == NKA_VS_ALLERGY => each(&|facts, source| {
            if facts.thing.allergy().is_some_and(|allergy| allergy.negative.is_some()) {
                format!("{source} recorded ‘{}’{}.", facts.title, on(facts))
            } else {
                format!("{source} records {}{}.", facts.title, on(facts))
            }
        }),
        rule if rule == ALLERGY_SEVERITY => format!("Severity differs: {}", each(&severity)),
        rule if rule == ALLERGY_STATUS || rule == ALLERGY_REFUTED => each(&standing),
        rule if rule == MEDICINE_STATUS => each(&position),
        rule if rule == MEDICINE_DOSE => {
            format!("Dose differs. {}", each(&|facts, source| format!("{source}: {}.", facts.detail)))
        }
        rule if rule == SAME_INGREDIENT => each(&|facts, source| format!("{source} has {}.", facts.title)),
        rule if rule == MORE_THAN_ONE_PLAN => {
            format!("{} plans of this type. Newest first.", plans(ground, &verdict.members))
        }
        rule if rule == SAME_HIGH_RISK_CLASS => {
            let class = class(ground, &verdict.members, |facts| facts.classes.high_risk.as_deref());
            let has = each(&|facts, source| format!("{source} has {}{}.", facts.title, on(facts)));
            format!("Prompt: current medicines of one class ({class}). {has}")
        }
        rule if rule == ALLERGY_VS_CURRENT_MEDICINE => {
            let class = class(ground, &verdict.members, |facts| facts.classes.allergy.as_deref());
            let said = each(&|facts, source| format!("{source} records {}{}.", facts.title, on(facts)));
            format!("Prompt: an allergy and a current medicine of one class ({class}). {said}")
        }
        rule if rule == POSSIBLE_SAME => "These entries have the same name but different codes.".to_owned(),
        _ => format!(
            "{} {}",
            heading(verdict.rule.id),
            each(&|facts, source| format!("{source}{}: {}.", on(facts), said(facts)))
        ),
    };
    Discrepancy { rule: verdict.rule, section, members: verdict.members, words }
}

fn class<'a>(ground: Ground<'a>, members: &[usize], of: fn(&'a Facts) -> Option<&'a str>) -> &'a str {
    ground.valid(members).find_map(|(_, facts)| of(facts)).unwrap_or_default()
}

/// How many plans these are: one document held twice is one.
fn plans(ground: Ground<'_>, members: &[usize]) -> usize {
    let keys: BTreeSet<&str> = ground.valid(members).map(|(_, facts)| facts.key.as_str()).collect();
    keys.len()
}

fn heading(rule: &str) -> &'static str {
    match rule {
        "problem-status" => "Sources disagree whether this is active.",
        "problem-refuted" => "One source ruled this out, another lists it.",
        "result-value" => "Two final values for one test.",
        "result-corrected" | "report-corrected" => "Corrected.",
        "report-status" => "The report's status differs.",
        "immunisation-batch" => "The batch differs.",
        "done-vs-not-done" => "Recorded as done and as not done on the same day.",
        _ => "",
    }
}

fn source_name(ground: Ground<'_>, place: usize) -> &str {
    let voice = ground.loaded.statements.get(place).and_then(|statement| ground.loaded.voice(statement));
    voice.map_or("A source", |voice| voice.name.as_str())
}

fn on(facts: &Facts) -> String {
    facts.date.map(|date| format!(" ({})", date.display())).unwrap_or_default()
}

fn severity(facts: &Facts, source: &str) -> String {
    let word = facts.thing.allergy().map(|allergy| allergy.severity_word()).filter(|word| !word.is_empty());
    format!("{source} {}.", word.unwrap_or("does not say"))
}

fn standing(facts: &Facts, source: &str) -> String {
    let word = match facts.thing.allergy() {
        Some(allergy) if allergy.refuted => "ruled out",
        Some(allergy) if allergy.active => "active",
        Some(_) | None => "ended",
    };
    format!("{source} lists this as {word}{}.", on(facts))
}

fn position(facts: &Facts, source: &str) -> String {
    let word = facts.thing.medicine().map(|medicine| medicine.position.code()).unwrap_or_default();
    let end = facts.end.map(|end| format!(", until {}", end.display())).unwrap_or_default();
    format!("{source}: {word}{end}.")
}

fn said(facts: &Facts) -> String {
    match &facts.thing {
        Thing::Problem(problem) => problem.word().to_owned(),
        Thing::Finding(finding) => finding.value.clone().unwrap_or_default(),
        Thing::Report(status) => status.clone(),
        Thing::Deed { done, batch, .. } => {
            let way = if *done { "done" } else { "not done" };
            batch.as_ref().map_or_else(|| way.to_owned(), |batch| format!("{way}, batch {batch}"))
        }
        Thing::Allergy(_) | Thing::Medicine(_) | Thing::Cpr(_) | Thing::Plan { .. } | Thing::Other { .. } => {
            facts.title.clone()
        }
    }
}
