//! Every byte that leaves the house, in snapshots: one file for each group of requests.
//!
//! `INSTA_UPDATE=always cargo test -p tributary-tests --test api` writes them anew; the difference is for
//! somebody to read. Masked is what differs from run to run: ids, dates, ports, durations.

use std::net::SocketAddr;

use mock_providers::{ErrorBody, Fault};
use tributary_tests::{GEORGE, Plan, Reply, Stage, http, parameters};

const RECORD: &str = "/fhir/R4/Patient/$record";
const RELAY: &str = "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord";
const FHIR: &str = "application/fhir+json";
const FORM: &str = "application/x-www-form-urlencoded";
const ID: (&str, &str) = ("X-Request-ID", "0192f0c1-0000-7000-8000-000000000000");

/// How much of a body is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Whole,
    /// It is another snapshot, a file of the repository, or a source's own words.
    No,
}

struct Case {
    what: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    shown: Shown,
}

fn case(what: &'static str, method: &'static str, path: &str) -> Case {
    let (headers, body) = (Vec::new(), String::new());
    Case { what, method, path: path.to_owned(), headers, body, shown: Shown::Whole }
}

/// A record request with this body.
fn record(what: &'static str, body: impl Into<String>) -> Case {
    let headers = vec![("Content-Type", FHIR)];
    Case { headers, body: body.into(), ..case(what, "POST", RECORD) }
}

/// A good record request with one header more.
fn with(what: &'static str, header: (&'static str, &'static str)) -> Case {
    let mut case = record(what, parameters(GEORGE, &["flags"]));
    case.headers.retain(|(name, _)| *name != header.0);
    case.headers.push(header);
    Case { shown: Shown::Whole, ..case }
}

fn unshown(case: Case) -> Case {
    Case { shown: Shown::No, ..case }
}

/// Plays the cases in order, and compares all that came back with the snapshot.
async fn check(group: &str, address: SocketAddr, cases: Vec<Case>) {
    let mut text = String::new();
    for case in cases {
        let reply = http::send(address, case.method, &case.path, &case.body, &case.headers).await;
        text.push_str(&told(&case, &reply));
    }
    compare(group, &text);
}

fn compare(group: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    settings.bind(|| insta::assert_snapshot!(group, text));
}

/// Request and reply, to be read.
fn told(case: &Case, reply: &Reply) -> String {
    let path = if case.path.len() > 200 { "/[a long path]" } else { &case.path };
    let rule = "=".repeat(80);
    let mut told = format!("{rule}\n{}: {} {path}\n", case.what, case.method);
    for (name, value) in &case.headers {
        let value = if value.len() > 100 { "[a long value]" } else { value };
        told = format!("{told}> {name}: {value}\n");
    }
    if !case.body.is_empty() {
        let body = if case.body.len() > 1_000 { "[a long body]" } else { &case.body };
        told = format!("{told}> {body}\n");
    }
    let body = match case.shown {
        Shown::No => "[not shown here]".to_owned(),
        Shown::Whole => shown(&reply.body),
    };
    format!("{told}\n{}\n\n{}\n\n", head(reply), masked(&body))
}

/// Status line and headers, sorted, with what differs from run to run masked.
fn head(reply: &Reply) -> String {
    let mut lines = reply.head.lines();
    let first = lines.next().unwrap_or("[no answer]").to_owned();
    let mut headers: Vec<String> = lines.map(header).collect();
    headers.sort();
    headers.insert(0, first);
    headers.join("\n")
}

fn header(line: &str) -> String {
    let (name, value) = line.split_once(": ").unwrap_or((line, ""));
    let name = name.to_ascii_lowercase();
    let value = match name.as_str() {
        "x-request-id" if value != ID.1 => "[uuid]".to_owned(),
        "date" => "[date]".to_owned(),
        "tributary-config" => "[config]".to_owned(),
        "content-length" => "[n]".to_owned(),
        _ => masked(value),
    };
    format!("{name}: {value}")
}

/// Ports and record ids.
fn masked(text: &str) -> String {
    let text = digits_after(text, "127.0.0.1:", "[port]");
    let text = digits_after(&text, "local-", "[n]");
    let text = unnamed(&unlinked(&digits_after(&text, "dur=", "[ms]")));
    let text = between(&text, ("<style>", "</style>"), "[style]");
    let text = between(&text, ("<script>", "</script>"), "[script]");
    between(&text, ("'sha256-", "'"), "[digest]")
}

/// The text with what stands between the marks replaced: style and script are held to by other tests, and their digests
/// change whenever they do.
fn between(text: &str, (open, close): (&str, &str), by: &str) -> String {
    let mut parts = text.split(open);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once(close).unwrap_or(("", part));
        whole = format!("{whole}{open}{by}{close}{rest}");
    }
    whole
}

/// The text without the name of the form's style, which changes whenever it does.
fn unnamed(text: &str) -> String {
    let mut parts = text.split("/viewer/");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|one: char| one.is_ascii_hexdigit());
        whole = format!("{whole}/viewer/[mark]{rest}");
    }
    whole
}

/// The text with the addresses of attachments cut short: every broker seals with a key of its own.
fn unlinked(text: &str) -> String {
    let mark = "/fhir/R4/Binary/";
    let mut parts = text.split(mark);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest =
            part.trim_start_matches(|one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_'));
        whole = format!("{whole}{mark}[link]{rest}");
    }
    whole
}

/// The text with the number after each `mark` replaced.
fn digits_after(text: &str, mark: &str, by: &str) -> String {
    let mut parts = text.split(mark);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let by = if rest.len() == part.len() { "" } else { by };
        whole = format!("{whole}{mark}{by}{rest}");
    }
    whole
}

/// JSON on many lines, anything else as it is.
fn shown(body: &str) -> String {
    if body.starts_with(['{', '[']) { pretty(body) } else { body.trim_end().to_owned() }
}

/// JSON with line breaks, and no other byte changed: order, decimals and escapes stay as they were sent.
fn pretty(json: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    let mut before = ' ';
    for one in json.chars() {
        let is_open = matches!(before, '{' | '[') && !quoted;
        let closes = matches!(one, '}' | ']') && !quoted;
        depth -= usize::from(closes);
        if (is_open && !closes) || (closes && !is_open) || (before == ',' && !quoted) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
        out.push(one);
        if one == ':' && !quoted {
            out.push(' ');
        }
        depth += usize::from(matches!(one, '{' | '[') && !quoted);
        let is_quote = one == '"' && !escaped;
        quoted ^= is_quote;
        escaped = one == '\\' && !escaped;
        // A bracket or comma inside a string breaks no line.
        before = if quoted { 'x' } else { one };
    }
    out
}

#[test]
fn line_breaks_are_all_that_is_added() {
    let json = r#"{"a":[1.10,"x,{\"y\":\\"],"b":{},"c":[],"d":{"e":null}}"#;
    let whole = pretty(json);
    assert_eq!(whole.lines().map(str::trim_start).collect::<String>().replace("\": ", "\":"), json);
    assert_eq!(whole.lines().nth(2), Some("    1.10,"));
}

async fn stage() -> Stage {
    Stage::set(Plan::default()).await
}

#[tokio::test]
async fn the_record_of_george() {
    let stage = stage().await;
    let reply = stage.record(GEORGE, &[]).await;
    compare("record-george", &masked(&pretty(&reply.body)));
}

#[tokio::test]
async fn record_requests_that_are_good() {
    let stage = stage().await;
    let small = || parameters(GEORGE, &["flags"]);
    let cases = vec![
        record("one section", small()),
        unshown(record("every section", parameters(GEORGE, &[]))),
        unshown(Case { path: RECORD.replace('$', "%24"), ..record("an escaped dollar", small()) }),
        unshown(Case { path: format!("{RECORD}?_format=json"), ..record("a format", small()) }),
        unshown(with("an id of the caller", ID)),
        unshown(with("a correlation id", ("X-Correlation-ID", "c-4711"))),
        unshown(with("a correlation id that cannot be mirrored", ("X-Correlation-ID", "a b"))),
        unshown(with("any media type", ("Accept", "*/*"))),
        unshown(with("a deadline", ("Tributary-Deadline-Ms", "1000"))),
        unshown(with("fetched now", ("Cache-Control", "no-cache"))),
    ];
    check("record-good", stage.running.data_addr(), cases).await;
}

#[tokio::test]
async fn record_requests_with_a_bad_head() {
    let stage = stage().await;
    let small = || parameters(GEORGE, &["flags"]);
    let long: &'static str = Box::leak("x".repeat(2_100).into_boxed_str());
    let cases = vec![
        with("a request id that is none", ("X-Request-ID", "4711")),
        Case { headers: vec![("Content-Type", FHIR), ID, ID], ..record("two request ids", small()) },
        with("a correlation id with a refusal", ("Accept", "text/html")),
        with("XML wanted", ("Accept", "application/fhir+xml")),
        with("another FHIR version wanted", ("Accept", "application/fhir+json; fhirVersion=3.0")),
        Case {
            headers: vec![("Content-Type", FHIR), ("Accept", "text/event-stream"), ("Last-Event-ID", "7")],
            ..record("a stream that goes on with none", small())
        },
        Case {
            headers: vec![
                ("Content-Type", FHIR),
                ("Accept", "text/event-stream"),
                ("Prefer", "handling=strict"),
            ],
            ..record("a stream that is all or nothing", small())
        },
        Case { path: format!("{RECORD}?_format=xml"), ..record("XML wanted by the address", small()) },
        with("XML sent", ("Content-Type", "application/fhir+xml")),
        Case { headers: Vec::new(), ..record("no media type", small()) },
        with("a packed body", ("Content-Encoding", "gzip")),
        with("a deadline that is none", ("Tributary-Deadline-Ms", "soon")),
        with("a token that is none", ("Authorization", "Bearer x")),
        with("a password", ("Authorization", "Basic dTpw")),
        with("a signed token", ("Authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln")),
        with("a token that names nobody", ("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")),
        with("another protocol", ("Upgrade", "websocket")),
        Case { path: format!("{RECORD}?x={long}"), ..record("a long address", small()) },
    ];
    check("record-bad-head", stage.running.data_addr(), cases).await;
    assert!(stage.federation.providers().iter().all(|one| one.ask_count() == 0), "somebody was asked");
}

/// `Parameters` with these parameters, as JSON.
fn with_parameters(list: &str) -> String {
    format!(r#"{{"resourceType":"Parameters","parameter":[{list}]}}"#)
}

#[tokio::test]
async fn record_requests_with_a_bad_body() {
    const PATIENT: &str = r#"{"name":"patient","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}"#;
    let stage = stage().await;
    let more = |parameter: &str| with_parameters(&format!("{PATIENT},{parameter}"));
    let cases = vec![
        record("nothing", ""),
        record("no JSON", "{"),
        record("a key twice", r#"{"resourceType":"Parameters","resourceType":"Parameters"}"#),
        record("no object", "[]"),
        record("another resource", r#"{"resourceType":"Patient"}"#),
        record("a member too many", r#"{"resourceType":"Parameters","text":{}}"#),
        record("no patient", with_parameters("")),
        record("two patients", more(PATIENT)),
        record("a wrong check digit", with_parameters(&PATIENT.replace("0107", "0108"))),
        record("a short number", with_parameters(&PATIENT.replace("9990000107", "999"))),
        record("another system", with_parameters(&PATIENT.replace("nhs-number", "local"))),
        record("a patient that is a string", with_parameters(r#"{"name":"patient","valueString":"x"}"#)),
        record("an unknown parameter", more(r#"{"name":"colour","valueCode":"red"}"#)),
        record("an unknown section", more(r#"{"name":"section","valueCode":"toes"}"#)),
        record("a section of another type", more(r#"{"name":"section","valueString":"flags"}"#)),
        record("a date that is none", more(r#"{"name":"since","valueDate":"2026-13-01"}"#)),
        record("another purpose", more(r#"{"name":"purpose","valueCode":"research"}"#)),
        record("a broken glass", more(r#"{"name":"breakGlass","valueString":"unconscious"}"#)),
        record("a broken glass without a reason", more(r#"{"name":"breakGlass","valueString":""}"#)),
        record("too much", " ".repeat((64 << 10) + 1)),
    ];
    check("record-bad-body", stage.running.data_addr(), cases).await;
    assert!(stage.federation.providers().iter().all(|one| one.ask_count() == 0), "somebody was asked");
}

fn failing(status: u16, spine: Option<&str>, retry_after_secs: Option<u32>) -> Fault {
    let spine_code = spine.map(str::to_owned);
    Fault::Status { status, body: ErrorBody::Outcome, spine_code, retry_after_secs }
}

#[tokio::test]
async fn records_without_an_answering_source() {
    let mut text = String::new();
    for (what, fault) in [
        ("nobody holds a record", failing(404, Some("PATIENT_NOT_FOUND"), None)),
        ("nobody answers in time", Fault::HangBeforeHead),
        ("everybody is busy", failing(503, None, Some(9))),
        ("nobody can be used", failing(500, None, None)),
        ("everybody answers about somebody else", Fault::WrongPatient),
    ] {
        let stage = Stage::set(Plan { source_keys: "timeout_ms = 400", ..Plan::default() }).await;
        stage.federation.providers().iter().for_each(|one| one.set_fault(fault.clone()));
        let case = record(what, parameters(GEORGE, &[]));
        let reply = stage.ask(&case.body, &[]).await;
        text.push_str(&told(&case, &reply));
    }
    compare("record-without-answer", &text);
}

#[tokio::test]
async fn records_that_are_less_than_whole() {
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 400", ..Plan::default() }).await;
    stage.federation.provider("gp").unwrap().set_fault(failing(500, None, None));
    let case = record("partial", parameters(GEORGE, &["allergies"]));
    let strict = vec![("Content-Type", FHIR), ("Prefer", "handling=strict")];
    let cases = vec![case, Case { headers: strict, ..record("all or nothing", parameters(GEORGE, &[])) }];
    check("record-partial", stage.running.data_addr(), cases).await;
}

#[tokio::test]
async fn methods_and_paths() {
    let stage = stage().await;
    let mut cases = Vec::new();
    for path in [
        RECORD,
        "/fhir/R4/metadata",
        RELAY,
        "/STU3/1/gpconnect/structured/metadata",
        "/sources",
        "/_ping",
        "/_status",
        "/openapi.yaml",
        "/",
        "/record",
        "/sign-out",
        "/viewer/x.css",
    ] {
        cases.push(case("another method", "DELETE", path));
    }
    cases.push(case("another method", "GET", RECORD));
    cases.push(case("another method", "HEAD", RECORD));
    cases.push(case("another method", "OPTIONS", RECORD));
    cases.push(case("another method", "TRACE", RECORD));
    for path in [
        "/nowhere",
        "/fhir/R4",
        "/fhir/R4/Patient/9990000107",
        "/fhir/R4/Patient/$record/",
        "/FHIR/R4/metadata",
        "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$nothing",
        "/A99901/STU3/1/gpconnect/documents/fhir/Patient",
        "/../etc/passwd",
        "/metrics",
    ] {
        cases.push(case("nothing there", "GET", path));
    }
    check("methods-and-paths", stage.running.data_addr(), cases).await;
}

#[tokio::test]
async fn what_the_broker_says_of_itself() {
    let stage = stage().await;
    let cases = vec![
        case("alive", "GET", "/_ping"),
        case("ready", "GET", "/_status"),
        case("capabilities in R4", "GET", "/fhir/R4/metadata"),
        Case {
            headers: vec![("Accept", "application/fhir+xml")],
            ..case("capabilities as XML", "GET", "/fhir/R4/metadata")
        },
        case("capabilities in STU3", "GET", "/A99901/STU3/1/gpconnect/structured/fhir/metadata"),
        case("sources", "GET", "/sources"),
        unshown(case("description", "GET", "/openapi.yaml")),
    ];
    check("itself", stage.running.data_addr(), cases).await;
}

#[tokio::test]
async fn the_page() {
    let stage = stage().await;
    let form = |what, body: &str| Case {
        headers: vec![("Content-Type", FORM)],
        body: body.to_owned(),
        ..case(what, "POST", "/record")
    };
    let mut foreign = form("a form of another site", "nhs=9990000107");
    foreign.headers.push(("Sec-Fetch-Site", "cross-site"));
    let cases = vec![
        case("search", "GET", "/"),
        case("a style that is not ours", "GET", "/viewer/x.css"),
        Case { headers: vec![("Content-Type", FORM)], ..case("the end", "POST", "/sign-out") },
        unshown(form("a record", "nhs=9990000107")),
        form("no number", ""),
        form("a wrong number", "nhs=9990000108"),
        foreign,
        Case { headers: vec![("Content-Type", FHIR)], ..form("no form", "nhs=9990000107") },
    ];
    check("page", stage.running.data_addr(), cases).await;
}

#[tokio::test]
async fn relay_requests_that_are_bad() {
    let stage = stage().await;
    let good = [
        ("Ssp-TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706"),
        ("Ssp-From", "200000000359"),
        ("Ssp-To", "200000000205"),
        ("Ssp-InteractionID", "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1"),
        ("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),
        ("Content-Type", FHIR),
    ];
    let mut cases = Vec::new();
    for (at, (what, _)) in good.iter().enumerate() {
        let mut headers = good.to_vec();
        headers.remove(at);
        cases.push(Case { headers, body: "{}".to_owned(), ..case(what, "POST", RELAY) });
    }
    cases.push(Case { headers: good.into(), body: "{}".to_owned(), ..case("an empty token", "POST", RELAY) });
    check("relay-bad", stage.running.data_addr(), cases).await;
}

#[tokio::test]
async fn the_admin_listener() {
    let stage = stage().await;
    stage.record(GEORGE, &[]).await;
    let cases = vec![
        case("alive", "GET", "/health/live"),
        case("ready", "GET", "/health/ready"),
        case("sources", "GET", "/sources"),
        unshown(case("metrics", "GET", "/metrics")),
        case("nothing there", "GET", "/fhir/R4/metadata"),
        record("no record here", parameters(GEORGE, &[])),
    ];
    check("admin", stage.running.admin_addr(), cases).await;
}

#[tokio::test]
async fn no_answer_may_be_stored_and_no_method_is_refused_without_saying_which_are_not() {
    let stage = stage().await;
    for address in [stage.running.data_addr(), stage.running.admin_addr()] {
        for (method, path) in [
            ("GET", "/sources"),
            ("POST", "/sources"),
            ("GET", "/nowhere"),
            ("GET", "/_ping"),
            ("GET", "/metrics"),
            ("PUT", "/metrics"),
        ] {
            let reply = http::send(address, method, path, "", &[]).await;
            assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{method} {path}: {}", reply.head);
            let is_nosniff = reply.header("X-Content-Type-Options") == Some("nosniff");
            assert!(is_nosniff, "{method} {path}: {}", reply.head);
            let allow = reply.header("Allow");
            assert_eq!(allow.is_some(), reply.status == 405, "{method} {path}: {}", reply.head);
        }
    }
}
