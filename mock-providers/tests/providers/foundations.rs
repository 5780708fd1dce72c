//! Patients, practitioners, organisations and locations are found and read as GP Connect says.

use crate::support::*;
use mock_providers::{ProviderHandle, suite_patients};
use serde_json::Value;
use tributary_model::Interaction;

const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";
const SDS: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

async fn find(provider: &ProviderHandle, interaction: Interaction, tail: &str) -> Seen {
    Call::of(provider, interaction, tail).send(provider).await
}

fn patient_query(name: &str) -> String {
    format!("/Patient?identifier={NHS}%7C{}", number(name))
}

#[tokio::test]
async fn finds_answer_with_a_searchset() {
    let suite = suite().await;
    let rows = [
        (Interaction::FindPatient, patient_query("patient2"), 1),
        (Interaction::DocumentsFindPatient, patient_query("patient2"), 1),
        (Interaction::FindPatient, format!("/Patient?identifier={NHS}%7C9999999999"), 0),
        (Interaction::FindPatient, format!("{}&_count=1&_sort=status", patient_query("patient2")), 1),
        (Interaction::FindPractitioner, format!("/Practitioner?identifier={SDS}%7CG13579135"), 1),
        (Interaction::FindPractitioner, format!("/Practitioner?identifier={SDS}|G22345655"), 1),
        (Interaction::FindPractitioner, format!("/Practitioner?identifier={SDS}%7CunknownSDSUserID"), 0),
        (Interaction::FindOrganization, format!("/Organization?identifier={ODS}%7CB82617"), 1),
        (Interaction::FindOrganization, format!("/Organization?identifier={ODS}%7CINVOC1"), 0),
    ];
    for (interaction, tail, count) in rows {
        let seen = find(&suite, interaction, &tail).await;
        assert_eq!(seen.status, 200, "{tail}");
        assert_eq!(seen.header("cache-control"), Some("no-store"));
        let bundle = seen.json();
        assert_eq!(bundle["type"], "searchset");
        assert_eq!(bundle["id"], TRACE);
        assert_eq!(bundle["total"], count, "{tail}");
        assert_eq!(bundle.get("entry").is_some(), count > 0, "{tail}");
        if count > 0 {
            let entry = &bundle["entry"][0];
            let resource = &entry["resource"];
            assert!(resource["meta"]["versionId"].is_string());
            let root = suite.root(interaction.capability());
            let url = format!("{root}/{}/{}", text(&resource["resourceType"]), text(&resource["id"]));
            assert_eq!(
                entry["fullUrl"].as_str().unwrap().split_once("/B82617"),
                url.split_once("/B82617").map(|(_, tail)| ("http://localhost", tail))
            );
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn only_who_may_be_seen_is_found() {
    let suite = suite().await;
    let hidden = ["patient9", "patient10", "patient14", "patient18", "patient21"];
    for patient in suite_patients() {
        let tail = patient_query(patient.name);
        let in_foundations = find(&suite, Interaction::FindPatient, &tail).await.json()["total"] == 1;
        let in_documents = find(&suite, Interaction::DocumentsFindPatient, &tail).await.json()["total"] == 1;
        let is_hidden = hidden.contains(&patient.name);
        assert_eq!(in_foundations, !is_hidden, "{}", patient.name);
        assert_eq!(in_documents, !is_hidden && patient.name != "patientTemporary", "{}", patient.name);
        let read = find(&suite, Interaction::ReadPatient, &format!("/Patient/{}", patient.id)).await;
        assert_eq!(read.status == 200, in_foundations, "{}", patient.name);
        if read.status == 404 {
            let unknown = find(&suite, Interaction::ReadPatient, "/Patient/aaBA").await;
            assert_eq!((read.head, read.body), (unknown.head, unknown.body), "{}", patient.name);
        }
    }
}

#[tokio::test]
async fn bad_searches_are_refused() {
    let suite = suite().await;
    let patient = Interaction::FindPatient;
    let (number, other) = (number("patient2"), number("patient1"));
    let rows = [
        (patient, "/Patient".to_owned(), 400, "BAD_REQUEST"),
        (patient, format!("/Patient?Identifier={NHS}%7C{number}"), 400, "BAD_REQUEST"),
        (
            patient,
            format!("/Patient?identifier={NHS}%7C{number}&identifier={NHS}%7C{other}"),
            400,
            "BAD_REQUEST",
        ),
        (
            patient,
            format!("/Patient?identifier={NHS}%7C{number}&identifier={NHS}%7C{number}"),
            400,
            "BAD_REQUEST",
        ),
        (patient, format!("/Patient?identifier={number}"), 422, "INVALID_PARAMETER"),
        (patient, format!("/Patient?identifier=%7C{number}"), 422, "INVALID_PARAMETER"),
        (patient, format!("/Patient?identifier={NHS}%7C"), 422, "INVALID_PARAMETER"),
        (patient, format!("/Patient?identifier=urn:x%7C{number}"), 400, "INVALID_IDENTIFIER_SYSTEM"),
        (patient, format!("/Patient?identifier={NHS}%7C9690937287"), 400, "INVALID_NHS_NUMBER"),
        (Interaction::DocumentsFindPatient, "/Patient".to_owned(), 400, "BAD_REQUEST"),
        (
            Interaction::DocumentsFindPatient,
            format!("/Patient?identifier={number}"),
            422,
            "INVALID_PARAMETER",
        ),
        (Interaction::FindPractitioner, "/Practitioner".to_owned(), 400, "BAD_REQUEST"),
        (
            Interaction::FindPractitioner,
            format!("/Practitioner?identifier={SDS}%7C"),
            422,
            "INVALID_PARAMETER",
        ),
        (
            Interaction::FindPractitioner,
            "/Practitioner?identifier=%7CG11111116".to_owned(),
            422,
            "INVALID_PARAMETER",
        ),
        (Interaction::FindOrganization, "/Organization".to_owned(), 400, "BAD_REQUEST"),
        (
            Interaction::FindOrganization,
            "/Organization?identifier=B82617".to_owned(),
            422,
            "INVALID_PARAMETER",
        ),
    ];
    for (interaction, tail, status, code) in rows {
        let seen = find(&suite, interaction, &tail).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (status, code), "{tail}");
        assert_eq!(seen.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn reads_tell_the_version_and_misses_tell_the_kind() {
    let suite = suite().await;
    let rows = [
        (Interaction::ReadPatient, "/Patient/s02", Ok("3")),
        (Interaction::ReadPractitioner, "/Practitioner/g1", Ok("5")),
        (Interaction::ReadOrganization, "/Organization/o1", Ok("5")),
        (Interaction::ReadLocation, "/Location/1", Ok("5")),
        (Interaction::ReadLocation, "/Location/8", Ok("5")),
        (Interaction::ReadLocation, "/Location/3", Ok("5")),
        (Interaction::ReadPatient, "/Patient/z.as.dd", Err("PATIENT_NOT_FOUND")),
        (Interaction::ReadPractitioner, "/Practitioner/aaBA", Err("PRACTITIONER_NOT_FOUND")),
        (Interaction::ReadOrganization, "/Organization/1.1445.23", Err("ORGANISATION_NOT_FOUND")),
        (Interaction::ReadLocation, "/Location/40-95-3", Err("NO_RECORD_FOUND")),
    ];
    for (interaction, tail, expected) in rows {
        let seen = find(&suite, interaction, tail).await;
        match expected {
            Ok(version) => {
                assert_eq!(seen.status, 200, "{tail}");
                assert_eq!(seen.header("etag"), Some(format!("W/\"{version}\"").as_str()));
                assert_eq!(seen.json()["meta"]["versionId"], version);
            }
            Err(code) => assert_eq!((seen.status, seen.spine_code().as_str()), (404, code), "{tail}"),
        }
        assert_eq!(seen.header("content-type"), Some("application/fhir+json;charset=utf-8"));
    }
}

#[tokio::test]
async fn everything_a_patient_names_can_be_read() {
    let suite = suite().await;
    for name in ["patient1", "patient2", "patient6", "patient15"] {
        let bundle = find(&suite, Interaction::FindPatient, &patient_query(name)).await.json();
        let patient = of_type(&bundle, "Patient")[0];
        for reference in references(patient) {
            let interaction = match reference.split('/').next().unwrap() {
                "Practitioner" => Interaction::ReadPractitioner,
                "Organization" => Interaction::ReadOrganization,
                _ => Interaction::ReadLocation,
            };
            assert_eq!(find(&suite, interaction, &format!("/{reference}")).await.status, 200, "{reference}");
        }
        let official = patient["name"].as_array().unwrap().iter().filter(|one| one["use"] == "official");
        assert_eq!(official.count(), 1);
        for absent in ["photo", "link", "animal", "maritalStatus", "multipleBirthBoolean", "contact"] {
            assert!(patient.get(absent).is_none(), "{absent}");
        }
    }
}

#[tokio::test]
async fn practitioners_have_the_role_profiles_of_the_suite() {
    let suite = suite().await;
    for (user, roles) in [("G13579135", 0), ("G11111116", 1), ("G22345655", 2)] {
        let tail = format!("/Practitioner?identifier={SDS}%7C{user}");
        let bundle = find(&suite, Interaction::FindPractitioner, &tail).await.json();
        let practitioner = of_type(&bundle, "Practitioner")[0];
        let identifiers = practitioner["identifier"].as_array().unwrap();
        let of =
            |system: &str| identifiers.iter().filter(|one| text(&one["system"]).ends_with(system)).count();
        assert_eq!((of("sds-user-id"), of("sds-role-profile-id")), (1, roles), "{user}");
        for absent in ["telecom", "address", "birthDate", "photo", "qualification"] {
            assert!(practitioner.get(absent).is_none(), "{absent}");
        }
    }
}

#[tokio::test]
async fn a_root_serves_its_own_interactions_only() {
    let suite = suite().await;
    let rows = [
        (Interaction::FoundationsMetadata, Interaction::StructuredMetadata),
        (Interaction::StructuredMetadata, Interaction::DocumentsMetadata),
        (Interaction::DocumentsMetadata, Interaction::FoundationsMetadata),
    ];
    for (own, other) in rows {
        let mut call = Call::of(&suite, own, "/metadata");
        assert_eq!(call.send(&suite).await.status, 200);
        call.set("Ssp-InteractionID", other.urn());
        let seen = call.send(&suite).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (400, "BAD_REQUEST"), "{own:?}");
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let mut call = Call::of(&suite, own, "/metadata");
            call.method = method;
            assert_eq!(call.send(&suite).await.spine_code(), "BAD_REQUEST", "{method}");
        }
        for tail in ["/metadatas", "/Metadata", "/metadata/"] {
            assert_eq!(find(&suite, own, tail).await.spine_code(), "BAD_REQUEST", "{tail}");
        }
    }
    let mut call = Call::of(&suite, Interaction::ReadPatient, "/Patient/s02");
    call.set("Authorization", &bearer(&claims("organization/*.read")));
    assert_eq!(call.send(&suite).await.spine_code(), "BAD_REQUEST", "another scope");
}

#[tokio::test]
async fn what_is_not_offered_is_said_so() {
    let suite = suite().await;
    let rows = [
        ("POST", "/Patient/$gpc.registerpatient", "fhir:operation:gpc.registerpatient-1"),
        ("POST", "/Patient/$gpc.migratestructuredrecord", "fhir:operation:gpc.migratestructuredrecord-1"),
        ("GET", "/Binary/1", "documents:fhir:rest:migrate:binary-1"),
        ("GET", "/Slot", "fhir:rest:search:slot-1"),
        ("GET", "/Appointment/1", "fhir:rest:read:appointment-1"),
        ("PUT", "/Appointment/1", "fhir:rest:cancel:appointment-1"),
    ];
    for (method, tail, name) in rows {
        let mut call = Call::of(&suite, Interaction::FindPatient, tail);
        call.method = method;
        call.set("Ssp-InteractionID", &format!("urn:nhs:names:services:gpconnect:{name}"));
        let seen = call.send(&suite).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (501, "NOT_IMPLEMENTED"), "{name}");
    }
}

#[tokio::test]
async fn the_story_practice_has_foundations_too() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let mut ids = Vec::new();
    for number in ["9990000107", "9990000204", "9990000301", "9990000409"] {
        let tail = format!("/Patient?identifier={NHS}%7C{number}");
        let bundle = find(gp, Interaction::FindPatient, &tail).await.json();
        let patient = of_type(&bundle, "Patient")[0];
        assert_eq!(patient["identifier"][0]["value"], number);
        let id = text(&patient["id"]).to_owned();
        let read = find(gp, Interaction::ReadPatient, &format!("/Patient/{id}")).await.json();
        assert_eq!(&read, patient);
        ids.push(id);
        for reference in references(patient) {
            let interaction = if reference.starts_with("Practitioner/") {
                Interaction::ReadPractitioner
            } else {
                Interaction::ReadOrganization
            };
            assert_eq!(find(gp, interaction, &format!("/{reference}")).await.status, 200);
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(gp.asks().last().unwrap().nhs_number, None);
    assert_eq!(gp.asks()[0].nhs_number.as_deref(), Some("9990000107"));
}
