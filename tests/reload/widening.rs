//! A reload that lets somebody see more waits for whoever signs for it (K03).

use crate::scene::{Outcome, Scene, name};

const SHIPPED: &str = tributary::policy::SHIPPED;

#[tokio::test(flavor = "multi_thread")]
async fn who_would_see_more_waits_for_a_signature() {
    let scene = Scene::set().await;
    let write = |text: &str| std::fs::write(scene.dir.path().join("mine.toml"), text).unwrap();
    let with =
        |number: u32, keys: &str| format!("{}[policy]\nfile = \"mine.toml\"\n{keys}", scene.text(number));
    // Less for somebody: no signature.
    let narrow = SHIPPED.replacen(
        "roles = [\"pharmacist\", \"care-manager\", \"social-worker\"]",
        "roles = [\"care-manager\"]",
        1,
    );
    assert_ne!(narrow, SHIPPED);
    write(&narrow);
    assert_eq!(scene.reload(&with(1, "")).await, Outcome::Applied);
    let in_force = name(&with(1, ""));
    // And back again: more for somebody.
    write(SHIPPED);
    assert_eq!(scene.reload(&with(2, "")).await, Outcome::Rejected);
    let reply = scene.record().await;
    assert_eq!(reply.header("Tributary-Config"), Some(in_force.as_str()), "{}", reply.body);
    let log = scene.broker.log_text();
    let (_, hash) = log.rsplit_once("[policy] approved = ").unwrap();
    let hash: String = hash.chars().filter(char::is_ascii_hexdigit).take(64).collect();
    // Another signature is none.
    let other = with(2, &format!("approved = \"{}\"\n", "0".repeat(64)));
    assert_eq!(scene.reload(&other).await, Outcome::Rejected);
    let signed = with(3, &format!("approved = \"{hash}\"\n"));
    assert_eq!(scene.reload(&signed).await, Outcome::Applied, "{}", scene.broker.log_text());
    // It was for that and for nothing else.
    let wider =
        SHIPPED.replacen("purposes = [\"patientaccess\"]", "purposes = [\"patientaccess\", \"audit\"]", 1);
    write(&wider);
    assert_eq!(scene.reload(&with(4, &format!("approved = \"{hash}\"\n"))).await, Outcome::Rejected);
    scene.end().await;
}
