//! The bill of materials: all that is in the binary, nothing that is not, and each as `Cargo.lock` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::product::{did, found, is_there, repository, text};

/// A crate and its version.
type Name = (String, String);

fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The crates that are compiled, as cargo tells.
fn compiled() -> BTreeSet<Name> {
    let version = did(Command::new("rustc").arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let words =
        ["tree", "--locked", "--offline", "-p", "tributary", "--no-default-features", "-e", "normal,build"];
    let tree = Command::new(env!("CARGO"))
        .args(words)
        .args(["--prefix", "none", "--target", host])
        .current_dir(repository())
        .output();
    let tree = String::from_utf8(tree.unwrap().stdout).unwrap();
    let named = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    });
    named.collect()
}

/// What `Cargo.lock` has of each crate: its checksum, or nothing for ours.
fn locked() -> BTreeMap<Name, Option<String>> {
    let lock: toml::Table = text("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let word =
        |package: &toml::Value, key: &str| package.get(key).and_then(|text| text.as_str()).map(str::to_owned);
    let each = packages
        .iter()
        .map(|one| ((word(one, "name").unwrap(), word(one, "version").unwrap()), word(one, "checksum")));
    each.collect()
}

#[test]
fn the_bill_of_materials_is_whole_and_names_nothing_else() {
    if !is_there("cargo-cyclonedx", "tests/run installs it") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bill.json");
    let tool = found("cargo-cyclonedx").unwrap();
    let path = std::env::join_paths(
        [tool.parent().unwrap().to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    did(Command::new(repository().join("deploy/bill-of-materials")).arg(&file).env("PATH", path.unwrap()));
    let written = std::fs::read_to_string(&file).unwrap();
    let home = repository().display().to_string();
    assert!(!written.contains(&home) && !written.contains("/tmp/"), "it tells where it was made");
    let bill: Value = serde_json::from_str(&written).unwrap();
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    let product = &bill["metadata"]["component"];
    assert_eq!(
        (product["name"].as_str(), product["type"].as_str()),
        (Some("tributary"), Some("application"))
    );
    let components = bill["components"].as_array().unwrap();
    let named = components.iter().chain([product]).map(|one| (word(one, "name"), word(one, "version")));
    let named: BTreeSet<Name> = named.collect();
    let wanted = compiled();
    assert!(wanted.len() > 150, "{} crates only", wanted.len());
    let odd: Vec<_> = wanted.difference(&named).collect();
    assert!(odd.is_empty(), "missing: {odd:?}");
    let odd: Vec<_> = named.difference(&wanted).collect();
    assert!(odd.is_empty(), "not compiled: {odd:?}");

    let locked = locked();
    let told: BTreeSet<&str> =
        bill["dependencies"].as_array().unwrap().iter().filter_map(|one| one["ref"].as_str()).collect();
    for one in components {
        let name = (word(one, "name"), word(one, "version"));
        let checksum = one["hashes"][0]["content"].as_str().map(str::to_owned);
        assert_eq!(locked.get(&name), Some(&checksum), "{name:?} is not what Cargo.lock has");
        assert!(one["licenses"].as_array().is_some_and(|all| !all.is_empty()), "{name:?} has no licence");
        assert!(told.contains(one["bom-ref"].as_str().unwrap()), "{name:?}: what it needs is not told");
    }
}
