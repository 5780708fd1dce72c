//! Which trace a request belongs to: in from the caller, out to every source, and nothing of anybody in it.

use mock_providers::AskRecord;

use crate::scene::{Scene, value};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn parent(of: &AskRecord) -> (String, String) {
    let header = of.header("traceparent").unwrap_or_else(|| panic!("no trace went to {}", of.path));
    let parts: Vec<_> = header.split('-').collect();
    assert_eq!((parts.len(), parts[0]), (4, "00"), "{header}");
    (parts[1].to_owned(), parts[2].to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_trace_goes_out_to_every_source_under_spans_of_our_own() {
    let scene = Scene::usual().await;
    let header = format!("00-{TRACE}-{SPAN}-01");
    let state = "vendor=9990000107";
    let reply = scene.record(&[("traceparent", &header), ("tracestate", state)]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("traceparent"), None, "no header that the contract does not name");
    let mut spans = Vec::new();
    for provider in scene.federation.providers() {
        for ask in provider.asks() {
            let (trace, span) = parent(&ask);
            assert_eq!(trace, TRACE);
            assert_eq!(ask.header("tracestate"), None, "a caller's words went out");
            spans.push(span);
        }
    }
    assert!(spans.len() >= 4 && !spans.iter().any(|span| span == SPAN), "{spans:?}");
    spans.sort();
    spans.dedup();
    let asked = scene.federation.providers().iter().filter(|one| !one.asks().is_empty()).count();
    assert_eq!(spans.len(), asked, "each ask of a source has a span of its own");
    let page = scene.metrics().await;
    assert_eq!(value(&page, "tributary_trace_contexts_total{outcome=\"continued\"}"), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_trace_begins_a_new_one() {
    let scene = Scene::usual().await;
    let number = format!("00-00000000000000000000009990000107-{SPAN}-01");
    let long = format!("00-{TRACE}-{SPAN}-01{}", "x".repeat(400));
    let upper = format!("00-{}-{SPAN}-01", TRACE.to_uppercase());
    for header in ["", "x", &number, &long, &upper] {
        for provider in scene.federation.providers() {
            provider.clear_asks();
        }
        assert_eq!(scene.record(&[("traceparent", header)]).await.status, 200, "{header}");
        let asks: Vec<_> =
            scene.federation.providers().iter().flat_map(mock_providers::ProviderHandle::asks).collect();
        let traces: Vec<_> = asks.iter().map(|ask| parent(ask).0).collect();
        assert!(!traces.is_empty());
        for trace in traces {
            assert_ne!(trace, TRACE);
            assert!(!trace.contains("9990000107"), "{trace}");
        }
    }
    let twice = format!("00-{TRACE}-{SPAN}-01");
    scene.record(&[("traceparent", &twice), ("traceparent", &twice)]).await;
    let page = scene.metrics().await;
    assert_eq!(value(&page, "tributary_trace_contexts_total{outcome=\"refused\"}"), Some(6.0));
    assert!(!scene.broker.log_text().contains("9990000107"));
}
