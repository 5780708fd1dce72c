//! Medicines: the current ones, and those that are over (CUI Medications List).

use std::cmp::Reverse;

use jiff::civil::Date;
use tributary_merge::view::{Era, LineView};
use tributary_model::date::zoned;

use super::line::{Around, Part, lines};
use crate::html::Html;

/// What is told of what ended lately.
const LATELY_DAYS: i64 = 30;

/// Two lists, one of which is on the screen: which one is chosen without script too.
pub(super) fn medicines(html: &mut Html, around: Around<'_>, all: &[LineView]) {
    let standing = || all.iter().filter(|line| Part::Standing.of(line).next().is_some());
    // Whatever one source still calls current is looked for among what is current.
    let (past, current): (Vec<&LineView>, Vec<&LineView>) = standing().partition(|line| is_past(line));
    html.raw("<div class=\"switch\">\n<input type=\"radio\" name=\"medicines\" id=\"m-current\" checked>");
    html.raw("<label for=\"m-current\">Current (").number(current.len()).raw(")</label>\n");
    html.raw("<input type=\"radio\" name=\"medicines\" id=\"m-past\"><label for=\"m-past\">Past (");
    html.number(past.len()).raw(")</label>\n<div class=\"current\">\n<h3 class=\"print\">Current</h3>\n");
    lately(html, around, &past);
    if current.is_empty() {
        html.raw("<p>No current medicine is recorded by the sources that answered.</p>\n");
    }
    lines(html, around, current.into_iter());
    html.raw("</div>\n<div class=\"past\">\n<h3 class=\"print\">Past</h3>\n");
    if past.is_empty() {
        html.raw("<p>No past medicine is recorded by the sources that answered.</p>\n");
    }
    let mut past = past;
    past.sort_by_key(|line| Reverse(end(line)));
    lines(html, around, past.into_iter());
    html.raw("</div>\n</div>\n");
}

fn is_past(line: &LineView) -> bool {
    Part::Standing.of(line).all(|member| member.era == Era::Past)
}

/// When the last source says that it ended; where none does, when it began.
fn end(line: &LineView) -> Option<Date> {
    let dates = Part::Standing.of(line).filter_map(|member| member.ended.or(member.dated));
    dates.max().map(tributary_model::FhirDate::first_day)
}

fn lately(html: &mut Html, around: Around<'_>, past: &[&LineView]) {
    let today = zoned(around.page.reader.now).date();
    let is_late = |day: Date| {
        let days = today.since(day).map_or(i64::MAX, |span| i64::from(span.get_days()));
        (0..=LATELY_DAYS).contains(&days)
    };
    let ended = |line: &&&LineView| {
        let mut ends = Part::Standing.of(line).filter_map(|member| member.ended);
        ends.any(|ended| is_late(ended.first_day()))
    };
    let count = past.iter().filter(ended).count();
    if count > 0 {
        html.raw("<p class=\"lately\">").number(count);
        html.raw(" stopped or finished in the last 30 days</p>\n");
    }
}
