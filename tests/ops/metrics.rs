//! The page of metrics of a live broker.

use mock_providers::Fault;
use tributary_telemetry::catalogue;
use tributary_tests::{Plan, http};

use crate::scene::{Scene, text, value};

/// What a broker on loopback without callers' certificates does not count, and why.
const NOT_HERE: &[(&str, &str)] = &[
    ("tributary_crl_this_update_timestamp_seconds", "no revocation list is configured"),
    ("tributary_crl_next_update_timestamp_seconds", "no revocation list is configured"),
    ("tributary_jwks_fetched_timestamp_seconds", "no issuer is configured"),
    ("tributary_certificate_expiry_timestamp_seconds", "nothing is spoken over TLS"),
    ("tributary_logins_total", "a demo believes everybody"),
];

/// The names of contract 6, with what was there before.
const CONTRACT: &[&str] = &[
    "tributary_http_requests_total",
    "tributary_http_request_duration_seconds",
    "tributary_record_completeness_total",
    "tributary_source_asks_total",
    "tributary_source_duration_seconds",
    "tributary_source_breaker_state",
    "tributary_source_inflight",
    "tributary_cache_lookups_total",
    "tributary_cache_bytes",
    "tributary_merge_duration_seconds",
    "tributary_merge_discrepancies_total",
    "tributary_quarantined_total",
    "tributary_audit_records_total",
    "tributary_audit_append_duration_seconds",
    "tributary_audit_failures_total",
    "tributary_policy_decisions_total",
    "tributary_shed_total",
    "tributary_certificate_expiry_timestamp_seconds",
    "tributary_build_info",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_on_the_page_of_a_live_broker() {
    let scene = Scene::set(Plan::default(), |dir, usual| {
        let export = format!(
            "[audit.export]\nfile = \"{0}/events.ndjson\"\nstate_dir = \"{0}/state\"\n[maps]",
            dir.display()
        );
        usual.replace("[maps]", &export)
    })
    .await;
    assert_eq!(scene.record(&[]).await.status, 200);
    let page = scene.metrics().await;
    let missing: Vec<_> = catalogue()
        .iter()
        .map(|fact| fact.name)
        .filter(|name| !page.contains(&format!("# TYPE {name} ")))
        .filter(|name| !NOT_HERE.iter().any(|(absent, _)| absent == name))
        .collect();
    assert_eq!(missing, [""; 0]);
    for name in CONTRACT {
        assert!(catalogue().iter().any(|fact| fact.name == *name), "{name}");
    }
    for (name, why) in NOT_HERE {
        assert!(!page.contains(&format!("# TYPE {name} ")), "{name} is there, although {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_gaps_are_counted() {
    let plan = Plan { source_keys: "timeout_ms = 500", ..Plan::default() };
    let scene = Scene::set(plan, |_, usual| usual).await;
    scene.federation.provider("gp").unwrap().set_fault(Fault::status(500));
    scene.federation.provider("acute-a").unwrap().set_fault(Fault::WrongPatient);
    assert_eq!(scene.record(&[]).await.status, 200);
    let page = scene.metrics().await;
    let count = |series: &str| value(&page, series).unwrap_or_else(|| panic!("{series}\n{page}"));
    assert!(count("tributary_record_budget_use_ratio_count") >= 1.0);
    let of = |section: &str, state: &str| {
        count(&format!("tributary_record_sections_total{{section=\"{section}\",state=\"{state}\"}}"))
    };
    // The plans of the GP are missing, and those of the hospital; the others' are there.
    assert_eq!((of("plans", "partial") + of("plans", "failed"), of("plans", "content")), (1.0, 0.0));
    for (source, class, expected) in
        [("gp", "missing", 1.0), ("acute-a", "missing", 1.0), ("walkin", "missing", 0.0)]
    {
        let series = format!("tributary_record_incomplete_total{{class=\"{class}\",source=\"{source}\"}}");
        assert_eq!(count(&series), expected, "{series}");
    }
    let reasons = ["identity_number", "identity_demographics", "identity_mixed"].map(|reason| {
        count(&format!("tributary_quarantined_total{{reason=\"{reason}\",source=\"acute-a\"}}"))
    });
    assert_eq!(reasons.iter().sum::<f64>(), 1.0, "{reasons:?}");
    assert!(count("tributary_source_last_answer_timestamp_seconds{source=\"walkin\"}") > 1.7e9);
    assert_eq!(count("tributary_source_last_answer_timestamp_seconds{source=\"gp\"}"), 0.0);
    assert!(count("tributary_merge_statements_total{copy=\"original\"}") >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_from_a_role_is_counted_by_section() {
    let scene = Scene::set(Plan::default(), |_, usual| {
        usual.replace("insecure = true\n", "insecure = true\nrole = \"care-manager\"\n")
    })
    .await;
    scene.record(&[]).await;
    let page = scene.metrics().await;
    let removed = page.lines().filter(|line| line.starts_with("tributary_policy_removals_total"));
    let some: Vec<_> = removed.filter(|line| !line.ends_with(" 0")).collect();
    assert!(!some.is_empty(), "{page}");
    assert!(some.iter().all(|line| !line.contains("section=\"allergies\",extent=\"whole\"")), "{some:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_label_is_from_a_closed_set_or_the_configuration() {
    let scene = Scene::usual().await;
    scene.record(&[("traceparent", "nonsense")]).await;
    http::send(scene.broker.data, "BREW", "/9990000107", "", &[]).await;
    let page = scene.metrics().await;
    let known: Vec<&str> = catalogue().iter().flat_map(|fact| fact.labels).copied().collect();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, labels)) = line.split_once('{') else { continue };
        for pair in labels.split("\",").filter_map(|pair| pair.split_once("=\"")) {
            let (name, value) = (pair.0, pair.1.split('"').next().unwrap_or_default());
            assert!(known.contains(&name) || name == "le", "{line}");
            assert!(value.len() <= 128 && !value.contains("9990000107"), "{line}");
        }
    }
    assert_eq!(value(&page, "tributary_trace_contexts_total{outcome=\"refused\"}"), Some(1.0));
}

#[test]
fn the_page_of_metrics_is_described() {
    // Each name of the catalogue is told to operators where they look for it.
    let page = text("deploy/prometheus/README.md");
    for fact in catalogue() {
        assert!(
            page.contains(&format!("`{}`", fact.name)),
            "{} is not in deploy/prometheus/README.md",
            fact.name
        );
    }
}
