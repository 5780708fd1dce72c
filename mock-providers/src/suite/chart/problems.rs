//! Problems and what they are linked to.

use serde_json::{Value, json};

use super::{AUTHOR, Chart, UK_EXTENSIONS, coded};

/// A problem of a patient.
#[derive(Clone, Copy, Debug)]
pub(in crate::suite) struct Problem<'p> {
    pub(in crate::suite) concept: (&'p str, &'p str),
    /// `active` or `inactive`.
    pub(in crate::suite) status: &'p str,
    /// `major` or `minor`.
    pub(in crate::suite) significance: &'p str,
    /// The day it began, from today.
    pub(in crate::suite) onset: i32,
    /// The consultation it was recorded in.
    pub(in crate::suite) context: Option<&'p str>,
    /// What it is about; the first is the item that is the problem itself.
    pub(in crate::suite) content: &'p [String],
}

impl Chart {
    /// Writes a problem and puts it on the List.
    pub(in crate::suite) fn problem(&mut self, problem: &Problem<'_>) -> String {
        let reference = |to: &String| json!({"reference": to});
        let mut extensions = vec![json!({
            "url": format!("{UK_EXTENSIONS}-ProblemSignificance-1"),
            "valueCode": problem.significance,
        })];
        extensions.extend(problem.content.first().map(|actual| {
            json!({"url": format!("{UK_EXTENSIONS}-ActualProblem-1"), "valueReference": reference(actual)})
        }));
        extensions.extend(problem.content.iter().map(|item| {
            json!({"url": format!("{UK_EXTENSIONS}-RelatedClinicalContent-1"), "valueReference": reference(item)})
        }));
        let mut fields = json!({
            "extension": extensions,
            "clinicalStatus": problem.status,
            "category": [{"coding": [{
                "system": "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-ConditionCategory-1",
                "code": "problem-list-item",
                "display": "Problem List Item",
            }]}],
            "code": coded(problem.concept.0, problem.concept.1),
            "onsetDateTime": self.day(problem.onset),
            "assertedDate": self.moment(problem.onset),
            "asserter": {"reference": AUTHOR},
        });
        if let Some(fields) = fields.as_object_mut() {
            if let Some(context) = problem.context {
                fields.insert("context".to_owned(), json!({"reference": context}));
            }
            if problem.status == "inactive" {
                fields.insert("abatementDateTime".to_owned(), self.day(problem.onset + 100).into());
            }
        }
        let reference = self.add("Condition", fields);
        self.list("includeProblems", &reference);
        reference
    }

    /// Makes one problem the parent of another.
    pub(in crate::suite) fn relate(&mut self, parent: &str, child: &str) {
        for (from, kind, to) in [(parent, "child", child), (child, "parent", parent)] {
            let related = json!({"url": format!("{UK_EXTENSIONS}-RelatedProblemHeader-1"), "extension": [
                {"url": "type", "valueCode": kind},
                {"url": "target", "valueReference": {"reference": to}},
            ]});
            let id = from.strip_prefix("Condition/").unwrap_or_default();
            let problem = self.resources.iter_mut().find(|one| one.get("id") == Some(&id.into()));
            let extensions = problem.and_then(|one| one.get_mut("extension")).and_then(Value::as_array_mut);
            if let Some(extensions) = extensions {
                extensions.push(related);
            }
        }
    }
}
