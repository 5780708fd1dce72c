//! A record as it grows: each source and each section when it comes, and a label that is `Checking` until the end.
//!
//! `cargo run -- demo` in one terminal; in another
//! `cargo run -p tributary-client --example stream -- http://127.0.0.1:8443 9990000107`

use std::io::{self, Write as _};

use tributary_client::{Client, ClientError, Query, Update};
use tributary_model::NhsNumber;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8443".to_owned());
    let number = arguments.next().unwrap_or_else(|| "9990000107".to_owned());

    let client = Client::new(&url)?;
    let mut out = io::stdout().lock();
    let mut stream = match client.stream(&Query::of(NhsNumber::parse(&number)?)).await {
        Err(ClientError::Refused(refusal)) if refusal.status == 406 => {
            writeln!(out, "This broker has no stream; ask it for the whole record.")?;
            return Ok(());
        }
        stream => stream?,
    };
    while let Some(update) = stream.next().await {
        let update = update?;
        let record = stream.record();
        match &update {
            Update::Patient => writeln!(out, "The patient is known.")?,
            Update::Source(id) | Update::Late(id) => {
                let source = record.sources().iter().find(|source| source.row.id == *id);
                let words = source.map(|source| source.row.words.as_str()).unwrap_or_default();
                writeln!(out, "source {id}: {words}")?;
            }
            Update::Section(code) => {
                let lines = record.section(code).map_or(0, |part| part.rows.lines.len());
                writeln!(out, "section {code}: {lines} lines; allergies: {}", record.allergy_label())?;
            }
            Update::Interrupted => writeln!(out, "connection lost, resuming")?,
            // More kinds may come; what they change stands in the record all the same.
            Update::Complete | _ => writeln!(out, "complete; allergies: {}", record.allergy_label())?,
        }
    }
    Ok(())
}
