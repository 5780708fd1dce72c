//! Searches a log of so many records (a million unless told otherwise) for one patient, and tells how long it took.
//!
//! ```sh
//! cargo run --release -p tributary-ledger --example million -- 1000000
//! ```

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement for people")]

use std::time::Instant;

use tributary_audit::{Link, SegmentCopy};
use tributary_ledger::{Query, in_directory};
use tributary_model::NhsNumber;

fn main() {
    let records: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a folder");
    let mut copy = SegmentCopy::begin(dir.path(), 64 << 20).expect("a log");
    let template = include_str!("../src/export/records.ndjson").lines().nth(5).expect("a disclosure");
    let fields = template.split_once("\"salt\"").expect("its own fields").1;
    let (mut link, mut bytes) = (Link::FIRST, 0);
    for seq in 1..=records {
        // One record in a thousand is about the patient who is looked for.
        let fields =
            if seq % 1000 == 0 { fields.to_owned() } else { fields.replace("9990000107", "9990000115") };
        let prev = link.prev;
        let payload =
            format!("{{\"v\":1,\"kind\":\"disclosure\",\"seq\":{seq},\"prev\":\"{prev}\",\"salt\"{fields}");
        link = link.after(payload.as_bytes());
        bytes += payload.len();
        copy.add(payload.as_bytes()).expect("written");
    }
    copy.finish().expect("durable");
    let query = Query { patient: NhsNumber::parse("9990000107").ok(), ..Query::default() };
    for _ in 0..3 {
        let began = Instant::now();
        let found = in_directory(dir.path(), &query).expect("a log");
        let (took, hits) = (began.elapsed(), found.hits.len());
        println!("{hits} of {} records, {} MiB, {} ms", found.scanned, bytes >> 20, took.as_millis());
    }
}
