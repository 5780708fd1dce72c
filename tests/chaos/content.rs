//! What a source answers.

use mock_providers::{BadText, ErrorBody, Fault};
use serde_json::{Value, json};

use tributary_tests::bundle::{Merged, origin};
use tributary_tests::national::{National, Practices};
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, http, parameters};

use crate::answer::{Expected, fault, missing};
use crate::row::{Played, Row};
use crate::scene::{FHIR, RECORD, Setting, TIMEOUT_MS, healthy};

/// What a body may be at most, in the rows about bodies that are larger.
const CAP: &str = "max_body_bytes = 10485760";
/// Time for an unoptimised broker to look at ten megabytes.
const READS_TEN_MEGABYTES_MS: u64 = 2_000;

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    let alike = Row::own("F50", "two sources use the same ids", || Box::pin(same_ids()));
    [slow(), large(), statuses(), forms(), people(), vec![alike]].into_iter().flatten().collect()
}

fn until(by_ms: u64, expected: Expected) -> Expected {
    Expected { by_ms, ..expected }
}

fn slow() -> Vec<Row> {
    // A body below the least rate ends after the grace of a second, before the source's own time is up.
    const GRACE_MS: u64 = 1_000;
    let hang = fault(Fault::HangBeforeHead, "timeout", "no_head");
    let stall = fault(Fault::HangMidBody, "timeout", "slow_body");
    let drip = fault(Fault::SlowDrip { bytes_per_second: 1 }, "timeout", "slow_body");
    let patient = Setting { source_keys: Some("timeout_ms = 2500"), ..Setting::default() };
    vec![
        Row::source("F01", "never answers", until(TIMEOUT_MS, hang)),
        Row::source("F02", "stalls in the body", until(TIMEOUT_MS, stall)),
        Row::source("F03", "a byte a second", Expected { setting: patient, ..until(GRACE_MS + 100, drip) }),
    ]
}

fn large() -> Vec<Row> {
    let capped =
        || Setting { gp_keys: CAP.to_owned(), source_keys: Some("timeout_ms = 2800"), ..Setting::default() };
    let large = |wrong| Expected {
        setting: capped(),
        memory_mib: Some(40),
        ..until(READS_TEN_MEGABYTES_MS, fault(wrong, "invalid", "too_large"))
    };
    let lie = fault(Fault::LyingLength { bytes: 10_000_000_000 }, "invalid", "too_large");
    vec![
        Row::source("F05", "chunks without end", large(Fault::EndlessChunks)),
        Row::source("F06", "fifty megabytes", large(Fault::HugeBody { megabytes: 50 })).alone(),
        Row::source("F07", "announces ten gigabytes, sends nothing", lie),
        Row::source(
            "F08",
            "a small body that unpacks into sixty-four megabytes",
            large(Fault::GzipBomb { megabytes: 64 }),
        ),
        Row::source(
            "F34",
            "nested ten thousand deep",
            fault(Fault::DeepNesting { levels: 10_000 }, "invalid", "json_depth"),
        ),
        Row::source("F35", "a million entries", large(Fault::ManyEntries { count: 1_000_000 })).alone(),
        Row::source(
            "F57",
            "two hundred headers",
            fault(Fault::ManyHeaders { count: 200, bytes: 10 }, "invalid", "too_large"),
        ),
    ]
}

fn answered(status: u16, spine: &str) -> Fault {
    Fault::Status {
        status,
        body: ErrorBody::Outcome,
        spine_code: Some(spine.to_owned()),
        retry_after_secs: None,
    }
}

fn bare(status: u16, body: ErrorBody, retry_after_secs: Option<u32>) -> Fault {
    Fault::Status { status, body, spine_code: None, retry_after_secs }
}

fn statuses() -> Vec<Row> {
    let outcome = |code: &str| Fault::OutcomeInOk { spine_code: Some(code.to_owned()) };
    let twice = |expected| Expected { retried: Some(true), ..expected };
    let redirect = Fault::Redirect { location: "http://127.0.0.1:9/".to_owned() };
    vec![
        Row::source(
            "F10",
            "500 with a page",
            fault(bare(500, ErrorBody::Html, None), "unavailable", "http_5xx"),
        ),
        Row::source(
            "F11",
            "500 that tells of the patient",
            fault(Fault::Telltale { status: 500 }, "unavailable", "http_5xx"),
        ),
        Row::source(
            "F12",
            "503 that does not say when",
            twice(fault(bare(503, ErrorBody::Empty, None), "unavailable", "http_5xx")),
        ),
        Row::source(
            "F13",
            "503 for two minutes",
            fault(bare(503, ErrorBody::Empty, Some(120)), "shed", "throttled"),
        ),
        Row::source("F14", "429", fault(bare(429, ErrorBody::Outcome, None), "shed", "throttled")),
        Row::source(
            "F15",
            "404 PATIENT_NOT_FOUND",
            fault(answered(404, "PATIENT_NOT_FOUND"), "no-record", "no_record"),
        ),
        Row::source(
            "F16",
            "404 of a web server",
            fault(bare(404, ErrorBody::Empty, None), "unavailable", "bad_endpoint"),
        ),
        Row::source(
            "F17",
            "403 NO_PATIENT_CONSENT",
            fault(answered(403, "NO_PATIENT_CONSENT"), "withheld-consent", "consent"),
        ),
        Row::source("F18", "403 ACCESS DENIED", fault(answered(403, "ACCESS DENIED"), "denied", "denied")),
        Row::source("F19", "401", fault(bare(401, ErrorBody::Outcome, None), "denied", "denied")),
        Row::source("F20", "422", fault(answered(422, "INVALID_PARAMETER"), "invalid", "our_request")),
        Row::source(
            "F21",
            "200 with an error inside",
            fault(outcome("INTERNAL_SERVER_ERROR"), "unavailable", "outcome_error"),
        ),
        Row::source("F23", "204", fault(Fault::EmptyBody, "invalid", "empty_body")),
        Row::source("F25", "206", fault(Fault::PartialContent, "invalid", "unexpected_status")),
        Row::source("F33", "a redirect", fault(redirect, "unavailable", "redirect")),
    ]
}

fn forms() -> Vec<Row> {
    let whole = |wrong| Expected { class: None, ..fault(wrong, "ok", "") };
    let text = |text| Fault::BadText { text };
    let coding = Fault::WrongCoding { coding: "br, gzip".to_owned() };
    vec![
        Row::source("F09", "two codings", fault(coding, "invalid", "encoding")),
        Row::source("F26", "ten hints, then the answer", whole(Fault::Informational { count: 10 })),
        Row::source(
            "F27",
            "a page instead of a record",
            fault(Fault::WrongContentType, "invalid", "media_type"),
        ),
        Row::source("F28", "XML where JSON was asked for", fault(Fault::Xml, "invalid", "media_type")),
        Row::source("F30", "half of the JSON", fault(Fault::TruncatedJson, "invalid", "json_syntax")),
        Row::source("F31", "two documents", fault(Fault::TrailingDocument, "invalid", "json_syntax")),
        Row::source("F32", "no UTF-8", fault(Fault::InvalidUtf8, "invalid", "utf8")),
        Row::source(
            "F32 half a surrogate",
            "half of a surrogate pair",
            fault(text(BadText::LoneSurrogate), "invalid", "json_syntax"),
        ),
        Row::source("F32 NUL", "a NUL in a text", fault(text(BadText::Nul), "invalid", "json_syntax")),
        Row::source(
            "F32 BOM",
            "a byte order mark",
            fault(text(BadText::ByteOrderMark), "invalid", "json_syntax"),
        ),
        Row::source("F37", "a key twice", fault(Fault::DuplicateKeys, "invalid", "json_duplicate")),
        Row::source("F38", "another version of FHIR", fault(Fault::Dstu2, "invalid", "version")),
        Row::source("F60", "headers that are nobody's business", whole(Fault::StrayHeaders)),
    ]
}

fn people() -> Vec<Row> {
    const MISMATCH: &str = "identity-mismatch";
    let swapped = Fault::AnswerOf { nhs_number: "9990000204".to_owned() };
    vec![
        Row::source(
            "F40",
            "another patient's number",
            fault(Fault::WrongPatient, MISMATCH, "identity_number"),
        ),
        Row::source(
            "F41",
            "a statement about somebody else",
            fault(Fault::MixedPatients, MISMATCH, "identity_number"),
        ),
        Row::source("F42", "two patients", fault(Fault::TwoPatients, MISMATCH, "identity_number")),
        Row::source("F43", "no patient", fault(Fault::WithoutPatient, "invalid", "identity_unproven")),
        Row::own("F45", "the right number, another name and birthday", || Box::pin(somebody_else())),
        Row::source(
            "F47",
            "the answer to somebody else's request",
            fault(swapped, MISMATCH, "identity_number"),
        ),
        Row::source(
            "F48",
            "a number whose check digit is wrong",
            fault(Fault::BadCheckDigit, "invalid", "identity_unproven"),
        ),
    ]
}

/// Only the national service tells who a patient is: without it, a number that fits is believed.
async fn somebody_else() -> Played {
    let national = National::start(Practices::Registered).await;
    let dir = tempfile::tempdir().unwrap();
    let broker = Process::serve(dir.path(), &national.configuration(""));
    let ask = async || {
        let reply = http::post(broker.data, RECORD, FHIR, &parameters(GEORGE, &[]), &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply
    };
    let before = Merged::of(ask().await.json());
    assert_eq!(before.statuses()["gp"], "ok");
    let other = json!({"birthDate": "1931-01-01", "name": [{"use": "official", "family": "Zwemmer"}]});
    let members = other.as_object().cloned().unwrap_or_default();
    national.federation.provider("gp").unwrap().set_fault(Fault::OtherDetails { members });
    let reply = ask().await;
    assert!(!reply.body.contains("Zwemmer") && !reply.body.contains("1931-01-01"));
    let merged = Merged::of(reply.json());
    assert_eq!(merged.statuses()["gp"], "identity-mismatch");
    assert_eq!(merged.tag(), "partial");
    assert_eq!(missing(&before, &merged, "gp"), Vec::<String>::new());
    Played::Held
}

/// Two hospitals count from one, as everybody does. Both keep what is theirs, and nothing of one leads to the other.
async fn same_ids() -> Played {
    let merged = &healthy().await.merged;
    let origins = merged.origins();
    for twice in ["acute-a Condition/c1", "specialist Condition/c1", "acute-a DocumentReference/d1"] {
        assert_eq!(origins.iter().filter(|origin| *origin == twice).count(), 1, "{twice}");
    }
    let mut followed = 0;
    for resource in merged.resources() {
        let Some((source, name)) = origin(resource) else { continue };
        let mut references = Vec::new();
        references_in(resource, &mut references);
        for reference in references {
            assert!(merged.has(&reference), "{source} {name} leads to {reference}, which is not there");
            let target = merged.resource(&reference).and_then(origin);
            assert!(
                target.is_none_or(|(other, _)| other == source),
                "{source} {name} leads to another source"
            );
            followed += 1;
        }
    }
    assert!(followed > 20, "{followed} references");
    Played::Held
}

/// Every reference to an entry of the bundle.
fn references_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let reference = members.get("reference").and_then(Value::as_str);
            found.extend(reference.filter(|url| url.starts_with("urn:uuid:")).map(str::to_owned));
            members.values().for_each(|member| references_in(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references_in(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
