//! The token endpoint: the order of its checks, its refusals, what it remembers.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA512, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use mock_providers::{
    ClientKey, Jwks, Lifetime, MadeUpKey, PdsOptions, PdsPatient, RateLimit, Throttle, TokenClient,
    TokenEndpoint, TokenFault, TokenOptions, start_pds, start_token,
};
use serde_json::{Value, json};
use tributary_model::{Clock as _, TraceId};

use crate::support::*;

const FORM: &str = "application/x-www-form-urlencoded";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

static KEY: LazyLock<MadeUpKey> = LazyLock::new(|| MadeUpKey::new("key-1").unwrap());
static OTHER: LazyLock<MadeUpKey> = LazyLock::new(|| MadeUpKey::new("key-1").unwrap());

struct Bench {
    clock: Arc<HandClock>,
    token: TokenEndpoint,
}

fn bench() -> Bench {
    limited(RateLimit::NONE)
}

fn limited(limit: RateLimit) -> Bench {
    let clock = HandClock::new();
    let options = TokenOptions {
        clock: clock.shared(),
        clients: vec![TokenClient::new(API_KEY, vec![KEY.public.clone()])],
        limit,
        ..TokenOptions::default()
    };
    Bench { clock, token: start_token(options).unwrap() }
}

/// An assertion being put together; good as it is.
#[derive(Clone, Debug)]
struct Draft {
    header: Value,
    claims: Value,
}

impl Draft {
    fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(name);
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    fn signed(&self, key: &MadeUpKey) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&self.header), part(&self.claims));
        let pair = RsaKeyPair::from_pkcs8(&key.pkcs8).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Bench {
    fn draft(&self) -> Draft {
        let exp = self.clock.now().as_second() + 300;
        Draft {
            header: json!({"alg": "RS512", "typ": "JWT", "kid": "key-1"}),
            claims: json!({
                "iss": API_KEY, "sub": API_KEY, "aud": self.token.token_url(), "exp": exp,
                "jti": TraceId::random().to_string(),
            }),
        }
    }

    fn ahead(&self, seconds: i64) -> Value {
        json!(self.clock.now().as_second() + seconds)
    }

    async fn ask(&self, draft: &Draft) -> Seen {
        form(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &draft.signed(&KEY)),
        ])
        .send(self.token.provider())
        .await
    }
}

fn form(fields: &[(&str, &str)]) -> Call {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Call { method: "POST", body, ..Call::get("/oauth2/token") }.with("Content-Type", FORM)
}

/// Status and error, after checking the shape.
fn refusal(seen: &Seen) -> (u16, String) {
    let body = seen.json();
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name}: {seen:?}")).to_owned();
    assert!(!text("error_description").is_empty() && text("message_id").len() == 36, "{body}");
    assert_eq!(body.as_object().unwrap().len(), 3);
    assert_eq!(seen.header("content-type"), Some("application/json"));
    (seen.status, text("error"))
}

fn row(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

fn said(seen: &Seen) -> String {
    seen.json()["error_description"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_good_assertion_gets_a_token_and_numbers_are_strings() {
    let bench = bench();
    let seen = bench.ask(&bench.draft()).await;
    assert_eq!(seen.status, 200);
    let body = seen.json();
    assert_eq!(body["expires_in"], "3599");
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["issued_at"], bench.clock.now().as_millisecond().to_string());
    assert!(!body["access_token"].as_str().unwrap().is_empty());
    assert_eq!(bench.token.asks()[0].parameter("grant_type"), Some("client_credentials"));
}

#[tokio::test]
async fn a_token_opens_pds_until_it_is_withdrawn() {
    let bench = bench();
    let pds = start_pds(PdsOptions::new(bench.clock.shared(), bench.token.tokens())).unwrap();
    let number = PdsPatient::Unrestricted.nhs_number();
    let read = Call::get(&format!("/personal-demographics/FHIR/R4/Patient/{number}"))
        .with("X-Request-ID", REQUEST_ID);
    for _ in 0..2 {
        let token = bench.ask(&bench.draft()).await.json()["access_token"].as_str().unwrap().to_owned();
        let read = read.clone().with("Authorization", &format!("Bearer {token}"));
        assert_eq!(read.send(pds.provider()).await.status, 200);
        bench.token.tokens().revoke_all();
        assert_eq!(read.send(pds.provider()).await.status, 401);
    }
}

#[tokio::test]
async fn the_form_is_checked_first() {
    let bench = bench();
    let wrong = Wrong::default();
    let good = bench.draft().signed(&KEY);
    let call = |grant: &str, kind: &str, assertion: &str| {
        form(&[("grant_type", grant), ("client_assertion_type", kind), ("client_assertion", assertion)])
    };
    let fine = call("client_credentials", ASSERTION, &good);
    let cases = [
        ("content type", fine.clone().with("Content-Type", "application/json"), row(415, "invalid_request")),
        ("no content type", fine.clone().without("Content-Type"), row(415, "invalid_request")),
        ("no grant type", form(&[]), row(400, "invalid_request")),
        ("empty grant type", call("", ASSERTION, &good), row(400, "invalid_request")),
        ("other grant", call("password", ASSERTION, &good), row(400, "unsupported_grant_type")),
        ("refresh", call("refresh_token", ASSERTION, &good), row(401, "invalid_grant")),
        ("no assertion type", form(&[("grant_type", "client_credentials")]), row(400, "invalid_request")),
        ("wrong assertion type", call("client_credentials", "saml", &good), row(400, "invalid_request")),
        ("no assertion", call("client_credentials", ASSERTION, ""), row(400, "invalid_request")),
        ("malformed", call("client_credentials", ASSERTION, "a.b"), row(400, "invalid_request")),
        ("no JSON", call("client_credentials", ASSERTION, "YQ.YQ.YQ"), row(400, "invalid_request")),
        ("verb", Call { method: "GET", ..fine.clone() }, row(405, "invalid_request")),
        ("path", Call { path: "/oauth2/tokens".to_owned(), ..fine.clone() }, row(404, "invalid_request")),
    ];
    for (name, call, wanted) in cases {
        wrong.expect(name, &refusal(&call.send(bench.token.provider()).await), &wanted);
    }
    wrong.none();
    let with_charset = fine.with("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(with_charset.send(bench.token.provider()).await.status, 200, "nothing used the jti up");
}

/// Every way an assertion can be wrong, in the order it is looked at: status, error, a word of the
/// description, and how to make it wrong.
type Mistake = (&'static str, u16, &'static str, &'static str, fn(&Bench, Draft) -> Draft);

const MISTAKES: [Mistake; 16] = [
    ("alg", 400, "invalid_request", "alg is not", |_, d| d.header("alg", json!("RS256"))),
    ("expired", 400, "invalid_request", "exp is in the past", |b, d| d.claim("exp", b.ahead(-11))),
    ("kid missing", 400, "invalid_request", "kid is missing", |_, d| d.without("kid")),
    ("typ", 400, "invalid_request", "typ", |_, d| d.header("typ", json!("at+jwt"))),
    ("exp missing", 400, "invalid_request", "exp is missing", |_, d| d.without("exp")),
    ("exp text", 400, "invalid_request", "exp is not a number", |b, d| {
        d.claim("exp", b.ahead(200).to_string().into())
    }),
    ("iss and sub differ", 400, "invalid_request", "differ", |_, d| d.claim("sub", json!("a third"))),
    ("unknown client", 401, "invalid_request", "not known", |_, d| {
        d.claim("iss", json!("another")).claim("sub", json!("another"))
    }),
    ("jti missing", 400, "invalid_request", "jti is missing", |_, d| d.without("jti")),
    ("jti number", 400, "invalid_request", "jti is not a string", |_, d| d.claim("jti", json!(7))),
    ("jti used", 400, "invalid_request", "jti was used", |_, d| d.claim("jti", json!("used-jti"))),
    ("exp too far", 400, "invalid_request", "more than five", |b, d| d.claim("exp", b.ahead(311))),
    ("aud", 401, "invalid_request", "aud", |_, d| d.claim("aud", json!("https://other.example.test/"))),
    ("kid unknown", 401, "invalid_request", "no key of this kid", |_, d| d.header("kid", json!("key-9"))),
    ("alg missing", 400, "invalid_request", "alg is missing", |_, d| d.without("alg")),
    ("typ missing", 400, "invalid_request", "typ", |_, d| d.without("typ")),
];
/// How many of the mistakes come in order; the rest are variants of one place.
const IN_ORDER: usize = 14;

async fn after_a_used_jti() -> Bench {
    let bench = bench();
    let first = bench.draft().claim("jti", json!("used-jti"));
    assert_eq!(bench.ask(&first).await.status, 200);
    bench
}

#[tokio::test]
async fn every_mistake_of_an_assertion_is_refused() {
    let bench = after_a_used_jti().await;
    let wrong = Wrong::default();
    for (name, status, error, word, spoil) in MISTAKES {
        let seen = bench.ask(&spoil(&bench, bench.draft())).await;
        wrong.expect(name, &refusal(&seen), &row(status, error));
        wrong.expect(name, &said(&seen).contains(word), &true);
    }
    wrong.none();
}

/// Only mistakes that leave the earlier one in place are paired: `exp` holds one value.
#[tokio::test]
async fn of_two_mistakes_the_earlier_one_is_named() {
    let bench = after_a_used_jti().await;
    let wrong = Wrong::default();
    for (at, (name, _, _, word, spoil)) in MISTAKES[..IN_ORDER].iter().enumerate() {
        for (later, _, _, _, also) in &MISTAKES[at + 1..IN_ORDER] {
            let draft = spoil(&bench, also(&bench, bench.draft()));
            let seen = bench.ask(&draft).await;
            wrong.expect(&format!("{name} before {later}"), &said(&seen).contains(word), &true);
        }
    }
    wrong.none();
}

#[tokio::test]
async fn the_signature_comes_last() {
    let bench = bench();
    let forged = |draft: &Draft| {
        form(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &draft.signed(&OTHER)),
        ])
    };
    let seen = forged(&bench.draft()).send(bench.token.provider()).await;
    assert_eq!(refusal(&seen), row(401, "public_key error"));
    let both = bench.draft().header("kid", json!("key-9"));
    let seen = forged(&both).send(bench.token.provider()).await;
    assert_eq!(refusal(&seen), row(401, "invalid_request"));
}

#[tokio::test]
async fn clocks_may_differ_by_ten_seconds() {
    let bench = bench();
    for (seconds, status) in [(310, 200), (311, 400), (-10, 200), (-11, 400)] {
        let draft = bench.draft().claim("exp", bench.ahead(seconds));
        assert_eq!(bench.ask(&draft).await.status, status, "{seconds} s");
    }
}

#[tokio::test]
async fn a_jti_is_remembered_for_thirty_days() {
    let bench = after_a_used_jti().await;
    let again = |bench: &Bench| bench.draft().claim("jti", json!("used-jti"));
    bench.clock.forward(SignedDuration::from_hours(30 * 24) - SignedDuration::from_secs(1));
    assert_eq!(bench.ask(&again(&bench)).await.status, 400);
    bench.clock.forward(SignedDuration::from_secs(1));
    assert_eq!(bench.ask(&again(&bench)).await.status, 200);
}

#[tokio::test]
async fn an_assertion_that_is_refused_uses_no_jti_up() {
    let bench = bench();
    let draft = bench.draft();
    let spoilt = draft.clone().claim("aud", json!("https://other.example.test/"));
    assert_eq!(bench.ask(&spoilt).await.status, 401);
    assert_eq!(bench.ask(&draft).await.status, 200);
}

#[tokio::test]
async fn a_missing_key_set_is_403_and_a_new_one_is_seen_after_an_hour() {
    let bench = bench();
    assert_eq!(bench.ask(&bench.draft()).await.status, 200);
    for jwks in [Jwks::Unreachable, Jwks::NotRegistered] {
        bench.token.set_jwks(API_KEY, jwks.clone());
        let seen = bench.ask(&bench.draft()).await;
        assert_eq!(refusal(&seen), row(403, "public_key error"), "{jwks:?}");
    }
    bench.token.set_jwks(API_KEY, Jwks::Published(vec![KEY.public.clone()]));
    assert_eq!(bench.ask(&bench.draft()).await.status, 200);
    let second = MadeUpKey::new("key-2").unwrap();
    bench.token.set_jwks(API_KEY, Jwks::Published(vec![second.public.clone()]));
    bench.clock.forward(SignedDuration::from_secs(3599));
    assert_eq!(bench.ask(&bench.draft()).await.status, 200, "the old copy still counts");
    bench.clock.forward(SignedDuration::from_secs(1));
    assert_eq!(refusal(&bench.ask(&bench.draft()).await), row(401, "invalid_request"));
}

#[tokio::test]
async fn keys_can_be_given_as_a_jwks() {
    let bench = bench();
    let pair = RsaKeyPair::from_pkcs8(&KEY.pkcs8).unwrap();
    let jwk = rsa_numbers(pair.public_key().as_ref());
    let jwks = json!({"keys": [
        {"kty": "EC", "kid": "other", "crv": "P-384"},
        {"kty": "RSA", "kid": "key-1", "alg": "RS512", "n": jwk.0, "e": jwk.1},
    ]});
    let keys = ClientKey::from_jwks(&jwks);
    assert_eq!(keys.len(), 1);
    bench.token.set_jwks(API_KEY, Jwks::Published(keys));
    assert_eq!(bench.ask(&bench.draft()).await.status, 200);
}

/// `n` and `e` of a DER `RSAPublicKey` of 2048 bits.
fn rsa_numbers(der: &[u8]) -> (String, String) {
    // SEQUENCE (4), INTEGER head (4), a zero byte, 256 bytes of n, INTEGER head (2), e.
    (URL_SAFE_NO_PAD.encode(&der[9..265]), URL_SAFE_NO_PAD.encode(&der[267..]))
}

#[tokio::test]
async fn faults_of_the_endpoint_are_told_in_its_words() {
    let bench = bench();
    let cases = [
        (TokenFault::Throttled(Throttle::Quota), 429, "too_many_requests"),
        (TokenFault::UnknownError, 500, "unknown_error"),
        (TokenFault::InvalidClient, 401, "invalid_client"),
        (TokenFault::UnauthorizedClient, 401, "unauthorized_client"),
        (TokenFault::AppRevoked, 401, "access_denied"),
        (TokenFault::NotSubscribed, 403, "access_denied"),
    ];
    for (fault, status, error) in cases {
        bench.token.set_fault(fault, Lifetime::Once);
        let seen = bench.ask(&bench.draft()).await;
        assert_eq!(refusal(&seen), row(status, error), "{fault:?}");
        assert_eq!(seen.header("retry-after"), None);
        assert_eq!(bench.ask(&bench.draft()).await.status, 200, "{fault:?} happened once");
    }
    bench.token.set_fault(TokenFault::AppRevoked, Lifetime::Standing);
    let bad = bench.draft().claim("aud", json!("x"));
    assert_eq!(refusal(&bench.ask(&bad).await), row(401, "invalid_request"), "the assertion goes first");
    bench.token.clear_fault().unwrap();
    assert_eq!(bench.ask(&bench.draft()).await.status, 200);
}

#[tokio::test]
async fn more_than_the_quota_of_a_minute_is_throttled() {
    let bench = limited(RateLimit { quota_per_minute: Some(2), spike_per_minute: None });
    for status in [200, 200, 429] {
        assert_eq!(bench.ask(&bench.draft()).await.status, status);
    }
    bench.clock.forward(SignedDuration::from_secs(60));
    assert_eq!(bench.ask(&bench.draft()).await.status, 200);
    assert_eq!(TokenOptions::default().limit.quota_per_minute, Some(300));
}
