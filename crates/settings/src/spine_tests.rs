//! Organisations, the Spine and certificates.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tributary_model::requester::Assurance;
use tributary_model::{Capability, Requester, Role, SpineIds};
use tributary_sources::egress::TlsVersions;

use super::*;

const GP: &str = r#"
[[source]]
id = "gp"
kind = "gp"
protocol = "gpconnect-structured"
ods = "A99901"
asid = "200000000205"
base_url = "https://GP.example.test:443/A99901/STU3/1/gpconnect/structured/fhir"
"#;

#[track_caller]
fn told(text: &str, mistakes: &[&str]) {
    let found = Settings::parse(text).err().unwrap_or_default();
    let found: Vec<_> = found.iter().map(|mistake| format!("{}: {}", mistake.path, mistake.says)).collect();
    assert_eq!(found, mistakes);
}

#[test]
fn capabilities_have_roots_of_their_own() {
    let text = format!(
        "{GP}documents_url = \"https://gp.example.test/A99901/STU3/1/gpconnect/documents/fhir\"\nvia = \"direct\"\n"
    );
    let settings = Settings::parse(&text).unwrap();
    let gp = &settings.sources[0];
    // As it was written: the proxy compares letter by letter.
    assert!(gp.root(Capability::Structured).unwrap().as_str().starts_with("https://GP.example.test:443/"));
    assert!(gp.root(Capability::Documents).unwrap().as_str().ends_with("/documents/fhir"));
    assert_eq!(gp.root(Capability::Foundations), None);
    let shared = GP.replace("base_url", "documents_url").lines().last().unwrap_or_default().to_owned();
    told(&format!("{GP}{shared}\n"), &["source[1].documents_url: is the service root of an earlier source"]);
    let acute = GP.replace("gpconnect-structured", "fhir-r4") + "foundations_url = \"https://a.test\"\n";
    told(&acute, &["source[1].foundations_url: is for sources with protocol gpconnect-structured only"]);
}

#[test]
fn whoever_is_behind_the_proxy_needs_one() {
    told(&format!("{GP}via = \"spine\"\n"), &["spine: is missing: a source is reached via the spine proxy"]);
    told(&format!("{GP}via = \"pigeon\"\n"), &["source[1].via: is neither \"direct\" nor \"spine\""]);
    told(&format!("{GP}[spine]\n"), &["spine.proxy_url: is missing"]);
    let good = format!(
        "{GP}via = \"spine\"\n[spine]\nproxy_url = \"https://proxy.test\"\n[spine.tls]\nversion = \"1.2\"\n"
    );
    let spine = Settings::parse(&good).unwrap().spine.unwrap();
    assert_eq!(spine.tls.unwrap().versions, TlsVersions::Only12);
}

fn requester(ods: &str, asid: Option<&str>) -> Requester {
    Requester {
        user_id: "u".into(),
        family: "Okoro".into(),
        given: "Ada".into(),
        role: Role::Gp,
        organisation: OdsCode::parse(ods).unwrap(),
        organisation_name: "An organisation".into(),
        asid: asid.map(Into::into),
        spine: SpineIds::default(),
        assurance: Assurance::AssertedUnsigned,
        proof: None,
        priority: tributary_model::Priority::Interactive,
    }
}

#[test]
fn an_organisation_asks_in_its_own_name_or_not_at_all() {
    let table = "[[organisation]]\nods = \"RZ905\"\nasid = \"200000000305\"\n";
    let settings = Settings::parse(&format!("{GP}{table}")).unwrap();
    for is_demo in [true, false] {
        let asids = settings.identity.asids(settings.organisations.clone(), is_demo);
        assert_eq!(asids.of(&requester("RZ905", Some("200000000999"))), Some("200000000305"));
        assert_eq!(asids.of(&requester("RXX01", Some("200000000999"))), None);
    }
    let nobody = Settings::default();
    let believed = nobody.identity.asids(nobody.organisations.clone(), true);
    assert_eq!(believed.of(&requester("RXX01", Some("200000000999"))), Some("200000000999"));
    assert!(believed.of(&requester("RXX01", None)).is_some());
    assert_eq!(
        nobody.identity.asids(nobody.organisations.clone(), false).of(&requester("RXX01", None)),
        None
    );
    told(
        &format!("{GP}{table}{table}"),
        &["organisation[2].ods: is the ods code of an earlier organisation"],
    );
    told(
        &format!("{GP}[[organisation]]\nods = \"rz\"\nasid = \"2\"\n"),
        &[
            "organisation[1].ods: an ods code is 3 to 12 upper-case letters and digits",
            "organisation[1].asid: is not a system id of twelve digits",
        ],
    );
}

#[test]
fn half_an_identity_is_none() {
    let with = |keys: &str| format!("{GP}[source.tls]\n{keys}\n");
    told(&with("cert_file = \"a\""), &["source[1].tls.key_file: is missing"]);
    told(&with("key_file = \"a\""), &["source[1].tls.cert_file: is missing"]);
    told(&with("crl_file = \"a\""), &["source[1].tls.ca_file: is missing"]);
    told(
        &with("version = \"1.1\""),
        &["source[1].tls.version: is not \"1.2\"; leave it out for 1.2 and 1.3"],
    );
    told(
        &with("ca = \"a\""),
        &["source[1].tls.ca: is no key here; known are ca_file, crl_file, cert_file, key_file, version"],
    );
}

fn write(dir: &Path, name: &str, text: &str, mode: u32) {
    let file = dir.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn files_are_read_from_the_folder_of_the_configuration_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let keys = "[source.tls]\nca_file = \"ca.pem\"\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
    write(dir.path(), "a.toml", &format!("{GP}{keys}"), 0o644);
    write(dir.path(), "ca.pem", "no certificate", 0o644);
    write(dir.path(), "key.pem", "no key", 0o640);
    let settings = Settings::load(&dir.path().join("a.toml")).unwrap();
    let files = settings.source_tls.values().next().unwrap();
    let mistakes = files.load().unwrap_err();
    let told: Vec<_> = mistakes.iter().map(|mistake| mistake.path.as_str()).collect();
    assert_eq!(
        told,
        ["source[1].tls.cert_file", "source[1].tls.ca_file", "source[1].tls.key_file"],
        "{mistakes:?}"
    );
    assert!(mistakes[2].says.ends_with("can be read by other users of this machine; chmod 600 it"));
}

#[test]
fn only_who_speaks_fhir_is_told_what_is_left() {
    let text = format!("{GP}sends_deadline = true\n");
    told(&text, &["source[1].sends_deadline: is for sources with protocol fhir-r4 or fhir-stu3 only"]);
    let acute = Settings::parse(&text.replace("gpconnect-structured", "fhir-r4")).unwrap();
    assert!(acute.sources[0].sends_deadline);
    assert!(!Settings::parse(GP).unwrap().sources[0].sends_deadline);
}
