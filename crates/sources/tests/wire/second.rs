//! The second question: vaccinations that were not given, asked for beside consultations or problems.

use std::time::{Duration, Instant};

use tributary_fhir::{Bundle, Notice, Reply};
use tributary_model::{Deadline, FaultClass, NoticeKind, Section, SectionState, SourceFault};
use tributary_sources::Protocol;

use tower::ServiceExt as _;

use crate::server::{Seen, Server, Step, fhir};
use crate::{OTHER_NUMBER, entry, question, source};

const IMMUNISATIONS: &str = "1102181000000102";
const PROBLEMS: &str = "717711000000103";
const SECTIONS: &[Section] = &[Section::Problems, Section::Immunisations];

fn patient(number: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"p1"{more},"identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"{number}"}}]}}"#
    )
}

fn list(code: &str, entries: &[&str]) -> String {
    let items: Vec<_> =
        entries.iter().map(|entry| format!(r#"{{"item":{{"reference":"Immunization/{entry}"}}}}"#)).collect();
    format!(
        r#"{{"resourceType":"List","status":"current","mode":"snapshot","code":{{"coding":[{{"code":"{code}"}}]}},"subject":{{"reference":"Patient/p1"}},"entry":[{}]}}"#,
        items.join(",")
    )
}

fn vaccine(id: &str, not_given: bool) -> String {
    format!(
        r#"{{"resourceType":"Immunization","id":"{id}","status":"completed","notGiven":{not_given},"patient":{{"reference":"Patient/p1"}}}}"#
    )
}

fn bundle(resources: &[String]) -> String {
    let entries: Vec<_> = resources.iter().map(|one| format!(r#"{{"resource":{one}}}"#)).collect();
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","))
}

/// What the first question brings: a problem, and a vaccine that was given.
fn first() -> String {
    bundle(&[
        patient(crate::NUMBER, ""),
        list(PROBLEMS, &["x"]),
        list(IMMUNISATIONS, &["given"]),
        vaccine("given", false),
    ])
}

/// What the second brings: that vaccine, and one that was not given.
fn second(number: &str, more: &str) -> String {
    bundle(&[
        patient(number, more),
        list(IMMUNISATIONS, &["given", "refused"]),
        vaccine("given", false),
        vaccine("refused", true),
    ])
}

/// Whether this is the second question.
fn is_second(seen: &Seen) -> bool {
    seen.body.contains("includeNotGiven")
}

async fn asked(
    sections: &[Section],
    second: impl Fn() -> Vec<Step> + Send + Sync + 'static,
) -> (Server, Result<Reply, SourceFault>) {
    let server =
        Server::start(move |_, seen| if is_second(seen) { second() } else { fhir(200, first()) }).await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let ask =
        tributary_model::Ask { deadline: Deadline::after(Duration::from_secs(2)), ..question(sections) };
    let reply = source.service.clone().oneshot(ask).await;
    (server, reply)
}

#[tokio::test]
async fn vaccinations_not_given_are_asked_for_by_themselves() {
    let (server, reply) = asked(SECTIONS, || fhir(200, second(crate::NUMBER, ""))).await;
    let reply = reply.unwrap();
    let mut seen = server.seen();
    seen.sort_by_key(is_second);
    assert_eq!(seen.len(), 2);
    assert!(seen[0].body.contains(r#"{"name":"includeProblems"},{"name":"includeImmunisations"}"#));
    assert!(seen[1].body.contains(r#""parameter":[{"name":"patientNHSNumber""#));
    assert!(seen[1].body.contains(
        r#"{"name":"includeImmunisations","part":[{"name":"includeNotGiven","valueBoolean":true},{"name":"includeStatus","valueBoolean":true}]}]}"#
    ));
    assert!(!seen[1].body.contains("includeProblems"));
    assert_ne!(seen[0].header("ssp-traceid"), seen[1].header("ssp-traceid"));
    for one in &seen {
        assert!(one.header("authorization").starts_with("Bearer "));
        assert_eq!(one.header("ssp-to"), "200000000205");
    }

    assert_eq!(reply.states[&Section::Problems], SectionState::Content);
    assert_eq!(reply.states[&Section::Immunisations], SectionState::Content);
    assert_eq!(reply.notices, []);
    assert_eq!((reply.documents.len(), reply.attempts), (2, 2));
    assert_eq!(reply.bytes, (first().len() + second(crate::NUMBER, "").len()) as u64);
    let resources = Bundle::of(&reply.documents[1]).unwrap().resources();
    let refused: Vec<_> = resources.filter(|one| one.says("id", "refused")).collect();
    assert!(refused[0].says("status", "not-done"));
}

#[tokio::test]
async fn a_problem_that_comes_with_both_answers_is_told_once() {
    let problem = |links: &str| {
        format!(
            r#"{{"resourceType":"Condition","id":"c1","clinicalStatus":"active","subject":{{"reference":"Patient/p1"}}{links}}}"#
        )
    };
    let link = r#","extension":[{"url":"https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-RelatedClinicalContent-1","valueReference":{"reference":"Immunization/refused"}}]"#;
    let with = |bundle: String, problem: String| {
        bundle.replacen(r#""entry":["#, &format!(r#""entry":[{{"resource":{problem}}},"#), 1)
    };
    let server = Server::start(move |_, seen| {
        if is_second(seen) {
            fhir(200, with(second(crate::NUMBER, ""), problem("")))
        } else {
            fhir(200, with(first(), problem(link)))
        }
    })
    .await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let reply = source.service.clone().oneshot(question(SECTIONS)).await.unwrap();
    let bundles = reply.documents.iter().map(|document| Bundle::of(document).unwrap());
    let texts: Vec<_> = bundles.flat_map(Bundle::resources).map(|one| one.raw().to_owned()).collect();
    let problems: Vec<_> = texts.iter().filter(|text| text.contains(r#""Condition""#)).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("Immunization/refused"));
    assert!(texts.iter().any(|text| text.contains(r#""id":"refused""#)));
}

#[tokio::test]
async fn one_question_is_enough_where_nothing_forbids_it() {
    for sections in [&[Section::Immunisations][..], &[Section::Problems, Section::Allergies]] {
        let (server, _reply) = asked(sections, || fhir(200, second(crate::NUMBER, ""))).await;
        assert_eq!(server.seen().len(), 1, "{sections:?}");
    }
}

#[track_caller]
fn lacks_what_was_not_given(reply: &Reply, cause: &str) {
    assert_eq!(reply.states[&Section::Problems], SectionState::Content, "{cause}");
    assert_eq!(reply.states[&Section::Immunisations], SectionState::Partial, "{cause}");
    let part = Some("includeImmunisations.includeNotGiven".to_owned());
    let notice = Notice { detail: part, ..Notice::about(NoticeKind::Failed, Section::Immunisations) };
    assert_eq!(reply.notices, [notice], "{cause}");
    assert_eq!(reply.documents.len(), 1, "{cause}");
    assert_eq!(reply.bytes, first().len() as u64, "{cause}");
}

#[tokio::test]
async fn a_failed_second_question_costs_the_immunisations_their_completeness_alone() {
    type Answer = fn() -> Vec<Step>;
    let answers: [(&str, Answer); 6] = [
        ("refused", || fhir(422, "")),
        ("broken", || fhir(500, "")),
        ("no consent", || fhir(403, "")),
        ("not JSON", || fhir(200, "{")),
        ("reset", || vec![Step::Reset]),
        ("an edited patient", || fhir(200, second(crate::NUMBER, r#","active":true"#))),
    ];
    for (cause, answer) in answers {
        let (_server, reply) = asked(SECTIONS, answer).await;
        lacks_what_was_not_given(&reply.unwrap(), cause);
    }
}

#[tokio::test]
async fn a_silent_second_question_does_not_make_the_first_answer_late() {
    let began = Instant::now();
    let (_server, reply) = asked(SECTIONS, || vec![Step::Hang]).await;
    lacks_what_was_not_given(&reply.unwrap(), "silence");
    assert!(began.elapsed() < Duration::from_millis(1900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_refused_first_question_does_not_wait_for_the_second() {
    let server =
        Server::start(|_, seen| if is_second(seen) { vec![Step::Hang] } else { fhir(403, "") }).await;
    let source = source(entry(Protocol::GpConnectStructured, &server.base()));
    let began = Instant::now();
    let fault = source.service.clone().oneshot(question(SECTIONS)).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Denied);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn somebody_elses_vaccinations_are_left_to_the_identity_gate() {
    let (_server, reply) = asked(SECTIONS, || fhir(200, second(OTHER_NUMBER, ""))).await;
    // Both answers travel on, so that the gate sees two patients and quarantines all of it.
    assert_eq!(reply.unwrap().documents.len(), 2);
}

#[tokio::test]
async fn warnings_of_the_second_answer_are_those_of_its_section() {
    let warned = || {
        let list = list(IMMUNISATIONS, &["given"]).replacen(
            r#""status""#,
            r#""extension":[{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1","valueCode":"confidential-items"}],"status""#,
            1,
        );
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"not-supported","diagnostics":"else"}]}"#;
        fhir(200, bundle(&[patient(crate::NUMBER, ""), list, vaccine("given", false), outcome.to_owned()]))
    };
    let (_server, reply) = asked(SECTIONS, warned).await;
    let reply = reply.unwrap();
    assert_eq!(reply.states[&Section::Immunisations], SectionState::Partial);
    assert_eq!(reply.states[&Section::Problems], SectionState::Content);
    let told: Vec<_> = reply.notices.iter().map(|notice| (notice.kind, notice.section)).collect();
    let own = Some(Section::Immunisations);
    assert_eq!(told, [(NoticeKind::ConfidentialItems, own), (NoticeKind::NotSupported, own)]);
}
