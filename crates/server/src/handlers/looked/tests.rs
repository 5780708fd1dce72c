//! Who may be told who looked, and in which words it is refused.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use tributary_broker::TurnedAway;
use tributary_identity::{Consumers, Gate, Replays};
use tributary_model::requester::{Proof, Said, ScopeSaid, TokenKind};
use tributary_model::{Deadline, Purpose, RequestId, Requester};

use super::*;
use crate::desk::WhoLooked;
use crate::exchange::Edge;
use crate::tests::bench::{FakeDesk, Say, edge, read, settings};

const NUMBER: &str = "9990000107";

/// Asks as this role with this number proven; gives status, body and what was asked of the log.
async fn asks(
    callers: Callers,
    (role, own): (Role, Option<&str>),
    body: &str,
    says: Result<Looked, NotLooked>,
) -> (StatusCode, String, usize, Vec<TurnedAway>) {
    let asked = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&asked);
    let who_looked = WhoLooked::new(move |request: LookedRequest| {
        assert_eq!(request.patient.expose(), NUMBER);
        *seen.lock().unwrap() += 1;
        std::future::ready(says.clone())
    });
    let desk = FakeDesk::new(Say::Record);
    let usual = settings();
    let proof = Proof {
        consumer: "app".to_owned(),
        spki_sha256: Some([0; 32]),
        token: TokenKind::Signed,
        issuer: None,
        jti_sha256: None,
        aal: None,
        own: own.map(|own| NhsNumber::parse(own).unwrap()),
        said: Said { purposes: Purpose::ALL, scope: ScopeSaid::Nothing },
        related: None,
    };
    let requester = Requester { role, proof: Some(Arc::new(proof)), ..usual.demo_requester.clone() };
    let edge: Arc<Edge> = edge(&desk, crate::Settings { callers, who_looked: Some(who_looked), ..usual });
    let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    let exchange = Exchange {
        edge,
        headers: [(header::CONTENT_TYPE, form)].into_iter().collect(),
        query: None,
        body: body.to_owned().into(),
        id: RequestId::random(),
        deadline: Deadline::after(Duration::from_secs(5)),
        requester: Arc::new(requester),
        caller: None,
        asked: crate::layers::Asked::default(),
        visit: None,
    };
    let reply = looked(exchange).await;
    let (status, words) = read(reply).await;
    let turned_away = desk.turned_away.lock().unwrap().clone();
    let count = *asked.lock().unwrap();
    (status, words, count, turned_away)
}

fn proven() -> Callers {
    Callers::Proven(Arc::new(Gate::new(Consumers::default(), [], Arc::new(Replays::default()))))
}

fn told() -> Looked {
    let row = LookRow { who: "Chidi Nwosu".to_owned(), outcome: "shown", ..LookRow::default() };
    Looked { rows: vec![row], audit: "local-9".to_owned(), ..Looked::default() }
}

#[tokio::test]
async fn nobody_but_the_patient_is_told_who_looked() {
    let form = format!("nhs={NUMBER}");
    for (who, own) in [
        (Role::Gp, None),
        (Role::Gp, Some(NUMBER)),
        (Role::Patient, None),
        (Role::Patient, Some("9990000115")),
        (Role::InformationGovernance, None),
        (Role::Demo, None),
    ] {
        let (status, body, asked, turned_away) = asks(proven(), (who, own), &form, Ok(told())).await;
        assert_eq!((status, asked), (StatusCode::FORBIDDEN, 0), "{who:?} {own:?}");
        assert!(body.contains("Only the patient may see who looked") && !body.contains("Chidi"), "{body}");
        assert_eq!(turned_away, [TurnedAway::Forbidden]);
    }
    let (status, body, asked, _) = asks(proven(), (Role::Patient, Some(NUMBER)), &form, Ok(told())).await;
    assert_eq!((status, asked), (StatusCode::OK, 1));
    assert!(body.contains("\"who\":\"Chidi Nwosu\"") && body.contains("\"complete\":true"), "{body}");
    let (status, _, asked, _) = asks(Callers::Believed, (Role::Demo, None), &form, Ok(told())).await;
    assert_eq!((status, asked), (StatusCode::OK, 1), "a demo believes its callers");
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_in_words() {
    let patient = (Role::Patient, Some(NUMBER));
    for (body, wanted) in [
        ("", StatusCode::BAD_REQUEST),
        ("nhs=9990000108", StatusCode::BAD_REQUEST),
        ("nhs=9990000107&since=yesterday", StatusCode::BAD_REQUEST),
        ("nhs=9990000107&since=2026-01-01&since=2026-01-02", StatusCode::BAD_REQUEST),
        ("nhs=9990000107&since=2026-01-01&until=2026-01-02T00:00:00Z", StatusCode::OK),
    ] {
        let (status, told, ..) = asks(proven(), patient, body, Ok(told())).await;
        assert_eq!(status, wanted, "{body} {told}");
    }
    for (why, wanted) in [
        (NotLooked::Busy, StatusCode::SERVICE_UNAVAILABLE),
        (NotLooked::Unrecorded, StatusCode::SERVICE_UNAVAILABLE),
        (NotLooked::Unreadable, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let (status, told, ..) = asks(proven(), patient, "nhs=9990000107", Err(why)).await;
        assert_eq!(status, wanted);
        assert!(told.contains("OperationOutcome") && !told.contains(NUMBER), "{told}");
    }
}
