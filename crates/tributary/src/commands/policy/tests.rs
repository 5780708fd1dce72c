//! The commands over the shipped policy, and over changed ones.

use super::*;
use crate::commands::Cli;
use clap::Parser as _;

#[track_caller]
fn told(line: &[&str]) -> (u8, String) {
    let words = ["tributary", "policy"].into_iter().chain(line.iter().copied());
    let super::super::Command::Policy(action) = Cli::try_parse_from(words).unwrap().command else {
        panic!("another command")
    };
    let mut out = Vec::new();
    let code = run(&action, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

/// A file with another policy: the shipped one, with something replaced.
fn changed(from: &str, to: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.toml");
    assert!(policy::SHIPPED.contains(from));
    std::fs::write(&file, policy::SHIPPED.replacen(from, to, 1)).unwrap();
    let file = file.to_string_lossy().into_owned();
    (dir, file)
}

#[test]
fn the_deciding_rules_are_named() {
    let of = |role: &str, more: &[&str]| {
        let line = ["explain", "--role", role, "--source-kind", "gp", "--section", "plans"];
        told(&[line.as_slice(), more].concat()).1
    };
    let manager = of("care-manager", &[]);
    assert!(
        manager.contains("plans of gp: limited: Only whether a plan exists is shown for your role."),
        "{manager}"
    );
    assert!(manager.contains("rule restricted-view permits: "), "{manager}");
    let other = of("care-manager", &["--purpose", "audit"]);
    assert!(other.contains("plans of gp: deny (no-rule)"), "{other}");
    assert!(other.contains("rule restricted-view does not hold: it is for other purposes"), "{other}");
    let crew = of("ambulance", &[]);
    assert!(
        crew.contains("rule ambulance-break-glass does not hold: it holds only where the glass is broken"),
        "{crew}"
    );
    let governance = of("information-governance", &[]);
    assert!(governance.contains("rule information-governance-sees-no-record denies: "), "{governance}");
}

#[test]
fn who_gains_must_be_approved() {
    let (_old, old) = changed("quota = 3", "quota = 3");
    let (_wide, wide) =
        changed(r#"purposes = ["patientaccess"]"#, r#"purposes = ["patientaccess", "directcare"]"#);
    assert_eq!(told(&["diff", &old, &old]).0, 0);
    assert_eq!(told(&["diff", &wide, &old]).0, 0, "who only loses needs no approval");
    let (code, gains) = told(&["diff", &old, &wide]);
    assert_eq!(code, 1);
    assert!(
        gains
            .lines()
            .all(|line| line.starts_with("change,") || line.contains(",patient,any-other,directcare,")),
        "{gains}"
    );
    let [was, is] = [&old, &wide].map(|file| policy::load(Some(Path::new(file))).unwrap());
    let hash = policy::approval(&Diff::between(&was.table, &is.table)).to_string();
    assert_eq!(told(&["diff", &old, &wide, "--approve", &hash]).0, 0);
    let other = Digest::of(b"another diff").to_string();
    assert_eq!(told(&["diff", &old, &wide, "--approve", &other]).0, 1);
    let (_glass, glass) = changed("quota = 3", "quota = 30");
    assert_eq!(told(&["diff", &old, &glass]).0, 1, "more broken glass is more access");
}

#[test]
fn examples_are_put_to_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("examples.toml");
    let example = |section: &str, expect: &str| {
        format!(
            "[[example]]\nname = \"a carer\"\nrole = \"home-carer\"\npurpose = \"directcare\"\n\
             source_kind = \"gp\"\nsection = \"{section}\"\nexpect = \"{expect}\"\n"
        )
    };
    let check = |text: &str, code: u8| {
        std::fs::write(&file, text).unwrap();
        assert_eq!(told(&["test", &file.to_string_lossy()]).0, code, "{text}");
    };
    check(&[example("medications", "limited:CurrentNames"), example("results", "deny")].concat(), 0);
    check(&example("results", "permit"), FAILED);
    check(&example("toes", "deny"), BAD_CONFIGURATION);
    check("", BAD_CONFIGURATION);
}
