//! The GP system answers and refuses as GP Connect says.

use crate::support::*;
use mock_providers::{Fault, FederationOptions, Played, start_story_federation};
use serde_json::{Value, json};

const P1: &str = "9990000107";
const P2: &str = "9990000204";
const P4: &str = "9990000409";

#[tokio::test]
async fn only_the_areas_asked_are_answered() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let seen =
        Call::structured(&parameters(P1, &[allergies(false), area("includeReferrals")])).send(gp).await;
    assert_eq!(seen.status, 200);
    assert_eq!(seen.header("cache-control"), Some("no-store"));
    let bundle = seen.json();
    assert_eq!(bundle["id"], TRACE);
    assert_eq!(bundle["type"], "collection");
    assert_eq!(of_type(&bundle, "AllergyIntolerance").len(), 1);
    for absent in ["Condition", "MedicationStatement", "Encounter", "OperationOutcome"] {
        assert!(of_type(&bundle, absent).is_empty(), "{absent}");
    }
    let lists = of_type(&bundle, "List");
    assert_eq!(lists.len(), 2);
    assert!(lists.iter().all(|list| list.get("id").is_none()));
    let referrals = list(&bundle, "792931000000107").unwrap();
    assert_eq!(referrals["emptyReason"]["coding"][0]["code"], "no-content-recorded");
    assert_eq!(referrals["note"][0]["text"], "Information not available");
    assert!(bundle["entry"].as_array().unwrap().iter().all(|entry| entry.get("fullUrl").is_none()));
}

#[tokio::test]
async fn every_area_brings_its_list_and_what_it_refers_to() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let all = [
        allergies(true),
        area("includeMedication"),
        area("includeConsultations"),
        area("includeProblems"),
        area("includeImmunisations"),
        area("includeUncategorisedData"),
        area("includeInvestigations"),
        area("includeReferrals"),
        area("includeDiaryEntries"),
    ];
    let bundle = Call::structured(&parameters(P1, &all)).send(gp).await.json();
    assert_eq!(of_type(&bundle, "List").len(), 10);
    for (kind, count) in [
        ("Patient", 1),
        ("AllergyIntolerance", 1),
        ("Condition", 2),
        ("Medication", 2),
        ("MedicationRequest", 2),
        ("MedicationStatement", 2),
        ("Observation", 1),
        ("Encounter", 1),
    ] {
        assert_eq!(of_type(&bundle, kind).len(), count, "{kind}");
    }
    assert_eq!(list(&bundle, "826501000000100").unwrap()["title"], "Uncategorised data");
    let consultations = list(&bundle, "1149501000000101").unwrap();
    assert_eq!(consultations["entry"][0]["item"]["reference"], "Encounter/e1");
}

#[tokio::test]
async fn ended_allergies_come_only_when_asked() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    for (resolved, expected) in [(true, true), (false, false)] {
        let bundle = Call::structured(&parameters(P2, &[allergies(resolved)])).send(gp).await.json();
        let ended = list(&bundle, "1103671000000101");
        assert_eq!(ended.is_some(), expected);
        assert!(ended.is_none_or(|list| list["contained"][0]["id"] == "x1"));
    }
}

#[tokio::test]
async fn search_parts_narrow_an_area() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let active =
        json!({"name": "includeProblems", "part": [{"name": "filterStatus", "valueCode": "active"}]});
    let bundle = Call::structured(&parameters(P1, &[active])).send(gp).await.json();
    assert_eq!(of_type(&bundle, "Condition").len(), 1);
    let problems = list(&bundle, "717711000000103").unwrap();
    assert_eq!(problems["entry"], json!([{"item": {"reference": "Condition/c2"}}]));
}

#[tokio::test]
async fn unknown_and_disabled_areas_are_warned_of() {
    let options = FederationOptions { delays: Played::Off, ..FederationOptions::default() };
    let federation = start_story_federation(options).await.unwrap();
    let gp = federation.provider("gp").unwrap();
    let asked = [allergies(false), area("includeReferrals"), area("includeHopes")];
    let bundle = Call::structured(&parameters(P4, &asked)).send(gp).await.json();
    let outcomes = of_type(&bundle, "OperationOutcome");
    assert_eq!(outcomes.len(), 1);
    let issues = outcomes[0]["issue"].as_array().unwrap();
    let texts: Vec<_> = issues.iter().map(|issue| issue["details"]["text"].as_str().unwrap()).collect();
    let expected = ["includeHopes is an unrecognised parameter", "includeReferrals has been disabled"];
    assert_eq!(texts, expected);
    assert!(issues.iter().all(|issue| issue["severity"] == "warning"));
    assert!(list(&bundle, "792931000000107").is_none());
    let allergies = list(&bundle, "886921000000105").unwrap();
    assert_eq!(allergies["extension"][0]["valueCode"], "data-in-transit");

    gp.set_fault(Fault::DisabledAreas { parameters: vec!["includeAllergies".to_owned()] });
    let bundle = Call::structured(&parameters(P1, &[allergies_asked()])).send(gp).await.json();
    assert_eq!(of_type(&bundle, "OperationOutcome").len(), 1);
    assert!(of_type(&bundle, "AllergyIntolerance").is_empty());
}

fn allergies_asked() -> Value {
    allergies(false)
}

#[tokio::test]
async fn capability_statement_is_served() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    for root in ["/A99901/STU3/1/gpconnect/structured", "/A99901/STU3/1/gpconnect/structured/fhir"] {
        let mut call = Call::structured(&json!({}));
        call.method = "GET";
        call.path = format!("{root}/metadata");
        call.body.clear();
        call.set(
            "Ssp-InteractionID",
            "urn:nhs:names:services:gpconnect:structured:fhir:rest:read:metadata-1",
        );
        call.set("Authorization", &bearer(&claims("organization/*.read")));
        assert_eq!(call.send(gp).await.json()["fhirVersion"], "3.0.1");
    }
}

#[tokio::test]
async fn bad_headers_are_refused() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let metadata = "urn:nhs:names:services:gpconnect:structured:fhir:rest:read:metadata-1";
    let rows: &[(&str, Option<&str>, u16)] = &[
        ("Ssp-TraceID", None, 400),
        ("Ssp-From", None, 400),
        ("Ssp-From", Some("20000000035"), 400),
        ("Ssp-From", Some("20000000035x"), 400),
        ("Ssp-To", None, 400),
        ("Ssp-To", Some("200000000206"), 400),
        ("Ssp-InteractionID", None, 400),
        ("Ssp-InteractionID", Some("urn:nhs:names:services:gpconnect:nonsense"), 400),
        ("Ssp-InteractionID", Some(metadata), 400),
        ("Authorization", None, 400),
        ("Content-Type", None, 415),
        ("Content-Type", Some("application/json"), 415),
        ("Accept", Some("text/html"), 415),
    ];
    for (name, value, status) in rows {
        let mut call = Call::structured(&parameters(P1, &[allergies(false)]));
        match value {
            Some(value) => call.set(name, value),
            None => call.unset(name),
        }
        let seen = call.send(gp).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (*status, "BAD_REQUEST"), "{name} {value:?}");
        assert!(
            seen.json()["meta"]["profile"][0].as_str().unwrap().ends_with("GPConnect-OperationOutcome-1")
        );
    }
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let good = || claims("patient/*.read");
    let changed = |claim: &str, value: Value| {
        let mut claims = good();
        claims[claim] = value;
        bearer(&claims)
    };
    let iat = good()["iat"].as_i64().unwrap();
    let aged = |by: i64| {
        let mut claims = good();
        claims["iat"] = json!(iat + by);
        claims["exp"] = json!(iat + by + 300);
        bearer(&claims)
    };
    let rows = [
        ("not bearer", "Basic abc".to_owned(), 400),
        ("two parts", "Bearer a.b".to_owned(), 400),
        ("not base64url", "Bearer +.+.".to_owned(), 400),
        ("not json", token("a", "b"), 400),
        ("signed", format!("{}sig", bearer(&good())), 400),
        ("alg", token(r#"{"alg":"HS256","typ":"JWT"}"#, &good().to_string()), 400),
        ("iss null", changed("iss", Value::Null), 400),
        ("sub empty", changed("sub", json!("")), 400),
        ("device empty", changed("requesting_device", json!({})), 400),
        ("exp", changed("exp", json!(iat + 301)), 400),
        ("expired", aged(-600), 400),
        ("future", aged(700), 400),
        ("reason", changed("reason_for_request", json!("secondaryuses")), 400),
        ("scope", changed("requested_scope", json!("organization/*.read")), 400),
        ("sub differs", changed("sub", json!("u-18")), 400),
        (
            "wrong type",
            changed("requesting_device", json!({"resourceType": "Patient", "identifier": [1]})),
            422,
        ),
        (
            "unknown field",
            changed(
                "requesting_device",
                json!({"resourceType": "Device", "identifier": [1], "invalidField": "x"}),
            ),
            422,
        ),
    ];
    for (name, authorization, status) in rows {
        let mut call = Call::structured(&parameters(P1, &[allergies(false)]));
        call.set("Authorization", &authorization);
        let seen = call.send(gp).await;
        let code = if status == 422 { "INVALID_RESOURCE" } else { "BAD_REQUEST" };
        assert_eq!((seen.status, seen.spine_code().as_str()), (status, code), "{name}");
    }
    let mut call = Call::structured(&parameters(P1, &[allergies(false)]));
    call.set("Authorization", &aged(200));
    assert_eq!(call.send(gp).await.status, 200, "a clock may be a little ahead");
}

#[tokio::test]
async fn bad_parameters_are_refused() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let part = |area: &str, value: Value| part(area, &value);
    let consultations = |extra: Value| parameters(P1, &[area("includeConsultations"), extra]);
    let from =
        part("includeMedication", json!({"name": "medicationSearchFromDate", "valueDate": "2025-11-01"}));
    let period = |start: &str, end: &str| {
        let period = json!({"start": start, "end": end});
        parameters(
            P1,
            &[part(
                "includeConsultations",
                json!({"name": "consultationSearchPeriod", "valuePeriod": period}),
            )],
        )
    };
    let both = json!({"name": "includeConsultations", "part": [
        {"name": "consultationSearchPeriod", "valuePeriod": {"start": "2025-01-01"}},
        {"name": "includeNumberOfMostRecent", "valuePositiveInt": 3}]});
    let patient = |identifier: Value| json!({"resourceType": "Parameters", "parameter": [{"name": "patientNHSNumber", "valueIdentifier": identifier}]});
    let rows = [
        ("type", json!({"resourceType": "Patient"}), 422, "INVALID_RESOURCE"),
        ("no patient", json!({"resourceType": "Parameters", "parameter": []}), 422, "INVALID_PARAMETER"),
        ("system", patient(json!({"system": "urn:x", "value": P1})), 400, "INVALID_IDENTIFIER_SYSTEM"),
        ("check digit", parameters("9990000019", &[]), 400, "INVALID_NHS_NUMBER"),
        ("spaces", parameters("999 000 0107", &[]), 400, "INVALID_NHS_NUMBER"),
        ("unknown", parameters("9990000018", &[allergies(false)]), 404, "PATIENT_NOT_FOUND"),
        ("mandatory part", parameters(P1, &[area("includeAllergies")]), 422, "INVALID_PARAMETER"),
        ("area twice", parameters(P1, &[allergies(true), allergies(true)]), 422, "INVALID_PARAMETER"),
        ("both", parameters(P1, &[both]), 422, "INVALID_RESOURCE"),
        ("forbidden", consultations(from.clone()), 422, "INVALID_PARAMETER"),
        ("forbidden too", parameters(P1, &[area("includeProblems"), from]), 422, "INVALID_PARAMETER"),
        ("start after end", period("2025-02-01", "2025-01-01"), 422, "INVALID_PARAMETER"),
        ("future", period("2025-02-01", "2999-01-01"), 422, "INVALID_PARAMETER"),
        ("partial", period("2025", "2025-03-01"), 422, "INVALID_PARAMETER"),
        (
            "wrong value",
            parameters(
                P1,
                &[part(
                    "includeAllergies",
                    json!({"name": "includeResolvedAllergies", "valueString": "true"}),
                )],
            ),
            422,
            "INVALID_PARAMETER",
        ),
        (
            "past diary",
            parameters(
                P1,
                &[part(
                    "includeDiaryEntries",
                    json!({"name": "diaryEntriesSearchDate", "valueDate": "2001-01-01"}),
                )],
            ),
            422,
            "INVALID_PARAMETER",
        ),
    ];
    for (name, body, status, code) in rows {
        let seen = Call::structured(&body).send(gp).await;
        assert_eq!((seen.status, seen.spine_code().as_str()), (status, code), "{name}");
        assert!(seen.json()["issue"][0]["diagnostics"].is_string());
    }
    let mut call = Call::structured(&json!({}));
    call.body = b"{".to_vec();
    assert_eq!(call.send(gp).await.spine_code(), "BAD_REQUEST");
}

#[tokio::test]
async fn asks_are_recorded_and_chunked_bodies_are_read() {
    let federation = quiet_federation().await;
    let gp = federation.provider("gp").unwrap();
    let call = Call::structured(&parameters(P1, &[allergies(false)]));
    let plain = String::from_utf8(call.bytes()).unwrap();
    let (head, body) = plain.split_once("\r\n\r\n").unwrap();
    let head = head.replace(&format!("Content-Length: {}", body.len()), "Transfer-Encoding: chunked");
    let (first, second) = body.split_at(20);
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
    let chunks = chunk(first) + &chunk(second);
    let seen = exchange(gp, format!("{head}\r\n\r\n{chunks}0\r\n\r\n").as_bytes()).await;
    assert_eq!(seen.status, 200);
    let asks = gp.asks();
    assert_eq!((gp.ask_count(), asks.len()), (1, 1));
    assert_eq!(asks[0].header("ssp-traceid"), Some(TRACE));
    assert_eq!(asks[0].claims.as_ref().unwrap()["sub"], "u-17");
    assert_eq!(asks[0].nhs_number.as_deref(), Some(P1));
    assert_eq!(asks[0].body, body);
    gp.clear_asks();
    assert_eq!(gp.ask_count(), 0);
}
