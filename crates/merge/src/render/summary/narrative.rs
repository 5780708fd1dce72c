//! What a summary says in words: first what is missing and from whom, then every line with its sources.

use tributary_model::{FhirDate, Section, SectionState};

use super::choose::{self, Chosen, Member};
use super::xhtml::Xhtml;
use crate::lines::{Class, Line};
use crate::record::Record;
use crate::rules::{Discrepancy, Weight};
use tributary_statements::facts::{Position, Thing};

/// What stands over a section.
pub(super) struct Opening {
    /// What is missing, and from whom.
    pub(super) missing: Vec<String>,
    /// What else must be read before the lines.
    pub(super) said: Vec<String>,
}

/// The words over a section: those of the record, and that nothing of this section is among what was found.
pub(super) fn opening(record: &Record<'_>, chosen: &Chosen<'_>, section: Section) -> Opening {
    let ended = if section == Section::Allergies { record.ended_words() } else { Vec::new() };
    let notices = record.section_notices(section).into_iter();
    let (mut said, missing): (Vec<String>, Vec<String>) = notices.partition(|words| ended.contains(words));
    if section == Section::Allergies {
        said.insert(0, format!("{}.", record.label.words()));
    }
    if chosen.listed.is_empty() && !chosen.row.none.is_empty() && has_spoken(record, section) {
        said.insert(0, chosen.row.none.to_owned());
    }
    if let Some(orders) = not_to_be_given(record, chosen) {
        said.push(orders);
    }
    said.extend(disputes(record, chosen));
    Opening { missing, said }
}

/// Whether a source answered for the section, so that more can be said than that nobody did.
fn has_spoken(record: &Record<'_>, section: Section) -> bool {
    let states = || record.sources.iter().filter_map(|source| source.states.get(&section));
    let answered = |state: &SectionState| matches!(state, SectionState::Partial | SectionState::Empty);
    record.lines_of(section).next().is_some() || (section == Section::Plans && states().any(answered))
}

/// One sentence for each discrepancy between statements that the section names.
fn disputes(record: &Record<'_>, chosen: &Chosen<'_>) -> Vec<String> {
    let named: std::collections::BTreeSet<usize> =
        chosen.named().flat_map(|line| line.members.iter().copied()).collect();
    let concerns = |section: Option<Section>| section.is_some_and(|one| chosen.row.from.contains(&one));
    // A prompt is advice, and no part of a document about what is recorded.
    let stated = record.discrepancies.iter().filter(|one| one.rule.kind != Weight::Prompt);
    let disputes = stated.filter(|one| concerns(one.section));
    let disputes = disputes.filter(|one| one.members.iter().any(|place| named.contains(place)));
    disputes.map(|one| about(record, one)).collect()
}

/// A discrepancy in words that stand by themselves: what it is about comes first, where they do not say it.
fn about(record: &Record<'_>, dispute: &Discrepancy) -> String {
    let facts = dispute.members.iter().find_map(|place| record.ground().facts(*place));
    match facts.map(|facts| facts.title.as_str()) {
        Some(title) if !dispute.words.contains(title) => format!("{title}: {}", dispute.words),
        _ => dispute.words.clone(),
    }
}

/// Orders not to give something are no entries; nobody may miss them for that.
fn not_to_be_given(record: &Record<'_>, chosen: &Chosen<'_>) -> Option<String> {
    let is_order = |member: &Member<'_>| {
        member.facts.thing.medicine().is_some_and(|one| one.position == Position::DoNotGive)
    };
    let mut names: Vec<&str> = chosen
        .named()
        .flat_map(|line| choose::members(record, line))
        .filter(is_order)
        .map(|member| member.facts.title.as_str())
        .collect();
    names.dedup();
    (!names.is_empty()).then(|| format!("NOT to be given, say the records: {}.", names.join("; ")))
}

/// The words of one section as XHTML.
pub(super) fn section(record: &Record<'_>, chosen: &Chosen<'_>, opening: &Opening) -> String {
    let mut html = Xhtml::new();
    for words in opening.missing.iter().chain(&opening.said) {
        html.element("p", words);
    }
    if !chosen.listed.is_empty() {
        table(record, &chosen.listed, &mut html);
    }
    for (heading, lines) in &chosen.told {
        html.element("p", &format!("{heading}:"));
        table(record, lines, &mut html);
    }
    if let Some(words) = left_out(chosen) {
        html.element("p", &words);
    }
    html.finish()
}

/// What is counted and not told.
pub(super) fn left_out(chosen: &Chosen<'_>) -> Option<String> {
    let counts: Vec<String> =
        chosen.counted.iter().map(|(words, count)| format!("{words} ({count})")).collect();
    (!counts.is_empty()).then(|| format!("Not part of this summary: {}.", counts.join(", ")))
}

fn table(record: &Record<'_>, lines: &[&Line], html: &mut Xhtml) {
    html.within("table", |html| {
        html.within("thead", |html| {
            html.within("tr", |html| {
                for word in ["What", "Status", "Details", "Source", "Date"] {
                    html.element("th", word);
                }
            });
        });
        html.within("tbody", |html| lines.iter().for_each(|line| rows(record, line, html)));
    });
}

/// One row for each statement; the first one says how they relate.
fn rows(record: &Record<'_>, line: &Line, html: &mut Xhtml) {
    for (index, member) in choose::members(record, line).enumerate() {
        let Some(view) = record.member_view(member.place) else { continue };
        let relation = relation(record, line).filter(|_| index == 0);
        let title = relation.map_or_else(|| view.title.clone(), |words| format!("{} ({words})", view.title));
        let source = view.copy.map_or_else(
            || view.source_name.clone(),
            |copy| format!("{} ({})", view.source_name, copied(copy)),
        );
        html.within("tr", |html| {
            html.element("td", &title);
            html.element("td", &standing(member, &view.facts));
            html.element("td", &view.detail);
            html.element("td", &source);
            html.element("td", &date(member));
        });
    }
}

fn relation(record: &Record<'_>, line: &Line) -> Option<String> {
    let ground = record.ground();
    let members = || choose::members(record, line).map(|member| member.place);
    let copies = members().filter(|place| ground.copy(*place).is_some()).count();
    match line.class {
        Class::Single => None,
        Class::Repeat => Some("recorded more than once by one source".to_owned()),
        Class::Copied => {
            Some(format!("1 source and {copies} {}", if copies == 1 { "copy" } else { "copies" }))
        }
        Class::Agree => Some("sources agree".to_owned()),
        Class::Difference => Some("sources differ".to_owned()),
        Class::Conflict => Some("sources contradict each other".to_owned()),
    }
}

fn copied(copy: &str) -> &'static str {
    match copy {
        "echo" => "copy of another source's entry",
        "stale-copy" => "out-of-date copy of another source's entry",
        "copy-of-absent" => "copy of an entry its author no longer shows",
        "copy-unverified" => "copy, its author could not be asked",
        _ => "copy",
    }
}

/// Where a statement stands: what changes its meaning must be read with it.
fn standing(member: Member<'_>, facts: &[String]) -> String {
    let stated = match &member.facts.thing {
        Thing::Allergy(allergy) if allergy.active && !allergy.refuted => Some("active".to_owned()),
        Thing::Allergy(_) | Thing::Medicine(_) | Thing::Problem(_) | Thing::Report(_) => None,
        Thing::Finding(_) | Thing::Cpr(_) | Thing::Plan { .. } | Thing::Deed { .. } | Thing::Other { .. } => {
            member.resource.text_at("status").map(std::borrow::Cow::into_owned)
        }
    };
    let strange = (!member.facts.understood)
        .then(|| "carries marks that are not known here: read it at its source".to_owned());
    let words: Vec<String> = stated.into_iter().chain(facts.iter().cloned()).chain(strange).collect();
    if words.is_empty() { "status not recorded".to_owned() } else { words.join(", ") }
}

fn date(member: Member<'_>) -> String {
    let facts = member.facts;
    let start = facts.date.map_or_else(|| "not recorded".to_owned(), FhirDate::display);
    facts.end.map_or_else(|| start.clone(), |end| format!("{start} to {}", end.display()))
}
