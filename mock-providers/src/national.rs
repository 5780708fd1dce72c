//! The national services a consumer needs before it can ask a practice: the token endpoint, the demographics
//! service (PDS, FHIR R4) and the directory of systems (SDS, FHIR R4).
//!
//! Each is a provider of its own. Faults of the wire (slow, cut, refused) are set at
//! [`crate::ProviderHandle`]; the faults named here are answered in the service's own words and at the place
//! in its order of checks where the real one fails.

mod limit;
mod pds;
mod sds;
mod switch;
mod together;
mod token;
mod tokens;

pub use limit::{RateLimit, Throttle};
pub use pds::{
    Death, DeathNotice, EndUserOrganisation, NumberStanding, PatientName, PatientState, Pds, PdsFault,
    PdsOptions, PdsPatient, Practice, Removal, RemovalReason, Sensitivity, start_pds,
};
pub use sds::{ProxyCache, Registration, Sds, SdsFault, SdsOptions, start_sds};
pub use together::NationalServices;
pub use token::{
    ClientKey, Jwks, MadeUpKey, TokenClient, TokenEndpoint, TokenFault, TokenOptions, start_token,
};
pub use tokens::{AccessTokens, Grant};
