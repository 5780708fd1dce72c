#![doc = include_str!("../README.md")]

mod asks;
mod control;
mod distort;
mod encoding;
mod fault;
mod federation;
mod fhir;
mod gp;
mod line;
mod misbehave;
mod national;
mod number;
mod outcome;
mod provider;
mod replay;
mod store;
mod story;
mod suite;
mod wire;

pub use asks::AskRecord;
pub use fault::{BadText, ErrorBody, Fault, FaultRule, Lifetime, TELLTALE};
pub use federation::{Federation, FederationOptions, Played, SourceFacts, start_story_federation};
pub use gp::{ListIds, SpecLevel, Standing};
pub use line::{BlackHole, Line, Trouble};
pub use national::{
    AccessTokens, ClientKey, Death, DeathNotice, EndUserOrganisation, Grant, Jwks, MadeUpKey,
    NationalServices, NumberStanding, PatientName, PatientState, Pds, PdsFault, PdsOptions, PdsPatient,
    Practice, ProxyCache, RateLimit, Registration, Removal, RemovalReason, Sds, SdsFault, SdsOptions,
    Sensitivity, Throttle, TokenClient, TokenEndpoint, TokenFault, TokenOptions, start_pds, start_sds,
    start_token,
};
pub use provider::ProviderHandle;
pub use replay::{NumberOrigin, ReplayOptions, ReplayPatient, start_replay};
pub use story::{Story, stories};
pub use suite::{SUITE_ASID, SUITE_ODS, SuiteOptions, SuitePatient, start_suite_practice, suite_patients};
