//! A locator that needs nobody: the expected sources are configured.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tributary_model::{NhsNumber, SourceId, SourceKind};

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

    /// The boxed service.
    pub fn into_locator(self) -> Locator {
        let lists = Arc::new(self);
        BoxCloneSyncService::new(service_fn(move |patient: NhsNumber| {
            let list = lists.by_patient.get(&patient).unwrap_or(&lists.expected);
            std::future::ready(Ok(list.clone()))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_patient_has_their_own_list_or_the_common_one() {
        let ids = ["acute-1", "gp-1"].map(|id| SourceId::parse(id).unwrap());
        let [one, two] = ["9990000107", "9990000204"].map(|number| NhsNumber::parse(number).unwrap());
        let locator =
            Fixed { expected: ids.to_vec(), by_patient: BTreeMap::from([(one, vec![ids[1].clone()])]) }
                .into_locator();
        assert_eq!(locator.clone().oneshot(one).await.unwrap(), ids[1..]);
        assert_eq!(locator.oneshot(two).await.unwrap(), ids);
    }
}
