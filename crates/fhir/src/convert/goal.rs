//! `Goal`. One code of STU3 says in R4 how far it is pursued and how well it goes.

use crate::draft::{Draft, Fields};

use super::back::{Codes, keep_new, require, single};
use super::edit::{Notes, has, rehome, restate};
use super::kept::keep;
use super::restore::pull;

const ACHIEVEMENT: &str = "http://terminology.hl7.org/CodeSystem/goal-achievement";

/// STU3 code, R4 life cycle, R4 achievement where R4 has one that says the same.
const PURSUED: &[(&str, &str, Option<&str>)] = &[
    ("in-progress", "active", None),
    ("on-target", "active", None),
    ("ahead-of-target", "active", None),
    ("behind-target", "active", None),
    ("sustaining", "active", Some("sustaining")),
    ("achieved", "completed", Some("achieved")),
];

/// To R4.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let status = fields.text_at("status").unwrap_or_default().into_owned();
    if let Some((_, pursued, achieved)) = PURSUED.iter().find(|(stu3, _, _)| *stu3 == status) {
        restate(fields, notes, "Goal.status", pursued);
        if let Some(code) = achieved.filter(|_| !has(fields, "achievementStatus")) {
            fields.put("achievementStatus", Draft::concept(ACHIEVEMENT, code));
        }
    }
    rehome(fields, notes, "Goal.status", "lifecycleStatus", "Code");
    fields.wrap("target");
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const CODES: Codes = Codes {
        same: &["proposed", "planned", "accepted", "on-hold", "cancelled", "entered-in-error", "rejected"],
        renamed: &[],
        // Whether a goal that is no longer pursued was reached is not said by this code.
        near: &[("active", "in-progress")],
    };
    let pursued = fields.text_at("lifecycleStatus").unwrap_or_default().into_owned();
    let is_open = matches!(pursued.as_str(), "active" | "completed");
    match pull(fields, "Goal.status", "Code").filter(|_| is_open) {
        Some((Some(before), _)) if says_the_same(&before, &pursued) => {
            keep(fields, notes, "Goal.status", "Code");
            fields.take("lifecycleStatus");
            drop_achievement(fields, &before);
            fields.put("status", before);
        }
        _ => {
            CODES.apply(fields, notes, "Goal.lifecycleStatus");
            rehome(fields, notes, "Goal.lifecycleStatus", "status", "Code");
        }
    }
    if !has(fields, "status") {
        require(fields, "status");
    }
    fields.each("target", |target| {
        keep_new(
            target,
            notes,
            &[
                ("Goal.target.detailBoolean", "Boolean"),
                ("Goal.target.detailInteger", "Integer"),
                ("Goal.target.detailRatio", "Ratio"),
                ("Goal.target.detailString", "String"),
            ],
        );
    });
    single(fields, notes, "Goal.target", "");
    keep(fields, notes, "Goal.achievementStatus", "CodeableConcept");
}

fn says_the_same(before: &Draft<'_>, pursued: &str) -> bool {
    let before = before.text().unwrap_or_default();
    PURSUED.iter().any(|(stu3, r4, _)| *stu3 == before && *r4 == pursued)
}

/// The achievement that the code brought with it goes with it.
fn drop_achievement(fields: &mut Fields<'_>, before: &Draft<'_>) {
    let text = before.text().unwrap_or_default();
    let Some((_, _, Some(code))) = PURSUED.iter().find(|(stu3, _, _)| *stu3 == text) else { return };
    let mut made = String::new();
    Draft::concept(ACHIEVEMENT, code).write(&mut made, &mut |_, _| None);
    let is_ours = fields.get("achievementStatus").and_then(Draft::raw).is_some_and(|one| one.raw() == made);
    if is_ours {
        fields.take("achievementStatus");
    }
}
