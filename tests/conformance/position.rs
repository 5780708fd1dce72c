//! Part 1.5: the position of the Spine proxy, in which a path is the whole address of an endpoint.

use tributary_tests::Reply;

use crate::consumer::{INCLUDES, JSON, NHS_NUMBER, Request, allergies, parameters};
use crate::difference::same_but_for_addresses;
use crate::outcome::refused;
use crate::stand::{Plan, Stand, id, number};

async fn position() -> Stand {
    Stand::set(Plan { server: "spine_position = true".to_owned(), ..Plan::default() }).await
}

/// A request with the provider's whole address as its path.
fn whole(stand: &Stand, request: &Request) -> Request {
    let path = format!("/http://{}{}", stand.gp.address(), request.path);
    request.clone().at(path)
}

fn record() -> Request {
    Request::record(&parameters(
        number("patient16"),
        &[allergies(true), crate::consumer::area("includeReferrals")],
    ))
}

#[tokio::test]
async fn a_registered_address_is_served_as_it_is() {
    let stand = position().await;
    let find = format!("Patient?identifier={NHS_NUMBER}%7C{}", number("patient16"));
    for request in [
        record(),
        Request::foundations(&find, "search:patient-1"),
        Request::foundations(&format!("Patient/{}", id("patient16")), "read:patient-1"),
        Request::documents(&find, "search:patient-1"),
    ] {
        let (ours, theirs) = (stand.ask(&whole(&stand, &request)).await, stand.direct(&request).await);
        assert_eq!((ours.status, theirs.status), (200, 200), "{}: {}", request.path, ours.body);
        if ours.json()["resourceType"] == "Bundle" {
            same_but_for_addresses(&request.path, &ours.body, &theirs.body);
        } else {
            assert_eq!(ours.body, theirs.body);
        }
    }
    let metadata = whole(&stand, &Request::metadata("structured/"));
    assert_eq!(stand.ask(&metadata).await.json()["resourceType"], "CapabilityStatement");
    // Behind the address everything is checked as in the provider's position.
    let asked = stand.gp.ask_count();
    let wrong = whole(&stand, &record()).without("Ssp-From");
    refused("no sender", &stand.ask(&wrong).await, 400, "BAD_REQUEST");
    let wrong = whole(&stand, &record()).with("Ssp-To", "200000000999");
    refused("another receiver", &stand.ask(&wrong).await, 400, "BAD_REQUEST");
    assert_eq!(stand.gp.ask_count(), asked);
}

/// The refusal of the proxy: no profile, an id, and the system of its own codes.
#[track_caller]
fn refused_by_the_proxy(what: &str, reply: &Reply) {
    assert_eq!(reply.status, 400, "{what}: {}", reply.body);
    assert!(reply.header("Content-Type").unwrap().starts_with(JSON), "{what}");
    assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{what}");
    let outcome = reply.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}");
    assert!(outcome["id"].as_str().is_some_and(|id| !id.is_empty()), "{what}");
    assert!(outcome.get("meta").is_none(), "{what}");
    assert_eq!(outcome["issue"].as_array().map(Vec::len), Some(1), "{what}");
    let (issue, coding) = (&outcome["issue"][0], &outcome["issue"][0]["details"]["coding"][0]);
    assert_eq!((&issue["severity"], &issue["code"]), (&"error".into(), &"invalid".into()), "{what}");
    assert_eq!(
        coding["system"], "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0",
        "{what}"
    );
    assert_eq!(coding["code"], "400", "{what}");
    let words = coding["display"].as_str().unwrap();
    assert!(words.starts_with("ENDPOINT_") && words.contains("_VARIES_FROM_TARGETURL"), "{what}: {words}");
    assert!(issue["diagnostics"].as_str().unwrap().starts_with("ENDPOINT_"), "{what}");
}

#[tokio::test]
async fn any_other_writing_of_an_address_varies_from_it() {
    let stand = position().await;
    let (good, host) = (whole(&stand, &record()).path, stand.gp.address().to_string());
    let port = stand.gp.address().port();
    for path in [
        good.replacen("http://", "https://", 1),
        good.replacen(&host, "127.0.0.1", 1),
        good.replacen(&host, &format!("127.0.0.1:0{port}"), 1),
        good.replacen(&host, &format!("localhost:{port}"), 1),
        good.replacen(&host, "127.0.0.1:443", 1),
        good.replacen(&host, &format!("127.0.0.1.:{port}"), 1),
        good.replace("B82617", "b82617"),
        good.replace("STU3", "stu3"),
        good.replace("/structured/", "/Structured/"),
        good.replace("/structured/", "//structured/"),
        good.replace("/structured/", "/./structured/"),
        good.replace("/structured/fhir", "/structured"),
        good.replace("B82617", "%42%38%32%36%31%37"),
        "/https://another.example.test/B82617/STU3/1/gpconnect/structured/fhir/metadata".to_owned(),
        format!("/http://{host}"),
        "/https://".to_owned(),
    ] {
        refused_by_the_proxy(&path, &stand.ask(&record().at(&*path)).await);
    }
    // With one slash collapsed, or another scheme, it is no whole address at all.
    for path in [good.replacen("http://", "http:/", 1), good.replacen("http://", "HTTP://", 1)] {
        let reply = stand.ask(&record().at(&*path)).await;
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.status);
        assert_eq!(reply.json()["resourceType"], "OperationOutcome", "{path}");
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn a_whole_address_means_nothing_in_the_providers_position() {
    let stand = Stand::of_nobody().await;
    let reply = stand.ask(&whole(&stand, &record())).await;
    assert!((400..500).contains(&reply.status), "{}", reply.status);
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn documents_stay_below_the_providers_root_and_come_through_the_same_position() {
    let stand = position().await;
    let tail = format!("Patient/{}/DocumentReference?{}", id("patient16"), INCLUDES.join("&"));
    let search = Request::documents(&tail, "search:documentreference-1");
    let (ours, theirs) = (stand.ask(&whole(&stand, &search)).await, stand.direct(&search).await);
    let given = same_but_for_addresses("documents", &ours.body, &theirs.body);
    let root = stand.gp.root(tributary_model::Capability::Documents);
    assert!(!given.is_empty());
    for url in given {
        let sealed = url.strip_prefix(&format!("{root}/Binary/")).unwrap();
        assert!(!theirs.body.contains(sealed));
        let read = Request::documents("", "read:binary-1").at(format!("/{url}"));
        let reply = stand.ask(&read).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let own = theirs.json()["entry"][0]["resource"]["content"][0]["attachment"]["url"].clone();
        let own = stand.direct(&Request::attachment(own.as_str().unwrap())).await;
        assert_eq!(reply.body, own.body);
        // What the proxy gave out is nothing to the GP system, and what that gives out is nothing here.
        assert_eq!(Request::attachment(&url).send(stand.gp.address()).await.status, 404);
        let asked = stand.gp.ask_count();
        let unsealed = format!("/{root}/Binary/{}", own.json()["id"].as_str().unwrap());
        let reply = stand.ask(&Request::documents("", "read:binary-1").at(unsealed)).await;
        refused("an id of the GP system", &reply, 404, "NO_RECORD_FOUND");
        assert_eq!(stand.gp.ask_count(), asked);
    }
}
