//! Who it is: fixed at the top of every page that shows a record (CUI Patient Banner).

use tributary_merge::label::AllergyLabel;
use tributary_merge::view::RecordView;
use tributary_model::{Section, SectionState};

use crate::html::Html;

/// How the banner looks: a person who has died is told by colour and pattern too (PAB-0055 to 0059).
pub(crate) fn look(view: &RecordView) -> &'static str {
    if view.patient.died.is_empty() { "banner" } else { "banner deceased" }
}

/// The banner. Order: name, born, gender, NHS number (PAB-0009 to 0012).
pub(super) fn banner(html: &mut Html, view: &RecordView) {
    let patient = &view.patient;
    let otherwise = otherwise(view);
    let name = said(&patient.name, if is_asked(view) { "Checking the name" } else { "Name not recorded" });
    html.element("<h1 class=\"name\">", name, "</h1>\n<dl>\n");
    html.element("<div><dt>Born</dt><dd>", said(&patient.born, otherwise), "</dd></div>\n");
    if !patient.died.is_empty() {
        html.element("<div class=\"died\"><dt>Died</dt><dd>", &patient.died, "");
        if let Some(age) = patient.died_aged {
            html.element(" (", &format!("{age}y"), ")");
        }
        html.raw("</dd></div>\n");
    }
    html.element("<div><dt>Gender</dt><dd>", said(&patient.gender, otherwise), "</dd></div>\n");
    html.element("<div><dt>NHS No.</dt><dd class=\"number\">", &patient.nhs_number, "</dd></div>\n</dl>\n");
    more(html, view);
}

/// The second zone, closed until somebody opens it (PAB-0065).
fn more(html: &mut Html, view: &RecordView) {
    let (patient, otherwise) = (&view.patient, otherwise(view));
    html.raw("<details class=\"more\"><summary>More<span class=\"nhsuk-u-visually-hidden\"> about this person</span></summary>\n<dl>\n");
    html.element("<div><dt>Address</dt><dd>", said(&patient.address, otherwise), "</dd></div>\n");
    html.element("<div><dt>Telephone</dt><dd>", said(&patient.phone, otherwise), "</dd></div>\n");
    html.element("<div><dt>Allergies</dt><dd>", view.allergy_label.words(), "");
    if let Some(rest) = unsure(view) {
        html.element(", ", rest, "");
    }
    html.raw("</dd></div>\n</dl>\n</details>\n");
}

/// Whether somebody who may know is still being asked.
fn is_asked(view: &RecordView) -> bool {
    view.sources.iter().any(|row| row.pending)
}

/// What is said of what nobody said: that it is not recorded is known once everybody was heard.
fn otherwise(view: &RecordView) -> &'static str {
    if is_asked(view) { "Checking" } else { "Not recorded" }
}

/// What is empty is said to be so.
fn said<'t>(text: &'t str, otherwise: &'t str) -> &'t str {
    if text.trim().is_empty() { otherwise } else { text }
}

/// What must be said beside a label that is true and may not be all.
fn unsure(view: &RecordView) -> Option<&'static str> {
    let section = view.sections.iter().find(|section| section.section == Section::Allergies)?;
    match (view.allergy_label, section.state) {
        (AllergyLabel::Known, SectionState::Pending) => Some("still checking"),
        (
            AllergyLabel::Known,
            SectionState::Failed | SectionState::Withheld | SectionState::Partial | SectionState::NotAsked,
        ) => Some("list may be incomplete"),
        _ => None,
    }
}

/// The label over the allergies: each kind has a sign of its own beside its words (PAB-0067 to 0072).
pub(super) fn label(html: &mut Html, view: &RecordView) {
    html.raw(match view.allergy_label {
        AllergyLabel::Known => {
            "<p class=\"allergy known\"><span class=\"sign\" aria-hidden=\"true\">!</span> "
        }
        AllergyLabel::NoneKnown | AllergyLabel::NoneKnownDrugs | AllergyLabel::NotRecorded => {
            "<p class=\"allergy\"><span class=\"sign\" aria-hidden=\"true\">\u{2013}</span> "
        }
        AllergyLabel::Unavailable | AllergyLabel::Incomplete => {
            "<p class=\"allergy unsure\"><span class=\"sign\" aria-hidden=\"true\">?</span> "
        }
        AllergyLabel::Checking => {
            "<p class=\"allergy unsure\"><span class=\"sign\" aria-hidden=\"true\">\u{2026}</span> "
        }
        AllergyLabel::NotShown => "<p class=\"allergy\">",
    });
    html.element(
        "<span class=\"nhsuk-u-visually-hidden\">Allergy status: </span><strong>",
        view.allergy_label.words(),
        "</strong>",
    );
    if let Some(rest) = unsure(view) {
        html.element(" <span class=\"rest\">(", rest, ")</span>");
    }
    html.raw("</p>\n");
}
