//! One swap: what goes on from before, what comes after, and what neither changes.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use mock_providers::Fault;
use tributary_tests::bundle::Merged;
use tributary_tests::{GEORGE, http, parameters};

use crate::scene::{Outcome, Scene, eventually, name, numbers};

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_removed_still_answers_who_asked_it() {
    let scene = Scene::set().await;
    let acute = scene.federation.provider("acute-a").unwrap();
    acute.set_delay(Duration::from_millis(900));
    let (data, first) = (scene.broker.data, name(&scene.text(0)));
    let asked = tokio::spawn(async move { crate::scene::ask(data).await });
    eventually("an ask", async || acute.ask_count() > 0).await;
    let without = without_the_first(&scene.text(1));
    assert_eq!(scene.reload(&without).await, Outcome::Applied);
    let asks = acute.ask_count();
    let after = scene.record().await;
    assert!(!asked.is_finished(), "the first still waits");
    assert_eq!(after.header("Tributary-Config"), Some(name(&without).as_str()));
    assert_eq!(after.header("Tributary-Sources"), Some("1/1"), "{}", after.body);
    let before = asked.await.unwrap();
    assert_eq!(before.header("Tributary-Config"), Some(first.as_str()));
    assert_eq!(before.header("Tributary-Sources"), Some("2/2"), "{}", before.body);
    assert!(numbers(&before.body).iter().all(|number| *number == 0));
    assert!(acute.ask_count() >= asks, "the first went on asking");
    // Who is registered is told by the new one alone.
    let sources = http::get(data, "/sources").await.body;
    assert!(sources.contains("specialist") && !sources.contains("acute-a"), "{sources}");
    scene.end().await;
}

/// A configuration's text without its first source.
fn without_the_first(text: &str) -> String {
    let (head, rest) = text.split_once("[[source]]\n").unwrap();
    format!("{head}[[source]]\n{}", rest.split_once("[[source]]\n").unwrap().1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_added_shows_its_limit() {
    let scene = Scene::set().await;
    let with_a_newcomer = scene.text(1).replacen("id = \"acute-a\"", "id = \"newcomer\"", 1);
    assert_eq!(scene.reload(&with_a_newcomer).await, Outcome::Applied);
    let metrics = http::get(scene.broker.admin, "/metrics").await.body;
    let limit = metrics.lines().find(|line| line.starts_with("tributary_source_limit{source=\"newcomer\"}"));
    let limit: f64 = limit.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(limit >= 1.0, "{metrics}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_signals_in_a_row_the_last_file_counts() {
    let scene = Scene::set().await;
    for number in 1..=20 {
        scene.ask_for(&scene.text(number));
    }
    let last = name(&scene.text(20));
    eventually("the last file", async || {
        scene.record().await.header("Tributary-Config") == Some(last.as_str())
    })
    .await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_switched_off_stays_off() {
    let scene = Scene::set().await;
    let acute = scene.federation.provider("acute-a").unwrap();
    acute.set_fault(Fault::WrongPatient);
    for number in 1..=3 {
        let statuses = Merged::of(scene.record().await.json()).statuses();
        assert_eq!(statuses["acute-a"], "identity-mismatch");
        // Proven mix-ups are counted over configurations, too.
        assert_eq!(scene.reload(&scene.text(number)).await, Outcome::Applied);
    }
    acute.clear_fault().unwrap();
    let asks = acute.ask_count();
    for number in 4..=5 {
        let statuses = Merged::of(scene.record().await.json()).statuses();
        assert_ne!(statuses["acute-a"], "ok", "{statuses:?}");
        assert_eq!(statuses["specialist"].get(..2), Some("ok"), "{statuses:?}");
        assert_eq!(scene.reload(&scene.text(number)).await, Outcome::Applied);
    }
    assert_eq!(acute.ask_count(), asks, "nobody asked it");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_under_one_configuration_is_not_used_under_the_next() {
    let scene = Scene::set().await;
    let acute = scene.federation.provider("acute-a").unwrap();
    let status = async || Merged::of(scene.record().await.json()).statuses()["acute-a"].clone();
    assert_eq!(status().await, "ok");
    assert_eq!(status().await, "ok-cached");
    let asks = acute.ask_count();
    assert_eq!(scene.reload(&scene.text(1)).await, Outcome::Applied);
    assert_eq!(status().await, "ok");
    assert!(acute.ask_count() > asks);
    let sources = http::get(scene.broker.admin, "/sources").await.json();
    // When it last answered, and that nothing is at it, is known all the same.
    assert_eq!(scene.reload(&scene.text(2)).await, Outcome::Applied);
    let after = http::get(scene.broker.admin, "/sources").await.json();
    for key in ["lastAnswered", "inFlight"] {
        assert!(!after["sources"][0][key].is_null(), "{after}");
        assert_eq!(sources["sources"][0][key], after["sources"][0][key], "{key}");
    }
    scene.end().await;
}

/// The path of the first address that a record gives out.
fn given_out(body: &str) -> String {
    let (_, link) = body.split_once("/fhir/R4/Binary/").unwrap();
    let link: String = link.chars().take_while(|one| *one != '"').collect();
    format!("/fhir/R4/Binary/{link}")
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_end_with_the_key_that_sealed_them_and_not_before() {
    let scene = Scene::set().await;
    let all = |number: u32| scene.text(number).replace("sections = [\"allergies\"]\n", "");
    assert_eq!(scene.reload(&all(1)).await, Outcome::Applied);
    let whole = parameters(GEORGE, &[]);
    let path = "/fhir/R4/Patient/$record";
    let record = http::post(scene.broker.data, path, "application/fhir+json", &whole, &[]).await;
    let link = given_out(&record.body);
    for number in 2..=3 {
        assert_eq!(http::get(scene.broker.data, &link).await.status, 200, "{number}");
        assert_eq!(scene.reload(&all(number)).await, Outcome::Applied);
    }
    let key = scene.dir.path().join("link.key");
    std::fs::write(&key, [7; 32]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let keyed = all(4).replacen("[server]\n", "[server]\nlink_key_file = \"link.key\"\n", 1);
    assert_eq!(scene.reload(&keyed).await, Outcome::Applied);
    assert_eq!(http::get(scene.broker.data, &link).await.status, 404);
    scene.end().await;
}
