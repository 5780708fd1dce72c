//! What every connector needs to speak to its source.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tributary_model::{Clock, Deadline, FaultClass, Requester, SourceFault, TraceId};
use url::Url;

use crate::egress::{Bounds, Egress};
use crate::identity::BrokerIdentity;
use crate::registry::{Context, SourceEntry};
use crate::token::{Claims, token};

/// The media type we send and want.
pub(crate) const FHIR_JSON: &str = "application/fhir+json;charset=utf-8";

const TRACE_ID: HeaderName = HeaderName::from_static("ssp-traceid");
const FROM: HeaderName = HeaderName::from_static("ssp-from");
const TO: HeaderName = HeaderName::from_static("ssp-to");
const INTERACTION: HeaderName = HeaderName::from_static("ssp-interactionid");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One source's address, the client, and who we are.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) entry: Arc<SourceEntry>,
    pub(crate) egress: Egress,
    identity: Arc<BrokerIdentity>,
    clock: Arc<dyn Clock>,
    /// Address without a slash at its end.
    root: String,
}

impl Wire {
    pub(crate) fn new(entry: Arc<SourceEntry>, egress: Egress, context: &Context) -> Self {
        let root = entry.base_url.as_str().trim_end_matches('/').to_owned();
        Self {
            entry,
            egress,
            identity: Arc::clone(&context.identity),
            clock: Arc::clone(&context.token_clock),
            root,
        }
    }

    /// What an answer may cost.
    pub(crate) fn bounds(&self, deadline: Deadline) -> Bounds {
        Bounds { deadline, max_body_bytes: self.entry.max_body_bytes }
    }

    /// An address below the service root.
    pub(crate) fn address(&self, tail: &str) -> Result<Url, SourceFault> {
        Url::parse(&format!("{}/{tail}", self.root)).map_err(|_not_url| our_request())
    }

    /// Resolves a link of the source; only an address under its own service root passes.
    pub(crate) fn own_address(&self, link: &str) -> Option<Url> {
        let root = Url::parse(&format!("{}/", self.root)).ok()?;
        let address = root.join(link).ok()?;
        let path = address.path();
        let own_path = root.path();
        let below = path.starts_with(own_path) || path == own_path.trim_end_matches('/');
        let plain = address.username().is_empty() && address.password().is_none();
        (address.origin() == root.origin() && below && plain).then_some(address)
    }

    /// Headers of one attempt at a GP Connect interaction.
    pub(crate) fn spine_headers(
        &self,
        requester: &Requester,
        interaction: &'static str,
    ) -> Result<HeaderMap, SourceFault> {
        let mut headers = self.common_headers(requester)?;
        let from = requester.asid.as_deref().unwrap_or(&self.identity.asid);
        headers.insert(TRACE_ID, value(&TraceId::random().to_string())?);
        headers.insert(FROM, value(from)?);
        headers.insert(TO, value(self.entry.asid.as_deref().unwrap_or_default())?);
        headers.insert(INTERACTION, HeaderValue::from_static(interaction));
        Ok(headers)
    }

    /// Headers of one attempt at a search.
    pub(crate) fn search_headers(&self, requester: &Requester) -> Result<HeaderMap, SourceFault> {
        let mut headers = self.common_headers(requester)?;
        headers.insert(REQUEST_ID, value(&TraceId::random().to_string())?);
        Ok(headers)
    }

    fn common_headers(&self, requester: &Requester) -> Result<HeaderMap, SourceFault> {
        let issued_at = u64::try_from(self.clock.now().as_second()).unwrap_or(0);
        let token =
            token(&Claims { identity: &self.identity, requester, audience: audience(&self.root), issued_at });
        let mut bearer = value(&format!("Bearer {token}"))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(header::ACCEPT, HeaderValue::from_static(FHIR_JSON));
        Ok(headers)
    }

    /// Today, for dates that a source must not find in the future.
    pub(crate) fn today(&self) -> tributary_model::FhirDate {
        tributary_model::FhirDate::Instant(self.clock.now())
    }
}

/// The service root a token is for. Behind the Spine proxy it is the address after the proxy's.
fn audience(root: &str) -> &str {
    ["/https://", "/http://"]
        .iter()
        .find_map(|inner| root.find(inner))
        .and_then(|at| root.get(at + 1..))
        .filter(|inner| inner.starts_with("http"))
        .unwrap_or(root)
}

fn value(text: &str) -> Result<HeaderValue, SourceFault> {
    HeaderValue::from_str(text).map_err(|_not_a_header| our_request())
}

/// We could not even write the request.
const fn our_request() -> SourceFault {
    SourceFault::new(FaultClass::OurRequest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_proxy_the_audience_is_the_source() {
        assert_eq!(audience("https://gp.test/A/STU3/1"), "https://gp.test/A/STU3/1");
        assert_eq!(audience("https://ssp.test/https://gp.test/A/STU3/1"), "https://gp.test/A/STU3/1");
    }
}
