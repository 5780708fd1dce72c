//! A locator that needs nobody: the expected sources are configured.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tributary_model::{Expected, Locate, Located, NhsNumber, Practice, SourceId, SourceKind};

use super::Locator;
use crate::registry::Registry;

/// A fixed list of sources, with other lists for single patients.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Expected for every patient that has no list of their own.
    pub expected: Vec<SourceId>,
    /// Lists of single patients, for demonstrations and tests.
    pub by_patient: BTreeMap<NhsNumber, Vec<SourceId>>,
}

impl Fixed {
    /// Expects every registered source.
    pub fn every(registry: &Registry) -> Self {
        Self::of_kinds(registry, SourceKind::ALL)
    }

    /// Expects the registered sources of some kinds.
    pub fn of_kinds(registry: &Registry, kinds: &[SourceKind]) -> Self {
        let entries = registry.iter().map(|source| &source.entry);
        Self {
            expected: entries
                .filter(|entry| kinds.contains(&entry.kind))
                .map(|entry| entry.id.clone())
                .collect(),
            by_patient: BTreeMap::new(),
        }
    }

    /// Who is expected for a patient.
    pub(super) fn expected_for(&self, patient: NhsNumber) -> &[SourceId] {
        self.by_patient.get(&patient).unwrap_or(&self.expected)
    }

    /// The same lists without some sources.
    pub(super) fn without(mut self, ids: &[&SourceId]) -> Self {
        for list in self.by_patient.values_mut().chain(std::iter::once(&mut self.expected)) {
            list.retain(|id| !ids.contains(&id));
        }
        self
    }

    /// The boxed service.
    pub fn into_locator(self) -> Locator {
        let lists = Arc::new(self);
        BoxCloneSyncService::new(service_fn(move |ask: Locate| {
            let list = lists.expected_for(ask.patient);
            let expected = list.iter().cloned().map(Expected::Registered).collect();
            let (practice, notes) = (Practice::AsConfigured, Vec::new());
            let demographics = None;
            std::future::ready(Ok(Located { patient: ask.patient, expected, practice, notes, demographics }))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tower::ServiceExt as _;

    use crate::national::stub::question;

    #[tokio::test]
    async fn a_patient_has_their_own_list_or_the_common_one() {
        let ids = ["acute-1", "gp-1"].map(|id| SourceId::parse(id).unwrap());
        let [one, two] = ["9990000107", "9990000204"].map(|number| NhsNumber::parse(number).unwrap());
        let locator =
            Fixed { expected: ids.to_vec(), by_patient: BTreeMap::from([(one, vec![ids[1].clone()])]) }
                .into_locator();
        for (number, list) in [(one, &ids[1..]), (two, &ids[..])] {
            let located = locator.clone().oneshot(question(number.expose())).await.unwrap();
            let expected: Vec<_> = list.iter().cloned().map(Expected::Registered).collect();
            assert_eq!(located.map(|found| found.id).expected, expected);
        }
    }
}
