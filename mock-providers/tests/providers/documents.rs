//! Documents are searched and read as GP Connect says.

use crate::support::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mock_providers::ProviderHandle;
use serde_json::Value;
use tributary_model::{Capability, Interaction};

const INCLUDES: &str = "_include=DocumentReference:subject:Patient\
    &_include=DocumentReference:custodian:Organization\
    &_include=DocumentReference:author:Organization\
    &_include=DocumentReference:author:Practitioner\
    &_revinclude:recurse=PractitionerRole:practitioner";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

async fn search(provider: &ProviderHandle, id: &str, query: &str) -> Seen {
    let tail = format!("/Patient/{id}/DocumentReference?{query}");
    Call::of(provider, Interaction::SearchDocuments, &tail).send(provider).await
}

async fn read(provider: &ProviderHandle, url: &str) -> Seen {
    let id = url.rsplit('/').next().unwrap();
    Call::of(provider, Interaction::ReadBinary, &format!("/Binary/{id}")).send(provider).await
}

fn attachment(document: &Value) -> &Value {
    &document["content"][0]["attachment"]
}

#[tokio::test]
async fn documents_are_found_with_those_who_wrote_and_keep_them() {
    let suite = suite().await;
    let seen = search(&suite, "s02", INCLUDES).await;
    assert_eq!(seen.status, 200);
    let bundle = seen.json();
    assert_eq!((&bundle["id"], &bundle["type"]), (&TRACE.into(), &"searchset".into()));
    let documents = of_type(&bundle, "DocumentReference");
    assert_eq!(documents.len(), 4);
    assert_eq!(bundle["total"], 4);
    for kind in ["Patient", "Organization", "Practitioner", "PractitionerRole"] {
        assert_eq!(of_type(&bundle, kind).len(), 1, "{kind}");
    }
    for document in &documents {
        for field in ["status", "type", "indexed", "created", "description"] {
            assert!(document.get(field).is_some(), "{field}");
        }
        for absent in ["docStatus", "class", "authenticator", "relatesTo", "securityLabel"] {
            assert!(document.get(absent).is_none(), "{absent}");
        }
        assert!(attachment(document)["size"].is_u64());
        assert!(attachment(document)["contentType"].is_string());
        assert_ne!(attachment(document).get("url").is_some(), attachment(document).get("title").is_some());
    }
    let modes: Vec<_> =
        bundle["entry"].as_array().unwrap().iter().map(|one| &one["search"]["mode"]).collect();
    assert_eq!(modes.iter().filter(|mode| **mode == "match").count(), 4);
}

#[tokio::test]
async fn searches_are_narrowed() {
    let suite = suite().await;
    let bundle = search(&suite, "s02", INCLUDES).await.json();
    let newest = of_type(&bundle, "DocumentReference")[0]["created"].as_str().unwrap();
    let newest = newest.split('T').next().unwrap();
    let rows = [
        (format!("created=ge{newest}"), 1),
        (format!("created=ge{newest}T00:00:00%2B00:00&created=le2999-01-01"), 1),
        ("created=ge1950-01-01&created=le1951-01-01".to_owned(), 0),
        (format!("created=le{newest}"), 4),
        (format!("author={ODS}%7CB82617"), 4),
        (format!("author={ODS}%7CX12345"), 0),
        ("description=CARDIOLOGY".to_owned(), 1),
        ("description=clinical".to_owned(), 4),
        ("_format=application/fhir%2Bjson".to_owned(), 4),
    ];
    for (query, count) in rows {
        let bundle = search(&suite, "s02", &format!("{INCLUDES}&{query}")).await.json();
        assert_eq!(of_type(&bundle, "DocumentReference").len(), count, "{query}");
        assert_eq!(bundle.get("entry").is_some(), count > 0, "{query}");
    }
}

#[tokio::test]
async fn bad_searches_are_refused() {
    let suite = suite().await;
    let without_role = INCLUDES.replace("&_revinclude:recurse=PractitionerRole:practitioner", "");
    let and = |further: &str| format!("{INCLUDES}&{further}");
    let rows = [
        ("s02", String::new(), 422, "INVALID_PARAMETER"),
        ("s02", without_role, 422, "INVALID_PARAMETER"),
        ("s02", and("BadParameter=x"), 422, "INVALID_PARAMETER"),
        ("s02", and("author=https://bad-identifier%7CB82617"), 422, "INVALID_PARAMETER"),
        ("s02", and("created=2020-01-01"), 422, "INVALID_PARAMETER"),
        ("s02", and("created=gesoon"), 422, "INVALID_PARAMETER"),
        (
            "s02",
            and("created=ge2020-01-01&created=ge2020-01-01&created=le2021-01-01"),
            422,
            "INVALID_PARAMETER",
        ),
        ("9999999999999", INCLUDES.to_owned(), 404, "PATIENT_NOT_FOUND"),
        ("s23", INCLUDES.to_owned(), 404, "PATIENT_NOT_FOUND"),
        ("s09", INCLUDES.to_owned(), 404, "PATIENT_NOT_FOUND"),
        ("s18", INCLUDES.to_owned(), 404, "PATIENT_NOT_FOUND"),
        ("s21", INCLUDES.to_owned(), 404, "PATIENT_NOT_FOUND"),
        ("s15", INCLUDES.to_owned(), 403, "NO_PATIENT_CONSENT"),
    ];
    for (id, query, status, code) in rows {
        let seen = search(&suite, id, &query).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (status, code), "{id} {query}");
    }
    assert_eq!(search(&suite, "s03", INCLUDES).await.json()["total"], 0);
}

#[tokio::test]
async fn the_first_document_can_be_read_and_so_can_one_of_five_megabytes() {
    let suite = suite().await;
    let bundle = search(&suite, "s02", INCLUDES).await.json();
    let documents = of_type(&bundle, "DocumentReference");
    assert!(attachment(documents[0]).get("url").is_some(), "the first document can be had");
    let mut longest = 0;
    for document in documents {
        let Some(url) = attachment(document)["url"].as_str() else {
            continue;
        };
        let documents_root = suite.root(Capability::Documents);
        let tail = documents_root.split_once("/B82617").unwrap().1;
        assert!(url.starts_with(&format!("http://localhost/B82617{tail}/Binary/")), "{url}");
        let seen = read(&suite, url).await;
        assert_eq!(seen.status, 200);
        assert!(seen.header("etag").is_some());
        let binary = seen.json();
        assert_eq!(binary["resourceType"], "Binary");
        assert_eq!(binary["contentType"], attachment(document)["contentType"]);
        let content = STANDARD.decode(binary["content"].as_str().unwrap()).unwrap();
        assert_eq!(content.len() as u64, attachment(document)["size"].as_u64().unwrap());
        longest = longest.max(content.len());
    }
    assert_eq!(longest, 5 * 1024 * 1024);
}

#[tokio::test]
async fn files_that_cannot_be_had_say_why() {
    let suite = suite().await;
    for (patient, index, size) in [("s04", 0, 6 * 1024 * 1024), ("s02", 2, 0)] {
        let bundle = search(&suite, patient, INCLUDES).await.json();
        let document = of_type(&bundle, "DocumentReference")[index];
        assert!(attachment(document)["title"].is_string(), "{patient}");
        assert!(attachment(document).get("url").is_none());
        assert_eq!(attachment(document)["size"], size);
        let seen = read(&suite, &format!("{}-file", document["id"].as_str().unwrap())).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (404, "NO_RECORD_FOUND"));
    }
    for (id, status, code) in [
        ("nothing", 404, "NO_RECORD_FOUND"),
        ("s09-doc1-file", 404, "NO_RECORD_FOUND"),
        ("s15-doc1-file", 403, "NO_PATIENT_CONSENT"),
    ] {
        let seen = read(&suite, id).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (status, code), "{id}");
    }
}

#[tokio::test]
async fn story_patients_have_documents() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    for number in ["9990000107", "9990000409"] {
        let query = format!("/Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C{number}");
        let found = Call::of(gp, Interaction::DocumentsFindPatient, &query).send(gp).await.json();
        let id = of_type(&found, "Patient")[0]["id"].as_str().unwrap().to_owned();
        let bundle = search(gp, &id, INCLUDES).await.json();
        let document = of_type(&bundle, "DocumentReference")[0];
        assert_eq!(document["subject"]["reference"], format!("Patient/{id}"));
        let seen = read(gp, attachment(document)["url"].as_str().unwrap()).await;
        assert_eq!(seen.status, 200);
        assert_eq!(gp.asks().last().unwrap().nhs_number.as_deref(), Some(number));
    }
}
