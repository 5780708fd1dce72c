//! Searches with gaps: what the source refused, left out or did not send to the end.

use tributary_model::{FaultClass, NoticeKind, Section, SectionState};
use tributary_sources::Protocol;

use crate::search::{asked, bundle, kind_of, notices, outcome, patient, server, statement};
use crate::server::{Server, fhir};
use crate::{NUMBER, ask, entry, source};

fn issue(severity: &str, code: &str) -> String {
    format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","code":"{code}"}}]}}"#)
}

fn spine(code: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"not-found","details":{{"coding":[{{"code":"{code}"}}]}}}}]}}"#
    )
}

#[tokio::test]
async fn a_page_that_is_gone_costs_no_page_before_it() {
    for status in [400, 404, 410, 422] {
        for body in [outcome("invalid"), String::new()] {
            let server = server(move |seen| match seen.target.as_str() {
                "/fhir/?more" => fhir(status, &body),
                _ => fhir(200, bundle(&[statement("Condition", 1)], Some("?more"))),
            })
            .await;
            let reply = asked(&server, &[Section::Problems]).await.unwrap();
            assert!(reply.truncated);
            assert_eq!(reply.documents.len(), 2);
            assert_eq!(reply.states[&Section::Problems], SectionState::Partial);
        }
    }
}

#[tokio::test]
async fn a_refused_type_costs_its_sections_only() {
    for (status, body, kind) in [
        (404, outcome("not-found"), NoticeKind::NotSupported),
        (501, outcome("not-supported"), NoticeKind::NotSupported),
        (400, outcome("not-supported"), NoticeKind::Failed),
        (422, outcome("invalid"), NoticeKind::Failed),
        (400, String::new(), NoticeKind::Failed),
        // The patient was found a moment ago, so this is no word about the patient.
        (404, spine("PATIENT_NOT_FOUND"), NoticeKind::Failed),
        (200, spine("NO_RECORD_FOUND"), NoticeKind::Failed),
    ] {
        let server = server(move |seen| match kind_of(seen) {
            "AllergyIntolerance" | "Task" => fhir(status, &body),
            "EpisodeOfCare" => fhir(200, bundle(&[statement("EpisodeOfCare", 1)], None)),
            "Condition" => fhir(200, bundle(&[statement("Condition", 1)], None)),
            _ => fhir(200, bundle(&[], None)),
        })
        .await;
        let sections = [Section::Allergies, Section::Problems, Section::SocialCare];
        let reply = asked(&server, &sections).await.unwrap();
        assert_eq!(reply.states[&Section::Allergies], SectionState::Failed, "{status}");
        assert_eq!(reply.states[&Section::Problems], SectionState::Content, "{status}");
        assert_eq!(reply.states[&Section::SocialCare], SectionState::Partial, "{status}");
        assert_eq!(
            notices(&reply),
            [
                (kind, Some(Section::Allergies), Some("AllergyIntolerance")),
                (kind, Some(Section::SocialCare), Some("Task")),
            ]
        );
    }
}

#[tokio::test]
async fn a_section_with_a_refused_type_is_never_empty() {
    for status in [400, 404, 422, 501] {
        let server = server(move |seen| match kind_of(seen) {
            "MedicationDispense" | "ClinicalImpression" => fhir(status, outcome("not-supported")),
            _ => fhir(200, bundle(&[], None)),
        })
        .await;
        let sections = [Section::Plans, Section::Medications, Section::Flags];
        let reply = asked(&server, &sections).await.unwrap();
        assert_eq!(reply.states[&Section::Medications], SectionState::Failed, "{status}");
        assert_eq!(reply.states[&Section::Plans], SectionState::Failed, "{status}");
        assert_eq!(reply.states[&Section::Flags], SectionState::Empty, "{status}");
    }
}

#[tokio::test]
async fn a_wrong_address_is_never_a_patient_without_a_record() {
    for (status, body, class) in [
        (404, outcome("not-found"), FaultClass::BadEndpoint),
        (404, spine("PATIENT_NOT_FOUND"), FaultClass::NoRecord),
        (404, spine("NO_RECORD_FOUND"), FaultClass::NoRecord),
        (200, outcome("not-found"), FaultClass::OutcomeError),
    ] {
        for protocol in [Protocol::FhirR4, Protocol::FhirStu3] {
            let body = body.clone();
            let server = Server::start(move |_, _| fhir(status, &body)).await;
            let source = source(entry(protocol, &server.base()));
            let fault = ask(&source, &[Section::Problems]).await.unwrap_err();
            assert_eq!((fault.class, fault.http), (class, Some(status)));
        }
    }
}

#[tokio::test]
async fn nobody_in_a_searchset_with_gaps_is_not_nobody() {
    let total = r#"{"resourceType":"Bundle","type":"searchset","total":1}"#.to_owned();
    let link = r#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next"}]}"#.to_owned();
    for body in [
        bundle(&[issue("error", "exception")], None),
        bundle(&[issue("warning", "suppressed")], None),
        bundle(&[issue("warning", "timeout")], None),
        total,
        link,
    ] {
        let server = Server::start(move |_, _| fhir(200, &body)).await;
        let fault = asked(&server, &[Section::Problems]).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::OutcomeError);
    }
}

#[tokio::test]
async fn gaps_of_the_patient_search_concern_the_whole_answer() {
    for (severity, code, kind) in [
        ("warning", "suppressed", NoticeKind::ConfidentialItems),
        ("warning", "incomplete", NoticeKind::CutShort),
        ("error", "exception", NoticeKind::Failed),
    ] {
        let told = issue(severity, code);
        let server = Server::start(move |_, seen| match kind_of(seen) {
            "Patient" => fhir(200, bundle(&[patient("p1", NUMBER), told.clone()], None)),
            _ => fhir(200, bundle(&[], None)),
        })
        .await;
        let reply = asked(&server, &[Section::Problems]).await.unwrap();
        assert_eq!(notices(&reply), [(kind, None, None)]);
        assert_eq!(reply.truncated, kind != NoticeKind::ConfidentialItems);
    }
}

#[tokio::test]
async fn a_failure_told_inside_a_bundle_is_passed_on() {
    let server = server(|_| fhir(200, bundle(&[outcome("exception")], None))).await;
    let reply = asked(&server, &[Section::Problems]).await.unwrap();
    assert_eq!(reply.states[&Section::Problems], SectionState::Failed);
    assert_eq!(notices(&reply), [(NoticeKind::Failed, Some(Section::Problems), Some("Condition"))]);
}

#[tokio::test]
async fn a_warning_inside_a_searchset_is_passed_on() {
    use NoticeKind::{ConfidentialItems, CutShort};
    for (severity, code, kind) in [
        ("warning", "suppressed", Some(ConfidentialItems)),
        ("warning", "incomplete", Some(CutShort)),
        ("warning", "too-costly", Some(CutShort)),
        ("warning", "timeout", Some(CutShort)),
        ("warning", "a-code-of-tomorrow", Some(CutShort)),
        ("severity-of-tomorrow", "processing", Some(CutShort)),
        ("information", "informational", None),
        // Whatever it is called, something is missing.
        ("information", "suppressed", Some(ConfidentialItems)),
        ("information", "incomplete", Some(CutShort)),
    ] {
        for filled in [true, false] {
            let server = server(move |seen| match (kind_of(seen), filled) {
                ("Flag", true) => fhir(200, bundle(&[statement("Flag", 1), issue(severity, code)], None)),
                ("Flag", false) => fhir(200, bundle(&[issue(severity, code)], None)),
                _ => fhir(200, bundle(&[], None)),
            })
            .await;
            let reply = asked(&server, &[Section::Plans, Section::Problems, Section::Flags]).await.unwrap();
            let told: Vec<_> = [Section::Plans, Section::Flags]
                .into_iter()
                .filter_map(|section| Some((kind?, Some(section), Some("Flag"))))
                .collect();
            assert_eq!(notices(&reply), told, "{severity} {code}");
            let state = match (kind, filled) {
                (None, true) => None,
                (None, false) => Some(SectionState::Empty),
                (Some(_), true) => Some(SectionState::Partial),
                (Some(ConfidentialItems), false) => Some(SectionState::Withheld),
                (Some(_), false) => Some(SectionState::Failed),
            };
            assert_eq!(reply.states.get(&Section::Flags).copied(), state, "{severity} {code}");
            assert_eq!(reply.states[&Section::Problems], SectionState::Empty);
            assert_eq!(reply.truncated, kind == Some(CutShort), "{severity} {code}");
        }
    }
}

#[tokio::test]
async fn links_that_cannot_be_read_do_not_end_the_pages() {
    for link in [
        r#"{"relation":"next","url":"?more"}"#,
        "null",
        r#"[{"relation":"next"}]"#,
        r#"[{"relation":"next","url":7}]"#,
        r#"[{"relation":"next","url":""}]"#,
        r#"[{"relation":["next"],"url":"?more"}]"#,
        r#"["?more"]"#,
    ] {
        let page = format!(
            r#"{{"resourceType":"Bundle","link":{link},"entry":[{{"resource":{{"resourceType":"Condition","id":"1"}}}}]}}"#
        );
        let server = server(move |_| fhir(200, &page)).await;
        let reply = asked(&server, &[Section::Problems]).await.unwrap();
        assert!(reply.truncated, "{link}");
        assert_eq!(reply.states[&Section::Problems], SectionState::Partial, "{link}");
        assert_eq!(notices(&reply), [(NoticeKind::CutShort, Some(Section::Problems), Some("Condition"))]);
    }
}

#[tokio::test]
async fn fewer_matches_than_the_total_are_cut_short() {
    // Three matches came; what was included, is an outcome or has another type does not count.
    let page = |total: &str, entries: &[&str], link: &str| {
        format!(
            r#"{{"resourceType":"Bundle","total":{total},"link":[{link}],"entry":[{}]}}"#,
            entries.join(",")
        )
    };
    let plain = r#"{"resource":{"resourceType":"MedicationRequest","id":"1"}}"#;
    let matched = r#"{"search":{"mode":"match"},"resource":{"resourceType":"MedicationRequest","id":"2"}}"#;
    let last = r#"{"search":{"score":1},"resource":{"resourceType":"MedicationRequest","id":"3"}}"#;
    let other = r#"{"search":{"mode":"match"},"resource":{"resourceType":"Medication","id":"m"}}"#;
    let included =
        r#"{"search":{"mode":"include"},"resource":{"resourceType":"MedicationRequest","id":"9"}}"#;
    for (total, truncated) in [("3", false), ("2", false), ("4", true), ("0", false)] {
        let first = page(total, &[plain, matched, other, included], r#"{"relation":"next","url":"?more"}"#);
        // Only the first page's total counts.
        let second = page("99", &[last], "");
        let server = server(move |seen| match seen.target.as_str() {
            "/fhir/MedicationRequest/_search" => fhir(200, &first),
            "/fhir/?more" => fhir(200, &second),
            _ => fhir(200, bundle(&[], None)),
        })
        .await;
        let reply = asked(&server, &[Section::Medications]).await.unwrap();
        assert_eq!(reply.truncated, truncated, "{total}");
        let state = if truncated { SectionState::Partial } else { SectionState::Content };
        assert_eq!(reply.states[&Section::Medications], state, "{total}");
    }
}
