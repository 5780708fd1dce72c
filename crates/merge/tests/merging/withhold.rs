//! What a role may not see leaves no trace in anything that is told.

mod cases;
mod proofs;
mod story;
mod surface;

use tributary_merge::{CodeLists, Inputs, Record, Withheld, Withholding, merge, withhold};
use tributary_model::{NhsNumber, RoleView, Views};

use crate::kit::{Federation, NHS};

/// A code that every test puts on a list.
pub(crate) const LISTED: &str = "165816005";

pub(crate) fn lists() -> CodeLists {
    let mut lists = CodeLists::default();
    let csv = format!("code,kinds,source,release\n{LISTED},all,test,2026\n");
    lists.load("999004381000000103", &csv).expect("a list");
    lists
}

impl Federation {
    /// The answers as a role may see them.
    pub(crate) fn withheld(&self, view: RoleView) -> Withheld {
        self.withheld_of(&self.answers, &view.into())
    }

    pub(crate) fn withheld_of(&self, answers: &[tributary_merge::Answer], views: &Views) -> Withheld {
        withhold(Withholding {
            patient: NhsNumber::parse(NHS).expect("number"),
            as_of: self.as_of.parse().expect("instant"),
            pds: None,
            registry: &self.registry,
            answers,
            maps: &self.maps,
            views,
            lists: &lists(),
        })
    }

    /// The record of what is left.
    pub(crate) fn merged_for<'a>(&'a self, withheld: &'a Withheld) -> Record<'a> {
        merge(Inputs {
            patient: NhsNumber::parse(NHS).expect("number"),
            as_of: self.as_of.parse().expect("instant"),
            sections: self.sections,
            registry: &self.registry,
            answers: withheld.screened(),
            pds: None,
            notes: &[],
            attachments: None,
            prompts: tributary_merge::Prompts::default(),
            maps: &self.maps,
        })
    }
}

/// Everything that anybody can be told of a record.
pub(crate) fn told(record: &Record<'_>) -> String {
    let statuses: Vec<_> = record.statuses().collect();
    let rules: Vec<_> = record.rules().collect();
    format!(
        "{}\n{}\n{}\n{:?}\n{statuses:?}\n{rules:?}\n{}\n{}",
        record.to_r4(),
        record.to_lines(),
        record.to_outcome(),
        record.to_view(),
        record.tally(),
        record.allergy_label().words(),
    )
}
