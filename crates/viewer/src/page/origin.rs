//! "Where this comes from": who said it, when, in which codes, and its own words.

use std::collections::BTreeMap;

use tributary_merge::view::{LineView, MemberView, Original, RecordView, SectionView};
use tributary_model::SourceStatus;

use super::Page;
use super::line::name;
use crate::html::Html;
use crate::words;

/// Original resources that come with a page, in bytes. They pack about ten to one, so this is some 13 KB on the line,
/// and it comes last, after everything a reader waits for. What does not fit is sent when it is asked for.
const ORIGINALS_BYTES: usize = 128 << 10;

/// The originals that come with a page: the id of each, by the entry it belongs to.
pub(super) struct Originals<'v> {
    shown: BTreeMap<&'v str, (String, &'v MemberView, &'v Original)>,
    left_out: usize,
}

impl<'v> Originals<'v> {
    /// Those that fit, in the order of the page.
    pub(super) fn of(page: &Page<'v>) -> Self {
        let mut originals = Self { shown: BTreeMap::new(), left_out: 0 };
        if !page.reader.reads_codes() {
            return originals;
        }
        let budget = if page.all_originals { usize::MAX } else { ORIGINALS_BYTES };
        let mut bytes = 0_usize;
        let sections = page.reader.order().into_iter();
        let sections = sections.filter_map(|one| page.view.sections.iter().find(|each| each.section == one));
        for (section, line) in
            sections.flat_map(|section| section.lines.iter().map(move |line| (section, line)))
        {
            for (index, member) in line.members.iter().enumerate() {
                let Some(original) = &member.original else { continue };
                bytes = bytes.saturating_add(original.text().len());
                if bytes > budget {
                    originals.left_out += 1;
                } else {
                    let id = id(section, line, index);
                    originals.shown.insert(&member.full_url, (id, member, original));
                }
            }
        }
        originals
    }

    /// All of them, closed, in the order of their ids.
    pub(super) fn write(&self, html: &mut Html, page: &Page<'_>) {
        if self.shown.is_empty() && self.left_out == 0 {
            return;
        }
        html.raw("<h2 id=\"h-originals\">Original resources</h2>\n");
        html.raw("<p class=\"hint\">Each as its source sent it, before anything was merged.</p>\n");
        for (id, member, original) in self.shown.values() {
            html.element("<details class=\"original\"><summary id=\"", id, "\">");
            html.element("", &member.origin, ", ").element("", &member.source_name, "</summary>\n");
            if original.is_converted() {
                html.raw("<p class=\"hint\">Sent as FHIR STU3; shown in FHIR R4.</p>\n");
            }
            // What scrolls must take the focus, or nobody without a mouse reads its end.
            html.raw("<pre tabindex=\"0\" role=\"region\" aria-label=\"Original resource\">");
            html.element("", original.text(), "</pre></details>\n");
        }
        if self.left_out > 0 {
            html.raw("<form method=\"post\" action=\"/record\">");
            html.element(
                "<input type=\"hidden\" name=\"nhs\" value=\"",
                &page.view.patient.nhs_number,
                "\">",
            );
            for (name, value) in page.carry {
                html.element("<input type=\"hidden\" name=\"", name, "\" value=\"");
                html.element("", value, "\">");
            }
            html.raw("<input type=\"hidden\" name=\"originals\" value=\"all\"><button class=\"small\">");
            html.raw("Ask again with ")
                .number(self.left_out)
                .raw(" more original resources</button></form>\n");
        }
    }
}

fn id(section: &SectionView, line: &LineView, index: usize) -> String {
    format!("o-{}-{index}", name(section.section, line))
}

/// Where one statement comes from.
pub(super) fn origin(html: &mut Html, page: &Page<'_>, originals: &Originals<'_>, member: &MemberView) {
    html.raw("<details class=\"from\"><summary>Where this comes from</summary>\n<dl>\n");
    row(html, "Source", &member.source_name);
    row(html, "Author", said(&member.author));
    row(html, "Date", said(&member.date));
    let original = member.original.as_ref();
    row(html, "Recorded", said(&original.map(Original::recorded).unwrap_or_default()));
    if let Some(copy) = member.copy {
        row(html, "Handling", words::copied(copy));
    }
    if page.reader.reads_codes() {
        coded(html, page.view, member);
        if let Some((id, ..)) = originals.shown.get(member.full_url.as_str()) {
            html.element(
                "<div><dt>Original</dt><dd><a href=\"#",
                id,
                "\">Original resource</a></dd></div>\n",
            );
        } else if original.is_some() {
            row(html, "Original", "Not sent with this page: see its end");
        }
    }
    html.raw("</dl>\n</details>\n");
}

fn coded(html: &mut Html, view: &RecordView, member: &MemberView) {
    row(html, "Entry", &member.origin);
    row(html, "Id here", &member.full_url);
    let Some(original) = &member.original else { return };
    for one in original.codes() {
        html.element("<div><dt>Code</dt><dd><code>", &one.code, "</code> ");
        html.element("", &one.term, " <span class=\"hint\">").text(&one.system).raw("</span></dd></div>\n");
    }
    for (system, value) in original.identifiers() {
        html.element("<div><dt>Identifier</dt><dd><code>", &value, "</code> <span class=\"hint\">");
        html.text(&system).raw("</span></dd></div>\n");
    }
    let source = view.sources.iter().find(|row| row.id == member.source);
    let is_cached = source.is_some_and(|row| row.status == SourceStatus::OkCached);
    let mut handling = vec![if is_cached { "from memory" } else { "fetched now" }];
    if original.is_converted() {
        handling.push("converted from STU3");
    }
    row(html, "Handling", &handling.join(", "));
    let labels = original.labels();
    if !labels.is_empty() {
        row(html, "Labels", &labels.join(", "));
    }
}

fn row(html: &mut Html, term: &'static str, words: &str) {
    html.element("<div><dt>", term, "</dt>").element("<dd>", words, "</dd></div>\n");
}

fn said(text: &str) -> &str {
    if text.trim().is_empty() { "Not recorded" } else { text }
}
