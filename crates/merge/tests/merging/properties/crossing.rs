//! Property 8: no reference of one source leads to another one's entry.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tributary_fhir::bundle::type_of;

use crate::properties::cases;
use crate::properties::drawn::all_told;
use crate::properties::stage::{entries, origin, references, scan, stage};

/// `Type/id`: such an address would attach to whoever has a resource of that name.
fn is_bare(reference: &str) -> bool {
    reference.split_once('/').is_some_and(|(kind, id)| {
        kind.starts_with(|first: char| first.is_ascii_uppercase())
            && kind.chars().all(|letter| letter.is_ascii_alphabetic())
            && !id.is_empty()
            && !id.contains(char::is_whitespace)
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn references_stay_inside_their_own_answer(told in all_told(2..=4)) {
        let stage = stage(&told);
        let bundle = scan(&stage.merged().to_r4());
        let mut homes: BTreeMap<String, String> = BTreeMap::new();
        for (url, resource) in entries(&bundle) {
            let merged_patient = type_of(resource) == "Patient";
            let home = origin(resource).map(|(source, _)| source);
            homes.insert(url, home.unwrap_or_else(|| if merged_patient { "*" } else { "ours" }.to_owned()));
        }
        for (_, resource) in entries(&bundle) {
            let Some((own, name)) = origin(resource) else { continue };
            for reference in references(resource) {
                prop_assert!(!is_bare(&reference), "{own} {name}: {reference}");
                // The scheme of a URN has no case.
                let address = reference.split('#').next().unwrap_or_default().to_lowercase();
                let leads = homes.get(&address);
                prop_assert!(leads.is_none_or(|home| *home == own || home == "*"), "{own} {name}: {reference} leads to {leads:?}");
                prop_assert!(leads.is_some() || !address.starts_with("urn:uuid:"), "{own} {name}: {reference} leads nowhere");
            }
        }
    }
}
