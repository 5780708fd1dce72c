//! What each step of the tour shows: the rule, and the test that holds it.

/// A rule of this product, and where it is proved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caption {
    /// The rule, in a sentence.
    pub(super) rule: &'static str,
    /// The file of the test, from the root of the repository.
    pub(super) file: &'static str,
    /// The test.
    pub(super) test: &'static str,
}

pub(super) const STORIES: Caption = Caption {
    rule: "Where records disagree, both stand side by side; no source is decided to be right.",
    file: "tests/story.rs",
    test: "every_scenario_line_by_line",
};

pub(super) const ROLE: Caption = Caption {
    rule: "What a role may not see is nowhere it can look, and the page says that it is not shown.",
    file: "tests/policy.rs",
    test: "what_a_role_may_not_see_is_nowhere_it_can_look",
};

pub(super) const UNPLUG: Caption = Caption {
    rule: "A source that does not answer is named, and its silence never reads as nothing known.",
    file: "tests/faults.rs",
    test: "a_faulty_gp_is_named_and_the_others_are_shown",
};

pub(super) const LOOKED: Caption = Caption {
    rule: "Nobody is shown a record, or this list, before it is on record that they were.",
    file: "tests/looked.rs",
    test: "whoever_reads_is_on_record_before_anything_is_told",
};

pub(super) const FHIR: Caption = Caption {
    rule: "Everything that a source sent is in the bundle once, and unchanged.",
    file: "tests/story.rs",
    test: "every_entry_of_the_story_is_there_once",
};

pub(super) const OPS: Caption = Caption {
    rule: "Operators see which source is failing, and nothing of any patient.",
    file: "tests/canary.rs",
    test: "nothing_of_a_patient_leaves_by_a_side_door",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_that_is_named_exists() {
        for Caption { rule, file, test } in [STORIES, ROLE, UNPLUG, LOOKED, FHIR, OPS] {
            let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let at = source.find(&format!("fn {test}()")).unwrap_or_default();
            let before = source.get(..at).unwrap_or_default().trim_end();
            let is_test =
                before.lines().rev().take(2).any(|line| line.starts_with("#[") && line.contains("test"));
            assert!(is_test, "{rule} {file} has no test {test}");
        }
    }
}
