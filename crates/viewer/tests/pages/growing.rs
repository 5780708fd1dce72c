//! A page in pieces is the page in one piece.

use std::collections::BTreeMap;

use tributary_merge::AllergyLabel;
use tributary_merge::view::{Era, RecordView};
use tributary_model::{Role, Section, SectionState, SourceStatus};
use tributary_viewer::{Ending, Growing};

use crate::kit::{conflict, full, line, page, reader, source, told};

/// What a script makes of a body: the last content of each place.
fn placed(body: &str) -> BTreeMap<String, String> {
    let mut places = BTreeMap::new();
    for part in body.split(" data-place=\"").skip(1) {
        let (id, rest) = part.split_once("\">").unwrap();
        let (content, _) = rest.split_once("</template>").unwrap();
        places.insert(id.to_owned(), content.to_owned());
    }
    places
}

fn states() -> Vec<RecordView> {
    let mut waiting = full();
    waiting.sources = vec![source("gp", "Riverside Surgery", SourceStatus::Timeout, SectionState::Pending)];
    waiting.allergy_label = AllergyLabel::Checking;
    for section in &mut waiting.sections {
        section.lines.clear();
        section.state = SectionState::Pending;
        section.notices = vec!["Riverside Surgery has not answered yet.".to_owned()];
    }
    let mut more = full();
    more.sections[0].lines.push(line(77, "For CPR", Era::Current));
    more.discrepancies = vec![conflict("cpr-recommendation", Vec::new(), Some(Section::Plans))];
    vec![waiting, full(), more]
}

#[test]
fn the_pieces_put_together_are_the_whole_page() {
    let reader = reader(Role::Ambulance);
    let states = states();
    let mut growing = Growing::default();
    let mut body = told(&growing.begin(&page(&states[0], &reader)));
    assert!(!body.contains("</body>") && !body.contains("data-end"));
    assert!(body.contains("Riverside Surgery: checking"));
    for (index, state) in states.iter().enumerate().skip(1) {
        let ending = if index + 1 == states.len() { Ending::Last } else { Ending::More };
        body.push_str(&growing.advance(&page(state, &reader), ending));
    }
    assert!(body.ends_with("<i hidden data-end></i>\n</body>\n</html>\n"));
    let whole = tributary_viewer::record(&page(&states[2], &reader));
    let placed = placed(&body);
    assert!(placed.contains_key("s-plans") && placed.contains_key("strip"));
    for (id, content) in placed {
        assert!(whole.contains(&content), "{id} is not what the whole page says");
    }
}

#[test]
fn who_it_is_is_not_called_unrecorded_before_everybody_was_heard() {
    let reader = reader(Role::Ambulance);
    let [mut waiting, mut heard, _] = <[RecordView; 3]>::try_from(states()).unwrap();
    for view in [&mut waiting, &mut heard] {
        let patient = &mut view.patient;
        for told in [&mut patient.name, &mut patient.born, &mut patient.gender, &mut patient.phone] {
            told.clear();
        }
    }
    let mut growing = Growing::default();
    let first = told(&growing.begin(&page(&waiting, &reader)));
    assert!(
        first.contains("<h1 class=\"name\">Checking the name</h1>") && first.contains("<dd>Checking</dd>")
    );
    assert!(!first.contains("ot recorded"), "{first}");
    let last = growing.advance(&page(&heard, &reader), Ending::Last);
    assert!(
        last.contains("<h1 class=\"name\">Name not recorded</h1>") && last.contains("<dd>Not recorded</dd>")
    );
}

#[test]
fn what_did_not_change_is_not_sent_again() {
    let reader = reader(Role::Ambulance);
    let states = states();
    let mut growing = Growing::default();
    let _shell = growing.begin(&page(&states[1], &reader));
    assert_eq!(growing.advance(&page(&states[1], &reader), Ending::More), "");
    let piece = growing.advance(&page(&states[2], &reader), Ending::More);
    assert_eq!(placed(&piece).keys().map(String::as_str).collect::<Vec<_>>(), ["s-plans"]);
}

#[test]
fn who_turns_out_to_have_died_is_shown_so_on_the_screen_and_on_paper() {
    let reader = reader(Role::Ambulance);
    let living = full();
    let mut dead = full();
    dead.patient.died = "03-Mar-2026".to_owned();
    let mut growing = Growing::default();
    let shell = told(&growing.begin(&page(&living, &reader)));
    assert!(shell.contains("class=\"banner\"") && !shell.contains("deceased"));
    let piece = growing.advance(&page(&dead, &reader), Ending::More);
    assert!(piece.contains("<template data-look=\"banner deceased\" data-place=\"banner\">"), "{piece}");
    let parts = placed(&piece);
    assert!(parts["banner"].contains("Died") && parts["sheet"].contains("Died 03-Mar-2026"));
    // The whole page says the same.
    let whole = tributary_viewer::record(&page(&dead, &reader));
    assert!(whole.contains("class=\"banner deceased\"") && whole.contains(&parts["sheet"]));
    // And back, where another source's word is what holds.
    let piece = growing.advance(&page(&living, &reader), Ending::More);
    assert!(piece.contains("data-look=\"banner\""), "{piece}");
}

#[test]
fn an_answer_that_is_no_record_takes_every_statement_away() {
    let reader = reader(Role::Ambulance);
    let states = states();
    let mut growing = Growing::default();
    let _shell = growing.begin(&page(&states[1], &reader));
    let mut nothing = states[0].clone();
    nothing.sections.clear();
    let mut page = page(&nothing, &reader);
    page.without = Some("No source could be used.");
    let placed = placed(&growing.advance(&page, Ending::Last));
    assert!(placed["alert"].contains("No source could be used."));
    for section in Section::ALL {
        assert_eq!(placed[&format!("s-{}", section.code())], "");
    }
}
