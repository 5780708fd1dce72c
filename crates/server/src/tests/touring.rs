//! The tour of a demo: there where one is handed in, and nowhere else.

use std::pin::Pin;

use tributary_model::{NhsNumber, Role};

use super::bench::{FakeDesk, Say, edge, read, request, send, settings};
use crate::settings::Settings;
use crate::tour::{Guide, Tour, TourAsk, TourReply};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

struct Stub;

impl Guide for Stub {
    fn tell(&self, ask: TourAsk) -> Pin<Box<dyn Future<Output = TourReply> + Send>> {
        Box::pin(async move {
            match (ask.step.as_str(), ask.form) {
                ("", None) => TourReply::Page("<main>five people</main>".to_owned()),
                ("tour.css", None) => TourReply::Style("a {}"),
                ("unplug", Some(_)) => TourReply::Record,
                _ => TourReply::Unknown,
            }
        })
    }

    fn role_of(&self, _patient: NhsNumber) -> Option<Role> {
        Some(Role::Ambulance)
    }

    fn bar(&self, _patient: NhsNumber, role: Role) -> String {
        format!("<aside>bar for {}</aside>", role.code())
    }
}

fn touring() -> Settings {
    Settings { tour: Some(Tour::led_by(Stub)), ..settings() }
}

#[tokio::test]
async fn without_a_tour_there_is_no_such_page_and_no_role_is_believed() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, settings());
    for (method, path, form) in
        [("GET", "/demo", ""), ("GET", "/demo/ops", ""), ("POST", "/demo/unplug", "source=gp")]
    {
        let (status, _) = read(send(&edge, request(method, path, &[FORM], form)).await).await;
        assert_eq!(status, 404, "{method} {path}");
    }
    let form = "nhs=9990000107&role=ambulance";
    let (status, body) = read(send(&edge, request("POST", "/record", &[FORM], form)).await).await;
    assert_eq!(status, 200);
    assert!(!body.contains("<aside>"));
    assert_eq!(desk.asked.lock().unwrap()[0].requester.role, Role::Demo);
}

#[tokio::test]
async fn in_a_tour_the_form_says_in_which_role() {
    let desk = FakeDesk::new(Say::Record);
    let edge = edge(&desk, touring());
    let cases = [("", Role::Demo), ("&role=", Role::Ambulance), ("&role=home-carer", Role::HomeCarer)];
    for (field, role) in cases {
        let form = format!("nhs=9990000107{field}");
        let (status, body) = read(send(&edge, request("POST", "/record", &[FORM], &form)).await).await;
        assert_eq!(status, 200, "{field}");
        assert_eq!(desk.asked.lock().unwrap().last().unwrap().requester.role, role);
        assert!(body.contains(&format!("<aside>bar for {}</aside><main", role.code())), "{body}");
    }
    let form = "nhs=9990000107&role=surgeon";
    let (status, _) = read(send(&edge, request("POST", "/record", &[FORM], form)).await).await;
    assert_eq!((status, desk.asked.lock().unwrap().len()), (400.try_into().unwrap(), cases.len()));
}

#[tokio::test]
async fn steps_lead_on_and_other_sites_cannot_take_them() {
    let edge = edge(&FakeDesk::new(Say::Record), touring());
    let (status, body) = read(send(&edge, request("GET", "/demo", &[], "")).await).await;
    assert!(status == 200 && body.contains("five people"));
    let reply = send(&edge, request("GET", "/demo/tour.css", &[], "")).await;
    assert_eq!(reply.headers()["content-type"], "text/css; charset=utf-8");
    assert_eq!(reply.headers()["cache-control"], "public, max-age=600", "no record waits for it twice");
    let reply = send(&edge, request("POST", "/demo/unplug", &[FORM], "nhs=9990000107")).await;
    assert_eq!((reply.status().as_u16(), reply.headers()["location"].to_str().unwrap()), (307, "/record"));
    let other = [FORM, ("sec-fetch-site", "cross-site")];
    let reply = send(&edge, request("POST", "/demo/unplug", &other, "nhs=9990000107")).await;
    assert_eq!(reply.status(), 403);
    let reply = send(&edge, request("GET", "/demo/unplug", &[], "")).await;
    assert_eq!(reply.status(), 404);
}
