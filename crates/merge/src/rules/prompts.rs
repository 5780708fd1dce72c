//! Prompts: what might be done about the records, not what they say. Off unless somebody signed for it.
//!
//! They look at current medicines and at allergies that count, over all sources, and have no part in the class of a
//! line. They repeat what is written and name the class; they give no advice.

use std::collections::{BTreeMap, BTreeSet};

use tributary_model::Section;

use super::across::{of_section, sorted};
use super::{ALLERGY_VS_CURRENT_MEDICINE, SAME_HIGH_RISK_CLASS, Verdict};
use crate::lines::{Ground, Line};
use tributary_statements::facts::{Allergy, Facts, Medicine, Position, Thing};
use tributary_statements::inputs::{Prompt, Prompts};

pub(super) fn judge(ground: Ground<'_>, lines: &[Line], prompts: Prompts) -> Vec<(Verdict, Section)> {
    let mut found = Vec::new();
    if prompts.same_high_risk_class == Prompt::On {
        found.extend(same_class(ground, lines));
    }
    if prompts.allergy_vs_current_medicine == Prompt::On {
        found.extend(allergy_against_medicine(ground, lines));
    }
    found.into_iter().map(|verdict| (verdict, Section::Medications)).collect()
}

fn current<'a>(
    ground: Ground<'a>,
    lines: &'a [Line],
) -> impl Iterator<Item = (usize, &'a Facts, &'a Medicine)> {
    let medicines = of_section(ground, lines, Section::Medications);
    let medicines = medicines.filter_map(|(place, facts)| Some((place, facts, facts.thing.medicine()?)));
    medicines.filter(|(.., medicine)| medicine.position == Position::Current)
}

/// One prompt for each class of which more than one ingredient is current. Two strengths of one are one medicine.
fn same_class(ground: Ground<'_>, lines: &[Line]) -> Vec<Verdict> {
    let mut classes: BTreeMap<&str, (BTreeSet<&str>, Vec<usize>)> = BTreeMap::new();
    for (place, facts, medicine) in current(ground, lines) {
        let drug = medicine.ingredient.as_deref().or(medicine.product.as_deref());
        if let (Some(class), Some(drug)) = (&facts.classes.high_risk, drug) {
            let (drugs, members) = classes.entry(class).or_default();
            drugs.insert(drug);
            members.push(place);
        }
    }
    let several = classes.into_values().filter(|(drugs, _)| drugs.len() > 1);
    several
        .map(|(_, members)| Verdict { rule: SAME_HIGH_RISK_CLASS, members: sorted(ground, members) })
        .collect()
}

/// One prompt for each class that somebody is allergic to and takes.
fn allergy_against_medicine(ground: Ground<'_>, lines: &[Line]) -> Vec<Verdict> {
    let mut taken: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, facts, _) in current(ground, lines) {
        if let Some(class) = &facts.classes.allergy {
            taken.entry(class).or_default().push(place);
        }
    }
    let mut met: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, facts) in of_section(ground, lines, Section::Allergies) {
        let counts = matches!(&facts.thing, Thing::Allergy(allergy) if Allergy::counts(*allergy));
        if let Some(class) =
            facts.classes.allergy.as_deref().filter(|class| counts && taken.contains_key(class))
        {
            met.entry(class).or_default().push(place);
        }
    }
    let both = met.into_iter().map(|(class, mut members)| {
        members.extend(taken.get(class).into_iter().flatten());
        Verdict { rule: ALLERGY_VS_CURRENT_MEDICINE, members: sorted(ground, members) }
    });
    both.collect()
}
