//! Certificates, over real handshakes: C11 to C15.

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::ExtendedKeyUsagePurpose;
use tributary_tests::http;
use tributary_tests::tls::Authority;

use crate::pki::{Callers, Shown, Wants};
use crate::scene::{Line, Plan, Scene};

const HOUR: i64 = 3_600;

/// What becomes of a request that is proven by a good token: its status, or nothing where nobody spoke HTTP.
async fn asked(scene: &Scene, shown: Option<&Shown>, token: &str) -> Option<u16> {
    // In TLS 1.3 a caller learns of its refusal with the first answer.
    let mut line = scene.connect(shown).await.ok()?;
    line.ask("/sources", &[("Authorization", token)]).await.ok().map(|answer| answer.status)
}

/// The same for a certificate, with a token that is bound to it.
async fn shows(scene: &Scene, shown: &Shown) -> Option<u16> {
    asked(scene, Some(shown), &scene.bearer(shown)).await
}

#[tokio::test]
async fn every_certificate_ends_as_it_should() {
    let scene = Scene::set(&Plan { revoked: vec![13], ..Plan::default() }).await;
    let usual = Wants::default();
    let none = Wants { uris: Vec::new(), ..usual.clone() };
    let server_only = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let rows = [
        ("valid", usual.clone(), Some(200)),
        (
            "valid, with another name besides",
            Wants { hosts: vec!["x.example.test"], ..usual.clone() },
            Some(200),
        ),
        ("C12 expired", Wants { years: (2019, 2020), ..usual.clone() }, None),
        ("not yet", Wants { years: (2098, 2099), ..usual.clone() }, None),
        ("C13 revoked", Wants { serial: 13, ..usual.clone() }, None),
        ("no purpose", Wants { purposes: Vec::new(), ..usual.clone() }, None),
        ("for servers", Wants { purposes: server_only, ..usual.clone() }, None),
        ("C15 unknown name", Wants { uris: vec!["urn:x-caller:nobody"], ..usual.clone() }, Some(403)),
        ("no name", none.clone(), Some(403)),
        ("the name and more", Wants { uris: vec!["urn:x-caller:epr2"], ..usual.clone() }, Some(403)),
        ("the name in large letters", Wants { uris: vec!["URN:x-caller:epr"], ..usual.clone() }, Some(403)),
        ("the name as a host", Wants { hosts: vec!["urn.x-caller.epr"], ..none.clone() }, Some(403)),
        (
            "names of two",
            Wants { uris: vec!["urn:x-caller:epr", "urn:x-caller:other"], ..usual.clone() },
            Some(403),
        ),
        ("a wildcard", Wants { hosts: vec!["*.example.test"], ..none.clone() }, Some(403)),
        ("a common name that will do", Wants { common: Some("common caller"), ..none.clone() }, Some(200)),
        (
            "a common name that is registered as another",
            Wants { common: Some("urn:x-caller:epr"), ..none.clone() },
            Some(403),
        ),
        (
            "a common name beside a name",
            Wants { common: Some("common caller"), hosts: vec!["x.example.test"], ..none },
            Some(403),
        ),
        (
            "another key than is pinned",
            Wants { uris: vec!["urn:x-caller:pinned"], ..usual.clone() },
            Some(403),
        ),
        ("not for this listener", Wants { uris: vec!["urn:x-caller:relay"], ..usual.clone() }, Some(403)),
        // Its issuer is known to it, its organisation is not the one in the token.
        ("another caller", Wants { uris: vec!["urn:x-caller:other"], ..usual.clone() }, Some(403)),
    ];
    for (name, wants, expected) in rows {
        assert_eq!(shows(&scene, &scene.callers.issue(&wants)).await, expected, "{name}");
    }
    let token = scene.bearer(&scene.usual());
    assert_eq!(asked(&scene, None, &token).await, None, "C11 none");
    assert_eq!(shows(&scene, &Callers::new().issue(&usual)).await, None, "C14 another authority");
    let own = scene.ours.issue("localhost", 9, tributary_tests::tls::Validity::Present);
    let own = Shown { issued: own, ..scene.usual() };
    assert_eq!(shows(&scene, &own).await, None, "our own authority is none for callers");
    let metrics = http::get(scene.running.admin_addr(), "/metrics").await.body;
    assert!(metrics.contains("tributary_tls_handshake_failures_total{listener=\"data\"} 8\n"), "{metrics}");
    let forbidden = scene.security_records().await;
    assert_eq!(forbidden.iter().filter(|kind| *kind == "caller-refused").count(), 12, "{forbidden:?}");
}

#[tokio::test]
async fn a_key_that_is_pinned_lets_in() {
    let scene = Scene::set(&Plan::default()).await;
    let shown = scene.callers.issue(&Wants { uris: vec!["urn:x-caller:pinned"], ..Wants::default() });
    assert_eq!(shows(&scene, &shown).await, Some(403));
    let pin = shown.spki_sha256.iter().fold(String::new(), |pin, byte| pin + &format!("{byte:02x}"));
    let (mut scene, file) = (scene, "tributary.toml");
    let file = scene.dir.path().join(file);
    let text = std::fs::read_to_string(&file).unwrap();
    let old = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    std::fs::write(&file, text.replace(old, &pin)).unwrap();
    scene.running.reload(&file).await.unwrap();
    assert_eq!(shows(&scene, &shown).await, Some(200));
}

#[tokio::test]
async fn a_list_that_is_too_old_lets_nobody_in() {
    for (next_secs, expected) in [(HOUR, Some(200)), (-23 * HOUR, Some(200)), (-25 * HOUR, None)] {
        let scene = Scene::set(&Plan { next_secs, ..Plan::default() }).await;
        assert_eq!(shows(&scene, &scene.usual()).await, expected, "{next_secs}");
        let metrics = http::get(scene.running.admin_addr(), "/metrics").await.body;
        for name in ["this", "next"] {
            let name = format!("tributary_crl_{name}_update_timestamp_seconds{{listener=\"gpconnect\"}} 1");
            assert!(metrics.contains(&name), "{metrics}");
        }
    }
}

#[tokio::test]
async fn a_list_of_another_authority_says_nothing() {
    let scene = Scene::set(&Plan::default()).await;
    let other = Callers::new();
    // Both authorities are believed; only one has a list.
    let both = format!("{}{}", scene.callers.pem(), other.pem());
    std::fs::write(scene.dir.path().join("callers.pem"), both).unwrap();
    let (mut scene, file) = (scene, "tributary.toml");
    let file = scene.dir.path().join(file);
    scene.running.reload(&file).await.unwrap();
    assert_eq!(shows(&scene, &scene.usual()).await, Some(200));
    assert_eq!(
        shows(&scene, &other.issue(&Wants::default())).await,
        None,
        "nobody knows whether it was called back"
    );
}

#[tokio::test]
async fn a_caller_who_believes_another_authority_ends_the_handshake() {
    let scene = Scene::set(&Plan::default()).await;
    let opened = Line::open(&Authority::new(), scene.running.data_addr(), Some(&scene.usual())).await;
    assert!(opened.is_err());
}

#[tokio::test]
async fn the_certificate_is_known_to_every_request_of_a_connection_of_http_2() {
    let scene = Scene::set(&Plan::default()).await;
    let shown = scene.usual();
    let opened = scene.ours.connect(scene.running.data_addr(), &["h2"], Some(&shown.issued)).await.unwrap();
    let (mut asking, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(opened)).await.unwrap();
    let running = tokio::spawn(connection);
    for (token, status) in [(Some(scene.bearer(&shown)), 200), (None, 401), (Some(scene.bearer(&shown)), 200)]
    {
        let mut request = hyper::Request::get("https://localhost/sources");
        if let Some(token) = &token {
            request = request.header("Authorization", token);
        }
        let answer = asking.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    running.abort();
}
