//! Spans as OTLP has them over HTTP in JSON: `ExportTraceServiceRequest`.

use serde_json::{Value, json};
use tributary_model::{SourceStatus, StatusClass, TraceId};

use super::{SourceAsk, Span, Work};
use crate::labels::BreakerState;

/// Every attribute that a span or its process may have. Nothing else leaves.
pub const ATTRIBUTES: &[&str] = &[
    "error.type",
    "http.request.method",
    "http.response.body.size",
    "http.response.status_code",
    "http.route",
    "peer.service",
    "service.instance.id",
    "service.name",
    "service.version",
    "tributary.audit.kind",
    "tributary.merge.bytes",
    "tributary.merge.sources",
    "tributary.source.breaker",
    "tributary.source.id",
    "tributary.source.requests",
    "tributary.source.status",
];

/// Of OTLP's kinds of spans those that we have.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;
/// Of OTLP's status codes the one for what went wrong.
const WENT_WRONG: u8 = 2;
/// What a span is told to have ended with whose caller, or whose last waiting request, had left.
const NOBODY_WAITED: &str = "nobody-waited";

/// Who we are, as every batch says it.
pub(super) struct Resource(Value);

impl Resource {
    /// This process; each start is another instance.
    pub(super) fn of_this_process() -> Self {
        let mut own = Attributes::default();
        own.text("service.name", "tributary");
        own.text("service.version", env!("CARGO_PKG_VERSION"));
        own.text("service.instance.id", &TraceId::random().to_string());
        Self(json!({ "attributes": own.list }))
    }

    /// The body of one request with these spans.
    pub(super) fn body(&self, spans: &[Span]) -> Vec<u8> {
        let spans: Vec<Value> = spans.iter().map(written).collect();
        let scope = json!({ "name": "tributary", "version": env!("CARGO_PKG_VERSION") });
        let body = json!({
            "resourceSpans": [{
                "resource": self.0,
                "scopeSpans": [{ "scope": scope, "spans": spans }],
            }],
        });
        body.to_string().into_bytes()
    }
}

fn written(span: &Span) -> Value {
    let ended = span.ended.as_nanosecond();
    let began = ended - i128::try_from(span.elapsed.as_nanos()).unwrap_or_default();
    let Told { name, kind, attributes, error } = told(&span.work);
    let mut written = json!({
        "traceId": span.context.trace_id(),
        "spanId": span.context.span_id(),
        "name": name,
        "kind": kind,
        // Whole numbers of 64 bits are texts in the JSON of protocol buffers.
        "startTimeUnixNano": began.to_string(),
        "endTimeUnixNano": ended.to_string(),
        "attributes": attributes.list,
        "status": if error { json!({ "code": WENT_WRONG }) } else { json!({}) },
    });
    if let (Some(parent), Some(object)) = (span.context.parent_id(), written.as_object_mut()) {
        object.insert("parentSpanId".to_owned(), parent.into());
    }
    written
}

/// A list of attributes, of names in [`ATTRIBUTES`] only.
#[derive(Default)]
struct Attributes {
    list: Vec<Value>,
}

impl Attributes {
    fn text(&mut self, name: &'static str, value: &str) {
        self.put(name, &json!({ "stringValue": value }));
    }

    fn number(&mut self, name: &'static str, value: u64) {
        self.put(name, &json!({ "intValue": value.to_string() }));
    }

    fn put(&mut self, name: &'static str, value: &Value) {
        if ATTRIBUTES.contains(&name) {
            self.list.push(json!({ "key": name, "value": value }));
        }
    }
}

struct Told {
    name: String,
    kind: u8,
    attributes: Attributes,
    error: bool,
}

fn told(work: &Work) -> Told {
    let mut attributes = Attributes::default();
    match work {
        Work::Request { route, method, code } => {
            attributes.text("http.request.method", method);
            attributes.text("http.route", route);
            match code {
                Some(code) => attributes.number("http.response.status_code", u64::from(*code)),
                None => attributes.text("error.type", NOBODY_WAITED),
            }
            let error = code.is_some_and(|code| code >= 500);
            Told { name: format!("{method} {route}"), kind: SERVER, attributes, error }
        }
        Work::Ask(ask) => asked(ask),
        Work::Merge { sources, bytes } => {
            attributes.number("tributary.merge.sources", u64::try_from(*sources).unwrap_or(u64::MAX));
            attributes.number("tributary.merge.bytes", *bytes);
            Told { name: "merge".to_owned(), kind: INTERNAL, attributes, error: false }
        }
        Work::Audit { kind, is_durable } => {
            attributes.text("tributary.audit.kind", kind);
            Told { name: format!("audit {kind}"), kind: INTERNAL, attributes, error: !is_durable }
        }
    }
}

fn asked(ask: &SourceAsk) -> Told {
    let mut attributes = Attributes::default();
    let source = ask.source.as_str();
    attributes.text("tributary.source.id", source);
    // By this one a map of services is drawn.
    attributes.text("peer.service", source);
    attributes.text("tributary.source.status", ask.status.map_or(NOBODY_WAITED, SourceStatus::code));
    if let Some(fault) = ask.fault {
        attributes.text("error.type", fault.code());
    } else if ask.status.is_none() {
        attributes.text("error.type", NOBODY_WAITED);
    }
    if let Some(http) = ask.http {
        attributes.number("http.response.status_code", u64::from(http));
    }
    if let Some(breaker) = ask.breaker {
        attributes.text("tributary.source.breaker", BreakerState::code(breaker));
    }
    attributes.number("tributary.source.requests", u64::from(ask.requests));
    attributes.number("http.response.body.size", ask.bytes);
    let error = ask.status.is_none_or(|status| status.class() == StatusClass::Missing);
    Told { name: format!("ask {source}"), kind: CLIENT, attributes, error }
}
