//! Results: what was measured last and before, and how it went.

use std::collections::BTreeMap;

use jiff::civil::Date;
use tributary_merge::view::{LineView, ValueView};

use super::line::{Around, Part, lines};
use super::trend::{Mark, trend};
use crate::html::Html;

/// The results, test by test, in the order of their newest; whatever has no number stands as it is.
pub(super) fn results(html: &mut Html, around: Around<'_>, all: &[LineView]) {
    let mut groups: Vec<(Option<String>, Vec<&LineView>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for line in all.iter().filter(|line| Part::Standing.of(line).next().is_some()) {
        let series = series(line);
        let known = series.as_ref().and_then(|name| places.get(name)).copied();
        if let Some((_, group)) = known.and_then(|place| groups.get_mut(place)) {
            group.push(line);
            continue;
        }
        if let Some(name) = &series {
            places.insert(name.clone(), groups.len());
        }
        groups.push((series, vec![line]));
    }
    for (series, group) in groups {
        match series {
            Some(_) if group.len() > 1 => test(html, around, &group),
            _ => lines(html, around, group.into_iter()),
        }
    }
}

/// What may be drawn as one line: one code, one unit. Nothing is ever converted.
fn series(line: &LineView) -> Option<String> {
    let mut names = Part::Standing.of(line).map(|member| {
        let values = member.values();
        let name = |value: &ValueView| format!("{} {}", value.code, value.unit);
        let is_whole = !values.is_empty() && values.iter().all(|value| value.code.len() > 1);
        is_whole.then(|| values.iter().map(name).collect::<Vec<_>>().join("+"))
    });
    let first = names.next()??;
    names.all(|name| name.as_ref() == Some(&first)).then_some(first)
}

fn test(html: &mut Html, around: Around<'_>, group: &[&LineView]) {
    let [latest, before, ..] = group else { return };
    html.element("<div class=\"test\">\n<h3>", &latest.title, "</h3>\n<p class=\"latest\">");
    numbers(html, latest);
    html.raw("</p>\n<p class=\"before\">was ");
    numbers(html, before);
    html.raw("</p>\n");
    let mut names: Vec<&str> = Vec::new();
    let mut marks = Vec::new();
    for (line, member) in
        group.iter().flat_map(|line| Part::Standing.of(line).map(move |member| (line, member)))
    {
        let source = names.iter().position(|name| *name == member.source_name).unwrap_or_else(|| {
            names.push(&member.source_name);
            names.len() - 1
        });
        let Some(date) = member.dated else { continue };
        let values = member.values();
        let is_single = line.class != "conflict" && values.iter().all(|value| value.comparator.is_empty());
        let numbers: Vec<f64> = values.iter().filter_map(|value| value.number.parse().ok()).collect();
        let day = days(date.first_day());
        let range = values.first().map(|value| value.range.clone()).unwrap_or_default();
        marks.push(Mark { day, numbers, source, is_single, range });
    }
    trend(html, &latest.title, &marks, &names);
    html.raw("<details class=\"all\"><summary>All ").number(group.len()).raw(" values</summary>\n");
    lines(html, around, group.iter().copied());
    html.raw("</details>\n</div>\n");
}

/// Every value that is said at one time, largest letters; where sources disagree, each with its source.
fn numbers(html: &mut Html, line: &LineView) {
    let mut said: Vec<(String, &str)> = Vec::new();
    for member in Part::Standing.of(line) {
        let value = written(&member.values());
        if !said.iter().any(|(known, _)| *known == value) {
            said.push((value, &member.source_name));
        }
    }
    let disagree = said.len() > 1;
    for (index, (value, source)) in said.iter().enumerate() {
        if index > 0 {
            html.raw(" and ");
        }
        html.element("<strong>", value, "</strong>");
        if disagree {
            html.element(" (", source, ")");
        }
    }
    let date = line.members.first().map(|member| member.date.as_str()).unwrap_or_default();
    html.element(" <span class=\"when\">", date, "</span>");
}

/// `52 mL/min`, or a pair as `120/80 mmHg`.
fn written(values: &[ValueView]) -> String {
    let digits: Vec<String> =
        values.iter().map(|value| format!("{}{}", value.comparator, value.number)).collect();
    let unit = values.first().map(|value| value.unit.as_str()).unwrap_or_default();
    format!("{} {unit}", digits.join("/"))
}

/// Days since 1970. A date that cannot be counted from there stands at its beginning.
fn days(date: Date) -> f64 {
    const ZERO: Date = Date::constant(1970, 1, 1);
    (date - ZERO).get_days().into()
}
