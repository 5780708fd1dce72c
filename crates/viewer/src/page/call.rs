//! What a call handler of NHS 111 sees: one flag, no failure, nothing to click (GP Connect use case 3.39).

use tributary_merge::view::RecordView;
use tributary_model::{NoticeKind, Section};

use crate::html::Html;

/// The flag. That none was found is never told as "there is none".
pub(super) fn flag(html: &mut Html, view: &RecordView) {
    let mut plans = view.sections.iter().filter(|section| section.section == Section::Plans);
    let is_listed = plans.any(|section| !section.lines.is_empty());
    let mut notices = view.sources.iter().flat_map(|row| &row.standing.notices);
    let is_known = is_listed || notices.any(|(kind, _)| *kind == NoticeKind::PlanExists);
    html.raw("<h2 id=\"h-flag\">End of life flag</h2>\n");
    html.raw(if is_known {
        "<p class=\"flag\"><strong>Yes</strong>. A plan is recorded. Tell whoever takes this call over.</p>\n"
    } else {
        "<p class=\"flag\"><strong>No flag found</strong>. This does not say that there is no plan. \
         Go on with the standard workflow.</p>\n"
    });
}
