//! What can be asked, and how it is written.

use std::time::Duration;

use tributary_fhir::Writer;
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{FhirDate, Freshness, Handling, NhsNumber, Purpose, Redacted, SectionSet};

/// How long a broker has when nobody says otherwise.
const DEADLINE: Duration = Duration::from_secs(8);

/// A question for a record.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whose record.
    pub nhs_number: NhsNumber,
    /// Which sections; none means all.
    pub sections: SectionSet,
    /// What is older is left out, as far as a source can: a year, a month or a day, never an instant.
    pub since: Option<FhirDate>,
    /// On which terms.
    pub terms: Terms,
}

impl Query {
    /// All sections, however old, for direct care, in eight seconds.
    pub fn of(nhs_number: NhsNumber) -> Self {
        Self { nhs_number, sections: SectionSet::EMPTY, since: None, terms: Terms::default() }
    }
}

/// The terms of a question about a patient.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What for.
    pub purpose: Purpose,
    /// Why access is taken that is not given, in words; the act is on record, and counted.
    pub break_glass: Option<Redacted<String>>,
    /// How long the broker may take: 300 ms to 30 s. Repeats of the question are within it.
    pub deadline: Duration,
    /// Whether a partial record will do.
    pub handling: Handling,
    /// Whether an answer from the broker's memory will do.
    pub freshness: Freshness,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            purpose: Purpose::DirectCare,
            break_glass: None,
            deadline: DEADLINE,
            handling: Handling::default(),
            freshness: Freshness::default(),
        }
    }
}

/// The `Parameters` of `$record`.
pub(crate) fn of_record(query: &Query) -> String {
    parameters(&query.nhs_number, &query.terms, |list| {
        for section in query.sections.iter() {
            valued(list, "section", "valueCode", section.code());
        }
        if let Some(since) = query.since {
            valued(list, "since", "valueDate", &since.key());
        }
    })
}

/// The `Parameters` of `$summary`.
pub(crate) fn of_summary(nhs_number: &NhsNumber, terms: &Terms) -> String {
    parameters(nhs_number, terms, |_| {})
}

fn parameters(nhs_number: &NhsNumber, terms: &Terms, more: impl FnOnce(&mut Writer)) -> String {
    let mut json = Writer::default();
    json.object(|parameters| {
        parameters.text("resourceType", "Parameters");
        parameters.key("parameter").array(|list| {
            list.object(|patient| {
                patient.text("name", "patient");
                patient.key("valueIdentifier").object(|identifier| {
                    identifier.text("system", NHS_NUMBER_SYSTEM);
                    identifier.text("value", nhs_number.expose());
                });
            });
            more(list);
            if terms.purpose != Purpose::DirectCare {
                valued(list, "purpose", "valueCode", terms.purpose.code());
            }
            if let Some(reason) = &terms.break_glass {
                valued(list, "breakGlass", "valueString", reason.expose());
            }
        });
    });
    json.finish()
}

fn valued(list: &mut Writer, name: &str, kind: &str, value: &str) {
    list.object(|parameter| {
        parameter.text("name", name);
        parameter.text(kind, value);
    });
}
