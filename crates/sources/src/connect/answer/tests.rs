use super::*;

use std::time::Duration;

use tributary_model::SpineCode;

fn received(status: u16, body: &str) -> Received {
    Received {
        status,
        media_type: Some("application/fhir+json;charset=utf-8".into()),
        retry_after: None,
        etag: None,
        body: body.as_bytes().to_vec(),
        held: tributary_model::Lease::default(),
        attempts: 1,
    }
}

fn outcome(issue_code: &str, spine: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{issue_code}","details":{{"coding":[{{"code":"{spine}"}}]}},"diagnostics":"canary 9990000107"}}]}}"#
    )
}

#[track_caller]
fn check(status: u16, body: &str, class: FaultClass) {
    let refused = document(received(status, body), Absence::Outcome).unwrap_err();
    assert_eq!(refused.fault.class, class, "{status} {body}");
    assert_eq!(refused.fault.http, Some(status));
    assert!(!format!("{refused:?} {}", refused.fault).contains("canary"));
}

#[test]
fn statuses_without_an_outcome() {
    for (status, class) in [
        (201, FaultClass::UnexpectedStatus),
        (204, FaultClass::EmptyBody),
        (206, FaultClass::UnexpectedStatus),
        (301, FaultClass::Redirect),
        (307, FaultClass::Redirect),
        (400, FaultClass::OurRequest),
        (401, FaultClass::Denied),
        (403, FaultClass::Denied),
        (404, FaultClass::BadEndpoint),
        (415, FaultClass::OurRequest),
        (422, FaultClass::OurRequest),
        (429, FaultClass::Throttled),
        (500, FaultClass::ServerError),
        (502, FaultClass::ServerError),
        (503, FaultClass::ServerError),
    ] {
        check(status, "", class);
        check(status, "<html>canary</html>", class);
    }
}

#[test]
fn codes_of_an_outcome_decide() {
    for (status, issue, spine, class) in [
        (404, "not-found", "PATIENT_NOT_FOUND", FaultClass::NoRecord),
        (404, "not-found", "NO_RECORD_FOUND", FaultClass::NoRecord),
        (404, "not-found", "", FaultClass::NoRecord),
        (404, "not-found", "ORGANISATION_NOT_FOUND", FaultClass::BadEndpoint),
        (404, "processing", "", FaultClass::BadEndpoint),
        (403, "forbidden", "NO_PATIENT_CONSENT", FaultClass::Consent),
        (403, "forbidden", "NO_ORGANISATION_CONSENT", FaultClass::Consent),
        (403, "forbidden", "NO_ORGANISATIONAL_CONSENT", FaultClass::Consent),
        (403, "forbidden", "ACCESS DENIED", FaultClass::Denied),
        (422, "invalid", "INVALID_PARAMETER", FaultClass::OurRequest),
        (500, "processing", "INTERNAL_SERVER_ERROR", FaultClass::ServerError),
        (200, "not-found", "PATIENT_NOT_FOUND", FaultClass::NoRecord),
        (200, "forbidden", "NO_PATIENT_CONSENT", FaultClass::Consent),
        (200, "forbidden", "ACCESS_DENIED", FaultClass::Denied),
        (200, "exception", "", FaultClass::OutcomeError),
    ] {
        let body = outcome(issue, spine);
        check(status, &body, class);
        let refused = document(received(status, &body), Absence::Outcome).unwrap_err();
        assert_eq!(refused.fault.spine, SpineCode::parse(spine));
        assert_eq!(refused.said, Said::Outcome);
    }
}

#[test]
fn refusals_of_the_spine_proxy_are_told_from_the_source_s_own() {
    for (status, words, class) in [
        (
            400,
            "ENDPOINT_https://gp.test_CPAID_S1_VARIES_FROM_TARGETURL_https://canary",
            FaultClass::EndpointVaries,
        ),
        (403, "ASID_CHECK_FAILED_MESSAGESENDER_200000000115", FaultClass::AsidCheck),
        (403, "PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER_2", FaultClass::AsidCheck),
        (403, "FOT_CHECK_FAILED_MESSAGESENDER_1_MESSAGERECEIVER_2", FaultClass::NoAgreement),
        (502, "ERROR_COMMUNICATING_TO_ENDPOINT_URL_https://canary", FaultClass::ServerError),
    ] {
        let display = format!(
            r#"{{"resourceType":"OperationOutcome","id":"1","issue":[{{"severity":"error","code":"forbidden","details":{{"coding":[{{"system":"http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0","code":"{status}","display":"{words}"}}]}}}}]}}"#
        );
        let diagnostics = format!(
            r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"invalid","diagnostics":"{words}"}}]}}"#
        );
        for body in [display, diagnostics] {
            check(status, &body, class);
            let refused = document(received(status, &body), Absence::Outcome).unwrap_err();
            assert_eq!(refused.said, Said::Nothing, "{words}");
        }
    }
}

#[test]
fn a_search_that_is_not_found_is_a_wrong_address() {
    for (status, issue, spine, class) in [
        (404, "not-found", "", FaultClass::BadEndpoint),
        (404, "not-found", "PATIENT_NOT_FOUND", FaultClass::NoRecord),
        (404, "not-found", "NO_RECORD_FOUND", FaultClass::NoRecord),
        (404, "not-found", "ORGANISATION_NOT_FOUND", FaultClass::BadEndpoint),
        (200, "not-found", "", FaultClass::OutcomeError),
        (200, "not-found", "PATIENT_NOT_FOUND", FaultClass::NoRecord),
    ] {
        let body = outcome(issue, spine);
        let refused = document(received(status, &body), Absence::Searchset).unwrap_err();
        assert_eq!(refused.fault.class, class, "{status} {issue} {spine}");
    }
}

#[test]
fn a_success_without_errors_but_without_a_bundle_is_never_empty() {
    let mild =
        r#"{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational"}]}"#;
    check(200, mild, FaultClass::OutcomeError);
    check(200, "", FaultClass::EmptyBody);
    check(200, "{} trailing", FaultClass::JsonSyntax);
    check(200, "{\"a\":1,\"a\":2}", FaultClass::JsonDuplicate);
    check(200, "\u{feff}{}", FaultClass::JsonSyntax);
}

#[test]
fn a_wish_to_wait_is_kept() {
    let wait = Duration::from_mins(2);
    for status in [429, 503] {
        let received = Received { retry_after: Some(wait), ..received(status, "") };
        let fault = document(received, Absence::Outcome).unwrap_err().fault;
        assert_eq!(fault.class, FaultClass::Throttled);
        assert_eq!(fault.retry, Retry::Later(wait));
    }
}

#[test]
fn media_types() {
    for (media_type, good) in [
        (Some("application/fhir+json"), true),
        (Some("application/fhir+json; charset=utf-8"), true),
        (Some("Application/JSON;fhirVersion=4.0"), true),
        (Some("application/json+fhir"), true),
        (Some("application/fhir+xml"), false),
        (Some("text/html"), false),
        (None, false),
    ] {
        let received = Received { media_type: media_type.map(str::to_owned), ..received(200, "{}") };
        let class = document(received, Absence::Outcome).map(drop).map_err(|refused| refused.fault.class);
        let expected = if good { Ok(()) } else { Err(FaultClass::MediaType) };
        assert_eq!(class, expected, "{media_type:?}");
    }
}
