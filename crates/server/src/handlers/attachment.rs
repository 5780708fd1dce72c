//! `GET /fhir/R4/Binary/{link}`: what is attached to a record, by the address that the record gave out.

use std::sync::Arc;

use http::{StatusCode, header};
use tributary_bounds::Problem;
use tributary_broker::{AttachmentAnswer, AttachmentForm, AttachmentRequest, Refusal, RelayFailure};

use super::record;
use crate::exchange::{Exchange, FHIR_JSON, Reply, reply, set, status};
use crate::negotiate;
use crate::render::outcome::{Dialect, respond};

/// Documents that a browser shows without running anything of theirs. Any other is saved, not opened.
const SHOWN: &[&str] =
    &["application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp", "text/plain"];
/// What a document of any other kind is called.
const SAVED: &str = "application/octet-stream";
/// A document of somebody else's, under our address, may do nothing there.
const POLICY: &str = "sandbox; default-src 'none'";

/// Fetches an attachment.
pub(crate) async fn attachment(exchange: Exchange, link: String) -> Reply {
    let form = if negotiate::wants_document(&exchange.headers, exchange.query.as_deref()) {
        AttachmentForm::Native
    } else {
        AttachmentForm::Fhir
    };
    let request = AttachmentRequest {
        id: exchange.id,
        link,
        form,
        requester: Arc::clone(&exchange.requester),
        deadline: exchange.deadline,
    };
    match exchange.edge.desk.attachment(request).await {
        Ok(answer) => {
            let audit = answer.audit.clone();
            let reply = from_answer(answer, form);
            reply.map(|body| body.disclosed(Arc::clone(&exchange.edge.desk), audit))
        }
        Err(refusal) => respond(Dialect::R4, from_refusal(refusal)),
    }
}

fn from_answer(answer: AttachmentAnswer, form: AttachmentForm) -> Reply {
    let AttachmentAnswer { body, content_type, audit, lease } = answer;
    let mut reply = match form {
        AttachmentForm::Fhir => reply(StatusCode::OK, FHIR_JSON, body),
        AttachmentForm::Native => document(body, &content_type),
    };
    set(&mut reply, "tributary-audit", &audit);
    reply.map(|body| body.leased(lease))
}

/// The document itself, under a name of its kind that we know to be harmless.
fn document(body: bytes::Bytes, content_type: &str) -> Reply {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let shown = SHOWN.iter().find(|known| known.eq_ignore_ascii_case(essence)).copied();
    let mut reply = reply(StatusCode::OK, shown.unwrap_or(SAVED), body);
    if shown == Some("text/plain") {
        // Only its source knows in which letters a text is written.
        let charset = content_type.split_once(';').map(|(_, rest)| rest.trim()).filter(|rest| is_plain(rest));
        set(
            &mut reply,
            header::CONTENT_TYPE.as_str(),
            &format!("text/plain; {}", charset.unwrap_or("charset=utf-8")),
        );
    }
    if shown.is_none() {
        set(&mut reply, "content-disposition", "attachment");
    }
    // Browsers show no PDF in a sandbox; in a viewer of their own it can do nothing to this origin.
    if shown != Some("application/pdf") {
        set(&mut reply, "content-security-policy", POLICY);
    }
    reply
}

fn is_plain(parameter: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'-' | b'_');
    parameter.len() <= 40 && parameter.starts_with("charset=") && parameter.bytes().all(allowed)
}

fn from_refusal(refusal: Refusal) -> Problem {
    let gone = |text: &str| Problem::new(StatusCode::NOT_FOUND, "not-found", text);
    match refusal {
        Refusal::NoSuchAttachment => gone("There is no document at this address."),
        Refusal::AttachmentExpired => {
            gone("The address of this document has expired; ask for the record again.")
        }
        Refusal::Source(_, RelayFailure::NoRecord) => {
            gone("The source does not hold this document any more.")
        }
        Refusal::Source(_, RelayFailure::TooLarge) => {
            gone("The document is larger than five megabytes. Read it at its source.")
        }
        Refusal::Source(_, failure) => {
            let text = "The source of this document could not be used.";
            let problem = Problem::new(status(failure.http()), "transient", text);
            if let Some(wait) = refusal.retry_after() { problem.after(wait) } else { problem }
        }
        Refusal::Denied(_)
        | Refusal::AuditUnavailable
        | Refusal::Overloaded(_)
        | Refusal::Unlocated
        | Refusal::Barred(_)
        | Refusal::NoSuchSource
        | Refusal::NotTheirPractice
        | Refusal::PracticeNotNamed
        | Refusal::Internal => record::from_refusal(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: &str, media: &str, is_saved: bool) {
        let reply = document(bytes::Bytes::from_static(b"x"), content_type);
        let header = |name: &str| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("content-type").as_deref(), Some(media), "{content_type}");
        assert_eq!(header("content-disposition").is_some(), is_saved, "{content_type}");
        assert_eq!(header("content-security-policy").is_some(), media != "application/pdf", "{content_type}");
    }

    #[test]
    fn a_document_can_do_nothing_under_our_address() {
        check("application/pdf", "application/pdf", false);
        check("Image/PNG", "image/png", false);
        check("text/plain", "text/plain; charset=utf-8", false);
        check("text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1", false);
        check("text/plain; charset=x\", text/html", "text/plain; charset=utf-8", false);
        check("text/html", SAVED, true);
        check("image/svg+xml", SAVED, true);
        check("application/javascript", SAVED, true);
        check("", SAVED, true);
        check("text/html\r\nx: y", SAVED, true);
    }

    #[test]
    fn refusals_have_words_of_their_own() {
        for (refusal, status) in [
            (Refusal::NoSuchAttachment, 404),
            (Refusal::AttachmentExpired, 404),
            (Refusal::AuditUnavailable, 503),
            (Refusal::Internal, 500),
        ] {
            assert_eq!(from_refusal(refusal).status.as_u16(), status, "{refusal:?}");
        }
    }
}
