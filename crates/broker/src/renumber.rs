//! A call for a number that was replaced, rewritten for the patient's present one.

use bytes::Bytes;
use tributary_fhir::{Document, Json, Limits};
use tributary_model::{NhsNumber, Redacted};

use crate::answer::{RelayRequest, Subject};

const PATIENT: &str = "patientNHSNumber";

/// The same call for another number, whether the body or the query holds it. Nothing if neither does.
pub(crate) fn renumbered(request: RelayRequest, old: NhsNumber, new: NhsNumber) -> Option<RelayRequest> {
    let subject = Subject::Patient(new);
    if request.body.is_empty() {
        let tail = request.tail.expose();
        let has_number = tail.contains(old.expose());
        let tail = Redacted::new(tail.replace(old.expose(), new.expose()));
        return has_number.then_some(RelayRequest { subject, tail, ..request });
    }
    let body = in_body(&request.body, new)?;
    Some(RelayRequest { subject, body, ..request })
}

/// The same `Parameters` for another number; every other byte stays. Nothing if they name no patient.
fn in_body(body: &Bytes, number: NhsNumber) -> Option<Bytes> {
    let document = Document::scan(body.to_vec(), &Limits::default()).ok()?;
    let mut parameters = document.root().get("parameter")?.items();
    let patient = parameters.find(|parameter| parameter.says("name", PATIENT))?;
    let value = patient.get("valueIdentifier")?.get("value").filter(|value| Json::text(*value).is_some())?;
    let place = value.span();
    let (before, after) = (document.text().get(..place.start)?, document.text().get(place.end..)?);
    Some(Bytes::from(format!("{before}\"{}\"{after}", number.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_changes() {
        let number = NhsNumber::parse("9990000107").unwrap();
        let body = |value: &str| {
            format!(
                r#"{{ "resourceType":"Parameters","parameter":[{{"name":"x","valueString":"9990000301"}},
                {{"valueIdentifier":{{"value":"{value}" ,"system":"s"}}, "name":"patientNHSNumber"}}]}}"#
            )
        };
        for old in ["9990000301", "999 000 0301", "999-000-0301"] {
            let new = in_body(&Bytes::from(body(old)), number).unwrap();
            assert_eq!(new, body("9990000107"));
        }
        for bad in ["", "{}", r#"{"parameter":[{"name":"patientNHSNumber"}]}"#] {
            assert_eq!(in_body(&Bytes::from(bad.to_owned()), number), None, "{bad}");
        }
    }
}
