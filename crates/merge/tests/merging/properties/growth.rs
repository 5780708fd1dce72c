//! Properties 7 and 10: more answers only ever add, and what grows ends where the whole begins.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tributary_merge::{AllergyLabel, Heard};

use crate::kit::Federation;
use crate::properties::cases;
use crate::properties::drawn::{Told, all_told};
use crate::properties::stage::{SOURCES, alike, conflicts, empty, origins, scan, stage, tell};

/// Whether every conflict of `before` is still there, about at least the same statements.
fn keeps(before: &Federation, after: &Federation) -> Result<(), TestCaseError> {
    let later = conflicts(after);
    for (rule, members) in conflicts(before) {
        let kept = later.iter().any(|(other, all)| *other == rule && members.is_subset(all));
        prop_assert!(kept, "{rule} about {members:?} is gone: {later:?}");
    }
    let names = |stage: &Federation| -> BTreeSet<String> {
        origins(&scan(&stage.merged().to_r4())).into_iter().collect()
    };
    prop_assert!(names(before).is_subset(&names(after)));
    if before.merged().allergy_label() == AllergyLabel::Known {
        prop_assert_eq!(after.merged().allergy_label(), AllergyLabel::Known);
    }
    Ok(())
}

/// A stage on which only these places have spoken; the others are still awaited.
fn partly(told: &[Told], spoken: &[usize]) -> Federation {
    let mut stage = empty();
    for (place, one) in told.iter().enumerate() {
        if spoken.contains(&place) {
            tell(&mut stage, place, one);
        } else {
            stage.hears(SOURCES[place].0, Heard::Pending);
        }
    }
    stage
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn one_more_source_takes_nothing_away(told in all_told(2..=4), left_out in 0_usize..4) {
        let whole = stage(&told);
        let mut fewer = stage(&told);
        fewer.answers.remove(left_out % told.len());
        keeps(&fewer, &whole)?;
    }

    #[test]
    fn a_growing_record_ends_where_the_whole_one_is(told in all_told(2..=4), turn in 0_usize..4, step in 0_usize..4) {
        let mut order: Vec<usize> = (0..told.len()).collect();
        order.rotate_left(turn % told.len());
        let step = step % told.len();
        let (now, next) = (partly(&told, &order[..step]), partly(&told, &order[..=step]));
        keeps(&now, &next)?;
        // Every source of the stage serves allergies, so no word about them is final while one is awaited.
        let label = now.merged().allergy_label();
        prop_assert!(matches!(label, AllergyLabel::Known | AllergyLabel::Checking), "{label:?}");
        let last = partly(&told, &order);
        alike(&last.merged().to_r4(), &stage(&told).merged().to_r4())?;
    }
}
