//! The people and places of the suite practice.

use serde_json::{Value, json};

fn meta(profile: &str) -> Value {
    json!({
        "versionId": "5",
        "profile": [format!("https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-{profile}-1")],
    })
}

/// Organisations: logical id, code, name. The first is the practice.
const ORGANISATIONS: &[(&str, &str, &str)] = &[
    ("o1", "B82617", "Fablebrook Surgery"),
    ("o2", "R1A14", "Fabletown General Hospital"),
    ("o3", "X12345", "Examplefordshire Community Services"),
];

/// Practitioners: logical id, SDS user id, role profile ids, given, family, gender.
type Practitioner =
    (&'static str, &'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const PRACTITIONERS: &[Practitioner] = &[
    ("g1", "G13579135", &[], "Nadia", "Wetherby", "female"),
    ("g2", "G11111116", &["PT1111"], "Colm", "Yardley", "male"),
    ("g3", "G22345655", &["PT2222", "PT3333"], "Petra", "Zelinsky", "female"),
    ("g4", "G99999999", &["PT4444"], "Idris", "Arkwright", "male"),
    ("g5", "G22222226", &["PT5555"], "Fay", "Birtwistle", "female"),
];

/// Branches: logical id, site code, name, the organisation that manages it.
const LOCATIONS: &[(&str, &str, &str, &str)] = &[
    ("1", "Z26556", "Fablebrook Surgery, Main Street", "o1"),
    ("8", "Z33432", "Fablebrook Branch, Mill Lane", "o2"),
    ("3", "Z33433", "Fablebrook Branch, The Green", "o3"),
];

/// Everything that Foundations knows but patients.
pub(super) fn directory() -> Vec<Value> {
    let mut all: Vec<Value> =
        ORGANISATIONS.iter().map(|(id, ods, name)| organisation(id, ods, name)).collect();
    for (id, sds, roles, given, family, gender) in PRACTITIONERS {
        let systems = std::iter::once(("sds-user-id", sds))
            .chain(roles.iter().map(|role| ("sds-role-profile-id", role)));
        let identifiers: Vec<Value> = systems
            .map(|(system, value)| json!({"system": format!("https://fhir.nhs.uk/Id/{system}"), "value": value}))
            .collect();
        all.push(json!({
            "resourceType": "Practitioner",
            "id": id,
            "meta": meta("Practitioner"),
            "identifier": identifiers,
            "name": [{"use": "usual", "family": family, "given": [given], "prefix": ["Dr"]}],
            "gender": gender,
        }));
    }
    all.push(json!({
        "resourceType": "PractitionerRole",
        "id": "r2",
        "meta": meta("PractitionerRole"),
        "practitioner": {"reference": "Practitioner/g2"},
        "organization": {"reference": "Organization/o1"},
        "code": [{"coding": [{
            "system": "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1",
            "code": "R0260",
            "display": "General Medical Practitioner",
        }]}],
    }));
    all.extend(LOCATIONS.iter().map(|(id, site, name, manager)| location(id, site, name, manager)));
    all
}

fn address() -> Value {
    json!({
        "use": "work",
        "line": ["2 Main Street"],
        "city": "Fabletown",
        "district": "Examplefordshire",
        "postalCode": "ZZ99 3VZ",
    })
}

fn telecom() -> Value {
    json!([{"system": "phone", "value": "01632 960100", "use": "work"}])
}

fn organisation(id: &str, ods: &str, name: &str) -> Value {
    json!({
        "resourceType": "Organization",
        "id": id,
        "meta": meta("Organization"),
        "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": ods}],
        "name": name,
        "telecom": telecom(),
        "address": [address()],
    })
}

fn location(id: &str, site: &str, name: &str, manager: &str) -> Value {
    json!({
        "resourceType": "Location",
        "id": id,
        "meta": meta("Location"),
        "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-site-code", "value": site}],
        "status": "active",
        "name": name,
        "telecom": telecom(),
        "address": address(),
        "managingOrganization": {"reference": format!("Organization/{manager}")},
    })
}
