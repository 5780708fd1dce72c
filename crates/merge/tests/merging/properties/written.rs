//! Writes drawings down as a source would: STU3 or R4, as JSON text, byte by byte.

use crate::properties::drawn::{About, Piece, Who, is_administrative};

/// The source that speaks, as far as its text depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker {
    pub(crate) base: &'static str,
    pub(crate) stu3: bool,
}

/// One Bundle: the Patient, then the pieces.
pub(crate) fn bundle(speaker: Speaker, who: Who, pieces: &[Piece]) -> String {
    let entries: Vec<String> = std::iter::once(patient(who))
        .chain(pieces.iter().map(|piece| {
            format!(r#"{{{}"resource":{}}}"#, address(speaker, piece), resource(speaker, piece))
        }))
        .collect();
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","))
}

/// `fullUrl`: most have none, some share one.
fn address(speaker: Speaker, piece: &Piece) -> String {
    match piece.id {
        "3" => format!(r#""fullUrl":"{}/{}/3","#, speaker.base.trim_end_matches('/'), piece.kind),
        "4" => r#""fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000004","#.to_owned(),
        _ => String::new(),
    }
}

fn patient(who: Who) -> String {
    match who {
        Who::Patient(members) => format!(
            r#"{{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{{"resourceType":"Patient","id":"p1","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}],{members}}}}}"#
        ),
        Who::Wrong(entries) => entries.to_owned(),
    }
}

/// One resource.
pub(crate) fn resource(speaker: Speaker, piece: &Piece) -> String {
    let concept = format!(r#"{{"coding":{},"text":"{}"}}"#, piece.codings, piece.words);
    let mut members: Vec<(String, String)> = vec![("resourceType".into(), format!("\"{}\"", piece.kind))];
    if !piece.id.is_empty() {
        members.push(("id".into(), format!("\"{}\"", piece.id)));
    }
    if !is_administrative(piece.kind) {
        members.push((subject(piece.kind).into(), whom(piece)));
    }
    members.extend(statuses(speaker.stu3, piece));
    members.push((code(piece.kind).into(), concept));
    members.extend(dates(speaker.stu3, piece.kind).map(|key| (key.into(), format!("\"{}\"", piece.date))));
    members.extend(links(speaker.stu3, piece.kind).map(|(key, many)| {
        let link = if many { format!("[{}]", piece.link) } else { piece.link.to_owned() };
        (key.into(), link)
    }));
    if matches!(piece.kind, "MedicationStatement" | "MedicationRequest") {
        let key = if piece.kind == "MedicationStatement" { "dosage" } else { "dosageInstruction" };
        members.push((key.into(), format!(r#"[{{"text":"{}"}}]"#, piece.words)));
    }
    let mut text = String::from("{");
    for (index, (key, value)) in members.iter().enumerate() {
        // What an extra says stands alone: no key may come twice.
        if piece.extra.contains(&format!("\"{key}\":")) && !["id", "resourceType"].contains(&key.as_str()) {
            continue;
        }
        text.push_str(if index > 0 { "," } else { "" });
        for part in ["\"", key, "\":", value] {
            text.push_str(part);
        }
    }
    if !piece.extra.is_empty() {
        text.push(',');
        text.push_str(piece.extra);
    }
    text.push('}');
    text.replace("{base}", speaker.base.trim_end_matches('/')).replace("{id}", piece.id)
}

fn whom(piece: &Piece) -> String {
    let (About::Patient(reference) | About::Nobody(reference) | About::Other(reference)) = piece.about;
    if piece.kind == "Appointment" { format!(r#"[{{"actor":{reference}}}]"#) } else { reference.to_owned() }
}

fn subject(kind: &str) -> &'static str {
    match kind {
        "AllergyIntolerance" | "Immunization" | "Device" | "RelatedPerson" | "EpisodeOfCare" | "Consent" => {
            "patient"
        }
        "Appointment" => "participant",
        "Task" => "for",
        _ => "subject",
    }
}

fn code(kind: &str) -> &'static str {
    match kind {
        "MedicationStatement" | "MedicationRequest" | "MedicationDispense" | "MedicationAdministration" => {
            "medicationCodeableConcept"
        }
        "Immunization" => "vaccineCode",
        "DocumentReference" | "Encounter" | "Specimen" => "type",
        "RelatedPerson" => "relationship",
        "Appointment" => "serviceType",
        _ => "code",
    }
}

/// The status, and whatever else says how far a statement holds, as the version has it.
fn statuses(stu3: bool, piece: &Piece) -> Vec<(String, String)> {
    let plain = format!("\"{}\"", piece.status);
    let is_judged = matches!(piece.kind, "AllergyIntolerance" | "Condition");
    if !is_judged {
        return vec![("status".into(), plain)];
    }
    let coded = if stu3 {
        plain
    } else {
        format!(
            r#"{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/x","code":"{}"}}]}}"#,
            piece.status
        )
    };
    let key = if matches!(piece.status, "refuted" | "entered-in-error" | "unknown") {
        "verificationStatus"
    } else {
        "clinicalStatus"
    };
    vec![(key.into(), coded)]
}

fn dates(stu3: bool, kind: &str) -> impl Iterator<Item = &'static str> {
    let keys: &[&str] = match (kind, stu3) {
        ("AllergyIntolerance", true) => &["assertedDate"],
        ("AllergyIntolerance", false) => &["recordedDate"],
        ("Condition", true) => &["onsetDateTime", "assertedDate"],
        ("Condition", false) => &["onsetDateTime", "recordedDate"],
        ("Observation" | "DiagnosticReport" | "MedicationStatement", _) => &["effectiveDateTime"],
        ("MedicationRequest" | "Task" | "ProcedureRequest" | "ReferralRequest" | "ServiceRequest", _) => {
            &["authoredOn"]
        }
        ("Immunization", false) => &["occurrenceDateTime"],
        ("Procedure", _) => &["performedDateTime"],
        ("DocumentReference", true) => &["indexed"],
        ("Appointment", _) => &["start"],
        _ => &["date"],
    };
    keys.iter().copied()
}

/// Keys that hold references, and whether they hold several.
fn links(stu3: bool, kind: &str) -> impl Iterator<Item = (&'static str, bool)> {
    let keys: &[(&str, bool)] = match (kind, stu3) {
        ("MedicationStatement" | "MedicationRequest", _) => &[("basedOn", true)],
        ("MedicationDispense", _) => &[("authorizingPrescription", true)],
        ("MedicationAdministration", true) => &[("prescription", false)],
        ("MedicationAdministration", false) => &[("request", false)],
        ("DiagnosticReport", _) => &[("result", true)],
        ("Observation", false) => &[("hasMember", true)],
        ("Condition" | "Procedure" | "Observation", true) => &[("context", false)],
        ("Encounter" | "Flag", _) => &[("serviceProvider", false)],
        ("PractitionerRole", _) => &[("practitioner", false)],
        ("List", _) => &[("source", false)],
        _ => &[("encounter", false)],
    };
    keys.iter().copied()
}
