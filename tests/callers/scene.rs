//! A broker whose callers must be proven, and one of them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use mock_providers::Federation;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tributary::{Running, Settings};
use tributary_tests::tls::{Authority, Validity};

use crate::pki::{Callers, Shown, Wants, now};
use crate::signer::{Signer, part};

pub(crate) const ISSUER: &str = "https://epr.example.test";
pub(crate) const SIGN_IN: &str = "https://cis2.example.test";
pub(crate) const US: &str = "https://record.example.test";
const DAY: i64 = 86_400;

pub(crate) struct Scene {
    pub(crate) running: Running,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ours: Authority,
    pub(crate) callers: Callers,
    pub(crate) signer: Signer,
}

/// What differs from scene to scene.
pub(crate) struct Plan {
    /// Serial numbers that are called back.
    pub(crate) revoked: Vec<u64>,
    /// When the next list is due, from now.
    pub(crate) next_secs: i64,
    /// Added to the text.
    pub(crate) more: String,
    /// Changes the text.
    pub(crate) change: fn(String) -> String,
}

impl Default for Plan {
    fn default() -> Self {
        Self { revoked: Vec::new(), next_secs: DAY, more: String::new(), change: |text| text }
    }
}

/// Writes a key that nobody else can read.
pub(crate) fn secret(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Puts a certificate of ours for `localhost` where the configuration looks for it.
pub(crate) fn show(ours: &Authority, dir: &Path) {
    let issued = ours.issue("localhost", 1, Validity::Present);
    std::fs::write(dir.join("server.pem"), issued.certificate).unwrap();
    secret(&dir.join("server.key"), &issued.key);
}

const TEXT: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
public_base_url = "https://record.example.test"
lame_duck_secs = 0
[server.tls]
cert_file = "server.pem"
key_file = "server.key"
client_ca_file = "callers.pem"
client_crl_file = "callers-crl.pem"
[server.gpconnect]
listen = "127.0.0.1:0"
public_base_url = "https://gpconnect.example.test"
[server.gpconnect.tls]
cert_file = "server.pem"
key_file = "server.key"
client_ca_file = "callers.pem"
client_crl_file = "callers-crl.pem"
[audit]
dir = "audit"
[[source]]
id = "gp-a99901"
kind = "gp"
protocol = "gpconnect-structured"
ods = "A99901"
asid = "200000000205"
base_url = "http://127.0.0.1:9/A99901/STU3/1/gpconnect/structured/fhir"
[[issuer]]
id = "epr"
iss = "https://epr.example.test"
audience = ["https://record.example.test"]
algorithms = ["RS512", "PS256", "ES256", "ES384", "EdDSA"]
jwks_file = "epr.json"
[[issuer]]
id = "stranger"
iss = "https://stranger.example.test"
audience = ["https://record.example.test"]
algorithms = ["RS512"]
jwks_file = "stranger.json"
[[issuer]]
id = "cis2"
iss = "https://cis2.example.test"
algorithms = ["RS256"]
claims = "cis2"
min_aal = 3
max_life_secs = 3600
jwks_file = "cis2.json"
[[issuer.role]]
code = "R8001"
role = "community-nurse"
[[issuer.role]]
code = "R0260"
role = "gp"
[[consumer]]
id = "epr"
ods = ["RZ905", "RZ906"]
certificate_names = ["uri:urn:x-caller:epr"]
profiles = ["native", "cis2", "gpconnect"]
roles = ["community-nurse", "ucr-clinician"]
default_role = "community-nurse"
issuers = ["epr", "cis2"]
cis2_client = "client-of-epr"
[[consumer.system]]
ods = "RZ905"
asid = "200000000305"
[[consumer.system]]
ods = "RZ906"
asid = "200000000306"
[[consumer]]
id = "other"
ods = ["RZ999"]
certificate_names = ["uri:urn:x-caller:other", "dns:other.example.test"]
roles = ["gp"]
issuers = ["epr"]
[[consumer]]
id = "common"
ods = ["RZ905"]
certificate_names = ["cn:common caller"]
accepts_common_name = true
roles = ["community-nurse"]
default_role = "community-nurse"
issuers = ["epr"]
[[consumer]]
id = "pinned"
ods = ["RZ905"]
certificate_names = ["uri:urn:x-caller:pinned"]
spki_sha256 = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
roles = ["community-nurse"]
default_role = "community-nurse"
issuers = ["epr"]
[[consumer]]
id = "relay"
ods = ["RZ905"]
certificate_names = ["uri:urn:x-caller:relay"]
profiles = ["gpconnect"]
roles = ["gp"]
default_role = "gp"
[[consumer.system]]
ods = "RZ905"
asid = "200000000307"
"#;

/// Everything that the text names, in a folder of its own.
pub(crate) struct Folder {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ours: Authority,
    pub(crate) callers: Callers,
    pub(crate) signer: Signer,
}

impl Folder {
    pub(crate) fn of(plan: &Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ours, callers, signer) = (Authority::new(), Callers::new(), Signer::new());
        show(&ours, dir.path());
        let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        write("callers.pem", callers.pem());
        write("callers-crl.pem", callers.list(&plan.revoked, plan.next_secs));
        write("epr.json", signer.set().to_string());
        write("stranger.json", json!({"keys": [signer.foreign_jwk()]}).to_string());
        write("cis2.json", signer.sign_in_set().to_string());
        let mut text = (plan.change)(TEXT.to_owned());
        text.write_str(&plan.more).unwrap();
        write("tributary.toml", text);
        Self { dir, ours, callers, signer }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("tributary.toml")
    }
}

impl Scene {
    pub(crate) async fn set(plan: &Plan) -> Self {
        Self::of(Folder::of(plan)).await
    }

    /// The same, where the folder is there.
    pub(crate) async fn of(folder: Folder) -> Self {
        let settings = Settings::load(&folder.file()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        assert_eq!(settings.obstacles(), [], "the scene can be served");
        let running = Running::start(settings).await.expect("the broker starts");
        let Folder { dir, ours, callers, signer } = folder;
        Self { running, dir, ours, callers, signer }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("tributary.toml")
    }

    /// The caller's usual certificate.
    pub(crate) fn usual(&self) -> Shown {
        self.callers.issue(&Wants::default())
    }

    /// A connection to the listener where tokens are signed.
    pub(crate) async fn connect(&self, shown: Option<&Shown>) -> std::io::Result<Line> {
        Line::open(&self.ours, self.running.data_addr(), shown).await
    }

    /// A connection to the listener for GP Connect.
    pub(crate) async fn connect_gpconnect(&self, shown: Option<&Shown>) -> std::io::Result<Line> {
        Line::open(&self.ours, self.running.gpconnect_addr().unwrap(), shown).await
    }

    /// A token that lets the usual caller in, once.
    pub(crate) fn bearer(&self, shown: &Shown) -> String {
        self.bearer_saying(shown, |_| {})
    }

    /// The same, with other claims.
    pub(crate) fn bearer_saying(&self, shown: &Shown, change: impl FnOnce(&mut Value)) -> String {
        let (header, mut claims) = (json!({"alg": "RS512", "typ": "JWT", "kid": "rs512"}), claims(shown));
        change(&mut claims);
        format!("Bearer {}", signed(&self.signer, "RS512", &header.to_string(), &claims.to_string()))
    }

    /// Ends the broker; gives what its security records say.
    pub(crate) async fn security_records(self) -> Vec<String> {
        self.running.stop().await.unwrap();
        let records = tributary_tests::audit::records(&self.dir.path().join("audit"));
        let kinds = records.iter().filter_map(|record| record["security"].as_str());
        kinds.map(str::to_owned).collect()
    }
}

/// The hospital of George's story, as a source of the configuration.
pub(crate) fn acute(sources: &Federation) -> String {
    let acute = sources.source_facts().iter().find(|facts| facts.id == "acute-a").unwrap();
    format!(
        "[[source]]\nid = \"acute-a\"\nkind = \"acute\"\nprotocol = \"fhir-r4\"\nods = \"RA001\"\n\
         base_url = \"{}\"\ntimeout_ms = 3000\n",
        acute.base_url
    )
}

/// A token of these texts.
pub(crate) fn signed(signer: &Signer, way: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = part(signer.sign(way, &message));
    format!("{message}.{signature}")
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// The claims of a good token, never the same twice.
pub(crate) fn claims(shown: &Shown) -> Value {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    json!({
        "iss": ISSUER, "sub": "u-17", "aud": US, "iat": now(), "exp": now() + 300,
        "jti": format!("token-{number}"), "cnf": {"x5t#S256": part(shown.sha256)},
        "role": "community-nurse", "reason_for_request": "directcare",
        "requesting_organization": {"resourceType": "Organization", "name": "Mersey Community Trust",
            "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RZ905"}]},
        "requesting_practitioner": {"resourceType": "Practitioner", "id": "u-17",
            "identifier": [{"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "656005750104"}],
            "name": [{"family": "Okoro", "given": ["Ada"]}]},
    })
}

/// A connection that stays open.
pub(crate) struct Line(TlsStream<TcpStream>);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Line {
    pub(crate) async fn open(
        ours: &Authority,
        address: SocketAddr,
        shown: Option<&Shown>,
    ) -> std::io::Result<Self> {
        ours.connect(address, &["http/1.1"], shown.map(|shown| &shown.issued)).await.map(Self)
    }

    /// How many tickets came for taking the session up again.
    pub(crate) fn tickets(&self) -> u32 {
        self.0.get_ref().1.tls13_tickets_received()
    }

    /// Asks, and reads one answer.
    pub(crate) async fn ask(&mut self, path: &str, headers: &[(&str, &str)]) -> std::io::Result<Answer> {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), headers, "").await
    }

    /// Asks for a record, and reads one answer.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<Answer> {
        let length = body.len();
        let first = format!(
            "POST {path} HTTP/1.1\r\nContent-Type: application/fhir+json\r\nContent-Length: {length}\r\n"
        );
        self.send(&first, headers, body).await
    }

    /// Sends a request as it is written, which closes the connection, and reads to the end of the answer.
    pub(crate) async fn whole_answer(mut self, text: &str) -> Answer {
        self.0.write_all(text.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        self.0.read_to_end(&mut read).await.unwrap();
        let text = String::from_utf8_lossy(&read).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn send(&mut self, first: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Answer> {
        let mut text = format!("{first}Host: localhost\r\n");
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        self.0.write_all(format!("{text}\r\n{body}").as_bytes()).await?;
        self.0.flush().await?;
        let mut read = Vec::new();
        loop {
            if self.0.read_buf(&mut read).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&read);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if length.is_some_and(|length: usize| body.len() >= length) {
                let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
                return Ok(Answer { status, head: head.to_owned(), body: body.to_owned() });
            }
        }
    }
}
