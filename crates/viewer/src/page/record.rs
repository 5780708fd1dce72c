//! The record: who, from whom, what stands out, then section by section.

use tributary_merge::label::AllergyLabel;
use tributary_merge::view::{DiscrepancyView, LineView, PatientView, RecordView, SectionView, SourceRow};
use tributary_model::{Completeness, SectionState, SourceStatus, StatusClass};

use super::frame;
use super::line::line;
use crate::html::Html;

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The record in words.
    pub view: &'a RecordView,
    /// Why there is no record, in words; absent where there is one.
    pub without: Option<&'a str>,
    /// Sequence id of the disclosure record.
    pub audit: &'a str,
}

/// The page of an answer. Without a record it shows who was asked and what became of it, and no statement.
pub fn record(page: &Page<'_>) -> String {
    let view = page.view;
    if let Some(without) = page.without {
        return frame("No record can be shown - Tributary", |html| {
            html.raw("<h1>No record can be shown</h1>\n");
            html.element("<p class=\"callout callout-high\" role=\"alert\">", without, "</p>\n");
            sources(html, view);
            html.raw("<p><a href=\"/\">Back to the search</a></p>\n");
            provenance(html, page);
        });
    }
    frame("Record - Tributary", |html| {
        banner(html, &view.patient);
        html.raw("<h1 class=\"quiet\">Shared record</h1>\n");
        completeness(html, view);
        sources(html, view);
        label(html, view.allergy_label);
        discrepancies(html, &view.discrepancies);
        contents(html, &view.sections);
        for each in &view.sections {
            section(html, each);
        }
        provenance(html, page);
    })
}

fn banner(html: &mut Html, patient: &PatientView) {
    html.raw("<section class=\"banner\" aria-label=\"Patient\">\n");
    let name = said(&patient.name, "Name not recorded");
    html.element("<p class=\"name\">", name, "</p>\n<dl>\n");
    html.element("<div><dt>Born</dt><dd>", said(&patient.born, "Not recorded"), "</dd></div>\n");
    if !patient.died.is_empty() {
        html.element("<div><dt>Died</dt><dd>", &patient.died, "</dd></div>\n");
    }
    html.element("<div><dt>Gender</dt><dd>", said(&patient.gender, "Not recorded"), "</dd></div>\n");
    html.element(
        "<div><dt>NHS No.</dt><dd class=\"number\">",
        &patient.nhs_number,
        "</dd></div>\n</dl>\n</section>\n",
    );
}

/// What is empty is said to be so.
fn said<'t>(text: &'t str, otherwise: &'t str) -> &'t str {
    if text.is_empty() { otherwise } else { text }
}

fn completeness(html: &mut Html, view: &RecordView) {
    let (open, words) = match view.tally.completeness() {
        Completeness::Complete => ("<p class=\"whole\">", "Complete: every expected source answered."),
        Completeness::CompleteWithheld => (
            "<p class=\"callout callout-moderate\">",
            "Every expected source answered, but something is deliberately withheld. See the sources.",
        ),
        Completeness::Partial => (
            "<p class=\"callout callout-high\">",
            "Incomplete: at least one source is missing or gave only part. See the sources.",
        ),
        Completeness::None => ("<p class=\"callout callout-high\">", "No source contributed."),
    };
    html.element(open, words, "</p>\n");
}

fn sources(html: &mut Html, view: &RecordView) {
    html.raw(
        "<section aria-labelledby=\"sources\">\n<h2 id=\"sources\">Sources</h2>\n<ul class=\"sources\">\n",
    );
    if view.sources.is_empty() {
        html.raw("<li>No source is expected to hold this record.</li>\n");
    }
    for row in &view.sources {
        source(html, row);
    }
    html.raw("</ul>\n</section>\n");
}

fn source(html: &mut Html, row: &SourceRow) {
    html.raw(match row.status.class() {
        StatusClass::Missing | StatusClass::Degraded => "<li class=\"bad\"><strong>",
        StatusClass::Withheld => "<li class=\"held\"><strong>",
        StatusClass::Contributed | StatusClass::Answered => "<li class=\"good\"><strong>",
    });
    html.text(&row.name);
    html.element("</strong> <span class=\"tag\">", status(row.status), "</span> ");
    // The tag says that it answered; only what goes beyond that is worth reading.
    let words = row.words.strip_prefix(&row.name).and_then(|rest| rest.strip_prefix(" answered."));
    html.element("<span class=\"words\">", words.unwrap_or(&row.words).trim(), "</span></li>\n");
}

const fn status(status: SourceStatus) -> &'static str {
    match status {
        SourceStatus::Ok => "Answered",
        SourceStatus::OkEmpty => "Answered, nothing held",
        SourceStatus::OkCached => "Answered from memory",
        SourceStatus::OkStale => "Older copy",
        SourceStatus::OkTruncated => "Cut short",
        SourceStatus::NoRecord => "No record",
        SourceStatus::WithheldConsent => "Withheld: consent",
        SourceStatus::WithheldSource => "Withheld in part",
        SourceStatus::WithheldPolicy => "Withheld: policy",
        SourceStatus::Denied => "Access refused",
        SourceStatus::Timeout => "Timed out",
        SourceStatus::Unavailable => "Unavailable",
        SourceStatus::Shed => "Too busy",
        SourceStatus::Invalid => "Unusable answer",
        SourceStatus::IdentityMismatch => "Wrong patient, kept out",
        SourceStatus::NotQueried => "Not asked",
    }
}

fn label(html: &mut Html, label: AllergyLabel) {
    html.raw(match label {
        AllergyLabel::Known => "<p class=\"allergy known\">",
        AllergyLabel::NoneKnown | AllergyLabel::NoneKnownDrugs => "<p class=\"allergy none\">",
        AllergyLabel::NotRecorded
        | AllergyLabel::Unavailable
        | AllergyLabel::Incomplete
        | AllergyLabel::Checking
        | AllergyLabel::NotShown => "<p class=\"allergy unsure\">",
    });
    html.element("<span class=\"quiet\">Allergy status: </span><strong>", label.words(), "</strong></p>\n");
}

fn discrepancies(html: &mut Html, all: &[DiscrepancyView]) {
    if all.is_empty() {
        return;
    }
    html.raw(
        "<section aria-labelledby=\"differences\">\n<h2 id=\"differences\">Check these differences</h2>\n",
    );
    for each in all {
        html.raw(match each.severity {
            "high" => "<div class=\"callout callout-high\"><p><strong>High: ",
            "moderate" => "<div class=\"callout callout-moderate\"><p><strong>Moderate: ",
            _ => "<div class=\"callout\"><p><strong>Low: ",
        });
        html.element("", each.kind, "</strong>");
        if let Some(section) = each.section {
            html.element(" <span class=\"where\">in ", section.title(), "</span>");
        }
        html.element("</p>\n<p>", &each.words, "</p></div>\n");
    }
    html.raw("</section>\n");
}

fn contents(html: &mut Html, sections: &[SectionView]) {
    html.raw("<nav aria-label=\"Sections of this record\">\n<ul class=\"contents\">\n");
    for each in sections {
        html.element("<li><a href=\"#s-", each.section.code(), "\">");
        html.text(each.section.title()).raw("</a> (").number(each.lines.len()).raw(")</li>\n");
    }
    html.raw("</ul>\n</nav>\n");
}

fn section(html: &mut Html, section: &SectionView) {
    html.element("<section class=\"part\" aria-labelledby=\"s-", section.section.code(), "\">\n<h2 id=\"s-");
    html.element("", section.section.code(), "\" tabindex=\"-1\">");
    html.element("", section.section.title(), "</h2>\n");
    for notice in &section.notices {
        html.element("<p class=\"notice\">", notice, "</p>\n");
    }
    if section.lines.is_empty() {
        if section.notices.is_empty() {
            html.element("<p class=\"notice\">", emptiness(section.state), "</p>\n");
        }
    } else {
        lines(html, &section.lines);
    }
    html.raw("</section>\n");
}

/// What its own source calls a mistake is folded away, and counted.
fn lines(html: &mut Html, all: &[LineView]) {
    let part = |line: &LineView, in_error: bool| {
        let members = line.members.iter().filter(|member| member.in_error == in_error).cloned().collect();
        let title = line.title.clone();
        let part = LineView { title, key: line.key.clone(), class: line.class, members };
        (!part.members.is_empty()).then_some(part)
    };
    let holding: Vec<LineView> = all.iter().filter_map(|each| part(each, false)).collect();
    if !holding.is_empty() {
        html.raw("<ul class=\"lines\">\n");
        for each in holding {
            line(html, &each);
        }
        html.raw("</ul>\n");
    }
    let mistakes: Vec<LineView> = all.iter().filter_map(|each| part(each, true)).collect();
    if mistakes.is_empty() {
        return;
    }
    let count = mistakes.iter().map(|each| each.members.len()).sum();
    html.raw("<details class=\"mistakes\"><summary>").number(count);
    html.raw(if count == 1 {
        " entry that its source calls a mistake"
    } else {
        " entries that their sources call mistakes"
    });
    html.raw("</summary>\n<ul class=\"lines\">\n");
    for each in mistakes {
        line(html, &each);
    }
    html.raw("</ul>\n</details>\n");
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

fn provenance(html: &mut Html, page: &Page<'_>) {
    let view = page.view;
    html.raw("<section class=\"provenance\" aria-label=\"About this answer\">\n<dl>\n");
    html.element("<div><dt>As of</dt><dd>", &view.as_of, "</dd></div>\n");
    html.element("<div><dt>Completeness</dt><dd>", &view.tally.to_string(), "</dd></div>\n");
    html.raw("<div><dt>Sources answered</dt><dd>").number(view.tally.answered);
    html.raw(" of ").number(view.tally.expected).raw("</dd></div>\n");
    html.raw("<div><dt>Entries shown</dt><dd>").number(view.entries.1);
    html.raw(" of ").number(view.entries.0).raw(" received</dd></div>\n");
    html.element("<div><dt>Audit record</dt><dd>", page.audit, "</dd></div>\n</dl>\n</section>\n");
}
