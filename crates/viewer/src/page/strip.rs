//! Who answered: worst first, in words, never by colour alone.

use tributary_merge::view::{RecordView, SourceRow};

use super::Page;
use crate::html::Html;
use crate::words;

/// The strip: one line when everybody is there, a row for each who is not.
pub(super) fn strip(html: &mut Html, page: &Page<'_>) {
    let view = page.view;
    let now = page.reader.now;
    html.raw("<h2 id=\"h-sources\">Sources</h2>\n<p class=\"count\" role=\"status\"><strong>");
    html.number(answered(view)).raw(" of ").number(view.sources.len());
    html.raw(" answered</strong>").raw(if view.sources.iter().all(words::is_whole) {
        ". Everything they share with your role is here."
    } else if view.sources.iter().any(|row| row.pending) {
        ". Still checking."
    } else if answered(view) == view.sources.len() {
        ". Not everything is shared: see below."
    } else {
        ". Something is missing."
    });
    html.element(" <span class=\"when\">", &words::clock(now, now), "</span></p>\n<ul class=\"sources\">\n");
    if view.sources.is_empty() {
        html.raw("<li>No source is expected to hold this record.</li>\n");
    }
    for row in view.sources.iter().filter(|row| !words::is_whole(row)) {
        source(html, page, row);
    }
    whole(html, page);
    html.raw("</ul>\n");
}

/// Those of whom nothing is missing, in one row; closed where they are all there are.
fn whole(html: &mut Html, page: &Page<'_>) {
    let (view, now) = (page.view, page.reader.now);
    let whole: Vec<&SourceRow> = view.sources.iter().filter(|row| words::is_whole(row)).collect();
    let is_all = whole.len() == view.sources.len();
    if !whole.is_empty() {
        html.raw("<li class=\"good\">");
        html.raw(if is_all { "<details><summary>Who answered</summary>" } else { "" });
        for row in whole {
            html.element(
                "<span class=\"one\"><span class=\"sign\" aria-hidden=\"true\">\u{2714}</span> ",
                &row.name,
                "",
            );
            html.element(": ", &words::state(row, now), "</span> ");
        }
        html.raw(if is_all { "</details></li>\n" } else { "</li>\n" });
    }
}

/// How many gave an answer that can be used.
pub(super) fn answered(view: &RecordView) -> usize {
    let gave = |row: &&SourceRow| !row.pending && row.status.class() != tributary_model::StatusClass::Missing;
    view.sources.iter().filter(gave).count()
}

fn source(html: &mut Html, page: &Page<'_>, row: &SourceRow) {
    use tributary_model::StatusClass as Class;
    html.raw(match (row.pending, row.status.class()) {
        (true, _) => "<li class=\"wait\"><span class=\"sign\" aria-hidden=\"true\">\u{2026}</span> <strong>",
        (false, Class::Missing | Class::Degraded) => {
            "<li class=\"bad\"><span class=\"sign\" aria-hidden=\"true\">!</span> <strong>"
        }
        (false, _) => "<li class=\"held\"><span class=\"sign\" aria-hidden=\"true\">i</span> <strong>",
    });
    html.element("", &row.name, "</strong>: ").text(&words::state(row, page.reader.now));
    if words::says_more(row) {
        html.element(". <span class=\"hint\">", &row.words, "</span>");
    }
    if words::may_answer(row) {
        again(html, page, &row.name);
    }
    html.raw("</li>\n");
}

/// Asks again: a form, so that no address names a patient.
fn again(html: &mut Html, page: &Page<'_>, name: &str) {
    html.raw("<form class=\"again\" method=\"post\" action=\"/record\" data-live>");
    html.element("<input type=\"hidden\" name=\"nhs\" value=\"", &page.view.patient.nhs_number, "\">");
    for (field, value) in page.carry {
        html.element("<input type=\"hidden\" name=\"", field, "\" value=\"").text(value).raw("\">");
    }
    html.element("<button class=\"small\">Check again for ", name, "</button></form>");
}
