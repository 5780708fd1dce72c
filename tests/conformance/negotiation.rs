//! Part 2: formats, encodings, heads, verbs and paths; and what the capability statements say.

use std::io::Read as _;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary_tests::{Reply, http};

use crate::consumer::{
    INCLUDES, JSON, NHS_NUMBER, ODS_CODE, PRACTICE, Request, SDS_USER, XML, allergies, everything, parameters,
};
use crate::outcome::{refused, refused_naming};
use crate::stand::{Plan, Stand, id, number};

/// One request of each kind that is given in both formats, and the type of its answer.
fn both_formats() -> Vec<(Request, &'static str)> {
    let patient = format!("Patient?identifier={NHS_NUMBER}%7C{}", number("patient2"));
    let practitioner = format!("Practitioner?identifier={SDS_USER}%7CG11111116");
    let organisation = format!("Organization?identifier={ODS_CODE}%7CB82617");
    let documents = format!("Patient/{}/DocumentReference?{}", id("patient2"), INCLUDES.join("&"));
    vec![
        (Request::metadata(""), "CapabilityStatement"),
        (Request::metadata("structured/"), "CapabilityStatement"),
        (Request::metadata("documents/"), "CapabilityStatement"),
        (Request::foundations(&format!("Patient/{}", id("patient2")), "read:patient-1"), "Patient"),
        (Request::foundations("Practitioner/g2", "read:practitioner-1"), "Practitioner"),
        (Request::foundations("Organization/o1", "read:organization-1"), "Organization"),
        (Request::foundations("Location/1", "read:location-1"), "Location"),
        (Request::foundations(&patient, "search:patient-1"), "Bundle"),
        (Request::documents(&patient, "search:patient-1"), "Bundle"),
        (Request::foundations(&practitioner, "search:practitioner-1"), "Bundle"),
        (Request::foundations(&organisation, "search:organization-1"), "Bundle"),
        (Request::documents(&documents, "search:documentreference-1"), "Bundle"),
    ]
}

fn asking(request: &Request, query: &str, accept: &str, body: &str) -> Request {
    let mark = if request.path.contains('?') { "&" } else { "?" };
    let mut request = request.clone().without("Accept");
    if !query.is_empty() {
        request = request.and(&format!("{mark}_format={query}"));
    }
    for (name, value) in [("Accept", accept), ("Content-Type", body)] {
        if !value.is_empty() {
            request = request.with(name, value);
        }
    }
    request
}

#[track_caller]
fn is_in(what: &str, reply: &Reply, media: &str, kind: &str) {
    assert_eq!(reply.status, 200, "{what}: {}", reply.body);
    assert_eq!(
        reply.header("Content-Type").unwrap().replace(' ', ""),
        format!("{media};charset=utf-8"),
        "{what}"
    );
    assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{what}");
    if media == JSON {
        assert_eq!(reply.json()["resourceType"], kind, "{what}");
    } else {
        let root = format!("<{kind} xmlns=\"http://hl7.org/fhir\"");
        assert!(reply.body.contains(&root), "{what}: {}", reply.body);
        assert!(reply.body.trim_end().ends_with(&format!("</{kind}>")), "{what}");
    }
}

const NO_BLANK: &str = "application/fhir+xml;charset=utf-8";
const WITH_BLANK: &str = "application/fhir+xml; charset=utf-8";

#[tokio::test]
async fn the_format_is_that_of_query_else_accept_else_body_else_json() {
    let stand = Stand::usual().await;
    let rows = [
        ("application/fhir%2Bxml", JSON, JSON, XML),
        ("application/fhir%2Bjson", XML, XML, JSON),
        // An unescaped plus sign is read as a blank by servers that decode queries.
        ("application/fhir+xml", JSON, "", XML),
        ("xml", JSON, "", XML),
        ("json", XML, "", JSON),
        ("json", "text/html", "", JSON),
        ("", XML, JSON, XML),
        ("", JSON, XML, JSON),
        ("", NO_BLANK, "", XML),
        ("", WITH_BLANK, "", XML),
        ("", "application/fhir+json;charset=utf-8", "", JSON),
        ("", "application/fhir+json; charset=utf-8", "", JSON),
        ("", "", XML, XML),
        ("", "", JSON, JSON),
        ("", "", "", JSON),
    ];
    for (request, kind) in both_formats() {
        // All rows on one request, the two formats on each.
        let is_first = request.path.ends_with("fhir/metadata");
        for (query, accept, body, media) in rows.iter().take(if is_first { rows.len() } else { 2 }) {
            let what = format!("{} {query} {accept} {body}", request.path);
            is_in(&what, &stand.ask(&asking(&request, query, accept, body)).await, media, kind);
        }
        for (query, accept, body, names) in [
            ("text/turtle", JSON, JSON, "_format"),
            ("html", "", "", "_format"),
            ("", "text/html", JSON, "Accept"),
            ("", "application/fhir+json;q=0", "", "Accept"),
            ("", "", "text/plain", "Content-Type"),
        ] {
            let what = format!("{} {query} {accept} {body}", request.path);
            let reply = stand.ask(&asking(&request, query, accept, body)).await;
            refused_naming(&what, &reply, 415, "BAD_REQUEST", names);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_in_the_format_that_was_asked_for() {
    let stand = Stand::usual().await;
    for tail in ["Patient/nobody", "Patient/a:b", "Patient"] {
        let urn = if tail == "Patient" { "search:patient-1" } else { "read:patient-1" };
        let reply = stand.ask(&Request::foundations(tail, urn).with("Accept", XML)).await;
        assert!(matches!(reply.status, 400 | 404), "{tail}: {}", reply.body);
        assert!(reply.header("Content-Type").unwrap().starts_with(XML), "{tail}");
        assert!(
            reply.body.contains("<OperationOutcome xmlns=\"http://hl7.org/fhir\""),
            "{tail}: {}",
            reply.body
        );
        assert!(reply.body.contains("Spine-ErrorOrWarningCode-1"), "{tail}");
        assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_record_is_given_in_json_only() {
    let stand = Stand::usual().await;
    let record = Request::record(&parameters(number("patient17"), &everything()));
    for request in [record.clone().with("Accept", XML), record.clone().and("?_format=xml")] {
        refused(&request.path, &stand.ask(&request).await, 415, "BAD_REQUEST");
    }
    assert_eq!(stand.gp.ask_count(), 0);
    let both = record.clone().with("Accept", "application/fhir+xml, application/fhir+json;q=0.5");
    let plain = record.clone().with("Content-Type", "application/fhir+json; charset=utf-8").without("Accept");
    for request in [both, plain, record.and("?_format=application/fhir%2Bjson").with("Accept", XML)] {
        is_in(&request.path, &stand.ask(&request).await, JSON, "Bundle");
    }
}

/// Head and body as they came.
async fn bytes(stand: &Stand, request: &Request) -> (String, Vec<u8>) {
    let headers: Vec<String> =
        request.headers().iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let text = format!(
        "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{}",
        request.method,
        request.path,
        stand.address(),
        request.body.len(),
        headers.concat(),
        request.body
    );
    let mut stream = TcpStream::connect(stand.address()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.unwrap();
    let end = read.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body = read.split_off(end);
    (String::from_utf8(read).unwrap().to_ascii_lowercase(), body)
}

#[tokio::test]
async fn a_packed_record_is_the_same_record() {
    let stand = Stand::usual().await;
    let request = Request::record(&parameters(number("patient2"), &everything()));
    let plain = stand.ask(&request).await;
    assert!(plain.header("Content-Encoding").is_none());
    let (head, packed) = bytes(&stand, &request.clone().with("Accept-Encoding", "gzip, deflate")).await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(head.contains("vary: accept-encoding"), "{head}");
    assert!(packed.len() * 5 < plain.body.len(), "{} of {}", packed.len(), plain.body.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    // Each answer seals its addresses anew.
    let gaps = crate::difference::paths(&plain.json(), &serde_json::from_str(&text).unwrap());
    assert!(gaps.iter().all(|path| path.ends_with("attachment.url")), "{gaps:?}");
    assert_eq!(text.len(), plain.body.len());
}

#[tokio::test]
async fn a_body_may_come_in_chunks() {
    let stand = Stand::usual().await;
    let request = Request::record(&parameters(number("patient17"), &[allergies(true)]));
    let headers: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{}: {value}\r\n", name.to_lowercase()))
        .collect();
    let (first, rest) = request.body.split_at(17);
    let text = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n{}\r\n\
         {:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
        request.path,
        stand.address(),
        headers.concat(),
        first.len(),
        rest.len()
    );
    let reply = http::raw(stand.address(), text.as_bytes()).await;
    is_in("chunked", &reply, JSON, "Bundle");
    assert_eq!(stand.gp.asks()[0].body, request.body);
}

#[tokio::test]
async fn reads_have_their_version_as_etag_and_bundles_have_none() {
    let stand = Stand::usual().await;
    for (request, kind) in both_formats() {
        let reply = stand.ask(&request).await;
        let version = reply.json()["meta"]["versionId"].clone();
        let expected = version.as_str().map(|version| format!("W/\"{version}\""));
        let is_read = matches!(kind, "Patient" | "Practitioner" | "Organization" | "Location");
        assert_eq!(reply.header("ETag"), expected.as_deref().filter(|_| is_read), "{}", request.path);
        assert_eq!(expected.is_some(), is_read, "{}", request.path);
    }
}

#[tokio::test]
async fn https_in_front_of_us_is_told_to_stay() {
    let server = "public_base_url = \"https://record.example.test\"".to_owned();
    let secure = Stand::set(Plan { server, ..Plan::default() }).await;
    let plain = Stand::usual().await;
    let metadata = Request::metadata("structured/");
    let wrong = metadata.clone().without("Ssp-From");
    for request in [&metadata, &wrong] {
        let told = secure.ask(request).await;
        let told = told.header("Strict-Transport-Security").unwrap_or_default();
        assert!(told.starts_with("max-age="), "{told}");
        assert!(plain.ask(request).await.header("Strict-Transport-Security").is_none());
    }
    let tail = format!("Patient/{}/DocumentReference?{}", id("patient16"), INCLUDES.join("&"));
    let found = secure.ask(&Request::documents(&tail, "search:documentreference-1")).await;
    let base = "https://record.example.test/B82617/STU3/1/gpconnect/documents/fhir/Binary/";
    assert!(found.body.contains(base), "{}", found.body);
}

#[tokio::test]
async fn verbs_and_paths_that_are_not_there_are_refused_with_an_outcome() {
    let stand = Stand::of_nobody().await;
    for method in ["PUT", "POST", "PATCH", "DELETE", "OPTIONS"] {
        for capability in ["", "structured/", "documents/"] {
            let request = Request { method, ..Request::metadata(capability) };
            refused(&format!("{method} {capability}"), &stand.ask(&request).await, 400, "BAD_REQUEST");
        }
    }
    for method in ["GET", "POST", "PUT"] {
        for tail in ["Unknown", "metaData", "Metadata", "metadata/", "$nothing", "Patient/1/2/3"] {
            let request = Request { method, ..Request::metadata("") };
            let request = request.clone().at(format!("/{PRACTICE}/STU3/1/gpconnect/fhir/{tail}"));
            refused(&format!("{method} {tail}"), &stand.ask(&request).await, 400, "BAD_REQUEST");
        }
        for path in
            ["/B82617/stu3/1/gpconnect/fhir/metadata", "/B82617/STU3/2/gpconnect/fhir/metadata", "/x/STU3/y"]
        {
            let request = Request { method, ..Request::metadata("") }.at(path);
            let reply = stand.ask(&request).await;
            assert!((400..500).contains(&reply.status), "{method} {path}: {}", reply.status);
            assert_eq!(reply.json()["resourceType"], "OperationOutcome", "{method} {path}");
            assert_eq!(reply.header("Cache-Control"), Some("no-store"));
        }
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn every_form_of_a_root_and_of_a_token_search_leads_to_the_gp_system() {
    let stand = Stand::usual().await;
    let number = number("patient2");
    for root in [
        "/B82617/STU3/1/gpconnect/fhir",
        "/B82617/STU3/1/gpconnect",
        "/STU3/1/gpconnect/fhir",
        "/STU3/1/gpconnect",
    ] {
        for identifier in [
            format!("{NHS_NUMBER}%7C{number}"),
            format!("{NHS_NUMBER}|{number}"),
            format!("https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7c{number}"),
        ] {
            // Parameters that nobody knows are ignored.
            for more in ["", "&_count=1&given=Horatia"] {
                let path = format!("{root}/Patient?identifier={identifier}{more}");
                let reply = stand.ask(&Request::foundations("", "search:patient-1").at(&*path)).await;
                assert_eq!(reply.json()["entry"].as_array().map(Vec::len), Some(1), "{path}: {}", reply.body);
            }
        }
    }
}

#[tokio::test]
async fn names_of_headers_have_no_case() {
    let stand = Stand::usual().await;
    let request = Request::record(&parameters(number("patient17"), &[allergies(true)]));
    for change in [str::to_uppercase, str::to_lowercase] as [fn(&str) -> String; 2] {
        let headers = request.headers();
        let headers: Vec<(String, &str)> =
            headers.iter().map(|(name, value)| (change(name), value.as_str())).collect();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let reply = http::send(stand.address(), "POST", &request.path, &request.body, &headers).await;
        is_in("headers", &reply, JSON, "Bundle");
    }
}

fn references(statement: &Value) -> Vec<String> {
    let profiles = statement["profile"].as_array().into_iter().flatten();
    profiles.map(|one| one["reference"].as_str().unwrap().to_owned()).collect()
}

fn definition<'s>(statement: &'s Value, operation: &str) -> &'s str {
    let mut operations = statement["rest"][0]["operation"].as_array().into_iter().flatten();
    let found = operations.find(|one| one["name"] == operation);
    found.and_then(|one| one["definition"]["reference"].as_str()).unwrap_or_default()
}

#[tokio::test]
async fn the_capability_statements_say_what_the_suite_looks_for() {
    let stand = Stand::usual().await;
    let rows = [("", "1.5.0", 24), ("structured/", "1.6.0", 21), ("documents/", "1.6.0", 7)];
    for (capability, version, profiles) in rows {
        let (ours, theirs) = (
            stand.ask(&Request::metadata(capability)).await,
            stand.direct(&Request::metadata(capability)).await,
        );
        let (statement, theirs) = (ours.json(), theirs.json());
        assert_eq!(statement["fhirVersion"], "3.0.1");
        assert_eq!(statement["version"], version);
        assert_eq!(statement["acceptUnknown"], "both");
        assert_eq!(statement["format"], serde_json::json!([JSON, XML]));
        for word in ["name", "version"] {
            assert!(statement["software"][word].as_str().is_some_and(|word| !word.is_empty()), "{word}");
        }
        let named = references(&statement);
        assert_eq!(named.len(), profiles, "{capability}");
        // Foundations names its profiles without versions, the others with theirs.
        assert!(named.iter().all(|one| one.contains("/_history/") != capability.is_empty()), "{named:?}");
        for wanted in references(&theirs) {
            assert!(named.contains(&wanted), "{capability} lacks {wanted}");
        }
        let includes = &statement["rest"][0]["resource"][1]["searchInclude"];
        assert_eq!(includes.as_array().map(Vec::len), (capability == "documents/").then_some(4));
    }
    let foundations = stand.ask(&Request::metadata("")).await.json();
    let structured = stand.ask(&Request::metadata("structured/")).await.json();
    let record = "OperationDefinition/GPConnect-GetStructuredRecord-Operation-1/_history/";
    assert!(definition(&foundations, "gpc.getstructuredrecord").ends_with(&format!("{record}1.15")));
    assert!(definition(&structured, "gpc.getstructuredrecord").ends_with(&format!("{record}1.16")));
    assert!(definition(&foundations, "gpc.registerpatient").contains("RegisterPatient"));
    assert!(definition(&structured, "gpc.migratestructuredrecord").contains("MigrateStructuredRecord"));
}
