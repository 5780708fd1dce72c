//! The record: who, from whom, what stands out, then section by section in the reader's order.

use tributary_merge::view::{RecordView, SectionView};
use tributary_model::date::zoned;
use tributary_model::{Role, Section};

use super::origin::Originals;
use super::section::section;
use super::{END, HEADER, Shows, banner, call, foot, frame, head, notices, strip};
use crate::html::Html;
use crate::reader::Reader;

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The record in words: what this reader may see, and nothing else.
    pub view: &'a RecordView,
    /// Who reads it.
    pub reader: &'a Reader,
    /// Why there is no record, in words; absent where there is one.
    pub without: Option<&'a str>,
    /// Sequence id of the disclosure record.
    pub audit: &'a str,
    /// Fields that go along when a source is asked again.
    pub carry: &'a [(String, String)],
    /// Whether every original resource comes with the page, however large it gets.
    pub all_originals: bool,
    /// Who looked at this record; absent where nobody could say.
    pub looked: Option<&'a [Looked]>,
}

/// One look at a record, for the patient it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// When, as people read it.
    pub when: String,
    /// Who, with the organisation.
    pub who: String,
    /// What for.
    pub why: String,
}

/// The pieces of a page that change while sources answer, each with the id of its place.
pub(crate) type Places = Vec<(String, Html)>;

/// The page of an answer. Without a record it shows who was asked and what became of it, and no statement.
pub fn record(page: &Page<'_>) -> String {
    if let Some(without) = page.without {
        return failed(page, without);
    }
    let mut html = Html::default();
    open(&mut html, page, &places(page));
    html.raw("<i hidden data-end></i>\n");
    close(&mut html);
    html.finish()
}

/// The end of every page.
pub(crate) fn close(html: &mut Html) {
    html.raw(END);
}

fn failed(page: &Page<'_>, without: &str) -> String {
    frame("No record can be shown - Tributary", Shows::Words, |html| {
        html.raw("<h1>No record can be shown</h1>\n");
        html.element("<div class=\"nhsuk-inset-text missing\" role=\"alert\"><p>", without, "</p></div>\n");
        html.raw("<section id=\"strip\" class=\"strip\" aria-labelledby=\"h-sources\">\n");
        strip::strip(html, page);
        html.raw("</section>\n<p><a href=\"/\">Back to the search</a></p>\n<section class=\"about\">\n");
        about(html, page);
        html.raw("</section>\n");
    })
}

/// The sections of a view in the reader's order.
fn ordered<'v>(page: &Page<'v>) -> Vec<&'v SectionView> {
    let of = |wanted: Section| page.view.sections.iter().find(|section| section.section == wanted);
    page.reader.order().into_iter().filter_map(of).collect()
}

/// Every place and what stands there now.
pub(crate) fn places(page: &Page<'_>) -> Places {
    let mut places = Places::new();
    let mut place = |id: String, write: &dyn Fn(&mut Html)| {
        let mut html = Html::default();
        write(&mut html);
        places.push((id, html));
    };
    place("sheet".to_owned(), &|html| printed(html, page));
    place("banner".to_owned(), &|html| banner::banner(html, page.view));
    if page.reader.role == Role::CallHandler {
        place("flag".to_owned(), &|html| call::flag(html, page.view));
        return places;
    }
    place("strip".to_owned(), &|html| strip::strip(html, page));
    place("alert".to_owned(), &|html| notices::discrepancies(html, page.view, None));
    let originals = Originals::of(page);
    for each in ordered(page) {
        place(format!("s-{}", each.section.code()), &|html| section(html, page, &originals, each));
    }
    place("looked".to_owned(), &|html| looked(html, page));
    place("originals".to_owned(), &|html| originals.write(html, page));
    place("about".to_owned(), &|html| about(html, page));
    places
}

/// Sections in the first column of a wide screen, and in the second.
const COLUMN: usize = 4;

/// Everything but the end: the shell with its places in their final order, each with what is known now.
pub(crate) fn open(html: &mut Html, page: &Page<'_>, places: &Places) {
    head(html, "Record - Tributary", Shows::Words);
    html.raw("<body class=\"record\">\n");
    html.raw("<a class=\"nhsuk-skip-link\" href=\"#s-plans\">Skip to plans</a>\n");
    html.raw("<a class=\"nhsuk-skip-link\" href=\"#s-allergies\">Skip to allergies</a>\n");
    html.raw("<a class=\"nhsuk-skip-link\" href=\"#s-medications\">Skip to medicines</a>\n").raw(HEADER);
    let of = |wanted: &str| places.iter().find(|(id, _)| id == wanted).map(|(_, html)| html);
    let write = |html: &mut Html, id: &str| {
        if let Some(part) = of(id) {
            html.part(part);
        }
    };
    html.raw("<div id=\"sheet\" class=\"sheet\">");
    write(html, "sheet");
    html.raw("</div>\n");
    html.raw("<div id=\"notice\" class=\"connection\" role=\"status\" hidden></div>\n");
    html.raw("<p id=\"said\" class=\"nhsuk-u-visually-hidden\" aria-live=\"polite\"></p>\n");
    html.raw("<p id=\"alarm\" class=\"nhsuk-u-visually-hidden\" aria-live=\"assertive\"></p>\n");
    html.raw("<section id=\"banner\" class=\"").raw(banner::look(page.view));
    html.raw("\" aria-label=\"Patient\">\n");
    write(html, "banner");
    html.raw("</section>\n<main id=\"main\" tabindex=\"-1\">\n");
    if of("flag").is_some() {
        html.raw("<section id=\"flag\" aria-labelledby=\"h-flag\">\n");
        write(html, "flag");
        html.raw("</section>\n</main>\n");
        foot(html);
        return;
    }
    html.raw("<section id=\"strip\" class=\"strip\" aria-labelledby=\"h-sources\">\n");
    write(html, "strip");
    html.raw("</section>\n");
    print(html, page);
    html.raw("<div id=\"alert\">\n");
    write(html, "alert");
    html.raw("</div>\n");
    columns(html, places);
    for (id, label) in
        [("looked", "Who looked"), ("originals", "Original resources"), ("about", "About this answer")]
    {
        html.element("<section id=\"", id, "\" class=\"about\" aria-label=\"").text(label).raw("\">\n");
        write(html, id);
        html.raw("</section>\n");
    }
    html.raw("</main>\n");
    contents(html, page);
    foot(html);
}

fn columns(html: &mut Html, places: &Places) {
    html.raw("<div class=\"columns\">\n<div class=\"column first\">\n");
    let sections = places.iter().filter(|(id, _)| id.starts_with("s-"));
    for (index, (id, part)) in sections.enumerate() {
        html.raw(match index {
            COLUMN => "</div>\n<div class=\"column second\">\n",
            index if index == 2 * COLUMN => "</div>\n</div>\n<div class=\"column rest\">\n<div>\n",
            _ => "",
        });
        let code = id.trim_start_matches("s-");
        html.element("<section class=\"part\" id=\"s-", code, "\" aria-labelledby=\"h-")
            .text(code)
            .raw("\">\n");
        html.part(part).raw("</section>\n");
    }
    html.raw("</div>\n</div>\n");
}

/// The contents list: it stays at the bottom of a small screen.
fn contents(html: &mut Html, page: &Page<'_>) {
    html.raw("<nav class=\"jump\" aria-label=\"Sections of this record\"><details><summary>Jump to</summary>\n<ul>\n");
    for each in ordered(page) {
        html.element("<li><a href=\"#s-", each.section.code(), "\">");
        html.element("", page.reader.title(each.section), "</a></li>\n");
    }
    html.raw("</ul></details></nav>\n");
}

/// Asks for the same record to be printed: that it was is on record before there is anything to print.
fn print(html: &mut Html, page: &Page<'_>) {
    html.raw("<form class=\"again\" method=\"post\" action=\"/print\">");
    html.element("<input type=\"hidden\" name=\"nhs\" value=\"", &page.view.patient.nhs_number, "\">");
    for (field, value) in page.carry {
        html.element("<input type=\"hidden\" name=\"", field, "\" value=\"").text(value).raw("\">");
    }
    html.raw("<button class=\"small\">Print</button></form>\n");
}

/// What stands at the top of every printed sheet.
fn printed(html: &mut Html, page: &Page<'_>) {
    let patient = &page.view.patient;
    html.element("<strong>", &patient.name, "</strong> Born ").text(&patient.born);
    if !patient.died.is_empty() {
        html.element(" Died ", &patient.died, "");
    }
    html.element(" NHS No. ", &patient.nhs_number, "");
    let loaded = zoned(page.reader.now).strftime("%d-%b-%Y %H:%M").to_string();
    html.element("<br>Printed <span id=\"printed\">", &loaded, "</span> by ");
    html.element("", &page.reader.name, ", ").raw(page.reader.role_name());
    html.element(", ", &page.reader.organisation, " for ").raw(page.reader.purpose_name());
}

/// Who looked, for the person the record is about.
fn looked(html: &mut Html, page: &Page<'_>) {
    if page.reader.role != Role::Patient {
        return;
    }
    html.raw("<h2 id=\"h-looked\">Who looked at this record</h2>\n");
    match page.looked {
        None => {
            html.raw("<p class=\"nhsuk-inset-text missing\">This list is not available at the moment. ");
            html.raw("That does not mean that nobody looked.</p>\n");
        }
        Some([]) => {
            html.raw("<p>Nobody before you, as far as this service's own log goes back.</p>\n");
        }
        Some(looks) => {
            html.raw("<table class=\"nhsuk-table\"><caption>Newest first</caption><thead><tr>");
            html.raw("<th scope=\"col\">When</th><th scope=\"col\">Who</th><th scope=\"col\">Why</th></tr></thead><tbody>\n");
            for look in looks {
                html.element("<tr><td>", &look.when, "</td><td>").element("", &look.who, "</td><td>");
                html.element("", &look.why, "</td></tr>\n");
            }
            html.raw("</tbody></table>\n");
        }
    }
    html.raw("<p>If something here is wrong, tell the organisation that is named beside it: only they can correct it.</p>\n");
}

fn about(html: &mut Html, page: &Page<'_>) {
    let view = page.view;
    html.raw("<h2 id=\"h-about\">About this answer</h2>\n<dl>\n");
    html.element("<div><dt>As of</dt><dd>", &view.as_of, "</dd></div>\n");
    html.element("<div><dt>Completeness</dt><dd>", &view.tally.to_string(), "</dd></div>\n");
    html.raw("<div><dt>Sources answered</dt><dd>").number(view.tally.answered);
    html.raw(" of ").number(view.tally.expected).raw("</dd></div>\n");
    html.raw("<div><dt>Entries shown</dt><dd>").number(view.entries.1);
    html.raw(" of ").number(view.entries.0).raw(" received</dd></div>\n");
    html.element("<div><dt>Audit record</dt><dd>", page.audit, "</dd></div>\n</dl>\n");
}
