//! Tokens under a clock that stands still until a test moves it.

use super::*;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use tokio::time::advance;
use tributary_fhir::{Document, Limits};

use crate::national::stub::{KEY, Stub, granted, granting, received, tokens};

const SOON: Duration = Duration::from_secs(5);

fn soon() -> Deadline {
    Deadline::after(SOON)
}

fn text(token: &Token) -> String {
    token.bearer().into_inner()
}

/// The assertion of a token request.
fn assertion(outgoing: &Outgoing) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(&outgoing.body);
    let (_, assertion) = pairs.into_owned().find(|(key, _)| key == "client_assertion").unwrap();
    assertion.split('.').map(str::to_owned).collect()
}

fn json(part: &str) -> Document {
    Document::scan(URL_SAFE_NO_PAD.decode(part).unwrap(), &Limits::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_assertion_is_what_the_platform_wants() {
    let service = granting();
    tokens(service.clone()).bearer(soon()).await.unwrap();
    let asked = &service.seen()[0];
    assert_eq!(asked.method, Method::POST);
    assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
    let pairs: Vec<_> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
    assert_eq!(pairs[0], ("grant_type".into(), "client_credentials".into()));
    assert_eq!(pairs[1].1, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let [head, claims, signature] = &assertion(asked)[..] else { panic!("three parts") };
    assert_eq!(json(head).text(), r#"{"alg":"RS512","typ":"JWT","kid":"kid-1"}"#);
    let claims_read = json(claims);
    let claims_read = claims_read.root();
    let names: Vec<_> = claims_read.members().map(|(name, _)| name).collect();
    assert_eq!(names, ["iss", "sub", "aud", "jti", "exp"]);
    assert!(claims_read.says("iss", "client-1") && claims_read.says("sub", "client-1"));
    assert!(claims_read.says("aud", "https://token.example.test/oauth2/token"));
    // 240 seconds after the clock of the test: less than the five minutes allowed.
    assert_eq!(claims_read.get("exp").unwrap().raw(), "1773108840");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, KEY.public_key().as_ref());
    let signed = format!("{head}.{claims}");
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_assertion_has_its_own_id() {
    let service =
        Stub::new(Duration::ZERO, |number, _| Ok(received(200, &granted(number).replace("3599", "10"))));
    let tokens = tokens(service.clone());
    for _ in 0..3 {
        tokens.bearer(soon()).await.unwrap();
        advance(Duration::from_secs(11)).await;
    }
    let ids: std::collections::BTreeSet<_> = service
        .seen()
        .iter()
        .map(|one| json(&assertion(one)[1]).root().text_at("jti").unwrap().into_owned())
        .collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_one_request() {
    let service = granting();
    let tokens = tokens(service.clone());
    let all = join_all((0..50).map(|_| tokens.bearer(soon()))).await;
    assert!(all.iter().all(|one| text(one.as_ref().unwrap()) == "Bearer t-0"));
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_does_not_take_the_request_along() {
    let service = granting();
    let tokens = tokens(service.clone());
    let first = tokens.bearer(Deadline::after(Duration::from_millis(10))).await;
    assert_eq!(first.unwrap_err(), OauthFault::Late);
    assert_eq!(text(&tokens.bearer(soon()).await.unwrap()), "Bearer t-0");
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_to_four_fifths_of_its_life() {
    let service = granting();
    let tokens = tokens(service.clone());
    tokens.bearer(soon()).await.unwrap();
    advance(Duration::from_secs(2870)).await;
    assert_eq!(text(&tokens.bearer(soon()).await.unwrap()), "Bearer t-0");
    advance(Duration::from_secs(10)).await;
    let all = join_all((0..9).map(|_| tokens.bearer(soon()))).await;
    assert!(all.iter().all(|one| text(one.as_ref().unwrap()) == "Bearer t-1"));
    assert_eq!(service.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_token_does_until_it_ends_when_no_new_one_is_given() {
    let service = Stub::new(Duration::from_millis(50), |number, _| match number {
        0 => Ok(received(200, &granted(0))),
        _ => Err(SourceFault::new(FaultClass::Connect)),
    });
    let tokens = tokens(service.clone());
    tokens.bearer(soon()).await.unwrap();
    advance(Duration::from_mins(48)).await;
    for _ in 0..5 {
        assert_eq!(text(&tokens.bearer(soon()).await.unwrap()), "Bearer t-0");
    }
    assert_eq!(service.seen().len(), 2, "a failure is not repeated at once");
    advance(Duration::from_mins(12)).await;
    let fault = tokens.bearer(soon()).await.unwrap_err();
    assert_eq!(fault, OauthFault::Unreachable(FaultClass::Connect));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_not_repeated_for_a_second() {
    let service = Stub::new(Duration::from_millis(50), |_, _| Ok(received(500, "")));
    let tokens = tokens(service.clone());
    let all = join_all((0..9).map(|_| tokens.bearer(soon()))).await;
    assert!(all.iter().all(|one| one.as_ref().unwrap_err() == &OauthFault::Failed(500)));
    assert_eq!(tokens.bearer(soon()).await.unwrap_err(), OauthFault::Failed(500));
    assert_eq!(service.seen().len(), 1);
    advance(AFTER_FAILURE).await;
    tokens.bearer(soon()).await.unwrap_err();
    assert_eq!(service.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once_for_all_who_hold_it() {
    let service = granting();
    let tokens = tokens(service.clone());
    let old = tokens.bearer(soon()).await.unwrap();
    let all = join_all((0..9).map(|_| tokens.renewed(&old, soon()))).await;
    assert!(all.iter().all(|one| text(one.as_ref().unwrap()) == "Bearer t-1"));
    // Whoever comes late with the old one gets the new one.
    let new = tokens.renewed(&old, soon()).await.unwrap();
    assert_eq!(service.seen().len(), 2);
    assert_eq!(tokens.renewed(&new, soon()).await.unwrap_err(), OauthFault::RefusedAgain);
    advance(FORCED_APART).await;
    assert_eq!(text(&tokens.renewed(&new, soon()).await.unwrap()), "Bearer t-2");
}

#[tokio::test(start_paused = true)]
async fn refusals_keep_their_published_reason_and_no_word_more() {
    let cases = [
        (400, r#"{"error":"invalid_request","error_description":"x"}"#, TokenError::InvalidRequest),
        (401, r#"{"error":"public_key error"}"#, TokenError::PublicKey),
        (403, r#"{"error":"access_denied"}"#, TokenError::AccessDenied),
        (401, r#"{"error":"9990000107"}"#, TokenError::Other),
        (415, "<html>", TokenError::Other),
    ];
    for (http, body, error) in cases {
        let service = Stub::new(Duration::ZERO, move |_, _| Ok(received(http, body)));
        let fault = tokens(service).bearer(soon()).await.unwrap_err();
        assert_eq!(fault, OauthFault::Refused { http, error }, "{body}");
        assert!(!fault.to_string().contains("999"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_usable_token_is_none() {
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"access_token":"t","token_type":"Bearer"}"#,
        r#"{"access_token":"t","token_type":"Bearer","expires_in":"soon"}"#,
        r#"{"access_token":"t","token_type":"Bearer","expires_in":"0"}"#,
        r#"{"access_token":"","token_type":"Bearer","expires_in":"10"}"#,
        r#"{"access_token":"a b","token_type":"Bearer","expires_in":"10"}"#,
        r#"{"access_token":"t\r\nX: y","token_type":"Bearer","expires_in":"10"}"#,
        r#"{"access_token":"t","token_type":"mac","expires_in":"10"}"#,
    ] {
        let service = Stub::new(Duration::ZERO, move |_, _| Ok(received(200, body)));
        assert_eq!(tokens(service).bearer(soon()).await.unwrap_err(), OauthFault::Malformed, "{body}");
    }
    let number = r#"{"access_token":"t","token_type":"bearer","expires_in":3599}"#;
    let service = Stub::new(Duration::ZERO, move |_, _| Ok(received(200, number)));
    assert!(tokens(service).bearer(soon()).await.is_ok());
}

#[test]
fn a_key_is_rsa_in_pem_or_der() {
    let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    let armour = |name: &str, bytes: &[u8]| {
        let lines = STANDARD.encode(bytes);
        let lines: Vec<_> =
            lines.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n"))
    };
    assert!(ClientKey::read(der.as_ref()).is_ok());
    assert!(ClientKey::read(armour("PRIVATE KEY", der.as_ref()).as_bytes()).is_ok());
    for bad in [b"".as_slice(), b"secret", b"-----BEGIN PRIVATE KEY-----\nAA==\n"] {
        assert_eq!(ClientKey::read(bad).unwrap_err(), KeyError::Form);
    }
    let public = armour("PUBLIC KEY", KEY.public_key().as_ref());
    assert_eq!(ClientKey::read(public.as_bytes()).unwrap_err(), KeyError::Form);
    let elliptic =
        aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING);
    let elliptic = elliptic.unwrap().to_pkcs8v1().unwrap();
    assert_eq!(ClientKey::read(elliptic.as_ref()).unwrap_err(), KeyError::Kind);
}

#[tokio::test(start_paused = true)]
async fn nothing_prints_a_token_or_a_key() {
    let tokens = tokens(granting());
    let token = tokens.bearer(soon()).await.unwrap();
    let shown = format!("{token:?} {tokens:?} {:?} {:?}", token.bearer(), crate::national::stub::key());
    assert!(!shown.contains("t-0"), "{shown}");
}
