//! Where records disagree, in words.

use tributary_merge::view::{DiscrepancyView, LineView, RecordView};
use tributary_model::Section;

use crate::html::Html;

const CPR: &str = "cpr-recommendation";

/// Every discrepancy of a place: those of a section, or those that no shown section has.
pub(super) fn discrepancies(html: &mut Html, view: &RecordView, section: Option<Section>) {
    let is_shown =
        |one: Option<Section>| one.is_some_and(|one| view.sections.iter().any(|each| each.section == one));
    for one in &view.discrepancies {
        let home = one.section.filter(|_| is_shown(one.section));
        if home == section {
            discrepancy(html, view, one);
        }
    }
}

fn discrepancy(html: &mut Html, view: &RecordView, one: &DiscrepancyView) {
    html.raw(match one.severity {
        "high" => "<div class=\"callout high\"",
        "moderate" => "<div class=\"callout moderate\"",
        _ => "<div class=\"callout\"",
    });
    html.element(" data-rule=\"", one.rule, "\">\n<h3><span class=\"sign\" aria-hidden=\"true\">!</span> ");
    html.raw(heading(one));
    let lines = view.sections.iter().filter(|section| Some(section.section) == one.section);
    let lines: Vec<&LineView> = lines.flat_map(|section| &section.lines).collect();
    if let Some(line) = only_line(one, &lines).filter(|_| one.rule != CPR) {
        html.element(": ", &line.title, "");
    }
    html.raw("</h3>\n");
    if one.rule == CPR && cpr(html, one, &lines) {
        html.raw("<p>Check the form and ask.</p>\n</div>\n");
        return;
    }
    html.element("<p>", &one.words, "</p>\n</div>\n");
}

/// The line that a discrepancy is about, where it is about one: its words name sources, and not always the thing.
fn only_line<'l>(one: &DiscrepancyView, lines: &[&'l LineView]) -> Option<&'l LineView> {
    let mut concerned = lines.iter().filter(|line| {
        let names = line.members.iter().map(|member| format!("{}@{}", member.origin, member.source));
        names.into_iter().any(|name| one.members.contains(&name))
    });
    concerned.next().copied().filter(|_| concerned.next().is_none())
}

fn heading(one: &DiscrepancyView) -> &'static str {
    match (one.rule, one.kind) {
        (CPR, _) => "Records disagree about CPR",
        ("deceased", _) => "Records disagree whether this person has died",
        (_, "conflict") => "Records disagree",
        (_, "difference") => "Records differ",
        (_, "possible") => "Possibly the same",
        (_, "prompt") => "Prompt",
        _ => "Note",
    }
}

/// Who says what, newest first; `false` where somebody's words are not on the page.
fn cpr(html: &mut Html, one: &DiscrepancyView, lines: &[&LineView]) -> bool {
    let members = lines.iter().flat_map(|line| &line.members);
    let is_meant = |name: &String, origin: &str, source: &str| *name == format!("{origin}@{source}");
    let mut said: Vec<_> = members
        .filter(|member| {
            one.members.iter().any(|name| is_meant(name, &member.origin, member.source.as_str()))
        })
        .collect();
    if said.len() < one.members.len() {
        return false;
    }
    said.sort_by_key(|member| std::cmp::Reverse(member.dated));
    html.raw("<ul>\n");
    for member in said {
        html.element("<li><strong>", &member.title, "</strong> <span class=\"when\">");
        html.element("", &member.date, "</span> ").element("", &member.source_name, "</li>\n");
    }
    html.raw("</ul>\n");
    true
}
