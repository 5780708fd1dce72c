//! One contact without a patient: whether a service is there, and what its head and certificate tell.

use http::header;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tributary_model::SourceFault;

use super::{Bounds, Egress, Outgoing, certificate};

/// What a contact showed.
pub(crate) struct Contacted {
    pub(crate) status: u16,
    /// When its certificate ends; `None` without TLS.
    pub(crate) certificate_ends: Option<Timestamp>,
    /// Its own time, if it tells it.
    pub(crate) date: Option<Timestamp>,
    /// Empty where it could not be read.
    pub(crate) body: Vec<u8>,
}

impl Egress {
    /// Makes one attempt, whatever comes of it.
    pub(crate) async fn contact(&self, bounds: Bounds, outgoing: Outgoing) -> Result<Contacted, SourceFault> {
        let answer = self.exchange(bounds, outgoing).await?;
        let response = &answer.response;
        let status = response.status().as_u16();
        let certificate = answer.peer().and_then(|peer| peer.certificate.as_deref());
        let certificate_ends = certificate.and_then(|certificate| certificate::ends(certificate));
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok()).and_then(instant);
        let body = self.read(answer, bounds, None).await.map(|(body, _held)| body).unwrap_or_default();
        Ok(Contacted { status, certificate_ends, date, body })
    }
}

/// Reads `Date`.
fn instant(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_a_head_is_an_instant() {
        let read = instant("Tue, 10 Mar 2026 02:10:00 GMT").map(|instant| instant.to_string());
        assert_eq!(read.as_deref(), Some("2026-03-10T02:10:00Z"));
        assert_eq!(instant("soon"), None);
    }
}
