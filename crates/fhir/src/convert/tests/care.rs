//! Goals, teams, histories and devices: what is around the care, there and back.

use super::{back, check, one};

const V: &str = "http://hl7.org/fhir/3.0/StructureDefinition/extension-";

#[test]
fn every_status_of_a_goal_has_its_life_cycle() {
    for status in ["proposed", "planned", "accepted", "on-hold", "cancelled", "entered-in-error", "rejected"]
    {
        let (goal, notes) = one(&format!(r#"{{"resourceType":"Goal","status":"{status}"}}"#));
        assert_eq!((&goal["lifecycleStatus"], notes.len()), (&status.into(), 0));
        assert_eq!(goal.get("status"), None);
    }
    for (status, pursued, achieved) in [
        ("in-progress", "active", ""),
        ("on-target", "active", ""),
        ("ahead-of-target", "active", ""),
        ("behind-target", "active", ""),
        ("sustaining", "active", "sustaining"),
        ("achieved", "completed", "achieved"),
    ] {
        let (goal, notes) = one(&format!(r#"{{"resourceType":"Goal","status":"{status}"}}"#));
        assert_eq!(goal["lifecycleStatus"], pursued, "{status}");
        let code = goal["achievementStatus"]["coding"][0]["code"].as_str().unwrap_or_default();
        assert_eq!(code, achieved, "{status}");
        assert_eq!(goal["extension"][0]["valueCode"], status);
        assert_eq!(notes, ["Goal.status"]);
        back::comes_back(&format!(
            r#"{{"resourceType":"Goal","status":"{status}","target":{{"dueDate":"2020"}}}}"#
        ));
    }
    // That a goal is no longer pursued does not say that it was reached.
    let (goal, _) = back::one(r#"{"resourceType":"Goal","lifecycleStatus":"completed"}"#);
    assert_eq!(goal.get("status"), None);
    assert_eq!(goal["extension"][0]["valueCode"], "completed");
}

#[test]
fn teams_impressions_and_messages() {
    check(
        r#"{"resourceType":"CareTeam","status":"active","context":{"reference":"Encounter/1"},"participant":[{"role":{"text":"r"}}]}"#,
        r#"{"resourceType":"CareTeam","status":"active","encounter":{"reference":"Encounter/1"},"participant":[{"role":[{"text":"r"}]}]}"#,
        &[],
    );
    back::comes_back(
        r#"{"resourceType":"CareTeam","context":{"reference":"EpisodeOfCare/1"},"participant":[{"role":{"text":"r"}}]}"#,
    );
    for (stu3, r4) in
        [("draft", "in-progress"), ("completed", "completed"), ("entered-in-error", "entered-in-error")]
    {
        let (found, _) = one(&format!(r#"{{"resourceType":"ClinicalImpression","status":"{stu3}"}}"#));
        assert_eq!(found["status"], r4);
    }
    back::comes_back(
        r#"{"resourceType":"ClinicalImpression","status":"draft","context":{"reference":"Encounter/1"},"action":[{"reference":"Procedure/1"}]}"#,
    );
    check(
        r#"{"resourceType":"Communication","status":"completed","notDone":true,"notDoneReason":{"text":"n"},"topic":[{"reference":"X/1"}]}"#,
        &format!(
            r#"{{"resourceType":"Communication","status":"not-done","statusReason":{{"text":"n"}},"about":[{{"reference":"X/1"}}],
            "extension":[{{"url":"{V}Communication.notDone","valueBoolean":true}}]}}"#
        ),
        &["Communication.notDone"],
    );
    for status in ["preparation", "in-progress", "suspended", "aborted", "completed", "entered-in-error"] {
        back::comes_back(&format!(
            r#"{{"resourceType":"Communication","status":"{status}","notDone":true,"notDoneReason":{{"text":"n"}},"topic":[{{"reference":"X/1"}}]}}"#
        ));
    }
    check(
        r#"{"resourceType":"CommunicationRequest","status":"suspended","requester":{"agent":{"reference":"Patient/1"}}}"#,
        r#"{"resourceType":"CommunicationRequest","status":"on-hold","requester":{"reference":"Patient/1"}}"#,
        &[],
    );
}

#[test]
fn a_family_history_that_was_not_taken_is_no_healthy_family() {
    check(
        r#"{"resourceType":"FamilyMemberHistory","status":"completed","notDone":true,"notDoneReason":{"text":"refused"},"gender":"female"}"#,
        &format!(
            r#"{{"resourceType":"FamilyMemberHistory","status":"health-unknown","dataAbsentReason":{{"text":"refused"}},
            "sex":{{"coding":[{{"system":"http://hl7.org/fhir/administrative-gender","code":"female"}}]}},
            "extension":[{{"url":"{V}FamilyMemberHistory.notDone","valueBoolean":true}},
            {{"url":"{V}FamilyMemberHistory.status","valueCode":"completed"}}]}}"#
        ),
        &["FamilyMemberHistory.notDone", "FamilyMemberHistory.status"],
    );
    let (taken, notes) =
        one(r#"{"resourceType":"FamilyMemberHistory","status":"completed","notDone":false}"#);
    assert_eq!((&taken["status"], notes.len()), (&"completed".into(), 0));
    let (error, _) =
        one(r#"{"resourceType":"FamilyMemberHistory","status":"entered-in-error","notDone":true}"#);
    assert_eq!(error["status"], "entered-in-error");
}

#[test]
fn devices_risks_and_pictures() {
    check(
        r#"{"resourceType":"Device","model":"M","version":"1.0","udi":{"name":"N","deviceIdentifier":"D"}}"#,
        r#"{"resourceType":"Device","version":[{"value":"1.0"}],"udiCarrier":[{"deviceIdentifier":"D"}],
        "deviceName":[{"name":"M","type":"model-name"},{"name":"N","type":"udi-label-name"}]}"#,
        &[],
    );
    back::comes_back(
        r#"{"resourceType":"Device","model":"M","version":"1.0","udi":{"deviceIdentifier":"D"}}"#,
    );
    check(
        r#"{"resourceType":"DeviceUseStatement","status":"active","whenUsed":{"start":"2020"},"indication":[{"text":"i"}]}"#,
        r#"{"resourceType":"DeviceUseStatement","status":"active","timingPeriod":{"start":"2020"},"reasonCode":[{"text":"i"}]}"#,
        &[],
    );
    check(
        r#"{"resourceType":"RiskAssessment","comment":"c","identifier":{"value":"1"},"reasonCodeableConcept":{"text":"r"},
        "reasonReference":{"reference":"X/1"}}"#,
        r#"{"resourceType":"RiskAssessment","note":[{"text":"c"}],"identifier":[{"value":"1"}],"reasonCode":[{"text":"r"}],
        "reasonReference":[{"reference":"X/1"}]}"#,
        &[],
    );
    check(
        r#"{"resourceType":"Media","type":"photo","occurrenceDateTime":"2020","subtype":{"text":"s"}}"#,
        &format!(
            r#"{{"resourceType":"Media","status":"unknown","createdDateTime":"2020","modality":{{"text":"s"}},
            "type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/media-type","code":"image"}}]}},
            "extension":[{{"url":"{V}Media.type","valueCode":"photo"}}]}}"#
        ),
        &["Media.type"],
    );
    check(
        r#"{"resourceType":"Composition","class":{"text":"c"},"attester":[{"mode":["legal"]},{"mode":["personal","official"]}]}"#,
        &format!(
            r#"{{"resourceType":"Composition","category":[{{"text":"c"}}],"attester":[{{"mode":"legal"}},{{"mode":"personal",
            "extension":[{{"url":"{V}Composition.attester.mode","valueCode":"personal"}},
            {{"url":"{V}Composition.attester.mode","valueCode":"official"}}]}}]}}"#
        ),
        &["Composition.attester.mode"],
    );
    check(
        r#"{"resourceType":"DetectedIssue","category":{"text":"c"},"date":"2020","identifier":{"value":"1"}}"#,
        r#"{"resourceType":"DetectedIssue","code":{"text":"c"},"identifiedDateTime":"2020","identifier":[{"value":"1"}]}"#,
        &[],
    );
}

#[test]
fn types_that_did_not_change_stay_as_they_are() {
    for kind in ["Basic", "Endpoint", "Group", "Substance"] {
        let text = format!(r#"{{"resourceType":"{kind}","id":"1","code":{{"text":"x"}}}}"#);
        check(&text, &text, &[]);
    }
}

#[test]
fn a_consent_is_carried_whole_whatever_it_permits() {
    // Permit and deny change sides between the versions; unread, nothing can be permitted by mistake.
    let (consent, _) = one(r#"{"resourceType":"Consent","except":[{"type":"deny"}]}"#);
    assert_eq!(consent["resourceType"], "Binary");
}
