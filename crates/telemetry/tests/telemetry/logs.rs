//! The lines an operator reads, and what may not stand in them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::layer::SubscriberExt as _;
use tributary_model::{FixedClock, RequestId};
use tributary_telemetry::{LevelFilter, LogFormat, LogLayer};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: LevelFilter, act: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let clock = Arc::new(FixedClock("2026-03-10T02:10:00Z".parse().unwrap()));
    let layer = LogLayer::new(format, filter, clock, move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn line_holds_listed_fields_and_nothing_else() {
    let id = "gp-a99901";
    let log = logged(LogFormat::Json, LevelFilter::INFO, || {
        tracing::info!(
            target: "tributary_broker::gather",
            { source.id = %id, elapsed_ms = 17_u64, code = 200_i32, patient = "9990000107", body = ?"Penicillin" },
            "source answered"
        );
        tracing::debug!(target: "tributary_broker", "not at this level");
    });
    let expected = concat!(
        r#"{"code":200,"elapsed_ms":17,"level":"INFO","message":"source answered","source.id":"gp-a99901","#,
        r#""target":"tributary_broker::gather","time":"2026-03-10T02:10:00.000000Z"}"#,
        "\n"
    );
    assert_eq!(log, expected);
}

#[test]
fn span_fields_stand_on_the_lines_within() {
    let id = RequestId::random();
    let log = logged(LogFormat::Text, LevelFilter::INFO, || {
        let span = tracing::info_span!(target: "tributary_server", "request", request.id = %id, nhs = "9990000107", route = tracing::field::Empty);
        let _entered = span.enter();
        span.record("route", "/_ping");
        tracing::info!(target: "tributary_server", code = 200, "request answered");
    });
    let expected = format!(
        "2026-03-10T02:10:00.000000Z  INFO tributary_server: request answered code=200 request.id=\"{id}\" route=\"/_ping\"\n"
    );
    assert_eq!(log, expected);
}

#[test]
fn libraries_are_heard_but_not_quoted() {
    let log = logged(LogFormat::Json, LevelFilter::TRACE, || {
        tracing::trace!(target: "hyper::proto", "GET /Patient/9990000107");
        tracing::info!(target: "reqwest::connect", code = 9_990_000_107_u64, "connecting");
        tracing::warn!(target: "h2::client", route = "Penicillin", "peer said Penicillin");
        tracing::trace!(target: "tributaryish", "Penicillin");
        let span = tracing::error_span!(target: "hyper::span", "s", route = "Penicillin");
        span.in_scope(|| tracing::trace!(target: "tributary", "ours is heard"));
    });
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(log.contains("a library reports; its words are withheld"));
    assert!(log.contains("ours is heard"));
    assert!(!log.contains("Penicillin") && !log.contains("9990000107"), "{log}");
}

#[test]
fn nhs_number_in_a_listed_field_or_message_is_withheld() {
    let number = "9990000107";
    for format in [LogFormat::Json, LogFormat::Text] {
        let log = logged(format, LevelFilter::TRACE, || {
            tracing::error!(
                target: "tributary",
                { route = "/fhir/R4/Patient/9990000107/$summary", source.id = ?number, request.id = number, bytes = 9_990_000_107_u64 },
                "no answer for {number}"
            );
            tracing::info!(target: "tributary", route = "line\nbreak", "two\nlines");
        });
        assert!(!log.contains(number), "{log}");
        assert_eq!(log.lines().count(), 2, "{log}");
    }
}
