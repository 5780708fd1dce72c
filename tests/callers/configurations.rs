//! Configurations that would prove nobody are not served, and the words say what to do.

use std::os::unix::fs::PermissionsExt as _;

use tributary_tests::process::run;

use crate::scene::{Folder, Plan};

/// What `check` says of the scene's configuration with one change.
fn told(from: &str, to: &str) -> (i32, String) {
    let folder = Folder::of(&Plan::default());
    let text = std::fs::read_to_string(folder.file()).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(folder.file(), text.replace(from, to)).unwrap();
    let (code, _, error) = run(&["check", "--config", &folder.file().display().to_string()]);
    (code, error)
}

/// What is changed into what, and a part of what is said of it.
const ROWS: &[(&str, &str, &str)] = &[
    ("client_ca_file = \"callers.pem\"\n", "", "server.tls.client_ca_file: is missing"),
    ("client_crl_file = \"callers-crl.pem\"\n", "", "client_crl_file: is missing: without a revocation list"),
    (
        "client_crl_file = \"callers-crl.pem\"\n",
        "client_crl_file = \"none.pem\"\n",
        "client_crl_file: entity not found",
    ),
    (
        "client_crl_file = \"callers-crl.pem\"\n",
        "client_crl_file = \"callers.pem\"\n",
        "client_crl_file: holds no revocation list",
    ),
    (
        "client_crl_file = \"callers-crl.pem\"\n",
        "client_crl_file = \"callers-crl.pem\"\nwithout_client_crl = true\n",
        "which is meant?",
    ),
    ("jwks_file = \"epr.json\"", "jwks_file = \"none.json\"", "issuer[1].jwks_file: cannot be read"),
    (
        "jwks_file = \"epr.json\"",
        "jwks_file = \"callers.pem\"",
        "issuer[1].jwks_file: is no JSON web key set",
    ),
    (
        "jwks_file = \"epr.json\"",
        "jwks_url = \"https://evil.example/keys\"",
        "is at a host that is not in jwks_hosts",
    ),
    ("jwks_file = \"epr.json\"", "jwks_url = \"http://localhost/keys\"", "is no https address"),
    ("jwks_file = \"epr.json\"", "", "there are no keys to verify tokens with"),
    ("audience = [\"https://record.example.test\"]\n", "", "issuer[1].audience: is missing"),
    ("\"ES384\", \"EdDSA\"]", "\"HS256\"]", "algorithms[4]: is no algorithm that is verified here"),
    ("\"ES384\", \"EdDSA\"]", "\"none\"]", "algorithms[4]: is no algorithm that is verified here"),
    ("ods = [\"RZ999\"]", "ods = []", "consumer[2].ods: is empty"),
    ("ods = [\"RZ999\"]", "", "consumer[2].ods: is missing"),
    ("accepts_common_name = true\n", "", "consumer[3].certificate_names: has a common name"),
    ("\"dns:other.example.test\"", "\"dns:*.example.test\"", "there are no wildcards"),
    ("\"uri:urn:x-caller:other\"", "\"uri:urn:x-caller:epr\"", "has a certificate name of an earlier entry"),
    ("issuers = [\"epr\", \"cis2\"]", "issuers = [\"cis2\"]", "names no issuer with claims = \"gpconnect\""),
    ("issuers = [\"epr\", \"cis2\"]", "issuers = [\"epr\"]", "names no issuer with claims = \"cis2\""),
    ("issuers = [\"epr\", \"cis2\"]", "issuers = [\"nobody\"]", "is the id of no [[issuer]]"),
    ("cis2_client = \"client-of-epr\"\n", "", "consumer[1].cis2_client: is missing"),
    ("default_role = \"gp\"\n", "", "default_role: is missing: a GP Connect token names no role"),
    (
        "default_role = \"gp\"\n",
        "default_role = \"community-nurse\"\n",
        "is not among the roles that it may assert",
    ),
    (
        "[[consumer.system]]\nods = \"RZ906\"\nasid = \"200000000306\"\n",
        "",
        "consumer[1].system: is missing for RZ906: Ssp-From",
    ),
    ("ods = \"RZ906\"\nasid", "ods = \"RZ999\"\nasid", "system: is for RZ999, which is not among"),
    ("asid = \"200000000306\"", "asid = \"2000\"", "consumer[1].system[2].asid: "),
    (
        "[[consumer]]\nid = \"relay\"",
        "[[consumer.system]]\nods = \"RZ905\"\nasid = \"200000000305\"\n[[consumer]]\nid = \"relay\"",
        "consumer[4].system: is for profiles with \"gpconnect\"",
    ),
    ("max_life_secs = 3600", "max_life_secs = 86400", "max_life_secs: is not between 30 and 3600"),
    ("[audit]", "[demo]\ninsecure = true\n[audit]", "a configuration is one or the other"),
];

#[test]
fn what_proves_nobody_is_refused_with_words() {
    for (from, to, says) in ROWS {
        let (code, error) = told(from, to);
        assert_eq!(code, 2, "{from} → {to}: {error}");
        assert!(error.contains(says), "{from} → {to}: {error}");
    }
    let (code, error) = told("[audit]", "[audit]");
    assert_eq!(code, 0, "{error}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = Folder::of(&Plan::default());
    let key = folder.dir.path().join("server.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, error) = run(&["check", "--config", &folder.file().display().to_string()]);
    assert_eq!(code, 2);
    assert!(
        error.contains("server.tls.key_file: ") && error.contains("can be read by other users"),
        "{error}"
    );
}

#[test]
fn a_demo_is_asked_for_on_loopback_and_never_beside_callers() {
    let folder = Folder::of(&Plan::default());
    let file = folder.file().display().to_string();
    let (code, _, error) = run(&["serve", "--insecure-demo", "--config", &file]);
    assert_eq!(code, 2);
    assert!(error.contains("a configuration is one or the other"), "{error}");
    let text = "[server]\nlisten = \"0.0.0.0:0\"\n[server.tls]\ncert_file = \"server.pem\"\nkey_file = \"server.key\"\n";
    std::fs::write(folder.file(), text).unwrap();
    let (code, _, error) = run(&["serve", "--insecure-demo", "--config", &file]);
    assert_eq!(code, 2);
    assert!(
        error.contains("--insecure-demo is refused unless every listener is a loopback address"),
        "{error}"
    );
    std::fs::write(folder.file(), "[server]\n").unwrap();
    let (code, _, error) = run(&["serve", "--config", &file]);
    assert_eq!(code, 2);
    assert!(error.contains("server.tls: is missing: outside of a [demo] callers are proven"), "{error}");
}
