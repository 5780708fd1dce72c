//! Pages as responses: the words are the viewer's, the headers ours.

use http::StatusCode;
use tributary_broker::{Answer, Verdict};
use tributary_viewer::Page;

use crate::exchange::{Reply, reply, set};

const HTML: &str = "text/html; charset=utf-8";
/// Nothing may be loaded but our own style, nothing may be sent but to us, nobody may frame us.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A page as a response.
pub(crate) fn respond(status: StatusCode, page: String) -> Reply {
    let mut reply = reply(status, HTML, page);
    set(&mut reply, "content-security-policy", POLICY);
    set(&mut reply, "referrer-policy", "no-referrer");
    reply
}

/// The page of an answer.
pub(crate) fn record(answer: &Answer) -> String {
    tributary_viewer::record(&Page {
        view: &answer.view,
        without: without(answer.verdict),
        audit: &answer.audit,
    })
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
