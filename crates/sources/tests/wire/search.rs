//! Searches: the patient first, then each type, pages and all.

use std::time::Duration;

use tributary_fhir::{Bundle, Reply};
use tributary_model::{FaultClass, NoticeKind, Section, SectionState, SourceFault};
use tributary_sources::{Protocol, SourceEntry};

use crate::server::{Seen, Server, Step, fhir};
use crate::{NUMBER, OTHER_NUMBER, ask, entry, source};

pub(crate) fn patient(id: &str, number: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"{number}"}}]}}"#
    )
}

pub(crate) fn statement(kind: &str, id: usize) -> String {
    format!(r#"{{"resourceType":"{kind}","id":"{id}"}}"#)
}

pub(crate) fn bundle(resources: &[String], next: Option<&str>) -> String {
    let entries: Vec<_> = resources.iter().map(|resource| format!(r#"{{"resource":{resource}}}"#)).collect();
    let link =
        next.map_or(String::new(), |next| format!(r#""link":[{{"relation":"next","url":"{next}"}}],"#));
    format!(r#"{{"resourceType":"Bundle","type":"searchset",{link}"entry":[{}]}}"#, entries.join(","))
}

pub(crate) fn outcome(code: &str) -> String {
    format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}"}}]}}"#)
}

/// The type a search is for.
pub(crate) fn kind_of(seen: &Seen) -> &str {
    seen.target.trim_start_matches("/fhir/").trim_end_matches("/_search")
}

/// Serves the patient; `types` answers for everything else.
pub(crate) async fn server(types: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Server {
    Server::start(move |_, seen| match kind_of(seen) {
        "Patient" => fhir(200, bundle(&[patient("p1", NUMBER)], None)),
        _ => types(seen),
    })
    .await
}

pub(crate) async fn asked(server: &Server, sections: &[Section]) -> Result<Reply, SourceFault> {
    let source = source(entry(Protocol::FhirR4, &server.base()));
    ask(&source, sections).await
}

pub(crate) fn notices(reply: &Reply) -> Vec<(NoticeKind, Option<Section>, Option<&str>)> {
    reply.notices.iter().map(|notice| (notice.kind, notice.section, notice.detail.as_deref())).collect()
}

#[tokio::test]
async fn the_number_goes_in_a_form_and_never_in_an_address() {
    let server = server(|seen| fhir(200, bundle(&[statement(kind_of(seen), 1)], None))).await;
    let reply = asked(&server, &[Section::Allergies, Section::Medications]).await.unwrap();
    assert_eq!(reply.states[&Section::Allergies], SectionState::Content);
    assert_eq!(reply.documents.len(), 6);
    assert_eq!(reply.attempts, 6);
    assert!(!reply.converted && !reply.truncated);
    assert_eq!(reply.digest.len(), 64);
    let text_bytes: usize = reply.documents.iter().map(|document| document.text().len()).sum();
    assert_eq!(reply.bytes, text_bytes as u64);

    let seen = server.seen();
    assert_eq!(seen[0].body, format!("identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C{NUMBER}"));
    let mut traces: Vec<_> = seen.iter().map(|seen| seen.header("x-request-id")).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), seen.len());
    for request in &seen {
        assert_eq!(request.method, "POST");
        assert!(!request.target.contains(NUMBER));
        assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
        assert_eq!(request.header("accept-encoding"), "gzip");
    }
    let bodies: Vec<_> = seen
        .iter()
        .filter(|seen| kind_of(seen) == "MedicationRequest")
        .map(|seen| seen.body.as_str())
        .collect();
    assert_eq!(bodies, ["patient=p1&_count=100&_include=MedicationRequest%3Amedication"]);
}

#[tokio::test]
async fn the_reply_does_not_depend_on_who_answers_first() {
    let sections = [Section::SocialCare, Section::Plans];
    let mut digests = Vec::new();
    for held_back in ["CarePlan", "Task"] {
        let server = server(move |seen| {
            let page = bundle(&[statement(kind_of(seen), 1)], None);
            let mut steps = fhir(200, page);
            if kind_of(seen) == held_back {
                steps.insert(0, Step::Pause(Duration::from_millis(60)));
            }
            steps
        })
        .await;
        digests.push(asked(&server, &sections).await.unwrap().digest);
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn a_type_that_carries_two_sections_tells_nothing_of_either() {
    let server = server(|seen| match kind_of(seen) {
        "DocumentReference" => fhir(200, bundle(&[statement("DocumentReference", 1)], None)),
        _ => fhir(200, bundle(&[], None)),
    })
    .await;
    let reply = asked(&server, &[Section::Plans, Section::Problems, Section::Documents]).await.unwrap();
    assert_eq!(reply.states.get(&Section::Plans), None);
    assert_eq!(reply.states.get(&Section::Documents), None);
    assert_eq!(reply.states[&Section::Problems], SectionState::Empty);
}

#[tokio::test]
async fn nobody_somebody_else_and_two_records() {
    for (patients, expected) in [
        (vec![], Err(FaultClass::NoRecord)),
        (vec![patient("p2", OTHER_NUMBER)], Err(FaultClass::IdentityNumber)),
        (
            vec![patient("p1", "999 000 0107"), patient("p9", NUMBER)],
            Ok("patient=p1%2Cp9&_count=100".to_owned()),
        ),
        (vec![patient("p1/../x", NUMBER)], Err(FaultClass::Shape)),
    ] {
        let server = Server::start(move |_, seen| match kind_of(seen) {
            "Patient" => fhir(200, bundle(&patients, None)),
            _ => fhir(200, bundle(&[], None)),
        })
        .await;
        let told = asked(&server, &[Section::Problems]).await;
        let body = server.seen().get(1).map(|seen| seen.body.clone());
        let got = told.map(|_| body.unwrap()).map_err(|fault| fault.class);
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let server = server(|seen| match seen.target.as_str() {
        "/fhir/Condition/_search" => fhir(200, bundle(&[statement("Condition", 1)], Some("?page=2"))),
        "/fhir/?page=2" => fhir(200, bundle(&[statement("Condition", 2)], Some("Condition?page=3"))),
        "/fhir/Condition?page=3" => fhir(200, bundle(&[statement("Condition", 3)], None)),
        other => panic!("{other}"),
    })
    .await;
    let reply = asked(&server, &[Section::Problems]).await.unwrap();
    let conditions = reply.documents[1..].iter().map(|document| {
        let bundle = Bundle::of(document).unwrap();
        bundle.resources().count()
    });
    assert_eq!(conditions.sum::<usize>(), 3);
    assert!(!reply.truncated);
    assert_eq!(server.seen()[2].method, "GET");
}

#[tokio::test]
async fn too_many_pages_are_cut_short() {
    let server = server(|_| fhir(200, bundle(&[statement("Condition", 1)], Some("?more")))).await;
    let reply = asked(&server, &[Section::Problems]).await.unwrap();
    assert!(reply.truncated);
    assert_eq!(reply.documents.len(), 21);
    assert_eq!(reply.states[&Section::Problems], SectionState::Partial);
    assert_eq!(notices(&reply), [(NoticeKind::CutShort, Some(Section::Problems), Some("Condition"))]);
}

#[tokio::test]
async fn a_page_that_does_not_come_in_time_is_cut_off() {
    let server = server(|seen| match seen.target.as_str() {
        "/fhir/?more" => vec![Step::Hang],
        _ => fhir(200, bundle(&[statement("Condition", 1)], Some("?more"))),
    })
    .await;
    let source = source(SourceEntry {
        timeout: Duration::from_millis(1500),
        ..entry(Protocol::FhirR4, &server.base())
    });
    let reply = ask(&source, &[Section::Problems]).await.unwrap();
    assert!(reply.truncated);
    assert_eq!(reply.documents.len(), 2);
}

#[tokio::test]
async fn a_link_to_elsewhere_is_not_followed() {
    let elsewhere = Server::start(|_, _| fhir(200, bundle(&[], None))).await;
    let links = [
        format!("{}/Condition?page=2", elsewhere.base()),
        "/admin".to_owned(),
        "../admin".to_owned(),
        "//elsewhere.example.test/fhir/Condition".to_owned(),
        "/fhirx/Condition".to_owned(),
    ];
    for link in links {
        let next = link.clone();
        let server = server(move |_| fhir(200, bundle(&[statement("Condition", 1)], Some(&next)))).await;
        let fault = asked(&server, &[Section::Problems]).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Shape, "{link}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_link_with_the_number_in_it_is_not_followed() {
    let server = server(|_| {
        let link = format!("?identifier={NUMBER}");
        fhir(200, bundle(&[statement("Condition", 1)], Some(&link)))
    })
    .await;
    let reply = asked(&server, &[Section::Problems]).await.unwrap();
    assert!(reply.truncated);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_fault_of_one_search_is_a_fault_of_the_ask() {
    for (steps, class) in [
        (fhir(500, ""), FaultClass::ServerError),
        (fhir(404, ""), FaultClass::BadEndpoint),
        (fhir(403, ""), FaultClass::Denied),
        (vec![Step::Reset], FaultClass::Reset),
        (fhir(200, outcome("exception")), FaultClass::OutcomeError),
    ] {
        let server = server(move |seen| match kind_of(seen) {
            "Condition" => steps.clone(),
            _ => fhir(200, bundle(&[], None)),
        })
        .await;
        let fault = asked(&server, &[Section::Allergies, Section::Problems]).await.unwrap_err();
        assert_eq!(fault.class, class);
    }
}

#[tokio::test]
async fn all_bodies_together_may_be_as_large_as_one() {
    let padding = " ".repeat(300 << 10);
    let server = server(move |_| {
        let body = bundle(&[], None);
        fhir(200, format!("{body}{padding}"))
    })
    .await;
    let some = asked(&server, &[Section::Problems, Section::Allergies]).await;
    assert!(some.is_ok());
    let all = asked(&server, &[Section::Medications]).await;
    assert_eq!(all.unwrap_err().class, FaultClass::TooLarge);
}

#[tokio::test]
async fn stu3_answers_are_converted_and_have_their_own_types() {
    let server = server(|seen| fhir(200, bundle(&[statement(kind_of(seen), 1)], None))).await;
    let source = source(entry(Protocol::FhirStu3, &server.base()));
    let reply = ask(&source, &[Section::Problems, Section::Diary]).await.unwrap();
    assert!(reply.converted);
    assert_eq!(reply.documents.len(), 3);
    let kinds: Vec<_> = server.seen().iter().map(|seen| kind_of(seen).to_owned()).collect();
    assert!(kinds.contains(&"ProcedureRequest".to_owned()));
}

#[tokio::test]
async fn an_answer_in_another_version_is_refused() {
    for (protocol, kind) in [(Protocol::FhirR4, "ReferralRequest"), (Protocol::FhirStu3, "ServiceRequest")] {
        let server = server(move |_| fhir(200, bundle(&[statement(kind, 1)], None))).await;
        let source = source(entry(protocol, &server.base()));
        let fault = ask(&source, &[Section::Problems]).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Version);
    }
}
