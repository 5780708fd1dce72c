//! The sources of one cell, all ready: what the broker is configured with, what peers are told, what is asked
//! directly.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Done;
use crate::cell;
use crate::desk::{self, Target};
use crate::record::{Dialect, base_url};
use crate::relay::request;
use crate::source::{Bound, NUMBER, Source};

const FORM: &str = "application/x-www-form-urlencoded";
const FHIR: &str = "application/fhir+json";
/// What a GP Connect source is asked for: all that one request can bring.
const GP_SECTIONS: &str = "\"allergies\", \"medications\", \"problems\", \"results\", \"reports\", \"encounters\", \"referrals\", \"diary\"";
/// Path below which an R4 source answers.
const R4_ROOT: &str = "/fhir";

/// The cells of `$record`, by the names that the goals give them.
pub(crate) fn cell_of(name: &str) -> &str {
    match name {
        "S" => "3xr4-5k",
        "R" => "3xr4-50k",
        "W" => "10xr4-50k",
        "L" => "3xr4-500k",
        "X2" => "gp-500k+2xr4-50k",
        other => other,
    }
}

/// All sources of a cell.
#[derive(Debug)]
pub(crate) struct Federation {
    /// Them, in the order of the cell.
    pub(crate) sources: Vec<Placed>,
    /// Bytes that one record fetches, without the Patients.
    pub(crate) bytes: usize,
}

/// A source with what is known of it.
#[derive(Debug)]
pub(crate) struct Placed {
    /// It.
    pub(crate) source: Source,
    dialect: Dialect,
    /// Entries of its answer.
    pub(crate) entries: usize,
    patient_id: String,
}

impl Federation {
    /// Starts the sources of a cell, named as in the benchmarks.
    ///
    /// An R4 source answers two requests: the search for the Patient at once, and the search for Observations,
    /// which brings all it holds, after its wait. A GP Connect source answers one.
    pub(crate) fn start(name: &str) -> Done<Self> {
        let made = cell::sources(name).ok_or_else(|| format!("{name}: no such cell"))?;
        let bound = made.iter().map(|_| Bound::new()).collect::<Result<Vec<_>, _>>()?;
        let roots: Vec<String> = bound.iter().map(|one| format!("http://{}{R4_ROOT}", one.address)).collect();
        let mut federation = Self { sources: Vec::new(), bytes: 0 };
        for (one, bound) in made.into_iter().zip(bound) {
            // Identifiers and addresses are those of the sources as they are registered here.
            let rooted = |text: String, (at, root): (usize, &String)| text.replace(&base_url(at), root);
            let text = roots.iter().enumerate().fold(one.text, rooted);
            let placed = match one.dialect {
                Dialect::GpConnect => Placed {
                    entries: entries(&text)?.len(),
                    patient_id: String::new(),
                    dialect: one.dialect,
                    source: bound.answer("getstructuredrecord", &text, true).start(),
                },
                Dialect::R4 => searched(bound, &text)?,
            };
            federation.bytes += text.len();
            federation.sources.push(placed);
        }
        Ok(federation)
    }

    /// How long every source takes from now on.
    pub(crate) fn wait(&self, wait: Duration) {
        for one in &self.sources {
            one.source.wait(wait);
        }
    }

    /// Entries of all answers together.
    pub(crate) fn entries(&self) -> usize {
        self.sources.iter().map(|one| one.entries).sum()
    }

    /// Requests that the sources have received so far.
    pub(crate) fn asked(&self) -> u64 {
        self.sources.iter().map(|one| one.source.asked()).sum()
    }

    /// Requests that one record takes.
    pub(crate) fn requests(&self) -> usize {
        self.sources.iter().map(|one| if one.dialect == Dialect::R4 { 2 } else { 1 }).sum()
    }

    /// The sources as the broker is configured with them; `more` is for each.
    pub(crate) fn config(&self, more: &str) -> Done<String> {
        let mut text = String::new();
        for (at, one) in self.sources.iter().enumerate() {
            let address = one.source.address;
            let kind = match one.dialect {
                Dialect::GpConnect => format!(
                    "kind = \"gp\"\nprotocol = \"gpconnect-structured\"\nods = \"A99901\"\n\
                     asid = \"{}\"\nbase_url = \"http://{address}{}\"\nsections = [{GP_SECTIONS}]\n",
                    request::ASID,
                    request::ROOT
                ),
                Dialect::R4 => format!(
                    "kind = \"acute\"\nprotocol = \"fhir-r4\"\nsections = [\"results\"]\n\
                     base_url = \"http://{address}{R4_ROOT}\"\n"
                ),
            };
            writeln!(text, "[[source]]\nid = \"s{at}\"\nmax_in_flight = 1000\n{kind}{more}")?;
        }
        Ok(text)
    }

    /// What a peer is told, to make the same requests.
    pub(crate) fn plan(&self) -> Value {
        let sources: Vec<Value> = self.sources.iter().map(Placed::told).collect();
        json!({
            "operation": request::OPERATION, "parameters": request::parameters(),
            "identifier": desk::identifier(), "sources": sources,
        })
    }

    /// The first source alone, asked as broker and peers ask it.
    pub(crate) fn direct(&self) -> Done<Target> {
        let first = self.sources.first().ok_or("a cell without sources")?;
        let (host, patient) = (first.source.address, first.patient_id.clone());
        Ok(match first.dialect {
            Dialect::GpConnect => {
                let path = format!("{}{}", request::ROOT, request::OPERATION);
                let body = request::parameters();
                Target::new(host, move || vec![desk::post(host, &path, FHIR, "", &body)])
            }
            Dialect::R4 => Target::new(host, move || {
                let search = |kind: &str, form: &str| {
                    desk::post(host, &format!("{R4_ROOT}/{kind}/_search"), FORM, "", form)
                };
                vec![
                    search("Patient", &desk::identifier()),
                    search("Observation", &desk::statements(&patient)),
                ]
            }),
        })
    }
}

impl Placed {
    fn told(&self) -> Value {
        let address = self.source.address;
        match self.dialect {
            Dialect::GpConnect => {
                json!({"kind": "gp", "address": address.to_string(), "root": request::ROOT,
                    "url": format!("http://{address}{}", request::ROOT)})
            }
            Dialect::R4 => json!({"kind": "r4", "address": address.to_string(), "root": R4_ROOT,
                "url": format!("http://{address}{R4_ROOT}")}),
        }
    }
}

/// A collection becomes two searchsets: the Patient, and all the rest.
fn searched(bound: Bound, text: &str) -> Done<Placed> {
    let all = entries(text)?;
    let (patient, rest) = all.split_first().ok_or("a record without a Patient")?;
    let id = serde_json::from_str::<Value>(patient)?;
    let id = id.pointer("/resource/id").and_then(Value::as_str).ok_or("a Patient without an id")?;
    let bundle = |entries: &[&str]| {
        format!(r#"{{"resourceType":"Bundle","type":"searchset","entry":[{}]}}"#, entries.join(","))
    };
    if !patient.contains(NUMBER) {
        return Err("a Patient without the number".into());
    }
    Ok(Placed {
        entries: rest.len(),
        patient_id: id.to_owned(),
        dialect: Dialect::R4,
        source: bound
            .answer("/Patient/_search", &bundle(&[patient]), false)
            .answer("/Observation/_search", &bundle(rest), true)
            .start(),
    })
}

/// The texts of a Bundle's entries.
fn entries(text: &str) -> Done<Vec<&str>> {
    let members: BTreeMap<&str, &RawValue> = serde_json::from_str(text)?;
    let list = members.get("entry").ok_or("a Bundle without entries")?;
    let entries: Vec<&RawValue> = serde_json::from_str(list.get())?;
    Ok(entries.into_iter().map(RawValue::get).collect())
}
