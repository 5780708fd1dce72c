//! A page that grows: the shell at once, then the places that changed, in one body.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::html::Html;
use crate::page::{Page, Places, close, look, open, places};

/// Whether more follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// More follows.
    More,
    /// This is all.
    Last,
}

/// What of a page has been sent.
///
/// It is told every state of the record and gives what must follow on the same body: first [`Growing::begin`], then
/// [`Growing::advance`] for each later state. The script puts each piece in its place as it comes; put together they
/// are the page that [`record`](crate::record) makes of the last state.
#[derive(Debug, Default)]
pub struct Growing {
    sent: BTreeMap<String, Html>,
}

impl Growing {
    /// To be sent whenever nothing else was for [`Growing::ALIVE_EVERY`]: without it the script says that the
    /// connection is lost.
    pub const ALIVE: &str = "<!---->\n";
    /// How long a growing page may be silent: well within the eight seconds that the script waits.
    pub const ALIVE_EVERY: Duration = Duration::from_secs(3);

    /// What must be sent for a state: the shell for the first, what changed for every later one.
    pub fn piece(&mut self, page: &Page<'_>, ending: Ending) -> String {
        let mut piece = String::new();
        if self.sent.is_empty() {
            piece = self.begin(page);
        }
        piece.push_str(&self.advance(page, ending));
        piece
    }

    /// The shell, with everything that is known now. Nothing is closed: the body goes on.
    pub fn begin(&mut self, page: &Page<'_>) -> String {
        let places = places(page);
        let mut html = Html::default();
        open(&mut html, page, &places);
        self.sent = places.into_iter().collect();
        html.finish()
    }

    /// The places that changed since. Where the answer turned out to be no record, every section goes, and the words
    /// why stand in their place.
    pub fn advance(&mut self, page: &Page<'_>, ending: Ending) -> String {
        let mut html = Html::default();
        for (id, part) in self.changed(page) {
            html.raw("<template ");
            // Who has died is known when a source says so, and the banner looks otherwise from then on.
            if id == "banner" {
                html.raw("data-look=\"").raw(look(page.view)).raw("\" ");
            }
            html.element("data-place=\"", &id, "\">").part(&part).raw("</template><!---->\n");
            self.sent.insert(id, part);
        }
        if ending == Ending::Last {
            html.raw("<i hidden data-end></i>\n");
            close(&mut html);
        }
        html.finish()
    }

    fn changed(&self, page: &Page<'_>) -> Places {
        let mut now = places(page);
        if let Some(without) = page.without {
            let mut why = Html::default();
            why.element(
                "<div class=\"nhsuk-inset-text missing\" role=\"alert\"><p>",
                without,
                "</p></div>\n",
            );
            for (id, part) in &mut now {
                if id == "alert" {
                    *part = why.clone();
                }
            }
        }
        // A place that is no longer filled is emptied: what it said does not hold any more.
        let gone = self.sent.keys().filter(|id| !now.iter().any(|(known, _)| known == *id));
        let gone: Vec<(String, Html)> = gone.map(|id| (id.clone(), Html::default())).collect();
        now.extend(gone);
        now.retain(|(id, part)| self.sent.get(id) != Some(part));
        now
    }
}
