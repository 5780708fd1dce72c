//! Callers that must be proven: over real TLS, at a broker that believes nobody.

use std::path::Path;
use std::time::{Duration, Instant};

use mock_providers::{Federation, ProviderHandle};
use serde_json::Value;
use tributary_tests::bundle::Merged;
use tributary_tests::process::Process;
use tributary_tests::{GEORGE, Plan as Sources, audit, configuration, federation, http, parameters};

use crate::caller::{Answer, Folder, Line, Plan, claims, signed};
use crate::pki::{Shown, Wants, now};
use crate::row::{Played, Row};
use crate::scene::{Metrics, RECORD, SOURCES, eventually};
use crate::signer::part;

/// A refusal takes no source's time. Two handshakes and a record on a disk that others use, unoptimised.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The rows of this family.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::own("C11", "a caller without a certificate", || Box::pin(without_certificate())),
        Row::own("C15", "a certificate that is in order, and nobody's", || Box::pin(unknown_caller())),
        Row::own("L06", "no token, or one that proves nothing", || Box::pin(unproven())),
        Row::own("L09", "a token a second time", || Box::pin(replayed())),
    ]
}

/// A broker that asks for certificates and signed tokens, in front of five sources.
struct Proven {
    folder: Folder,
    federation: Federation,
    broker: Process,
    /// Statuses and completeness without any fault.
    usual: (Vec<(String, String)>, String),
}

/// The callers of the suite for that, and the sources of this one.
fn text(folder: &Path, federation: &Federation) -> String {
    let callers = std::fs::read_to_string(folder.join("tributary.toml")).unwrap();
    let (before, rest) = callers.split_once("[[source]]").unwrap();
    let (_, after) = rest.split_once("[[issuer]]").unwrap();
    let plan = Sources { expected: SOURCES.to_vec(), source_keys: "timeout_ms = 1200", ..Sources::default() };
    let text = configuration(federation.source_facts(), &plan, &folder.join("audit"));
    let sources = &text[text.find("[[source]]").unwrap()..text.find("[[demo.patient]]").unwrap()];
    let organisation = "[[organisation]]\nods = \"RZ905\"\nasid = \"200000000305\"\n";
    format!("{before}{organisation}{sources}[[issuer]]{after}")
}

impl Proven {
    async fn set() -> Self {
        let folder = Folder::of(&Plan::default());
        let federation = federation(&Sources::default()).await;
        let (place, text) = (folder.dir.path().to_owned(), text(folder.dir.path(), &federation));
        let broker = tokio::task::spawn_blocking(move || Process::serve(&place, &text)).await.unwrap();
        let mut scene = Self { folder, federation, broker, usual: (Vec::new(), String::new()) };
        scene.usual = scene.proven().await;
        assert!(scene.usual.0.iter().all(|(_, status)| !status.starts_with("unavail")), "{:?}", scene.usual);
        assert_eq!(scene.usual.0.len(), SOURCES.len(), "{:?}", scene.usual);
        scene
    }

    fn usual_certificate(&self) -> Shown {
        self.folder.callers.issue(&Wants::default())
    }

    fn token(&self, shown: &Shown, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = claims(shown);
        change(&mut claims);
        let header = r#"{"alg":"RS512","typ":"JWT","kid":"rs512"}"#;
        format!("Bearer {}", signed(&self.folder.signer, "RS512", header, &claims.to_string()))
    }

    /// Asks for George over a connection with this certificate; nothing where none comes about, or no answer.
    async fn ask(&self, shown: Option<&Shown>, token: Option<&str>) -> Option<Answer> {
        let mut line = Line::open(&self.folder.ours, self.broker.data, shown).await.ok()?;
        let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
        line.post(RECORD, &headers, &parameters(GEORGE, &[])).await.ok()
    }

    /// What somebody is shown who is proven: statuses, and how whole the record is.
    async fn proven(&self) -> (Vec<(String, String)>, String) {
        let shown = self.usual_certificate();
        let answer = self.ask(Some(&shown), Some(&self.token(&shown, |_| {}))).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let head = answer.head.to_ascii_lowercase();
        let completeness = head.lines().find_map(|line| line.strip_prefix("tributary-completeness: "));
        let statuses = Merged::of(serde_json::from_str(&answer.body).unwrap()).statuses();
        (statuses.into_iter().collect(), completeness.unwrap_or_default().to_owned())
    }

    fn asked(&self) -> u64 {
        self.federation.providers().iter().map(ProviderHandle::ask_count).sum()
    }

    fn records(&self) -> Vec<Value> {
        audit::records(&self.folder.dir.path().join("audit"))
    }

    fn count(&self, fits: impl Fn(&Value) -> bool) -> usize {
        self.records().iter().filter(|record| fits(record)).count()
    }

    async fn metrics(&self) -> Metrics {
        Metrics(http::get(self.broker.admin, "/metrics").await.body)
    }

    /// What holds for every refusal: no source was asked and nothing was intended; nothing of the request is anywhere
    /// that it should not be; and whoever is proven is answered as before.
    async fn is_as_before(&self, asked: u64, intents: usize) {
        assert_eq!(self.asked(), asked, "a source was asked");
        assert_eq!(self.count(|record| record["kind"] == "intent"), intents);
        assert_eq!(self.count(|record| record["kind"] == "disclosure"), intents);
        let (metrics, log) = (self.metrics().await.0, self.broker.log_text());
        assert!(!metrics.contains(GEORGE) && !log.contains(GEORGE));
        assert_eq!(self.proven().await, self.usual);
    }
}

/// An answer to nobody: no clinical content, and the words of its kind.
fn is_refusal(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let outcome: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let code = if status == 401 { "login" } else { "forbidden" };
    assert_eq!(outcome["issue"][0]["code"], code, "{outcome}");
    let head = answer.head.to_ascii_lowercase();
    assert_eq!(head.contains("www-authenticate: bearer"), status == 401, "{head}");
    assert!(!head.contains("tributary-completeness") && !head.contains("tributary-audit"), "{head}");
    assert!(!answer.body.contains(GEORGE) && !answer.body.contains("Paracetamol"), "{}", answer.body);
}

/// The handshake is all there is: no byte of HTTP comes back.
async fn without_certificate() -> Played {
    let scene = Proven::set().await;
    let (asked, intents) = (scene.asked(), 1);
    let began = Instant::now();
    let token = scene.token(&scene.usual_certificate(), |_| {});
    for token in [None, Some(token.as_str())] {
        assert!(scene.ask(None, token).await.is_none(), "it was answered");
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let failures = scene.metrics().await.sum("tributary_tls_handshake_failures_total", &[]);
    assert!(failures >= 2.0, "{failures}");
    scene.is_as_before(asked, intents).await;
    Played::Held
}

async fn unknown_caller() -> Played {
    let scene = Proven::set().await;
    let (asked, intents) = (scene.asked(), 1);
    let shown = scene.folder.callers.issue(&Wants { uris: vec!["urn:x-caller:nobody"], ..Wants::default() });
    let began = Instant::now();
    let token = scene.token(&shown, |_| {});
    is_refusal(&scene.ask(Some(&shown), Some(&token)).await.unwrap(), 403);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert_eq!(
        scene.metrics().await.sum("tributary_logins_total", &[("outcome", "unknown-caller")]).to_string(),
        "1"
    );
    eventually("it is on record", || scene.count(|one| one["security"] == "caller-refused") == 1).await;
    scene.is_as_before(asked, intents).await;
    Played::Held
}

type Change = fn(&mut Value);

/// What is wrong with a token, what it comes to, and what it is counted as.
const UNPROVEN: &[(&str, u16, &str, Change)] = &[
    ("expired", 401, "lifetime", |claims| {
        claims["iat"] = (now() - 900).into();
        claims["exp"] = (now() - 600).into();
    }),
    ("not yet valid", 401, "lifetime", |claims| claims["nbf"] = (now() + 200).into()),
    ("for somebody else", 401, "audience", |claims| claims["aud"] = "https://gp.example.test".into()),
    ("of an unknown issuer", 401, "issuer", |claims| claims["iss"] = "https://evil.example".into()),
    ("for another organisation", 403, "organisation", |claims| {
        claims["requesting_organization"]["identifier"][0]["value"] = "RZ999".into();
    }),
];

/// Every way of proving nothing is told in the same words, and counted and recorded apart.
async fn unproven() -> Played {
    let scene = Proven::set().await;
    let (asked, intents) = (scene.asked(), 1);
    let shown = scene.usual_certificate();
    let good = scene.token(&shown, |_| {});
    let (message, _) = good.rsplit_once('.').unwrap();
    let (_, said) = message.split_once('.').unwrap();
    let none = format!("{}.{said}.", part(r#"{"alg":"none","typ":"JWT","kid":"rs512"}"#));
    let mut cases = vec![
        ("missing".to_owned(), 401, "no-token", None),
        ("with another signature".to_owned(), 401, "signature", Some(format!("{message}.AAAA"))),
        ("unsigned".to_owned(), 401, "algorithm", Some(format!("Bearer {none}"))),
    ];
    for (what, status, counted, change) in UNPROVEN {
        cases.push(((*what).to_owned(), *status, counted, Some(scene.token(&shown, change))));
    }
    let mut told = std::collections::BTreeSet::new();
    let (mut counts, mut security) = (std::collections::BTreeMap::<&str, u32>::new(), [0, 0]);
    for (what, status, counted, token) in &cases {
        let began = Instant::now();
        let answer = scene.ask(Some(&shown), token.as_deref()).await.unwrap();
        assert!(began.elapsed() < AT_ONCE, "{what}: {:?}", began.elapsed());
        assert_eq!(answer.status, *status, "{what}: {}", answer.body);
        is_refusal(&answer, *status);
        told.insert((*status, answer.body));
        *counts.entry(counted).or_default() += 1;
        security[usize::from(*status == 403)] += 1;
    }
    assert_eq!(told.len(), 2, "nothing tells one refusal from another: {told:?}");
    let metrics = scene.metrics().await;
    for (counted, count) in counts {
        let found = metrics.sum("tributary_logins_total", &[("outcome", counted)]);
        assert_eq!(found.to_string(), count.to_string(), "{counted}");
    }
    let of = |kind: &str| scene.count(|one| one["security"] == kind);
    eventually("each is on record", || [of("token-refused"), of("caller-refused")] == security).await;
    scene.is_as_before(asked, intents).await;
    Played::Held
}

async fn replayed() -> Played {
    let scene = Proven::set().await;
    let shown = scene.usual_certificate();
    let token = scene.token(&shown, |_| {});
    assert_eq!(scene.ask(Some(&shown), Some(&token)).await.unwrap().status, 200);
    let (asked, intents) = (scene.asked(), 2);
    let began = Instant::now();
    is_refusal(&scene.ask(Some(&shown), Some(&token)).await.unwrap(), 401);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let counted = scene.metrics().await.sum("tributary_logins_total", &[("outcome", "replayed")]);
    assert_eq!(counted.to_string(), "1");
    eventually("it is on record", || scene.count(|one| one["security"] == "token-refused") == 1).await;
    scene.is_as_before(asked, intents).await;
    Played::Held
}
