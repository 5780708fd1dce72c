//! Words and constructs that have no place here. This file names them, so it is the one that is not searched
//! for the house words; the workplace words are put together from pieces and searched for everywhere.

use crate::tree::{Tree, none, one};

const THIS_FILE: &str = "tests/tidy/words.rs";

/// Files, and modules, that say nothing about what they hold.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "misc", "manager"];

/// What Rust sources never contain, and what to do instead.
const IN_RUST: &[(&str, &str)] = &[
    ("#[ignore", "no test is switched off"),
    ("```ignore", "no example is switched off"),
    ("should_panic", "assert the refusal"),
];

/// Whole words in prose.
const IN_PROSE: &[(&str, &str)] = &[("upstream", "say `source`"), ("utils", "name the thing")];

/// Crates that may hold `unsafe`: decision 15.
const UNSAFE_ALLOWED: &[&str] = &["guard"];

/// Paths of one particular workplace. Each may be followed by anything but a letter.
const WORKPLACE: &[&str] = &[concat!("/wo", "rk"), concat!("/fa", "rm"), concat!("sha", "red/")];
/// The one exception: where the check script may look for recorded replies.
const EXCEPTION: (&str, &str) = (".ci/run", concat!("../sha", "red/fixtures/gpconnect"));

/// Whether a line holds a word on its own.
fn holds(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = line.split_at(at);
        !before.ends_with(letter) && !after.split_at(word.len()).1.starts_with(letter)
    })
}

/// The code of a line, without its comment. Good enough for a search: a `//` inside a string cuts too much.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// A reminder that names no open point: the word without `(#12)` behind it.
fn bare_reminder(line: &str) -> bool {
    ["TODO", "FIXME"].iter().any(|word| holds(line, word) && !line.contains(&format!("{word}(#")))
}

fn rust_line(path: &str, line: &str) -> Option<String> {
    let code = code(line);
    if let Some((text, instead)) = IN_RUST.iter().find(|(text, _)| line.contains(text)) {
        return Some(format!("`{text}`: {instead}"));
    }
    if let Some(wrong) = prose_line(line) {
        return Some(wrong);
    }
    if EMPTY_NAMES
        .iter()
        .any(|name| code.contains(&format!("mod {name};")) || code.contains(&format!("mod {name} {{")))
    {
        return Some("a module is named by its noun".to_owned());
    }
    let declares = ["struct ", "trait "].iter().any(|keyword| code.contains(keyword));
    if declares && code.contains("Manager") {
        return Some("`Manager` says nothing; name the thing by what it does".to_owned());
    }
    let guarded = UNSAFE_ALLOWED.iter().any(|name| path.starts_with(&format!("crates/{name}/")));
    (holds(code, "unsafe") && !guarded).then(|| "`unsafe` outside the crates that may".to_owned())
}

fn prose_line(line: &str) -> Option<String> {
    let lower = line.to_lowercase();
    let (word, instead) = IN_PROSE.iter().find(|(word, _)| holds(&lower, word))?;
    Some(format!("`{word}`: {instead}"))
}

fn house_words(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| *path != THIS_FILE) {
        let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
        if stem == Some("mod") || stem.is_some_and(|stem| EMPTY_NAMES.contains(&stem)) {
            findings.push(format!("{path}: name the file by its noun, `foo.rs` beside `foo/`"));
        }
        let ending = path.rsplit(['/', '.']).next().unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = match ending {
                "rs" => rust_line(path, line),
                "md" => prose_line(line),
                _ => None,
            };
            let searched = ["rs", "md", "toml", "yml", "run"].contains(&ending);
            let reminder = || "a reminder needs its number, as in `TODO(#12): …`".to_owned();
            let wrong = wrong.or_else(|| (searched && bare_reminder(line)).then(reminder));
            findings.extend(wrong.map(|wrong| format!("{path}:{number}: {wrong}")));
        }
    }
    findings
}

#[test]
fn house_words_are_kept() {
    none(&house_words(Tree::repository()));
}

#[test]
fn banned_words_are_noticed() {
    let cases = [
        ("crates/flow/src/mod.rs", "", "by its noun"),
        ("crates/flow/src/utils.rs", "", "by its noun"),
        ("crates/flow/src/lib.rs", "mod common;", "named by its noun"),
        ("crates/flow/src/lib.rs", "pub struct FlowManager;", "Manager"),
        ("crates/flow/src/lib.rs", "// ask the upstream again", "say `source`"),
        ("crates/flow/src/lib.rs", "    #[ignore]", "switched off"),
        ("crates/flow/src/lib.rs", "/// ```ignore", "switched off"),
        ("crates/flow/src/lib.rs", "    #[should_panic(expected = \"x\")]", "assert the refusal"),
        ("crates/flow/src/lib.rs", "    unsafe { now() }", "outside the crates"),
        ("crates/flow/src/lib.rs", "// TODO: later", "needs its number"),
        ("README.md", "FIXME", "needs its number"),
        ("README.md", "the Upstream failed", "say `source`"),
        ("tests/run", "# TODO", "needs its number"),
    ];
    for (path, text, says) in cases {
        one(&house_words(&Tree::of(&[(path, text)])), says);
    }
    let fine = "Role::CareManager,\n#![forbid(unsafe_code)]\n// TODO(#12): say why\n// ignore the rest, in an unsafe place\n";
    none(&house_words(&Tree::of(&[("crates/flow/src/lib.rs", fine)])));
}

/// Where a workplace path or a numbered work item shows.
fn workplace_words(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !["Cargo.lock", "LICENSE"].contains(path)) {
        let text = if path == EXCEPTION.0 { text.replacen(EXCEPTION.1, "", 1) } else { text.to_owned() };
        for (number, line) in (1..).zip(text.lines()) {
            let local = WORKPLACE.iter().any(|word| {
                line.match_indices(word).any(|(at, _)| {
                    let after = line.split_at(at + word.len()).1;
                    word.ends_with('/') || !after.starts_with(|c: char| c.is_ascii_alphabetic())
                })
            });
            let lower = line.to_lowercase();
            let mut items = lower.match_indices("issue ").map(|(at, word)| lower.split_at(at + word.len()).1);
            let numbered =
                items.any(|after| after.trim_start_matches('#').starts_with(|c: char| c.is_ascii_digit()));
            if local || numbered {
                findings.push(format!(
                    "{path}:{number}: belongs to one workplace; say it so that any reader can follow"
                ));
            }
        }
    }
    findings
}

#[test]
fn nothing_points_at_one_workplace() {
    none(&workplace_words(Tree::repository()));
}

#[test]
fn workplace_words_are_noticed() {
    let design = format!("see {}design/style.md", WORKPLACE[2]);
    let home = format!("cd {}/main", WORKPLACE[0]);
    let item = format!("as {} 2 asks", "issue");
    let allowed = format!("if [ -d {} ]", EXCEPTION.1);
    let twice = format!("{allowed}\n{allowed}\n");
    let cases = [
        ("README.md", &design),
        ("tests/run", &home),
        ("crates/flow/src/lib.rs", &item),
        (".ci/run", &twice),
    ];
    for (path, text) in cases {
        one(&workplace_words(&Tree::of(&[(path, text)])), "one workplace");
    }
    one(&workplace_words(&Tree::of(&[("tests/run", &allowed)])), "tests/run:1");
    none(&workplace_words(&Tree::of(&[
        (".ci/run", &allowed),
        ("README.md", ".github/workflows/ci.yml, an issue with it"),
    ])));
}
