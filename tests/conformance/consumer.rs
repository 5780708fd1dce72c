//! A GP Connect consumer, as any system has one: plain HTTP, headers and a token made by hand, nothing of ours.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tributary_tests::{Reply, http};

/// The practice that is asked.
pub(crate) const PRACTICE: &str = "B82617";
/// Its system.
pub(crate) const PRACTICE_ASID: &str = "918999198738";
/// The system that consumers ask with, unless they say otherwise.
pub(crate) const OWN_ASID: &str = "200000000359";
/// The media type of STU3 in JSON.
pub(crate) const JSON: &str = "application/fhir+json";
/// And in XML.
pub(crate) const XML: &str = "application/fhir+xml";
/// The system of NHS numbers.
pub(crate) const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// The system of organisation codes.
pub(crate) const ODS_CODE: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
/// The system of people with a smartcard.
pub(crate) const SDS_USER: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const SDS_ROLE: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";
const URN: &str = "urn:nhs:names:services:gpconnect:";

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) family: String,
    pub(crate) given: String,
    /// The national ids of a person with a smartcard: user, role profile.
    pub(crate) smartcard: Option<(String, String)>,
    pub(crate) organisation: String,
    pub(crate) organisation_name: String,
    pub(crate) asid: String,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            id: "u-17".to_owned(),
            family: "Okoro".to_owned(),
            given: "Ada".to_owned(),
            smartcard: None,
            organisation: "RXX01".to_owned(),
            organisation_name: "Community Trust".to_owned(),
            asid: OWN_ASID.to_owned(),
        }
    }
}

/// Seconds since 1970, by the true clock.
#[expect(clippy::disallowed_methods, reason = "a token is judged by the true time")]
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or_default()
}

/// A trace id that nobody had before.
pub(crate) fn trace_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(1);
    let (now, serial) = (now() & 0xFFFF_FFFF, LAST.fetch_add(1, Ordering::Relaxed));
    format!("{now:08x}-c0de-4fab-8bad-{serial:012x}")
}

/// The claims of a good token.
fn claims(person: &Person, scope: &str) -> Value {
    let named = |system: &str, value: &str| json!({"system": system, "value": value});
    let (user, role) = person.smartcard.clone().unwrap_or_else(|| ("UNK".to_owned(), "UNK".to_owned()));
    json!({
        "iss": "https://epr.example.test/",
        "sub": person.id,
        "aud": "https://authorize.fhir.nhs.net/token",
        "iat": now(),
        "exp": now() + 300,
        "reason_for_request": "directcare",
        "requested_scope": scope,
        "requesting_device": {
            "resourceType": "Device", "model": "EPR", "version": "9.1",
            "identifier": [named("https://epr.example.test/Id/device", "node-3")],
        },
        "requesting_organization": {
            "resourceType": "Organization", "name": person.organisation_name,
            "identifier": [named(ODS_CODE, &person.organisation)],
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner", "id": person.id,
            "identifier": [
                named(SDS_USER, &user), named(SDS_ROLE, &role), named("https://epr.example.test/Id/user", &person.id),
            ],
            "name": [{"family": person.family, "given": [person.given]}],
        },
    })
}

/// The three parts of a token, the third empty.
pub(crate) fn token(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.", part(header), part(claims))
}

/// The header of a good token.
pub(crate) fn token_header() -> Value {
    json!({"alg": "none", "typ": "JWT"})
}

/// One request, good until it is changed.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
    /// The claims of its token; made anew for each request.
    pub(crate) claims: Value,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Request {
    fn new(method: &'static str, path: &str, interaction: &str, scope: &str) -> Self {
        let person = Person::default();
        let headers = vec![
            ("Ssp-TraceID", trace_id()),
            ("Ssp-From", person.asid.clone()),
            ("Ssp-To", PRACTICE_ASID.to_owned()),
            ("Ssp-InteractionID", format!("{URN}{interaction}")),
            ("Accept", JSON.to_owned()),
        ];
        let claims = claims(&person, scope);
        Self { method, path: path.to_owned(), body: String::new(), claims, headers }
    }

    /// `POST Patient/$gpc.getstructuredrecord`.
    pub(crate) fn record(body: &str) -> Self {
        let path = format!("/{PRACTICE}/STU3/1/gpconnect/structured/fhir/Patient/$gpc.getstructuredrecord");
        let request = Self::new("POST", &path, "fhir:operation:gpc.getstructuredrecord-1", "patient/*.read");
        Self { body: body.to_owned(), ..request }.with("Content-Type", JSON)
    }

    /// A GET below the root of Foundations.
    pub(crate) fn foundations(tail: &str, interaction: &str) -> Self {
        let about_patient = interaction.contains(":patient");
        let scope = if about_patient { "patient/*.read" } else { "organization/*.read" };
        let path = format!("/{PRACTICE}/STU3/1/gpconnect/fhir/{tail}");
        Self::new("GET", &path, &format!("fhir:rest:{interaction}"), scope)
    }

    /// A GET below the root of Access Document.
    pub(crate) fn documents(tail: &str, interaction: &str) -> Self {
        let path = format!("/{PRACTICE}/STU3/1/gpconnect/documents/fhir/{tail}");
        Self::new("GET", &path, &format!("documents:fhir:rest:{interaction}"), "patient/*.read")
    }

    /// A document by the address that an answer gave for it.
    pub(crate) fn attachment(url: &str) -> Self {
        let path = url.splitn(4, '/').last().unwrap_or_default();
        let read = Self::documents("", "read:binary-1");
        Self { path: format!("/{path}"), ..read }
    }

    /// `GET metadata` below a root: `""`, `structured/` or `documents/`.
    pub(crate) fn metadata(capability: &str) -> Self {
        let name = match capability {
            "" => "fhir:rest:read:metadata-1".to_owned(),
            named => format!("{}:fhir:rest:read:metadata-1", named.trim_end_matches('/')),
        };
        let path = format!("/{PRACTICE}/STU3/1/gpconnect/{capability}fhir/metadata");
        Self::new("GET", &path, &name, "organization/*.read")
    }

    /// Asked by this person.
    #[must_use]
    pub(crate) fn by(self, person: &Person) -> Self {
        let scope = self.claims["requested_scope"].as_str().unwrap_or_default().to_owned();
        Self { claims: claims(person, &scope), ..self }.with("Ssp-From", &person.asid)
    }

    /// With another value of a header.
    #[must_use]
    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        let mut request = self.without(name);
        request.headers.push((name, value.to_owned()));
        request
    }

    /// Without a header.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        // An empty one is not sent: the token is otherwise added when the request goes out.
        if name.eq_ignore_ascii_case("Authorization") {
            self.headers.push(("Authorization", String::new()));
        }
        self
    }

    /// With another interaction id.
    #[must_use]
    pub(crate) fn meaning(self, interaction: &str) -> Self {
        self.with("Ssp-InteractionID", &format!("{URN}{interaction}"))
    }

    /// With another value of a claim; null takes it away.
    #[must_use]
    pub(crate) fn claiming(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// With another path.
    #[must_use]
    pub(crate) fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// With this put behind its path.
    #[must_use]
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.path.push_str(more);
        self
    }

    /// Its trace id.
    pub(crate) fn trace(&self) -> &str {
        let header = self.headers.iter().find(|(name, _)| *name == "Ssp-TraceID");
        header.map_or("", |(_, value)| value)
    }

    /// Every header as it goes out.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if !headers.iter().any(|(name, _)| name == "Authorization") {
            headers.push(("Authorization".to_owned(), token(&token_header(), &self.claims)));
        }
        headers.retain(|(_, value)| !value.is_empty());
        headers
    }

    /// Sends it, on a connection of its own.
    pub(crate) async fn send(&self, address: SocketAddr) -> Reply {
        let headers = self.headers();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        http::send(address, self.method, &self.path, &self.body, &headers).await
    }
}

/// `Parameters` of a record request.
pub(crate) fn parameters(number: &str, more: &[Value]) -> String {
    let identifier = json!({"system": NHS_NUMBER, "value": number});
    let mut list = vec![json!({"name": "patientNHSNumber", "valueIdentifier": identifier})];
    list.extend_from_slice(more);
    json!({"resourceType": "Parameters", "parameter": list}).to_string()
}

/// An area by itself.
pub(crate) fn area(name: &str) -> Value {
    json!({ "name": name })
}

/// An area with parts.
pub(crate) fn area_with(name: &str, parts: &[Value]) -> Value {
    json!({"name": name, "part": parts})
}

/// Allergies, which have a part that must be there.
pub(crate) fn allergies(resolved: bool) -> Value {
    area_with("includeAllergies", &[json!({"name": "includeResolvedAllergies", "valueBoolean": resolved})])
}

/// Every area but allergies.
pub(crate) const AREAS: &[&str] = &[
    "includeMedication",
    "includeConsultations",
    "includeProblems",
    "includeImmunisations",
    "includeUncategorisedData",
    "includeInvestigations",
    "includeReferrals",
    "includeDiaryEntries",
];

/// Every area at once.
pub(crate) fn everything() -> Vec<Value> {
    std::iter::once(allergies(true)).chain(AREAS.iter().map(|name| area(name))).collect()
}

/// What every search for documents must bring along.
pub(crate) const INCLUDES: &[&str] = &[
    "_include=DocumentReference:subject:Patient",
    "_include=DocumentReference:custodian:Organization",
    "_include=DocumentReference:author:Organization",
    "_include=DocumentReference:author:Practitioner",
    "_revinclude:recurse=PractitionerRole:practitioner",
];
