//! The search form, and the page that says why there is no record.

use super::frame;
use crate::html::Html;

const FORM: &str = "<form method=\"post\" action=\"/record\" autocomplete=\"off\" novalidate>\n";
const INPUT: &str = "<div class=\"field\"><label for=\"nhs\">NHS number</label>\n\
<p class=\"hint\" id=\"nhs-hint\">10 digits, for example 999 000 0018</p>\n";
const BOX: &str = "<input id=\"nhs\" name=\"nhs\" inputmode=\"numeric\" maxlength=\"16\" spellcheck=\"false\" \
aria-describedby=\"nhs-hint\">\n</div>\n";
const BOX_WRONG: &str = "<input id=\"nhs\" name=\"nhs\" inputmode=\"numeric\" maxlength=\"16\" \
spellcheck=\"false\" aria-invalid=\"true\" aria-describedby=\"nhs-error nhs-hint\">\n</div>\n";
const SUBMIT: &str = "<button class=\"button\" type=\"submit\">Show record</button>\n</form>\n";
const CHOICE: &str = "<li><form method=\"post\" action=\"/record\"><button class=\"choice\" name=\"nhs\" \
value=\"";

/// The first page. `wrong` says what was wrong with the number that was sent; the number itself is not sent
/// back.
pub fn search(patients: &[(String, String)], wrong: Option<&str>) -> String {
    let title = match wrong {
        Some(_) => "Error: Find a record - Tributary",
        None => "Find a record - Tributary",
    };
    frame(title, |html| {
        if let Some(wrong) = wrong {
            html.raw("<div class=\"error-summary\" role=\"alert\"><h2>There is a problem</h2>\n");
            html.element("<p><a href=\"#nhs\">", wrong, "</a></p></div>\n");
        }
        html.raw("<h1>Find a record</h1>\n").raw(FORM).raw(INPUT);
        match wrong {
            Some(wrong) => {
                html.element("<p class=\"error\" id=\"nhs-error\">Error: ", wrong, "</p>\n").raw(BOX_WRONG)
            }
            None => html.raw(BOX),
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
    frame("No record can be shown - Tributary", |html| {
        html.raw("<h1>No record can be shown</h1>\n");
        html.element("<p class=\"callout callout-high\" role=\"alert\">", words, "</p>\n");
        html.raw("<p>This says nothing about what the record holds.</p>\n");
        html.raw("<p><a href=\"/\">Back to the search</a></p>\n");
    })
}
