//! Searches by a business identifier, and the searchsets that answer them.

use serde_json::{Value, json};
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;

use crate::outcome::Refusal;
use crate::store::Resource;
use crate::wire::{Reply, Request};

use super::parameters::invalid;
use super::{GpSystem, TRACE_HEADER};

const SEARCHSET_PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-Searchset-Bundle-1";

/// The value of the one `identifier` of a search, which must be of this system.
pub(super) fn identifier<'r>(request: &'r Request, system: &str) -> Result<&'r str, Refusal> {
    let mut given = request.query.iter().filter(|(name, _)| name == "identifier");
    let (Some((_, token)), None) = (given.next(), given.next()) else {
        return Err(Refusal::bad_request("the search takes one identifier parameter"));
    };
    let (own, value) = token.split_once('|').unwrap_or(("", token));
    if own.is_empty() || value.is_empty() {
        return Err(invalid("identifier lacks its system or its value"));
    }
    if own != system {
        return Err(Refusal::new(400, "INVALID_IDENTIFIER_SYSTEM", "identifier"));
    }
    Ok(value)
}

/// The NHS number that a search names, whether it is answered or not.
pub(super) fn number_asked(request: &Request) -> Option<String> {
    identifier(request, NHS_NUMBER_SYSTEM).ok().map(str::to_owned)
}

/// What an entry of a searchset is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Match,
    Include,
}

impl GpSystem {
    /// A searchset; its id is the trace id of the request.
    pub(super) fn searchset(&self, request: &Request, entries: &[(Mode, &Resource)]) -> Reply {
        let total = entries.iter().filter(|(mode, _)| *mode == Mode::Match).count();
        let texts: Vec<String> =
            entries.iter().map(|(mode, one)| self.searchset_entry(request, *mode, one)).collect();
        let mut bundle = json!({
            "resourceType": "Bundle",
            "id": request.header(TRACE_HEADER),
            "meta": {"profile": [SEARCHSET_PROFILE]},
            "type": "searchset",
            "total": total,
        })
        .to_string();
        // The texts of the resources are sent as they stand in the record.
        if !texts.is_empty() {
            bundle.pop();
            bundle.extend([",\"entry\":[", texts.join(",").as_str(), "]}"]);
        }
        Reply::fhir(200, bundle)
    }

    fn searchset_entry(&self, request: &Request, mode: Mode, one: &Resource) -> String {
        let root = self.whole_root(request);
        let mode = match mode {
            Mode::Match => "match",
            Mode::Include => "include",
        };
        format!(
            "{{\"fullUrl\":{},\"resource\":{},\"search\":{{\"mode\":\"{mode}\"}}}}",
            Value::from(format!("{root}/{}", one.reference())),
            one.text
        )
    }
}
