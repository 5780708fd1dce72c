//! Medicines: a statement, its plan and the issues of the plan.

use serde_json::{Value, json};

use super::{AUTHOR, Chart, EXTENSIONS, UK_EXTENSIONS, coded};

/// How a medicine is prescribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::suite) enum Course {
    Acute,
    Repeat,
    RepeatDispensing,
    /// By somebody else; nothing is issued here.
    Elsewhere,
}

/// A medicine of a patient. Days are offsets from today.
#[derive(Clone, Copy, Debug)]
pub(in crate::suite) struct Medicine<'m> {
    pub(in crate::suite) concept: (&'m str, &'m str),
    pub(in crate::suite) course: Course,
    pub(in crate::suite) dosage: &'m str,
    pub(in crate::suite) start: i32,
    pub(in crate::suite) end: Option<i32>,
    /// When it was issued.
    pub(in crate::suite) issues: &'m [i32],
    /// Why it was stopped, if a clinician stopped it.
    pub(in crate::suite) stopped: Option<&'m str>,
}

/// The references of what a medicine is written as.
#[derive(Clone, Debug)]
pub(in crate::suite) struct Prescribed {
    pub(in crate::suite) plan: String,
    pub(in crate::suite) orders: Vec<String>,
}

impl Medicine<'_> {
    fn status(&self) -> &'static str {
        match (self.stopped, self.end) {
            (Some(_), _) => "stopped",
            (None, Some(end)) if end < 0 => "completed",
            (None, _) => "active",
        }
    }

    fn kind(&self) -> (&'static str, &'static str) {
        match self.course {
            Course::Acute => ("acute", "Acute"),
            Course::Repeat | Course::Elsewhere => ("repeat", "Repeat"),
            Course::RepeatDispensing => ("repeat-dispensing", "Repeat dispensing"),
        }
    }

    fn kind_extension(&self) -> Value {
        let (code, display) = self.kind();
        let system = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-PrescriptionType-1";
        json!({
            "url": format!("{EXTENSIONS}-PrescriptionType-1"),
            "valueCodeableConcept": {"coding": [{"system": system, "code": code, "display": display}]},
        })
    }

    fn agency(&self) -> (&'static str, &'static str) {
        if self.course == Course::Elsewhere {
            ("prescribed-by-another-organisation", "Prescribed by another organisation")
        } else {
            ("prescribed-at-gp-practice", "Prescribed at GP practice")
        }
    }
}

impl Chart {
    /// Writes a medicine and puts it on the List.
    pub(in crate::suite) fn medicine(&mut self, medicine: &Medicine<'_>) -> Prescribed {
        let drug = self.drug(medicine.concept);
        let plan = self.plan(medicine, &drug);
        let orders = medicine.issues.iter().map(|at| self.order(medicine, &drug, &plan, *at)).collect();
        self.statement(medicine, &drug, &plan, &[]);
        Prescribed { plan, orders }
    }

    /// A repeat whose dosage was changed: the plan is split, and the statement goes with the new one.
    pub(in crate::suite) fn changed_medicine(
        &mut self,
        old: &Medicine<'_>,
        new: &Medicine<'_>,
    ) -> Prescribed {
        let drug = self.drug(new.concept);
        let earlier = self.plan(old, &drug);
        let mut orders: Vec<String> =
            old.issues.iter().map(|at| self.order(old, &drug, &earlier, *at)).collect();
        let plan = self.plan(new, &drug);
        if let Some(fields) = self.resources.last_mut().and_then(Value::as_object_mut) {
            fields.insert("priorPrescription".to_owned(), json!({"reference": earlier}));
        }
        orders.extend(new.issues.iter().map(|at| self.order(new, &drug, &plan, *at)).collect::<Vec<_>>());
        let changed = json!({
            "url": format!("{UK_EXTENSIONS}-MedicationStatementDosageLastChanged-1"),
            "valueDateTime": self.moment(new.start),
        });
        let on = self.date(new.start).strftime("%d-%b-%Y").to_string();
        let dosage = format!(
            "{}\nWARNING \u{2013} Dosage has changed during the effective period. The latest change was made on {on}",
            new.dosage
        );
        let whole = Medicine { start: old.start, dosage: dosage.as_str(), ..*new };
        self.statement(&whole, &drug, &plan, &[changed]);
        Prescribed { plan, orders }
    }

    fn drug(&mut self, concept: (&str, &str)) -> String {
        self.add("Medication", json!({"code": coded(concept.0, concept.1)}))
    }

    fn request(&self, medicine: &Medicine<'_>, drug: &str, written: i32) -> Value {
        json!({
            "medicationReference": {"reference": drug},
            "authoredOn": self.moment(written),
            "recorder": {"reference": AUTHOR},
            "requester": {"agent": {"reference": AUTHOR}, "onBehalfOf": {"reference": "Organization/o1"}},
            "dosageInstruction": [{"text": medicine.dosage}],
        })
    }

    fn plan(&mut self, medicine: &Medicine<'_>, drug: &str) -> String {
        let mut extensions = vec![medicine.kind_extension()];
        if medicine.course != Course::Acute {
            let issued = medicine.issues.len();
            extensions.push(
                json!({"url": format!("{EXTENSIONS}-MedicationRepeatInformation-1"), "extension": [
                    {"url": "numberOfRepeatPrescriptionsAllowed", "valuePositiveInt": issued + 6},
                    {"url": "numberOfRepeatPrescriptionsIssued", "valueUnsignedInt": issued},
                ]}),
            );
        }
        if let Some(reason) = medicine.stopped {
            extensions.push(json!({"url": format!("{EXTENSIONS}-MedicationStatusReason-1"), "extension": [
                {"url": "statusReason", "valueCodeableConcept": {"text": reason}},
                {"url": "statusChangeDate", "valueDateTime": self.day(medicine.end.unwrap_or_default())},
            ]}));
        }
        let mut fields = self.request(medicine, drug, medicine.start);
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("extension".to_owned(), extensions.into());
            fields.insert("status".to_owned(), medicine.status().into());
            fields.insert("intent".to_owned(), "plan".into());
            fields.insert(
                "dispenseRequest".to_owned(),
                json!({
                    "validityPeriod": self.period(medicine.start, medicine.end),
                    "quantity": {"value": 28, "unit": "tablet"},
                    "expectedSupplyDuration": supply(),
                }),
            );
        }
        self.add("MedicationRequest", fields)
    }

    fn order(&mut self, medicine: &Medicine<'_>, drug: &str, plan: &str, issued: i32) -> String {
        let mut fields = self.request(medicine, drug, issued);
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("extension".to_owned(), json!([medicine.kind_extension()]));
            fields.insert("basedOn".to_owned(), json!([{"reference": plan}]));
            let group = json!({"value": format!("{}-{}", self.patient, issued.unsigned_abs())});
            fields.insert("groupIdentifier".to_owned(), group);
            let status = if issued > -28 { "active" } else { "completed" };
            fields.insert("status".to_owned(), status.into());
            fields.insert("intent".to_owned(), "order".into());
            fields.insert(
                "dispenseRequest".to_owned(),
                json!({
                    "validityPeriod": self.period(issued, Some(issued + 27)),
                    "quantity": {"value": 28, "unit": "tablet"},
                    "expectedSupplyDuration": supply(),
                }),
            );
        }
        self.add("MedicationRequest", fields)
    }

    fn statement(&mut self, medicine: &Medicine<'_>, drug: &str, plan: &str, further: &[Value]) {
        let (code, display) = medicine.agency();
        let system = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-PrescribingAgency-1";
        let mut extensions = further.to_vec();
        extensions.push(json!({
            "url": format!("{EXTENSIONS}-PrescribingAgency-1"),
            "valueCodeableConcept": {"coding": [{"system": system, "code": code, "display": display}]},
        }));
        if let Some(last) = medicine.issues.iter().max() {
            extensions.push(json!({
                "url": format!("{EXTENSIONS}-MedicationStatementLastIssueDate-1"),
                "valueDateTime": self.day(*last),
            }));
        }
        let fields = json!({
            "extension": extensions,
            "basedOn": [{"reference": plan}],
            "status": medicine.status(),
            "medicationReference": {"reference": drug},
            "effectivePeriod": self.period(medicine.start, medicine.end),
            "dateAsserted": self.moment(medicine.start),
            "taken": "unk",
            "dosage": [{"text": medicine.dosage}],
        });
        let reference = self.add("MedicationStatement", fields);
        self.list("includeMedication", &reference);
    }

    fn period(&self, start: i32, end: Option<i32>) -> Value {
        let mut period = json!({"start": self.day(start)});
        if let (Some(end), Some(fields)) = (end, period.as_object_mut()) {
            fields.insert("end".to_owned(), self.day(end).into());
        }
        period
    }
}

fn supply() -> Value {
    json!({"value": 28, "unit": "day", "system": "http://unitsofmeasure.org", "code": "d"})
}
