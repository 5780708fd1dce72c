use std::io::Read as _;

use http_body_util::BodyExt as _;
use tokio::sync::mpsc::UnboundedSender;
use tributary_broker::{Delivery, Pieces, Refusal, Verdict};
use tributary_model::{SourceStatus, Tally};

use super::*;
use crate::exchange::Edge;
use crate::tests::bench::{FakeDesk, Say, edge, request, send, settings, view};

/// A state in which the allergies hold these words.
fn moment(stage: Stage, is_last: bool, allergies: &str) -> Moment {
    let gp = SourceId::parse("gp-a99901").unwrap();
    let sections = vec![
        (Section::Plans, r#"{"section":"plans"}"#.to_owned()),
        (Section::Allergies, format!("{{\"section\":\"allergies\",\n\"words\":\"{allergies}\"}}")),
    ];
    Moment {
        stage,
        is_last,
        verdict: Verdict::Record,
        view: Arc::new(view("Penicillin")),
        pieces: Pieces {
            patient: r#"{"name":"ASHWORTH, George"}"#.to_owned(),
            sources: vec![(gp, format!(r#"{{"id":"gp-a99901","pending":{}}}"#, stage == Stage::Growing))],
            sections,
            rest: r#"{"completeness":"partial"}"#.to_owned(),
        },
        tally: Tally::of([SourceStatus::Ok, SourceStatus::Timeout]),
        audit: format!("local-{allergies}"),
        lease: Lease::default(),
    }
}

const BODY: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"patient","valueIdentifier":
{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}]}"#;

async fn asked(edge: &Arc<Edge>, more: &[(&str, &str)]) -> Reply {
    asked_with(edge, more, BODY).await
}

async fn asked_with(edge: &Arc<Edge>, more: &[(&str, &str)], body: &str) -> Reply {
    let mut headers = vec![("accept", "text/event-stream"), ("content-type", "application/fhir+json")];
    headers.extend(more);
    send(edge, request("POST", "/fhir/R4/Patient/$record", &headers, body)).await
}

/// The next part of a stream, as text.
async fn part(reply: &mut Reply) -> String {
    let frame = reply.body_mut().frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

/// Id, name and data of each event.
fn events(text: &str) -> Vec<(String, String, String)> {
    let one = |block: &str| {
        let of = |name: &str| {
            block.lines().filter_map(|line| line.strip_prefix(name)).collect::<Vec<_>>().join("\n")
        };
        (of("id: "), of("event: "), of("data: "))
    };
    text.split_terminator("\n\n").map(one).collect()
}

fn names(text: &str) -> Vec<String> {
    events(text).into_iter().map(|(_, name, _)| name).collect()
}

fn bench() -> (Arc<FakeDesk>, Arc<Edge>, UnboundedSender<Result<Moment, Refusal>>) {
    let desk = FakeDesk::new(Say::Never);
    let show = desk.shows();
    (Arc::clone(&desk), edge(&desk, settings()), show)
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let (_desk, edge, show) = bench();
    show.send(Ok(moment(Stage::Growing, false, "a"))).unwrap();
    let mut reply = asked(&edge, &[]).await;
    assert_eq!(reply.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    let first = part(&mut reply).await;
    assert_eq!(names(&first), ["patient", "status", "section", "section"]);
    assert_eq!(events(&first)[3].2, "{\"section\":\"allergies\",\n\"words\":\"a\"}", "bytes as they were");
    show.send(Ok(moment(Stage::Growing, false, "b"))).unwrap();
    let second = part(&mut reply).await;
    assert_eq!(names(&second), ["section"]);
    show.send(Ok(moment(Stage::Complete, true, "b"))).unwrap();
    let third = part(&mut reply).await;
    assert_eq!(names(&third), ["status", "complete"]);
    let complete: serde_json::Value = serde_json::from_str(&events(&third)[1].2).unwrap();
    assert_eq!((&complete["last"], &complete["audit"]), (&true.into(), &"local-b".into()));
    assert_eq!((&complete["sourcesAnswered"], &complete["sourcesExpected"]), (&1.into(), &2.into()));
    assert_eq!(complete["completeness"], "partial");
    let ids: Vec<u64> = [first, second, third]
        .iter()
        .flat_map(|text| events(text))
        .map(|(id, ..)| id.split_once('-').unwrap().0.parse().unwrap())
        .collect();
    assert_eq!(ids, (1..=7).collect::<Vec<u64>>());
}

#[tokio::test]
async fn every_part_is_a_delivery_of_its_own() {
    let (desk, edge, show) = bench();
    let mut reply = asked(&edge, &[]).await;
    let mut sizes = Vec::new();
    for words in ["a", "b", "c"] {
        show.send(Ok(moment(Stage::Growing, false, words))).unwrap();
        sizes.push(part(&mut reply).await.len() as u64);
    }
    drop(reply);
    let delivered = desk.delivered.lock().unwrap().clone();
    let of = |index: usize, words: &str| (format!("local-{words}"), sizes[index], Delivery::Whole);
    assert_eq!(delivered, [of(0, "a"), of(1, "b"), of(2, "c")]);
}

#[tokio::test]
async fn who_leaves_in_the_middle_of_a_part_has_not_got_it() {
    let (desk, edge, show) = bench();
    let mut reply = asked(&edge, &[]).await;
    show.send(Ok(moment(Stage::Growing, false, &"long ".repeat(20_000)))).unwrap();
    let begun = part(&mut reply).await;
    drop(reply);
    let delivered = desk.delivered.lock().unwrap();
    assert_eq!((delivered[0].1, delivered[0].2), (begun.len() as u64, Delivery::Aborted));
}

#[tokio::test]
async fn whoever_comes_back_is_told_what_is_new() {
    let (desk, edge, show) = bench();
    let mut reply = asked(&edge, &[]).await;
    show.send(Ok(moment(Stage::Growing, false, "a"))).unwrap();
    let seen = events(&part(&mut reply).await);
    show.send(Ok(moment(Stage::Growing, false, "b"))).unwrap();
    part(&mut reply).await;
    drop(reply);
    let back = async |last: &str| {
        let show = desk.shows();
        show.send(Ok(moment(Stage::Growing, false, "b"))).unwrap();
        part(&mut asked(&edge, &[("last-event-id", last)]).await).await
    };
    let third = &seen[2].0;
    let new = back(third).await;
    assert_eq!(names(&new), ["section"], "the allergies that they had seen, and those that they had not");
    assert!(events(&new)[0].0.starts_with("4-"));
    assert_eq!(names(&back(third).await).len(), 4, "a stream is gone on with once");
    assert_eq!(names(&back(&format!("9-{}", StreamId::random())).await).len(), 4);
}

#[tokio::test]
async fn nobody_goes_on_with_a_stream_about_somebody_else() {
    let (desk, edge, show) = bench();
    let mut reply = asked(&edge, &[]).await;
    show.send(Ok(moment(Stage::Growing, false, "a"))).unwrap();
    let seen = events(&part(&mut reply).await);
    drop(reply);
    desk.shows().send(Ok(moment(Stage::Growing, false, "a"))).unwrap();
    let other = BODY.replace("9990000107", "9990000204");
    let mut reply = asked_with(&edge, &[("last-event-id", &seen[3].0)], &other).await;
    assert_eq!(names(&part(&mut reply).await).len(), 4, "all of it");
}

#[tokio::test(start_paused = true)]
async fn after_a_minute_a_stream_begins_anew() {
    let (desk, edge, show) = bench();
    let mut reply = asked(&edge, &[]).await;
    show.send(Ok(moment(Stage::Growing, false, "a"))).unwrap();
    let seen = events(&part(&mut reply).await);
    drop(reply);
    tokio::time::advance(RESUMES_WITHIN).await;
    desk.shows().send(Ok(moment(Stage::Growing, false, "a"))).unwrap();
    let again = part(&mut asked(&edge, &[("last-event-id", &seen[3].0)]).await).await;
    assert_eq!(names(&again).len(), 4);
}

#[tokio::test]
async fn what_cannot_be_a_stream_is_refused_before_anybody_is_asked() {
    let (desk, edge, _show) = bench();
    for more in [("last-event-id", "7"), ("last-event-id", "x-0"), ("prefer", "handling=strict")] {
        let reply = asked(&edge, &[more]).await;
        assert_eq!(reply.status(), 400, "{more:?}");
        assert_eq!(reply.headers()["content-type"], "application/fhir+json; charset=utf-8");
    }
    assert!(desk.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_in_the_middle_is_an_event_and_the_end() {
    let (_desk, edge, show) = bench();
    let mut reply = asked(&edge, &[]).await;
    show.send(Err(Refusal::AuditUnavailable)).unwrap();
    let text = part(&mut reply).await;
    assert_eq!(names(&text), ["error"]);
    assert!(events(&text)[0].2.contains("\"resourceType\":\"OperationOutcome\""));
    assert!(reply.body_mut().frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_lives() {
    let (_desk, edge, _show) = bench();
    let mut reply = asked(&edge, &[]).await;
    assert_eq!(part(&mut reply).await, ":\n\n");
    assert_eq!(part(&mut reply).await, ":\n\n");
}

#[tokio::test]
async fn a_packed_part_can_be_read_when_it_is_there() {
    let (_desk, edge, show) = bench();
    let mut reply = asked(&edge, &[("accept-encoding", "gzip")]).await;
    assert_eq!(reply.headers()["content-encoding"], "gzip");
    let mut packed = Vec::new();
    for words in ["a".to_owned(), "many words ".repeat(10_000)] {
        show.send(Ok(moment(Stage::Growing, false, &words))).unwrap();
        let plain = loop {
            packed.extend(reply.body_mut().frame().await.unwrap().unwrap().into_data().unwrap());
            let mut plain = Vec::new();
            // It ends where the stream has not come to its end yet.
            let _unfinished = flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut plain);
            if plain.ends_with(b"\n\n") {
                break String::from_utf8(plain).unwrap();
            }
        };
        assert!(plain.ends_with(&format!("\"words\":\"{words}\"}}\n\n")));
    }
    drop(show);
    while let Some(frame) = reply.body_mut().frame().await {
        packed.extend(frame.unwrap().into_data().unwrap());
    }
    let mut plain = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut plain).unwrap();
    assert_eq!(names(&plain).len(), 5);
}
