//! The sources of the stories, all running at once.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::Serialize;
use tributary_model::{Clock, SystemClock};

use crate::control;
use crate::fhir::FhirSystem;
use crate::gp::{GpIdentity, GpSystem, ListIds, Practice, SpecLevel};
use crate::outcome::Dialect;
use crate::provider::{ProviderHandle, Scene, Setup};
use crate::story::{Story, stories};

/// Whether something that the stories say is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Played {
    /// As the story says.
    #[default]
    AsWritten,
    /// Not at all.
    Off,
}

/// How the story federation is started. The default is what the demo wants.
#[derive(Clone, Debug)]
pub struct FederationOptions {
    /// Move every date as if the stories happened on this day; absent means the day they are written for.
    pub as_of: Option<Date>,
    /// The delays of the stories.
    pub delays: Played,
    /// The faults of the stories.
    pub faults: Played,
    /// Whether GP Lists are sent with the ids of the files.
    pub list_ids: ListIds,
    /// The port of the first provider, the others follow; absent means any free ports.
    pub base_port: Option<u16>,
    /// Where the control port listens; absent means a free loopback port.
    pub control: Option<SocketAddr>,
    /// What the providers take the time to be, for tokens and search dates.
    pub clock: Arc<dyn Clock>,
}

impl Default for FederationOptions {
    fn default() -> Self {
        Self {
            as_of: None,
            delays: Played::AsWritten,
            faults: Played::AsWritten,
            list_ids: ListIds::Omitted,
            base_port: None,
            control: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// What a broker's registry needs to know of a provider.
#[derive(Clone, Debug, Serialize)]
pub struct SourceFacts {
    /// `gp`, `acute-a`, …
    pub id: &'static str,
    /// The name people know it by.
    pub name: &'static str,
    /// `gp`, `acute` or `community`.
    pub kind: &'static str,
    /// `gpconnect-structured`, `fhir-r4` or `fhir-stu3`.
    pub protocol: &'static str,
    /// Its organisation code.
    pub ods: &'static str,
    /// Its Spine address, if it has one.
    pub asid: Option<&'static str>,
    /// Its service root.
    pub base_url: String,
    /// Its place in the order of sources.
    pub rank: u32,
    /// The sections it can answer.
    pub sections: &'static [&'static str],
    /// The identifier systems it is the author of.
    pub owns: &'static [&'static str],
}

/// Providers that run, and the port that controls them.
#[derive(Debug)]
pub struct Federation {
    providers: Vec<ProviderHandle>,
    facts: Vec<SourceFacts>,
    control: control::ControlPort,
}

impl Federation {
    /// Every provider, in rank order.
    pub fn providers(&self) -> &[ProviderHandle] {
        &self.providers
    }

    /// One provider by its id.
    pub fn provider(&self, id: &str) -> Option<&ProviderHandle> {
        self.providers.iter().find(|one| one.id == id)
    }

    /// What a registry needs to know, in rank order.
    pub fn source_facts(&self) -> &[SourceFacts] {
        &self.facts
    }

    /// Where the control port listens.
    pub fn control_address(&self) -> SocketAddr {
        self.control.address
    }

    /// Ends every fault that was set and forgets every ask.
    pub fn reset(&self) -> io::Result<()> {
        for provider in &self.providers {
            provider.clear_asks();
            provider.set_delay(Duration::ZERO);
            provider.clear_fault()?;
        }
        Ok(())
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        self.providers.iter().for_each(ProviderHandle::stop);
    }
}

/// Starts `gp`, `acute-a`, `specialist`, `walkin` and `community` with every story patient, each known
/// only where the story says, and the control port.
pub async fn start_story_federation(options: FederationOptions) -> io::Result<Federation> {
    let mut providers = Vec::new();
    let mut facts = Vec::new();
    for (offset, mut source) in (0_u16..).zip(sources()) {
        let port = options.base_port.map_or(0, |base| base.saturating_add(offset));
        let provider = start(&source, port, &options)?;
        source.base_url.clone_from(&provider.base_url);
        providers.push(provider);
        facts.push(source);
    }
    let control = control::start(options.control, providers.clone()).await?;
    Ok(Federation { providers, facts, control })
}

fn start(source: &SourceFacts, port: u16, options: &FederationOptions) -> io::Result<ProviderHandle> {
    let mut records = BTreeMap::new();
    let mut scenes = BTreeMap::new();
    for story in stories().iter().filter(|story| story.sources.iter().any(|id| id == source.id)) {
        let day = options.as_of.unwrap_or_else(|| story.day());
        records.insert(story.nhs_number.clone(), story.resources(source.id, day)?);
        scenes.insert(story.nhs_number.clone(), scene(story, source.id, options));
    }
    let id = source.id.to_owned();
    if source.protocol == "gpconnect-structured" {
        let asid = source.asid.unwrap_or_default().to_owned();
        let identity = GpIdentity { ods: source.ods.to_owned(), asid, clock: Arc::clone(&options.clock) };
        let practice = Practice::of_records(records, options.list_ids);
        let setup = Setup::of_practice(id, &identity, port, scenes);
        let level = SpecLevel::default();
        let system = GpSystem { identity, level, disabled: Vec::new(), practice };
        return ProviderHandle::start(setup, Box::new(system));
    }
    let dialect = if source.protocol == "fhir-r4" { Dialect::R4 } else { Dialect::Stu3 };
    let root = FhirSystem::root(dialect).to_owned();
    let setup = Setup { id, root, roots: BTreeMap::new(), port, scenes };
    ProviderHandle::start(setup, Box::new(FhirSystem::new(dialect, records)))
}

fn scene(story: &Story, source: &str, options: &FederationOptions) -> Scene {
    let delay = match options.delays {
        Played::AsWritten => story.delays_ms.get(source).copied().unwrap_or_default(),
        Played::Off => 0,
    };
    let fault = match options.faults {
        Played::AsWritten => story.faults.get(source).cloned(),
        Played::Off => None,
    };
    Scene::new(Duration::from_millis(delay), fault)
}

const GP_SECTIONS: &[&str] = &[
    "allergies",
    "medications",
    "problems",
    "encounters",
    "uncategorised",
    "plans",
    "immunisations",
    "results",
    "reports",
    "referrals",
    "diary",
];

fn sources() -> [SourceFacts; 5] {
    let hospital = SourceFacts {
        id: "acute-a",
        name: "Mersey Royal Hospital",
        kind: "acute",
        protocol: "fhir-r4",
        ods: "RZ901",
        asid: None,
        base_url: String::new(),
        rank: 2,
        sections: &["plans", "allergies", "medications", "problems", "encounters"],
        owns: &[],
    };
    [
        SourceFacts {
            id: "gp",
            name: "Riverside Surgery",
            kind: "gp",
            protocol: "gpconnect-structured",
            ods: "A99901",
            asid: Some("200000000205"),
            rank: 1,
            sections: GP_SECTIONS,
            owns: &["https://gp.example/"],
            ..hospital.clone()
        },
        hospital.clone(),
        SourceFacts {
            id: "specialist",
            name: "Mersey Specialist Cancer Centre",
            ods: "RZ902",
            rank: 3,
            sections: &["plans", "flags", "medications", "problems"],
            ..hospital.clone()
        },
        SourceFacts {
            id: "walkin",
            name: "Wirral Walk-in Centre",
            kind: "community",
            ods: "RZ903",
            rank: 4,
            sections: &["encounters"],
            ..hospital.clone()
        },
        SourceFacts {
            id: "community",
            name: "Mersey Community Trust",
            kind: "community",
            protocol: "fhir-stu3",
            ods: "RZ904",
            rank: 5,
            sections: &["allergies", "medications", "problems", "encounters", "flags", "socialcare"],
            ..hospital
        },
    ]
}
