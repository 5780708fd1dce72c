use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
    SerialNumber, date_time_ymd,
};

use super::*;

fn certificate(change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().der().to_vec(), key)
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn names_purposes_and_times_are_read() {
    let (der, key) = certificate(|params| {
        params.subject_alt_names = vec![
            SanType::DnsName("EPR.Example.Test".try_into().unwrap()),
            SanType::URI("urn:x-caller:Epr".try_into().unwrap()),
            SanType::Rfc822Name("a@example.test".try_into().unwrap()),
        ];
        params.distinguished_name.push(DnType::CommonName, "epr");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    });
    let read = Certificate::read(&der).unwrap();
    let names =
        ["dns:epr.example.test", "uri:urn:x-caller:Epr"].map(|name| CertificateName::parse(name).unwrap());
    assert_eq!(read.names(), names, "the common name does not count beside others");
    assert!(read.is_for_clients());
    assert_eq!(read.spki_sha256(), sha256(&key.subject_public_key_info()));
    assert_eq!(read.sha256(), sha256(&der));
    assert!(read.holds_at(instant("2020-01-01T00:00:00Z")) && read.holds_at(instant("2049-12-31T00:00:00Z")));
    assert!(
        !read.holds_at(instant("2019-12-31T23:59:59Z")) && !read.holds_at(instant("2049-12-31T00:00:01Z"))
    );
}

#[test]
fn without_other_names_there_is_the_common_one() {
    let (der, _) = certificate(|params| params.distinguished_name.push(DnType::CommonName, "epr"));
    let read = Certificate::read(&der).unwrap();
    // rcgen writes a common name of its own first.
    assert!(read.names().contains(&CertificateName::Common("epr".to_owned())), "{read:?}");
    assert!(!read.is_for_clients(), "it does not say what it is for");
    let (der, _) =
        certificate(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert!(!Certificate::read(&der).unwrap().is_for_clients());
}

#[test]
fn no_damage_makes_a_certificate_stop_us() {
    let (der, _) = certificate(|params| {
        params.subject_alt_names = vec![SanType::URI("urn:x-caller:epr".try_into().unwrap())];
    });
    for length in 0..der.len() {
        assert!(Certificate::read(&der[..length]).is_none(), "{length}");
        let mut broken = der.clone();
        broken[length] ^= 0xFF;
        let _whatever = Certificate::read(&broken);
    }
}

#[test]
fn exact_names_only() {
    for bad in ["epr.example.test", "dns:*.example.test", "uri:", "email:a@b", "dns:a b", "dns:\u{e9}", "cn:"]
    {
        assert!(CertificateName::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(CertificateName::parse("dns:A.Test").unwrap(), CertificateName::Dns("a.test".to_owned()));
    assert_eq!(CertificateName::parse("cn:A b").unwrap(), CertificateName::Common("A b".to_owned()));
}

#[test]
fn the_dates_of_a_list_are_read() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2055, 1, 2),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let dates = ListDates::read(list.signed_by(&issuer).unwrap().der()).unwrap();
    assert_eq!((dates.made, dates.next), (instant("2026-01-01T00:00:00Z"), instant("2055-01-02T00:00:00Z")));
    assert_eq!(ListDates::read(b""), None);
}
