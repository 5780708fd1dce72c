//! What a statement says, reduced to what grouping needs: section, key, date, polarity, standing.

mod allergy;
mod medicine;
mod other;
mod plan;
mod problem;
mod result;

use std::borrow::Cow;

use tributary_fhir::Json;
use tributary_model::{FhirDate, Section};

use crate::concept;
use crate::load::{Loaded, Statement};
use crate::maps::Maps;

pub use allergy::{Allergy, Scope};
pub use medicine::{Medicine, Position, Stop, hang, parent};
pub use plan::Cpr;
pub use problem::Problem;
pub use result::{Finding, Standing};

/// The facts of one statement.
#[derive(Clone)]
pub struct Facts {
    /// Where it belongs.
    pub section: Section,
    /// Equal keys in one section make a line.
    pub key: String,
    /// Whether the key stands for a concept, so that equal names under other keys are worth a remark.
    pub conceptual: bool,
    /// Words to show.
    pub title: String,
    /// The date that orders it.
    pub date: Option<FhirDate>,
    /// When it ended.
    pub end: Option<FhirDate>,
    /// Dose, value or other words.
    pub detail: String,
    /// Kept, but said to be a mistake by its own source.
    pub in_error: bool,
    /// What its source says of who may see it.
    pub label: Option<&'static str>,
    /// Set when it is not, or no longer, what its title says: `ended`, `ruled out`, `superseded`.
    pub lapsed: Option<&'static str>,
    /// Words a reader must see beside the title: `suspected`, `not to be done`.
    pub remark: Option<&'static str>,
    /// Whether everything that changes its meaning is known here.
    pub understood: bool,
    /// The classes it is of, for prompts.
    pub classes: Classes,
    /// What kind of thing it is.
    pub thing: Thing,
}

/// The classes of a medicine or of an allergy's agent, as the maps for prompts have them.
#[derive(Clone, Default)]
pub struct Classes {
    /// Medicines of which two at once are a risk.
    pub high_risk: Option<String>,
    /// What allergies are about.
    pub allergy: Option<String>,
}

/// What kind of thing a statement is about, with what makes two of them incompatible.
#[derive(Clone, PartialEq, Eq)]
pub enum Thing {
    /// An allergy, or that there is none.
    Allergy(Allergy),
    /// A medicine.
    Medicine(Medicine),
    /// A problem or diagnosis.
    Problem(Problem),
    /// A result.
    Finding(Finding),
    /// A CPR recommendation.
    Cpr(Cpr),
    /// A plan document or other plan: its place in the section, and its type when it has one.
    Plan {
        /// Its place in the section.
        place: u8,
        /// The code of its type.
        kind: Option<String>,
    },
    /// A report, by its status.
    Report(String),
    /// Done or given, or not; the concept and date it is about; the batch of a vaccine.
    Deed {
        /// Whether it was done.
        done: bool,
        /// What, and on which day.
        what: String,
        /// The batch of a vaccine.
        batch: Option<String>,
    },
    /// Anything without rules of its own. `active` sorts first where a section wants it.
    Other {
        /// Whether it goes on.
        active: bool,
    },
}

impl Thing {
    /// What matters about it, if it is an allergy statement.
    pub const fn allergy(&self) -> Option<&Allergy> {
        if let Self::Allergy(one) = self { Some(one) } else { None }
    }

    /// What matters about it, if it is a medicine statement.
    pub const fn medicine(&self) -> Option<&Medicine> {
        if let Self::Medicine(one) = self { Some(one) } else { None }
    }

    /// What matters about it, if it is a problem.
    pub const fn problem(&self) -> Option<&Problem> {
        if let Self::Problem(one) = self { Some(one) } else { None }
    }

    /// What matters about it, if it is a result.
    pub const fn finding(&self) -> Option<&Finding> {
        if let Self::Finding(one) = self { Some(one) } else { None }
    }

    /// What it recommends, if it is about CPR.
    pub const fn cpr(&self) -> Option<&Cpr> {
        if let Self::Cpr(one) = self { Some(one) } else { None }
    }

    /// Its status, if it is a report.
    pub const fn report(&self) -> Option<&String> {
        if let Self::Report(one) = self { Some(one) } else { None }
    }

    /// Its batch, if it is a vaccine with one.
    pub const fn batch(&self) -> Option<&String> {
        if let Self::Deed { batch: Some(batch), .. } = self { Some(batch) } else { None }
    }
}

/// How a resource takes part in the record.
#[derive(Clone, Debug)]
pub enum Part {
    /// A statement on a line.
    Line(Box<Facts>),
    /// Hangs beneath the statement at this position.
    Beneath(usize),
    /// Names somebody or something that statements refer to.
    Support,
}

/// What every reader of facts needs.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// What was accepted.
    pub loaded: &'a Loaded<'a>,
    /// Code maps.
    pub maps: &'a Maps,
    /// What is read.
    pub statement: &'a Statement<'a>,
    /// The day of dated rules.
    pub today: jiff::civil::Date,
}

impl<'a> Reader<'a> {
    /// The resource.
    pub const fn resource(&self) -> Json<'a> {
        self.statement.resource
    }

    /// Decides what part a resource takes, before anything hangs beneath anything.
    pub fn part(&self) -> Part {
        if is_support(&self.statement.kind) || self.is_shelf_device() {
            return Part::Support;
        }
        let mut facts = self.facts();
        facts.in_error = self.in_error();
        facts.label = self.is_kept_from_patient().then_some("not to be shown to the patient");
        if self.must_not_be_understood() || !facts.understood {
            // Its own words stand; nothing is concluded from them.
            facts.key = self.origin_key();
            facts.conceptual = false;
            facts.understood = false;
            facts.thing = Thing::Other { active: true };
        }
        Part::Line(Box::new(facts))
    }

    /// A Device without a patient is a machine that others refer to.
    fn is_shelf_device(&self) -> bool {
        self.statement.kind == "Device" && self.resource().get("patient").is_none()
    }

    fn facts(&self) -> Facts {
        match self.statement.kind.as_ref() {
            "AllergyIntolerance" => allergy::read(self),
            "MedicationStatement"
            | "MedicationRequest"
            | "MedicationDispense"
            | "MedicationAdministration" => medicine::read(self),
            "Condition" => plan::observation(self).unwrap_or_else(|| problem::read(self)),
            "Flag" => plan::observation(self).unwrap_or_else(|| other::flag(self)),
            "Observation" => plan::observation(self).unwrap_or_else(|| result::read(self)),
            "DocumentReference" => plan::document(self).unwrap_or_else(|| other::document(self)),
            "CarePlan" | "QuestionnaireResponse" | "ClinicalImpression" | "Consent" => plan::read(self),
            "DiagnosticReport" | "Specimen" | "ServiceRequest" => other::request_or_report(self),
            "Procedure" => other::procedure(self),
            "Binary" => other::carried(self),
            "Immunization" => other::immunisation(self),
            kind => other::by_type(self, kind),
        }
    }

    /// A line that only this statement can be on.
    pub fn origin_key(&self) -> String {
        origin_key(self.loaded, self.statement)
    }

    /// Facts with an origin key and nothing special about them.
    pub fn plain(&self, section: Section, concept: Option<Json<'_>>, dates: &[&[&str]]) -> Facts {
        Facts {
            section,
            key: self.origin_key(),
            conceptual: false,
            title: self.title(concept),
            date: self.date(dates),
            end: None,
            detail: String::new(),
            in_error: false,
            label: None,
            lapsed: None,
            remark: None,
            understood: true,
            classes: Classes::default(),
            thing: Thing::Other { active: true },
        }
    }

    /// Words for a concept, or the type's name where there are none.
    pub fn title(&self, concept: Option<Json<'_>>) -> String {
        concept.and_then(concept::words).unwrap_or_else(|| self.statement.kind.to_string())
    }

    /// A member, or the first item of a list member.
    pub fn first(&self, key: &str) -> Option<Json<'a>> {
        self.resource().get(key)?.each().next()
    }

    /// The first of these paths that holds a date.
    pub fn date(&self, paths: &[&[&str]]) -> Option<FhirDate> {
        paths.iter().find_map(|path| FhirDate::parse(&self.resource().path(path)?.text()?))
    }

    /// Whether a string member has exactly this text.
    pub fn says(&self, key: &str, text: &str) -> bool {
        self.resource().says(key, text)
    }

    /// The code of a status that may be a code or a `CodeableConcept`. The standard's coding decides, whatever
    /// local ones stand before it.
    pub fn status(&self, key: &str) -> Cow<'a, str> {
        let Some(status) = self.resource().get(key) else { return Cow::default() };
        let codings = || status.get("coding").into_iter().flat_map(Json::items);
        let is_standard =
            |coding: &Json<'_>| coding.text_at("system").is_some_and(|system| system.contains("hl7.org"));
        let chosen = codings().find(is_standard).or_else(|| codings().next());
        let code = status.text().or_else(|| chosen?.text_at("code"));
        code.unwrap_or_default()
    }

    fn in_error(&self) -> bool {
        self.says("status", "entered-in-error") || self.status("verificationStatus") == "entered-in-error"
    }

    /// The security label of GP systems, on the resource or on the document (GP Connect 1.6.2). Its absence says
    /// nothing.
    fn is_kept_from_patient(&self) -> bool {
        let labels = self.resource().get("meta").and_then(|meta| meta.get("security"));
        let of_resource = labels.into_iter().flat_map(Json::each).filter_map(|one| one.text_at("code"));
        let labels = self.resource().get("securityLabel").into_iter().flat_map(Json::each);
        let of_document = labels.flat_map(concept::codes);
        of_resource.chain(of_document).any(|code| code == "NOPAT")
    }

    /// A source can say "do not read me unless you know this rule", at the resource or deep inside it. Then only
    /// the source's own words stand. No modifier of UK Core or GP Connect is known to be sent, so each is unknown.
    fn must_not_be_understood(&self) -> bool {
        self.resource().get("implicitRules").is_some() || has_modifier(self.resource())
    }
}

fn has_modifier(resource: Json<'_>) -> bool {
    // The text is searched first: nearly no resource has one, and words may name it without being it.
    if !resource.raw().contains("\"modifierExtension\"") {
        return false;
    }
    let mut open = vec![resource];
    while let Some(value) = open.pop() {
        for (key, member) in value.members() {
            if key == "modifierExtension" {
                return true;
            }
            open.push(member);
        }
        open.extend(value.items());
    }
    false
}

/// A line that only this statement can be on.
fn origin_key(loaded: &Loaded<'_>, statement: &Statement<'_>) -> String {
    let source = loaded.voice(statement).map_or("", |voice| voice.id.as_str());
    ["origin|", source, "|", &*statement.origin_type, "|", &*statement.origin_id].concat()
}

/// Types that only name what statements refer to. Source Lists are kept here too: lines replace them on
/// screen, and they carry what the source said about its own completeness.
fn is_support(kind: &str) -> bool {
    matches!(
        kind,
        "Patient"
            | "Practitioner"
            | "PractitionerRole"
            | "Organization"
            | "Location"
            | "HealthcareService"
            | "Medication"
            | "List"
            | "Endpoint"
            | "Substance"
            | "Questionnaire"
            | "Group"
            | "Schedule"
            | "Slot"
            | "Provenance"
            | "Bundle"
            | "CareTeam"
    )
}
