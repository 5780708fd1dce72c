//! What holds for any record and any reader.

use proptest::prelude::*;
use tributary_merge::view::{Era, LineView, RecordView, SectionView};
use tributary_model::{Role, Section, SectionState, SourceStatus};

use crate::kit::{line, member, record, section, source, view};

const HOSTILE: &str = "<script>x</script>\"'&</template><!--\u{202E}";

fn lines() -> impl Strategy<Value = Vec<(usize, u8, bool)>> {
    prop::collection::vec((1..4_usize, 0..6_u8, any::<bool>()), 0..5)
}

fn built(section_index: usize, wanted: &[(usize, u8, bool)]) -> Vec<LineView> {
    let classes = ["single", "repeat", "copied", "agree", "difference", "conflict"];
    let each = wanted.iter().enumerate().map(|(index, (members, class, past))| {
        let id = section_index * 1_000 + index * 10;
        let era = if *past { Era::Past } else { Era::Current };
        let title = format!("T{id} {HOSTILE}");
        let mut one = line(id, &title, era);
        one.class = classes[usize::from(*class)];
        one.members.extend((1..*members).map(|more| member(id + more, &title, Era::Current)));
        one
    });
    each.collect()
}

prop_compose! {
    fn records()(all in prop::collection::vec((lines(), 0..8_u8), Section::ALL.len()), failed in any::<bool>()) -> RecordView {
        let states = [SectionState::Content, SectionState::Empty, SectionState::Partial, SectionState::Withheld,
            SectionState::Failed, SectionState::NotAsked, SectionState::NotHeld, SectionState::Pending];
        let sections: Vec<SectionView> = all.iter().enumerate().map(|(index, (wanted, state))| {
            let mut one = section(Section::ALL[index], states[usize::from(*state)], built(index, wanted));
            if failed { one.notices.push("Nothing from Mersey Royal: it did not answer.".to_owned()); }
            one
        }).collect();
        let mut view = view(sections);
        if failed {
            view.sources.insert(0, source("acute-a", "Mersey Royal", SourceStatus::Timeout, SectionState::Failed));
        }
        view
    }
}

/// What stands inside the place of a section.
fn within(page: &str, section: Section) -> &str {
    let open = format!("<section class=\"part\" id=\"s-{}\"", section.code());
    let (_, rest) = page.split_once(&open).unwrap();
    rest.split_once("</section>").unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_is_there_once_and_no_section_is_silent(view in records(), role in 0..Role::ALL.len()) {
        let role = Role::ALL[role];
        prop_assume!(role != Role::CallHandler);
        let page = record(&view, role);
        prop_assert!(!page.contains("<script>"), "words never become markup");
        let reorders = page.contains('\u{202E}');
        prop_assert!(!reorders);
        prop_assert!(!page.contains("<script") && !page.contains("<style"), "ours stand there once");
        let names = page.matches("<li class=\"line").count();
        prop_assert_eq!(names, view.sections.iter().map(|one| one.lines.len()).sum::<usize>());
        for one in &view.sections {
            let place = within(&page, one.section);
            for line in &one.lines {
                let id = format!("id=\"{}-{}\"", one.section.code(), line.name().get(..16).unwrap());
                prop_assert_eq!(place.matches(&id).count(), 1);
            }
            let words = place.split_once("</h2>").unwrap().1.trim();
            prop_assert!(!words.is_empty(), "{} is silent", one.section.code());
            if view.sources.len() > 1 {
                prop_assert!(place.contains("Mersey Royal"), "{} does not name who failed", one.section.code());
            }
        }
    }
}
