//! Serves one patient's record, in which one word stands thousands of times: plain, over TLS, and over HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tributary_model::TraceId;

use crate::memory::Disguised;

struct Record {
    patient: Bytes,
    allergies: Bytes,
    connections: AtomicUsize,
    answers: AtomicUsize,
}

pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(serve());
}

fn bundle(entries: &[String]) -> Bytes {
    let entries: Vec<_> =
        entries.iter().map(|one| format!(r#"{{"search":{{"mode":"match"}},"resource":{one}}}"#)).collect();
    let total = entries.len();
    Bytes::from(format!(
        r#"{{"resourceType":"Bundle","type":"searchset","total":{total},"entry":[{}]}}"#,
        entries.join(",")
    ))
}

impl Record {
    fn of(word: &str) -> Self {
        let patient = format!(
            r#"{{"resourceType":"Patient","id":"p1","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}],"name":[{{"text":"{word}"}}]}}"#
        );
        let allergies = (0..1500).map(|number| {
            format!(
                r#"{{"resourceType":"AllergyIntolerance","id":"a{number}","patient":{{"reference":"Patient/p1"}},"note":[{{"text":"{word} {number} {word} {word}"}}]}}"#
            )
        });
        let allergies = bundle(&allergies.collect::<Vec<_>>());
        Self {
            patient: bundle(&[patient]),
            allergies,
            connections: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
        }
    }

    /// An answer, which also tells how many connections there were.
    fn answer(&self, path: &str) -> Bytes {
        let bundle = match path {
            "/fhir/Patient/_search" => &self.patient,
            _ => &self.allergies,
        };
        let id = format!(r#"{{"id":"connections-{}","#, self.connections.load(Ordering::Relaxed));
        Bytes::from([id.as_bytes(), &bundle[1..]].concat())
    }
}

async fn serve() {
    let word = format!("{}{}", TraceId::random(), TraceId::random()).replace('-', "");
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let tls = |protocol: &[u8]| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(vec![own.der().clone()], key).unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    };
    let plain = listen(&word, None).await;
    let http1 = listen(&word, Some(tls(b"http/1.1"))).await;
    let http2 = listen(&word, Some(tls(b"h2"))).await;
    let authority = authority.pem().replace('\n', "|");
    println!("{} {plain} {http1} {http2} {authority}", Disguised::of(&word));
    std::future::pending::<()>().await;
}

async fn listen(word: &str, tls: Option<TlsAcceptor>) -> u16 {
    let record = Arc::new(Record::of(word));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            record.connections.fetch_add(1, Ordering::Relaxed);
            let (record, tls) = (Arc::clone(&record), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => converse(stream, record).await,
                    Some(tls) => converse(tls.accept(stream).await.unwrap(), record).await,
                }
            });
        }
    });
    port
}

/// A body whose length its head does not tell.
fn undeclared(body: Bytes) -> impl Body<Data = Bytes, Error = Infallible> {
    StreamBody::new(futures_util::stream::iter([Ok(Frame::data(body))]))
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, record: Arc<Record>) {
    let answering = service_fn(move |request: Request<Incoming>| {
        let record = Arc::clone(&record);
        async move {
            let body = record.answer(request.uri().path());
            // The whole request first, or the connection would not be used again.
            let _read = request.into_body().collect().await;
            // A declared length and chunks in turn: two records of two searches each.
            let number = record.answers.fetch_add(1, Ordering::Relaxed);
            let body = if number % 4 < 2 { Full::new(body).boxed() } else { undeclared(body).boxed() };
            Response::builder().header("content-type", "application/fhir+json").body(body)
        }
    });
    let _ended =
        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answering).await;
}
