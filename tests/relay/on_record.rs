//! What the audit log says of a call that was passed on.

use super::*;

#[tokio::test]
async fn every_relay_is_on_record_twice() {
    let stage = Stage::set(Plan::default()).await;
    let reply = relayed(&stage, &everything()).await;
    let (intents, disclosures) = (of_kind(&stage, "intent"), of_kind(&stage, "disclosure"));
    assert_eq!((intents.len(), disclosures.len()), (1, 1));
    let (intent, disclosure) = (&intents[0], &disclosures[0]);
    assert_eq!(reply.header("Tributary-Audit"), Some(format!("local-{}", disclosure["seq"]).as_str()));
    assert_eq!(disclosure["corr"], intent["seq"]);
    assert_eq!(intent["expected"], json!(["gp"]));
    assert_eq!(reply.header("X-Request-ID"), intent["req"].as_str());
    for record in [intent, disclosure] {
        assert_eq!(record["user"]["id"], "u-4711");
        assert_eq!(record["user"]["org"], "RXY99");
        assert_eq!(record["user"]["assurance"], "asserted-unsigned");
        assert_eq!(record["patient"]["nhs"], GEORGE);
    }
    assert_eq!(disclosure["outcome"]["http"], 200);
    assert_eq!(disclosure["outcome"]["bytes"], reply.body.len());
    assert_eq!(disclosure["outcome"]["bundle_digest"], tributary_tests::sha256(&reply.body));
    assert_eq!(disclosure["sources"][0]["source"], "gp");
    assert_eq!(disclosure["sources"][0]["status"], "ok");
}

#[tokio::test]
async fn what_is_on_record_of_the_source_is_what_it_sent() {
    let stage = Stage::set(Plan::default()).await;
    let allergies = asking(&[part("includeAllergies", "includeResolvedAllergies", true)]);
    let reply = relayed(&stage, &allergies).await;
    let asks = stage.federation.provider("gp").unwrap().asks();
    let sent = reply.body.replace(TRACE, asks[0].header("Ssp-TraceID").unwrap());
    let source = &of_kind(&stage, "disclosure")[0]["sources"][0];
    assert_eq!(source["digest"], tributary_tests::sha256(&sent));
    assert_eq!(source["bytes"], sent.len());
    assert_eq!(source["attempts"], 1);
}

#[tokio::test]
async fn a_refusal_is_recorded_as_what_it_was() {
    for (fault, status, http) in [
        (answered(404, "PATIENT_NOT_FOUND"), "no-record", 404),
        // Says nothing about the patient.
        (answered(404, "ORGANISATION_NOT_FOUND"), "unavailable", 404),
        (answered(403, "NO_PATIENT_CONSENT"), "withheld-consent", 403),
        (answered(422, "INVALID_PARAMETER"), "invalid", 422),
    ] {
        let stage = Stage::set(Plan::default()).await;
        stage.federation.provider("gp").unwrap().set_fault(fault);
        assert_eq!(relayed(&stage, &everything()).await.status, http);
        let disclosure = of_kind(&stage, "disclosure").remove(0);
        assert_eq!(disclosure["outcome"]["http"], http);
        assert_eq!(disclosure["sources"][0]["status"], status, "{http}");
    }
}

#[tokio::test]
async fn the_status_on_record_is_the_one_that_was_sent() {
    let shed =
        Fault::Status { status: 503, body: ErrorBody::Empty, spine_code: None, retry_after_secs: Some(9) };
    for fault in [Fault::status(500), Fault::WrongPatient, Fault::HangBeforeHead, shed] {
        let stage = Stage::set(Plan { source_keys: "timeout_ms = 400", ..Plan::default() }).await;
        let name = format!("{fault:?}");
        stage.federation.provider("gp").unwrap().set_fault(fault);
        let reply = relayed(&stage, &everything()).await;
        let disclosure = of_kind(&stage, "disclosure").remove(0);
        assert_eq!(disclosure["outcome"]["http"], reply.status, "{name}");
    }
}

#[tokio::test]
async fn a_caller_who_leaves_is_on_record() {
    let stage = Stage::set(Plan::default()).await;
    stage.federation.provider("gp").unwrap().set_fault(Fault::HangBeforeHead);
    let body = everything();
    let leaving = tokio::time::timeout(Duration::from_millis(300), relayed(&stage, &body)).await;
    assert!(leaving.is_err(), "the GP system should have kept us waiting");
    assert_eq!(asked(&stage, "gp"), 1);
    let mut disclosures = Vec::new();
    for _ in 0..200 {
        disclosures = of_kind(&stage, "disclosure");
        if !disclosures.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(disclosures.len(), 1, "nobody noted that the caller left");
    assert_eq!(disclosures[0]["outcome"]["http"], 499);
    assert_eq!(disclosures[0]["corr"], of_kind(&stage, "intent")[0]["seq"]);
}
