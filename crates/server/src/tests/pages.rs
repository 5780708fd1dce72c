use bytes::Bytes;
use tributary_broker::view::RecordView;
use tributary_broker::{Answer, Delivery, Refusal, Verdict};
use tributary_model::Purpose;

use super::bench::{FakeDesk, Say, answer, edge, read, request, send, settings, view};
use crate::render::page::{self, Seat};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SCRIPT: &str = "<script>alert('x')</script>\"'&";

fn shown(answer: &Answer, view: &RecordView) -> String {
    page::record(answer, view, &Seat::of(&settings().demo_requester, Purpose::DirectCare, view))
}

#[tokio::test]
async fn the_search_offers_the_demo_patients() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let reply = send(&edge, request("GET", "/", &[], "")).await;
    let policy = reply.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with(tributary_viewer::policy()) && policy.starts_with("default-src 'none'"));
    assert_eq!(reply.headers()["referrer-policy"], "no-referrer");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    let (_, body) = read(reply).await;
    assert!(body.contains("George &lt;Ashworth&gt;"));
    assert!(body.contains("class=\"nhsuk-skip-link\" href=\"#main\""));
    assert!(!body.contains("name=\"live\""), "only the script says that it can place what comes later");
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
    assert!(!body.contains("/viewer/"), "a record is one answer");
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
    answer.audit = SCRIPT.to_owned();
    let page = shown(&answer, &view(SCRIPT));
    assert_eq!(page.matches("<script").count(), 1, "our own");
    assert!(!page.contains(SCRIPT));
    assert_eq!(page.matches("&lt;script&gt;").count(), 18, "every free text is there, escaped");
}

#[test]
fn what_its_source_calls_a_mistake_is_folded_away_and_counted() {
    let answer = answer(Verdict::Record, Bytes::new());
    let mut with_mistake = view("Penicillin");
    let members = &mut with_mistake.sections[0].lines[0].members;
    let mut mistake = members[0].clone();
    mistake.in_error = true;
    mistake.detail = "recorded for somebody else".to_owned();
    members.push(mistake);
    let page = shown(&answer, &with_mistake);
    let (before, folded) = page
        .split_once("<details class=\"nhsuk-details mistakes\"><summary class=\"nhsuk-details__summary\">")
        .unwrap();
    assert!(!before.contains("recorded for somebody else"));
    let (folded, _) = folded.split_once("</details>").unwrap();
    assert!(folded.starts_with("1 entry that its source calls a mistake</summary>"), "{folded}");
    assert!(folded.contains("recorded for somebody else"));
    assert!(!shown(&answer, &view("Penicillin")).contains("nhsuk-details mistakes"));
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

#[tokio::test]
async fn the_style_of_the_form_is_kept_and_nothing_else_is() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let (_, first) = read(send(&edge, request("GET", "/", &[], "")).await).await;
    let named = first.split('"').filter(|word| word.starts_with("/viewer/"));
    let mut found = 0;
    for address in named {
        let reply = send(&edge, request("GET", address, &[], "")).await;
        assert_eq!(reply.headers()["cache-control"], "public, max-age=31536000, immutable", "{address}");
        let (status, body) = read(reply).await;
        assert_eq!(status, 200);
        assert!(!body.is_empty());
        found += 1;
    }
    assert_eq!(found, 1);
    let reply = send(&edge, request("GET", "/viewer/0000000000000000.css", &[], "")).await;
    assert_eq!(reply.headers()["cache-control"], "no-store");
    assert_eq!(reply.status(), 404);
}

#[tokio::test]
async fn signing_out_makes_the_browser_forget() {
    let edge = edge(&FakeDesk::new(Say::Record), settings());
    let reply = send(&edge, request("POST", "/sign-out", &[FORM], "")).await;
    assert_eq!(reply.headers()["clear-site-data"], "\"cache\", \"cookies\", \"storage\"");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    let foreign = [FORM, ("sec-fetch-site", "cross-site")];
    let reply = send(&edge, request("POST", "/sign-out", &foreign, "")).await;
    assert_eq!(reply.status(), 403);
}

#[tokio::test]
async fn only_named_origins_show_us_inside_their_pages() {
    let desk = FakeDesk::new(Say::Record);
    let named = crate::settings::Settings {
        frame_ancestors: vec!["https://epr.example.test".to_owned()],
        ..settings()
    };
    for (settings, ancestors) in [(settings(), "'none'"), (named, "https://epr.example.test")] {
        let edge = edge(&desk, settings);
        for request in [request("GET", "/", &[], ""), request("POST", "/record", &[FORM], "nhs=9990000107")] {
            let reply = send(&edge, request).await;
            let policy = reply.headers()["content-security-policy"].to_str().unwrap();
            assert_eq!(policy, format!("{}; frame-ancestors {ancestors}", tributary_viewer::policy()));
        }
    }
}

#[tokio::test]
async fn a_browser_is_sent_on_to_an_address_that_is_good_for_one_look() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    let headers = [FORM, ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let reply = send(&edge, request("POST", "/record", &headers, "nhs=9990000107")).await;
    assert_eq!(reply.status(), 303);
    let address = reply.headers()["location"].to_str().unwrap().to_owned();
    assert!(address.starts_with("/record/") && !address.contains("9990000107"), "{address}");
    assert!(desk.asked.lock().unwrap().is_empty(), "nobody is asked yet");
    let get = async |path: &str, site: &str| {
        let headers = [("sec-fetch-mode", "navigate"), ("sec-fetch-site", site)];
        read(send(&edge, request("GET", path, &headers, "")).await).await
    };
    assert_eq!(get(&address, "cross-site").await.0, 403);
    let (status, body) = get(&address, "same-origin").await;
    assert!(status == 200 && body.contains("ASHWORTH, George"), "{status}");
    let (status, body) = get(&address, "same-origin").await;
    assert!(status == 404 && body.contains("Find the record again"), "{status}");
    assert!(!body.contains("ASHWORTH"));
    assert_eq!(get("/record/zz", "none").await.0, 404);
}
