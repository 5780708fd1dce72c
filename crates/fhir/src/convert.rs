//! STU3 to R4 and back, by explicit tables.
//!
//! One table for each resource type says which element is renamed, reshaped or recoded. Whatever a table does
//! not name is copied byte for byte; whatever R4 has no home for is kept as an extension and noted. A type
//! without a table is carried whole, so nothing a source sent is ever silently gone.

mod administration;
mod allergy;
mod appointment;
mod back;
mod care_plan;
mod care_team;
mod carried;
mod communication;
mod composition;
mod data;
mod device;
mod discrepancy;
mod document;
mod edit;
mod encounter;
mod episode_of_care;
mod extension;
mod family_history;
mod flag;
mod goal;
mod immunisation;
mod impression;
mod kept;
mod list;
mod media;
mod medication;
mod observation;
mod patient;
mod problem;
mod procedure;
mod provenance;
mod questionnaire_response;
mod report;
mod request;
mod restore;
mod rewrite;
mod risk;
mod task;
mod to_stu3;

use tributary_model::FaultClass;

use crate::bundle::{Bundle, Entry, id_of, type_of};
use crate::draft::{Draft, Fields};
use crate::json::{Document, Json, Kind, Limits, Sheet};
use crate::reply::{Carried, LossNote};

use edit::Notes;
use rewrite::Rewriter;
pub use to_stu3::convert_bundle_to_stu3;

/// Marks an entry whose resource has another type than the source gave it.
const ORIGINAL_TYPE: &str = "urn:x-tributary:original-type";

/// A bundle in R4 and what the conversion has to say about it.
#[derive(Debug)]
pub struct Converted {
    /// The bundle, one entry for every entry of the original, in the same order.
    pub document: Document,
    /// Elements that found no home.
    pub losses: Vec<LossNote>,
    /// Resources carried whole as `Binary`.
    pub carried: Vec<Carried>,
}

/// Converts a scanned STU3 Bundle.
pub fn convert_bundle(stu3: &Document) -> Result<Converted, FaultClass> {
    let bundle = Bundle::of(stu3)?;
    let mut writing = Writing { rewriter: Rewriter::of(bundle), losses: Vec::new(), carried: Vec::new() };
    let mut out = Sheet::like(stu3);
    out.object(|out| {
        out.key("resourceType").string("Bundle");
        out.key("type").string("collection");
        // An empty array is not allowed in FHIR.
        if bundle.entries().next().is_some() {
            out.key("entry").array(|out| bundle.entries().for_each(|entry| writing.entry(entry, out)));
        }
    });
    let document = out.finish(&room(usize::MAX))?;
    let Writing { losses, carried, .. } = writing;
    Ok(Converted { document, losses, carried })
}

/// Limits for our own text. Its original has passed the gate; wrapping and extensions make it deeper and
/// richer in tokens, and a carried resource becomes one long string.
pub fn room(bytes: usize) -> Limits {
    let gate = Limits::default();
    Limits { depth: gate.depth * 4, tokens: gate.tokens * 4, string_bytes: bytes, ..gate }
}

/// What a table does to a resource.
type Table = for<'d> fn(&mut Fields<'d>, &mut Notes<'_>);

/// The R4 type of a STU3 type, and the table that leads there.
fn table(stu3: &str) -> Option<(&'static str, Table)> {
    let found: (&'static str, Table) = match stu3 {
        "AllergyIntolerance" => ("AllergyIntolerance", allergy::to_r4),
        "Appointment" => ("Appointment", appointment::to_r4),
        "Basic" => ("Basic", administration::unchanged),
        "CarePlan" => ("CarePlan", care_plan::to_r4),
        "CareTeam" => ("CareTeam", care_team::to_r4),
        "ClinicalImpression" => ("ClinicalImpression", impression::to_r4),
        "Communication" => ("Communication", communication::to_r4),
        "CommunicationRequest" => ("CommunicationRequest", communication::request_to_r4),
        "Composition" => ("Composition", composition::to_r4),
        "Condition" => ("Condition", problem::to_r4),
        "DetectedIssue" => ("DetectedIssue", discrepancy::to_r4),
        "Device" => ("Device", device::to_r4),
        "DeviceUseStatement" => ("DeviceUseStatement", device::usage_to_r4),
        "DiagnosticReport" => ("DiagnosticReport", report::to_r4),
        "DocumentReference" => ("DocumentReference", document::to_r4),
        "Encounter" => ("Encounter", encounter::to_r4),
        "Endpoint" => ("Endpoint", administration::unchanged),
        "EpisodeOfCare" => ("EpisodeOfCare", episode_of_care::to_r4),
        "FamilyMemberHistory" => ("FamilyMemberHistory", family_history::to_r4),
        "Flag" => ("Flag", flag::to_r4),
        "Goal" => ("Goal", goal::to_r4),
        "Group" => ("Group", administration::unchanged),
        "HealthcareService" => ("HealthcareService", administration::healthcare_service),
        "Immunization" => ("Immunization", immunisation::to_r4),
        "List" => ("List", list::to_r4),
        "Location" => ("Location", administration::location),
        "Media" => ("Media", media::to_r4),
        "Medication" => ("Medication", medication::product),
        "MedicationAdministration" => ("MedicationAdministration", medication::administration),
        "MedicationDispense" => ("MedicationDispense", medication::dispense),
        "MedicationRequest" => ("MedicationRequest", medication::request),
        "MedicationStatement" => ("MedicationStatement", medication::statement),
        "Observation" => ("Observation", observation::to_r4),
        "Organization" => ("Organization", administration::unchanged),
        "Patient" => ("Patient", patient::to_r4),
        "Practitioner" => ("Practitioner", administration::unchanged),
        "PractitionerRole" => ("PractitionerRole", administration::unchanged),
        "Procedure" => ("Procedure", procedure::to_r4),
        "ProcedureRequest" => ("ServiceRequest", request::procedure),
        "QuestionnaireResponse" => ("QuestionnaireResponse", questionnaire_response::to_r4),
        "ReferralRequest" => ("ServiceRequest", request::referral),
        "RelatedPerson" => ("RelatedPerson", administration::related_person),
        "RiskAssessment" => ("RiskAssessment", risk::to_r4),
        "Schedule" => ("Schedule", appointment::offer),
        "Slot" => ("Slot", appointment::offer),
        "Specimen" => ("Specimen", report::specimen),
        "Substance" => ("Substance", administration::unchanged),
        "Task" => ("Task", task::to_r4),
        _ => return None,
    };
    Some(found)
}

/// What is known while the new text is written.
struct Writing<'d> {
    rewriter: Rewriter<'d>,
    losses: Vec<LossNote>,
    carried: Vec<Carried>,
}

impl<'d> Writing<'d> {
    fn entry(&mut self, entry: Entry<'d>, out: &mut Sheet) {
        let kind = type_of(entry.resource);
        out.object(|out| {
            if let Some(full_url) = entry.full_url.filter(|url| url.kind() == Kind::String) {
                out.key("fullUrl").copy(full_url, &mut |_, _| None);
            }
            match table(&kind) {
                // Outcomes say what the source said, in words that both versions share.
                _ if kind == "OperationOutcome" => {
                    out.key("resource").copy(entry.resource, &mut |_, _| None);
                }
                Some((r4, table)) => {
                    original_type(&kind, r4, out);
                    self.resource(entry.resource, &kind, (r4, table), out);
                }
                None => {
                    original_type(&kind, "Binary", out);
                    self.whole(entry.resource, &kind, out);
                }
            }
        });
    }

    fn resource(
        &mut self,
        resource: Json<'d>,
        stu3: &str,
        (r4, table): (&'static str, Table),
        out: &mut Sheet,
    ) {
        let id = id_of(resource).unwrap_or_default();
        let statement = format!("{stu3}/{id}");
        let mut notes = Notes::new(&statement, resource, &mut self.losses);
        let mut fields = Fields::open(resource);
        contained(&mut fields, stu3, &mut notes);
        apply(&mut fields, stu3, (r4, table), &mut notes);
        fields.write_on(out.key("resource"), &mut |mark, text| self.rewriter.replacement(mark, text));
    }

    fn whole(&mut self, resource: Json<'d>, stu3: &str, out: &mut Sheet) {
        let id = carried::id(resource);
        carried::binary(resource, &id)
            .write_on(out.key("resource"), &mut |mark, text| self.rewriter.replacement(mark, text));
        self.carried.push(Carried { resource_type: stu3.to_owned(), binary_id: id });
    }
}

fn original_type(stu3: &str, r4: &str, out: &mut Sheet) {
    if stu3 != r4 {
        out.key("extension").array(|list| {
            list.object(|mark| {
                mark.key("url").string(ORIGINAL_TYPE);
                mark.key("valueCode").string(stu3);
            });
        });
    }
}

fn apply(fields: &mut Fields<'_>, stu3: &str, (r4, table): (&'static str, Table), notes: &mut Notes<'_>) {
    if stu3 != r4 {
        fields.put("resourceType", Draft::string(r4));
    }
    table(fields, notes);
}

/// Contained resources are converted where they stand: ended allergies are sent so (GP Connect 5.2).
/// A type without a table stays as it is, for a `Binary` cannot be read in place of it.
fn contained(fields: &mut Fields<'_>, container: &str, notes: &mut Notes<'_>) {
    let Some(items) = fields.get_mut("contained").and_then(Draft::items) else { return };
    for item in items {
        let Some(resource) = item.raw() else { continue };
        let stu3 = type_of(resource);
        match table(&stu3) {
            Some(found) => {
                let mut own = notes.within(resource);
                if let Some(inner) = item.fields() {
                    apply(inner, &stu3, found, &mut own);
                }
            }
            None => notes.kept(format!("{container}.contained")),
        }
    }
}

#[cfg(test)]
mod tests;
