//! A raw HTTP client for the tests, and the requests a consumer sends.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_providers::{
    Federation, FederationOptions, Played, ProviderHandle, SUITE_ASID, SuiteOptions, start_story_federation,
    start_suite_practice, suite_patients,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary_model::{Clock as _, Interaction, SystemClock};

pub(crate) const TRACE: &str = "629ea9ba-a077-4d99-b289-7a9b19fd4e03";
pub(crate) const GP_ASID: &str = "200000000205";

/// What came back, and how it ended.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// How the connection ended, unless by a proper close.
    pub(crate) broken: Option<io::ErrorKind>,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn announced(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }

    /// The Spine code of an `OperationOutcome`, after checking its shape.
    pub(crate) fn spine_code(&self) -> String {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let coding = outcome["issue"][0]["details"]["coding"].as_array().unwrap();
        assert_eq!(coding.len(), 1);
        assert_eq!(coding[0]["system"], "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1");
        coding[0]["code"].as_str().unwrap().to_owned()
    }
}

/// A request being put together.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn form(path: &str, body: &str) -> Self {
        let mut call = Self { method: "POST", path: path.to_owned(), headers: Vec::new(), body: body.into() };
        call.set("Content-Type", "application/x-www-form-urlencoded");
        call
    }

    /// A structured record call as a well-behaved consumer sends it.
    pub(crate) fn structured(parameters: &Value) -> Self {
        let mut call = Self {
            method: "POST",
            path: "/A99901/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord".to_owned(),
            headers: Vec::new(),
            body: parameters.to_string().into_bytes(),
        };
        call.set("Ssp-TraceID", TRACE);
        call.set("Ssp-From", "200000000359");
        call.set("Ssp-To", GP_ASID);
        call.set(
            "Ssp-InteractionID",
            "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1",
        );
        call.set("Authorization", &bearer(&claims("patient/*.read")));
        call.set("Accept", "application/fhir+json;charset=utf-8");
        call.set("Content-Type", "application/fhir+json;charset=utf-8");
        call
    }

    /// A call of an interaction, as a well-behaved consumer sends it; `tail` is what follows the root.
    pub(crate) fn of(provider: &ProviderHandle, interaction: Interaction, tail: &str) -> Self {
        let whole = provider.root(interaction.capability());
        let root = whole.split_once("//").unwrap().1.split_once('/').unwrap().1;
        let mut call = Self::structured(&json!({}));
        call.method = "GET";
        call.path = format!("/{root}{tail}");
        call.body.clear();
        call.set("Ssp-To", if root.starts_with("B82617") { SUITE_ASID } else { GP_ASID });
        call.set("Ssp-InteractionID", interaction.urn());
        call.set("Authorization", &bearer(&claims(interaction.scope().code())));
        call.unset("Content-Type");
        call
    }

    /// A structured record call to the suite practice.
    pub(crate) fn suite(provider: &ProviderHandle, parameters: &Value) -> Self {
        let operation = "/Patient/$gpc.getstructuredrecord";
        let mut call = Self::of(provider, Interaction::GetStructuredRecord, operation);
        call.method = "POST";
        call.set("Content-Type", "application/fhir+json;charset=utf-8");
        call.body = parameters.to_string().into_bytes();
        call
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.headers.retain(|(key, _)| key != name);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        let length = self.body.len().to_string();
        head.extend(["Content-Length: ", length.as_str(), "\r\nConnection: close\r\n\r\n"]);
        [head.as_bytes(), &self.body].concat()
    }

    pub(crate) async fn send(&self, provider: &ProviderHandle) -> Seen {
        exchange(provider, &self.bytes()).await
    }
}

/// Sends raw bytes and reads to the end.
pub(crate) async fn exchange(provider: &ProviderHandle, request: &[u8]) -> Seen {
    let mut stream = TcpStream::connect(provider.address()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let (bytes, broken) = read_to_end(&mut stream).await;
    seen(&bytes, broken)
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, Option<io::ErrorKind>) {
    let mut bytes = Vec::new();
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) => return (bytes, None),
            Ok(_) => {}
            Err(error) => return (bytes, Some(error.kind())),
        }
    }
}

pub(crate) fn seen(bytes: &[u8], broken: Option<io::ErrorKind>) -> Seen {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 4..]));
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut seen = Seen { status, head, body: body.to_vec(), broken };
    if seen.header("transfer-encoding") == Some("chunked") {
        seen.body = unchunked(body);
    }
    seen
}

/// The content of a chunked body.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 4 + size..];
    }
}

pub(crate) fn claims(scope: &str) -> Value {
    let now = SystemClock.now().as_second();
    let local =
        |kind: &str| json!([{"system": format!("https://epr.example.test/Id/{kind}"), "value": "17"}]);
    json!({
        "iss": "https://epr.example.test/", "sub": "u-17", "aud": "https://gp.example.test",
        "iat": now, "exp": now + 300, "reason_for_request": "directcare", "requested_scope": scope,
        "requesting_device": {"resourceType": "Device", "identifier": local("device")},
        "requesting_organization": {"resourceType": "Organization", "identifier": local("org"), "name": "Trust"},
        "requesting_practitioner": {"resourceType": "Practitioner", "id": "u-17", "identifier": local("user")},
    })
}

pub(crate) fn bearer(claims: &Value) -> String {
    token(r#"{"alg":"none","typ":"JWT"}"#, &claims.to_string())
}

pub(crate) fn token(header: &str, payload: &str) -> String {
    format!("Bearer {}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// Parameters with the NHS number and these further parameters.
pub(crate) fn parameters(nhs_number: &str, further: &[Value]) -> Value {
    let patient = json!({
        "name": "patientNHSNumber",
        "valueIdentifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": nhs_number},
    });
    let all: Vec<Value> = std::iter::once(patient).chain(further.iter().cloned()).collect();
    json!({"resourceType": "Parameters", "parameter": all})
}

pub(crate) fn allergies(resolved: bool) -> Value {
    json!({"name": "includeAllergies", "part": [{"name": "includeResolvedAllergies", "valueBoolean": resolved}]})
}

pub(crate) fn area(name: &str) -> Value {
    json!({"name": name})
}

/// The stories without delays and faults.
pub(crate) async fn quiet_federation() -> Federation {
    let options =
        FederationOptions { delays: Played::Off, faults: Played::Off, ..FederationOptions::default() };
    start_story_federation(options).await.unwrap()
}

/// The suite practice with everything switched on.
pub(crate) async fn suite() -> ProviderHandle {
    start_suite_practice(SuiteOptions::default()).await.unwrap()
}

/// The NHS number of a patient of the suite.
pub(crate) fn number(name: &str) -> &'static str {
    suite_patients().iter().find(|one| one.name == name).unwrap().nhs_number
}

/// The resources of a type in a Bundle.
pub(crate) fn of_type<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle.get("entry").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries.iter().map(|entry| &entry["resource"]).filter(|one| one["resourceType"] == kind).collect()
}

/// The List with a code.
pub(crate) fn list<'b>(bundle: &'b Value, code: &str) -> Option<&'b Value> {
    of_type(bundle, "List").into_iter().find(|list| list["code"]["coding"][0]["code"] == code)
}

/// What a List, or any value, refers to.
pub(crate) fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("reference").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The day of the request: the practice is written for it.
pub(crate) fn today() -> jiff::civil::Date {
    SystemClock.now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A parameter with one part.
pub(crate) fn part(area: &str, part: &Value) -> Value {
    json!({"name": area, "part": [part]})
}
