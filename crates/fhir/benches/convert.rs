//! What it costs to check a STU3 bundle and to bring it into R4.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "the figures are what it is for, and no crate sees what is in it"
)]

#[path = "kit/cell.rs"]
mod cell;
#[path = "kit/record.rs"]
mod record;
#[path = "kit/stand.rs"]
mod stand;
#[path = "kit/templates.rs"]
mod templates;

use std::hint::black_box;
use std::process::ExitCode;

use cell::Source;
use stand::{Bench, Watch};
use tributary_fhir::convert::{Converted, convert_bundle};
use tributary_fhir::{Document, Limits};

const BENCH: Bench =
    Bench { cells: &["gp-5k", "gp-50k", "gp-500k", "gp-5mb", "pretty-3mb", "recorded"], work };

fn main() -> ExitCode {
    stand::main(&BENCH)
}

fn work(sources: Vec<Source>, watch: &mut Watch) -> Option<String> {
    let texts: Vec<Vec<u8>> = sources.into_iter().map(|source| source.text.into_bytes()).collect();
    let copies = if watch.yardstick { texts.clone() } else { Vec::new() };
    watch.start();
    let documents = measured_gate(texts);
    watch.mark("gate");
    let converted = measured_convert(&documents);
    watch.mark("convert");
    if watch.yardstick {
        watch.start();
        black_box(stand::measured_yardstick(&copies));
        watch.mark("yardstick");
    }
    Some(converted.first()?.document.text().to_owned())
}

#[inline(never)]
fn measured_gate(texts: Vec<Vec<u8>>) -> Vec<Document> {
    let mut documents = Vec::new();
    for text in texts {
        documents.extend(Document::scan(text, &Limits::default()));
    }
    documents
}

#[inline(never)]
fn measured_convert(documents: &[Document]) -> Vec<Converted> {
    let mut converted = Vec::new();
    for document in documents {
        converted.extend(convert_bundle(document));
    }
    converted
}
