//! A patient as PDS knows one, and the resource that is made of it.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::concept;
use crate::story::stories;

const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-";
const PDS: &str = "https://fhir.nhs.uk/StructureDefinition/Extension-PDS-";

/// How the NHS number stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NumberStanding {
    /// It is the patient's number.
    #[default]
    Current,
    /// The patient has this number now: 200 with that patient, whose `id` is not what was asked.
    SupersededBy(String),
    /// It was withdrawn: 404 `INVALIDATED_RESOURCE`.
    Invalidated,
}

/// Who may know where the patient is; `meta.security`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// `U`
    #[default]
    Unrestricted,
    /// `R`: nothing that tells a place is sent, the practice included.
    Restricted,
    /// `V`: as `R`.
    VeryRestricted,
}

/// The usual name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientName {
    /// Family name.
    pub family: String,
    /// Given name.
    pub given: String,
}

/// A registration with a practice; PDS keeps the last one when it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Practice {
    /// The practice's organisation code.
    pub ods: String,
    /// The first day.
    pub from: Date,
    /// The last day, once it has ended.
    pub until: Option<Date>,
}

/// What is known of a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathNotice {
    /// `1`: somebody said so.
    Informal,
    /// `2`: it was registered.
    Formal,
    /// `U`: the notice was withdrawn; the patient is not dead.
    Withdrawn,
}

/// A notice of death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// `deceasedDateTime` as it is sent: a year, a month, a day or an instant.
    pub at: Option<String>,
    /// How sure it is; absent sends no status.
    pub notice: Option<DeathNotice>,
}

/// Why a patient is on no practice's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalReason {
    /// `DEA`
    Death,
    /// `EMB`
    Embarkation,
    /// `SCT`
    Scotland,
    /// `NIT`
    NorthernIreland,
    /// `TRA`
    TemporaryResidentNotReturned,
    /// `ORR`
    Other,
    /// `AFN`, which is confidential and sent as `ORR`.
    ConfidentialAfn,
    /// `SDN`, which is confidential and sent as `ORR`.
    ConfidentialSdn,
    /// `LDN`, which is confidential and sent as `ORR`.
    ConfidentialLdn,
}

/// A removal from registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Why.
    pub reason: RemovalReason,
    /// Since when.
    pub from: Date,
}

/// One patient. Change fields of [`PatientState::registered_at`] for whatever a test needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientState {
    /// The number it is found under.
    pub nhs_number: String,
    /// How the number stands.
    pub standing: NumberStanding,
    /// Who may know where the patient is.
    pub sensitivity: Sensitivity,
    /// The status of the number: `01` is present and verified; absent sends no status.
    pub verification: Option<String>,
    /// The name; it may be missing for restricted patients.
    pub name: Option<PatientName>,
    /// `female`, `male`, `other` or `unknown`.
    pub gender: Option<String>,
    /// Date of birth as it is sent: `yyyy-mm-dd`, or less.
    pub birth_date: Option<String>,
    /// The practice, current or past.
    pub practice: Option<Practice>,
    /// A notice of death.
    pub death: Option<Death>,
    /// A removal from registration.
    pub removal: Option<Removal>,
    /// The line of an address. With it go a telephone number, a contact, a pharmacy and a birth place.
    pub address: Option<String>,
    /// `meta.versionId`, also the `ETag`.
    pub version: u32,
}

impl PatientState {
    /// A living, unrestricted patient with a verified number, registered at a practice since 2015. The patient
    /// of a story is who the story says; everybody else has one name and one date of birth.
    pub fn registered_at(nhs_number: &str, practice: &str) -> Self {
        let practice = Practice { ods: practice.to_owned(), from: Date::constant(2015, 4, 1), until: None };
        let anybody = Self::anybody(nhs_number);
        let Some(story) = stories().iter().find(|story| story.nhs_number == nhs_number) else {
            return Self { practice: Some(practice), ..anybody };
        };
        Self {
            practice: Some(practice),
            name: Some(PatientName { family: story.family.clone(), given: story.given.clone() }),
            gender: Some(story.gender.clone()),
            birth_date: Some(story.birth_date.to_string()),
            ..anybody
        }
    }

    fn anybody(nhs_number: &str) -> Self {
        Self {
            name: Some(PatientName { family: "Mersey".to_owned(), given: "Robin".to_owned() }),
            gender: Some("female".to_owned()),
            birth_date: Some("1958-06-14".to_owned()),
            address: Some("1 Ferry Lane".to_owned()),
            ..Self::minimal(nhs_number)
        }
    }

    /// Nothing but a verified number.
    pub fn minimal(nhs_number: &str) -> Self {
        Self {
            nhs_number: nhs_number.to_owned(),
            standing: NumberStanding::Current,
            sensitivity: Sensitivity::Unrestricted,
            verification: Some("01".to_owned()),
            name: None,
            gender: None,
            birth_date: None,
            practice: None,
            death: None,
            removal: None,
            address: None,
            version: 2,
        }
    }

    /// The resource, without what its sensitivity forbids.
    pub(super) fn resource(&self) -> Value {
        let (code, display) = match self.sensitivity {
            Sensitivity::Unrestricted => ("U", "unrestricted"),
            Sensitivity::Restricted => ("R", "restricted"),
            Sensitivity::VeryRestricted => ("V", "very restricted"),
        };
        let security = json!([{
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code, "display": display,
        }]);
        let mut fields = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        set("resourceType", Some("Patient".into()));
        set("id", Some(self.nhs_number.clone().into()));
        set("meta", Some(json!({"versionId": self.version.to_string(), "security": security})));
        set("identifier", Some(json!([self.identifier()])));
        set("name", self.name.as_ref().map(|name| json!([usual(name)])));
        set("gender", self.gender.clone().map(Value::from));
        set("birthDate", self.birth_date.clone().map(Value::from));
        set("deceasedDateTime", self.death.as_ref().and_then(|death| death.at.clone()).map(Value::from));
        let mut extensions: Vec<Value> = self.death.iter().filter_map(notice).collect();
        extensions.extend(self.removal.map(removal));
        if self.sensitivity == Sensitivity::Unrestricted {
            set(
                "generalPractitioner",
                self.practice.as_ref().map(|practice| json!([registration(practice)])),
            );
            for (name, value) in self.address.iter().flat_map(|line| places(line)) {
                set(name, Some(value));
            }
            extensions.extend(self.address.iter().flat_map(|_| place_extensions()));
        }
        set("extension", (!extensions.is_empty()).then(|| extensions.into()));
        Value::Object(fields)
    }

    fn identifier(&self) -> Value {
        let mut identifier = json!({
            "system": "https://fhir.nhs.uk/Id/nhs-number",
            "value": self.nhs_number,
        });
        if let (Some(code), Some(fields)) = (&self.verification, identifier.as_object_mut()) {
            let display = match code.as_str() {
                "01" => "Number present and verified",
                "02" => "Number present but not traced",
                _ => "Not verified",
            };
            let system = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus";
            let status = json!([{
                "url": format!("{UK_CORE}NHSNumberVerificationStatus"),
                "valueCodeableConcept": concept(system, code, display),
            }]);
            fields.insert("extension".to_owned(), status);
        }
        identifier
    }
}

fn usual(name: &PatientName) -> Value {
    json!({
        "id": "name-1", "use": "usual", "period": {"start": "2015-04-01"},
        "given": [name.given], "family": name.family,
    })
}

fn registration(practice: &Practice) -> Value {
    let mut period = json!({"start": practice.from.to_string()});
    if let (Some(until), Some(fields)) = (practice.until, period.as_object_mut()) {
        fields.insert("end".to_owned(), until.to_string().into());
    }
    json!({
        "id": "gp-1",
        "type": "Organization",
        "identifier": {"system": ODS, "value": practice.ods, "period": period},
    })
}

fn notice(death: &Death) -> Option<Value> {
    let (code, display) = match death.notice? {
        DeathNotice::Informal => ("1", "Informal"),
        DeathNotice::Formal => ("2", "Formal"),
        DeathNotice::Withdrawn => ("U", "Removed"),
    };
    let system = "https://fhir.hl7.org.uk/CodeSystem/UKCore-DeathNotificationStatus";
    Some(json!({
        "url": format!("{UK_CORE}DeathNotificationStatus"),
        "extension": [
            {"url": "deathNotificationStatus", "valueCodeableConcept": concept(system, code, display)},
            {"url": "systemEffectiveDate", "valueDateTime": "2024-11-05T00:00:00+00:00"},
        ],
    }))
}

fn removal(removal: Removal) -> Value {
    let (code, display) = match removal.reason {
        RemovalReason::Death => ("DEA", "Death"),
        RemovalReason::Embarkation => ("EMB", "Embarkation"),
        RemovalReason::Scotland => ("SCT", "Scotland"),
        RemovalReason::NorthernIreland => ("NIT", "Northern Ireland"),
        RemovalReason::TemporaryResidentNotReturned => ("TRA", "Temporary resident not returned"),
        RemovalReason::Other
        | RemovalReason::ConfidentialAfn
        | RemovalReason::ConfidentialSdn
        | RemovalReason::ConfidentialLdn => ("ORR", "Other reason"),
    };
    let system = "https://fhir.nhs.uk/CodeSystem/PDS-RemovalReasonExitCode";
    json!({
        "url": format!("{PDS}RemovalFromRegistration"),
        "extension": [
            {"url": "removalFromRegistrationCode", "valueCodeableConcept": concept(system, code, display)},
            {"url": "effectiveTime", "valuePeriod": {"start": format!("{}T00:00:00+00:00", removal.from)}},
        ],
    })
}

/// Elements that tell where the patient is.
fn places(line: &str) -> [(&'static str, Value); 3] {
    [
        ("address", json!([{"id": "address-1", "use": "home", "line": [line], "postalCode": "CH41 1AA"}])),
        ("telecom", json!([{"id": "telecom-1", "system": "phone", "use": "home", "value": "01632960587"}])),
        ("contact", json!([{"id": "contact-1", "telecom": [{"system": "phone", "value": "01632960588"}]}])),
    ]
}

/// Extensions that tell where the patient is.
fn place_extensions() -> [Value; 2] {
    [
        json!({
            "url": format!("{UK_CORE}NominatedPharmacy"),
            "valueReference": {"identifier": {"system": ODS, "value": "FZ901"}},
        }),
        json!({
            "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
            "valueAddress": {"city": "Birkenhead", "country": "GBR"},
        }),
    ]
}
