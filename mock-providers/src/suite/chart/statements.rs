//! Allergies, immunisations, uncategorised data, referrals and diary entries.

use serde_json::{Value, json};

use super::{AUTHOR, Chart, EXTENSIONS, UK_EXTENSIONS, coded};

impl Chart {
    fn allergy_fields(&self, offset: i32, (code, display): (&str, &str), category: &str) -> Value {
        json!({
            "verificationStatus": "unconfirmed",
            "category": [category],
            "code": coded(code, display),
            "onsetDateTime": self.day(offset),
            "assertedDate": self.moment(offset),
            "recorder": {"reference": AUTHOR},
        })
    }

    /// An active allergy; `category` is `medication` or `environment`.
    pub(in crate::suite) fn allergy(&mut self, offset: i32, concept: (&str, &str), category: &str) -> String {
        let mut fields = self.allergy_fields(offset, concept, category);
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("clinicalStatus".to_owned(), "active".into());
            if category == "medication" {
                let rash =
                    json!([{"manifestation": [coded("271807003", "Eruption of skin")], "severity": "mild"}]);
                fields.insert("reaction".to_owned(), rash);
            }
        }
        let reference = self.add("AllergyIntolerance", fields);
        self.list("includeAllergies", &reference);
        reference
    }

    /// No allergy, said so.
    pub(in crate::suite) fn no_known_allergies(&mut self) {
        let mut fields = self.allergy_fields(-700, ("716186003", "No known allergy"), "medication");
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("clinicalStatus".to_owned(), "active".into());
        }
        let reference = self.add("AllergyIntolerance", fields);
        self.list("includeAllergies", &reference);
    }

    /// An allergy that has ended; it lives inside the List of those only.
    pub(in crate::suite) fn ended_allergy(&mut self, concept: (&str, &str), reason: &str) {
        let mut fields = self.allergy_fields(-4000, concept, "environment");
        let end = json!([{"url": format!("{EXTENSIONS}-AllergyIntoleranceEnd-1"), "extension": [
            {"url": "endDate", "valueDateTime": self.day(-900)},
            {"url": "reasonEnded", "valueString": reason},
        ]}]);
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("clinicalStatus".to_owned(), "resolved".into());
            fields.insert("extension".to_owned(), end);
        }
        let id = format!("{}-ended{}", self.patient, self.ended.len() + 1);
        let resource = self.complete("AllergyIntolerance", &id, fields);
        self.ended.push(resource);
    }

    /// A vaccination with this vaccine; without one it was not given.
    pub(in crate::suite) fn immunisation(
        &mut self,
        offset: i32,
        concept: (&str, &str),
        vaccine: Option<(&str, &str)>,
    ) -> String {
        let unknown = || {
            let system = "http://hl7.org/fhir/v3/NullFlavor";
            json!({"coding": [{"system": system, "code": "UNK", "display": "unknown"}]})
        };
        let fields = json!({
            "extension": [
                {
                    "url": format!("{UK_EXTENSIONS}-VaccinationProcedure-1"),
                    "valueCodeableConcept": coded(concept.0, concept.1),
                },
                {"url": format!("{UK_EXTENSIONS}-DateRecorded-1"), "valueDateTime": self.moment(offset)},
            ],
            "status": "completed",
            "notGiven": vaccine.is_none(),
            "vaccineCode": vaccine.map_or_else(unknown, |(code, display)| coded(code, display)),
            "date": self.day(offset),
            "primarySource": true,
            "practitioner": [{"actor": {"reference": AUTHOR}}],
        });
        let reference = self.add("Immunization", fields);
        self.list("includeImmunisations", &reference);
        reference
    }

    /// Consent to a vaccination, or dissent from it.
    pub(in crate::suite) fn immunisation_consent(&mut self, offset: i32) {
        let fields = self.observation_fields(offset, ("310376006", "Immunization consent given"), &json!({}));
        let reference = self.add("Observation", fields);
        self.list("includeImmunisations", &reference);
    }

    fn observation_fields(&self, offset: i32, concept: (&str, &str), further: &Value) -> Value {
        let mut fields = json!({
            "status": "final",
            "code": coded(concept.0, concept.1),
            "effectiveDateTime": self.moment(offset),
            "issued": self.moment(offset),
            "performer": [{"reference": AUTHOR}],
        });
        if let (Some(fields), Some(further)) = (fields.as_object_mut(), further.as_object()) {
            fields.extend(further.clone());
        }
        fields
    }

    /// An item of uncategorised data, with what it holds further.
    pub(in crate::suite) fn uncategorised(
        &mut self,
        offset: i32,
        concept: (&str, &str),
        further: &Value,
    ) -> String {
        let fields = self.observation_fields(offset, concept, further);
        let reference = self.add("Observation", fields);
        self.list("includeUncategorisedData", &reference);
        reference
    }

    /// A blood pressure with its two parts.
    pub(in crate::suite) fn blood_pressure(&mut self, offset: i32, systolic: u16, diastolic: u16) -> String {
        let pressure = |value: u16| json!({"value": value, "unit": "mm[Hg]", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"});
        let parts = json!({"component": [
            {"code": coded("72313002", "Systolic arterial pressure"), "valueQuantity": pressure(systolic)},
            {"code": coded("1091811000000102", "Diastolic arterial pressure"), "valueQuantity": pressure(diastolic)},
        ]});
        self.uncategorised(offset, ("75367002", "Blood pressure"), &parts)
    }

    /// A referral, perhaps with a letter.
    pub(in crate::suite) fn referral(&mut self, offset: i32, letter: Option<&str>) -> String {
        let mut fields = json!({
            "status": "unknown",
            "intent": "order",
            "priority": "routine",
            "authoredOn": self.moment(offset),
            "requester": {"agent": {"reference": AUTHOR}, "onBehalfOf": {"reference": "Organization/o1"}},
            "recipient": [{"reference": "Organization/o2"}],
            "reasonCode": [coded("183519002", "Referral to cardiology service")],
            "description": "For assessment of palpitations.",
        });
        if let (Some(letter), Some(fields)) = (letter, fields.as_object_mut()) {
            fields.insert("supportingInfo".to_owned(), json!([{"reference": letter}]));
        }
        let reference = self.add("ReferralRequest", fields);
        self.list("includeReferrals", &reference);
        reference
    }

    /// Something planned for a day; past days are overdue.
    pub(in crate::suite) fn diary(&mut self, due: i32, concept: (&str, &str)) -> String {
        let fields = json!({
            "status": "active",
            "intent": "plan",
            "code": coded(concept.0, concept.1),
            "occurrenceDateTime": self.day(due),
            "authoredOn": self.moment(-60),
            "requester": {"agent": {"reference": AUTHOR}},
            "note": [{"text": "Recall of the practice."}],
        });
        let reference = self.add("ProcedureRequest", fields);
        self.list("includeDiaryEntries", &reference);
        reference
    }
}
