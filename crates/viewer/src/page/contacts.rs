//! Contacts on one timeline, newest first, whoever had them.

use tributary_merge::view::LineView;
use tributary_model::FhirDate;
use tributary_model::date::zoned;

use super::line::{Around, Part, lines};
use crate::html::Html;

/// The contacts, month by month.
pub(super) fn contacts(html: &mut Html, around: Around<'_>, all: &[LineView]) {
    let mut rest = all.iter().filter(|line| Part::Standing.of(line).next().is_some()).peekable();
    while let Some(first) = rest.next() {
        let month = month(first);
        html.element("<h3 class=\"month\">", &month, "</h3>\n");
        let mut group = vec![first];
        while let Some(next) = rest.next_if(|next| self::month(next) == month) {
            group.push(next);
        }
        lines(html, around, group.into_iter());
    }
}

fn month(line: &LineView) -> String {
    let date = line.members.first().and_then(|member| member.dated);
    date.map_or_else(
        || "Date not recorded".to_owned(),
        |date| match date {
            FhirDate::Year(_) => date.display(),
            FhirDate::Month(..) | FhirDate::Day(_) => date.first_day().strftime("%b-%Y").to_string(),
            FhirDate::Instant(instant) => zoned(instant).strftime("%b-%Y").to_string(),
        },
    )
}
