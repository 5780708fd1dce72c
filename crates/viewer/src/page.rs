//! The viewer's pages: one frame, three contents.

mod line;
mod record;
mod search;

use crate::html::Html;

pub use record::{Page, record};
pub use search::{failed, search};

/// The style sheet of every page.
pub const STYLE: &str = include_str!("../style/viewer.css");

const OPEN: &str = "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<link rel=\"stylesheet\" href=\"/viewer.css\">\n<title>";
const HEADER: &str = "</title>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to main content</a>\n\
<header class=\"top\"><a class=\"service\" href=\"/\">Tributary <span>shared care record</span></a></header>\n\
<main id=\"main\" tabindex=\"-1\">\n";
const FOOTER: &str = "</main>\n<footer class=\"bottom\"><p>Demonstration with invented patients. \
Not for clinical use.</p></footer>\n</body>\n</html>\n";

/// Puts content into the frame. The title never names a patient: titles end up in histories.
fn frame(title: &'static str, content: impl FnOnce(&mut Html)) -> String {
    let mut html = Html::default();
    html.raw(OPEN).raw(title).raw(HEADER);
    content(&mut html);
    html.raw(FOOTER);
    html.finish()
}
