//! FHIR searches, R4 and STU3: first the patient by NHS number, then each resource type by the patient's id.
//!
//! The answer of a source is all or nothing: a fault of one search is a fault of the ask. Only a type whose
//! search the source itself refuses is left out, with a notice, and its sections are less than whole.

mod paging;
mod read;
mod types;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderValue, Method, header};
use tributary_fhir::bundle::{id_of, nhs_numbers, type_of};
use tributary_fhir::{Bundle, Document, FhirVersion, Reply};
use tributary_flow::Errand;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{Ask, FaultClass, Lease, NhsNumber, Requester, SourceFault};
use url::{Url, form_urlencoded};

use super::answer::Absence;
use super::wire::Wire;
use super::{answer, apart, version};
use crate::egress::{Outgoing, Received};
use crate::exchange::{Exchange, Make};
use crate::registry::Protocol;
use paging::{Pages, collect};
use read::{Answers, Searched, gaps};
use types::SearchType;

/// Searches of one ask at a time.
const MAX_SEARCHES: usize = 6;
/// Statements wanted on one page.
const PAGE_COUNT: &str = "100";

/// Asks a source by searches.
pub(crate) struct Search {
    wire: Arc<Wire>,
    exchange: Exchange,
    version: FhirVersion,
}

impl Search {
    pub(crate) fn new(wire: Arc<Wire>, exchange: Exchange) -> Self {
        let version = match wire.entry.protocol {
            Protocol::FhirR4 => FhirVersion::R4,
            Protocol::FhirStu3 | Protocol::GpConnectStructured => FhirVersion::Stu3,
        };
        Self { wire, exchange, version }
    }

    pub(crate) async fn ask(self: Arc<Self>, ask: Ask) -> Result<Reply, SourceFault> {
        let types = types::wanted(ask.sections, self.version);
        if types.is_empty() {
            return Err(SourceFault::new(FaultClass::NothingAsked));
        }
        let session = Session {
            search: Arc::clone(&self),
            errand: self.exchange.errand(&ask.requester),
            ask,
            bytes: AtomicU64::new(0),
            attempts: AtomicU32::new(0),
        };
        let patients = Box::pin(session.patients()).await?;
        let ids = patient_ids(&patients, session.ask.patient)?;
        let found = Box::pin(session.every_type(types, &ids)).await?;
        // The source has done its part: its places are for others while we read.
        drop(session.errand);
        let answers = Answers {
            version: self.version,
            asked: session.ask.sections,
            patients,
            types: found,
            attempts: session.attempts.into_inner(),
        };
        let bytes = usize::try_from(session.bytes.into_inner()).unwrap_or(usize::MAX);
        apart(bytes, move || answers.into_reply()).await
    }
}

/// One ask on its way.
struct Session {
    search: Arc<Search>,
    ask: Ask,
    errand: Errand,
    /// Bytes of all bodies so far. Together they may be as large as one answer may be.
    bytes: AtomicU64,
    attempts: AtomicU32,
}

impl Session {
    async fn patients(&self) -> Result<Pages, SourceFault> {
        let token = format!("{NHS_NUMBER_SYSTEM}|{}", self.ask.patient.expose());
        let first = self.post("Patient", &[("identifier", &token)])?;
        let pages = collect(self, "Patient", first).await;
        pages.map_err(SourceFault::from)
    }

    /// Asks every type, a few at a time, and gives the answers in the order of the types.
    async fn every_type(
        &self,
        types: Vec<&'static SearchType>,
        ids: &str,
    ) -> Result<Vec<(&'static SearchType, Searched)>, SourceFault> {
        // Boxed one by one: a stream of borrowed closures defeats the compiler's proof that it is `Send`.
        let searches: Vec<BoxFuture<'_, _>> = types
            .into_iter()
            .enumerate()
            .map(|(place, kind)| self.placed(place, kind, ids).boxed())
            .collect();
        // More than the source takes would only wait for each other.
        let at_once = MAX_SEARCHES.min(self.search.wire.entry.max_in_flight);
        let searches = stream::iter(searches).buffer_unordered(at_once);
        let mut found: Vec<_> = searches.try_collect().await?;
        found.sort_by_key(|(place, _, _)| *place);
        Ok(found.into_iter().map(|(_, kind, searched)| (kind, searched)).collect())
    }

    async fn placed(
        &self,
        place: usize,
        kind: &'static SearchType,
        ids: &str,
    ) -> Result<(usize, &'static SearchType, Searched), SourceFault> {
        let searched = self.one_type(kind, ids).await?;
        Ok((place, kind, searched))
    }

    /// Asks one type.
    async fn one_type(&self, kind: &SearchType, ids: &str) -> Result<Searched, SourceFault> {
        let mut form = vec![("patient", ids), ("_count", PAGE_COUNT)];
        form.extend(kind.include.map(|include| ("_include", include)));
        let first = self.post(kind.name, &form)?;
        match collect(self, kind.name, first).await {
            Ok(pages) => Ok(Searched::Read(pages)),
            Err(refused) => refused.of_one_type().map(Searched::Refused).ok_or(refused.fault),
        }
    }

    /// A search as a form: what identifies the patient stays out of the address.
    fn post(&self, kind: &str, form: &[(&str, &str)]) -> Result<Step, SourceFault> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Ok(Step { url: self.search.wire.address(&format!("{kind}/_search"))?, form: Some(form.into()) })
    }

    /// Takes one step and reads its answer.
    async fn take(&self, step: Step) -> Result<(Document, Lease), answer::Refused> {
        let (search, requester) = (Arc::clone(&self.search), Arc::clone(&self.ask.requester));
        let make: Make = Arc::new(move || step.outgoing(&search.wire, &requester));
        let (wire, exchange) = (&self.search.wire, &self.search.exchange);
        let sent = exchange.send(self.errand.clone(), wire.bounds(self.ask.deadline), make).await;
        let received: Received = sent.map_err(answer::Refused::silent)?;
        self.attempts.fetch_add(received.attempts, Ordering::Relaxed);
        let bytes = received.body.len() as u64;
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > wire.entry.max_body_bytes {
            return Err(answer::Refused::silent(SourceFault::new(FaultClass::TooLarge)));
        }
        let version = self.search.version;
        let read = apart(received.body.len(), move || Ok(read_page(received, version))).await;
        read.map_err(answer::Refused::silent)?
    }
}

/// One request of a search: a form, or the address of a further page.
struct Step {
    url: Url,
    form: Option<Bytes>,
}

impl Step {
    fn outgoing(&self, wire: &Wire, requester: &Requester) -> Result<Outgoing, SourceFault> {
        let mut headers = wire.search_headers(requester)?;
        let (method, body) = match &self.form {
            None => (Method::GET, Bytes::new()),
            Some(form) => {
                let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(header::CONTENT_TYPE, form_type);
                (Method::POST, form.clone())
            }
        };
        Ok(Outgoing { method, url: self.url.clone(), headers, body })
    }
}

fn read_page(mut received: Received, version: FhirVersion) -> Result<(Document, Lease), answer::Refused> {
    let held = std::mem::take(&mut received.held);
    let document = answer::document(received, Absence::Searchset)?;
    let shape = Bundle::of(&document).and_then(|bundle| version::check(bundle, version));
    match shape {
        Ok(()) => Ok((document, held)),
        Err(class) => Err(answer::Refused::silent(SourceFault::new(class).with_http(200))),
    }
}

/// The ids of the Patients that carry the number, joined as a search takes them.
fn patient_ids(pages: &Pages, number: NhsNumber) -> Result<String, SourceFault> {
    let mut anyone = false;
    let mut ids: Vec<String> = Vec::new();
    for document in &pages.documents {
        let bundle = Bundle::of(document).map_err(SourceFault::new)?;
        for patient in bundle.resources().filter(|resource| type_of(*resource) == "Patient") {
            anyone = true;
            let is_ours = nhs_numbers(patient).any(|text| NhsNumber::parse(&text) == Ok(number));
            if let Some(id) = id_of(patient).filter(|_| is_ours) {
                ids.push(id.into_owned());
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let safe =
        |id: &String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    match (anyone, ids.is_empty()) {
        (false, _) if gaps(pages).is_empty() => Err(SourceFault::new(FaultClass::NoRecord).with_http(200)),
        // Nobody in a list with gaps may be somebody in a gap.
        (false, _) => Err(SourceFault::new(FaultClass::OutcomeError).with_http(200)),
        // Somebody else, or nobody in particular: nothing more is asked about them.
        (true, true) => Err(SourceFault::new(FaultClass::IdentityNumber).with_http(200)),
        (true, false) if ids.iter().all(safe) => Ok(ids.join(",")),
        (true, false) => Err(SourceFault::new(FaultClass::Shape).with_http(200)),
    }
}
