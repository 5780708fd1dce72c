//! A record that can be bent into any shape.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tributary_merge::AllergyLabel;
use tributary_merge::view::{
    DiscrepancyView, Era, LineView, MemberView, PatientView, RecordView, SectionView, SourceRow,
    SourceStanding,
};
use tributary_model::{
    FhirDate, Role, Section, SectionState, Shown, SourceId, SourceKind, SourceStatus, Tally,
};
use tributary_viewer::{Page, Reader, STYLE, script};

pub(crate) fn now() -> Timestamp {
    "2026-03-10T02:10:00Z".parse().unwrap()
}

pub(crate) fn reader(role: Role) -> Reader {
    let (name, organisation) = ("Sam Reader".to_owned(), "Mersey Ambulance".to_owned());
    Reader { role, name, organisation, purpose: tributary_model::Purpose::DirectCare, now: now() }
}

pub(crate) fn page<'a>(view: &'a RecordView, reader: &'a Reader) -> Page<'a> {
    Page { view, reader, without: None, audit: "local-5", carry: &[], all_originals: false, looked: None }
}

pub(crate) fn record(view: &RecordView, role: Role) -> String {
    told(&whole(view, role))
}

/// The page as it is sent.
pub(crate) fn whole(view: &RecordView, role: Role) -> String {
    tributary_viewer::record(&page(view, &reader(role)))
}

/// What a page tells: all of it but the style and the script that stand in every one.
pub(crate) fn told(page: &str) -> String {
    page.replacen(&format!("<style>{STYLE}</style>"), "", 1).replacen(
        &format!("<script>{}</script>", script()),
        "",
        1,
    )
}

pub(crate) fn source(id: &str, name: &str, status: SourceStatus, state: SectionState) -> SourceRow {
    SourceRow {
        id: SourceId::parse(id).unwrap(),
        name: name.to_owned(),
        status,
        pending: state == SectionState::Pending,
        words: format!("{name} said something."),
        latency_ms: 12,
        standing: SourceStanding {
            kind: SourceKind::Gp,
            heard_at: now(),
            last_answered: Some("2026-03-09T13:58:00Z".parse().unwrap()),
            notices: Vec::new(),
            states: Section::ALL.iter().map(|section| (*section, state)).collect::<BTreeMap<_, _>>(),
        },
    }
}

pub(crate) fn member(id: usize, title: &str, era: Era) -> MemberView {
    let dated = FhirDate::parse("2026-03-02");
    MemberView {
        source: SourceId::parse("gp").unwrap(),
        source_name: "Riverside Surgery".to_owned(),
        origin: format!("Thing/{id}"),
        title: title.to_owned(),
        date: dated.map(FhirDate::display).unwrap_or_default(),
        facts: vec![if era == Era::Past { "past" } else { "current" }.to_owned()],
        copy: None,
        detail: String::new(),
        full_url: format!("urn:uuid:{id}"),
        attachments: Vec::new(),
        in_error: false,
        era,
        dated,
        ended: (era == Era::Past).then_some(dated).flatten(),
        author: String::new(),
        original: None,
    }
}

pub(crate) fn line(id: usize, title: &str, era: Era) -> LineView {
    let members = vec![member(id, title, era)];
    LineView { title: title.to_owned(), key: format!("k|{id}"), class: "single", members }
}

/// As the merge gives it: a section without lines has words.
pub(crate) fn section(section: Section, state: SectionState, lines: Vec<LineView>) -> SectionView {
    let is_missing = matches!(state, SectionState::Failed | SectionState::Pending);
    let notices = if is_missing {
        vec!["No answer from Mersey Royal.".to_owned()]
    } else if lines.is_empty() {
        vec!["Asked, and nothing recorded: Riverside Surgery.".to_owned()]
    } else {
        Vec::new()
    };
    SectionView { section, state, shown: Some(Shown::Whole), notices, lines }
}

pub(crate) fn view(sections: Vec<SectionView>) -> RecordView {
    RecordView {
        patient: PatientView {
            nhs_number: "999 000 0107".to_owned(),
            name: "ASHWORTH, George (Mr)".to_owned(),
            born: "11-Feb-1953 (73y)".to_owned(),
            gender: "Male".to_owned(),
            ..PatientView::default()
        },
        sources: vec![source("gp", "Riverside Surgery", SourceStatus::Ok, SectionState::Content)],
        allergy_label: AllergyLabel::NotRecorded,
        sections,
        discrepancies: Vec::new(),
        tally: Tally::of([SourceStatus::Ok]),
        as_of: "2026-03-10T02:10:00Z".to_owned(),
        entries: (3, 3),
    }
}

/// Every section, each with one line.
pub(crate) fn full() -> RecordView {
    let each = Section::ALL.iter().enumerate();
    let each = each.map(|(id, one)| {
        section(*one, SectionState::Content, vec![line(id, &format!("Thing number {id}"), Era::Current)])
    });
    view(each.collect())
}

pub(crate) fn conflict(
    rule: &'static str,
    members: Vec<String>,
    section: Option<Section>,
) -> DiscrepancyView {
    let words = format!("{rule} in words.");
    DiscrepancyView { rule, kind: "conflict", severity: "high", words, members, section }
}
