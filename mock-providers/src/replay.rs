//! Recorded answers, served as a GP system would serve them.
//!
//! The bytes of a recording are sent untouched but for two places: `Bundle.id` becomes the trace id of
//! the request, and an NHS number that cannot be asked for is replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tributary_model::{Capability, Clock, Interaction, NhsNumber, SystemClock};

use crate::gp::{
    Asked, GpIdentity, SpecLevel, TRACE_HEADER, admit, nhs_number_of_body, patient_not_found, statement,
};
use crate::number;
use crate::outcome::{Dialect, Refusal, status_of};
use crate::provider::{ProviderHandle, Setup, System};
use crate::store::{Fields, is_nhs_number_system};
use crate::wire::{Reply, Request};

/// How a replay is started.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The id of the provider.
    pub id: String,
    /// Its organisation code.
    pub ods: String,
    /// Its Spine address.
    pub asid: String,
    /// Its port; 0 for any free one.
    pub port: u16,
    /// What it takes the time to be.
    pub clock: Arc<dyn Clock>,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            id: "replay".to_owned(),
            ods: "A99902".to_owned(),
            asid: "200000000206".to_owned(),
            port: 0,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Where the NHS number of a recording comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberOrigin {
    /// The recording's own, unchanged.
    Recorded,
    /// The recording's Patient had one that cannot be asked for, or that an earlier file has: it was
    /// replaced in the bytes.
    Replaced,
    /// The recording has no Patient: the number is only the key to ask for it.
    Allotted,
}

/// One recording and the number to ask for it.
#[derive(Clone, Debug)]
pub struct ReplayPatient {
    /// The file's name.
    pub file: String,
    /// The NHS number to ask for.
    pub nhs_number: String,
    /// Where the number comes from.
    pub origin: NumberOrigin,
}

/// Serves a JSON file, or every `*.json` of a folder in the order of their names.
///
/// A number is replaced by one of the 999 range that is derived from the file's name, so it is the same
/// in every run.
pub async fn start_replay(
    path: impl AsRef<Path>,
    options: ReplayOptions,
) -> io::Result<(ProviderHandle, Vec<ReplayPatient>)> {
    let mut patients = Vec::new();
    let mut recordings = BTreeMap::new();
    let mut used = BTreeSet::new();
    for file in files(path.as_ref()).await? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = tokio::fs::read(&file).await?;
        let (recording, origin, nhs_number) = Recording::read(&name, bytes, &used);
        used.insert(nhs_number.clone());
        recordings.insert(nhs_number.clone(), recording);
        patients.push(ReplayPatient { file: name, nhs_number, origin });
    }
    let identity = GpIdentity { ods: options.ods, asid: options.asid, clock: options.clock };
    let setup = Setup {
        id: options.id,
        root: identity.root(Capability::Structured),
        roots: BTreeMap::new(),
        port: options.port,
        scenes: BTreeMap::new(),
    };
    let provider = ProviderHandle::start(setup, Box::new(ReplaySystem { identity, recordings }))?;
    Ok((provider, patients))
}

async fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if tokio::fs::metadata(path).await?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folder = tokio::fs::read_dir(path).await?;
    while let Some(entry) = folder.next_entry().await? {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[derive(Debug)]
struct Recording {
    status: u16,
    bytes: Vec<u8>,
    /// Where the value of `Bundle.id` stands, quotes included.
    id: Option<(usize, usize)>,
}

impl Recording {
    fn read(name: &str, bytes: Vec<u8>, used: &BTreeSet<String>) -> (Self, NumberOrigin, String) {
        let fresh = || {
            let mut fresh = number::of_seed(name);
            while used.contains(&fresh) {
                fresh = number::following(&fresh);
            }
            fresh
        };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let status = status(text);
        let Some((start, end)) = number_place(text) else {
            let id = bundle_id(text);
            return (Self { status, bytes, id }, NumberOrigin::Allotted, fresh());
        };
        let recorded = text.get(start..end).unwrap_or_default().trim_matches('"').to_owned();
        let can_be_asked =
            NhsNumber::parse(&recorded).is_ok() && recorded.len() == 10 && !used.contains(&recorded);
        if can_be_asked {
            let id = bundle_id(text);
            return (Self { status, bytes, id }, NumberOrigin::Recorded, recorded);
        }
        let number = fresh();
        // Lists may name the patient by number instead of by reference: they keep meaning the same patient.
        let old = text.get(start..end).unwrap_or_default();
        let replaced = text.replace(old, &format!("\"{number}\""));
        let id = bundle_id(&replaced);
        (Self { status, bytes: replaced.into_bytes(), id }, NumberOrigin::Replaced, number)
    }

    fn reply(&self, trace_id: &str) -> Reply {
        let Some((start, end)) = self.id else {
            return Reply::fhir(self.status, self.bytes.clone());
        };
        let (before, rest) = self.bytes.split_at(start);
        let (_, after) = rest.split_at(end - start);
        Reply::fhir(self.status, [before, Value::from(trace_id).to_string().as_bytes(), after].concat())
    }
}

/// The status a recording goes with: 200, unless it is an `OperationOutcome` with a Spine code.
fn status(text: &str) -> u16 {
    let Ok(resource) = serde_json::from_str::<Value>(text) else {
        return 200;
    };
    if resource.get("resourceType").and_then(Value::as_str) != Some("OperationOutcome") {
        return 200;
    }
    let code = resource.pointer("/issue/0/details/coding/0/code").and_then(Value::as_str);
    code.and_then(status_of).unwrap_or(500)
}

/// Where the value of `Bundle.id` stands.
fn bundle_id(text: &str) -> Option<(usize, usize)> {
    let fields = Fields::of(text)?;
    let is_bundle = fields.get("resourceType")?.contains("Bundle");
    let id = fields.get("id").filter(|_| is_bundle)?;
    place(text, id)
}

/// Where the NHS number of the first Patient stands, quotes included.
fn number_place(text: &str) -> Option<(usize, usize)> {
    let bundle = Fields::of(text)?;
    let entries: Vec<&serde_json::value::RawValue> = serde_json::from_str(bundle.get("entry")?).ok()?;
    let resources =
        entries.iter().filter_map(|entry| Fields::of(entry.get())?.get("resource")).filter_map(Fields::of);
    let patient = resources
        .into_iter()
        .find(|one| one.get("resourceType").is_some_and(|kind| kind == "\"Patient\""))?;
    let identifiers: Vec<&serde_json::value::RawValue> =
        serde_json::from_str(patient.get("identifier")?).ok()?;
    let value = identifiers
        .iter()
        .filter_map(|identifier| Fields::of(identifier.get()))
        .find(|one| {
            let system = one.get("system").unwrap_or_default().trim_matches('"');
            is_nhs_number_system(system)
        })?
        .get("value")?;
    place(text, value)
}

/// Where a part of a text stands in it.
fn place(text: &str, part: &str) -> Option<(usize, usize)> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some((start, start + part.len()))
}

#[derive(Debug)]
struct ReplaySystem {
    identity: GpIdentity,
    recordings: BTreeMap<String, Recording>,
}

impl ReplaySystem {
    fn respond(&self, request: &Request) -> Result<Reply, Refusal> {
        let level = SpecLevel::default();
        let interaction = admit(&self.identity, request)?.interaction;
        if interaction == Interaction::StructuredMetadata {
            return Ok(Reply::fhir(200, statement(Capability::Structured, level).to_string()));
        }
        if interaction != Interaction::GetStructuredRecord {
            return Err(Refusal::new(501, "NOT_IMPLEMENTED", "a replay serves Structured only"));
        }
        let asked = Asked::read(&request.body, self.identity.clock.now(), level)?;
        let recording = self.recordings.get(&asked.nhs_number).ok_or_else(patient_not_found)?;
        Ok(recording.reply(request.header(TRACE_HEADER).unwrap_or_default()))
    }
}

impl System for ReplaySystem {
    fn dialect(&self) -> Dialect {
        Dialect::GpConnect
    }

    fn nhs_number(&self, request: &Request) -> Option<String> {
        nhs_number_of_body(&request.body)
    }

    fn answer(&self, request: &Request, _disabled: &[String]) -> Reply {
        self.respond(request).unwrap_or_else(|refusal| refusal.reply(Dialect::GpConnect))
    }
}
