//! The tour: five invented patients, a role to try on, a source to unplug, and what is behind it all.

mod caption;
mod page;
mod steps;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;

use mock_providers::{Fault, Federation, ProviderHandle, stories};
use tributary_broker::Broker;
use tributary_client::Client;
use tributary_ledger::report::Names;
use tributary_model::{NhsNumber, Role};
use tributary_server::{Guide, Tour, TourAsk, TourForm, TourReply};

use super::story;
use crate::running::Running;
use page::{button, caption, escaped};

/// Everything that the steps look at.
#[derive(Clone)]
struct Walk {
    broker: Broker,
    client: Client,
    providers: Vec<ProviderHandle>,
    /// What people call each source.
    names: Vec<(String, String)>,
    audit_names: Names,
    audit_dir: PathBuf,
    data: SocketAddr,
    admin: SocketAddr,
}

/// From now on the broker has a tour.
pub(super) fn lead(running: &Running, federation: &Federation, client: Client) {
    let facts = federation.source_facts();
    let walk = Walk {
        broker: running.broker.clone(),
        client,
        providers: federation.providers().to_vec(),
        names: facts.iter().map(|facts| (facts.id.to_owned(), facts.name.to_owned())).collect(),
        audit_names: crate::looked::names(&running.settings, Some(&running.policy)),
        audit_dir: running.settings.audit.dir.clone(),
        data: running.data_addr(),
        admin: running.admin_addr(),
    };
    let edge = running.edge(&running.settings, running.callers.clone());
    let edge = tributary_server::Settings { tour: Some(Tour::led_by(walk)), ..edge };
    running.front.swap(running.broker.clone(), edge);
}

impl Guide for Walk {
    fn tell(&self, ask: TourAsk) -> Pin<Box<dyn Future<Output = TourReply> + Send>> {
        let walk = self.clone();
        Box::pin(async move { walk.step(ask).await })
    }

    fn role_of(&self, patient: NhsNumber) -> Option<Role> {
        Role::from_code(&story::of(patient)?.role)
    }

    fn bar(&self, patient: NhsNumber, role: Role) -> String {
        steps::bar(self, patient, role)
    }
}

impl Walk {
    async fn step(&self, ask: TourAsk) -> TourReply {
        match (ask.step.as_str(), ask.form) {
            ("", None) => TourReply::Page(steps::first()),
            ("tour.css", None) => TourReply::Style(page::STYLE),
            ("tour.js", None) => TourReply::Script(page::SCRIPT),
            ("ops", None) => TourReply::Page(steps::ops(self)),
            ("unplug", Some(form)) => self.plugged(&form, true),
            ("plug", Some(form)) => self.plugged(&form, false),
            ("looked", Some(TourForm { patient: Some(patient), role, .. })) => {
                TourReply::Page(steps::looked(self, patient, role).await)
            }
            ("fhir", Some(TourForm { patient: Some(patient), role, .. })) => {
                TourReply::Page(steps::bundle(self, patient, role).await)
            }
            _ => TourReply::Unknown,
        }
    }

    /// Takes a source off its line, or puts it back, and shows the record again.
    fn plugged(&self, form: &TourForm, off: bool) -> TourReply {
        let named = self.providers.iter().find(|one| form.source.as_deref() == Some(one.id.as_str()));
        let Some(provider) = named else { return TourReply::Unknown };
        if off {
            provider.set_fault(Fault::Refuse);
        } else if provider.clear_fault().is_err() {
            return TourReply::Page(page::page(
                "It could not be plugged in again",
                "<p>Its port was taken by another program. Stop the demo and start it again.</p>\n",
            ));
        }
        TourReply::Record
    }

    fn is_unplugged(&self, source: &str) -> bool {
        let provider = self.providers.iter().find(|one| one.id == source);
        provider.is_some_and(|one| one.faults().iter().any(|rule| rule.fault == Fault::Refuse))
    }

    fn name<'w>(&'w self, source: &'w str) -> &'w str {
        self.names.iter().find(|(id, _)| id == source).map_or(source, |(_, name)| name)
    }
}

/// What a role is called.
const fn called(role: Role) -> &'static str {
    match role {
        Role::Demo => "demo visitor (sees everything)",
        Role::Ambulance => "ambulance crew",
        Role::CallHandler => "NHS 111 call handler",
        Role::UcrClinician => "urgent community response clinician",
        Role::CommunityNurse => "community nurse",
        Role::Gp => "general practice clinician",
        Role::Pharmacist => "pharmacist",
        Role::CareManager => "care home manager",
        Role::SocialWorker => "social worker",
        Role::HomeCarer => "home carer",
        Role::Patient => "the patient",
        Role::InformationGovernance => "information governance",
    }
}

/// The choice of a role; `chosen` is what it begins with.
fn roles(id: &str, chosen: Option<Role>) -> String {
    let option = |role: &Role| {
        let selected = if chosen == Some(*role) { " selected" } else { "" };
        ["<option value=\"", role.code(), "\"", selected, ">", called(*role), "</option>"].concat()
    };
    let options: Vec<String> = Role::ALL.iter().map(option).collect();
    let options = options.concat();
    let as_told = if chosen.is_none() { "<option value=\"\" selected>as in the story</option>" } else { "" };
    format!(
        "<label for=\"{id}\">Look as</label>\n<select id=\"{id}\" name=\"role\">{as_told}{options}</select>\n"
    )
}
