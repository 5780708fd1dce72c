//! The page an operator's tools read.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tributary_model::{Completeness, FaultClass, MemoryBudget, Priority, SourceId, SourceKind, SourceStatus};
use tributary_telemetry::{
    BreakerState, CacheOutcome, LaunchOutcome, Listener, MapState, MetricKind, Metrics, PolicyOutcome,
    ReloadOutcome, ShedReason, catalogue,
};

fn sources() -> [(SourceId, SourceKind); 2] {
    [
        (SourceId::parse("gp-a99901").unwrap(), SourceKind::Gp),
        (SourceId::parse("acute-rx1").unwrap(), SourceKind::Acute),
    ]
}

fn used() -> Metrics {
    let metrics = Metrics::new(&sources()).unwrap();
    let [(source, _), _] = sources();
    metrics.http_request("/fhir/R4/Patient/$record", "POST", 200, 0.2);
    metrics.record_answered(Completeness::Partial);
    let of_source = metrics.sources();
    of_source.asked(&source, SourceStatus::Timeout, Some(FaultClass::NoHead), 3.0);
    of_source.failed(&source, FaultClass::NoHead);
    of_source.quarantined(&source, FaultClass::IdentityNumber);
    of_source.stood_in_a_record(&source, SourceStatus::Timeout);
    of_source.answered(&source, 1_700_000_000);
    of_source.maintenance(&[(source.clone(), 1_700_000_000, 1_700_003_600)]);
    of_source.breaker(&source, BreakerState::Shut);
    of_source.limit(&source, 8);
    drop(of_source.waiting(&source));
    of_source.retried(&source);
    metrics.cache_lookup(CacheOutcome::Miss);
    metrics.cache_bytes(17);
    metrics.merged(0.001);
    metrics.discrepancy("allergy-conflict");
    metrics.audit_record("disclosure", 0.002);
    metrics.audit_failure();
    metrics.audit_export().begin("repository");
    metrics.policy_decision(PolicyOutcome::Deny);
    metrics.login("proven");
    metrics.launch(LaunchOutcome::Opened);
    metrics.handshake_failed(Listener::GpConnect);
    metrics.revocation_lists(&[(Listener::Data, 1_700_000_000, 1_800_000_000)]);
    metrics.keys_fetched("cis2", 1_700_000_000);
    metrics.shed(ShedReason::Requests);
    drop((metrics.connected(Listener::Data), metrics.admitted(Priority::Urgent)));
    metrics.admission_limit(64);
    metrics.executor_lag(0.001);
    metrics.memory(&MemoryBudget::new(1 << 20));
    metrics.reloaded(ReloadOutcome::Rejected);
    metrics.certificates_end(&[("server.tls".to_owned(), 1_800_000_000)]);
    metrics.sandboxed(&[("files", true)]);
    metrics.anomaly("many-patients");
    metrics.panicked();
    metrics.map_loaded("read-to-snomed", MapState::Loaded, 7);
    metrics
}

#[test]
fn every_catalogued_metric_is_rendered_with_its_help_and_kind() {
    let page = used().render();
    for fact in catalogue() {
        let kind = match fact.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram | MetricKind::Share => "histogram",
        };
        let (name, help) = (fact.name, fact.help);
        assert!(page.contains(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")), "{name}");
    }
    let rendered = page.lines().filter(|line| line.starts_with("# TYPE")).count();
    assert_eq!(rendered, catalogue().len());
}

#[test]
fn names_follow_the_convention() {
    for fact in catalogue() {
        assert!(fact.name.starts_with("tributary_"), "{}", fact.name);
        assert_eq!(fact.name.ends_with("_total"), fact.kind == MetricKind::Counter, "{}", fact.name);
        // A moment is told in seconds too, and how long ago it was.
        assert_eq!(fact.name.ends_with("_ratio"), fact.kind == MetricKind::Share, "{}", fact.name);
        let is_other = ["_timestamp_seconds", "_age_seconds"].iter().any(|end| fact.name.ends_with(end));
        let is_length = fact.name.ends_with("_seconds") && !is_other;
        assert_eq!(is_length, fact.kind == MetricKind::Histogram, "{}", fact.name);
    }
}

#[test]
fn every_source_has_every_status_from_the_start() {
    let page = Metrics::new(&sources()).unwrap().render();
    for (source, kind) in sources() {
        for status in SourceStatus::ALL {
            let (kind, status) = (kind.code(), status.code());
            let series = format!(
                r#"tributary_source_asks_total{{kind="{kind}",source="{source}",status="{status}"}} 0"#
            );
            assert!(page.contains(&series), "{series}");
        }
        for class in FaultClass::ALL {
            let class = class.code();
            let series = format!(r#"tributary_source_faults_total{{class="{class}",source="{source}"}} 0"#);
            assert!(page.contains(&series), "{series}");
        }
    }
}

#[test]
fn a_source_that_is_registered_later_is_counted() {
    let metrics = Metrics::new(&[]).unwrap();
    let [(source, kind), _] = sources();
    metrics.sources().register(&[(source.clone(), kind)]);
    metrics.sources().breaker(&source, BreakerState::Shut);
    assert!(metrics.render().contains(r#"tributary_source_breaker_state{source="gp-a99901"} 2"#));
}

#[test]
fn thousands_of_sources_are_not_thousands_of_zeros() {
    let many: Vec<_> =
        (0..7000).map(|n| (SourceId::parse(&format!("gp-{n}")).unwrap(), SourceKind::Gp)).collect();
    let metrics = Metrics::new(&many).unwrap();
    assert!(!metrics.render().contains("gp-"));
    metrics.sources().asked(&many[6999].0, SourceStatus::Ok, None, 0.1);
    assert!(metrics.render().contains(r#"source="gp-6999",status="ok"} 1"#));
}

#[test]
fn in_flight_ends_with_its_guard() {
    let metrics = Metrics::new(&sources()).unwrap();
    let [(source, _), _] = sources();
    let line = |count: u8| format!(r#"tributary_source_inflight{{source="gp-a99901"}} {count}"#);
    let guards = [metrics.sources().in_flight(&source), metrics.sources().in_flight(&source)];
    assert!(metrics.render().contains(&line(2)));
    drop(guards);
    assert!(metrics.render().contains(&line(0)));
}

#[test]
fn labels_cannot_be_chosen_by_strangers() {
    let metrics = Metrics::new(&sources()).unwrap();
    metrics.http_request("/_ping", "9990000107", 200, 0.1);
    let stranger = SourceId::parse("stranger").unwrap();
    metrics.sources().asked(&stranger, SourceStatus::Ok, None, 0.1);
    metrics.sources().breaker(&stranger, BreakerState::Shut);
    drop(metrics.sources().in_flight(&stranger));
    let page = metrics.render();
    assert!(page.contains(r#"method="other""#));
    assert!(!page.contains("9990000107") && !page.contains("stranger"));
}

#[test]
fn what_the_breaker_refuses_does_not_make_a_source_look_quick() {
    let metrics = Metrics::new(&sources()).unwrap();
    let [(source, _), _] = sources();
    metrics.sources().asked(&source, SourceStatus::Timeout, Some(FaultClass::NoHead), 3.0);
    metrics.sources().asked(&source, SourceStatus::Unavailable, Some(FaultClass::Breaker), 0.0);
    let page = metrics.render();
    for line in [
        "tributary_source_duration_seconds_count{source=\"gp-a99901\"} 1",
        "tributary_source_asks_total{kind=\"gp\",source=\"gp-a99901\",status=\"timeout\"} 1",
        "tributary_source_asks_total{kind=\"gp\",source=\"gp-a99901\",status=\"unavailable\"} 1",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[test]
fn promtool_finds_nothing_to_say() {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        eprintln!("SKIPPED: promtool is not installed (Debian package prometheus); the page was not checked");
        return;
    };
    promtool.stdin.take().unwrap().write_all(used().render().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.is_empty(), "{words}");
}
