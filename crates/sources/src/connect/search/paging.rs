//! Follows the pages of one search.

use std::time::Duration;

use tributary_fhir::bundle::{Entry, NextLink, type_of};
use tributary_fhir::{Bundle, Document};
use tributary_model::{FaultClass, Lease, SourceFault};
use url::Url;

use super::{Session, Step};
use crate::connect::answer::Refused;

/// Most pages of one search.
const MAX_PAGES: usize = 20;
/// A further page is asked for only with this much time left; what is there already must not be lost.
const PAGE_RESERVE: Duration = Duration::from_millis(100);

/// The pages of one search.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) documents: Vec<Document>,
    /// Whether pages are left unread, or fewer matches came than the source has.
    pub(super) truncated: bool,
    /// What they hold of the memory budget.
    pub(super) held: Lease,
}

/// Reads the first page of the search for a type, and those after it.
pub(super) async fn collect(session: &Session, kind: &str, first: Step) -> Result<Pages, Refused> {
    let mut pages = Pages::default();
    let (document, held) = session.take(first).await?;
    pages.held = held;
    let mut next = next_page(session, &document)?;
    pages.documents.push(document);
    while let Next::Page(url) = next {
        if pages.documents.len() >= MAX_PAGES {
            next = Next::Unread;
            break;
        }
        match further_page(session, url).await? {
            None => next = Next::Unread,
            Some((document, held)) => {
                pages.held.absorb(held);
                next = next_page(session, &document)?;
                pages.documents.push(document);
            }
        }
    }
    pages.truncated = matches!(next, Next::Unread) || lacks_matches(&pages.documents, kind);
    Ok(pages)
}

/// Whether fewer matches came than the first page promised.
fn lacks_matches(documents: &[Document], kind: &str) -> bool {
    let mut bundles = documents.iter().filter_map(|page| Bundle::of(page).ok()).peekable();
    let Some(total) = bundles.peek().and_then(|first| first.total()) else { return false };
    let is_wanted = |entry: &Entry<'_>| entry.is_match() && type_of(entry.resource) == kind;
    let matches = bundles.flat_map(Bundle::entries).filter(is_wanted).count();
    total > matches as u64
}

/// What comes after a page.
enum Next {
    /// Nothing: it was the last.
    End,
    /// Another page.
    Page(Url),
    /// Another page that is not read.
    Unread,
}

fn next_page(session: &Session, document: &Document) -> Result<Next, Refused> {
    let bundle = Bundle::of(document).map_err(|class| Refused::silent(SourceFault::new(class)))?;
    let link = match bundle.next_link() {
        NextLink::None => return Ok(Next::End),
        NextLink::Unreadable => return Ok(Next::Unread),
        NextLink::Page(link) => link,
    };
    let Some(url) = session.search.wire.own_address(&link) else {
        // A link out of the source's own space is an attack or a broken proxy; the answer is not trusted.
        return Err(Refused::silent(SourceFault::new(FaultClass::Shape).with_http(200)));
    };
    // An address is logged by every proxy on the way, so an NHS number may not stand in it.
    let names_patient = url.as_str().contains(session.ask.patient.expose());
    Ok(if names_patient { Next::Unread } else { Next::Page(url) })
}

/// A further page; nothing when time is short or the page is gone.
async fn further_page(session: &Session, url: Url) -> Result<Option<(Document, Lease)>, Refused> {
    let deadline = session.ask.deadline.less(PAGE_RESERVE);
    let step = Step { url, form: None };
    let taken = tokio::time::timeout_at(deadline.instant(), session.take(step)).await;
    let Ok(answer) = taken else { return Ok(None) };
    match answer {
        Ok(page) => Ok(Some(page)),
        Err(refused) if is_gone(refused.fault) => Ok(None),
        Err(refused) => Err(refused),
    }
}

/// Servers forget the state behind a page's address after a while, and then find fault with the address.
const fn is_gone(fault: SourceFault) -> bool {
    matches!(fault.http, Some(400 | 404 | 410 | 422))
}
