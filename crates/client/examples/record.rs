//! One record, and what is missing in it.
//!
//! `cargo run -- demo` in one terminal; in another
//! `cargo run -p tributary-client --example record -- http://127.0.0.1:8443 9990000107`

use std::io::{self, Write as _};

use tributary_client::{Client, Query};
use tributary_model::{NhsNumber, Section, SectionSet};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8443".to_owned());
    let number = arguments.next().unwrap_or_else(|| "9990000107".to_owned());

    let client = Client::new(&url)?;
    let sections = SectionSet::EMPTY.with(Section::Plans).with(Section::Allergies);
    let query = Query { sections, ..Query::of(NhsNumber::parse(&number)?) };
    let answer = client.record(&query).await?;

    let mut out = io::stdout().lock();
    let (answered, expected) = answer.sources;
    writeln!(out, "{}: {answered} of {expected} sources answered", answer.completeness.code())?;
    for source in &answer.table.sources {
        writeln!(out, "  {}: {}", source.name, source.words)?;
    }
    writeln!(out, "Allergies: {}", answer.table.allergy_label)?;
    for section in &answer.table.sections {
        writeln!(out, "{}", section.title)?;
        for notice in &section.notices {
            writeln!(out, "  ! {notice}")?;
        }
        for line in &section.lines {
            let sources: Vec<_> = line.members.iter().map(|member| member.source.as_str()).collect();
            writeln!(out, "  {} ({}; {})", line.title, line.class, sources.join(", "))?;
        }
    }
    writeln!(out, "On record as {}", answer.audit)?;
    Ok(())
}
