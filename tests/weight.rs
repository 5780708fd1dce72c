//! What a kept reply says it weighs is what it takes: every byte is counted as it is taken from the system.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may stop where it stands, and the figures are worth reading"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Document, Limits, Reply};
use tributary_guard::Counting;
use tributary_model::{Section, SectionState};

#[global_allocator]
static MEMORY: Counting = Counting::system();

/// How far the account may be from the truth, in parts of a hundred.
const TOLERANCE: usize = 2;

/// A STU3 Bundle of about this many bytes, with elements that have no home in R4 and resources carried whole.
fn record(bytes: usize) -> String {
    let mut text = "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[".to_owned();
    let mut number = 0;
    while text.len() < bytes {
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            "{comma}{{\"resource\":{{\"resourceType\":\"Condition\",\"id\":\"c-{number}\",\
             \"subject\":{{\"reference\":\"Patient/1\"}},\"clinicalStatus\":\"active\",\
             \"code\":{{\"coding\":[{{\"system\":\"http://snomed.info/sct\",\"code\":\"{number}\",\
             \"display\":\"Hypertension\"}}]}},\"note\":[{{\"text\":\"seen at home, says it is better\"}}]}}}},\
             {{\"resource\":{{\"resourceType\":\"ReferralRequest\",\"id\":\"r-{number}\",\"status\":\"active\",\
             \"intent\":\"order\",\"subject\":{{\"reference\":\"Patient/1\"}},\"serviceRequested\":[{{\"text\":\"x\"}}],\
             \"description\":\"to the clinic\"}}}},\
             {{\"resource\":{{\"resourceType\":\"ProcessRequest\",\"id\":\"p-{number}\",\"status\":\"active\"}}}}"
        )
        .expect("text");
        number += 1;
    }
    text.push_str("]}");
    text
}

/// The reply as a connector makes it of a body, and the bytes that live because of it.
fn loaded(body: &str, converts: bool) -> (Arc<Reply>, usize) {
    // As it comes from the wire: with room to spare.
    let before = MEMORY.count().live_bytes;
    let mut bytes = Vec::with_capacity(body.len() + 4096);
    bytes.extend_from_slice(body.as_bytes());
    let scanned = Document::scan(bytes, &Limits::default()).expect("a document");
    let mut reply = Reply { digest: "0".repeat(64), ..Reply::default() };
    if converts {
        let converted = convert_bundle(&scanned).expect("converts");
        drop(scanned);
        reply.documents.push(converted.document);
        reply.losses = converted.losses;
        reply.carried = converted.carried;
        reply.converted = true;
    } else {
        reply.documents.push(scanned);
    }
    reply.states.extend(Section::ALL.iter().map(|section| (*section, SectionState::Content)));
    let reply = Arc::new(reply);
    let live = MEMORY.count().live_bytes - before;
    (reply, live)
}

#[track_caller]
fn check(name: &str, body: &str, converts: bool) {
    let (reply, live) = loaded(body, converts);
    let weight = reply.weight();
    println!(
        "{name}: {} bytes sent, {live} taken, {weight} told; {} losses, {} carried",
        body.len(),
        reply.losses.len(),
        reply.carried.len()
    );
    let off = live.abs_diff(weight) * 100 / live;
    assert!(off < TOLERANCE, "{name}: {live} bytes are taken, {weight} are told");
}

// One test: the threads of others would be counted too.
#[test]
fn a_kept_reply_weighs_what_it_takes() {
    for bytes in [5_000, 50_000, 500_000, 3_000_000] {
        let body = record(bytes);
        check(&format!("as sent, {bytes}"), &body, false);
        check(&format!("converted, {bytes}"), &body, true);
    }
    let Some(folder) = std::env::var_os("TRIBUTARY_FIXTURES") else {
        println!("NOT RUN: TRIBUTARY_FIXTURES is not set, no recorded reply was weighed");
        return;
    };
    for file in std::fs::read_dir(Path::new(&folder)).expect("a folder") {
        let path = file.expect("a file").path();
        let Ok(body) = std::fs::read_to_string(&path) else { continue };
        let is_bundle = Document::scan(body.clone().into_bytes(), &Limits::default())
            .is_ok_and(|document| convert_bundle(&document).is_ok());
        if body.len() > 5_000 && is_bundle {
            check(&path.display().to_string(), &body, true);
        }
    }
}
