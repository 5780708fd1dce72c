//! Problems and diagnoses.

use tributary_fhir::Json;
use tributary_model::Section;

use super::{Facts, Reader, Thing};
use crate::concept::Concept;

/// What matters about a problem statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Active, recurrence or relapse. `None` when nothing is said.
    pub active: Option<bool>,
    /// Ruled out.
    pub refuted: bool,
}

impl Problem {
    /// Its block in the list: active, inactive, ruled out. What is not said stays with active.
    pub fn block(self) -> u8 {
        if self.refuted { 2 } else { u8::from(self.active == Some(false)) }
    }

    /// The state in words. "Inactive" is what GP systems say; it does not mean resolved.
    pub const fn word(self) -> &'static str {
        match (self.refuted, self.active) {
            (true, _) => "ruled out",
            (false, Some(true)) => "active",
            (false, Some(false)) => "inactive",
            (false, None) => "",
        }
    }
}

pub(super) fn read(reader: &Reader<'_>) -> Facts {
    let concept = reader.first("code");
    let found = concept.and_then(|code| Concept::of(code, reader.maps));
    let sites = reader.resource().get("bodySite").into_iter().flat_map(Json::each);
    let mut sites: Vec<_> =
        sites.filter_map(|site| Concept::of(site, reader.maps)).map(|site| site.key).collect();
    sites.sort();
    let site = sites.join("+");
    let active = match reader.status("clinicalStatus").as_ref() {
        "active" | "recurrence" | "relapse" => Some(true),
        "inactive" | "remission" | "resolved" => Some(false),
        _ => None,
    };
    // What is only suspected never counts as agreement with what is known.
    let suspected = matches!(
        reader.status("verificationStatus").as_ref(),
        "provisional" | "differential" | "unconfirmed"
    );
    let mark = if suspected { "|suspected" } else { "" };
    let problem = Problem { active, refuted: reader.status("verificationStatus") == "refuted" };
    Facts {
        key: found
            .as_ref()
            .map_or_else(|| reader.origin_key(), |found| format!("{}|{site}{mark}", found.key)),
        conceptual: found.is_some(),
        remark: suspected.then_some("suspected"),
        end: reader.date(&[&["abatementDateTime"], &["abatementPeriod", "start"]]),
        thing: Thing::Problem(problem),
        ..reader.plain(
            Section::Problems,
            concept,
            &[&["onsetDateTime"], &["onsetPeriod", "start"], &["recordedDate"]],
        )
    }
}
