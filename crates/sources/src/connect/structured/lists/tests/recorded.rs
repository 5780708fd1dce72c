//! Recorded records, when the machine has them: no list is overlooked, no gap is passed over.

use super::*;

#[test]
fn recorded_lists_all_have_a_place() {
    let Some(folder) = std::env::var_os("TRIBUTARY_FIXTURES") else {
        println!("NOT RUN: TRIBUTARY_FIXTURES is not set, the lists of recorded records were not read");
        return;
    };
    let all: Vec<Section> = Section::ALL.to_vec();
    let (mut lists, mut gaps) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let document = Document::scan(std::fs::read(&file).unwrap(), &Limits::default()).unwrap();
        let Ok(bundle) = Bundle::of(&document) else { continue };
        for list in bundle.resources().filter(|one| type_of(*one) == "List") {
            let is_primary = AREAS.iter().any(|area| names::place_of(list, area).is_some());
            let (own, cause) = names::sections_of(list, SectionSet::all());
            let is_secondary = !own.is_empty() || !cause.is_empty();
            // Ended allergies stand inside their list, whatever code it has.
            let has_own = list.get("contained").is_some();
            let is_known = is_primary || is_secondary || has_own || names::is_structure(list);
            assert!(is_known, "{}", file.display());
            lists += 1;
        }
        let told = read(bundle, all.iter().copied().collect());
        let has_words = document.text().contains("items are not supported by the provider system");
        let is_told = told.notices.iter().any(|one| {
            one.kind == Kind::NotSupported && matches!(one.section, Some(S::Encounters | S::Problems))
        });
        assert!(is_told || !has_words, "{}", file.display());
        gaps += usize::from(has_words);
    }
    assert!(lists > 500 && gaps > 0, "{lists} lists, {gaps} records with words only");
    println!("{lists} recorded lists have a place, {gaps} records say what they leave out");
}
