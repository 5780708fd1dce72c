//! The record as an International Patient Summary (IPS 2.0.0): a document of the same statements, under the same
//! ids, with words for every section.
//!
//! The words carry what structured readers may miss: who did not answer, status, severity, source and date of
//! each statement, and where records disagree. Nothing is ever said to be absent because nobody spoke of it.

mod choose;
mod composition;
mod entries;
mod narrative;
mod sections;
mod subject;
mod xhtml;

use tributary_fhir::Writer;
use tributary_model::{OdsCode, Section, SectionSet};
use uuid::Uuid;

use self::choose::Chosen;
use self::entries::Inside;
use super::{provenance, r4};
use crate::record::Record;
use tributary_statements::load::{device_id, own_id};

/// The organisation that keeps a document: the one that runs this broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custodian {
    /// Its name.
    pub name: String,
    /// Its organisation code, when it has one.
    pub ods: Option<OdsCode>,
}

/// What a summary needs beside the record.
#[derive(Clone, Debug, Default)]
pub struct SummaryFrame<'a> {
    /// Who keeps the document; the profile takes one or none.
    pub custodian: Option<&'a Custodian>,
}

/// The sections of the record that a summary is made from: what must be asked for one.
pub const SUMMARY_SECTIONS: SectionSet = SectionSet::EMPTY
    .with(Section::Plans)
    .with(Section::Flags)
    .with(Section::Allergies)
    .with(Section::Medications)
    .with(Section::Problems)
    .with(Section::Results)
    .with(Section::Procedures)
    .with(Section::Immunisations)
    .with(Section::SocialCare)
    .with(Section::Uncategorised);

/// Where the profiles of the guide are.
const PROFILES: &str = "http://hl7.org/fhir/uv/ips/StructureDefinition/";

impl Record<'_> {
    /// The record as an IPS document. Equal records and frames give equal bytes.
    pub fn to_summary(&self, frame: &SummaryFrame<'_>) -> String {
        let chosen = choose::all(self);
        let inside = Inside::of(self, &chosen);
        let mut json = Writer::with_capacity(inside.size(self) + 32_768);
        json.object(|bundle| {
            bundle.text("resourceType", "Bundle");
            bundle.key("meta").object(|meta| {
                meta.key("profile").array(|list| list.string(&format!("{PROFILES}Bundle-uv-ips")));
                let code = self.tally().completeness().code();
                meta.key("tag")
                    .array(|tags| tags.record([("system", "urn:x-tributary:completeness"), ("code", code)]));
            });
            let id = r4::urn(document_id(self));
            bundle.key("identifier").record([("system", "urn:ietf:rfc:3986"), ("value", &id)]);
            bundle.text("type", "document");
            bundle.text("timestamp", &self.inputs.as_of.to_string());
            bundle.key("entry").array(|list| write_entries(self, frame, &chosen, &inside, list));
        });
        json.finish()
    }
}

/// The id of the document: whose, and of when.
fn document_id(record: &Record<'_>) -> Uuid {
    own_id(&format!("summary|{}|{}", record.inputs.patient.expose(), record.inputs.as_of))
}

fn composition_id(record: &Record<'_>) -> Uuid {
    own_id(&format!("composition|{}|{}", record.inputs.patient.expose(), record.inputs.as_of))
}

fn custodian_id(custodian: &Custodian) -> Uuid {
    let ods = custodian.ods.as_ref().map_or("", OdsCode::as_str);
    own_id(&format!("custodian|{ods}|{}", custodian.name))
}

fn write_entries(
    record: &Record<'_>,
    frame: &SummaryFrame<'_>,
    chosen: &[Chosen<'_>],
    inside: &Inside,
    list: &mut Writer,
) {
    r4::entry(list, composition_id(record), |json| {
        composition::write(record, frame, chosen, inside, json);
    });
    r4::entry(list, record.patient_id, |json| subject::write(record, inside, json));
    r4::entry(list, device_id(), provenance::write_device);
    if let Some(custodian) = frame.custodian {
        r4::entry(list, custodian_id(custodian), |json| write_custodian(custodian, json));
    }
    inside.write(record, list);
}

fn write_custodian(custodian: &Custodian, json: &mut Writer) {
    json.object(|organisation| {
        organisation.text("resourceType", "Organization");
        organisation.text("id", &custodian_id(custodian).to_string());
        if let Some(ods) = &custodian.ods {
            let system = "https://fhir.nhs.uk/Id/ods-organization-code";
            organisation
                .key("identifier")
                .array(|list| list.record([("system", system), ("value", ods.as_str())]));
        }
        organisation.text("name", &custodian.name);
    });
}
