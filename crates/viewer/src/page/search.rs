//! The search form, and the pages that show no record.

use super::{Shows, frame};
use crate::html::Html;

const FORM: &str = "<form method=\"post\" action=\"/record\" autocomplete=\"off\" novalidate data-live>\n";
const GROUP: &str = "<div class=\"nhsuk-form-group\">";
const GROUP_WRONG: &str = "<div class=\"nhsuk-form-group nhsuk-form-group--error\">";
const LABEL: &str = "<label class=\"nhsuk-label\" for=\"nhs\">NHS number</label>\n\
<p class=\"nhsuk-hint\" id=\"nhs-hint\">10 digits, for example 999 000 0018</p>\n";
const BOX: &str = "<input class=\"nhsuk-input nhsuk-input--width-10\" id=\"nhs\" name=\"nhs\" inputmode=\"numeric\" \
maxlength=\"16\" spellcheck=\"false\" aria-describedby=\"nhs-hint\">\n</div>\n";
const BOX_WRONG: &str = "<input class=\"nhsuk-input nhsuk-input--width-10 nhsuk-input--error\" id=\"nhs\" name=\"nhs\" \
inputmode=\"numeric\" maxlength=\"16\" spellcheck=\"false\" aria-invalid=\"true\" \
aria-describedby=\"nhs-error nhs-hint\">\n</div>\n";
const SUBMIT: &str = "<button class=\"nhsuk-button\" type=\"submit\">Show record</button>\n</form>\n\
<noscript><p>Without script the record comes in one piece, after three seconds at most. Sources that take longer can \
be asked again from there.</p></noscript>\n";
const CHOICE: &str = "<li><form method=\"post\" action=\"/record\" data-live><button class=\"choice\" name=\"nhs\" \
value=\"";
/// What the last digit is for, where somebody mistyped.
const CHECK: &str = "<p>The last digit of an NHS number is worked out from the other nine, so that a wrong or swapped \
digit is noticed. Compare the number with where you read it. If it is the same there, ask the patient for name and \
date of birth and look the number up.</p>\n";

/// The first page. `wrong` says what was wrong with the number that was sent; the number itself is not sent
/// back.
pub fn search(patients: &[(String, String)], wrong: Option<&str>) -> String {
    let title = match wrong {
        Some(_) => "Error: Find a record - Tributary",
        None => "Find a record - Tributary",
    };
    frame(title, Shows::Form, |html| {
        if let Some(wrong) = wrong {
            html.raw(
                "<div class=\"nhsuk-error-summary\" role=\"alert\"><h2 class=\"nhsuk-error-summary__title\">",
            );
            html.raw("There is a problem</h2>\n<ul class=\"nhsuk-list nhsuk-error-summary__list\">");
            html.element("<li><a href=\"#nhs\">", wrong, "</a></li></ul></div>\n");
        }
        html.raw("<h1>Find a record</h1>\n").raw(FORM);
        match wrong {
            Some(wrong) => {
                html.raw(GROUP_WRONG).raw(LABEL);
                let open = "<p class=\"nhsuk-error-message\" id=\"nhs-error\">Error: ";
                html.element(open, wrong, "</p>\n").raw(CHECK).raw(BOX_WRONG)
            }
            None => html.raw(GROUP).raw(LABEL).raw(BOX),
        };
        html.raw(SUBMIT);
        choices(html, patients);
    })
}

fn choices(html: &mut Html, patients: &[(String, String)]) {
    if patients.is_empty() {
        return;
    }
    html.raw("<section aria-labelledby=\"demo\">\n<h2 id=\"demo\">Demonstration patients</h2>\n");
    html.raw("<ul class=\"choices\">\n");
    for (nhs, title) in patients {
        html.raw(CHOICE).text(nhs).raw("\">");
        html.element("<span>", title, "</span> <span class=\"number\">");
        html.text(nhs).raw("</span></button></form></li>\n");
    }
    html.raw("</ul>\n</section>\n");
}

/// The page for a request that ended without a record and without a word from a source.
pub fn failed(words: &str) -> String {
    frame("No record can be shown - Tributary", Shows::Words, |html| {
        html.raw("<h1>No record can be shown</h1>\n");
        html.element("<div class=\"nhsuk-inset-text missing\" role=\"alert\"><p>", words, "</p></div>\n");
        html.raw("<p>This says nothing about what the record holds.</p>\n");
        html.raw("<p><a href=\"/\">Back to the search</a></p>\n");
    })
}

/// The page after the work is done.
pub fn signed_out() -> String {
    frame("Signed out - Tributary", Shows::Words, |html| {
        html.raw("<h1>You are signed out</h1>\n<p>Nothing of a record is kept on this device.</p>\n");
        html.raw("<p><a href=\"/\">Find a record</a></p>\n");
    })
}
