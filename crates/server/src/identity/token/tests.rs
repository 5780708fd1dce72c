use super::*;

const NOW: i64 = 1_767_225_600;

/// The claims of a good token, and of none: `from` is exchanged for `to`.
fn changed(from: &str, to: &str) -> String {
    let good = claims_for_tests(NOW);
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1)
}

fn token(header: &str, claims: &str, signature: &str) -> Result<Token, TokenFault> {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let value = format!("Bearer {}.{}.{signature}", part(header), part(claims));
    Token::read(&HeaderValue::from_str(&value).unwrap())
}

fn unsigned(claims: &str) -> Token {
    token(r#"{"alg":"none","typ":"JWT"}"#, claims, "").unwrap()
}

#[test]
fn only_unsigned_tokens_of_three_parts_are_read() {
    for shape in
        ["", "Bearer", "Bearer x", "Bearer a.b.c.d", "Basic e30.e30.", "Bearer e30=.e30.", "Bearer W10.W10."]
    {
        let fault = Token::read(&HeaderValue::from_str(shape).unwrap()).unwrap_err();
        assert_eq!(fault, TokenFault::Shape, "{shape}");
    }
    let claims = claims_for_tests(NOW);
    for (header, signature) in
        [(r#"{"alg":"HS256"}"#, ""), (r#"{"typ":"JWT"}"#, ""), (r#"{"alg":"none"}"#, "c2ln")]
    {
        assert_eq!(token(header, &claims, signature).unwrap_err(), TokenFault::Signed, "{header}");
    }
}

#[test]
fn bad_claims_are_refused_as_the_published_table_says() {
    for (from, to, status) in [
        (r#""iss":"https://epr.example.test/","#, "", 400),
        (r#""aud":"https://gp.example.test/""#, r#""aud":null"#, 400),
        (r#""sub":"u-17""#, r#""sub":" ""#, 400),
        (r#""iat":1767225600"#, r#""iat":"1767225600""#, 400),
        (r#""iat":1767225600"#, r#""iat":1767225601"#, 400),
        (r#""resourceType":"Device""#, r#""resourceType":"Patient""#, 422),
        (r#""value":"RXX01""#, r#""value":"no code""#, 422),
        (r#""model":"EPR""#, r#""model":"EPR","colour":"red""#, 422),
        (r#""given":["Ada"]}]"#, r#""given":["Ada"]}],"barcode":"1""#, 422),
        ("patient/*.read", "patient/*.write", 400),
        ("patient/*.read", "patient/*.read organization/*.read", 400),
        ("directcare", "migration", 400),
        (r#""sub":"u-17""#, r#""sub":"u-18""#, 400),
    ] {
        let problem = unsigned(&changed(from, to)).check(NOW, Scope::Patient).unwrap_err();
        assert_eq!(problem.status.as_u16(), status, "{to}: {problem:?}");
        assert!(problem.element.unwrap().starts_with("Authorization: "));
    }
}

#[test]
fn clocks_may_differ_a_little() {
    let good = unsigned(&claims_for_tests(NOW));
    for now in [NOW, NOW - 200, NOW + 300] {
        assert!(good.check(now, Scope::Patient).is_ok(), "{now}");
    }
    for now in [NOW + 301, NOW + 600, NOW - 601] {
        assert!(good.check(now, Scope::Patient).is_err(), "{now}");
    }
    assert!(unsigned(&changed("patient/*.read", "patient/*.read conf/N")).check(NOW, Scope::Patient).is_ok());
}

#[test]
fn whoever_cannot_be_named_is_nobody() {
    let named = unsigned(&claims_for_tests(NOW)).requester(Role::Gp).unwrap();
    assert_eq!((named.given.as_str(), named.organisation_name.as_str()), ("Ada", "Community Trust"));
    assert!(unsigned(&changed("RXX01", "")).requester(Role::Gp).is_none());
    assert!(unsigned("{}").requester(Role::Gp).is_none());
}
