use std::sync::Arc;

use bytes::Bytes;
use tributary_broker::{Delivery, Refusal, Verdict};

use super::bench::{FakeDesk, Say, answer, edge, read, request, send, settings, view};
use crate::render::page;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SCRIPT: &str = "<script>alert('x')</script>\"'&";

#[tokio::test]
async fn the_search_offers_the_demo_patients() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let reply = send(&edge, request("GET", "/", &[], "")).await;
    let policy = reply.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"));
    assert_eq!(reply.headers()["referrer-policy"], "no-referrer");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    let (_, body) = read(reply).await;
    assert!(body.contains("George &lt;Ashworth&gt;"));
    assert!(body.contains("class=\"skip\" href=\"#main\""));
    assert!(!body.contains("<script"));
}

#[tokio::test]
async fn a_wrong_number_is_said_to_be_wrong_and_not_repeated() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    for form in ["", "nhs=", "nhs=9990000108", "nhs=1&nhs=2", "nhs=%3Cscript%3E"] {
        let (status, body) = read(send(&edge, request("POST", "/record", &[FORM], form)).await).await;
        assert_eq!(status, 400, "{form}");
        assert!(body.contains("There is a problem"));
        assert!(!body.contains("9990000108"));
    }
    assert!(desk.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn other_sites_cannot_look_patients_up() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let headers = [FORM, ("sec-fetch-site", "cross-site")];
    let reply = send(&edge, request("POST", "/record", &headers, "nhs=9990000107")).await;
    assert_eq!(reply.status(), 403);
    let reply =
        send(&edge, request("POST", "/record", &[("content-type", "text/plain")], "nhs=9990000107")).await;
    assert_eq!(reply.status(), 415);
    assert!(desk.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_record_page_is_a_disclosure() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let reply = send(&edge, request("POST", "/record", &[FORM], "nhs=999+000+0107")).await;
    let (status, body) = read(reply).await;
    assert_eq!(status, 200);
    for words in [
        "ASHWORTH, George",
        "999 000 0107",
        "Allergy check incomplete",
        "<strong>Conflict:</strong>",
        "copy of another source&#39;s entry",
        "Not available: a source that should have answered did not.",
        "Gender</dt><dd>Not recorded",
        "Died</dt><dd>03-Nov-2024",
        "2026-03-10T02:10:00Z",
        "partial; failed=1",
    ] {
        assert!(body.contains(words), "{words}");
    }
    let delivered = desk.delivered.lock().unwrap();
    assert_eq!(*delivered, [("42".to_owned(), body.len() as u64, Delivery::Whole)]);
}

#[test]
fn words_of_a_source_never_become_markup() {
    let mut answer = answer(Verdict::Record, Bytes::new());
    answer.view = Arc::new(view(SCRIPT));
    answer.audit = SCRIPT.to_owned();
    let page = page::record(&answer);
    assert!(!page.contains("<script"));
    assert!(!page.contains(SCRIPT));
    assert_eq!(page.matches("&lt;script&gt;").count(), 14, "every free text is there, escaped");
}

#[test]
fn what_its_source_calls_a_mistake_is_folded_away_and_counted() {
    let mut answer = answer(Verdict::Record, Bytes::new());
    let mut with_mistake = view("Penicillin");
    let members = &mut with_mistake.sections[0].lines[0].members;
    let mut mistake = members[0].clone();
    mistake.in_error = true;
    mistake.detail = "recorded for somebody else".to_owned();
    members.push(mistake);
    answer.view = Arc::new(with_mistake);
    let page = page::record(&answer);
    let (before, folded) = page.split_once("<details class=\"mistakes\">").unwrap();
    assert!(!before.contains("recorded for somebody else"));
    let (folded, _) = folded.split_once("</details>").unwrap();
    assert!(folded.starts_with("<summary>1 entry that its source calls a mistake</summary>"), "{folded}");
    assert!(folded.contains("recorded for somebody else"));
    answer.view = Arc::new(view("Penicillin"));
    assert!(!page::record(&answer).contains("mistakes"));
}

#[tokio::test]
async fn without_a_record_the_page_shows_no_statement() {
    for say in [Say::Verdict(Verdict::TimedOut), Say::Refuse(Refusal::AuditUnavailable)] {
        let edge = edge(&FakeDesk::new(say), settings());
        let (status, body) =
            read(send(&edge, request("POST", "/record", &[FORM], "nhs=9990000107")).await).await;
        assert!(status.is_server_error());
        assert!(body.contains("No record can be shown"));
        assert!(!body.contains("Allergy"));
        assert!(!body.contains("ASHWORTH"));
    }
}
