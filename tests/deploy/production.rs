//! The production configuration that we give people to begin with, and every file that it names.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tributary_tests::tls::{Authority, Issued, Validity};

use crate::product::{binary, did, ran, repository, text};

/// A public key: that of RFC 7517, appendix A.1.
const ISSUER_KEYS: &str = r#"{"keys":[{"kty":"RSA","alg":"RS512","use":"sig","kid":"1","e":"AQAB",
"n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}]}"#;

/// Who vouches for everybody, and who we are.
pub(crate) struct Given {
    ours: Authority,
    shown: Issued,
}

impl Given {
    pub(crate) fn new() -> Self {
        let ours = Authority::new();
        let shown = ours.issue("record.example.test", 1, Validity::Present);
        Self { ours, shown }
    }

    /// The files beside `deploy/production.toml`, none of them secret, by their path.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let mut files = [
            ("tls/server.pem", self.shown.certificate.clone()),
            ("tls/broker.pem", self.shown.certificate.clone()),
            ("tls/callers-ca.pem", self.ours.pem()),
            ("tls/callers-crl.pem", self.ours.calls_back(&[])),
            ("tls/acute-ca.pem", self.ours.pem()),
            ("tls/db-ca.pem", self.ours.pem()),
            ("keys/epr-mersey.json", ISSUER_KEYS.to_owned()),
            ("policy.toml", text("config/policy.toml")),
            ("codelists/README.md", text("config/codelists/README.md")),
        ]
        .map(|(path, text)| (path.to_owned(), text))
        .to_vec();
        for entry in std::fs::read_dir(repository().join("config/maps")).unwrap().map(|entry| entry.unwrap())
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if Path::new(&name).extension().is_some_and(|end| end == "csv") {
                files.push((format!("maps/{name}"), std::fs::read_to_string(entry.path()).unwrap()));
            }
        }
        files
    }

    /// Puts the credentials into a folder.
    pub(crate) fn hand_over(&self, folder: &Path) {
        let key = &self.shown.key;
        for (name, secret) in [("server.key", key), ("broker.key", key), ("link.key", &"k".repeat(32))] {
            secret_file(&folder.join(name), secret);
        }
        let keygen = ["audit", "keygen", "--origin", "record.example.test/audit/a"];
        did(Command::new(binary()).args(keygen).arg(folder.join("audit.key")));
    }
}

fn secret_file(file: &Path, secret: &str) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, secret).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o400)).unwrap();
}

/// Puts files into a folder, by their path.
fn put(folder: &Path, files: &[(String, String)]) {
    for (path, text) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

/// What `tributary check` says of a configuration with these credentials.
pub(crate) fn checked(config: &Path, credentials: &Path) -> (bool, String) {
    let mut command = Command::new(binary());
    command.args(["check", "--config"]).arg(config).env("CREDENTIALS_DIRECTORY", credentials);
    let (output, said) = ran(&mut command);
    (output.status.success(), said)
}

#[test]
fn the_production_configuration_wants_its_files_and_nothing_else() {
    let given = Given::new();
    let [folder, credentials] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let config = folder.path().join("tributary.toml");
    std::fs::write(&config, text("deploy/production.toml")).unwrap();
    let (is_accepted, said) = checked(&config, credentials.path());
    assert!(!is_accepted && said.contains("server.tls"), "{said}");
    put(folder.path(), &given.files());
    given.hand_over(credentials.path());
    let (is_accepted, said) = checked(&config, credentials.path());
    assert!(is_accepted, "{said}");
    for line in ["https://0.0.0.0:8443", "epr-mersey  native  for RZ905", "acute-mersey  fhir-r4"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    // The same with the [audit] table of two nodes.
    let node =
        text("deploy/two-nodes/node.toml").replace("/etc/tributary", &folder.path().display().to_string());
    let production = text("deploy/production.toml");
    let (before, rest) = production.split_once("[audit]").unwrap();
    let (_, after) = rest.split_once("[policy]").unwrap();
    std::fs::write(&config, format!("{before}{node}\n[policy]{after}")).unwrap();
    secret_file(&folder.path().join("secrets/postgres-password"), "a password");
    let (is_accepted, said) = checked(&config, credentials.path());
    assert!(is_accepted && said.contains("db.example.test"), "{said}");
}
