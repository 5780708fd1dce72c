//! `tributary doctor`, as a process, against mock sources and national services in every state of health.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may stop where it stands")]

use std::collections::BTreeMap;

use mock_providers::{ErrorBody, Fault, Jwks, Lifetime, PdsFault, Registration, SdsFault, TokenFault};
use serde_json::Value;
use tributary_tests::national::{National, Practices, STRUCTURED};
use tributary_tests::process;

/// Runs the doctor; gives its exit code and what it prints.
async fn run(national: &National, configuration: &str, more: &'static [&'static str]) -> (i32, String) {
    let config = national.dir.path().join("tributary.toml");
    std::fs::write(&config, configuration).expect("configuration written");
    let config = config.display().to_string();
    let run = tokio::task::spawn_blocking(move || {
        let arguments = ["doctor", "--config", config.as_str()];
        process::run(&[arguments.as_slice(), more].concat())
    });
    let (code, out, err) = run.await.expect("it runs");
    (code, format!("{out}{err}"))
}

/// Its exit code, and by `subject step` the state and owner of each step.
async fn steps(national: &National) -> (i32, BTreeMap<String, String>) {
    let (code, out) = run(national, &national.configuration(""), &["--json"]).await;
    let all: Vec<Value> = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    let word = |step: &Value, key: &str| step[key].as_str().unwrap_or("-").to_owned();
    let row = |step: &Value| {
        let name = format!("{} {}", word(step, "subject"), word(step, "step"));
        (name, format!("{} {}", word(step, "state"), word(step, "owner")))
    };
    (code, all.iter().map(row).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_federation_is_all_fine_and_nobody_is_asked_about() {
    let national = National::start(Practices::Registered).await;
    let (code, steps) = steps(&national).await;
    assert_eq!(code, 0, "{steps:#?}");
    assert!(steps.values().all(|step| ["ok -", "skipped -"].contains(&step.as_str())), "{steps:#?}");
    for name in [
        "oauth token",
        "pds connection",
        "pds read",
        "sds connection",
        "sds key",
        "gp connection",
        "gp metadata",
        "gp directory",
        "acute-a metadata",
        "community metadata",
    ] {
        assert_eq!(steps.get(name).map(String::as_str), Some("ok -"), "{name}");
    }
    let asks = national.federation.providers().iter().flat_map(mock_providers::ProviderHandle::asks);
    assert!(asks.into_iter().all(|ask| ask.path.ends_with("/metadata") && ask.nhs_number.is_none()));
    let (code, text) = run(&national, &national.configuration(""), &[]).await;
    assert_eq!(code, 0);
    assert!(text.ends_with("all fine\n"), "{text}");
    assert!(text.contains("ok       gp          metadata     says what it can do"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_source_is_told_with_its_owner() {
    let national = National::start(Practices::Registered).await;
    let provider = |id: &str| national.federation.provider(id).expect("a source");
    let status = |status: u16| Fault::Status {
        status,
        body: ErrorBody::default(),
        spine_code: None,
        retry_after_secs: None,
    };
    provider("gp").set_fault(status(403));
    provider("acute-a").set_fault(Fault::Refuse);
    provider("specialist").set_fault(status(404));
    provider("walkin").set_fault(status(500));
    provider("community").set_fault(status(401));
    let (code, steps) = steps(&national).await;
    assert_eq!(code, 1);
    for (name, step) in [
        ("gp metadata", "failed onboarding"),
        ("acute-a connection", "failed network"),
        ("specialist metadata", "failed us"),
        ("walkin metadata", "failed supplier"),
        ("community metadata", "failed supplier"),
        ("oauth token", "ok -"),
    ] {
        assert_eq!(steps.get(name).map(String::as_str), Some(step), "{name}: {steps:#?}");
    }
    let (code, text) = run(&national, &national.configuration(""), &["--source", "acute-a"]).await;
    assert_eq!(code, 1);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("to mend it: the network team"), "{text}");
    assert_eq!(run(&national, &national.configuration(""), &["--source", "nobody"]).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_token_is_told_with_its_owner() {
    let cases = [
        (None, Some(Jwks::NotRegistered), "failed onboarding"),
        (None, Some(Jwks::Published(Vec::new())), "failed us"),
        (Some(TokenFault::NotSubscribed), None, "failed onboarding"),
        (Some(TokenFault::InvalidClient), None, "failed onboarding"),
        (Some(TokenFault::UnknownError), None, "failed service-desk"),
    ];
    for (fault, jwks, step) in cases {
        let national = National::start(Practices::Registered).await;
        if let Some(fault) = fault {
            national.token.set_fault(fault, Lifetime::Standing);
        }
        if let Some(jwks) = jwks {
            national.token.set_jwks("api-key-1", jwks);
        }
        let (code, steps) = steps(&national).await;
        assert_eq!((code, steps["oauth token"].as_str()), (1, step), "{fault:?} {steps:#?}");
        assert_eq!(steps["pds connection"], "skipped -");
    }
    let national = National::start(Practices::Registered).await;
    national.token.provider().stop();
    assert_eq!(steps(&national).await.1["oauth token"], "failed network");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_national_service_is_told_with_its_owner() {
    let national = National::start(Practices::Registered).await;
    national.pds.set_fault(PdsFault::AccessDenied, Lifetime::Standing);
    national.sds.set_fault(SdsFault::Nothing, Lifetime::Standing);
    let (code, found) = steps(&national).await;
    assert_eq!(code, 1);
    assert_eq!(found["pds read"], "failed onboarding");
    assert_eq!(found["gp directory"], "failed supplier");
    national.sds.clear_fault().expect("sds again");
    national.pds.set_fault(PdsFault::Page, Lifetime::Standing);
    national.sds.unregister("200000000205");
    let moved =
        Registration::new("A99901", "200000000205").answers(STRUCTURED, "http://127.0.0.1:9/elsewhere");
    national.sds.register(moved);
    let (_, found) = steps(&national).await;
    assert_eq!(found["pds read"], "failed service-desk");
    assert_eq!(found["gp directory"], "failed us");
    let text = national.configuration("").replace("sds-key\"", "other-key\"");
    let other = national.dir.path().join("other-key");
    std::fs::copy(national.dir.path().join("sds-key"), &other).expect("a copy");
    std::fs::write(&other, "other").expect("a key");
    let (code, text) = run(&national, &text, &[]).await;
    assert_eq!(code, 1);
    assert!(text.contains("refuses our API key; to mend it: NHS England onboarding"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_others_can_read_stops_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let national = National::start(Practices::Registered).await;
    let text = national.configuration("");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(national.dir.path().join("key.der"), open).expect("a mode");
    let (code, text) = run(&national, &text, &[]).await;
    assert_eq!(code, 1);
    assert!(text.contains("oauth.key_file: ") && text.contains("chmod 600 it"), "{text}");
    assert!(national.token.asks().is_empty());
}
