//! The Spine Directory Service: where an interaction of a practice is served, and by which system (FHIR R4).
//!
//! An empty answer is no answer: the directory gives one also when its own back end did not reply.

mod address;
mod pairs;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tributary_fhir::{Document, Limits};
use tributary_model::{
    Deadline, FaultClass, Freshness, Interaction, NhsNumber, OdsCode, Redacted, SourceFault, TraceId,
};
use url::Url;

use super::keep::Keep;
use super::pace::Pace;
use super::{Carrier, Carry, Make, jitter, secret, value};
use crate::checkup::Contact;
use crate::directory::{Directory, Endpoint, LookUp};
use crate::egress::{Bounds, Egress, Outgoing, Received};

use pairs::{Listed, Pairing};

const API_KEY: HeaderName = HeaderName::from_static("apikey");
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
const ODS_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const INTERACTION_SYSTEM: &str = "https://fhir.nhs.uk/Id/nhsServiceInteractionId";
const PARTY_KEY_SYSTEM: &str = "https://fhir.nhs.uk/Id/nhsMhsPartyKey";
const MAX_BODY_BYTES: u64 = 1 << 20;
/// Longest time that anything found is kept: a session is over by then.
const LONGEST_TTL: Duration = Duration::from_mins(15);
/// How long "could not confirm" is kept: seconds, because it may be the directory that is slow.
const UNCONFIRMED_TTL: Duration = Duration::from_secs(5);
/// Before an empty answer is asked for again.
const EMPTY_PAUSE: Duration = Duration::from_millis(300);
const SLOW_LANE: Duration = Duration::from_secs(1);
const MOST_KEPT: usize = 4096;

/// Where the directory is, and what of its answers is kept.
#[derive(Clone, Debug)]
pub struct SdsSettings {
    /// Its service root.
    pub base_url: Url,
    /// Our API key.
    pub api_key: Redacted<String>,
    /// Longest time for one look-up.
    pub timeout: Duration,
    /// Requests a second.
    pub per_second: u32,
    /// How long an endpoint is kept for the session that asked. At most 15 minutes.
    pub session_ttl: Duration,
    /// How long an endpoint is kept for everybody; `None` for never. GP Connect wants one look-up a session, so
    /// this is for deployers who have agreed otherwise.
    pub shared_ttl: Option<Duration>,
}

/// Why an endpoint is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdsFault {
    /// No answer.
    #[error("not reached: {}", .0.code())]
    Unreachable(FaultClass),
    /// Our own quota leaves no turn before the deadline.
    #[error("no turn before the deadline")]
    Paced,
    /// The directory's quota is used up.
    #[error("too many requests")]
    Throttled,
    /// It refuses us: the key, not the practice.
    #[error("refused with http {0}")]
    Denied(u16),
    /// Any other status.
    #[error("failed with http {0}")]
    Failed(u16),
    /// Not a searchset, or not of what was asked.
    #[error("the answer cannot be used")]
    Malformed,
    /// Nothing is listed, twice: not registered, or the directory did not find out.
    #[error("nothing listed: could not confirm")]
    Unconfirmed,
    /// More than one endpoint or system fits.
    #[error("more than one system listed: could not confirm")]
    Ambiguous,
    /// The address listed is none that may be asked.
    #[error("the address listed may not be asked")]
    Address,
}

impl From<SdsFault> for SourceFault {
    fn from(_fault: SdsFault) -> Self {
        Self::new(FaultClass::Unlocated)
    }
}

/// The directory. Clones share its pace and what is kept.
#[derive(Clone)]
pub struct Sds {
    inner: Arc<Inner>,
}

impl fmt::Debug for Sds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sds").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

struct Inner {
    settings: SdsSettings,
    carrier: Arc<dyn Carry>,
    pace: Pace,
    sessions: Keep<Session, Result<Endpoint, SdsFault>>,
    shared: Keep<Place, Endpoint>,
}

/// One interaction of one practice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    ods: OdsCode,
    interaction: &'static str,
}

/// One person's business with one patient.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Session {
    organisation: OdsCode,
    user: String,
    patient: Option<NhsNumber>,
    place: Place,
}

impl Session {
    fn of(look_up: &LookUp) -> Self {
        Self {
            organisation: look_up.requester.organisation.clone(),
            user: look_up.requester.user_id.clone(),
            patient: look_up.patient,
            place: Place { ods: look_up.ods.clone(), interaction: look_up.interaction.urn() },
        }
    }
}

impl Sds {
    /// The directory behind this address.
    pub fn new(settings: SdsSettings, egress: &Egress) -> Self {
        Self::over(settings, Carrier::new(egress))
    }

    pub(crate) fn over(settings: SdsSettings, carrier: Arc<dyn Carry>) -> Self {
        let pace = Pace::new(settings.per_second);
        let (sessions, shared) = (Keep::new(MOST_KEPT), Keep::new(MOST_KEPT));
        Self { inner: Arc::new(Inner { settings, carrier, pace, sessions, shared }) }
    }

    /// Where an interaction is served. [`Freshness::FetchNow`] is for an address that turned out to be dead:
    /// nothing kept is used, here or at the directory.
    pub async fn find(
        &self,
        look_up: &LookUp,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Endpoint, SdsFault> {
        let inner = &self.inner;
        let session = Session::of(look_up);
        if freshness == Freshness::Allowed
            && let Some(known) = inner.known(&session)
        {
            return known;
        }
        let deadline = deadline.capped(inner.settings.timeout);
        let found = inner.look_up(&session.place, freshness, deadline).await;
        inner.keep(session, &found);
        if let Err(fault) = &found {
            tracing::warn!(fault.kind = %fault, "an endpoint could not be confirmed");
        }
        found
    }

    /// Asks for nothing in particular: a directory that knows our key refuses the question, not the key.
    pub async fn contact(&self, egress: &Egress) -> Contact {
        let settings = &self.inner.settings;
        let mut url = settings.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(Listed::Device.code());
        }
        let outgoing = secret(settings.api_key.expose()).map(|key| {
            let mut headers = HeaderMap::new();
            headers.insert(API_KEY, key);
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/fhir+json"));
            Outgoing { method: Method::GET, url, headers, body: Bytes::new() }
        });
        Contact::make(egress, settings.timeout, outgoing).await
    }

    /// The directory as the rest of the sources know it.
    pub fn into_directory(self) -> Directory {
        let timeout = self.inner.settings.timeout;
        BoxCloneSyncService::new(service_fn(move |look_up: LookUp| {
            let sds = self.clone();
            async move {
                let found = sds.find(&look_up, Freshness::Allowed, Deadline::after(timeout)).await;
                found.map_err(SourceFault::from)
            }
        }))
    }
}

impl Inner {
    fn known(&self, session: &Session) -> Option<Result<Endpoint, SdsFault>> {
        let shared = self.settings.shared_ttl.and_then(|_ttl| self.shared.get(&session.place));
        self.sessions.get(session).or_else(|| shared.map(Ok))
    }

    fn keep(&self, session: Session, found: &Result<Endpoint, SdsFault>) {
        match found {
            Ok(endpoint) => {
                if let Some(ttl) = self.settings.shared_ttl {
                    self.shared.put(session.place.clone(), endpoint.clone(), ttl.min(LONGEST_TTL));
                }
                let ttl = self.settings.session_ttl.min(LONGEST_TTL);
                self.sessions.put(session, Ok(endpoint.clone()), ttl);
            }
            Err(fault) => {
                self.shared.forget(&session.place);
                match fault {
                    SdsFault::Unconfirmed | SdsFault::Ambiguous | SdsFault::Address => {
                        self.sessions.put(session, Err(*fault), UNCONFIRMED_TTL);
                    }
                    SdsFault::Unreachable(_)
                    | SdsFault::Paced
                    | SdsFault::Throttled
                    | SdsFault::Denied(_)
                    | SdsFault::Failed(_)
                    | SdsFault::Malformed => self.sessions.forget(&session),
                }
            }
        }
    }

    async fn look_up(
        &self,
        place: &Place,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Endpoint, SdsFault> {
        match self.once(place, freshness, deadline).await {
            Err(SdsFault::Unconfirmed) if deadline.remaining() > EMPTY_PAUSE => {
                tokio::time::sleep(EMPTY_PAUSE).await;
                // Past whatever kept the empty answer.
                self.once(place, Freshness::FetchNow, deadline).await
            }
            found => found,
        }
    }

    async fn once(
        &self,
        place: &Place,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Endpoint, SdsFault> {
        let search = |what, party_key| Search { what, place, party_key, freshness, deadline };
        let (endpoints, devices) = tokio::try_join!(
            self.search(search(Listed::Endpoint, None)),
            self.search(search(Listed::Device, None)),
        )?;
        let pairing = Pairing::read(&endpoints, &devices, place)?;
        let pairing = match pairing.only_party_key() {
            // Which of several systems belongs to the one endpoint, the directory knows best.
            Some(party_key) if pairing.is_open() => {
                let devices = self.search(search(Listed::Device, Some(party_key))).await?;
                Pairing::read(&endpoints, &devices, place)?
            }
            Some(_) | None => pairing,
        };
        let (address, asid) = pairing.settle()?;
        let root = address::root(&address, &self.settings.base_url).ok_or(SdsFault::Address)?;
        Ok(Endpoint { root, asid })
    }

    async fn search(&self, search: Search<'_>) -> Result<Document, SdsFault> {
        let mut may_retry = true;
        loop {
            self.pace.turn(search.deadline).await.map_err(|_none| SdsFault::Paced)?;
            let bounds = Bounds { deadline: search.deadline, max_body_bytes: MAX_BODY_BYTES };
            let received = self.carrier.carry(bounds, self.make(&search)).await;
            let received = received.map_err(|fault| SdsFault::Unreachable(fault.class))?;
            let helps = matches!(received.status, 500 | 502 | 503) && received.attempts == 1;
            let wait = received.retry_after.unwrap_or_else(jitter);
            let in_time = wait < search.deadline.remaining() / 3;
            if may_retry && helps && in_time && self.carrier.grants_another() {
                may_retry = false;
                tokio::time::sleep(wait).await;
                continue;
            }
            if received.status == 429 {
                self.pace.hold(SLOW_LANE);
            }
            return document(received);
        }
    }

    fn make(&self, search: &Search<'_>) -> Make {
        let mut url = self.settings.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(search.what.code());
        }
        let of = |system: &str, value: &str| format!("{system}|{value}");
        url.query_pairs_mut()
            .append_pair("organization", &of(ODS_SYSTEM, search.place.ods.as_str()))
            .append_pair("identifier", &of(INTERACTION_SYSTEM, search.place.interaction));
        if let Some(party_key) = search.party_key {
            url.query_pairs_mut().append_pair("identifier", &of(PARTY_KEY_SYSTEM, party_key));
        }
        let key = self.settings.api_key.clone();
        let fresh = search.freshness == Freshness::FetchNow;
        Arc::new(move || {
            let mut headers = HeaderMap::new();
            headers.insert(API_KEY, secret(key.expose())?);
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/fhir+json"));
            headers.insert(CORRELATION, value(&TraceId::random().to_string())?);
            if fresh {
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            }
            Ok(Outgoing { method: Method::GET, url: url.clone(), headers, body: Bytes::new() })
        })
    }
}

/// One search.
struct Search<'a> {
    what: Listed,
    place: &'a Place,
    party_key: Option<&'a str>,
    freshness: Freshness,
    deadline: Deadline,
}

fn document(received: Received) -> Result<Document, SdsFault> {
    match received.status {
        200 => Document::scan(received.body, &Limits::default()).map_err(|_refused| SdsFault::Malformed),
        429 => Err(SdsFault::Throttled),
        status @ (401 | 403) => Err(SdsFault::Denied(status)),
        status => Err(SdsFault::Failed(status)),
    }
}

impl Place {
    fn is_served_by(&self, organisation: &str) -> bool {
        self.ods.as_str() == organisation
    }
}

/// The interaction that says whether a practice serves records at all.
pub(crate) const RECORD: Interaction = Interaction::GetStructuredRecord;

#[cfg(test)]
mod tests;
