//! What it costs to make one record of what several sources answered: gate, conversion, merge and rendering.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "the figures are what it is for, and no crate sees what is in it"
)]

#[path = "../../fhir/benches/kit/cell.rs"]
mod cell;
#[path = "../../fhir/benches/kit/record.rs"]
mod record;
#[path = "../../fhir/benches/kit/stand.rs"]
mod stand;
#[path = "../../fhir/benches/kit/templates.rs"]
mod templates;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use cell::Source;
use record::Dialect;
use stand::{Bench, Watch};
use tributary_fhir::bundle::{nhs_numbers, type_of};
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Bundle, Document, Limits, Reply};
use tributary_merge::{Answer, Heard, Inputs, Maps, Prompts, Record, RecordView, SourceCard, merge};
use tributary_model::{NhsNumber, SectionSet, SourceId, SourceKind};

const BENCH: Bench = Bench {
    cells: &[
        "gp-3mb+2xr4-200k",
        "pretty-3mb+2xr4-200k",
        "recorded+2xr4-200k",
        "gp-5k",
        "gp-50k",
        "gp-500k",
        "gp-5mb",
        "1xr4-50k",
        "3xr4-50k",
        "10xr4-50k",
        "30xr4-50k",
    ],
    work,
};

fn main() -> ExitCode {
    stand::main(&BENCH)
}

/// As in the broker: a STU3 document goes when it is converted, and the record is rendered while its sources are
/// there.
fn work(sources: Vec<Source>, watch: &mut Watch) -> Option<String> {
    let dialects: Vec<Dialect> = sources.iter().map(|source| source.dialect).collect();
    let texts: Vec<Vec<u8>> = sources.into_iter().map(|source| source.text.into_bytes()).collect();
    let copies = if watch.yardstick { texts.clone() } else { Vec::new() };
    watch.start();
    let documents = measured_gate(texts);
    watch.mark("gate");
    let replies = measured_convert(documents, &dialects);
    watch.mark("convert");
    let inputs = Owned::of(replies)?;
    watch.start();
    let record = measured_merge(&inputs);
    watch.mark("merge");
    let body = measured_render(&record);
    watch.mark("render");
    let view = measured_view(&record);
    watch.mark("view");
    black_box(view);
    // A quarantined answer costs little; figures without it would say nothing.
    let all = record.statuses().all(|(_, status, _)| status.carries_statements());
    if watch.yardstick {
        watch.start();
        black_box(stand::measured_yardstick(&copies));
        watch.mark("yardstick");
    }
    all.then_some(body)
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
fn measured_convert(documents: Vec<Document>, dialects: &[Dialect]) -> Vec<Reply> {
    let mut replies = Vec::new();
    for (document, dialect) in documents.into_iter().zip(dialects) {
        let mut reply = Reply { asked: SectionSet::all(), attempts: 1, ..Reply::default() };
        if *dialect == Dialect::R4 {
            reply.documents = vec![document];
        } else if let Ok(converted) = convert_bundle(&document) {
            reply.documents = vec![converted.document];
            reply.losses = converted.losses;
            reply.carried = converted.carried;
            reply.converted = true;
        }
        replies.push(reply);
    }
    replies
}

#[inline(never)]
fn measured_merge(inputs: &Owned) -> Record<'_> {
    merge(inputs.borrowed())
}

#[inline(never)]
fn measured_render(record: &Record<'_>) -> String {
    record.to_r4()
}

#[inline(never)]
fn measured_view(record: &Record<'_>) -> RecordView {
    record.to_view()
}

/// What a merge is made from, kept for it.
struct Owned {
    patient: NhsNumber,
    as_of: jiff::Timestamp,
    registry: Vec<SourceCard>,
    answers: Vec<Answer>,
    maps: Maps,
}

impl Owned {
    fn of(replies: Vec<Reply>) -> Option<Self> {
        let patient = replies.first().and_then(patient)?;
        let as_of: jiff::Timestamp = "2026-03-10T02:10:00Z".parse().ok()?;
        let mut owned =
            Self { patient, as_of, registry: Vec::new(), answers: Vec::new(), maps: Maps::default() };
        for (number, reply) in replies.into_iter().enumerate() {
            let source = SourceId::parse(&format!("source-{number}")).ok()?;
            owned.registry.push(SourceCard {
                id: source.clone(),
                name: format!("Invented source number {number}"),
                kind: if reply.converted { SourceKind::Gp } else { SourceKind::Acute },
                ods: None,
                rank: u32::try_from(number).ok()? + 1,
                serves: SectionSet::all(),
                owns: vec![record::base_url(number)],
                base_url: Some(record::base_url(number)),
                maintenance: None,
            });
            owned.answers.push(Answer {
                source,
                heard: Heard::Reply(Arc::new(reply)),
                latency_ms: 0,
                fetched_at: as_of,
                cached: false,
                last_answered: None,
            });
        }
        Some(owned)
    }

    fn borrowed(&self) -> Inputs<'_> {
        Inputs {
            patient: self.patient,
            as_of: self.as_of,
            sections: SectionSet::all(),
            registry: &self.registry,
            answers: tributary_merge::Screened::whole(&self.answers),
            notes: &[],
            maps: &self.maps,
            attachments: None,
            pds: None,
            prompts: Prompts::default(),
        }
    }
}

/// The patient whom the first source's answer is about.
fn patient(reply: &Reply) -> Option<NhsNumber> {
    let bundle = Bundle::of(reply.documents.first()?).ok()?;
    let patient = bundle.resources().find(|resource| type_of(*resource) == "Patient")?;
    let number = nhs_numbers(patient).next()?;
    NhsNumber::parse(&number).ok()
}
