//! Giving elements of STU3 their place back.
//!
//! The tables that lead to R4 keep what has no home there as extensions named after the element. On the way
//! back each returns to its element, if it has exactly the shape in which it was kept; otherwise the extension
//! stays, which loses nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::edit::{has, key_of};
use super::extension::url_of;
use super::kept::{FROM_STU3, Pair};

/// How many values an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    One,
    Many,
}

use Holds::{Many, One};

/// Elements that the tables to R4 may have kept: path, `value[x]` (empty: taken apart), and how many.
const HOMES: &[(&str, &str, Holds)] = &[
    ("AllergyIntolerance.assertedDate", "DateTime", One),
    ("AllergyIntolerance.clinicalStatus", "Code", One),
    ("Appointment.incomingReferral", "Reference", Many),
    ("Appointment.indication", "Reference", Many),
    ("Appointment.reason", "CodeableConcept", Many),
    ("CarePlan.activity.detail.category", "CodeableConcept", One),
    ("CarePlan.activity.detail.definition", "Reference", One),
    ("CarePlan.activity.detail.prohibited", "Boolean", One),
    ("CarePlan.author", "Reference", Many),
    ("CarePlan.context", "Reference", One),
    ("CarePlan.definition", "Reference", Many),
    ("CareTeam.context", "Reference", One),
    ("ClinicalImpression.action", "Reference", Many),
    ("ClinicalImpression.context", "Reference", One),
    ("Communication.context", "Reference", One),
    ("Communication.definition", "Reference", Many),
    ("Communication.notDoneReason", "CodeableConcept", One),
    ("Communication.topic", "Reference", Many),
    ("Condition.assertedDate", "DateTime", One),
    ("Condition.clinicalStatus", "Code", One),
    ("Condition.context", "Reference", One),
    ("Condition.verificationStatus", "Code", One),
    ("Device.model", "String", One),
    ("Device.udi.name", "String", One),
    ("DiagnosticReport.codedDiagnosis", "CodeableConcept", Many),
    ("DiagnosticReport.context", "Reference", One),
    ("DiagnosticReport.image", "", Many),
    ("DiagnosticReport.performer.role", "CodeableConcept", One),
    ("DocumentReference.class", "CodeableConcept", One),
    ("DocumentReference.context.related.identifier", "Identifier", One),
    ("DocumentReference.created", "DateTime", One),
    ("DocumentReference.indexed", "Instant", One),
    ("Encounter.diagnosis.role", "CodeableConcept", One),
    ("Encounter.incomingReferral", "Reference", Many),
    ("Encounter.reason", "CodeableConcept", Many),
    ("Immunization.date", "DateTime", One),
    ("Immunization.explanation.reason", "CodeableConcept", Many),
    ("Immunization.explanation.reasonNotGiven", "CodeableConcept", Many),
    ("Immunization.practitioner.role", "CodeableConcept", One),
    ("Immunization.vaccinationProtocol.description", "String", One),
    ("Immunization.vaccinationProtocol.doseSequence", "PositiveInt", One),
    ("Immunization.vaccinationProtocol.doseStatus", "CodeableConcept", One),
    ("Immunization.vaccinationProtocol.doseStatusReason", "CodeableConcept", One),
    ("Immunization.vaccinationProtocol.seriesDoses", "PositiveInt", One),
    ("Medication.image", "Attachment", Many),
    ("Medication.ingredient.amount", "", One),
    ("Medication.isBrand", "Boolean", One),
    ("Medication.isOverTheCounter", "Boolean", One),
    ("Medication.package.batch", "", Many),
    ("Medication.package.container", "CodeableConcept", One),
    ("Medication.package.content", "", Many),
    ("MedicationAdministration.definition", "Reference", Many),
    ("MedicationAdministration.performer.onBehalfOf", "Reference", One),
    ("MedicationAdministration.prescription", "Reference", One),
    ("MedicationAdministration.reasonNotGiven", "CodeableConcept", Many),
    ("MedicationDispense.notDoneReasonCodeableConcept", "CodeableConcept", One),
    ("MedicationDispense.notDoneReasonReference", "Reference", One),
    ("MedicationDispense.performer.onBehalfOf", "Reference", One),
    ("MedicationRequest.context", "Reference", One),
    ("MedicationRequest.definition", "Reference", Many),
    ("MedicationRequest.requester", "", One),
    ("MedicationRequest.requester.onBehalfOf", "Reference", One),
    ("MedicationRequest.substitution.allowed", "Boolean", One),
    ("MedicationStatement.reasonNotTaken", "CodeableConcept", Many),
    ("Observation.component.valueAttachment", "Attachment", One),
    ("Observation.comment", "String", One),
    ("Observation.context", "Reference", One),
    ("Observation.related", "", Many),
    ("Observation.valueAttachment", "Attachment", One),
    ("Patient.animal", "", One),
    ("Procedure.context", "Reference", One),
    ("Procedure.definition", "Reference", Many),
    ("Procedure.notDoneReason", "CodeableConcept", One),
    ("Procedure.performer.role", "CodeableConcept", One),
    ("ProcedureRequest.context", "Reference", One),
    ("ProcedureRequest.definition", "Reference", Many),
    ("ProcedureRequest.requester", "", One),
    ("ProcedureRequest.requester.onBehalfOf", "Reference", One),
    ("QuestionnaireResponse.context", "Reference", One),
    ("QuestionnaireResponse.item.subject", "Reference", One),
    ("QuestionnaireResponse.parent", "Reference", Many),
    ("QuestionnaireResponse.questionnaire", "Reference", One),
    ("ReferralRequest.context", "Reference", One),
    ("ReferralRequest.definition", "Reference", Many),
    ("ReferralRequest.groupIdentifier", "Identifier", One),
    ("ReferralRequest.recipient", "Reference", Many),
    ("ReferralRequest.requester", "", One),
    ("ReferralRequest.requester.onBehalfOf", "Reference", One),
    ("ReferralRequest.serviceRequested", "CodeableConcept", Many),
    ("ReferralRequest.specialty", "CodeableConcept", One),
    ("ReferralRequest.type", "CodeableConcept", One),
    ("Task.context", "Reference", One),
    ("Task.definitionReference", "Reference", One),
    ("Task.definitionUri", "Uri", One),
    ("Task.reason", "CodeableConcept", One),
    ("Task.requester", "", One),
    ("Task.requester.onBehalfOf", "Reference", One),
];

/// Restores every kept element of a resource of type `path`, after its table has given the elements their
/// names back.
pub(super) fn restore(fields: &mut Fields<'_>, path: &str) {
    here(fields, path);
    for (key, value) in fields.members_mut() {
        // Contained resources have tables of their own.
        if !matches!(key, "extension" | "contained") && may_hold(value) {
            below(value, &inside(path, key));
        }
    }
}

/// Questions nest without end, and their paths do not.
fn inside<'p>(path: &'p str, key: &str) -> Cow<'p, str> {
    match (path, key) {
        ("QuestionnaireResponse.item", "item" | "answer") => Cow::Borrowed(path),
        _ => Cow::Owned(format!("{path}.{key}")),
    }
}

/// What holds no such address is not opened.
fn may_hold(value: &Draft<'_>) -> bool {
    value.raw().is_none_or(|raw| raw.raw().contains(FROM_STU3))
}

fn below(value: &mut Draft<'_>, path: &str) {
    if let Some(items) = value.items() {
        for item in items.iter_mut().filter(|item| may_hold(item)) {
            below(item, path);
        }
    } else if let Some(fields) = value.fields() {
        restore(fields, path);
    }
}

/// Restores what was kept on this object: its own elements, and those of an element that R4 has not at all.
fn here(fields: &mut Fields<'_>, path: &str) {
    let Some(items) = fields.get_mut("extension").and_then(Draft::items) else { return };
    let mut stay = Vec::new();
    let mut found: BTreeMap<usize, Vec<(Draft<'_>, Pair<'_>)>> = BTreeMap::new();
    for extension in std::mem::take(items) {
        match home(&extension, path).and_then(|at| Some((at, value_of(&extension, at)?))) {
            Some((at, pair)) => found.entry(at).or_default().push((extension, pair)),
            None => stay.push(extension),
        }
    }
    for (at, values) in found {
        let Some((home, _, holds)) = HOMES.get(at) else { continue };
        let steps = home.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        if !place(fields, steps, *holds, &values) {
            stay.extend(values.into_iter().map(|(extension, _)| extension));
        }
    }
    put_extensions(fields, stay);
}

fn put_extensions<'d>(fields: &mut Fields<'d>, extensions: Vec<Draft<'d>>) {
    if extensions.is_empty() {
        fields.take("extension");
    } else {
        fields.put("extension", Draft::Array(extensions));
    }
}

/// The place in the table of homes of an extension that stands at `path`.
fn home(extension: &Draft<'_>, path: &str) -> Option<usize> {
    let url = url_of(extension)?;
    let kept = url.strip_prefix(FROM_STU3)?;
    let steps = kept.strip_prefix(path)?.strip_prefix('.')?;
    let is_near = steps.split('.').count() <= 2;
    HOMES.iter().position(|(home, _, _)| is_near && *home == kept)
}

/// The value of an extension, if it is nothing but that value.
fn value_of<'d>(extension: &Draft<'d>, at: usize) -> Option<Pair<'d>> {
    let (_, kind, _) = HOMES.get(at)?;
    let mut extension = extension.clone();
    let fields = extension.fields()?;
    fields.take("url")?;
    if kind.is_empty() {
        return rebuilt_or_look(fields);
    }
    let pair = (fields.take(&format!("value{kind}")), fields.take(&format!("_value{kind}")));
    (fields.is_empty() && (pair.0.is_some() || pair.1.is_some())).then_some(pair)
}

/// What was taken apart; some values of that kind look like a data type and were kept whole.
fn rebuilt_or_look<'d>(fields: &mut Fields<'d>) -> Option<Pair<'d>> {
    if fields.len() != 1 {
        return None;
    }
    if let Some(parts) = fields.take("extension") {
        return Some((Some(Draft::Object(rebuilt(parts)?)), None));
    }
    let key = fields.keys().find(|key| key.starts_with("value")).map(str::to_owned)?;
    let value = fields.take(&key)?;
    (value.kind() == Kind::Object).then_some((Some(value), None))
}

/// An object from its parts. Parts of one name are a list.
fn rebuilt(mut parts: Draft<'_>) -> Option<Fields<'_>> {
    let mut members: Vec<(String, Vec<Draft<'_>>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for part in std::mem::take(parts.items()?) {
        let url = url_of(&part)?.into_owned();
        let is_key = url.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_key && !url.contains(':') {
            return None;
        }
        // Extensions that the element had itself have whole addresses.
        let (key, value) =
            if url.contains(':') { ("extension".to_owned(), part) } else { (url, single(part)?) };
        let place = *places.entry(key.clone()).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => members.push((key, vec![value])),
        }
    }
    Some(Fields::gather(members.into_iter().map(|(key, mut values)| {
        let is_list = key == "extension" || values.len() > 1;
        let value = match values.pop() {
            Some(only) if !is_list => only,
            last => {
                values.extend(last);
                Draft::Array(values)
            }
        };
        (Cow::Owned(key), value)
    })))
}

/// The value of one part; one with a sibling cannot be told from a list of one and stays apart.
fn single(mut part: Draft<'_>) -> Option<Draft<'_>> {
    let fields = part.fields()?;
    fields.take("url")?;
    if fields.len() != 1 {
        return None;
    }
    if let Some(inner) = fields.take("extension") {
        return rebuilt(inner).map(Draft::Object);
    }
    let key = fields.keys().find(|key| key.starts_with("value")).map(str::to_owned)?;
    fields.take(&key)
}

/// Puts values where `steps` lead. Tells whether there was room.
fn place<'d>(fields: &mut Fields<'d>, steps: &str, holds: Holds, values: &[(Draft<'d>, Pair<'d>)]) -> bool {
    if let Some((first, rest)) = steps.split_once('.') {
        if !fields.has(first) {
            let mut made = Fields::default();
            let is_done = place(&mut made, rest, holds, values);
            if is_done {
                fields.put(first.to_owned(), Draft::Object(made));
            }
            return is_done;
        }
        return fields
            .get_mut(first)
            .and_then(Draft::fields)
            .is_some_and(|inner| place(inner, rest, holds, values));
    }
    let key = key_of(steps);
    match (holds, values) {
        (One, [(_, (value, sibling))]) if !has(fields, key) => {
            if let Some(value) = value {
                fields.put(key.to_owned(), value.clone());
            }
            if let Some(sibling) = sibling {
                fields.put(format!("_{key}"), sibling.clone());
            }
            true
        }
        (Many, values) if values.iter().all(|(_, (value, sibling))| value.is_some() && sibling.is_none()) => {
            let is_room = fields.get(key).is_none_or(|held| held.kind() == Kind::Array);
            if is_room {
                let values = values.iter().filter_map(|(_, (value, _))| value.clone()).collect();
                fields.append_all(key, values);
            }
            is_room
        }
        _ => false,
    }
}

/// Takes the value that the extension for `path` keeps on this object.
pub(super) fn pull<'d>(fields: &mut Fields<'d>, path: &str, kind: &str) -> Option<Pair<'d>> {
    let items = fields.get_mut("extension")?.items()?;
    let is_kept = |extension: &Draft<'_>| {
        url_of(extension).is_some_and(|url| url.strip_prefix(FROM_STU3) == Some(path))
    };
    let at = items.iter().position(is_kept)?;
    let mut extension = items.get(at)?.clone();
    let inner = extension.fields()?;
    let pair = (inner.take(&format!("value{kind}")), inner.take(&format!("_value{kind}")));
    let is_whole = inner.len() == 1 && (pair.0.is_some() || pair.1.is_some());
    if !is_whole {
        return None;
    }
    items.remove(at);
    if items.is_empty() {
        fields.take("extension");
    }
    Some(pair)
}

/// Whether the extension for `path` keeps the value `true` on this object.
pub(super) fn keeps_truth(fields: &mut Fields<'_>, path: &str) -> bool {
    let mut probe = Fields::default();
    if let Some(extensions) = fields.get("extension") {
        probe.put("extension", extensions.clone());
    }
    pull(&mut probe, path, "Boolean")
        .is_some_and(|(value, _)| value.is_some_and(|value| value.kind() == Kind::True))
}

/// Makes a reference the backbone element it was: the reference under `inner`, and beside it what was kept on
/// it of the element at `path`.
pub(super) fn unlift(value: &mut Draft<'_>, path: &str, inner: &'static str) {
    let Some(reference) = value.fields() else { return };
    let mut whole = Fields::default();
    whole.put(inner, Draft::literal("null"));
    if let Some(items) = reference.get_mut("extension").and_then(Draft::items) {
        let mut stay = Vec::new();
        for extension in std::mem::take(items) {
            let found = home(&extension, path).and_then(|at| {
                let key = HOMES.get(at).map(|(home, _, _)| key_of(home))?;
                Some((key, value_of(&extension, at)?.0?))
            });
            match found {
                Some((key, value)) if !whole.has(key) => whole.put(key, value),
                _ => stay.push(extension),
            }
        }
        put_extensions(reference, stay);
    }
    whole.put(inner, Draft::Object(std::mem::take(reference)));
    *value = Draft::Object(whole);
}
