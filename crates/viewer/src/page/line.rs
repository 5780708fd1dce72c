//! One line of a section: its words, its class in words, and who said what.

use tributary_merge::view::{LineView, MemberView};

use crate::html::Html;

/// Writes a line as a list item.
pub(super) fn line(html: &mut Html, line: &LineView) {
    html.raw(match line.class {
        "conflict" => "<li class=\"line conflict\">",
        "difference" => "<li class=\"line difference\">",
        _ => "<li class=\"line\">",
    });
    html.element("<p class=\"lead\">", &line.title, "</p>\n");
    class(html, line.class);
    html.raw("<ul class=\"members\">\n");
    for each in &line.members {
        member(html, each, &line.title);
    }
    html.raw("</ul>\n</li>\n");
}

/// The class in words; the two that need a decision are told by text, not by colour alone.
fn class(html: &mut Html, class: &'static str) {
    html.raw(match class {
        "single" => "",
        "repeat" => "<p class=\"class\">Recorded more than once by one source</p>\n",
        "copied" => "<p class=\"class\">Copied between sources</p>\n",
        "agree" => "<p class=\"class\">Sources agree</p>\n",
        "difference" => "<p class=\"class\"><strong>Difference:</strong> sources differ</p>\n",
        "conflict" => "<p class=\"class\"><strong>Conflict:</strong> sources contradict each other</p>\n",
        _ => "<p class=\"class\">Not classified</p>\n",
    });
}

fn member(html: &mut Html, member: &MemberView, lead: &str) {
    html.element("<li><span class=\"who\">", &member.source_name, "</span>");
    if !member.date.is_empty() {
        html.element(" <span class=\"when\">", &member.date, "</span>");
    }
    if member.title != lead {
        html.element(" <span class=\"own\">", &member.title, "</span>");
    }
    if !member.detail.is_empty() {
        html.element(" <span class=\"detail\">", &member.detail, "</span>");
    }
    for fact in &member.facts {
        html.element(" <span class=\"tag\">", fact, "</span>");
    }
    if let Some(copy) = member.copy {
        html.element(" <span class=\"tag copy\">", copied(copy), "</span>");
    }
    for address in &member.attachments {
        html.element(" <a class=\"document\" href=\"", address, "\">Open the document</a>");
    }
    html.raw("</li>\n");
}

fn copied(copy: &'static str) -> &'static str {
    match copy {
        "echo" => "copy of another source's entry",
        "stale-copy" => "out-of-date copy",
        "copy-of-absent" => "copy of an entry its author no longer shows",
        "copy-unverified" => "copy, its author could not be asked",
        _ => "copy",
    }
}
