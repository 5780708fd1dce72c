//! The International Patient Summary of one patient, as FHIR.
//!
//! `cargo run -- demo` in one terminal; in another
//! `cargo run -p tributary-client --example summary -- http://127.0.0.1:8443 9990000107`

use std::io::{self, Write as _};

use tributary_client::{Client, ClientError, Terms};
use tributary_model::NhsNumber;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8443".to_owned());
    let number = arguments.next().unwrap_or_else(|| "9990000107".to_owned());

    let client = Client::new(&url)?;
    match client.summary(&NhsNumber::parse(&number)?, &Terms::default()).await {
        Ok(summary) => writeln!(io::stdout(), "{}", summary.bundle_json)?,
        Err(ClientError::Refused(refusal)) => {
            let mut out = io::stderr().lock();
            writeln!(out, "Refused with {}.", refusal.status)?;
            for reason in &refusal.reasons {
                writeln!(out, "  {reason}")?;
            }
            return Err(ClientError::Refused(refusal).into());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
