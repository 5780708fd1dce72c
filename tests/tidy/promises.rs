//! What the front pages promise is there.

use std::collections::BTreeSet;

use crate::tree::{Tree, none, one};

/// Visible entries of the root. Everything else hides behind a dot, or moves to its subject's folder.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "crates",
    "config",
    "tests",
    "mock-providers",
    "deploy",
];
/// Made by building and running; `.gitignore` holds them back.
const LOCAL: &[&str] = &["target", "var"];

fn strangers(tree: &Tree) -> Vec<String> {
    let known = |name: &str| name.starts_with('.') || TOP.contains(&name) || LOCAL.contains(&name);
    let strange = tree.top().filter(|name| !known(name));
    strange
        .map(|name| format!("{name}: not a top-level entry; put it into the folder of its subject"))
        .collect()
}

#[test]
fn top_level_holds_only_its_entries() {
    none(&strangers(Tree::repository()));
    for name in TOP {
        assert!(Tree::repository().top().any(|entry| entry == *name), "{name} is missing from the top level");
    }
}

#[test]
fn strangers_at_the_top_are_noticed() {
    one(
        &strangers(&Tree::of(&[("docs/guide.md", ""), (".deny.toml", ""), ("crates/README.md", "")])),
        "docs:",
    );
}

/// Names that start with the product's metric prefix, anywhere in a text.
fn metric_names(text: &str) -> BTreeSet<&str> {
    let prefix = "tributary_";
    let starts = text.match_indices(prefix).map(|(at, _)| text.split_at(at).1);
    let name = |rest: &'_ str| rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
    starts.map(|rest| rest.split_at(name(rest)).0).filter(|name| *name != prefix).collect()
}

/// Metrics that the pages or the operator's files name, and telemetry does not make.
fn unmade_metrics(tree: &Tree) -> Vec<String> {
    let catalogue: String = tree
        .ending(".rs")
        .filter(|(path, _)| path.starts_with("crates/telemetry/src/"))
        .map(|(_, text)| text)
        .collect();
    let crates: Vec<_> = tree.crates().iter().map(|name| format!("tributary_{name}")).collect();
    let told = |path: &str| {
        ["README.md", "ARCHITECTURE.md"].contains(&path)
            || path.starts_with("deploy/")
            || path.starts_with("config/")
    };
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| told(path)) {
        for name in metric_names(text).into_iter().filter(|name| !crates.iter().any(|own| own == name)) {
            let series = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let made = |name: &str| catalogue.contains(&format!("\"{name}\""));
            if !made(name) && !series.is_some_and(made) {
                findings.push(format!(
                    "{path}: `{name}` is not in crates/telemetry/src; correct the name or make it"
                ));
            }
        }
    }
    findings
}

#[test]
fn every_metric_named_is_made() {
    none(&unmade_metrics(Tree::repository()));
}

#[test]
fn unmade_metrics_are_noticed() {
    let telemetry =
        ("crates/telemetry/src/catalogue.rs", "(\"tributary_shed_total\", \"tributary_wait_seconds\")");
    let rules = |text| Tree::of(&[telemetry, ("crates/model/Cargo.toml", ""), ("deploy/rules.yml", text)]);
    one(&unmade_metrics(&rules("rate(tributary_sheds_total[5m])")), "`tributary_sheds_total`");
    none(&unmade_metrics(&rules(
        "tributary_shed_total tributary_wait_seconds_bucket{} use tributary_model::Ask",
    )));
}

/// Inline code and fenced lines of a page.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().flat_map(move |line| {
        fenced ^= line.trim_start().starts_with("```");
        let spans: Vec<_> =
            if fenced { vec![line.trim()] } else { line.split('`').skip(1).step_by(2).collect() };
        spans
    })
}

/// Subcommands that a code span names: `tributary serve …`, `cargo run --release -- demo`.
fn command(code: &str) -> Option<&str> {
    let rest = code.strip_prefix("cargo run --release -- ").or_else(|| code.strip_prefix("tributary "))?;
    let word = rest.split(|c: char| !c.is_ascii_lowercase()).next()?;
    (!word.is_empty()).then_some(word)
}

fn broken_promises(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let commands: String = tree
        .ending(".rs")
        .filter(|(path, _)| path.starts_with("crates/tributary/src/"))
        .map(|(_, text)| text)
        .collect();
    for page in ["README.md", "ARCHITECTURE.md", "tests/README.md", "deploy/README.md", "config/README.md"] {
        for span in code(tree.text(page)) {
            if let Some(word) = command(span) {
                let (first, rest) = word.split_at(1);
                let variant = format!("{}{rest}", first.to_uppercase());
                let declared =
                    [",", "(", " {"].iter().any(|end| commands.contains(&format!(" {variant}{end}")));
                if !declared {
                    findings.push(format!("{page}: `{span}`: the binary has no command `{word}`"));
                }
            }
            let path = span.trim_end_matches('/');
            let folder = path.split('/').next().unwrap_or_default();
            let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
            if plain && path.contains('/') && (TOP.contains(&folder) || folder == ".ci") && !tree.has(path) {
                findings.push(format!("{page}: `{span}`: no such file or folder"));
            }
        }
    }
    for needed in ["cargo run --release -- demo", "tests/run"] {
        if !code(tree.text("README.md")).any(|span| span.starts_with(needed)) {
            findings.push(format!("README.md: show the command `{needed}`"));
        }
    }
    findings
}

#[test]
fn pages_name_only_what_exists() {
    none(&broken_promises(Tree::repository()));
}

#[test]
fn broken_promises_are_noticed() {
    let page = "```sh\ncargo run --release -- demo\ntests/run\n```\n";
    let with = |more: &str| {
        let readme = format!("{page}{more}");
        let clap = (
            "crates/tributary/src/cli.rs",
            "enum Command {\n    Demo(Demo),\n    Serve { config: PathBuf },\n}\n",
        );
        Tree::of(&[("README.md", &readme), clap, ("tests/run", ""), ("config/tributary.toml", "")])
    };
    none(&broken_promises(&with("`tributary serve --config x`, `config/tributary.toml`, `tests/`")));
    one(&broken_promises(&with("`tributary doctor`")), "no command `doctor`");
    one(&broken_promises(&with("`deploy/helm/`")), "no such file");
    let silent = Tree::of(&[
        ("README.md", "`cargo run --release -- demo`"),
        ("crates/tributary/src/cli.rs", " Demo,"),
    ]);
    one(&broken_promises(&silent), "show the command `tests/run`");
}

#[test]
fn scripts_run_and_call_each_other() {
    let tree = Tree::repository();
    for script in ["tests/run", ".ci/run"] {
        assert!(tree.runs(script), "{script}: chmod +x");
        assert!(tree.text(script).contains("set -euo pipefail"), "{script}: stop at the first fault");
    }
    for caller in [".ci/run", ".github/workflows/ci.yml"] {
        assert!(tree.text(caller).contains("tests/run"), "{caller}: call tests/run, the one list of gates");
    }
    assert!(
        tree.text("Cargo.toml").contains("default-members = [\"crates/tributary\"]"),
        "`cargo run` needs the binary"
    );
}
