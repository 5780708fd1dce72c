//! What every connector needs to speak to its source.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::time::timeout_at;
use tower::ServiceExt as _;
use tributary_model::{
    Clock, Deadline, FaultClass, Interaction, NhsNumber, Redacted, Requester, Scope, SourceFault, TraceId,
};
use url::Url;

use crate::directory::{Directory, Endpoint, LookUp};
use crate::egress::{Bounds, Outgoing};
use crate::exchange::Make;
use crate::identity::BrokerIdentity;
use crate::registry::{Context, Route, SourceEntry};
use crate::root::ServiceRoot;
use crate::token::{Claims, bearer};

/// The media type we send and want.
pub(crate) const FHIR_JSON: &str = "application/fhir+json;charset=utf-8";

const TRACE_ID: HeaderName = HeaderName::from_static("ssp-traceid");
const FROM: HeaderName = HeaderName::from_static("ssp-from");
const TO: HeaderName = HeaderName::from_static("ssp-to");
const INTERACTION: HeaderName = HeaderName::from_static("ssp-interactionid");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Room for the headers of a request: a dozen at most.
const HEADERS: usize = 12;

/// One source's address, and who we are.
pub(crate) struct Wire {
    pub(crate) entry: Arc<SourceEntry>,
    identity: Arc<BrokerIdentity>,
    clock: Arc<dyn Clock>,
    /// The Spine proxy, when the source is behind it.
    proxy: Option<ServiceRoot>,
    directory: Option<Directory>,
}

/// One GP Connect interaction with one endpoint, to be written anew for each attempt.
pub(crate) struct Call {
    pub(crate) interaction: Interaction,
    pub(crate) endpoint: Endpoint,
    pub(crate) requester: Arc<Requester>,
    /// What follows the service root.
    pub(crate) tail: Redacted<String>,
    /// Empty for reads.
    pub(crate) body: Bytes,
}

impl Wire {
    pub(crate) fn new(entry: Arc<SourceEntry>, context: &Context) -> Self {
        let proxy = match entry.route {
            Route::Direct => None,
            Route::Spine => context.spine_proxy.clone(),
        };
        Self {
            entry,
            identity: Arc::clone(&context.identity),
            clock: Arc::clone(&context.token_clock),
            proxy,
            directory: context.directory.clone(),
        }
    }

    /// What an answer may cost.
    pub(crate) fn bounds(&self, deadline: Deadline) -> Bounds {
        Bounds { deadline, max_body_bytes: self.entry.max_body_bytes }
    }

    /// Where an interaction of this source is served: as registered, or as the directory says in time. A directory
    /// that hangs is no fault of the source.
    pub(crate) async fn endpoint(
        &self,
        interaction: Interaction,
        requester: &Arc<Requester>,
        patient: Option<NhsNumber>,
        deadline: Deadline,
    ) -> Result<Endpoint, SourceFault> {
        let entry = &self.entry;
        if let (Some(root), Some(asid)) = (entry.root(interaction.capability()), &entry.asid) {
            return Ok(Endpoint { root: root.clone(), asid: asid.clone() });
        }
        let (Some(directory), Some(ods)) = (self.directory.clone(), entry.ods.clone()) else {
            return Err(SourceFault::new(FaultClass::NotOffered));
        };
        let look_up = LookUp { ods, interaction, requester: Arc::clone(requester), patient };
        let found = timeout_at(deadline.instant(), directory.oneshot(look_up)).await;
        found.unwrap_or_else(|_elapsed| Err(SourceFault::new(FaultClass::Unlocated)))
    }

    /// One attempt at a GP Connect interaction: its own trace id, its own token.
    pub(crate) fn outgoing(&self, call: &Call) -> Result<Outgoing, SourceFault> {
        let Call { interaction, endpoint, requester, tail, body } = call;
        let from = self.identity.asids.of(requester).ok_or(SourceFault::new(FaultClass::NoAsid))?;
        let trace = TraceId::random().to_string();
        let mut headers = self.bearer(requester, endpoint.root.as_str(), interaction.scope(), &trace)?;
        headers.insert(TRACE_ID, value(trace)?);
        headers.insert(FROM, value(from)?);
        headers.insert(TO, value(&endpoint.asid)?);
        headers.insert(INTERACTION, HeaderValue::from_static(interaction.urn()));
        let method = if *interaction == Interaction::GetStructuredRecord {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
            Method::POST
        } else {
            Method::GET
        };
        let url = self.through(&format!("{}/{}", endpoint.root.stem(), tail.expose()))?;
        Ok(Outgoing { method, url, headers, body: body.clone() })
    }

    /// Writes such an interaction for as many attempts as it takes.
    pub(crate) fn written(self: &Arc<Self>, call: Call) -> Make {
        let wire = Arc::clone(self);
        Arc::new(move || wire.outgoing(&call))
    }

    /// The address as it goes out: behind the proxy's, letter by letter, where there is one.
    fn through(&self, address: &str) -> Result<Url, SourceFault> {
        let whole = match &self.proxy {
            Some(proxy) => Url::parse(&format!("{}/{address}", proxy.stem())),
            None => Url::parse(address),
        };
        whole.map_err(|_not_url| our_request())
    }

    /// An address below the service root.
    pub(crate) fn address(&self, tail: &str) -> Result<Url, SourceFault> {
        self.through(&format!("{}/{tail}", self.entry.base_url.stem()))
    }

    /// Resolves a link of the source; only an address under its own service root passes.
    pub(crate) fn own_address(&self, link: &str) -> Option<Url> {
        let root = Url::parse(&format!("{}/", self.entry.base_url.stem())).ok()?;
        let address = root.join(link).ok()?;
        let path = address.path();
        let own_path = root.path();
        let below = path.starts_with(own_path) || path == own_path.trim_end_matches('/');
        let plain = address.username().is_empty() && address.password().is_none();
        (address.origin() == root.origin() && below && plain).then_some(address)
    }

    /// Headers of one attempt at a search.
    pub(crate) fn search_headers(&self, requester: &Requester) -> Result<HeaderMap, SourceFault> {
        let id = TraceId::random().to_string();
        let mut headers = self.bearer(requester, self.entry.base_url.as_str(), Scope::Patient, &id)?;
        headers.insert(REQUEST_ID, value(id)?);
        Ok(headers)
    }

    fn bearer(
        &self,
        requester: &Requester,
        audience: &str,
        scope: Scope,
        trace: &str,
    ) -> Result<HeaderMap, SourceFault> {
        let issued_at = u64::try_from(self.clock.now().as_second()).unwrap_or(0);
        let claims = Claims { identity: &self.identity, requester, audience, scope, issued_at, trace };
        let mut bearer = value(bearer(&claims))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(header::ACCEPT, HeaderValue::from_static(FHIR_JSON));
        Ok(headers)
    }

    /// Today, for dates that a source must not find in the future.
    pub(crate) fn today(&self) -> tributary_model::FhirDate {
        tributary_model::FhirDate::Instant(self.clock.now())
    }
}

/// The operation that gives a structured record, below its service root.
pub(crate) const STRUCTURED_RECORD: &str = "Patient/$gpc.getstructuredrecord";

fn value(text: impl TryInto<HeaderValue>) -> Result<HeaderValue, SourceFault> {
    text.try_into().map_err(|_not_a_header| our_request())
}

/// We could not even write the request.
const fn our_request() -> SourceFault {
    SourceFault::new(FaultClass::OurRequest)
}
