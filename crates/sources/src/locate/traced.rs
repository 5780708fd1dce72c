//! A locator that asks the national demographics service with which practice the patient is registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tributary_model::demographics::DeathNotice;
use tributary_model::{
    Barred, Expected, FaultClass, Locate, LocateFault, Located, OdsCode, PatientNote, Practice, SourceId,
    SourceKind,
};

use super::{Fixed, Locator};
use crate::national::pds::{self, Access, Patient, Pds, Registration};
use crate::national::practice::{Names, PracticeSource, PracticeTemplate, Practices};
use crate::registry::SourceEntry;

/// Expects the practice that the patient is registered with, and every other source as configured.
#[derive(Debug)]
pub struct Traced {
    pds: Pds,
    /// Who is expected besides the practice.
    others: Fixed,
    /// The registered sources of practices.
    registered: BTreeMap<OdsCode, SourceId>,
    practices: Option<Practices>,
    /// What is said of a practice that nobody can ask.
    stand_in: PracticeTemplate,
    names: Names,
}

impl Traced {
    /// A locator over these entries. `configured` says whom to expect; what it says of GP sources does not count.
    /// `practices` are those without an entry; without them, such a practice is reported and not asked.
    pub fn new(pds: Pds, entries: &[SourceEntry], configured: Fixed, practices: Option<Practices>) -> Self {
        let gps = entries.iter().filter(|entry| entry.kind == SourceKind::Gp);
        let ids: Vec<_> = gps.clone().map(|entry| &entry.id).collect();
        let stand_in =
            practices.as_ref().map_or_else(PracticeTemplate::default, |one| one.template().clone());
        Self {
            pds,
            others: configured.without(&ids),
            registered: gps.filter_map(|entry| Some((entry.ods.clone()?, entry.id.clone()))).collect(),
            practices,
            stand_in,
            names: Names::beside(entries.iter().map(|entry| entry.id.clone())),
        }
    }

    /// The boxed service.
    pub fn into_locator(self) -> Locator {
        let locator = Arc::new(self);
        BoxCloneSyncService::new(service_fn(move |ask: Locate| {
            let locator = Arc::clone(&locator);
            async move { locator.locate(ask).await }
        }))
    }

    async fn locate(&self, ask: Locate) -> Result<Located<PracticeSource>, LocateFault> {
        let found = match self.pds.read(&ask).await {
            Ok(pds::Traced::Found(found)) => found,
            Ok(pds::Traced::Unknown) => return Err(LocateFault::Barred(Barred::UnknownNumber)),
            Ok(pds::Traced::Invalidated) => return Err(LocateFault::Barred(Barred::InvalidatedNumber)),
            Err(fault) => {
                tracing::warn!(fault.kind = %fault, "the patient could not be traced");
                let unlocated = self.silent(None, FaultClass::Unlocated);
                return Ok(self.located(&ask, unlocated, Practice::Unknown));
            }
        };
        if let Some(why) = bar(&found) {
            return Err(LocateFault::Barred(why));
        }
        let notes = notes(&found, &ask);
        let now = Locate { patient: found.number, ..ask };
        let located = match found.registration {
            Registration::At(ods) => self.located(&now, self.source_of(&ods), Practice::At(ods)),
            Registration::Ended | Registration::None => {
                self.located(&now, self.silent(None, FaultClass::NoPractice), Practice::None)
            }
        };
        Ok(Located { notes, demographics: Some(found.person), ..located })
    }

    fn source_of(&self, ods: &OdsCode) -> Expected<PracticeSource> {
        match (self.registered.get(ods), &self.practices) {
            (Some(id), _) => Expected::Registered(id.clone()),
            (None, Some(practices)) => Expected::Found(practices.source(ods)),
            (None, None) => self.silent(Some(ods.clone()), FaultClass::PracticeNotServed),
        }
    }

    fn silent(&self, ods: Option<OdsCode>, why: FaultClass) -> Expected<PracticeSource> {
        Expected::Found(PracticeSource::silent(&self.names, ods, &self.stand_in, why))
    }

    fn located(
        &self,
        ask: &Locate,
        gp: Expected<PracticeSource>,
        practice: Practice,
    ) -> Located<PracticeSource> {
        let others = self.others.expected_for(ask.patient).iter().cloned().map(Expected::Registered);
        let expected = std::iter::once(gp).chain(others).collect();
        Located { patient: ask.patient, expected, practice, notes: Vec::new(), demographics: None }
    }
}

/// Why nobody may be asked. Where a restricted patient is must not even be looked for.
fn bar(found: &Patient) -> Option<Barred> {
    match found.access {
        Access::Restricted | Access::VeryRestricted => Some(Barred::Restricted),
        Access::Unrestricted if !found.verified => Some(Barred::UnverifiedNumber),
        Access::Unrestricted => None,
    }
}

fn notes(found: &Patient, ask: &Locate) -> Vec<PatientNote> {
    let superseded = (found.number != ask.patient).then_some(PatientNote::Superseded);
    let dead = found.person.death.as_ref().map(|death| match death.expose().notice {
        DeathNotice::Formal => PatientNote::Deceased,
        DeathNotice::Informal => PatientNote::DeceasedInformally,
    });
    let unchecked = found.person.birth_date.is_none().then_some(PatientNote::NoBirthDate);
    superseded.into_iter().chain(dead).chain(unchecked).collect()
}
