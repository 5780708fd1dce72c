//! The page itself.

use super::*;
use crate::entry::{Outcome, Patient, Source, User, What, Why};

fn hit(kind: &str, seq: u64, at: &str) -> Hit {
    let entry = Entry {
        kind: kind.to_owned(),
        seq,
        at: at.to_owned(),
        user: Some(User {
            id: "u-17".to_owned(),
            name: "Ann O'Brien".to_owned(),
            role: "ambulance".to_owned(),
            org: "RX7".to_owned(),
            ..User::default()
        }),
        patient: Some(Patient { nhs: "9990000107".to_owned(), asked_as: None }),
        why: Some(Why {
            purpose: "directcare".to_owned(),
            rule: Some("ambulance-direct-care".to_owned()),
            denied: (kind == "denied").then(|| "no-rule".to_owned()),
            break_glass: "not-asked".to_owned(),
        }),
        what: Some(What {
            interaction: "record".to_owned(),
            sections: vec!["allergies".to_owned(), "flags".to_owned()],
        }),
        sources: vec![
            Source { source: "gp".to_owned(), status: "ok".to_owned() },
            Source { source: "acute".to_owned(), status: "timeout".to_owned() },
        ],
        outcome: (kind == "disclosure").then(|| Outcome { http: 200, ..Outcome::default() }),
        ..Entry::default()
    };
    Hit { node: "north".to_owned(), entry, end: None }
}

fn page(found: &Found) -> String {
    let mut names = Names::default();
    names.sources.insert("acute".to_owned(), "Mersey Royal Hospital".to_owned());
    names.organisations.insert("RX7".to_owned(), "North West Ambulance Service".to_owned());
    names.rules.insert(
        "ambulance-direct-care".to_owned(),
        "ambulance crews may see it while they care for you".to_owned(),
    );
    Report {
        patient: NhsNumber::parse("9990000107").unwrap(),
        found,
        names: &names,
        case: "IG-2026-014",
        made_at: "2026-03-12T09:00:00Z".parse().unwrap(),
        period: (None, None),
    }
    .to_string()
}

#[test]
fn a_page_tells_who_when_from_where_why_and_what_was_not_shown() {
    let found = Found {
        hits: vec![
            hit("disclosure", 5, "2026-03-10T02:10:00.000000Z"),
            hit("denied", 9, "2026-07-01T11:00:00.000000Z"),
        ],
        ..Found::default()
    };
    let page = page(&found);
    for words in [
        "NHS number 999 000 0107",
        "for case IG-2026-014",
        "Your record was opened 1 time, by 1 person from 1 organisation.",
        "1 request was refused.",
        "Nobody used the emergency override.",
        "1. Tuesday 10 March 2026, 02:10",
        "Ann O'Brien, ambulance crew",
        "North West Ambulance Service (code RX7)",
        "To care for you.",
        "because ambulance crews may see it while they care for you",
        "the shared record: allergies and alerts.",
        "Mersey Royal Hospital did not answer in time, and was not shown.",
        "Not asked for, or not for this role: care plans, medicines,",
        "north-5",
        // British summer time.
        "2. Wednesday 1 July 2026, 12:00",
        "because no rule allows it for this person's role and purpose.",
    ] {
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}:\n{page}");
    }
    for line in page.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
}

#[test]
fn a_page_of_a_log_with_a_gap_says_that_it_may_not_be_whole() {
    let gap = crate::Gap { node: "north".to_owned(), says: "records after 3 are missing".to_owned() };
    let found = Found { gaps: vec![gap], ..Found::default() };
    let told = page(&found);
    assert!(told.contains("PLEASE NOTE") && told.contains("Nobody was given anything"), "{told}");
    assert!(!page(&Found::default()).contains("PLEASE NOTE"));
}

#[test]
fn an_intent_without_an_end_is_told_as_not_known() {
    let found = Found { hits: vec![hit("intent", 4, "2026-03-10T02:10:00.000000Z")], ..Found::default() };
    let page = page(&found);
    assert!(page.contains("Asked for") && page.contains("Not known: the service stopped"), "{page}");
    assert!(page.contains("1 request brought no answer"), "{page}");
}

#[test]
fn a_record_that_was_shown_as_it_grew_is_one_look() {
    let state = |seq, http| {
        let mut hit = hit("disclosure", seq, &format!("2026-03-10T02:10:0{seq}.000000Z"));
        hit.entry.corr = Some(1);
        hit.entry.outcome = Some(Outcome { http, ..Outcome::default() });
        hit
    };
    let seqs = |hits: Vec<Hit>| {
        let found = Found { hits, ..Found::default() }.one_look_each();
        found.hits.iter().map(|hit| hit.entry.seq).collect::<Vec<_>>()
    };
    let intent = || hit("intent", 1, "2026-03-10T02:10:01.000000Z");
    assert_eq!(seqs(vec![intent(), state(2, 200), state(3, 200), state(5, 200)]), [5]);
    // Cut off: nobody waited for the end, and what was shown was shown.
    assert_eq!(seqs(vec![intent(), state(2, 200), state(3, 200), state(4, 499)]), [3]);
    assert_eq!(seqs(vec![intent(), state(4, 499)]), [4]);
    let mut other = state(3, 200);
    other.entry.corr = Some(2);
    assert_eq!(seqs(vec![state(2, 200), other]), [2, 3], "two looks are two");
}

/// Printing is told as printing, and a page that was called up is told apart from one that was shown.
#[test]
fn what_was_printed_and_what_was_only_called_up_are_told() {
    let mut print = hit("disclosure", 7, "2026-03-10T02:10:00.000000Z");
    print.entry.what.as_mut().unwrap().interaction = "print".to_owned();
    let launch = hit("launch", 6, "2026-03-10T02:09:00.000000Z");
    let mut refused = hit("security", 8, "2026-03-10T02:11:00.000000Z");
    (refused.entry.security, refused.entry.user) = (Some("launch-refused".to_owned()), None);
    let found = Found { hits: vec![launch, print, refused], ..Found::default() };
    let text = page(&found).split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "the shared record, to be printed: allergies and alerts.",
        "Your record was opened 1 time",
        "the page of your record was called up from another system, for Ann O'Brien (North West Ambulance Service",
        "somebody's attempt to open your record with an address that was not good any more was refused.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let looks = Looks::of(found, &Names::default());
    assert!(looks.rows.len() == 1 && looks.rows[0].asked.contains("to be printed"), "{looks:?}");
    assert_eq!(looks.asides.len(), 2);
}
