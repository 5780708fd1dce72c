//! The sections of a summary, which lines of the record each is filled from, and what its profile takes.

use tributary_model::{FhirDate, Section};

use super::choose::{Member, Place, Scale};
use crate::lines::Line;
use tributary_statements::facts::{Facts, Position, Thing};

/// Whether a section is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The profile demands it, with entries or with the reason why there are none (ips-comp-1).
    Required,
    /// Sent always: its silence would be read as "none".
    Always,
    /// Sent when it has something to tell.
    IfHeld,
}

/// One section of a summary (Composition-uv-ips 2.0.0).
pub(super) struct Row {
    /// LOINC code.
    pub(super) code: &'static str,
    /// What LOINC calls it.
    pub(super) display: &'static str,
    pub(super) title: &'static str,
    pub(super) need: Need,
    /// Sections of the record whose lines it tells; the first one's state is its own.
    pub(super) from: &'static [Section],
    /// Resource types the profile takes as entries; empty takes any.
    pub(super) types: &'static [&'static str],
    /// Where a line belongs.
    pub(super) place: fn(&Scale<'_, '_>, &Line) -> Place,
    /// Whether a statement of a line that belongs here may be an entry.
    pub(super) fits: fn(&Member<'_>) -> bool,
    /// Said when lines were found and none of them belongs here.
    pub(super) none: &'static str,
}

/// What the profile takes in the medication summary.
const MEDICINES: &[&str] =
    &["MedicationStatement", "MedicationRequest", "MedicationAdministration", "MedicationDispense"];

/// Every section, in the order of the document: what must be seen first comes first.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "11450-4",
        display: "Problem list - Reported",
        title: "Problems",
        need: Need::Required,
        from: &[Section::Problems],
        types: &["Condition"],
        place: problem,
        fits: any,
        none: "No active problem is among what the sources that answered record.",
    },
    Row {
        code: "48765-2",
        display: "Allergies and adverse reactions Document",
        title: "Allergies and intolerances",
        need: Need::Required,
        from: &[Section::Allergies],
        types: &["AllergyIntolerance"],
        place: allergy,
        fits: any,
        none: "No active allergy is among what the sources that answered record.",
    },
    Row {
        code: "10160-0",
        display: "History of Medication use Narrative",
        title: "Medication summary",
        need: Need::Required,
        from: &[Section::Medications],
        types: MEDICINES,
        place: medicine,
        // The profile takes no "do not give": a reader that overlooks the mark would read an order.
        fits: |member| position(member.facts) != Some(Position::DoNotGive),
        none: "No current medicine is among what the sources that answered record.",
    },
    Row {
        code: "42348-3",
        display: "Advance directives",
        title: "Advance directives",
        need: Need::Always,
        from: &[Section::Plans],
        types: &["Consent", "DocumentReference"],
        place: |scale, line| if is(scale, line, "CarePlan") { Place::Elsewhere } else { plan(scale, line) },
        fits: any,
        none: "No plan was found in the sources that answered.",
    },
    Row {
        code: "104605-1",
        display: "Alert",
        title: "Alerts",
        need: Need::IfHeld,
        from: &[Section::Flags, Section::Plans],
        types: &["Flag"],
        place: alert,
        fits: |member| member.resource.says("status", "active"),
        none: "",
    },
    Row {
        code: "81338-6",
        display: "Patient Goals, preferences, and priorities for care experience",
        title: "Patient story",
        need: Need::IfHeld,
        from: &[Section::Plans],
        types: &[],
        place: story,
        fits: |member| !matches!(member.kind, "Consent" | "DocumentReference" | "CarePlan"),
        none: "",
    },
    Row {
        code: "18776-5",
        display: "Plan of care note",
        title: "Plan of care",
        need: Need::IfHeld,
        from: &[Section::Plans],
        types: &["CarePlan"],
        place: |scale, line| if is(scale, line, "CarePlan") { plan(scale, line) } else { Place::Elsewhere },
        fits: any,
        none: "",
    },
    Row {
        code: "11369-6",
        display: "History of Immunization note",
        title: "Immunisations",
        need: Need::IfHeld,
        from: &[Section::Immunisations],
        types: &["Immunization"],
        place: |scale, line| deed(scale, line, "vaccinations not given"),
        fits: was_done,
        none: "",
    },
    Row {
        code: "30954-2",
        display: "Relevant diagnostic tests/laboratory data note",
        title: "Results",
        need: Need::IfHeld,
        from: &[Section::Results],
        types: &["Observation"],
        place: |scale, line| result(scale, line, None),
        fits: any,
        none: "",
    },
    Row {
        code: "8716-3",
        display: "Vital signs note",
        title: "Vital signs",
        need: Need::IfHeld,
        from: &[Section::Results],
        types: &["Observation"],
        place: |scale, line| result(scale, line, Some("vital-signs")),
        fits: any,
        none: "",
    },
    Row {
        code: "29762-2",
        display: "Social history note",
        title: "Social history",
        need: Need::IfHeld,
        from: &[Section::Results, Section::Uncategorised],
        types: &["Observation"],
        place: |scale, line| result(scale, line, Some("social-history")),
        fits: any,
        none: "",
    },
    Row {
        code: "47519-4",
        display: "History of Procedures Document",
        title: "Procedures",
        need: Need::IfHeld,
        from: &[Section::Procedures],
        types: &["Procedure"],
        place: |scale, line| deed(scale, line, "procedures not done"),
        fits: was_done,
        none: "",
    },
    Row {
        code: "46264-8",
        display: "History of medical device use",
        title: "Medical devices",
        need: Need::IfHeld,
        from: &[Section::SocialCare],
        types: &["DeviceUseStatement"],
        place: |scale, line| {
            if is(scale, line, "DeviceUseStatement") { Place::Entry } else { Place::Elsewhere }
        },
        fits: any,
        none: "",
    },
    Row {
        code: "11348-0",
        display: "History of Past illness note",
        title: "Past problems",
        need: Need::IfHeld,
        from: &[Section::Problems],
        types: &["Condition"],
        place: past_problem,
        fits: |member| !member.facts.thing.problem().is_some_and(|problem| problem.refuted),
        none: "",
    },
];

fn any(_member: &Member<'_>) -> bool {
    true
}

fn position(facts: &Facts) -> Option<Position> {
    facts.thing.medicine().map(|medicine| medicine.position)
}

/// Whether a line is of statements of one type.
fn is(scale: &Scale<'_, '_>, line: &Line, kind: &str) -> bool {
    scale.members(line).any(|member| member.kind == kind)
}

/// What is not known to be over stays with what is active.
fn is_active_problem(facts: &Facts) -> bool {
    facts.thing.problem().is_none_or(|problem| problem.active != Some(false) && !problem.refuted)
}

fn problem(scale: &Scale<'_, '_>, line: &Line) -> Place {
    let is_refuted = |member: Member<'_>| member.facts.thing.problem().is_some_and(|one| one.refuted);
    if scale.members(line).any(|member| is_active_problem(member.facts)) {
        Place::Entry
    } else if scale.members(line).all(is_refuted) {
        Place::Told("Ruled out")
    } else {
        Place::Elsewhere
    }
}

fn past_problem(scale: &Scale<'_, '_>, line: &Line) -> Place {
    match problem(scale, line) {
        Place::Elsewhere => Place::Entry,
        Place::Entry | Place::Told(_) | Place::Counted(_) => Place::Elsewhere,
    }
}

fn allergy(scale: &Scale<'_, '_>, line: &Line) -> Place {
    let counts = |facts: &Facts| facts.thing.allergy().is_none_or(|one| one.counts());
    if scale.members(line).any(|member| counts(member.facts)) {
        return Place::Entry;
    }
    let holds = |facts: &Facts| facts.thing.allergy().is_some_and(|one| one.active && !one.refuted);
    if !scale.members(line).any(|member| holds(member.facts)) {
        return Place::Told("Ended or ruled out");
    }
    // Beside an allergy, a negative is an entry only where the two contradict each other.
    let denies = |facts: &Facts| facts.thing.allergy().is_some_and(|one| one.denies_drugs());
    if !scale.has_allergy || scale.members(line).any(|member| denies(member.facts)) {
        Place::Entry
    } else {
        Place::Told("Recorded beside the allergies above")
    }
}

fn medicine(scale: &Scale<'_, '_>, line: &Line) -> Place {
    let has = |wanted: &[Position]| {
        scale.members(line).any(|member| position(member.facts).is_some_and(|one| wanted.contains(&one)))
    };
    let is_no_medicine = scale.members(line).any(|member| position(member.facts).is_none());
    if is_no_medicine || has(&[Position::Current, Position::Suspended, Position::Unknown]) {
        return Place::Entry;
    }
    if has(&[Position::DoNotGive]) {
        return Place::Told("NOT to be given, say the records");
    }
    if has(&[Position::NotTaken]) {
        return Place::Told("Prescribed, and not taken");
    }
    let ends: Vec<Option<FhirDate>> = scale.members(line).map(|member| member.facts.end).collect();
    match ends.iter().copied().collect::<Option<Vec<FhirDate>>>() {
        None => Place::Told("Stopped, on a date that is not recorded"),
        Some(ends) if ends.iter().any(|end| scale.is_within_90_days(*end)) => {
            Place::Told("Stopped in the last 90 days")
        }
        Some(_) => Place::Counted("medicines stopped more than 90 days ago"),
    }
}

/// A plan that holds is listed; one that does not, or no longer, is told apart from those.
fn plan(scale: &Scale<'_, '_>, line: &Line) -> Place {
    if scale.members(line).any(|member| member.facts.lapsed.is_none()) {
        Place::Entry
    } else {
        Place::Told("Does not hold, or no longer")
    }
}

fn story(scale: &Scale<'_, '_>, line: &Line) -> Place {
    let papers = ["Consent", "DocumentReference", "CarePlan"];
    if papers.iter().any(|kind| is(scale, line, kind)) { Place::Elsewhere } else { plan(scale, line) }
}

fn alert(scale: &Scale<'_, '_>, line: &Line) -> Place {
    let holds = |member: Member<'_>| member.kind == "Flag" && member.facts.lapsed.is_none();
    if scale.members(line).any(holds) {
        Place::Entry
    } else if line.section == Section::Flags {
        Place::Counted("alerts that have ended")
    } else {
        Place::Elsewhere
    }
}

fn was_done(member: &Member<'_>) -> bool {
    if let Thing::Deed { done, .. } = &member.facts.thing {
        return *done;
    }
    // Not understood: only its own word says whether it was done.
    !member.resource.says("status", "not-done")
}

fn deed(scale: &Scale<'_, '_>, line: &Line, otherwise: &'static str) -> Place {
    let is_finished = |member: &Member<'_>| was_done(member) && member.facts.remark.is_none();
    if scale.members(line).any(|member| is_finished(&member)) {
        Place::Entry
    } else if scale.members(line).any(|member| was_done(&member)) {
        Place::Told("Not known to be finished")
    } else {
        Place::Counted(otherwise)
    }
}

/// The last value of each test and the one before, of the last twelve months.
fn result(scale: &Scale<'_, '_>, line: &Line, category: Option<&str>) -> Place {
    let own = ["vital-signs", "social-history"].into_iter().find(|one| scale.is_of_category(line, one));
    if own != category {
        return Place::Elsewhere;
    }
    if scale.members(line).all(|member| member.facts.date.is_none()) {
        return Place::Told("On a date that is not recorded");
    }
    if scale.is_recent_result(line) { Place::Entry } else { Place::Counted("older results") }
}
