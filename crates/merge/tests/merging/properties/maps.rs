//! Property 13: maps only ever join lines.
//!
//! `neg-allergy` is not among them: it says what a code means, not which codes are one. Without it such an entry
//! counts as an allergy, so its absence is on the safe side.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tributary_merge::Maps;

use crate::properties::cases;
use crate::properties::drawn::all_told;
use crate::properties::stage::{lines, origins, scan, stage};

fn maps(chosen: u8) -> Maps {
    let tables = [
        ("dmd-history", "319734006,42217611000001104,test,2026\n"),
        ("dmd-amp-to-vmp", "9,319734006,test,2026\n10,319734006,test,2026\n"),
        ("vmp-to-vtm", "42217611000001104,48603004,test,2026\n"),
        ("allergen-agent", "91936005,890458001,test,2026\n"),
    ];
    let mut maps = Maps::default();
    for (_, (name, rows)) in tables.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1) {
        let csv = format!("from,to,source,release\n{rows}");
        maps.load(name, &csv).expect("a table");
    }
    maps
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn maps_only_join_lines(told in all_told(1..=4), chosen in 1_u8..16) {
        let without = stage(&told);
        let mut with = stage(&told);
        with.maps = maps(chosen);
        let statements = |stage| -> BTreeSet<String> { origins(&scan(&crate::kit::Federation::merged(stage).to_r4())).into_iter().collect() };
        prop_assert_eq!(statements(&with), statements(&without));
        prop_assert_eq!(with.merged().allergy_label(), without.merged().allergy_label());
        let joined = lines(&with);
        for line in lines(&without) {
            // A request may hang beneath its statement once both are known to be one product.
            let together = joined.iter().filter(|other| !other.is_disjoint(&line)).count();
            prop_assert!(together <= 1, "{line:?} was taken apart");
        }
    }
}
