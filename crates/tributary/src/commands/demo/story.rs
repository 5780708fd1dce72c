//! What the stories need of a broker: its settings, its maps, its clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mock_providers::{Federation, SourceFacts, Story, stories};
use tributary_broker::MapError;
use tributary_broker::Maps;
use tributary_model::{Capability, NhsNumber, OdsCode, Section, SectionSet, SourceId, SourceKind};
use tributary_sources::{Protocol, Route, ServiceRoot, SourceEntry};

use tributary_settings::{AuditSettings, DemoPatient, DemoSettings, ServerSettings, Settings};

/// The code maps that the stories are told with.
const MAPS: &[(&str, &str)] = &[
    ("dmd-history", include_str!("../../../../../config/maps/dmd-history.csv")),
    ("vmp-to-vtm", include_str!("../../../../../config/maps/vmp-to-vtm.csv")),
    ("allergen-agent", include_str!("../../../../../config/maps/allergen-agent.csv")),
    ("dmd-amp-to-vmp", include_str!("../../../../../config/maps/dmd-amp-to-vmp.csv")),
    ("bp-panel", include_str!("../../../../../config/maps/bp-panel.csv")),
    ("neg-allergy", include_str!("../../../../../config/maps/neg-allergy.csv")),
];

/// The sections that are asked for in a story; all of them unless it names some.
pub(super) fn sections(story: &Story) -> SectionSet {
    story.sections.iter().filter_map(|code| Section::from_code(code)).collect()
}

/// The story of a patient.
pub(crate) fn of(patient: NhsNumber) -> Option<&'static Story> {
    stories().iter().find(|story| story.nhs_number == patient.expose())
}

pub(crate) fn maps() -> Result<Maps, MapError> {
    let mut maps = Maps::default();
    for (name, csv) in MAPS {
        maps.load(name, csv)?;
    }
    Ok(maps)
}

/// The settings of a broker that asks these sources.
pub(crate) fn settings(federation: &Federation, audit_dir: PathBuf) -> Settings {
    let patients = stories().iter().filter_map(patient).collect();
    Settings {
        audit: AuditSettings { dir: audit_dir, ..AuditSettings::default() },
        // What a mock says of itself that cannot be registered drops out; a test counts them.
        sources: federation.source_facts().iter().filter_map(|facts| entry(federation, facts)).collect(),
        demo: Some(DemoSettings { as_of: None, role: None, patients, is_by_command: true }),
        // Nobody stands before a demo who would have to learn that it ends.
        server: ServerSettings { lame_duck: Duration::ZERO, ..ServerSettings::default() },
        ..Settings::default()
    }
}

fn patient(story: &Story) -> Option<DemoPatient> {
    let sources = story.sources.iter().map(|id| SourceId::parse(id));
    Some(DemoPatient {
        nhs_number: NhsNumber::parse(&story.nhs_number).ok()?,
        title: story.title.clone(),
        sources: Some(sources.collect::<Result<_, _>>().ok()?),
    })
}

fn entry(federation: &Federation, facts: &SourceFacts) -> Option<SourceEntry> {
    let protocol = Protocol::from_code(facts.protocol)?;
    Some(SourceEntry {
        name: facts.name.to_owned(),
        kind: SourceKind::from_code(facts.kind)?,
        protocol,
        ods: OdsCode::parse(facts.ods).ok(),
        asid: facts.asid.map(ToOwned::to_owned),
        sections: Some(facts.sections.iter().filter_map(|code| Section::from_code(code)).collect()),
        owns: facts.owns.iter().map(|prefix| (*prefix).to_owned()).collect(),
        rank: facts.rank,
        id: SourceId::parse(facts.id).ok()?,
        base_url: ServiceRoot::parse(&facts.base_url).ok()?,
        more_roots: more_roots(federation, facts, protocol),
        route: Route::Direct,
        tls: None,
        timeout: Duration::from_secs(4),
        cache_ttl: None,
        max_body_bytes: 16 << 20,
        max_in_flight: 32,
        sends_deadline: false,
    })
}

/// Where a mock GP system offers documents, and tells who is who.
fn more_roots(
    federation: &Federation,
    facts: &SourceFacts,
    protocol: Protocol,
) -> BTreeMap<Capability, ServiceRoot> {
    let provider = federation.provider(facts.id).filter(|_| protocol == Protocol::GpConnectStructured);
    let root = |capability| Some((capability, ServiceRoot::parse(&provider?.root(capability)).ok()?));
    [Capability::Documents, Capability::Foundations].into_iter().filter_map(root).collect()
}

#[cfg(test)]
mod tests {
    use mock_providers::{FederationOptions, start_story_federation};

    use super::*;

    #[test]
    fn the_maps_of_the_stories_load() {
        let maps = maps().unwrap();
        assert!(MAPS.iter().all(|(name, _)| maps.has(name)));
    }

    #[tokio::test]
    async fn every_mock_and_every_patient_is_registered() {
        let federation = start_story_federation(FederationOptions::default()).await.unwrap();
        let settings = settings(&federation, PathBuf::new());
        assert_eq!(settings.sources.len(), federation.source_facts().len());
        assert_eq!(settings.demo.clone().unwrap_or_default().patients.len(), stories().len());
        assert_eq!(settings.obstacles(), []);
        for patient in settings.demo.unwrap_or_default().patients {
            assert!(of(patient.nhs_number).is_some());
        }
    }
}
