//! Authorities of the test's own, and certificates good and bad.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use tributary_tests::tls::Issued;

/// The name that the caller of the scenes is registered with.
pub(crate) const NAME: &str = "urn:x-caller:epr";

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens and certificates are judged by the true time")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// An authority for callers.
#[derive(Debug)]
pub(crate) struct Callers(CertifiedIssuer<'static, KeyPair>);

/// What a caller's certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Wants {
    pub(crate) uris: Vec<&'static str>,
    pub(crate) hosts: Vec<&'static str>,
    pub(crate) common: Option<&'static str>,
    pub(crate) purposes: Vec<ExtendedKeyUsagePurpose>,
    pub(crate) years: (i32, i32),
    pub(crate) serial: u64,
}

impl Default for Wants {
    fn default() -> Self {
        Self {
            uris: vec![NAME],
            hosts: Vec::new(),
            common: None,
            purposes: vec![ExtendedKeyUsagePurpose::ClientAuth],
            years: (2020, 2099),
            serial: 7,
        }
    }
}

impl Callers {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Two authorities with one name would be told apart by nothing but their keys.
        let name = KeyPair::generate().unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("callers {:?}", &name.public_key_raw()[1..9]));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate; its fingerprint is what a token is bound to.
    pub(crate) fn issue(&self, wants: &Wants) -> Shown {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.serial_number = Some(SerialNumber::from(wants.serial));
        params.not_before = date_time_ymd(wants.years.0, 1, 1);
        params.not_after = date_time_ymd(wants.years.1, 1, 1);
        params.extended_key_usages.clone_from(&wants.purposes);
        let uris = wants.uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
        let hosts = wants.hosts.iter().map(|host| SanType::DnsName((*host).try_into().unwrap()));
        params.subject_alt_names = uris.chain(hosts).collect();
        if let Some(common) = wants.common {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, common);
        }
        let key = KeyPair::generate().unwrap();
        let spki: [u8; 32] = {
            use rcgen::PublicKeyData as _;
            Sha256::digest(key.subject_public_key_info()).into()
        };
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let sha256 = Sha256::digest(certificate.der()).into();
        let issued = Issued { certificate: certificate.pem(), key: key.serialize_pem() };
        Shown { issued, sha256, spki_sha256: spki }
    }

    /// A list that calls these back; the next is due so many seconds from now, or was.
    pub(crate) fn list(&self, serials: &[u64], next_secs: i64) -> String {
        let epoch = date_time_ymd(1970, 1, 1);
        let at = |seconds: u64| epoch + Duration::from_secs(seconds);
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(now() - 7 * 86_400),
            next_update: at(now().checked_add_signed(next_secs).unwrap()),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).and_then(|list| list.pem()).unwrap()
    }
}

/// What a caller shows.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) issued: Issued,
    pub(crate) sha256: [u8; 32],
    pub(crate) spki_sha256: [u8; 32],
}
