//! The Personal Demographics Service, FHIR R4: reads by NHS number.
//!
//! Search, related persons and updates are not played.

mod gate;
mod outcome;
mod patient;
mod seeds;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tributary_model::{Clock, NhsNumber, SystemClock};

use crate::asks::AskRecord;
use crate::fault::Lifetime;
use crate::outcome::Dialect;
use crate::provider::{ProviderHandle, Setup, System};
use crate::wire::{Reply, Request};

use super::limit::{Limiter, RateLimit, Throttle};
use super::switch::Switch;
use super::tokens::AccessTokens;

pub use patient::{
    Death, DeathNotice, NumberStanding, PatientName, PatientState, Practice, Removal, RemovalReason,
    Sensitivity,
};
pub use seeds::PdsPatient;

use outcome::Refusal;

const ROOT: &str = "/personal-demographics/FHIR/R4";

/// Whether a request has to say for whom it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndUserOrganisation {
    /// The application serves one organisation.
    #[default]
    Implied,
    /// The application serves several: without `NHSD-End-User-Organisation-ODS` a request is refused.
    Told,
}

/// How PDS is started.
#[derive(Clone, Debug)]
pub struct PdsOptions {
    /// What it takes the time to be.
    pub clock: Arc<dyn Clock>,
    /// The tokens it accepts; those of a token endpoint, or of the test itself.
    pub tokens: AccessTokens,
    /// What an application may ask.
    pub limit: RateLimit,
    /// Whether a request has to say for whom it is made.
    pub end_user_organisation: EndUserOrganisation,
    /// Its port; absent means any free one.
    pub port: Option<u16>,
}

impl PdsOptions {
    /// With these tokens, and no limit.
    pub fn new(clock: Arc<dyn Clock>, tokens: AccessTokens) -> Self {
        Self {
            clock,
            tokens,
            limit: RateLimit::NONE,
            end_user_organisation: EndUserOrganisation::default(),
            port: None,
        }
    }
}

impl Default for PdsOptions {
    fn default() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self::new(Arc::clone(&clock), AccessTokens::new(clock))
    }
}

/// A fault of PDS, each at its place in the order of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdsFault {
    /// 401 `ACCESS_DENIED`, whatever the token.
    AccessDenied,
    /// 429 `TOO_MANY_REQUESTS` without `Retry-After`, to a good token.
    Throttled(Throttle),
    /// 503 with a page where FHIR is due, to a good token.
    Page,
    /// 408 `UNABLE_TO_CALL_SERVICE`, to a good request.
    SpineUnreachable,
    /// 500 `UNKNOWN_ERROR`, to a good request.
    UnknownError,
    /// 503 `SERVICE_UNAVAILABLE` with `Retry-After: 5`, to a good request.
    Unavailable,
    /// 200 with an `OperationOutcome` of `TOO_MANY_MATCHES` where a Patient is due.
    TooManyMatches,
}

/// A running PDS, with every [`PdsPatient`] in it. It ends with this value.
#[derive(Debug)]
pub struct Pds {
    provider: ProviderHandle,
    state: Arc<State>,
}

impl Pds {
    /// Where its service root is.
    pub fn base_url(&self) -> &str {
        &self.provider.base_url
    }

    /// The tokens it accepts.
    pub fn tokens(&self) -> &AccessTokens {
        &self.state.tokens
    }

    /// Adds a patient, or replaces the one of that number.
    pub fn put(&self, patient: PatientState) {
        let mut patients = self.state.patients.lock().unwrap_or_else(PoisonError::into_inner);
        patients.insert(patient.nhs_number.clone(), patient);
    }

    /// Forgets a number: it is unknown from now on.
    pub fn remove(&self, nhs_number: &str) {
        self.state.patients.lock().unwrap_or_else(PoisonError::into_inner).remove(nhs_number);
    }

    /// Makes it fail from now on, or once.
    pub fn set_fault(&self, fault: PdsFault, lifetime: Lifetime) {
        self.state.fault.set(fault, lifetime);
    }

    /// Ends every fault, those of the wire as well.
    pub fn clear_fault(&self) -> io::Result<()> {
        self.state.fault.clear();
        self.provider.clear_fault()
    }

    /// What it was asked, oldest first.
    pub fn asks(&self) -> Vec<AskRecord> {
        self.provider.asks()
    }

    /// Its socket: delays and faults of the wire, stop and restart. A fault of status that is set there is
    /// worded as a hospital's; use [`PdsFault`] for those of PDS.
    pub fn provider(&self) -> &ProviderHandle {
        &self.provider
    }
}

impl Drop for Pds {
    fn drop(&mut self) {
        self.provider.stop();
    }
}

/// Starts a PDS, `pds`.
pub fn start_pds(options: PdsOptions) -> io::Result<Pds> {
    let patients = PdsPatient::ALL.into_iter().filter_map(PdsPatient::state);
    let state = Arc::new(State {
        clock: options.clock,
        tokens: options.tokens,
        limiter: Limiter::new(options.limit),
        end_user_organisation: options.end_user_organisation,
        patients: Mutex::new(patients.map(|one| (one.nhs_number.clone(), one)).collect()),
        fault: Switch::default(),
    });
    let setup = Setup {
        id: "pds".to_owned(),
        root: ROOT.to_owned(),
        port: options.port.unwrap_or_default(),
        roots: BTreeMap::new(),
        scenes: BTreeMap::new(),
    };
    let provider = ProviderHandle::start(setup, Box::new(Service(Arc::clone(&state))))?;
    Ok(Pds { provider, state })
}

#[derive(Debug)]
struct State {
    clock: Arc<dyn Clock>,
    tokens: AccessTokens,
    limiter: Limiter,
    end_user_organisation: EndUserOrganisation,
    patients: Mutex<BTreeMap<String, PatientState>>,
    fault: Switch<PdsFault>,
}

impl State {
    fn serve(&self, request: &Request) -> Result<Reply, Refusal> {
        let number = gate::admit(self, request)?;
        self.back_end_fault()?;
        if NhsNumber::parse(number).is_err() {
            return Err(Refusal::invalid_resource_id());
        }
        let patients = self.patients.lock().unwrap_or_else(PoisonError::into_inner);
        let patient = patients.get(number).ok_or_else(Refusal::not_found)?;
        let patient = match &patient.standing {
            NumberStanding::Current => patient,
            NumberStanding::SupersededBy(other) => patients.get(other).ok_or_else(Refusal::not_found)?,
            NumberStanding::Invalidated => return Err(Refusal::invalidated()),
        };
        let tag = format!("W/\"{}\"", patient.version);
        Ok(Reply::fhir(200, patient.resource().to_string()).with("ETag", tag))
    }

    fn back_end_fault(&self) -> Result<(), Refusal> {
        let fault = self.fault.take(|fault| match fault {
            PdsFault::SpineUnreachable => Some(Refusal::unable_to_call()),
            PdsFault::UnknownError => Some(Refusal::unknown_error()),
            PdsFault::Unavailable => Some(Refusal::unavailable()),
            PdsFault::TooManyMatches => Some(Refusal::too_many_matches()),
            PdsFault::AccessDenied | PdsFault::Throttled(_) | PdsFault::Page => None,
        });
        fault.map_or(Ok(()), Err)
    }
}

#[derive(Debug)]
struct Service(Arc<State>);

impl System for Service {
    fn dialect(&self) -> Dialect {
        Dialect::R4
    }

    fn nhs_number(&self, request: &Request) -> Option<String> {
        gate::number_of(&request.path).map(str::to_owned)
    }

    fn answer(&self, request: &Request, _disabled: &[String]) -> Reply {
        let mut reply = self.0.serve(request).unwrap_or_else(|refusal| refusal.reply());
        for name in ["X-Request-ID", "X-Correlation-ID"] {
            if let Some(value) = request.header(name) {
                reply = reply.with(name, value);
            }
        }
        reply
    }
}

/// A coding of one code, as an element of JSON.
fn concept(system: &str, code: &str, display: &str) -> Value {
    serde_json::json!({"coding": [{"system": system, "version": "1.0.0", "code": code, "display": display}]})
}
