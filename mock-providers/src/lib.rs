#![doc = include_str!("../README.md")]

mod asks;
mod control;
mod distort;
mod encoding;
mod fault;
mod federation;
mod fhir;
mod gp;
mod misbehave;
mod number;
mod outcome;
mod provider;
mod replay;
mod store;
mod story;
mod suite;
mod wire;

pub use asks::AskRecord;
pub use fault::{ErrorBody, Fault, FaultRule, Lifetime};
pub use federation::{Federation, FederationOptions, Played, SourceFacts, start_story_federation};
pub use gp::{ListIds, SpecLevel, Standing};
pub use provider::ProviderHandle;
pub use replay::{NumberOrigin, ReplayOptions, ReplayPatient, start_replay};
pub use story::{Story, stories};
pub use suite::{SUITE_ASID, SUITE_ODS, SuiteOptions, SuitePatient, start_suite_practice, suite_patients};
