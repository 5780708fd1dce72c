//! A small graph: points, and a line only between points of one code and unit (CUI Graphs and Tables).

use crate::html::Html;

/// One point in time.
pub(super) struct Mark {
    /// Days since 1970.
    pub(super) day: f64,
    /// One value, or the two of a pair.
    pub(super) numbers: Vec<f64>,
    /// Which source, by its place among the names.
    pub(super) source: usize,
    /// Whether a line may be drawn to it: nobody contradicts it, and it is a value and no bound.
    pub(super) is_single: bool,
    /// What its source calls normal.
    pub(super) range: (String, String),
}

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 64.0;
const EDGE: f64 = 6.0;

/// Draws the points. The axis begins at zero, or below where there are values below: what is flat looks flat
/// (GTAB-072).
pub(super) fn trend(html: &mut Html, title: &str, marks: &[Mark], names: &[&str]) {
    let numbers = || marks.iter().flat_map(|mark| mark.numbers.iter().copied());
    let (low, high) =
        numbers().fold((0.0_f64, 0.0_f64), |(low, high), number| (low.min(number), high.max(number)));
    let first = marks.iter().map(|mark| mark.day).fold(f64::INFINITY, f64::min);
    let last = marks.iter().map(|mark| mark.day).fold(f64::NEG_INFINITY, f64::max);
    if marks.len() < 2 || high <= low || last <= first {
        return;
    }
    let top = high + (high - low) / 10.0;
    let x = |day: f64| EDGE + (day - first) / (last - first) * (WIDTH - 2.0 * EDGE);
    let y = |number: f64| HEIGHT - EDGE - (number - low) / (top - low) * (HEIGHT - 2.0 * EDGE);
    html.raw("<svg class=\"trend\" viewBox=\"0 0 240 64\" role=\"img\" aria-label=\"");
    html.element("", title, " over time: every value is in the list below\">\n");
    band(html, marks, (y, top));
    let mut path = String::new();
    let mut is_joined = false;
    let mut ordered: Vec<&Mark> = marks.iter().collect();
    ordered.sort_by(|one, two| one.day.total_cmp(&two.day));
    for mark in &ordered {
        if let ([number], true) = (mark.numbers.as_slice(), mark.is_single) {
            let letter = if is_joined { 'L' } else { 'M' };
            path = format!("{path}{letter}{:.1} {:.1}", x(mark.day), y(*number));
            is_joined = true;
        } else {
            is_joined = false;
        }
    }
    html.element("<path class=\"join\" d=\"", &path, "\"/>\n");
    for mark in ordered {
        if let [one, two] = mark.numbers.as_slice() {
            let pair = format!("M{:.1} {:.1}V{:.1}", x(mark.day), y(*one), y(*two));
            html.element("<path class=\"join\" d=\"", &pair, "\"/>");
        }
        for number in &mark.numbers {
            symbol(html, mark.source, x(mark.day), y(*number));
        }
    }
    html.raw("</svg>\n<p class=\"legend\">");
    for (index, name) in names.iter().enumerate() {
        html.raw("<span><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\">");
        symbol(html, index, 6.0, 6.0);
        html.element("</svg> ", name, "</span> ");
    }
    html.raw("</p>\n");
}

/// The normal range, only where a source sent one with its newest value.
fn band(html: &mut Html, marks: &[Mark], (y, top): (impl Fn(f64) -> f64, f64)) {
    let Some(newest) = marks.first() else { return };
    let (low, high) = (newest.range.0.parse::<f64>(), newest.range.1.parse::<f64>());
    if low.is_err() && high.is_err() {
        return;
    }
    let upper = y(high.unwrap_or(top).min(top));
    let lower = y(low.unwrap_or(0.0));
    let height = format!("{:.1}", (lower - upper).max(0.0));
    html.element("<rect class=\"band\" x=\"0\" width=\"240\" y=\"", &format!("{upper:.1}"), "\" height=\"");
    html.element("", &height, "\"/>\n");
}

/// A shape of its own for each source: told by form, not by colour.
fn symbol(html: &mut Html, source: usize, x: f64, y: f64) {
    let path = match source % 4 {
        0 => format!("M{:.1} {y:.1}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0", x - 3.0),
        1 => format!("M{:.1} {:.1}h6v6h-6z", x - 3.0, y - 3.0),
        2 => format!("M{x:.1} {:.1}l4 7h-8z", y - 4.0),
        _ => format!("M{x:.1} {:.1}l4 4l-4 4l-4 -4z", y - 4.0),
    };
    html.element("<path d=\"", &path, "\"/>");
}
