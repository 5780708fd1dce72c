//! R4 to STU3, for callers who read the merged record in STU3.
//!
//! The same tables, backwards. What came from STU3 goes back to the element it came from; what only R4 can say
//! is kept as an extension and noted. A type without a table, and a medicine that must *not* be given, are
//! carried whole: STU3 has no words for them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use tributary_model::FaultClass;

use crate::bundle::{Bundle, Entry, id_of, type_of};
use crate::draft::{Draft, Fields};
use crate::json::{Document, Json, Kind, Mark};
use crate::outcome::{ExtensionValue, Issue, SimpleExtension};
use crate::reply::{Carried, LossNote};
use crate::write::Writer;

use super::edit::Notes;
use super::kept::FROM_R4;
use super::restore::restore;
use super::{
    Converted, ORIGINAL_TYPE, Table, administration, allergy, appointment, care_plan, care_team, carried,
    communication, data, device, discrepancy, document, encounter, episode_of_care, flag, goal, immunisation,
    impression, list, medication, observation, patient, problem, procedure, provenance,
    questionnaire_response, report, request, rewrite, room, task,
};

/// Marks what the conversion has to say to readers of the bundle.
const NOTICE: &str = "urn:x-tributary:conversion-notice";

/// Converts a scanned R4 Bundle.
///
/// Its first entry, if that is an `OperationOutcome`, gets one warning for each type and reason that is carried whole.
pub fn convert_bundle_to_stu3(r4: &Document) -> Result<Converted, FaultClass> {
    let bundle = Bundle::of_own(r4)?;
    let plan = Plan::of(bundle);
    let mut writing = Writing {
        out: String::with_capacity(r4.text().len() + r4.text().len() / 8),
        plan,
        losses: Vec::new(),
        carried: Vec::new(),
    };
    writing.head(r4.root());
    for (index, entry) in bundle.entries().enumerate() {
        writing.out.push_str(if index == 0 { r#","entry":["# } else { "," });
        writing.entry(index, entry);
    }
    writing.out.push_str(if bundle.entries().next().is_some() { "]}" } else { "}" });
    let Writing { out, losses, carried, .. } = writing;
    let limits = room(out.len());
    let document = Document::scan(out.into_bytes(), &limits).map_err(|rejection| rejection.class)?;
    Ok(Converted { document, losses, carried })
}

/// The STU3 type of an R4 type, and the table that leads there. `ServiceRequest` has two.
fn table(r4: &str) -> Option<(&'static str, Table)> {
    let found: (&'static str, Table) = match r4 {
        "AllergyIntolerance" => ("AllergyIntolerance", allergy::to_stu3),
        "Appointment" => ("Appointment", appointment::to_stu3),
        "Basic" => ("Basic", administration::unchanged),
        "Binary" => ("Binary", carried::to_stu3),
        "CarePlan" => ("CarePlan", care_plan::to_stu3),
        "CareTeam" => ("CareTeam", care_team::to_stu3),
        "ClinicalImpression" => ("ClinicalImpression", impression::to_stu3),
        "Communication" => ("Communication", communication::to_stu3),
        "Condition" => ("Condition", problem::to_stu3),
        "DetectedIssue" => ("DetectedIssue", discrepancy::to_stu3),
        "Device" => ("Device", device::to_stu3),
        "DiagnosticReport" => ("DiagnosticReport", report::to_stu3),
        "DocumentReference" => ("DocumentReference", document::to_stu3),
        "Encounter" => ("Encounter", encounter::to_stu3),
        "Endpoint" => ("Endpoint", administration::unchanged),
        "EpisodeOfCare" => ("EpisodeOfCare", episode_of_care::to_stu3),
        "Flag" => ("Flag", flag::to_stu3),
        "Goal" => ("Goal", goal::to_stu3),
        "Group" => ("Group", administration::group_to_stu3),
        "HealthcareService" => ("HealthcareService", administration::healthcare_service_to_stu3),
        "Immunization" => ("Immunization", immunisation::to_stu3),
        "List" => ("List", list::to_stu3),
        "Location" => ("Location", administration::location_to_stu3),
        "Medication" => ("Medication", medication::back::product),
        "MedicationAdministration" => ("MedicationAdministration", medication::back::administration),
        "MedicationDispense" => ("MedicationDispense", medication::back::dispense),
        "MedicationRequest" => ("MedicationRequest", medication::back::request),
        "MedicationStatement" => ("MedicationStatement", medication::back::statement),
        "Observation" => ("Observation", observation::to_stu3),
        "Organization" => ("Organization", administration::unchanged),
        "Patient" => ("Patient", patient::to_stu3),
        "Practitioner" => ("Practitioner", administration::unchanged),
        "PractitionerRole" => ("PractitionerRole", administration::unchanged),
        "Procedure" => ("Procedure", procedure::to_stu3),
        "Provenance" => ("Provenance", provenance::to_stu3),
        "QuestionnaireResponse" => ("QuestionnaireResponse", questionnaire_response::to_stu3),
        "RelatedPerson" => ("RelatedPerson", administration::related_person_to_stu3),
        "Schedule" => ("Schedule", appointment::schedule_to_stu3),
        "Slot" => ("Slot", appointment::slot_to_stu3),
        "Specimen" => ("Specimen", report::specimen_to_stu3),
        "Substance" => ("Substance", administration::unchanged),
        "Task" => ("Task", task::to_stu3),
        _ => return None,
    };
    Some(found)
}

/// What becomes of one resource.
#[derive(Clone, Copy)]
enum Way {
    /// An outcome has the same shape in both versions.
    Outcome,
    /// By table, to this type.
    Table(&'static str, Table),
    /// Carried whole, for want of a table or of words.
    Whole(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// No table, or something inside that STU3 cannot say.
    NoTable,
    /// A medicine that must not be given: as a STU3 request it would be an order.
    Forbids,
}

impl Way {
    fn of(resource: Json<'_>, original: Option<&str>) -> Self {
        let kind = type_of(resource);
        let inside = || resource.get("contained").into_iter().flat_map(Json::each);
        match kind.as_ref() {
            "OperationOutcome" => Self::Outcome,
            "MedicationRequest" if medication::back::is_forbidden(resource) => Self::Whole(Reason::Forbids),
            "MedicationRequest" if !medication::back::has_known_intent(resource) => {
                Self::Whole(Reason::NoTable)
            }
            // What is contained cannot be put into a `Binary`, so its container is.
            _ if inside().any(|one| matches!(Self::of(one, None), Self::Whole(Reason::Forbids))) => {
                Self::Whole(Reason::Forbids)
            }
            _ if inside().any(|one| matches!(Self::of(one, None), Self::Whole(_))) => {
                Self::Whole(Reason::NoTable)
            }
            // A signature names its signer otherwise, and must not be altered.
            "Provenance" if resource.get("signature").is_some() => Self::Whole(Reason::NoTable),
            "ServiceRequest" => Self::of_request(resource, original),
            other => {
                table(other).map_or(Self::Whole(Reason::NoTable), |(kind, table)| Self::Table(kind, table))
            }
        }
    }

    fn of_request(resource: Json<'_>, original: Option<&str>) -> Self {
        let forbids = resource.get("doNotPerform").is_some_and(|flag| flag.kind() != Kind::False)
            || resource.get("_doNotPerform").is_some();
        if request::is_referral(resource, original) && !forbids {
            Self::Table("ReferralRequest", request::referral_to_stu3)
        } else {
            Self::Table("ProcedureRequest", request::procedure_to_stu3)
        }
    }
}

/// What becomes of every entry, known before the first is written: lists and references come first.
struct Plan<'d> {
    ways: Vec<Way>,
    /// How many of each type are carried whole, and why.
    carried: BTreeMap<(Reason, Cow<'d, str>), u64>,
    /// References to medicines that must not be given.
    forbidden: HashSet<String>,
    /// New types of requests by id; `None` where an id leads to two of them.
    requests: HashMap<Cow<'d, str>, Option<&'static str>>,
}

impl<'d> Plan<'d> {
    fn of(bundle: Bundle<'d>) -> Self {
        let mut plan = Self {
            ways: Vec::new(),
            carried: BTreeMap::new(),
            forbidden: HashSet::new(),
            requests: HashMap::new(),
        };
        for entry in bundle.entries() {
            let mark = entry.extensions().find(|one| one.says("url", ORIGINAL_TYPE));
            let original = mark.and_then(|mark| mark.text_at("valueCode"));
            let way = Way::of(entry.resource, original.as_deref());
            plan.note(entry, way);
            plan.ways.push(way);
        }
        plan
    }

    fn note(&mut self, entry: Entry<'d>, way: Way) {
        let kind = type_of(entry.resource);
        let id = id_of(entry.resource);
        match way {
            Way::Whole(reason) => {
                if reason == Reason::Forbids {
                    self.forbidden.extend(entry.full_url.and_then(Json::text).map(Cow::into_owned));
                    self.forbidden.extend(id.map(|id| format!("{kind}/{id}")));
                }
                *self.carried.entry((reason, kind)).or_default() += 1;
            }
            Way::Table(stu3, _) if kind == "ServiceRequest" => {
                if let Some(id) = id {
                    let known = self.requests.entry(id).or_insert(Some(stu3));
                    if *known != Some(stu3) {
                        *known = None;
                    }
                }
            }
            Way::Table(..) | Way::Outcome => {}
        }
    }

    /// The new text of a marked string, if it changes.
    fn replacement(&self, mark: Mark, text: &str) -> Option<String> {
        match mark {
            Mark::System => rewrite::system_of_stu3(text),
            Mark::Attachment | Mark::Narrative => None,
            Mark::Reference => {
                let target = text.strip_prefix("ServiceRequest/")?;
                let id = target.split(['/', '#']).next().unwrap_or(target);
                let kind = (*self.requests.get(id)?)?;
                Some(format!("{kind}/{target}"))
            }
        }
    }

    /// One warning for each type that is carried whole.
    fn warnings(&self) -> Vec<Draft<'static>> {
        let issues = self.carried.iter().map(|((reason, kind), count)| {
            let (code, text) = match reason {
                Reason::Forbids => (
                    "do-not-give",
                    format!(
                        "{count} {kind}: a medicine must NOT be given. STU3 cannot say so, and this is no order. \
                         Attached whole as Binary (FHIR 4.0)."
                    ),
                ),
                Reason::NoTable => (
                    "carried-whole",
                    format!("{count} {kind}: STU3 cannot say this. Attached whole as Binary (FHIR 4.0)."),
                ),
            };
            let count =
                SimpleExtension { url: "urn:x-tributary:count", value: ExtensionValue::Unsigned(*count) };
            let issue = Issue {
                severity: "warning",
                code: "incomplete",
                extensions: vec![count],
                text: Some(text),
                ..Issue::default()
            };
            let mut json = Writer::with_capacity(512);
            issue.coded(NOTICE, code, None).write(&mut json);
            Draft::Text(Cow::Owned(json.finish()))
        });
        issues.collect()
    }
}

/// The new text as far as it is written.
struct Writing<'d> {
    out: String,
    plan: Plan<'d>,
    losses: Vec<LossNote>,
    carried: Vec<Carried>,
}

impl<'d> Writing<'d> {
    /// The members of the Bundle itself. STU3 has no `timestamp`, so it says when the Bundle was last updated.
    fn head(&mut self, bundle: Json<'d>) {
        let mut fields = Fields::open(bundle);
        fields.take("entry");
        if let Some(instant) = fields.take("timestamp") {
            if !fields.has("meta") {
                fields.put("meta", Draft::Object(Fields::default()));
            }
            fields.each("meta", |meta| {
                if meta.has("lastUpdated") {
                    let url = Draft::string(&format!("{FROM_R4}Bundle.timestamp"));
                    let kept = Draft::object([("url", url), ("valueInstant", instant.clone())]);
                    meta.append("extension", kept);
                } else {
                    meta.put("lastUpdated", instant.clone());
                }
            });
        }
        fields.each("meta", source);
        let Self { out, plan, .. } = self;
        fields.write(out, &mut |mark, text| plan.replacement(mark, text));
        // The entries follow inside the same object.
        out.pop();
    }

    fn entry(&mut self, index: usize, entry: Entry<'d>) {
        let way = self.plan.ways.get(index).copied().unwrap_or(Way::Whole(Reason::NoTable));
        self.out.push('{');
        if let Some(full_url) = entry.full_url.filter(|url| url.kind() == Kind::String) {
            self.out.push_str(r#""fullUrl":"#);
            self.out.push_str(full_url.raw());
            self.out.push(',');
        }
        let fields = match way {
            Way::Outcome => self.outcome(index, entry.resource),
            Way::Table(stu3, table) => self.resource(entry.resource, (stu3, table)),
            Way::Whole(_) => {
                let mark = Draft::object([
                    ("url", Draft::string(ORIGINAL_TYPE)),
                    ("valueCode", Draft::string(&type_of(entry.resource))),
                ]);
                self.out.push_str(r#""extension":["#);
                mark.write(&mut self.out, &mut |_, _| None);
                self.out.push_str("],");
                self.whole(entry.resource)
            }
        };
        self.out.push_str(r#""resource":"#);
        let Self { out, plan, .. } = self;
        fields.write(out, &mut |mark, text| plan.replacement(mark, text));
        self.out.push('}');
    }

    fn outcome(&self, index: usize, resource: Json<'d>) -> Fields<'d> {
        let mut fields = Fields::open(resource);
        if index == 0 {
            fields.append_all("issue", self.plan.warnings());
        }
        fields.each("meta", source);
        data::mend_fields(&mut fields);
        fields
    }

    fn resource(&mut self, resource: Json<'d>, (stu3, table): (&'static str, Table)) -> Fields<'d> {
        let id = id_of(resource).unwrap_or_default();
        let statement = format!("{}/{id}", type_of(resource));
        let mut notes = Notes::of_r4(&statement, resource, &mut self.losses);
        let mut fields = Fields::open(resource);
        contained(&mut fields, &mut notes);
        apply(&mut fields, (stu3, table), &mut notes);
        if stu3 == "List" {
            forbidding(&mut fields, resource, &self.plan.forbidden);
        }
        fields
    }

    fn whole(&mut self, resource: Json<'d>) -> Fields<'d> {
        let id = carried::id(resource);
        let mut fields = carried::binary_of_r4(resource, &id);
        fields.each("meta", source);
        data::mend_fields(&mut fields);
        self.carried.push(Carried { resource_type: type_of(resource).into_owned(), binary_id: id });
        fields
    }
}

fn apply(fields: &mut Fields<'_>, (stu3, table): (&'static str, Table), notes: &mut Notes<'_>) {
    if fields.text_at("resourceType").is_none_or(|kind| kind != stu3) {
        fields.put("resourceType", Draft::string(stu3));
    }
    table(fields, notes);
    restore(fields, stu3);
    fields.each("meta", source);
    data::mend_fields(fields);
}

/// Every contained resource has a table here, or its container would be carried whole.
fn contained(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let Some(items) = fields.get_mut("contained").and_then(Draft::items) else { return };
    for item in items {
        let Some(resource) = item.raw() else { continue };
        if let Way::Table(stu3, table) = Way::of(resource, None)
            && let Some(inner) = item.fields()
        {
            apply(inner, (stu3, table), &mut notes.within(resource));
        }
    }
}

/// Where a resource came from has no element in STU3.
fn source(meta: &mut Fields<'_>) {
    let pair = (meta.take("source"), meta.take("_source"));
    if pair.0.is_none() && pair.1.is_none() {
        return;
    }
    let mut extension = Fields::default();
    extension.put("url", Draft::string(&format!("{FROM_R4}Meta.source")));
    for (key, value) in [("valueUri", pair.0), ("_valueUri", pair.1)] {
        if let Some(value) = value {
            extension.put(key, value);
        }
    }
    meta.append("extension", Draft::Object(extension));
}

/// Says in a List which of its entries forbid a medicine.
fn forbidding(fields: &mut Fields<'_>, list: Json<'_>, forbidden: &HashSet<String>) {
    let reference =
        |entry: Json<'_>| entry.path(&["item", "reference"]).and_then(Json::text).map(Cow::into_owned);
    let forbids = |entry: Json<'_>| reference(entry).is_some_and(|target| forbidden.contains(&target));
    let entries = || list.get("entry").into_iter().flat_map(Json::items);
    if forbidden.is_empty() || !entries().any(forbids) {
        return;
    }
    let marks: Vec<bool> = entries().map(forbids).collect();
    let count = marks.iter().filter(|mark| **mark).count();
    if let Some(items) = fields.get_mut("entry").and_then(Draft::items) {
        for (item, _) in items.iter_mut().zip(marks).filter(|(_, mark)| *mark) {
            if let Some(entry) = item.fields().filter(|entry| !entry.has("flag")) {
                entry.put("flag", Draft::object([("text", Draft::literal("\"Do NOT give\""))]));
            }
        }
    }
    let text = format!(
        "{count} of these entries say that a medicine must NOT be given. They are attached whole and are no orders."
    );
    fields.append("note", Draft::object([("text", Draft::string(&text))]));
}
