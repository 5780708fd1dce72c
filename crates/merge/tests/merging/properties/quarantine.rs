//! Property 9: an answer in quarantine adds not one byte.

use proptest::prelude::*;
use tributary_merge::Heard;
use tributary_model::SourceFault;

use crate::properties::cases;
use crate::properties::drawn::{Told, all_told, mixed_up};
use crate::properties::stage::{SOURCES, alike, origins, scan, stage};

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_quarantined_answer_adds_nothing(others in all_told(0..=3), wrong in mixed_up(), place in 0_usize..4) {
        let mut told = others;
        let place = place % (told.len() + 1);
        told.insert(place, wrong);
        let mixed = stage(&told);
        let record = mixed.merged();
        let source = SOURCES[place].0;
        let fault = record.statuses().find(|(id, ..)| id.as_str() == source).and_then(|(_, _, fault)| fault);
        let class = fault.expect("held back");
        // The same as if the source had sent the fault and nothing else, to the last byte.
        let mut silent = stage(&told);
        silent.answers[place].heard = Heard::Fault(SourceFault::new(class));
        alike(&record.to_r4(), &silent.merged().to_r4())?;
        alike(&format!("{:?}", record.to_view()), &format!("{:?}", silent.merged().to_view()))?;
        let own = format!("{source} ");
        prop_assert!(!origins(&scan(&record.to_r4())).iter().any(|origin| origin.starts_with(&own)));
    }

    #[test]
    fn nothing_else_is_quarantined(told in all_told(1..=4)) {
        let stage = stage(&told);
        for ((source, _, fault), told) in stage.merged().statuses().zip(&told) {
            let failed = matches!(told, Told::Failed(_));
            prop_assert_eq!(fault.is_some(), failed || told.is_wrong(), "{}: {:?}", source, fault);
        }
    }
}
