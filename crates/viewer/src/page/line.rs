//! One line of a section: its words, its class in words, and who said what.

use tributary_merge::view::{LineView, MemberView};
use tributary_model::Section;

use super::Page;
use super::launched::VISIT;
use super::origin::{Originals, origin};
use crate::html::Html;
use crate::words;

/// What every line of a page needs.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) page: &'a Page<'a>,
    pub(super) originals: &'a Originals<'a>,
    pub(super) section: Section,
}

/// Letters of a line's name: two lines of one page with one name are a matter of one in 10^14.
const NAME_LETTERS: usize = 16;

/// The name of a line on the page. It says nothing of what the line is about, for addresses are remembered.
pub(super) fn name(section: Section, line: &LineView) -> String {
    let hash = line.name();
    format!("{}-{}", section.code(), hash.get(..NAME_LETTERS).unwrap_or(&hash))
}

/// Which of a line's statements are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Those that their sources stand by.
    Standing,
    /// Those that their sources call mistakes.
    Mistakes,
}

impl Part {
    pub(super) fn of(self, line: &LineView) -> impl Iterator<Item = &MemberView> {
        line.members.iter().filter(move |member| member.in_error == (self == Self::Mistakes))
    }
}

/// Writes a line as a list item.
pub(super) fn line(html: &mut Html, around: Around<'_>, line: &LineView, part: Part) {
    open(html, around, line, part);
    html.raw("<ul class=\"members\">\n");
    // Where all say the same of a medicine, it stands beside its name already.
    let is_told = around.section == Section::Medications && said(line, part).len() == 1;
    for each in part.of(line) {
        member(html, around, (each, heading(line)), usize::from(is_told));
    }
    html.raw("</ul>\n</li>\n");
}

fn open(html: &mut Html, around: Around<'_>, line: &LineView, part: Part) {
    html.raw(match line.class {
        "conflict" => "<li class=\"line conflict\"",
        "difference" => "<li class=\"line difference\"",
        _ => "<li class=\"line\"",
    });
    // A line that is partly a mistake stands twice; only one of them is what anybody looks for.
    if part == Part::Standing || Part::Standing.of(line).next().is_none() {
        html.element(" id=\"", &name(around.section, line), "\"");
    }
    html.element("><h3>", heading(line), "");
    if around.section == Section::Medications {
        statuses(html, line, part);
    }
    html.raw("</h3>\n");
    class(html, line, part);
}

/// The words of a line. What its source gave no name is called by what it says, never by the kind of its resource.
fn heading(line: &LineView) -> &str {
    let unnamed = line.members.first().filter(|lead| is_unnamed(lead) && !lead.detail.trim().is_empty());
    unnamed.map_or(&line.title, |lead| &lead.detail)
}

fn is_unnamed(member: &MemberView) -> bool {
    member.origin.split('/').next() == Some(&member.title)
}

/// The status of a medicine stands beside its name and is never blank.
fn statuses(html: &mut Html, line: &LineView, part: Part) {
    for word in said(line, part) {
        html.raw(" <strong class=\"nhsuk-tag\"><span class=\"nhsuk-u-visually-hidden\">Status: </span>");
        html.text(word).raw("</strong>");
    }
}

fn said(line: &LineView, part: Part) -> Vec<&str> {
    let mut said: Vec<&str> = part.of(line).map(status).collect();
    said.dedup();
    said
}

fn status(member: &MemberView) -> &str {
    member.facts.first().map_or("Not known", |first| words::fact(first))
}

/// The class in words; the two that need a decision are told by text, not by colour alone.
fn class(html: &mut Html, line: &LineView, part: Part) {
    if line.class == "copied" {
        copies(html, line, part);
        return;
    }
    html.raw(match line.class {
        "single" => "",
        "repeat" => "<p class=\"class\">Recorded more than once by one source</p>\n",
        "agree" => "<p class=\"class\">Sources agree</p>\n",
        "difference" => "<p class=\"class\"><strong>Difference:</strong> sources differ</p>\n",
        "conflict" => "<p class=\"class\"><strong>Conflict:</strong> sources contradict each other</p>\n",
        _ => "<p class=\"class\">Not classified</p>\n",
    });
}

/// A copy confirms nothing: it is counted apart.
fn copies(html: &mut Html, line: &LineView, part: Part) {
    let copies = part.of(line).filter(|member| member.copy.is_some()).count();
    let own = part.of(line).count() - copies;
    html.raw("<p class=\"class\">").number(own).raw(if own == 1 { " source + " } else { " sources + " });
    html.number(copies).raw(if copies == 1 { " copy</p>\n" } else { " copies</p>\n" });
}

fn member(html: &mut Html, around: Around<'_>, (member, lead): (&MemberView, &str), told: usize) {
    html.raw("<li>");
    if member.title != lead && !is_unnamed(member) {
        html.element("<span class=\"own\">", &member.title, "</span> ");
    }
    if !member.detail.is_empty() && member.detail != lead {
        html.element("<span class=\"detail\">", &member.detail, "</span> ");
    }
    for fact in member.facts.iter().skip(told) {
        html.element("<span class=\"fact\">", words::fact(fact), "</span> ");
    }
    if let Some(copy) = member.copy {
        html.element("<span class=\"fact copy\">", words::copied(copy), "</span> ");
    }
    html.raw("<span class=\"chip\"><span class=\"nhsuk-u-visually-hidden\">from </span>");
    html.element("<span class=\"who\">", &member.source_name, "</span>");
    if !member.date.is_empty() {
        html.element(
            "<span class=\"nhsuk-u-visually-hidden\">, dated</span> <span class=\"when\">",
            &member.date,
            "</span>",
        );
    }
    html.raw("</span>");
    let addresses = member.attachments.iter().filter(|address| is_ours(address));
    for address in addresses {
        document(html, around.page, address);
    }
    origin(html, around.page, around.originals, member);
    html.raw("</li>\n");
}

/// Opens what is attached. Who was sent here by another system has nothing to show but the visit, which stands in a
/// form and in no address.
fn document(html: &mut Html, page: &Page<'_>, address: &str) {
    match (page.carry.iter().any(|(field, _)| field == VISIT), address.rsplit_once('/')) {
        (true, Some((_, link))) => {
            html.raw(" <button class=\"small document\" form=\"visit\" formaction=\"/document\" name=\"link\" value=\"");
            html.text(link).raw("\">Open the document</button>");
        }
        _ => {
            html.element(" <a class=\"document\" href=\"", address, "\">Open the document</a>");
        }
    }
}

/// Whether an address leads to a page: nothing else is ever followed.
fn is_ours(address: &str) -> bool {
    ["https://", "http://", "/"].iter().any(|start| address.starts_with(start))
}

/// A list of lines; nothing where there are none.
pub(super) fn lines<'l>(html: &mut Html, around: Around<'_>, all: impl Iterator<Item = &'l LineView>) {
    let mut all = all.filter(|each| Part::Standing.of(each).next().is_some()).peekable();
    if all.peek().is_none() {
        return;
    }
    html.raw("<ul class=\"lines\">\n");
    for each in all {
        line(html, around, each, Part::Standing);
    }
    html.raw("</ul>\n");
}

/// What its own source calls a mistake is folded away, and counted.
pub(super) fn mistakes(html: &mut Html, around: Around<'_>, all: &[LineView]) {
    let count: usize = all.iter().map(|each| Part::Mistakes.of(each).count()).sum();
    if count == 0 {
        return;
    }
    html.raw("<details class=\"nhsuk-details mistakes\"><summary class=\"nhsuk-details__summary\">")
        .number(count);
    html.raw(if count == 1 {
        " entry that its source calls a mistake"
    } else {
        " entries that their sources call mistakes"
    });
    html.raw("</summary>\n<ul class=\"lines\">\n");
    for each in all.iter().filter(|each| Part::Mistakes.of(each).next().is_some()) {
        line(html, around, each, Part::Mistakes);
    }
    html.raw("</ul>\n</details>\n");
}
