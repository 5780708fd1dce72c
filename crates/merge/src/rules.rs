//! The catalogue of discrepancies: what is said when records do not fit together.
//!
//! Rules see sets of statements, so adding a source never takes a conflict away. They speak of records,
//! never of treatment.

mod across;
mod death;
mod demographics;
mod prompts;
mod within;
mod words;

use tributary_model::Section;

use crate::lines::{Ground, Line};
use tributary_statements::gate::Whom;
use tributary_statements::inputs::Prompts;

/// How much a discrepancy weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Incompatible.
    Conflict,
    /// More detail, or corrected.
    Difference,
    /// Perhaps the same thing twice.
    Possible,
    /// Speaks of treatment, not of records.
    Prompt,
}

impl Weight {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Difference => "difference",
            Self::Possible => "possible",
            Self::Prompt => "prompt",
        }
    }
}

/// One rule of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    pub(crate) kind: Weight,
    pub(crate) severity: &'static str,
}

const fn rule(id: &'static str, kind: Weight, severity: &'static str) -> Rule {
    Rule { id, kind, severity }
}

pub(crate) const NKA_VS_ALLERGY: Rule = rule("nka-vs-allergy", Weight::Conflict, "high");
pub(crate) const ALLERGY_STATUS: Rule = rule("allergy-status", Weight::Conflict, "high");
pub(crate) const ALLERGY_REFUTED: Rule = rule("allergy-refuted", Weight::Conflict, "high");
pub(crate) const ALLERGY_SEVERITY: Rule = rule("allergy-severity", Weight::Difference, "moderate");
pub(crate) const MEDICINE_STATUS: Rule = rule("medicine-status", Weight::Conflict, "high");
pub(crate) const MEDICINE_DOSE: Rule = rule("medicine-dose", Weight::Conflict, "high");
pub(crate) const SAME_INGREDIENT: Rule = rule("same-ingredient-different-product", Weight::Conflict, "high");
pub(crate) const PROBLEM_STATUS: Rule = rule("problem-status", Weight::Conflict, "moderate");
pub(crate) const PROBLEM_REFUTED: Rule = rule("problem-refuted", Weight::Conflict, "high");
pub(crate) const RESULT_VALUE: Rule = rule("result-value", Weight::Conflict, "high");
pub(crate) const RESULT_CORRECTED: Rule = rule("result-corrected", Weight::Difference, "moderate");
pub(crate) const REPORT_CORRECTED: Rule = rule("report-corrected", Weight::Difference, "moderate");
pub(crate) const REPORT_STATUS: Rule = rule("report-status", Weight::Difference, "moderate");
pub(crate) const IMMUNISATION_BATCH: Rule = rule("immunisation-batch", Weight::Conflict, "moderate");
pub(crate) const DONE_VS_NOT_DONE: Rule = rule("done-vs-not-done", Weight::Conflict, "high");
pub(crate) const CPR_RECOMMENDATION: Rule = rule("cpr-recommendation", Weight::Conflict, "high");
pub(crate) const MORE_THAN_ONE_PLAN: Rule = rule("more-than-one-plan", Weight::Difference, "moderate");
pub(crate) const NAME: Rule = rule("demographics-name", Weight::Conflict, "moderate");
pub(crate) const BIRTH_DATE: Rule = rule("demographics-birthdate", Weight::Conflict, "high");
pub(crate) const GENDER: Rule = rule("demographics-gender", Weight::Conflict, "moderate");
pub(crate) const ADDRESS: Rule = rule("demographics-address", Weight::Conflict, "moderate");
pub(crate) const PRACTICE: Rule = rule("demographics-practice", Weight::Difference, "low");
pub(crate) const DECEASED: Rule = rule("deceased", Weight::Conflict, "high");
pub(crate) const POSSIBLE_SAME: Rule = rule("possible-same", Weight::Possible, "moderate");
pub(crate) const SAME_HIGH_RISK_CLASS: Rule = rule("same-high-risk-class", Weight::Prompt, "moderate");
pub(crate) const ALLERGY_VS_CURRENT_MEDICINE: Rule =
    rule("allergy-vs-current-medicine", Weight::Prompt, "moderate");

/// Every rule there is: labels of metrics come from here.
pub const RULE_IDS: &[&str] = &[
    NKA_VS_ALLERGY.id,
    ALLERGY_STATUS.id,
    ALLERGY_REFUTED.id,
    ALLERGY_SEVERITY.id,
    MEDICINE_STATUS.id,
    MEDICINE_DOSE.id,
    SAME_INGREDIENT.id,
    PROBLEM_STATUS.id,
    PROBLEM_REFUTED.id,
    RESULT_VALUE.id,
    RESULT_CORRECTED.id,
    REPORT_CORRECTED.id,
    REPORT_STATUS.id,
    IMMUNISATION_BATCH.id,
    DONE_VS_NOT_DONE.id,
    CPR_RECOMMENDATION.id,
    MORE_THAN_ONE_PLAN.id,
    NAME.id,
    BIRTH_DATE.id,
    GENDER.id,
    ADDRESS.id,
    PRACTICE.id,
    DECEASED.id,
    POSSIBLE_SAME.id,
    SAME_HIGH_RISK_CLASS.id,
    ALLERGY_VS_CURRENT_MEDICINE.id,
];

/// A rule that fired, and on which statements.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) rule: Rule,
    /// Positions of the statements concerned.
    pub(crate) members: Vec<usize>,
}

/// A discrepancy, in words.
#[derive(Clone)]
pub(crate) struct Discrepancy {
    pub(crate) rule: Rule,
    pub(crate) section: Option<Section>,
    pub(crate) members: Vec<usize>,
    pub(crate) words: String,
}

/// What the rules say of the statements of one line.
pub(crate) fn of_line(ground: Ground<'_>, members: &[usize]) -> Vec<Verdict> {
    within::judge(ground, members)
}

/// Every discrepancy of the record, most severe first.
pub(crate) fn all(ground: Ground<'_>, lines: &[Line], whom: Whom<'_>, prompts: Prompts) -> Vec<Discrepancy> {
    let mut found = Vec::new();
    for line in lines {
        for verdict in of_line(ground, &line.members) {
            found.push(words::tell(ground, verdict, Some(line.section)));
        }
    }
    found.extend(
        across::judge(ground, lines)
            .into_iter()
            .chain(prompts::judge(ground, lines, prompts))
            .map(|(verdict, section)| words::tell(ground, verdict, Some(section))),
    );
    found.extend(demographics::judge(ground, whom));
    found.extend(death::judge(ground, whom));
    let weight = |severity: &str| match severity {
        "high" => 0,
        "moderate" => 1,
        _ => 2,
    };
    // The lines come in display order, so equal weights keep it.
    found.sort_by_key(|one| (weight(one.rule.severity), one.rule.kind));
    found
}
