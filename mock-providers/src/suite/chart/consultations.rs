//! Consultations: an encounter, and the Lists that tell what was recorded in it.

use serde_json::{Value, json};

use super::{AUTHOR, Chart, UK_EXTENSIONS, coded, order};

/// A topic of a consultation: items under headings, or items alone.
#[derive(Clone, Copy, Debug)]
pub(in crate::suite) struct Topic<'t> {
    pub(in crate::suite) title: &'t str,
    /// The problem it is about.
    pub(in crate::suite) problem: Option<&'t str>,
    /// Headings and the items under each; a heading without a title puts its items on the topic itself.
    pub(in crate::suite) headings: &'t [(&'t str, &'t [String])],
}

impl Chart {
    /// Writes an encounter and puts it on the List; its topics are written when their items exist.
    pub(in crate::suite) fn encounter(&mut self, offset: i32, kind: (&str, &str)) -> String {
        let taking_part = |code: &str, display: &str| {
            let system = "https://fhir.nhs.uk/STU3/CodeSystem/GPConnect-ParticipantType-1";
            json!({"coding": [{"system": system, "code": code, "display": display}]})
        };
        let participation = "http://hl7.org/fhir/v3/ParticipationType";
        let performer =
            json!({"coding": [{"system": participation, "code": "PPRF", "display": "primary performer"}]});
        let day = self.day(offset);
        let fields = json!({
            "status": "finished",
            "type": [coded(kind.0, kind.1)],
            "participant": [
                {"type": [taking_part("REC", "recorder")], "individual": {"reference": AUTHOR}},
                {"type": [performer], "individual": {"reference": AUTHOR}},
            ],
            "period": {"start": format!("{day}T10:15:00+00:00"), "end": format!("{day}T10:25:00+00:00")},
            "location": [{"location": {"reference": "Location/1"}}],
            "serviceProvider": {"reference": "Organization/o1"},
        });
        let reference = self.add("Encounter", fields);
        self.list("includeConsultations", &reference);
        reference
    }

    /// Writes the Lists of a consultation.
    pub(in crate::suite) fn consultation(&mut self, encounter: &str, offset: i32, topics: &[Topic<'_>]) {
        let mut written = Vec::new();
        for topic in topics {
            let mut entries = Vec::new();
            for (title, items) in topic.headings {
                if title.is_empty() {
                    entries.extend(items.iter().cloned());
                } else {
                    let heading = ("24781000000107", "Category (EHR)", *title);
                    entries.push(self.structure(encounter, offset, heading, items));
                }
            }
            let reference =
                self.structure(encounter, offset, ("25851000000105", "Topic (EHR)", topic.title), &entries);
            let related = topic.problem.map(|problem| {
                json!([{"url": format!("{UK_EXTENSIONS}-RelatedProblemHeader-1"), "extension": [
                    {"url": "target", "valueReference": {"reference": problem}},
                ]}])
            });
            if let (Some(related), Some(fields)) =
                (related, self.resources.last_mut().and_then(Value::as_object_mut))
            {
                fields.insert("extension".to_owned(), related);
            }
            written.push(reference);
        }
        self.structure(
            encounter,
            offset,
            ("325851000000107", "Consultation", "Surgery Consultation"),
            &written,
        );
    }

    fn structure(
        &mut self,
        encounter: &str,
        offset: i32,
        (code, display, title): (&str, &str, &str),
        entries: &[String],
    ) -> String {
        let entries: Vec<Value> = entries.iter().map(|to| json!({"item": {"reference": to}})).collect();
        let fields = json!({
            "status": "current",
            "mode": "snapshot",
            "title": title,
            "code": coded(code, display),
            "encounter": {"reference": encounter},
            "date": self.moment(offset),
            "orderedBy": order("system"),
            "entry": entries,
        });
        self.add("List", fields)
    }
}
