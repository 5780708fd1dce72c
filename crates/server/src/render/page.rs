//! Pages as responses: the words are the viewer's, the headers ours.

use http::StatusCode;
use jiff::Timestamp;
use tributary_broker::view::RecordView;
use tributary_broker::{Answer, Moment, Stage, Verdict};
use tributary_model::{Purpose, Requester};
use tributary_viewer::{Ending, Growing, Looked, PERMISSIONS, Page, Reader, policy};

use crate::exchange::{Edge, Reply, reply, set};

const HTML: &str = "text/html; charset=utf-8";

/// A page as a response.
pub(crate) fn respond(status: StatusCode, page: String) -> Reply {
    let mut reply = reply(status, HTML, page);
    set(&mut reply, "content-security-policy", &format!("{}; frame-ancestors 'none'", policy()));
    set(&mut reply, "permissions-policy", PERMISSIONS);
    set(&mut reply, "referrer-policy", "no-referrer");
    reply
}

/// Lets the pages of named origins show a page of ours inside them.
pub(crate) fn framed(edge: &Edge, mut page: Reply) -> Reply {
    let origins = edge.settings.frame_ancestors.join(" ");
    if !origins.is_empty() {
        set(&mut page, "content-security-policy", &format!("{}; frame-ancestors {origins}", policy()));
    }
    page
}

/// Who reads a page, and what the form that asked for it said beside the number.
pub(crate) struct Seat {
    pub(crate) reader: Reader,
    pub(crate) carry: Vec<(String, String)>,
    pub(crate) all_originals: bool,
    /// Who looked, for a patient.
    pub(crate) looked: Option<Vec<Looked>>,
}

impl Seat {
    /// The seat of a requester who reads a record as of an instant.
    pub(crate) fn of(requester: &Requester, purpose: Purpose, view: &RecordView) -> Self {
        // One clock for a page: what it says was fetched, and when it was shown.
        let reader = reader(requester, purpose, view.as_of.parse().unwrap_or(Timestamp::UNIX_EPOCH));
        Self { reader, carry: Vec::new(), all_originals: false, looked: None }
    }
}

/// Who reads, at an instant.
pub(crate) fn reader(requester: &Requester, purpose: Purpose, now: Timestamp) -> Reader {
    Reader {
        role: requester.role,
        name: format!("{} {}", requester.given, requester.family),
        organisation: requester.organisation_name.clone(),
        purpose,
        now,
    }
}

/// The page of an answer.
pub(crate) fn record(answer: &Answer, view: &RecordView, seat: &Seat) -> String {
    tributary_viewer::record(&sheet(view, without(answer.verdict), &answer.audit, seat))
}

/// What follows on a page that grows: all of it at first, then what has changed. Until everybody has answered or time
/// is up, nothing is said of there being no record.
pub(crate) fn grown(growing: &mut Growing, moment: &Moment, seat: &Seat) -> String {
    let without = if moment.stage == Stage::Growing { None } else { without(moment.verdict) };
    let ending = if moment.is_last { Ending::Last } else { Ending::More };
    growing.piece(&sheet(&moment.view, without, &moment.audit, seat), ending)
}

/// What a page is made of, whole or growing.
fn sheet<'a>(view: &'a RecordView, without: Option<&'a str>, audit: &'a str, seat: &'a Seat) -> Page<'a> {
    Page {
        view,
        reader: &seat.reader,
        without,
        audit,
        carry: &seat.carry,
        all_originals: seat.all_originals,
        looked: seat.looked.as_deref(),
    }
}

/// Why there is no record.
const fn without(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Record => None,
        Verdict::NotFound => Some("Every source answered that it holds no record it can share."),
        Verdict::TimedOut => {
            Some("No source answered in time. This says nothing about what the record holds.")
        }
        Verdict::Shed(_) => Some("Every source is too busy to answer. Try again in a moment."),
        Verdict::Failed => Some("No source could be used. This says nothing about what the record holds."),
        Verdict::Incomplete => Some("Not every source answered, and all or nothing was asked for."),
    }
}
