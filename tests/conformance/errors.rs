//! Part 6: which mistake is answered with which status and code, and the limits on documents of part 8.

use mock_providers::{ErrorBody, Fault};
use serde_json::{Value, json};
use tributary::Running;

use crate::canned::Canned;
use crate::consumer::{INCLUDES, NHS_NUMBER, ODS_CODE, Request, SDS_USER, allergies, everything, parameters};
use crate::outcome::{refused, refused_naming, same_refusal};
use crate::stand::{Plan, Stand, broker, configuration, id, number};

type Row = (Request, u16, &'static str, &'static str);

fn patients(query: &str) -> Request {
    Request::foundations(&format!("Patient{query}"), "search:patient-1")
}

fn documents_patients(query: &str) -> Request {
    Request::documents(&format!("Patient{query}"), "search:patient-1")
}

/// Searches whose identifier is wrong.
fn searches() -> Vec<Row> {
    let (bad, parameter, system) = ("BAD_REQUEST", "INVALID_PARAMETER", "INVALID_IDENTIFIER_SYSTEM");
    let own = number("patient2");
    let good = format!("identifier={NHS_NUMBER}%7C{own}");
    let mut rows = Vec::new();
    for find in [patients, documents_patients] {
        rows.extend([
            (find(""), 400, bad, "identifier"),
            (find(&format!("?Identifier={NHS_NUMBER}%7C{own}")), 400, bad, "identifier"),
            (find(&format!("?{good}&{good}")), 400, bad, "identifier"),
            (find(&format!("?identifier={own}")), 422, parameter, "identifier"),
            (find(&format!("?identifier=%7C{own}")), 422, parameter, "identifier"),
            (find(&format!("?identifier={NHS_NUMBER}%7C")), 422, parameter, "identifier"),
            (find("?identifier="), 422, parameter, "identifier"),
            (find(&format!("?identifier=https://fhir.nhs.uk/Id/other%7C{own}")), 400, system, "identifier"),
            (
                find(&format!("?identifier={NHS_NUMBER}%7C1234567890")),
                400,
                "INVALID_NHS_NUMBER",
                "identifier",
            ),
        ]);
    }
    for (kind, interaction, system_of) in [
        ("Practitioner", "search:practitioner-1", SDS_USER),
        ("Organization", "search:organization-1", ODS_CODE),
    ] {
        let find = |query: &str| Request::foundations(&format!("{kind}{query}"), interaction);
        let good = format!("identifier={system_of}%7CX1");
        rows.extend([
            (find(""), 400, bad, "identifier"),
            (find(&format!("?IDENTIFIER={system_of}%7CX1")), 400, bad, "identifier"),
            (find(&format!("?{good}&{good}")), 400, bad, "identifier"),
            (find("?identifier=X1"), 422, parameter, "identifier"),
            (find("?identifier=%7CX1"), 422, parameter, "identifier"),
            (find(&format!("?identifier={system_of}%7C")), 422, parameter, "identifier"),
            (find("?identifier=urn:x%7CX1"), 400, system, "identifier"),
        ]);
    }
    rows
}

/// Searches for documents that lack or have what they must not.
fn document_searches() -> Vec<Row> {
    let find = |query: String| {
        let tail = format!("Patient/{}/DocumentReference?{query}", id("patient2"));
        Request::documents(&tail, "search:documentreference-1")
    };
    let all = INCLUDES.join("&");
    let mut rows: Vec<Row> = Vec::new();
    for (at, left_out) in INCLUDES.iter().enumerate() {
        let mut some = INCLUDES.to_vec();
        some.remove(at);
        rows.push((find(some.join("&")), 422, "INVALID_PARAMETER", left_out.split('=').next().unwrap()));
    }
    rows.push((find(String::new()), 422, "INVALID_PARAMETER", "_include"));
    for (more, names) in [
        ("author=https://fhir.nhs.uk/Id/other%7CB82617", "author"),
        ("author=B82617", "author"),
        ("created=2020-01-01", "created"),
        ("created=gt2020-01-01", "created"),
        ("created=eq2020-01-01", "created"),
        ("created=ge2020-13-01", "created"),
        ("created=ge2020-01-01&created=le2021-01-01&created=le2022-01-01", "created"),
        ("startingage=10", "parameter 6"),
        ("type=x", "parameter 6"),
        ("facility=x", "parameter 6"),
    ] {
        rows.push((find(format!("{all}&{more}")), 422, "INVALID_PARAMETER", names));
    }
    rows
}

#[tokio::test]
async fn what_is_wrong_with_a_search_is_told_before_anybody_is_asked() {
    let stand = Stand::of_nobody().await;
    for (request, status, code, names) in searches().into_iter().chain(document_searches()) {
        refused_naming(&request.path, &stand.ask(&request).await, status, code, names);
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn what_the_gp_system_does_not_know_is_told_in_its_code() {
    let stand = Stand::usual().await;
    let found = |name: &str| {
        let tail = format!("Patient/{}/DocumentReference?{}", id(name), INCLUDES.join("&"));
        Request::documents(&tail, "search:documentreference-1")
    };
    let record = |name: &str| Request::record(&parameters(number(name), &[allergies(true)]));
    let read = Request::foundations;
    let unknown = Request::record(&parameters("9990000107", &[allergies(true)]));
    let mut nobody = found("patient2");
    nobody.path = nobody.path.replace(&format!("Patient/{}/", id("patient2")), "Patient/nobody/");
    let rows = [
        (unknown, 404, "PATIENT_NOT_FOUND"),
        (record("patient9"), 404, "PATIENT_NOT_FOUND"),
        (record("patient14"), 404, "PATIENT_NOT_FOUND"),
        (record("patient18"), 404, "PATIENT_NOT_FOUND"),
        (record("patient21"), 404, "PATIENT_NOT_FOUND"),
        (record("patientTemporary"), 404, "PATIENT_NOT_FOUND"),
        (record("patient15"), 403, "NO_PATIENT_CONSENT"),
        (found("patient15"), 403, "NO_PATIENT_CONSENT"),
        (found("patientTemporary"), 404, "PATIENT_NOT_FOUND"),
        (nobody, 404, "PATIENT_NOT_FOUND"),
        (read("Patient/nobody", "read:patient-1"), 404, "PATIENT_NOT_FOUND"),
        (read("Organization/none", "read:organization-1"), 404, "ORGANISATION_NOT_FOUND"),
        (read("Practitioner/nobody", "read:practitioner-1"), 404, "PRACTITIONER_NOT_FOUND"),
        (read("Location/nowhere", "read:location-1"), 404, "NO_RECORD_FOUND"),
    ];
    for (request, status, code) in rows {
        refused(&request.path, &stand.ask(&request).await, status, code);
    }
    // An id that can be none reaches nobody, and is told in the same code.
    let asked = stand.gp.ask_count();
    let rows = [
        (read("Patient/a%2Fb", "read:patient-1"), "PATIENT_NOT_FOUND"),
        (read("Organization/..", "read:organization-1"), "ORGANISATION_NOT_FOUND"),
        (read("Practitioner/a;b", "read:practitioner-1"), "PRACTITIONER_NOT_FOUND"),
        (read("Location/a:b", "read:location-1"), "NO_RECORD_FOUND"),
        (Request::documents("Binary/none", "read:binary-1"), "NO_RECORD_FOUND"),
    ];
    for (request, code) in rows {
        refused(&request.path, &stand.ask(&request).await, 404, code);
    }
    assert_eq!(stand.gp.ask_count(), asked);
}

#[tokio::test]
async fn a_search_that_finds_nobody_is_an_empty_searchset() {
    let stand = Stand::usual().await;
    for (find, names) in [
        (patients as fn(&str) -> Request, &["patient9", "patient18", "patient21", "patient14"][..]),
        (documents_patients, &["patient9", "patient18", "patient21", "patientTemporary"]),
    ] {
        let numbers = names.iter().map(|name| number(name)).chain(["9990000107"]);
        for number in numbers {
            let reply = stand.ask(&find(&format!("?identifier={NHS_NUMBER}%7C{number}"))).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert_eq!(reply.json()["type"], "searchset");
            assert!(reply.json().get("entry").is_none(), "{}", reply.body);
        }
    }
    for (find, name) in
        [(patients as fn(&str) -> Request, "patientTemporary"), (documents_patients, "patient15")]
    {
        let reply = stand.ask(&find(&format!("?identifier={NHS_NUMBER}%7C{}", number(name)))).await;
        assert_eq!(reply.json()["entry"].as_array().map(Vec::len), Some(1), "{}", reply.body);
    }
}

/// Every row of 6.2 that a GP system can send.
const OF_PROVIDERS: &[(u16, &str)] = &[
    (400, "INVALID_IDENTIFIER_SYSTEM"),
    (400, "INVALID_IDENTIFIER_VALUE"),
    (400, "INVALID_NHS_NUMBER"),
    (400, "BAD_REQUEST"),
    (400, "CONFLICTING_VALUES"),
    (403, "NO_PATIENT_CONSENT"),
    (403, "NO_ORGANISATION_CONSENT"),
    (403, "NO_ORGANISATIONAL_CONSENT"),
    (403, "ACCESS DENIED"),
    (403, "ACCESS_DENIED"),
    (403, "NO_RELATIONSHIP"),
    (404, "PATIENT_NOT_FOUND"),
    (404, "ORGANISATION_NOT_FOUND"),
    (404, "PRACTITIONER_NOT_FOUND"),
    (404, "NO_RECORD_FOUND"),
    (409, "DUPLICATE_REJECTED"),
    (415, "BAD_REQUEST"),
    (422, "INVALID_RESOURCE"),
    (422, "INVALID_PARAMETER"),
    (422, "REFERENCE_NOT_FOUND"),
];

#[tokio::test]
async fn every_refusal_of_the_gp_system_passes_as_it_is() {
    let stand = Stand::usual().await;
    let request = Request::record(&parameters(number("patient17"), &everything()));
    for (status, code) in OF_PROVIDERS {
        let (body, spine_code) = (ErrorBody::Outcome, Some((*code).to_owned()));
        stand.gp.set_fault(Fault::Status { status: *status, body, spine_code, retry_after_secs: None });
        let (ours, theirs) = (stand.ask(&request).await, stand.direct(&request).await);
        assert_eq!(ours.status, *status, "{code}: {}", ours.body);
        same_refusal(&format!("{status} {code}"), &ours, &theirs);
        assert!(ours.body.contains(code));
        assert_eq!(ours.header("Cache-Control"), Some("no-store"), "{code}");
    }
    // A failure is no refusal: it is told in our words.
    for status in [500, 501, 502, 504] {
        stand.gp.set_fault(Fault::status(status));
        let told = refused(&status.to_string(), &stand.ask(&request).await, 502, "INTERNAL_SERVER_ERROR");
        assert!(!told.contains("made to fail"), "{told}");
    }
}

#[tokio::test]
async fn what_is_not_offered_is_told_as_such() {
    let stand = Stand::of_nobody().await;
    let body = parameters(number("patient2"), &[]);
    let post = |tail: &str, urn: &str| Request {
        body: body.clone(),
        method: "POST",
        ..Request::foundations(tail, urn).with("Content-Type", "application/fhir+json")
    };
    let migrate = Request::record(&body);
    let path = migrate.path.replace("getstructured", "migratestructured");
    let put = |urn: &str| Request { method: "PUT", ..post("Appointment/1", urn) };
    let rows = [
        migrate.at(path).meaning("fhir:operation:gpc.migratestructuredrecord-1"),
        post("Patient/$gpc.registerpatient", "").meaning("fhir:operation:gpc.registerpatient-1"),
        Request::documents("Binary/1", "migrate:binary-1"),
        Request::foundations("Slot?start=ge2020-01-01", "search:slot-1"),
        Request::foundations("Patient/1/Appointment", "search:patient_appointments-1"),
        Request::foundations("Appointment/1", "read:appointment-1"),
        post("Appointment", "create:appointment-1"),
        put("update:appointment-1"),
        put("cancel:appointment-1"),
    ];
    for request in rows {
        refused(&request.path, &stand.ask(&request).await, 501, "NOT_IMPLEMENTED");
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn a_practice_that_is_not_served_here_is_not_found() {
    let stand = Stand::of_nobody().await;
    let good = Request::record(&parameters(number("patient2"), &[allergies(true)]));
    for code in ["Z99999", "b82617", "B8261", "-"] {
        let request = good.clone().at(good.path.replace("B82617", code));
        refused(code, &stand.ask(&request).await, 404, "ORGANISATION_NOT_FOUND");
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

/// A practice with one document, which is so many bytes long; the broker in front of it, and its audit log.
async fn with_document(bytes: usize) -> (Canned, Running, tempfile::TempDir) {
    let url = "{here}/B82617/STU3/1/gpconnect/documents/fhir/Binary/d1-file";
    let identifier = json!([{"system": NHS_NUMBER, "value": number("patient17")}]);
    let patient = json!({"resourceType": "Patient", "id": "s17", "identifier": identifier});
    let reference = json!({"resourceType": "DocumentReference", "id": "d1", "status": "current",
        "subject": {"reference": "Patient/s17"}, "indexed": "2020-01-01T00:00:00Z",
        "content": [{"attachment": {"contentType": "text/plain", "size": bytes, "url": url}}]});
    let searchset = json!({"resourceType": "Bundle", "type": "searchset",
        "entry": [{"resource": reference}, {"resource": patient}]});
    let binary =
        json!({"resourceType": "Binary", "contentType": "text/plain", "content": "AAAA".repeat(bytes / 3)});
    let said = |path, body: &Value| (path, 200, "application/fhir+json", body.to_string());
    let gp = Canned::start(vec![said("/DocumentReference", &searchset), said("/d1-file", &binary)]).await;
    let audit = tempfile::tempdir().unwrap();
    let roots = gp.roots();
    let roots = roots.each_ref().map(String::as_str);
    let running = broker(&configuration(roots, &audit.path().join("log"), &Plan::default())).await;
    (gp, running, audit)
}

#[tokio::test]
async fn a_document_beyond_five_megabytes_is_not_found() {
    for (bytes, status) in [(5 << 20, 200), ((5 << 20) + 6, 404), (7 << 20, 404)] {
        let (gp, running, _audit) = with_document(bytes / 3 * 3).await;
        let tail = format!("Patient/s17/DocumentReference?{}", INCLUDES.join("&"));
        let found = Request::documents(&tail, "search:documentreference-1").send(running.data_addr()).await;
        let found = found.json();
        let url = found["entry"][0]["resource"]["content"][0]["attachment"]["url"].as_str().unwrap();
        let reply = Request::attachment(url).send(running.data_addr()).await;
        assert_eq!(gp.asked(), 2);
        if status == 200 {
            assert_eq!(reply.status, 200, "{}", reply.head);
            assert!(reply.body.len() > 6_990_000, "{}", reply.head);
        } else {
            refused(&bytes.to_string(), &reply, 404, "NO_RECORD_FOUND");
        }
    }
}
