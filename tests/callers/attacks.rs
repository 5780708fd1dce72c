//! Tokens that are not what they should be, each with what becomes of it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tributary_tests::http;

use crate::pki::{Shown, now};
use crate::scene::{Plan, SIGN_IN, Scene, claims, signed};
use crate::signer::part;

/// A token that is being made.
struct Draft<'s> {
    scene: &'s Scene,
    shown: &'s Shown,
    header: Value,
    claims: Value,
    way: &'static str,
    /// Changes the texts of header and claims before they are signed.
    spell: fn(&str) -> String,
    /// Changes the token after it was signed.
    spoil: fn(String) -> String,
    /// The whole value of `Authorization`, where it is not `Bearer` and the token.
    whole: Option<String>,
    user: Option<String>,
}

impl Draft<'_> {
    fn token(&self) -> String {
        let header = (self.spell)(&self.header.to_string());
        (self.spoil)(signed(&self.scene.signer, self.way, &header, &(self.spell)(&self.claims.to_string())))
    }

    fn signs(&mut self, way: &'static str, kid: &str) {
        self.way = way;
        self.header["alg"] = way.split(' ').next().unwrap().into();
        self.header["kid"] = kid.into();
    }

    /// Adds the id token of the person, changed.
    fn signed_in(&mut self, change: impl FnOnce(&mut Value)) {
        let mut claims = json!({
            "iss": SIGN_IN, "sub": "656005750104", "aud": "client-of-epr", "iat": now() - 600, "exp": now() + 2_400,
            "authentication_assurance_level": "3", "selected_roleid": "656014452101",
            "given_name": "Ada", "family_name": "Okoro",
            "nhsid_nrbac_roles": [
                {"person_roleid": "656014452101", "org_code": "RZ905", "role_code": "S8000:G8000:R8001"},
                {"person_roleid": "656014452102", "org_code": "RZ777", "role_code": "S8000:G8000:R0260"},
            ],
        });
        change(&mut claims);
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "sign-in"}).to_string();
        self.user = Some(signed(&self.scene.signer, "other RS256", &header, &claims.to_string()));
    }

    fn organisation(&mut self) -> &mut Value {
        &mut self.claims["requesting_organization"]["identifier"][0]
    }
}

type Change = fn(&mut Draft<'_>);

fn drop_claim(draft: &mut Draft<'_>, name: &str) {
    draft.claims.as_object_mut().unwrap().remove(name);
}

/// What lets the caller in, and edges of it.
const GOOD: &[(&str, u16, Change)] = &[
    ("rs512", 200, |_| {}),
    ("ps256", 200, |t| t.signs("PS256", "ps256")),
    ("es256", 200, |t| t.signs("ES256", "es256")),
    ("es384", 200, |t| t.signs("ES384", "es384")),
    ("eddsa", 200, |t| t.signs("EdDSA", "eddsa")),
    ("typ at+jwt", 200, |t| t.header["typ"] = "at+JWT".into()),
    ("typ with application", 200, |t| t.header["typ"] = "application/at+jwt".into()),
    ("one audience in a list", 200, |t| t.claims["aud"] = json!([t.claims["aud"]])),
    ("made fifty seconds ahead", 200, |t| {
        t.claims["iat"] = (now() + 50).into();
        t.claims["exp"] = (now() + 350).into();
    }),
    ("ended fifty seconds ago", 200, |t| {
        t.claims["iat"] = (now() - 350).into();
        t.claims["exp"] = (now() - 50).into();
    }),
    ("nbf now", 200, |t| t.claims["nbf"] = now().into()),
    ("the other organisation of the caller", 200, |t| t.organisation()["value"] = "RZ906".into()),
    ("no role: the caller's usual one", 200, |t| drop_claim(t, "role")),
    ("a claim that nobody knows", 200, |t| t.claims["colour"] = "red".into()),
    ("a header that nobody knows", 200, |t| t.header["colour"] = "red".into()),
    ("scheme in small letters", 200, |t| t.whole = Some(format!("bearer {}", t.token()))),
    ("signed in", 200, |t| t.signed_in(|_| {})),
    ("signed in, by class", 200, |t| {
        t.signed_in(|user| {
            user.as_object_mut().unwrap().remove("authentication_assurance_level");
            user["acr"] = "AAL3_ANY".into();
        });
    }),
];

/// Nothing is proven: 401.
const UNPROVEN: &[(&str, u16, Change)] = &[
    ("none, without a signature", 401, |t| t.signs("empty", "rs512")),
    ("alg none", 401, |t| {
        t.way = "empty";
        t.header["alg"] = "none".into();
    }),
    ("alg None, signed", 401, |t| t.header["alg"] = "None".into()),
    ("alg absent", 401, |t| drop(t.header.as_object_mut().unwrap().remove("alg"))),
    ("alg a list", 401, |t| t.header["alg"] = json!(["RS512"])),
    ("alg in small letters", 401, |t| t.header["alg"] = "rs512".into()),
    ("hs256 with the modulus", 401, |t| t.signs("HS256 modulus", "rs512")),
    ("hs256 with the set", 401, |t| t.signs("HS256 set", "rs512")),
    ("hs256 with a secret in the set", 401, |t| t.signs("HS256 secret", "secret")),
    ("rs256, which the issuer does not sign with", 401, |t| t.signs("RS256", "rs256")),
    ("rs256 under the key of rs512", 401, |t| t.signs("RS256", "rs512")),
    ("ps256 under the key of rs512", 401, |t| t.signs("PS256", "rs512")),
    ("es384 under the key of es256", 401, |t| t.signs("ES384", "es256")),
    ("es256 in der", 401, |t| t.signs("ES256 DER", "es256")),
    ("es256 of zeros", 401, |t| {
        t.signs("ES256", "es256");
        t.way = "zeros";
    }),
    ("eddsa of zeros", 401, |t| {
        t.signs("EdDSA", "eddsa");
        t.way = "zeros";
    }),
    ("another's key", 401, |t| t.way = "other RS512"),
    ("another's key under its kid", 401, |t| t.signs("other RS512", "foreign")),
    ("kid absent", 401, |t| drop(t.header.as_object_mut().unwrap().remove("kid"))),
    ("kid empty", 401, |t| t.header["kid"] = "".into()),
    ("kid a path", 401, |t| t.header["kid"] = "../../../../dev/null".into()),
    ("kid sql", 401, |t| t.header["kid"] = "rs512' UNION SELECT 'c2VjcmV0".into()),
    ("kid a command", 401, |t| t.header["kid"] = "rs512|sleep 9".into()),
    ("kid in large letters", 401, |t| t.header["kid"] = "RS512".into()),
    ("kid with nul", 401, |t| t.header["kid"] = "rs512\0".into()),
    ("jku", 401, |t| t.header["jku"] = "https://evil.example/keys".into()),
    ("x5u", 401, |t| t.header["x5u"] = "https://evil.example/chain".into()),
    ("jwk", 401, |t| t.header["jwk"] = t.scene.signer.foreign_jwk()),
    ("jwk, signed with it", 401, |t| {
        t.signs("other RS512", "foreign");
        t.header["jwk"] = t.scene.signer.foreign_jwk();
    }),
    ("x5c", 401, |t| t.header["x5c"] = json!([STANDARD.encode("chain")])),
    ("crit", 401, |t| t.header["crit"] = json!(["exp"])),
    ("crit empty", 401, |t| t.header["crit"] = json!([])),
    ("b64", 401, |t| t.header["b64"] = false.into()),
    ("zip", 401, |t| t.header["zip"] = "DEF".into()),
    ("typ absent", 401, |t| drop(t.header.as_object_mut().unwrap().remove("typ"))),
    ("typ of an id token of logout", 401, |t| t.header["typ"] = "logout+jwt".into()),
    ("typ a number", 401, |t| t.header["typ"] = 1.into()),
    ("a token in a token", 401, |t| t.header["cty"] = "JWT".into()),
    ("iss absent", 401, |t| drop_claim(t, "iss")),
    ("iss unknown", 401, |t| t.claims["iss"] = "https://evil.example".into()),
    ("iss with a slash", 401, |t| t.claims["iss"] = "https://epr.example.test/".into()),
    ("iss of an issuer that is not this caller's, signed by it", 401, |t| {
        t.signs("other RS512", "foreign");
        t.claims["iss"] = "https://stranger.example.test".into();
    }),
    ("iss of the sign-in", 401, |t| t.claims["iss"] = SIGN_IN.into()),
    ("sub absent", 401, |t| drop_claim(t, "sub")),
    ("sub another person", 401, |t| t.claims["sub"] = "u-18".into()),
    ("sub a number", 401, |t| t.claims["sub"] = 17.into()),
    ("aud absent", 401, |t| drop_claim(t, "aud")),
    ("aud another", 401, |t| t.claims["aud"] = "https://gp.example.test".into()),
    ("aud with a slash", 401, |t| t.claims["aud"] = "https://record.example.test/".into()),
    ("aud us and another", 401, |t| t.claims["aud"] = json!([t.claims["aud"], "https://gp.example.test"])),
    ("aud nobody", 401, |t| t.claims["aud"] = json!([])),
    ("aud an object", 401, |t| t.claims["aud"] = json!({"0": t.claims["aud"]})),
    ("exp absent", 401, |t| drop_claim(t, "exp")),
    ("exp a text", 401, |t| t.claims["exp"] = (now() + 300).to_string().into()),
    ("exp with a fraction", 401, |t| t.claims["exp"] = json!(2_000_000_000.5)),
    ("exp null", 401, |t| t.claims["exp"] = Value::Null),
    ("exp for ever", 401, |t| t.claims["exp"] = u64::MAX.into()),
    ("exp the largest time", 401, |t| t.claims["exp"] = i64::MAX.into()),
    ("exp before iat", 401, |t| t.claims["exp"] = (now() - 1).into()),
    ("exp 301 s after iat", 401, |t| t.claims["exp"] = (t.claims["iat"].as_u64().unwrap() + 301).into()),
    ("ended a minute ago", 401, |t| {
        t.claims["iat"] = (now() - 362).into();
        t.claims["exp"] = (now() - 62).into();
    }),
    ("ended long ago", 401, |t| {
        t.claims["iat"] = 1_500_000_000.into();
        t.claims["exp"] = 1_500_000_300.into();
    }),
    ("L07 iat 200 s ahead", 401, |t| {
        t.claims["iat"] = (now() + 200).into();
        t.claims["exp"] = (now() + 500).into();
    }),
    ("L07 iat 600 s ago", 401, |t| {
        t.claims["iat"] = (now() - 600).into();
        t.claims["exp"] = (now() - 300).into();
    }),
    ("iat absent", 401, |t| drop_claim(t, "iat")),
    ("iat negative", 401, |t| t.claims["iat"] = (-1).into()),
    ("iat a date", 401, |t| t.claims["iat"] = "2026-03-10T02:10:00Z".into()),
    ("nbf ahead", 401, |t| t.claims["nbf"] = (now() + 120).into()),
    ("nbf after exp", 401, |t| t.claims["nbf"] = (now() + 301).into()),
    ("nbf a text", 401, |t| t.claims["nbf"] = "now".into()),
    ("jti absent", 401, |t| drop_claim(t, "jti")),
    ("jti blank", 401, |t| t.claims["jti"] = " ".into()),
    ("jti long", 401, |t| t.claims["jti"] = "j".repeat(257).into()),
    ("cnf absent", 401, |t| drop_claim(t, "cnf")),
    ("cnf of another certificate", 401, |t| t.claims["cnf"] = json!({"x5t#S256": part([7; 32])})),
    ("cnf cut short", 401, |t| t.claims["cnf"] = json!({"x5t#S256": part(&t.shown.sha256[..31])})),
    ("cnf by another way", 401, |t| t.claims["cnf"] = json!({"jkt": part(t.shown.sha256)})),
    ("cnf empty", 401, |t| t.claims["cnf"] = json!({})),
    ("claims twice", 401, |t| t.spell = |text| text.replacen('{', "{\"sub\":\"u-1\",", 1)),
    ("a claim twice by another spelling", 401, |t| {
        t.spell = |text| text.replacen('{', "{\"\\u0073ub\":\"u-17\",", 1);
    }),
    ("a claim twice inside", 401, |t| {
        t.spell = |text| text.replace("\"value\":\"RZ905\"", "\"value\":\"RZ905\",\"value\":\"RZ906\"");
    }),
    ("header twice", 401, |t| t.spell = |text| text.replacen("{\"alg\"", "{\"alg\":\"none\",\"alg\"", 1)),
    ("deep", 401, |t| t.claims["deep"] = (0..20).fold(json!(1), |inner, _| json!([inner]))),
    ("no person", 401, |t| drop_claim(t, "requesting_practitioner")),
    ("a person of another kind", 401, |t| {
        t.claims["requesting_practitioner"]["resourceType"] = "Patient".into();
    }),
    ("no organisation at all", 401, |t| drop_claim(t, "requesting_organization")),
    ("two person ids in one system", 401, |t| {
        let id = t.claims["requesting_practitioner"]["identifier"][0].clone();
        t.claims["requesting_practitioner"]["identifier"] = json!([id, id]);
    }),
    ("a name with control characters", 401, |t| {
        t.claims["requesting_practitioner"]["name"][0]["family"] = "a\nb".into();
    }),
    ("claims that are a list", 401, |t| t.claims = json!([t.claims])),
    ("cut in the middle", 401, |t| t.spoil = |text| text[..text.len() / 2].to_owned()),
    ("cut by a letter", 401, |t| t.spoil = |text| text[..text.len() - 1].to_owned()),
    ("a signature and more", 401, |t| t.spoil = |text| text + "AAAA"),
    ("padded", 401, |t| t.spoil = |text| text + "="),
    ("four parts", 401, |t| t.spoil = |text| text + ".e30"),
    ("two parts", 401, |t| t.spoil = |text| text.rsplit_once('.').unwrap().0.to_owned()),
    ("another's claims under this signature", 401, |t| {
        t.spoil = |text| {
            let mut parts = text.split('.');
            let (header, _, signature) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
            format!("{header}.{}.{signature}", part("{\"iss\":\"https://epr.example.test\"}"))
        };
    }),
    ("of the other alphabet", 401, |t| t.spoil = |text| format!("+/+/{text}")),
    ("with a letter of another script", 401, |t| {
        t.whole = Some(format!("Bearer {}", t.token().replacen('e', "\u{435}", 1)));
    }),
    ("huge", 401, |t| t.whole = Some(format!("Bearer {}", "A".repeat(12 << 10)))),
    ("basic", 401, |t| t.whole = Some("Basic dXNlcjpwYXNz".to_owned())),
    ("a word", 401, |t| t.whole = Some("Bearer".to_owned())),
    ("two tokens in one", 401, |t| t.whole = Some(format!("Bearer {0}, Bearer {0}", t.token()))),
    ("signed in elsewhere", 401, |t| t.signed_in(|user| user["aud"] = "client-of-another".into())),
    ("signed in long ago", 401, |t| {
        t.signed_in(|user| {
            user["iat"] = (now() - 3_000).into();
            user["exp"] = (now() - 600).into();
        });
    }),
    ("signed in as another person", 401, |t| t.signed_in(|user| user["sub"] = "656005750105".into())),
    ("signed in by an issuer that signs no one in", 401, |t| t.user = Some(t.token())),
    ("an id token as the caller's own", 401, |t| {
        t.signed_in(|_| {});
        t.whole = Some(format!("Bearer {}", t.user.take().unwrap()));
    }),
    ("a user token that is none", 401, |t| t.user = Some("x".to_owned())),
];

/// It is proven, and not allowed: 403.
const FORBIDDEN: &[(&str, u16, Change)] = &[
    ("another organisation", 403, |t| t.organisation()["value"] = "RZ999".into()),
    ("an organisation without a code", 403, |t| t.organisation()["value"] = "none of them".into()),
    ("an organisation by another system", 403, |t| {
        t.organisation()["system"] = "https://evil.example/ods".into();
    }),
    ("a role that the caller may not assert", 403, |t| t.claims["role"] = "gp".into()),
    ("a role that is none", 403, |t| t.claims["role"] = "god".into()),
    ("a role that is a list", 403, |t| t.claims["role"] = json!(["community-nurse"])),
    ("a role in large letters", 403, |t| t.claims["role"] = "Community-Nurse".into()),
    ("signed in too loosely", 403, |t| {
        t.signed_in(|user| user["authentication_assurance_level"] = "2".into());
    }),
    ("signed in, and nobody says how", 403, |t| {
        t.signed_in(|user| {
            user.as_object_mut().unwrap().remove("authentication_assurance_level");
        });
    }),
    ("signed in with several roles and none selected", 403, |t| {
        t.signed_in(|user| {
            user.as_object_mut().unwrap().remove("selected_roleid");
        });
    }),
    ("signed in with a role that is not theirs", 403, |t| {
        t.signed_in(|user| user["selected_roleid"] = "1".into());
    }),
    ("signed in for another organisation", 403, |t| {
        t.signed_in(|user| user["selected_roleid"] = "656014452102".into());
    }),
    ("signed in with a role that means nothing here", 403, |t| {
        t.signed_in(|user| {
            user["nhsid_nrbac_roles"][0]["role_code"] = "S8000:G8000:R9999".into();
        });
    }),
    ("signed in without roles", 403, |t| t.signed_in(|user| user["nhsid_nrbac_roles"] = json!([]))),
];

#[tokio::test]
async fn every_attack_on_a_token_ends_as_it_should() {
    let scene = Scene::set(&Plan::default()).await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let (mut wrong, mut bodies) = (Vec::new(), BTreeSet::new());
    for (name, expected, change) in GOOD.iter().chain(UNPROVEN).chain(FORBIDDEN) {
        let mut draft = Draft {
            scene: &scene,
            shown: &shown,
            header: json!({"alg": "RS512", "typ": "JWT", "kid": "rs512"}),
            claims: claims(&shown),
            way: "RS512",
            spell: str::to_owned,
            spoil: |text| text,
            whole: None,
            user: None,
        };
        change(&mut draft);
        let whole = draft.whole.clone().unwrap_or_else(|| format!("Bearer {}", draft.token()));
        let user = draft.user.as_deref().map(|user| ("Tributary-User-Token", user));
        let headers: Vec<_> = [("Authorization", whole.as_str())].into_iter().chain(user).collect();
        let answer = line.ask("/sources", &headers).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        if answer.status != *expected {
            wrong.push(format!("{name}: {} for {expected}", answer.status));
        }
        if answer.status != 200 {
            assert!(!answer.head.to_ascii_lowercase().contains("set-cookie"));
            let asks = answer.head.to_ascii_lowercase().contains("www-authenticate: bearer");
            assert_eq!(asks, answer.status == 401, "{name}: {}", answer.head);
            bodies.insert(answer.body);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(UNPROVEN.len() + FORBIDDEN.len() >= 60);
    assert_eq!(bodies.len(), 2, "nothing tells one refusal from another: {bodies:#?}");
    let metrics = http::get(scene.running.admin_addr(), "/metrics").await.body;
    let proven = format!("tributary_logins_total{{outcome=\"proven\"}} {}\n", GOOD.len());
    assert!(metrics.contains(&proven), "{metrics}");
    drop(line);
    let records = scene.security_records().await;
    let count = |kind: &str| records.iter().filter(|one| *one == kind).count();
    assert_eq!((count("token-refused"), count("caller-refused")), (UNPROVEN.len(), FORBIDDEN.len()));
}

/// L09.
#[tokio::test]
async fn a_token_lets_in_once() {
    let scene = Scene::set(&Plan::default()).await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let token = scene.bearer(&shown);
    let headers = [("Authorization", token.as_str())];
    assert_eq!(line.ask("/sources", &headers).await.unwrap().status, 200);
    assert_eq!(line.ask("/sources", &headers).await.unwrap().status, 401);
    let mut another = scene.connect(Some(&shown)).await.unwrap();
    assert_eq!(another.ask("/sources", &headers).await.unwrap().status, 401, "nor over another connection");
    // Reading the configuration again forgets nothing.
    let mut scene = scene;
    let file = scene.file();
    scene.running.reload(&file).await.unwrap();
    assert_eq!(another.ask("/sources", &headers).await.unwrap().status, 401, "nor after a reload");
    let fresh = scene.bearer(&shown);
    assert_eq!(another.ask("/sources", &[("Authorization", &fresh)]).await.unwrap().status, 200);
}

#[tokio::test]
async fn without_a_token_there_is_only_health() {
    let scene = Scene::set(&Plan::default()).await;
    let mut line = scene.connect(Some(&scene.usual())).await.unwrap();
    for (path, status) in [
        ("/_ping", 200),
        ("/_status", 200),
        ("/sources", 401),
        ("/", 401),
        ("/fhir/R4/metadata", 401),
        ("/nowhere", 401),
    ] {
        assert_eq!(line.ask(path, &[]).await.unwrap().status, status, "{path}");
    }
    let unsigned = tributary_tests::bearer();
    assert_eq!(line.ask("/sources", &[("Authorization", &unsigned)]).await.unwrap().status, 401);
}

/// T05.
#[tokio::test]
async fn a_stolen_token_is_of_no_use_to_another_caller() {
    use crate::pki::Wants;

    let scene = Scene::set(&Plan::default()).await;
    let token = scene.bearer(&scene.usual());
    let wants = [
        Wants::default(),
        Wants { uris: vec!["urn:x-caller:other"], ..Wants::default() },
        Wants { uris: vec!["urn:x-caller:relay"], ..Wants::default() },
    ];
    for (wants, status) in wants.iter().zip([401, 401, 403]) {
        let mut line = scene.connect(Some(&scene.callers.issue(wants))).await.unwrap();
        let answer = line.ask("/sources", &[("Authorization", &token)]).await.unwrap();
        assert_eq!(answer.status, status, "{wants:?}");
    }
}
