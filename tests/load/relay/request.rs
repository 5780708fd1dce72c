//! A valid GP Connect request, with a token made for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tributary_tests::bearer;

use crate::practice::NHS_NUMBER;

/// The service root of the one practice, as path.
pub(crate) const ROOT: &str = "/A99901/STU3/1/gpconnect/structured/fhir";
/// The system id of the practice.
pub(crate) const ASID: &str = "200000000205";
/// The operation, below the root.
pub(crate) const OPERATION: &str = "/Patient/$gpc.getstructuredrecord";
const INTERACTION: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";

/// What is asked for.
pub(crate) fn parameters() -> String {
    let identifier = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS_NUMBER});
    let part =
        |name: &str, inner: &str| json!({"name": name, "part": [{"name": inner, "valueBoolean": true}]});
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "patientNHSNumber", "valueIdentifier": identifier},
        part("includeAllergies", "includeResolvedAllergies"),
        part("includeMedication", "includePrescriptionIssues"),
        {"name": "includeUncategorisedData"},
    ]})
    .to_string()
}

/// A whole request, to the byte. No two have the same trace id.
pub(crate) fn request(host: SocketAddr) -> Vec<u8> {
    static TRACES: AtomicU64 = AtomicU64::new(1);
    let trace = TRACES.fetch_add(1, Ordering::Relaxed);
    let body = parameters();
    let head = format!(
        "POST {ROOT}{OPERATION} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\
         Content-Type: application/fhir+json\r\nAccept: application/fhir+json\r\n\
         Ssp-TraceID: 10ad0000-0000-4000-8000-{trace:012x}\r\nSsp-From: 200000000359\r\nSsp-To: {ASID}\r\n\
         Ssp-InteractionID: {INTERACTION}\r\nAuthorization: {}\r\n\r\n",
        body.len(),
        bearer(),
    );
    (head + &body).into_bytes()
}
