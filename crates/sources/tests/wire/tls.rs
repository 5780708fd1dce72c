//! Real handshakes: whom a source must be to be asked, and who we are to it.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tributary_model::{FaultClass, Section};
use tributary_sources::egress::{ClientIdentity, SourceTls, TlsVersions, certificates, revocations};
use tributary_sources::{Protocol, SourceEntry};

use crate::{entry, question, source};

/// An authority of the test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM form.
pub(crate) struct Issued {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn issue(&self, name: &str, serial: u64) -> Issued {
        self.issue_for(name, serial, (1975, 4096))
    }

    /// A certificate that is valid from the beginning of one year to the beginning of another.
    fn issue_for(&self, name: &str, serial: u64, (from, to): (i32, i32)) -> Issued {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A list that calls these back, good until the beginning of a year.
    fn calls_back(&self, serials: &[u64], until: i32) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A source that believes this authority alone.
    pub(crate) fn believed(&self) -> SourceTls {
        SourceTls { roots: certificates(self.0.pem().as_bytes()).unwrap(), ..SourceTls::default() }
    }
}

impl Issued {
    /// A server that is this one, and speaks one protocol.
    pub(crate) fn acceptor(&self, protocol: &[u8]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(BOTH).unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(self.chain(), self.key()).unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        certificates(self.certificate.as_bytes()).unwrap()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PemObject::from_pem_slice(self.key.as_bytes()).unwrap()
    }

    fn identity(&self) -> Arc<ClientIdentity> {
        Arc::new(ClientIdentity::read(self.certificate.as_bytes(), self.key.as_bytes()).unwrap())
    }
}

/// What a server demands.
pub(crate) struct Demands<'a> {
    pub(crate) issued: &'a Issued,
    /// The authority that callers must be known to.
    pub(crate) callers: Option<&'a Authority>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

const ONLY_12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const ONLY_13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// A server that answers every request of one handshake with "no such type", which is an answer.
pub(crate) async fn serve(demands: Demands<'_>) -> SocketAddr {
    serve_by(demands, rustls::crypto::aws_lc_rs::default_provider()).await
}

/// The same with other suites.
async fn serve_by(demands: Demands<'_>, provider: CryptoProvider) -> SocketAddr {
    let provider = Arc::new(provider);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(demands.versions)
        .unwrap();
    let builder = match demands.callers {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = Arc::new(authority.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = (demands.issued.chain(), demands.issued.key());
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = match acceptor.accept(stream).into_fallible().await {
                    Ok(stream) => stream,
                    // Closed at once, it would be reset before the caller has read why it was refused.
                    Err((_refused, mut stream)) => {
                        let _ended = stream.read_to_end(&mut Vec::new()).await;
                        return;
                    }
                };
                let mut request = [0; 8192];
                let _read = stream.read(&mut request).await;
                let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","details":{"coding":[{"code":"PATIENT_NOT_FOUND"}]}}]}"#;
                let head = format!(
                    "HTTP/1.1 404 X\r\nContent-Type: application/fhir+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _written = stream.write_all(head.as_bytes()).await;
                let _closed = stream.shutdown().await;
            });
        }
    });
    address
}

/// How an ask ends at a server, by name.
async fn ends(host: &str, address: SocketAddr, tls: SourceTls) -> FaultClass {
    let root = format!("https://{host}:{}/A99901/STU3/1/gpconnect/structured/fhir", address.port());
    let entry = SourceEntry { tls: Some(tls), ..entry(Protocol::GpConnectStructured, &root) };
    source(entry).service.oneshot(question(&[Section::Allergies])).await.unwrap_err().class
}

/// The server answered: it holds no record.
const ANSWERED: FaultClass = FaultClass::NoRecord;

#[tokio::test]
async fn only_its_own_authority_vouches_for_a_source() {
    let (own, other) = (Authority::new(), Authority::new());
    let issued = own.issue("localhost", 1);
    let address = serve(Demands { issued: &issued, callers: None, versions: BOTH }).await;
    assert_eq!(ends("localhost", address, own.believed()).await, ANSWERED);
    assert_eq!(ends("localhost", address, other.believed()).await, FaultClass::TlsUntrusted);
    assert_eq!(ends("localhost", address, SourceTls::default()).await, FaultClass::TlsUntrusted);
}

#[tokio::test]
async fn a_certificate_must_name_the_host() {
    let own = Authority::new();
    let issued = own.issue("gp.example.test", 1);
    let address = serve(Demands { issued: &issued, callers: None, versions: BOTH }).await;
    assert_eq!(ends("localhost", address, own.believed()).await, FaultClass::TlsName);
}

#[tokio::test]
async fn a_certificate_has_its_time() {
    let own = Authority::new();
    for (years, class) in [
        ((2020, 2025), FaultClass::TlsExpired),
        ((2090, 2099), FaultClass::TlsNotYetValid),
        ((2020, 2099), ANSWERED),
    ] {
        let issued = own.issue_for("localhost", 1, years);
        let address = serve(Demands { issued: &issued, callers: None, versions: BOTH }).await;
        assert_eq!(ends("localhost", address, own.believed()).await, class, "{years:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_was_called_back_is_refused() {
    let own = Authority::new();
    let issued = own.issue("localhost", 7);
    let address = serve(Demands { issued: &issued, callers: None, versions: BOTH }).await;
    let (strange, namesake) = (Authority::named("strange"), Authority::new());
    for (name, list, class) in [
        ("another was called back", own.calls_back(&[8], 2099), ANSWERED),
        ("this one was called back", own.calls_back(&[7, 8], 2099), FaultClass::TlsRevoked),
        ("nobody knows", strange.calls_back(&[8], 2099), FaultClass::TlsRevoked),
        ("the list is not its authority's", namesake.calls_back(&[8], 2099), FaultClass::TlsRevoked),
        ("the list has expired", own.calls_back(&[8], 2025), FaultClass::TlsRevoked),
    ] {
        let revoked = revocations(list.as_bytes()).unwrap();
        let tls = SourceTls { revoked, ..own.believed() };
        assert_eq!(ends("localhost", address, tls).await, class, "{name}");
    }
}

#[tokio::test]
async fn a_source_that_wants_to_know_us_does() {
    let (own, theirs) = (Authority::new(), Authority::new());
    let issued = own.issue("localhost", 1);
    let (ours, strange) = (theirs.issue("broker.example.test", 2), own.issue("broker.example.test", 3));
    for versions in [BOTH, ONLY_12] {
        let address = serve(Demands { issued: &issued, callers: Some(&theirs), versions }).await;
        let with = |identity| SourceTls { identity, ..own.believed() };
        assert_eq!(ends("localhost", address, with(Some(ours.identity()))).await, ANSWERED);
        // With TLS 1.3 the refusal comes after our side of the handshake.
        for identity in [None, Some(strange.identity())] {
            let class = ends("localhost", address, with(identity)).await;
            assert_eq!(class, FaultClass::TlsClientRejected);
        }
    }
}

#[tokio::test]
async fn versions_are_those_of_the_registry() {
    let own = Authority::new();
    let issued = own.issue("localhost", 1);
    for (versions, ours, class) in [
        (ONLY_12, TlsVersions::Both, ANSWERED),
        (ONLY_12, TlsVersions::Only12, ANSWERED),
        (ONLY_13, TlsVersions::Both, ANSWERED),
        (ONLY_13, TlsVersions::Only12, FaultClass::TlsVersion),
    ] {
        let address = serve(Demands { issued: &issued, callers: None, versions }).await;
        let tls = SourceTls { versions: ours, ..own.believed() };
        assert_eq!(ends("localhost", address, tls).await, class, "{ours:?}");
    }
}

#[tokio::test]
async fn a_source_without_a_suite_of_ours_is_told_from_one_that_refuses_us() {
    let own = Authority::new();
    let issued = own.issue("localhost", 1);
    // Its key is of another kind than its suites, so none fits.
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| format!("{:?}", suite.suite()).contains("ECDHE_RSA"));
    let address = serve_by(Demands { issued: &issued, callers: None, versions: ONLY_12 }, provider).await;
    assert_eq!(ends("localhost", address, own.believed()).await, FaultClass::TlsVersion);
}
