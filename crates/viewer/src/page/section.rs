//! One section: what is missing, where records disagree, then its lines.

use tributary_merge::view::SectionView;
use tributary_model::{Section, SectionState, Shown};

use super::line::{Around, lines, mistakes};
use super::origin::Originals;
use super::{Page, banner, contacts, medicines, notices, results};
use crate::html::Html;

/// What stands inside the place of a section.
pub(super) fn section(html: &mut Html, page: &Page<'_>, originals: &Originals<'_>, section: &SectionView) {
    let title = page.reader.title(section.section);
    html.element("<h2 id=\"h-", section.section.code(), "\" tabindex=\"-1\">").element("", title, "");
    waiting(html, page, section);
    html.raw("</h2>\n");
    if section.section == Section::Allergies {
        banner::label(html, page.view);
    }
    notices::discrepancies(html, page.view, Some(section.section));
    if section.shown == Some(Shown::Hidden) {
        html.raw("<p class=\"nhsuk-inset-text\">Not shown for your role.</p>\n");
        return;
    }
    for notice in &section.notices {
        html.element("<p class=\"nhsuk-inset-text missing\">", notice, "</p>\n");
    }
    if section.lines.is_empty() {
        if section.notices.is_empty() {
            html.element("<p class=\"nhsuk-inset-text missing\">", emptiness(section.state), "</p>\n");
        }
        return;
    }
    let around = Around { page, originals, section: section.section };
    if page.reader.folds(section.section) {
        let open = "<details class=\"nhsuk-details fold\"><summary class=\"nhsuk-details__summary\">";
        html.raw(open).raw("Show ").number(section.lines.len());
        html.raw(if section.lines.len() == 1 { " entry</summary>\n" } else { " entries</summary>\n" });
        body(html, around, section);
        html.raw("</details>\n");
    } else {
        body(html, around, section);
    }
}

fn body(html: &mut Html, around: Around<'_>, section: &SectionView) {
    match section.section {
        Section::Medications => medicines::medicines(html, around, &section.lines),
        Section::Results => results::results(html, around, &section.lines),
        Section::Encounters => contacts::contacts(html, around, &section.lines),
        Section::Plans
        | Section::Flags
        | Section::Allergies
        | Section::Problems
        | Section::Reports
        | Section::Procedures
        | Section::Immunisations
        | Section::Documents
        | Section::Referrals
        | Section::Diary
        | Section::Appointments
        | Section::SocialCare
        | Section::Uncategorised => lines(html, around, section.lines.iter()),
    }
    mistakes(html, around, &section.lines);
}

/// Who is still awaited here, beside the heading.
fn waiting(html: &mut Html, page: &Page<'_>, section: &SectionView) {
    let awaited = |state: Option<&SectionState>| state == Some(&SectionState::Pending);
    let sources = page.view.sources.iter().filter(|row| row.pending);
    let names: Vec<&str> = sources
        .filter(|row| awaited(row.standing.states.get(&section.section)))
        .map(|row| row.name.as_str())
        .collect();
    if !names.is_empty() {
        html.element(" <span class=\"wait\">", &names.join(", "), ": checking</span>");
    }
}

/// Why a section without a notice of its own is empty. An empty list alone never says that nothing exists.
const fn emptiness(state: SectionState) -> &'static str {
    match state {
        SectionState::Content | SectionState::Empty => {
            "Asked; the sources that answered record nothing here."
        }
        SectionState::Partial => "Only part of this section could be shown, and nothing of it is left.",
        SectionState::Withheld => "Withheld: entries exist or may exist, and are not shown.",
        SectionState::Failed => "Not available: a source that should have answered did not.",
        SectionState::NotAsked => "Not asked.",
        SectionState::NotHeld => "No expected source holds this section.",
        SectionState::Pending => "Still waiting for a source.",
    }
}
