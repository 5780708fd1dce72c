//! Investigations: a report with its specimen, test group, results and filing comment.

use serde_json::{Value, json};

use super::{AUTHOR, Chart, coded};

/// The code of a comment that somebody filed.
pub(super) const COMMENT: (&str, &str) = ("37331000000100", "Comment note");
const LABORATORY: &str = "Organization/o2";

impl Chart {
    /// A full blood count, and the request for it.
    pub(in crate::suite) fn investigation(&mut self, offset: i32) -> String {
        let blood_count = || coded("26604007", "Full blood count");
        let request = self.add(
            "ProcedureRequest",
            json!({
                "status": "active",
                "intent": "order",
                "code": blood_count(),
                "requester": {"agent": {"reference": AUTHOR}},
                "performer": {"reference": LABORATORY},
                "note": [{"text": "Tired all the time."}],
            }),
        );
        let specimen = self.add(
            "Specimen",
            json!({
                "accessionIdentifier": {"value": format!("LAB-{}", offset.unsigned_abs())},
                "type": coded("122555007", "Venous blood specimen"),
                "receivedTime": self.moment(offset),
                "collection": {"collectedDateTime": self.moment(offset - 1)},
            }),
        );
        let group = self.next_observation();
        let results = [
            self.result(
                offset,
                &group,
                ("1022431000000105", "Haemoglobin estimation"),
                ("132", "g/L", 120, 160),
            ),
            self.result(offset, &group, ("1022651000000100", "Platelet count"), ("410", "10*9/L", 150, 400)),
        ];
        let filed = self.filing_comment(offset + 2);
        self.fill_group(offset, &specimen, &[results.as_slice(), std::slice::from_ref(&filed)].concat());
        let report = self.add(
            "DiagnosticReport",
            json!({
                "basedOn": [{"reference": request}],
                "status": "unknown",
                "category": {"coding": [{
                    "system": "http://hl7.org/fhir/v2/0074", "code": "LAB", "display": "Laboratory",
                }]},
                "code": coded("721981007", "Diagnostic studies report"),
                "issued": self.moment(offset),
                "performer": [{"actor": {"reference": LABORATORY}}],
                "specimen": [{"reference": specimen}],
                "result": [{"reference": group}, {"reference": filed}],
            }),
        );
        self.list("includeInvestigations", &report);
        report
    }

    /// Keeps the place of the test group, whose results point back at it.
    fn next_observation(&mut self) -> String {
        self.add("Observation", json!({}))
    }

    fn result(
        &mut self,
        offset: i32,
        group: &str,
        concept: (&str, &str),
        (value, unit, low, high): (&str, &str, u16, u16),
    ) -> String {
        let quantity = |value: Value| json!({"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit});
        let measured: u16 = value.parse().unwrap_or_default();
        let meaning = if measured > high { ("H", "High") } else { ("N", "Normal") };
        let fields = json!({
            "status": "final",
            "category": [{"coding": [{
                "system": "http://hl7.org/fhir/observation-category", "code": "laboratory", "display": "Laboratory",
            }]}],
            "code": coded(concept.0, concept.1),
            "effectiveDateTime": self.moment(offset),
            "issued": self.moment(offset),
            "performer": [{"reference": LABORATORY}],
            "valueQuantity": quantity(measured.into()),
            "interpretation": {"coding": [{
                "system": "http://hl7.org/fhir/v2/0078", "code": meaning.0, "display": meaning.1,
            }]},
            "referenceRange": [{"low": quantity(low.into()), "high": quantity(high.into())}],
            "related": [{"type": "derived-from", "target": {"reference": group}}],
        });
        self.add("Observation", fields)
    }

    fn filing_comment(&mut self, offset: i32) -> String {
        let fields = json!({
            "status": "unknown",
            "code": coded(COMMENT.0, COMMENT.1),
            "effectiveDateTime": self.moment(offset),
            "issued": self.moment(offset),
            "performer": [{"reference": AUTHOR}],
            "comment": "Filed by the doctor: normal, no action.",
        });
        self.add("Observation", fields)
    }

    fn fill_group(&mut self, offset: i32, specimen: &str, members: &[String]) {
        let member = |target: &String| json!({"type": "has-member", "target": {"reference": target}});
        let related: Vec<Value> = members.iter().map(member).collect();
        let fields = json!({
            "status": "final",
            "code": coded("26604007", "Full blood count"),
            "effectiveDateTime": self.moment(offset),
            "issued": self.moment(offset),
            "performer": [{"reference": LABORATORY}],
            "specimen": {"reference": specimen},
            "related": related,
        });
        let is_unfilled = |one: &&mut Value| {
            one.get("code").is_none() && one.get("resourceType") == Some(&"Observation".into())
        };
        // It was added not long ago.
        let group = self.resources.iter_mut().rev().find(is_unfilled).and_then(Value::as_object_mut);
        if let (Some(group), Value::Object(fields)) = (group, fields) {
            group.extend(fields);
        }
    }
}
