//! The practice of the GP Connect provider test suite: its patients, in the states that the suite expects.

mod chart;
mod directory;
mod people;
mod records;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use tributary_model::{Clock, SystemClock};

use crate::gp::{GpIdentity, GpPatient, GpRecord, GpSystem, ListIds, Practice, SpecLevel};
use crate::provider::{ProviderHandle, Setup};
use crate::store::Resource;
use chart::Chart;

pub use people::{SuitePatient, suite_patients};

/// The organisation code of the suite practice.
pub const SUITE_ODS: &str = "B82617";
/// The Spine address of the suite practice.
pub const SUITE_ASID: &str = "918999198738";

/// How the suite practice is started.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// The id of the provider.
    pub id: String,
    /// Its port; 0 for any free one.
    pub port: u16,
    /// The release it keeps to.
    pub level: SpecLevel,
    /// Areas that are switched off, by their parameters: `includeReferrals`, …
    pub disabled: Vec<String>,
    /// What it takes the time to be. Its records are written for the day it is started on.
    pub clock: Arc<dyn Clock>,
}

impl Default for SuiteOptions {
    fn default() -> Self {
        Self {
            id: "suite".to_owned(),
            port: 0,
            level: SpecLevel::default(),
            disabled: Vec::new(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Starts the suite practice: three service roots on one port.
pub async fn start_suite_practice(options: SuiteOptions) -> io::Result<ProviderHandle> {
    let today = options.clock.now().to_zoned(TimeZone::UTC).date();
    let practice = tokio::task::spawn_blocking(move || practice(today)).await.map_err(io::Error::other)?;
    let identity =
        GpIdentity { ods: SUITE_ODS.to_owned(), asid: SUITE_ASID.to_owned(), clock: options.clock };
    let setup = Setup::of_practice(options.id, &identity, options.port, BTreeMap::new());
    let system = GpSystem { identity, level: options.level, disabled: options.disabled, practice };
    ProviderHandle::start(setup, Box::new(system))
}

fn practice(today: Date) -> Practice {
    let directory: Vec<Resource> = directory::directory().into_iter().map(Resource::of).collect();
    let patients = suite_patients().iter().map(|person| {
        let mut chart = Chart::new(person.id, today, records::REGISTERED);
        records::write(person.name, &mut chart);
        let registered = chart.day(records::REGISTERED);
        let died = chart.day(records::DIED);
        let patient = Resource::of(people::patient(person, &registered, &died));
        let (clinical, documents) = chart.finish();
        let resources: Vec<Resource> = std::iter::once(patient.clone()).chain(clinical).collect();
        let record = GpRecord::new(with_people(resources, &directory), ListIds::Omitted);
        let standing = person.standing;
        (person.nhs_number.to_owned(), GpPatient { standing, patient, record, documents })
    });
    Practice::new(patients.collect(), directory.clone())
}

/// The record with the people and places it names, and the roles of these people.
fn with_people(mut resources: Vec<Resource>, directory: &[Resource]) -> Vec<Resource> {
    let named = |one: &Resource| {
        let reference = Value::from(one.reference()).to_string();
        resources.iter().any(|resource| resource.text.contains(&reference))
    };
    let mut people: Vec<Resource> = directory.iter().filter(|one| named(one)).cloned().collect();
    let roles: Vec<Resource> = directory
        .iter()
        .filter(|one| one.kind == "PractitionerRole")
        .filter(|role| people.iter().any(|one| role.references().contains(&one.reference().as_str())))
        .cloned()
        .collect();
    people.extend(roles);
    resources.extend(people);
    resources
}
