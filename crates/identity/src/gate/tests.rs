use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
use tributary_model::{NhsNumber, OdsCode, Relationship, Role};

use super::*;
use crate::certificate::CertificateName;
use crate::issuer::Binding;
use crate::key::{Algorithm, KeySet};
use crate::refused::Told;

const NOW: i64 = 1_767_225_600;
const URI: &str = "urn:x-caller:epr";

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn certificate() -> Certificate {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![SanType::URI(URI.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    Certificate::read(params.self_signed(&key).unwrap().der()).unwrap()
}

fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A gate for one caller that signs with this key.
fn gate(key: &Ed25519KeyPair, change: impl FnOnce(&mut Consumer)) -> Gate {
    let mut consumer = Consumer {
        id: "epr".to_owned(),
        name: "EPR".to_owned(),
        organisations: [OdsCode::parse("RZ905").unwrap()].into(),
        asids: [(OdsCode::parse("RZ905").unwrap(), "200000000305".to_owned())].into(),
        names: vec![CertificateName::parse(&format!("uri:{URI}")).unwrap()],
        pins: Vec::new(),
        priority: None,
        profiles: vec![Profile::Native],
        roles: vec![Role::Gp],
        default_role: Some(Role::Gp),
        relationship: Relationship::Unknown,
        issuers: vec!["https://epr.test".to_owned()],
        cis2_client: None,
    };
    change(&mut consumer);
    let issuer = Issuer {
        iss: "https://epr.test".to_owned(),
        audiences: vec!["https://us.test".to_owned()],
        algorithms: vec![Algorithm::EdDsa],
        kinds: vec!["jwt".to_owned()],
        most_life_secs: 300,
        binding: Binding::WhereGiven,
        shape: ClaimShape::GpConnect,
    };
    let x = part(key.public_key());
    let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{x}"}}]}}"#);
    let ring = KeyRing::pinned(KeySet::read(set.as_bytes(), &issuer.algorithms).unwrap());
    let consumers = Consumers::of(vec![consumer]).unwrap();
    Gate::new(consumers, [(issuer, Arc::new(ring))], Arc::new(Replays::default()))
}

fn token(key: &Ed25519KeyPair) -> String {
    token_saying(key, "")
}

/// The same, with further claims.
fn token_saying(key: &Ed25519KeyPair, more: &str) -> String {
    let end = NOW + 300;
    let claims = format!(
        r#"{{{more}"iss":"https://epr.test","sub":"u","aud":"https://us.test","iat":{NOW},"exp":{end},"jti":"1","requesting_organization":{{"resourceType":"Organization","identifier":[{{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"RZ905"}}]}},"requesting_practitioner":{{"resourceType":"Practitioner","id":"u"}}}}"#
    );
    let signed = format!("{}.{}", part(r#"{"alg":"EdDSA","typ":"JWT","kid":"a"}"#), part(claims));
    let signature = part(key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

async fn ask(gate: &Gate, token: &str) -> Result<Requester, Refused> {
    let authorization = format!("Bearer {token}");
    let tokens = Tokens { authorization: &authorization, user: None };
    gate.requester(Some(&certificate()), tokens, now()).await
}

/// Every letter of a token that is exchanged for another makes it worthless, and uses nothing up.
#[tokio::test]
async fn no_letter_of_a_token_can_be_exchanged() {
    let key = Ed25519KeyPair::generate().unwrap();
    let (gate, token) = (gate(&key, |_| {}), token(&key));
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let spoilt = String::from_utf8(bytes).unwrap();
        let refused = ask(&gate, &spoilt).await.unwrap_err();
        assert_eq!(refused.told(), Told::Unproven, "{at}: {refused:?}");
    }
    let requester = ask(&gate, &token).await.unwrap();
    let proof = requester.proof.unwrap();
    assert_eq!((requester.assurance, requester.role), (Assurance::Signed, Role::Gp));
    assert_eq!((proof.consumer.as_str(), proof.token, proof.aal), ("epr", TokenKind::Signed, None));
    assert_eq!(proof.jti_sha256, Some(crate::issuer::sha256(b"1")));
    assert_eq!(ask(&gate, &token).await, Err(Refused::Replayed));
}

/// Takes something from an entry.
type Change = fn(&mut Consumer);

/// Whatever an entry does not say, it does not allow.
#[tokio::test]
async fn an_entry_that_says_nothing_allows_nothing() {
    let key = Ed25519KeyPair::generate().unwrap();
    let rows: [(Change, Refused); 7] = [
        (|one| one.names.clear(), Refused::UnknownCaller),
        (|one| one.organisations.clear(), Refused::Organisation),
        (|one| one.roles.clear(), Refused::Role),
        (|one| one.default_role = None, Refused::Role),
        (|one| one.profiles.clear(), Refused::Profile),
        (|one| one.issuers.clear(), Refused::Issuer),
        (|one| one.pins = vec![[7; 32]], Refused::Pin),
    ];
    for (change, refused) in rows {
        assert_eq!(ask(&gate(&key, change), &token(&key)).await, Err(refused));
    }
}

#[tokio::test]
async fn nobody_comes_without_a_certificate() {
    let key = Ed25519KeyPair::generate().unwrap();
    let authorization = format!("Bearer {}", token(&key));
    let tokens = Tokens { authorization: &authorization, user: None };
    let gate = gate(&key, |_| {});
    assert_eq!(gate.requester(None, tokens, now()).await, Err(Refused::NoCertificate));
    // One that was good when the connection began, and is not any more.
    let later = Timestamp::from_second(253_402_000_000).unwrap();
    assert_eq!(gate.requester(Some(&certificate()), tokens, later).await, Err(Refused::NoCertificate));
}

/// The system id belongs to a system and an organisation, and one that is not registered to none.
#[test]
fn a_system_id_is_one_organisations() {
    let key = Ed25519KeyPair::generate().unwrap();
    let ods = |code: &str| OdsCode::parse(code).unwrap();
    let gate = gate(&key, |one| drop(one.asids.insert(ods("RZ906"), "200000000306".to_owned())));
    let certificate = certificate();
    let consumer = gate.consumer(Some(&certificate), now()).unwrap();
    for (asid, organisation, expected) in [
        ("200000000305", "RZ905", Ok(())),
        ("200000000306", "RZ906", Ok(())),
        ("200000000306", "RZ905", Err(Refused::Asid)),
        ("200000000305", "RZ906", Err(Refused::Asid)),
        ("200000000307", "RZ905", Err(Refused::Asid)),
        ("", "RZ905", Err(Refused::Asid)),
        ("200000000305", "RZ907", Err(Refused::Asid)),
        ("", "RZ907", Err(Refused::Asid)),
    ] {
        assert_eq!(consumer.sends_as(asid, &ods(organisation)), expected, "{asid} {organisation}");
    }
}

/// A token counts as far as its system may vouch, and for the patient that it names.
#[tokio::test]
async fn a_relationship_is_vouched_for_by_who_may() {
    use Relationship::{Asserted, Evidenced, Unknown};
    let key = Ed25519KeyPair::generate().unwrap();
    let number = |text: &str| NhsNumber::parse(text).unwrap();
    let said = r#""relationship":{"nhs_number":"9990000107","basis":"caseload","id":"C-1"},"#;
    let asserted = r#""relationship":{"nhs_number":"9990000107"},"#;
    for (claims, may, expected) in [
        ("", Evidenced, Unknown),
        (asserted, Unknown, Unknown),
        (asserted, Asserted, Asserted),
        (asserted, Evidenced, Asserted),
        (said, Unknown, Unknown),
        (said, Asserted, Asserted),
        (said, Evidenced, Evidenced),
    ] {
        let gate = gate(&key, |one| one.relationship = may);
        let requester = ask(&gate, &token_saying(&key, claims)).await.unwrap();
        assert_eq!(requester.relationship_to(number("9990000107")), expected, "{claims} {may:?}");
        assert_eq!(requester.relationship_to(number("9990000204")), Unknown, "{claims} {may:?}");
    }
    let gate = gate(&key, |_| {});
    let wrong = token_saying(&key, r#""relationship":"9990000107","#);
    assert_eq!(ask(&gate, &wrong).await, Err(Refused::Claims));
}
