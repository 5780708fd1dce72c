//! Right answers made wrong.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::fault::{BadText, Fault, TELLTALE};
use crate::misbehave::Circumstances;
use crate::number;
use crate::outcome::{Dialect, Refusal};
use crate::store::{Fields, Resource, resources};
use crate::wire::{Framing, Reply, find};

const MEGABYTE: usize = 1024 * 1024;
const MAX_HUGE_MEGABYTES: u32 = 512;
const MAX_BOMB_MEGABYTES: u32 = 4096;
const MAX_LEVELS: u32 = 1_000_000;
const MAX_HEADERS: u32 = 10_000;
const MAX_HEADER_BYTES: u32 = 1_000_000;
const MAX_ENTRIES: u32 = 2_000_000;
const XML: &str = r#"<?xml version="1.0"?>
<!DOCTYPE Bundle [<!ENTITY inside SYSTEM "file:///etc/passwd">]>
<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><id value="&inside;"/></Bundle>
"#;
/// The logical id of the person who does not belong in the answer.
const STRANGER_ID: &str = "stranger";

/// The reply with a fault of its content. Replies that are no success stay as they are, except for
/// faults that replace the whole reply.
pub(crate) fn distorted(reply: Reply, fault: &Fault, circumstances: &Circumstances) -> Reply {
    match fault {
        Fault::OutcomeInOk { spine_code } => {
            let refusal = Refusal::of_status(500, spine_code.as_deref());
            Reply::fhir(200, refusal.outcome(circumstances.dialect).to_string())
        }
        Fault::WrongContentType => {
            Reply::typed(200, "text/html", "<html><body><p>Please sign in.</p></body></html>")
        }
        Fault::EmptyBody => {
            Reply { status: 204, headers: Vec::new(), body: Vec::new(), framing: Framing::Length }
        }
        Fault::Dstu2 => Reply::fhir(200, dstu2(circumstances.nhs_number.as_deref()).to_string()),
        _ if reply.status != 200 => reply,
        Fault::TruncatedJson => halved(reply),
        Fault::InvalidUtf8 => with_body(reply, |body| {
            let at = body.iter().rposition(|byte| *byte == b'"').unwrap_or_default();
            body.splice(at..at, [0xFF, 0xFE]);
        }),
        Fault::ManyHeaders { count, bytes } => many_headers(reply, *count, *bytes),
        Fault::PartialContent => Reply { status: 206, ..halved(reply) },
        Fault::WrongCoding { coding } => reply.with("Content-Encoding", coding.clone()),
        Fault::StrayHeaders => stray_headers(reply),
        Fault::TrailingDocument => with_body(reply, |body| body.extend_from_within(..)),
        Fault::Xml => Reply::typed(200, "application/fhir+xml;charset=utf-8", XML),
        Fault::ManyEntries { count } => {
            let entries =
                vec!["{}".to_owned(); usize::try_from((*count).min(MAX_ENTRIES)).unwrap_or_default()];
            with_entries(reply, &entries)
        }
        Fault::BadText { text } => bad_text(reply, *text),
        Fault::WithoutPatient => without_patient(reply),
        Fault::BadCheckDigit => bad_check_digit(reply, circumstances),
        Fault::HugeBody { megabytes } => with_entries(reply, &padding(*megabytes)),
        Fault::DeepNesting { levels } => with_entries(reply, &[nested(*levels)]),
        Fault::DuplicateKeys => with_body(reply, duplicate_keys),
        Fault::WrongPatient => wrong_patient(reply, circumstances),
        Fault::TwoPatients => {
            let stranger = stranger(&reply, circumstances);
            with_entries(reply, &[stranger])
        }
        Fault::OtherDetails { members } => other_details(reply, members),
        Fault::MixedPatients => {
            let entries = [stranger(&reply, circumstances), strangers_statement(&reply, circumstances)];
            with_entries(reply, &entries)
        }
        Fault::Delay { .. }
        | Fault::HangBeforeHead
        | Fault::HangMidBody
        | Fault::SlowDrip { .. }
        | Fault::Reset
        | Fault::Refuse
        | Fault::Status { .. }
        | Fault::ShortBody
        | Fault::Redirect { .. }
        | Fault::GzipBomb { .. }
        | Fault::EndlessChunks
        | Fault::LyingLength { .. }
        | Fault::Informational { .. }
        | Fault::Telltale { .. }
        | Fault::AnswerOf { .. }
        | Fault::DisabledAreas { .. } => reply,
    }
}

fn halved(reply: Reply) -> Reply {
    let half = reply.body.len() / 2;
    with_body(reply, |body| body.truncate(half))
}

fn stray_headers(reply: Reply) -> Reply {
    reply
        .with("Set-Cookie", format!("session={TELLTALE}; Path=/"))
        .with("Authorization", format!("Bearer {TELLTALE}"))
        .with("X-Powered-By", TELLTALE)
        .with("Tributary-Completeness", "complete")
}

fn many_headers(reply: Reply, count: u32, bytes: u32) -> Reply {
    let value = "x".repeat(usize::try_from(bytes.min(MAX_HEADER_BYTES)).unwrap_or_default());
    (0..count.min(MAX_HEADERS)).fold(reply, |reply, at| reply.with(&format!("X-Stray-{at}"), value.clone()))
}

fn bad_text(reply: Reply, text: BadText) -> Reply {
    let (at_start, bytes): (bool, &[u8]) = match text {
        BadText::ByteOrderMark => (true, b"\xEF\xBB\xBF"),
        BadText::LoneSurrogate => (false, br"\ud800"),
        BadText::Nul => (false, b"\0"),
    };
    with_body(reply, |body| {
        // The last quotation mark ends a text.
        let end = body.iter().rposition(|byte| *byte == b'"').unwrap_or_default();
        let at = if at_start { 0 } else { end };
        body.splice(at..at, bytes.iter().copied());
    })
}

fn without_patient(reply: Reply) -> Reply {
    let Ok(text) = std::str::from_utf8(&reply.body) else { return reply };
    let Some(fields) = Fields::of(text) else { return reply };
    let entries: Vec<&RawValue> =
        serde_json::from_str(fields.get("entry").unwrap_or("[]")).unwrap_or_default();
    let is_patient = |entry: &str| {
        let resource = Fields::of(entry)?.get("resource")?.to_owned();
        Some(Fields::of(&resource)?.get("resourceType") == Some("\"Patient\""))
    };
    let kept = entries.iter().map(|entry| entry.get()).filter(|entry| is_patient(entry) != Some(true));
    let kept = kept.collect::<Vec<_>>().join(",");
    let others = fields.0.iter().filter(|(key, _)| key != "entry");
    let others = others.map(|(key, value)| format!("\"{key}\":{},", value.get()));
    let body = format!("{{{}\"entry\":[{kept}]}}", others.collect::<String>());
    Reply { body: body.into_bytes(), ..reply }
}

fn bad_check_digit(reply: Reply, circumstances: &Circumstances) -> Reply {
    let Some(asked) = circumstances.nhs_number.as_deref() else { return reply };
    let Ok(text) = std::str::from_utf8(&reply.body) else { return reply };
    let last = asked.bytes().last().map_or(0, |digit| digit.wrapping_sub(b'0') % 10);
    let wrong = format!("{}{}", asked.get(..9).unwrap_or_default(), (last + 1) % 10);
    let body = text.replace(asked, &wrong).into_bytes();
    Reply { body, ..reply }
}

/// A gzip body that unpacks into a Bundle padded with white space.
pub(crate) fn bomb(megabytes: u32) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(br#"{"resourceType":"Bundle","type":"collection","entry":["#)?;
    let blank = vec![b' '; MEGABYTE];
    for _ in 0..megabytes.min(MAX_BOMB_MEGABYTES) {
        encoder.write_all(&blank)?;
    }
    encoder.write_all(b"]}")?;
    encoder.finish()
}

fn with_body(mut reply: Reply, change: impl FnOnce(&mut Vec<u8>)) -> Reply {
    change(&mut reply.body);
    reply
}

/// The same Bundle with more entries at its end; everything else byte for byte.
fn with_entries(reply: Reply, added: &[String]) -> Reply {
    let Some(fields) = std::str::from_utf8(&reply.body).ok().and_then(Fields::of) else {
        return reply;
    };
    let added = added.iter().map(|text| format!("{{\"resource\":{text}}}"));
    let added: Vec<String> = added.collect();
    let present = fields.get("entry").unwrap_or("[]").trim();
    let inner = present.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default();
    let comma = if inner.trim().is_empty() { "" } else { "," };
    let entries = format!("\"entry\":[{inner}{comma}{}]", added.join(","));
    let mut parts: Vec<String> = fields
        .0
        .iter()
        .filter(|(key, _)| key != "entry")
        .map(|(key, value)| format!("\"{key}\":{}", value.get()))
        .collect();
    parts.push(entries);
    let body = format!("{{{}}}", parts.join(","));
    Reply { body: body.into_bytes(), ..reply }
}

fn padding(megabytes: u32) -> Vec<String> {
    const PER_MEGABYTE: u32 = 16;
    let count = megabytes.min(MAX_HUGE_MEGABYTES) * PER_MEGABYTE;
    let filling = "x".repeat(MEGABYTE / 16);
    let entry = |at: u32| {
        format!("{{\"resourceType\":\"Basic\",\"id\":\"padding-{at}\",\"code\":{{\"text\":\"{filling}\"}}}}")
    };
    (0..count).map(entry).collect()
}

fn nested(levels: u32) -> String {
    let levels = usize::try_from(levels.min(MAX_LEVELS)).unwrap_or_default();
    let open = r#"{"url":"urn:nested","extension":["#.repeat(levels);
    let close = "]}".repeat(levels);
    format!(r#"{{"resourceType":"Basic","id":"nested","extension":[{open}{close}]}}"#)
}

/// Gives the Bundle and its first resource a second, different value under a key they have.
fn duplicate_keys(body: &mut Vec<u8>) {
    if let Some(at) = find(body, b"\"resource\":").and_then(|at| brace_after(body, at)) {
        body.splice(at..at, br#""id":"first-of-two-ids","#.iter().copied());
    }
    if let Some(at) = brace_after(body, 0) {
        body.splice(at..at, br#""type":"history","#.iter().copied());
    }
}

fn brace_after(body: &[u8], from: usize) -> Option<usize> {
    let brace = body.iter().skip(from).position(|byte| *byte == b'{')?;
    Some(from + brace + 1)
}

fn wrong_patient(reply: Reply, circumstances: &Circumstances) -> Reply {
    let Some(asked) = circumstances.nhs_number.as_deref() else {
        return reply;
    };
    let other = number::other_than(asked);
    let Ok(text) = std::str::from_utf8(&reply.body) else {
        return reply;
    };
    let body = text.replace(asked, &other).into_bytes();
    Reply { body, ..reply }
}

/// The same answer, every other byte of it, with other members of its Patient.
fn other_details(reply: Reply, members: &serde_json::Map<String, Value>) -> Reply {
    let Ok(text) = std::str::from_utf8(&reply.body) else { return reply };
    let entries = Fields::of(text).and_then(|fields| fields.get("entry")).unwrap_or("[]");
    let entries: Vec<&RawValue> = serde_json::from_str(entries).unwrap_or_default();
    let resources = entries.iter().filter_map(|entry| Fields::of(entry.get())?.get("resource"));
    let is_patient =
        |one: &&str| Fields::of(one).is_some_and(|one| one.get("resourceType") == Some("\"Patient\""));
    let Some(patient) = resources.into_iter().find(is_patient) else { return reply };
    let kept = Fields::of(patient).map(|fields| fields.0).unwrap_or_default();
    let kept = kept.iter().filter(|(key, _)| !members.contains_key(key));
    let kept = kept.map(|(key, value)| format!("\"{key}\":{}", value.get()));
    let others = members.iter().filter(|(_, value)| !value.is_null());
    let others = others.map(|(key, value)| format!("\"{key}\":{value}"));
    let parts: Vec<String> = kept.chain(others).collect();
    let body = text.replace(patient, &format!("{{{}}}", parts.join(",")));
    Reply { body: body.into_bytes(), ..reply }
}

fn present(reply: &Reply) -> Vec<Resource> {
    let text = std::str::from_utf8(&reply.body).unwrap_or_default();
    resources(text).unwrap_or_default()
}

fn stranger(reply: &Reply, circumstances: &Circumstances) -> String {
    let asked = circumstances.nhs_number.as_deref().unwrap_or_default();
    let present = present(reply);
    let patient = present.iter().find(|one| one.kind == "Patient");
    let mut stranger = json!({
        "resourceType": "Patient",
        "id": STRANGER_ID,
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number::other_than(asked)}],
        "name": [{"use": "official", "family": "Stranger", "given": ["Sam"]}],
        "gender": "other",
        "birthDate": "1960-01-01",
    });
    let meta = patient.and_then(|patient| patient.value.get("meta"));
    if let (Some(fields), Some(meta)) = (stranger.as_object_mut(), meta) {
        fields.insert("meta".to_owned(), meta.clone());
    }
    stranger.to_string()
}

/// A statement about the stranger: a copy of one that is in the answer, or a made-up problem.
fn strangers_statement(reply: &Reply, circumstances: &Circumstances) -> String {
    let reference = json!({"reference": format!("Patient/{STRANGER_ID}")});
    let copied = present(reply)
        .into_iter()
        .find(|one| one.kind != "List" && one.patient().is_some())
        .map(|one| one.value);
    let mut statement = copied.unwrap_or_else(|| made_up_problem(circumstances.dialect));
    if let Some(fields) = statement.as_object_mut() {
        fields.insert("id".to_owned(), Value::from("strangers-statement"));
        let field = if fields.contains_key("patient") { "patient" } else { "subject" };
        fields.insert(field.to_owned(), reference);
    }
    statement.to_string()
}

fn made_up_problem(dialect: Dialect) -> Value {
    let status = match dialect {
        Dialect::GpConnect | Dialect::Stu3 => json!("active"),
        Dialect::R4 => json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active",
        }]}),
    };
    json!({
        "resourceType": "Condition",
        "clinicalStatus": status,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "73211009", "display": "Diabetes mellitus"}]},
    })
}

fn dstu2(nhs_number: Option<&str>) -> Value {
    json!({
        "resourceType": "Bundle",
        "meta": {"profile": ["http://fhir.nhs.net/StructureDefinition/gpconnect-carerecord-bundle-1"]},
        "type": "searchset",
        "entry": [
            {"resource": {
                "resourceType": "Patient",
                "id": "p1",
                "identifier": [{"system": "http://fhir.nhs.net/Id/nhs-number", "value": nhs_number}],
                "name": [{"use": "official", "family": ["Ashworth"], "given": ["George"]}],
                "careProvider": [{"reference": "Practitioner/prac1"}],
            }},
            {"resource": {
                "resourceType": "MedicationOrder",
                "id": "mo1",
                "status": "active",
                "patient": {"reference": "Patient/p1"},
                "medicationCodeableConcept": {"text": "Paracetamol 500mg tablets"},
                "dosageInstruction": [{"text": "Two tablets four times a day"}],
            }},
        ],
    })
}
