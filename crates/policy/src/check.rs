//! What makes a draft no table.

use std::collections::BTreeSet;
use std::time::Duration;

use tributary_model::Label;

use crate::rule::{Among, Effect, Glass, Rule, Taken};
use crate::table::{Column, Draft, Flaw, LONGEST_ID, LONGEST_LIFE, MOST_RULES, Place};

/// Everything that is wrong with a draft.
pub(crate) fn flaws(draft: &Draft) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut note = |place: Place, says: &'static str| flaws.push(Flaw { place, says });
    if draft.rules.is_empty() {
        note(Place::Table, "there is no rule: nobody could see anything");
    }
    if draft.rules.len() > MOST_RULES {
        note(Place::Table, "there are more rules than anybody can review");
    }
    let mut roles = BTreeSet::new();
    for (at, (role, _)) in draft.columns.iter().enumerate() {
        if !roles.insert(*role) {
            note(Place::Column(at + 1), "is the role of an earlier entry");
        }
    }
    glass(draft, &mut note);
    let mut ids = BTreeSet::new();
    for (at, rule) in draft.rules.iter().enumerate() {
        if !ids.insert(&rule.id) {
            note(Place::Rule(at + 1, "id"), "is the id of an earlier rule");
        }
        of_rule(rule, &mut |key, says| note(Place::Rule(at + 1, key), says));
    }
    flaws
}

fn glass(draft: &Draft, note: &mut impl FnMut(Place, &'static str)) {
    let bounds = draft.glass;
    if bounds.quota == 0 {
        note(Place::Glass("quota"), "is nothing; take out the rules that break the glass instead");
    }
    if bounds.window.is_zero() {
        note(Place::Glass("quota_hours"), "is no time");
    }
    if bounds.life == Duration::ZERO || bounds.life > LONGEST_LIFE {
        note(Place::Glass("life_minutes"), "is not between a minute and an hour");
    }
}

/// Whether a text can name a rule.
pub fn is_id(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_fit)
}

fn of_rule(rule: &Rule, note: &mut impl FnMut(&'static str, &'static str)) {
    const NOBODY: &str = "is empty, which means nobody; name some, or write \"any\"";
    if !is_id(&rule.id) {
        note("id", "is 1 to 64 lower-case letters, digits and hyphens");
    }
    let empty = [
        ("organisations", rule.organisations.is_nobody()),
        ("roles", rule.roles.is_nobody()),
        ("purposes", rule.purposes.is_nobody()),
        ("source_kinds", rule.kinds.is_nobody()),
        ("sections", rule.sections.is_nobody()),
    ];
    for (key, is_empty) in empty {
        if is_empty {
            note(key, NOBODY);
        }
    }
    let labels = match &rule.effect {
        Effect::Permit(permit) => permit.labels.as_ref(),
        Effect::Deny(deny) => deny.labels.as_ref(),
        Effect::Limit(limits) => {
            let takes = [limits.free_text, limits.listed].contains(&Taken::Away);
            if !takes && limits.view.is_none() {
                note("effect", "is a limit that takes nothing away");
            }
            None
        }
    };
    if labels.is_some_and(Among::is_nobody) {
        note("labels", NOBODY);
    }
    let is_unknown =
        |labels: &Among<Label>| matches!(labels, Among::Only(all) if all.contains(&Label::Unknown));
    if labels.is_some_and(is_unknown) {
        note("labels", "names what nobody knows");
    }
    if let Effect::Permit(permit) = &rule.effect
        && permit.glass == Glass::Broken
        && rule.roles == Among::Any
    {
        note("roles", "must be named where the glass is broken");
    }
}

impl Column {
    /// The code in configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Of(role) => role.code(),
            Self::Whole => "whole",
        }
    }
}
