//! Part 5.5 and 6.4: what the GP system warns of, and what it or a proxy says instead of an answer.

use mock_providers::{ErrorBody, Fault, SpecLevel, SuiteOptions};
use serde_json::{Value, json};
use tributary_tests::bundle::Merged;
use tributary_tests::{Reply, http};

use crate::canned::Canned;
use crate::consumer::{Request, area, everything, parameters};
use crate::difference::same_but_for_addresses;
use crate::outcome::{of_type, refused};
use crate::stand::{Plan, Stand, broker, configuration, number, records};

async fn practice(level: SpecLevel, disabled: &[&str]) -> Stand {
    let disabled = disabled.iter().map(|name| (*name).to_owned()).collect();
    let practice = SuiteOptions { level, disabled, ..SuiteOptions::default() };
    Stand::set(Plan { practice, ..Plan::default() }).await
}

/// The texts of the one warning in a Bundle.
fn warned(bundle: &Value) -> Vec<String> {
    let outcomes = of_type(bundle, "OperationOutcome");
    assert!(outcomes.len() < 2);
    let issues = outcomes.iter().flat_map(|outcome| outcome["issue"].as_array().into_iter().flatten());
    issues.map(|issue| issue["diagnostics"].as_str().unwrap().to_owned()).collect()
}

/// Asks for a record and for the merged one.
async fn both(stand: &Stand, name: &str) -> (Value, Merged) {
    let request = Request::record(&parameters(number(name), &everything()));
    let (ours, theirs) = (stand.ask(&request).await, stand.direct(&request).await);
    assert_eq!(ours.status, 200, "{}", ours.body);
    same_but_for_addresses(name, &ours.body, &theirs.body);
    let merged = stand.merged(number(name), &[]).await;
    assert_eq!(merged.status, 200, "{}", merged.body);
    (ours.json(), Merged::of(merged.json()))
}

#[tokio::test]
async fn a_switched_off_area_is_told_in_the_relay_and_in_the_record() {
    let stand = practice(SpecLevel::V1_6, &["includeReferrals", "includeImmunisations"]).await;
    let (bundle, merged) = both(&stand, "patient2").await;
    assert_eq!(warned(&bundle), ["includeReferrals", "includeImmunisations"]);
    let notices = merged.notices();
    for section in ["referrals", "immunisations"] {
        let notice = format!("not-supported gp {section}");
        assert!(notices.contains(&notice), "{notice} is not in {notices:?}");
        assert_ne!(merged.empty_reason(section), Some("nilknown"), "{section}");
    }
    assert!(!notices.iter().any(|one| one.starts_with("not-supported gp medications")), "{notices:?}");
    // What is not asked for is not warned of.
    let one =
        stand.ask(&Request::record(&parameters(number("patient2"), &[area("includeDiaryEntries")]))).await;
    assert!(warned(&one.json()).is_empty());
}

#[tokio::test]
async fn areas_that_an_old_system_lacks_are_told_in_the_relay_and_in_the_record() {
    let stand = practice(SpecLevel::V1_2, &[]).await;
    let (bundle, merged) = both(&stand, "patient17").await;
    assert_eq!(warned(&bundle).len(), 7);
    let notices = merged.notices();
    for section in
        ["problems", "encounters", "immunisations", "uncategorised", "results", "reports", "referrals"]
    {
        assert!(notices.contains(&format!("not-supported gp {section}")), "{section}: {notices:?}");
    }
    for section in ["allergies", "medications"] {
        assert!(!notices.contains(&format!("not-supported gp {section}")), "{section}: {notices:?}");
    }
    assert_eq!(merged.statuses().get("gp").map(String::as_str), Some("ok"));
}

#[tokio::test]
async fn warnings_of_lists_are_told_in_the_record() {
    let stand = Stand::usual().await;
    for (name, code, section) in [
        ("patient16", "confidential", "allergies"),
        ("patient13", "in-transit", "referrals"),
        ("patient2", "confidential", "medications"),
    ] {
        let (bundle, merged) = both(&stand, name).await;
        assert!(bundle.to_string().contains("Extension-CareConnect-GPC-ListWarningCode-1"), "{name}");
        let notices = merged.notices();
        let is_told = |one: &String| one.contains(code) && one.ends_with(&format!("gp {section}"));
        assert!(notices.iter().any(is_told), "{name}: {notices:?}");
        assert_eq!(merged.statuses().get("gp").map(String::as_str), Some("withheld-source"), "{name}");
    }
}

/// Status of the GP system in a merged answer that may hold nothing else, and every code of that issue.
fn status_of_gp(reply: &Reply) -> (String, Vec<String>) {
    let answer = reply.json();
    let outcome = if answer["resourceType"] == "Bundle" { &answer["entry"][0]["resource"] } else { &answer };
    let issues = outcome["issue"].as_array().unwrap();
    let is_status =
        |issue: &&Value| issue["details"]["coding"][0]["system"] == "urn:x-tributary:source-status";
    let issue = issues.iter().find(is_status).unwrap_or_else(|| panic!("no status: {}", reply.body));
    let codings = issue["details"]["coding"].as_array().unwrap();
    let codes: Vec<String> = codings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
    (codes[0].clone(), codes[1..].to_vec())
}

#[tokio::test]
async fn status_and_code_of_a_refusal_are_kept_in_record_and_audit() {
    let stand = Stand::usual().await;
    let request = Request::record(&parameters(number("patient17"), &[area("includeProblems")]));
    let rows = [
        (400, "BAD_REQUEST", "invalid"),
        (400, "INVALID_NHS_NUMBER", "invalid"),
        (403, "ACCESS DENIED", "denied"),
        (403, "NO_RELATIONSHIP", "denied"),
        (403, "NO_PATIENT_CONSENT", "withheld-consent"),
        (403, "NO_ORGANISATION_CONSENT", "withheld-consent"),
        (403, "NO_ORGANISATIONAL_CONSENT", "withheld-consent"),
        (404, "PATIENT_NOT_FOUND", "no-record"),
        (422, "INVALID_PARAMETER", "invalid"),
        (422, "INVALID_RESOURCE", "invalid"),
        (500, "INTERNAL_SERVER_ERROR", "unavailable"),
        (501, "NOT_IMPLEMENTED", "unavailable"),
    ];
    for (status, code, told) in rows {
        let (body, spine_code) = (ErrorBody::Outcome, Some(code.to_owned()));
        stand.gp.set_fault(Fault::Status { status, body, spine_code, retry_after_secs: None });
        let merged = stand.merged(number("patient17"), &[]).await;
        assert_eq!(status_of_gp(&merged), (told.to_owned(), vec![code.to_owned()]), "{}", merged.body);
        assert!(!merged.body.contains("made to fail"));
        stand.ask(&request).await;
        let disclosures = stand.records("disclosure");
        for record in &disclosures[disclosures.len() - 2..] {
            let source = &record["sources"][0];
            assert_eq!((&source["status"], &source["spine"]), (&told.into(), &code.into()), "{source}");
            assert_eq!(source["http"], status, "{source}");
        }
    }
}

/// An outcome as the Spine proxy words it.
fn proxied(severity: &str, kind: &str, code: &str, system: &str, words: &str) -> String {
    json!({"resourceType": "OperationOutcome", "id": "canary-of-the-proxy", "issue": [{
        "severity": severity, "code": kind, "diagnostics": words,
        "details": {"coding": [{"system": system, "code": code, "display": words}]},
    }]})
    .to_string()
}

/// Status, media type and body of what is said instead of an answer, and the status of the source it means.
fn proxy_words() -> Vec<(u16, &'static str, String, &'static str)> {
    const CODES: &str = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";
    const OTHER: &str = "https://fhir.nhs.uk/StructureDefinition/spine-operationoutcome-1";
    let canary = "CANARY_https://provider.example.test/CANARY";
    let says = |words: &str| format!("{words}_{canary}");
    let page = format!("<html><body><h1>Error</h1>{canary}</body></html>");
    let (json, html) = ("application/fhir+json", "text/html");
    vec![
        (
            400,
            json,
            proxied("error", "invalid", "400", CODES, &says("ENDPOINT_x_CPAID_1_VARIES_FROM_TARGETURL")),
            "unavailable",
        ),
        (
            403,
            json,
            proxied("error", "forbidden", "403", CODES, &says("ASID_CHECK_FAILED_MESSAGESENDER")),
            "denied",
        ),
        (
            403,
            json,
            proxied(
                "error",
                "forbidden",
                "403",
                CODES,
                &says("PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER"),
            ),
            "denied",
        ),
        (
            403,
            json,
            proxied("error", "forbidden", "403", CODES, &says("FOT_CHECK_FAILED_MESSAGESENDER")),
            "denied",
        ),
        (405, json, proxied("fatal", "forbidden", "405", OTHER, &says("405: Method Not Allowed")), "invalid"),
        (
            415,
            json,
            proxied("error", "not-supported", "415", CODES, &says("Unsupported_Media_Type")),
            "invalid",
        ),
        (
            502,
            json,
            proxied("error", "transient", "502", CODES, &says("ERROR_COMMUNICATING_TO_ENDPOINT_URL")),
            "unavailable",
        ),
        (429, html, page.clone(), "shed"),
        (502, html, page.clone(), "unavailable"),
        (503, html, page.clone(), "unavailable"),
        (504, html, page.clone(), "unavailable"),
        (599, html, page.clone(), "unavailable"),
        (403, html, page.clone(), "denied"),
        // A page that is not there says nothing about the patient.
        (404, html, page.clone(), "unavailable"),
        (444, html, String::new(), "invalid"),
        (496, html, page.clone(), "invalid"),
        (200, html, page, "invalid"),
    ]
}

#[tokio::test]
async fn what_the_proxy_says_becomes_a_status_and_none_of_its_words() {
    for (status, media, body, told) in proxy_words() {
        let what = format!("{status} {told}");
        let proxy = Canned::start(vec![("", status, media, body.clone())]).await;
        let audit = tempfile::tempdir().unwrap();
        let (log, roots) = (audit.path().join("log"), proxy.roots());
        let running =
            broker(&configuration(roots.each_ref().map(String::as_str), &log, &Plan::default())).await;
        let ask = tributary_tests::parameters(number("patient17"), &[]);
        let path = "/fhir/R4/Patient/$record";
        let merged = http::post(running.data_addr(), path, "application/fhir+json", &ask, &[]).await;
        let (found, spine) = status_of_gp(&merged);
        assert_eq!((found.as_str(), spine.len()), (told, 0), "{what}: {}", merged.body);
        let relayed = Request::record(&parameters(number("patient17"), &[area("includeProblems")]));
        let relayed = relayed.send(running.data_addr()).await;
        let (answered, code) = match told {
            "denied" => (403, "ACCESS DENIED"),
            "shed" => (503, "INTERNAL_SERVER_ERROR"),
            _ => (502, "INTERNAL_SERVER_ERROR"),
        };
        refused(&what, &relayed, answered, code);
        for reply in [&merged, &relayed] {
            let is_clean = !reply.body.contains("CANARY") && !reply.head.contains("CANARY");
            assert!(is_clean, "{what}: {}", reply.body);
        }
        let disclosures = records(&log, "disclosure");
        let [of_record, of_relay] = disclosures.as_slice() else { panic!("{what}: {}", disclosures.len()) };
        for record in [of_record, of_relay] {
            assert_eq!(record["sources"][0]["status"], told, "{what}");
            assert!(!record.to_string().contains("CANARY"), "{what}");
        }
    }
}
