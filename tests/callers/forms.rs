//! Forms that a system signed and a browser posts: the good one, and whatever else is tried.

use serde_json::{Value, json};
use tributary_tests::{GEORGE, parameters, tells};

use crate::launch::{OPENS, PAGES, PROGRAM, browse, header, records, scene};
use crate::pki::{Shown, now};
use crate::scene::{Answer, Scene, US, claims, signed};
use crate::signer::Signer;

/// The token of a form that opens George's page.
struct Form {
    header: Value,
    claims: Value,
    way: &'static str,
}

impl Form {
    fn good(scene: &Scene) -> Self {
        Self::to(&scene.usual(), PAGES)
    }

    fn to(shown: &Shown, pages: &str) -> Self {
        let mut claims = claims(shown);
        claims["aud"] = format!("{pages}/launch").into();
        claims["exp"] = (now() + 60).into();
        claims["patient"] = GEORGE.into();
        claims["purpose"] = "directcare".into();
        claims.as_object_mut().unwrap().remove("cnf");
        Self { header: json!({"alg": "RS512", "typ": "launch+jwt", "kid": "rs512"}), claims, way: "RS512" }
    }

    fn token(&self, scene: &Scene) -> String {
        self.signed(&scene.signer)
    }

    fn signed(&self, signer: &Signer) -> String {
        signed(signer, self.way, &self.header.to_string(), &self.claims.to_string())
    }

    fn without(&mut self, claim: &str) {
        self.claims.as_object_mut().unwrap().remove(claim);
    }
}

/// What a system writes into a form of its own page.
pub(crate) fn form_token(signer: &Signer, shown: &Shown, pages: &str) -> String {
    Form::to(shown, pages).signed(signer)
}

async fn posts(scene: &Scene, token: &str, headers: &[(&str, &str)]) -> Answer {
    browse(scene, "POST /launch", headers, &format!("launch={token}")).await
}

#[tokio::test]
async fn a_signed_form_opens_one_page_and_leaves_nothing_readable_behind() {
    let scene = scene("").await;
    let form = Form::good(&scene);
    let token = form.token(&scene);
    let sent_on = posts(&scene, &token, OPENS).await;
    assert_eq!(sent_on.status, 303, "{}", sent_on.body);
    let address = header(&sent_on, "location").to_owned();
    assert!(address.starts_with("/launch/") && !address.contains(&token[..40]), "{address}");
    let page = browse(&scene, &format!("GET {address}"), OPENS, "").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("999 000 0107") && page.body.contains("Ada Okoro"), "{}", page.body);
    assert_eq!(browse(&scene, &format!("GET {address}"), OPENS, "").await.status, 404, "once");
    // The form again: a page of a browser would be kept with it, so it leads to an address.
    let again = posts(&scene, &token, OPENS).await;
    assert_eq!((again.status, header(&again, "location")), (303, "/refused/unproven"));
    let page = browse(&scene, "GET /refused/unproven", OPENS, "").await;
    assert_eq!(page.status, 401);
    assert!(page.body.contains("No record was opened"), "{}", page.body);
    // In an address it is not even looked at.
    let fresh = Form::good(&scene).token(&scene);
    for first in [format!("GET /launch?launch={fresh}"), format!("POST /launch?launch={fresh}")] {
        let answer = browse(&scene, &first, PROGRAM, "").await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains("A launch is posted"), "{}", answer.body);
    }
    assert_eq!(posts(&scene, &fresh, OPENS).await.status, 303);
    let records = records(scene).await;
    let launches: Vec<_> = records.iter().filter(|record| record["kind"] == "launch").collect();
    assert_eq!(launches.len(), 2);
    assert_eq!(launches[0]["token"]["kind"], "signed");
    assert_eq!(launches[0]["consumer"], json!({"id": "epr"}), "a browser has no certificate");
}

type Change = fn(&mut Form);

const ATTACKS: &[(&str, u16, Change)] = &[
    ("unsigned", 401, |form| {
        form.way = "empty";
        form.header["alg"] = "none".into();
    }),
    ("signed by somebody else", 401, |form| form.way = "other RS512"),
    ("another algorithm", 401, |form| {
        form.way = "RS256";
        form.header["alg"] = "RS256".into();
    }),
    ("for the records", 401, |form| form.claims["aud"] = US.into()),
    ("for somebody else", 401, |form| form.claims["aud"] = "https://other.example.test/launch".into()),
    ("for two", 401, |form| form.claims["aud"] = json!([format!("{PAGES}/launch"), US])),
    ("an issuer whose callers launch nothing", 401, |form| {
        form.claims["iss"] = "https://stranger.example.test".into();
    }),
    ("an issuer of sign-ins", 401, |form| form.claims["iss"] = "https://cis2.example.test".into()),
    ("nobody's issuer", 401, |form| form.claims["iss"] = "https://nobody.example.test".into()),
    ("expired", 401, |form| {
        form.claims["iat"] = (now() - 200).into();
        form.claims["exp"] = (now() - 100).into();
    }),
    ("for too long", 401, |form| form.claims["exp"] = (now() + 121).into()),
    ("of tomorrow", 401, |form| {
        form.claims["iat"] = (now() + 86_400).into();
        form.claims["exp"] = (now() + 86_460).into();
    }),
    ("a token for requests", 401, |form| form.header["typ"] = "JWT".into()),
    ("bound to a connection", 401, |form| form.claims["cnf"] = json!({"x5t#S256": "AAAA"})),
    ("about nobody", 401, |form| form.without("patient")),
    ("a number that is none", 401, |form| form.claims["patient"] = "9990000108".into()),
    ("a number as a number", 401, |form| form.claims["patient"] = json!(9_990_000_107_u64)),
    ("a purpose that is none", 401, |form| form.claims["purpose"] = "curiosity".into()),
    ("without an id", 401, |form| form.without("jti")),
    ("another organisation", 403, |form| {
        form.claims["requesting_organization"]["identifier"][0]["value"] = "RZ999".into();
    }),
    ("another role", 403, |form| form.claims["role"] = "gp".into()),
    ("another system", 403, |form| form.claims["client_id"] = "other".into()),
    ("oversize", 401, |form| form.claims["colour"] = "r".repeat(17_000).into()),
];

#[tokio::test]
async fn no_other_form_opens_anything() {
    let scene = scene("").await;
    for (name, status, change) in ATTACKS {
        let mut form = Form::good(&scene);
        change(&mut form);
        let token = form.token(&scene);
        let answer = posts(&scene, &token, PROGRAM).await;
        assert_eq!(answer.status, *status, "{name}: {}", answer.body);
        assert!(answer.body.contains("OperationOutcome"), "{name}");
        assert!(!tells(&answer.body, "0107") && !answer.body.contains(GEORGE), "{name}");
        let browser = posts(&scene, &token, OPENS).await;
        let expected = if *status == 401 { "/refused/unproven" } else { "/refused/forbidden" };
        assert_eq!((browser.status, header(&browser, "location")), (303, expected), "{name}");
    }
    let good = Form::good(&scene).token(&scene);
    let mut altered = good.clone().into_bytes();
    let at = good.find('.').unwrap() + 60;
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    assert_eq!(posts(&scene, std::str::from_utf8(&altered).unwrap(), PROGRAM).await.status, 401, "altered");
    let twice = browse(&scene, "POST /launch", PROGRAM, &format!("launch={good}&launch={good}")).await;
    assert_eq!(twice.status, 401, "which is meant?");
    let large = browse(&scene, "POST /launch", PROGRAM, &format!("launch={}", "a".repeat(70_000))).await;
    assert_eq!(large.status, 413);
    // The form's token is no token for a request, though it is the system's own.
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let bearer = format!("Bearer {good}");
    let answer = line.post("/launch", &[("Authorization", &bearer)], &parameters(GEORGE, &[])).await.unwrap();
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(posts(&scene, &good, OPENS).await.status, 303, "it was good all the time");
    let refused = scene.security_records().await;
    let count = |what: &str| refused.iter().filter(|one| *one == what).count();
    let forbidden = ATTACKS.iter().filter(|(_, status, _)| *status == 403).count();
    assert_eq!(count("caller-refused"), 2 * forbidden);
    assert_eq!(count("token-refused"), 2 * (ATTACKS.len() - forbidden) + 3);
}

#[tokio::test]
async fn a_launch_is_held_to_what_its_token_says() {
    let scene = scene("").await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let token = scene.bearer_saying(&shown, |claims| claims["reason_for_request"] = "audit".into());
    let answer = line.post("/launch", &[("Authorization", &token)], &parameters(GEORGE, &[])).await.unwrap();
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("reason_for_request") && !answer.body.contains(GEORGE), "{}", answer.body);
    drop(line);
    let mut form = Form::good(&scene);
    form.claims["reason_for_request"] = "audit".into();
    let answer = posts(&scene, &form.token(&scene), PROGRAM).await;
    assert_eq!(answer.status, 403, "{}", answer.head);
    let denied = records(scene).await;
    let denied = denied.iter().filter(|record| record["why"]["denied"] == "reason-for-request").count();
    assert_eq!(denied, 2);
}
