//! The pages: one frame, several contents.

mod banner;
mod call;
mod contacts;
mod launched;
mod line;
mod medicines;
mod notices;
mod origin;
mod record;
mod results;
mod search;
mod section;
mod strip;
mod trend;

use crate::assets::{STYLE, form_address, script};
use crate::html::Html;

pub(crate) use banner::look;
pub use launched::{Unopened, launched, not_launched, printing};
pub use record::{Looked, Page, record};
pub(crate) use record::{Places, close, open, places};
pub use search::{failed, search, signed_out};

const OPEN: &str = "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
const HEADER: &str = "<header class=\"top\"><a class=\"service\" href=\"/\">Tributary <span>shared care record</span></a>\
<form method=\"post\" action=\"/sign-out\"><button class=\"out\">Sign out</button></form></header>\n";
const FOOTER: &str = "<footer class=\"bottom\"><p>Demonstration with invented patients. \
Not for clinical use.</p></footer>\n";
const END: &str = "</body>\n</html>\n";
const SKIP: &str = "<a class=\"nhsuk-skip-link\" href=\"#main\">Skip to main content</a>\n";

/// What a page shows beside words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// Nothing else.
    Words,
    /// The search form, whose style is a file: who searches comes again, and finds it kept.
    Form,
}

/// Everything up to the body. The title never names a patient: titles end up in histories.
fn head(html: &mut Html, title: &'static str, shows: Shows) {
    html.raw(OPEN).raw(title).raw("</title>\n");
    if shows == Shows::Form {
        html.element("<link rel=\"stylesheet\" href=\"", form_address(), "\">\n");
    }
    html.raw("<style>").raw(STYLE).raw("</style>\n</head>\n");
}

/// The foot of every page. The script stands here, where everything it looks for is there already and before anything
/// that it has to place.
fn foot(html: &mut Html) {
    html.raw(FOOTER).raw("<script>").raw(script()).raw("</script>\n");
}

/// Puts content into the frame of a page that shows no record.
fn frame(title: &'static str, shows: Shows, content: impl FnOnce(&mut Html)) -> String {
    let mut html = Html::default();
    head(&mut html, title, shows);
    html.raw("<body>\n").raw(SKIP).raw(HEADER).raw("<main id=\"main\" class=\"plain\" tabindex=\"-1\">\n");
    content(&mut html);
    html.raw("</main>\n");
    foot(&mut html);
    html.raw(END);
    html.finish()
}
