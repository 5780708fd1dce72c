//! How big things may grow.

use crate::tree::{Tree, none, one};

/// Lines of a source file, inline tests not counted.
const FILE: usize = 500;
/// Lines of a crate's sources, tests not counted.
const CRATE: usize = 8_000;
/// Inline tests above this move to `foo/tests.rs`; told, not enforced.
const INLINE_TESTS: usize = 100;
/// Files that must stay readable at a glance.
const GLANCE: &[(&str, usize)] = &[
    ("crates/tributary/src/main.rs", 60),
    ("crates/tributary/src/wire.rs", 200),
    ("crates/server/src/layers.rs", 200),
    ("crates/server/src/routes.rs", 200),
];
/// Files over the limit, with their present size. The list may only shrink.
const EXEMPT: &[(&str, usize)] = &[];

/// Lines before the inline test module, and lines of that module.
fn split(text: &str) -> (usize, usize) {
    let lines: Vec<_> = text.lines().collect();
    let opens =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{');
    let product = lines.windows(2).position(opens).unwrap_or(lines.len());
    (product, lines.len() - product)
}

/// Whether a file holds only tests.
fn only_tests(path: &str) -> bool {
    path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.contains("/benches/")
}

fn limit(path: &str) -> usize {
    let own = EXEMPT.iter().chain(GLANCE).find(|(name, _)| *name == path);
    own.map_or(FILE, |(_, lines)| *lines)
}

fn oversize(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let lines = if only_tests(path) { text.lines().count() } else { split(text).0 };
        if lines > limit(path) {
            findings.push(format!("{path}: {lines} lines, {} allowed; split it by idea", limit(path)));
        }
    }
    for name in tree.crates() {
        let folder = format!("crates/{name}/src/");
        let sources = tree.ending(".rs").filter(|(path, _)| path.starts_with(&folder) && !only_tests(path));
        let lines: usize = sources.map(|(_, text)| split(text).0).sum();
        if lines > CRATE {
            findings.push(format!("crates/{name}: {lines} lines, {CRATE} allowed; divide the crate"));
        }
    }
    findings
}

#[test]
fn files_and_crates_keep_to_their_size() {
    none(&oversize(Tree::repository()));
}

#[test]
fn oversize_files_and_crates_are_noticed() {
    let long = "//\n".repeat(501);
    one(&oversize(&Tree::of(&[("crates/flow/src/budget.rs", &long)])), "501 lines, 500 allowed");
    one(&oversize(&Tree::of(&[("crates/flow/src/budget/tests.rs", &long)])), "split it");
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{long}}}\n", "//\n".repeat(500));
    none(&oversize(&Tree::of(&[("crates/flow/src/budget.rs", &tested)])));
    let glance = "//\n".repeat(61);
    one(&oversize(&Tree::of(&[("crates/tributary/src/main.rs", &glance)])), "60 allowed");

    let full = "//\n".repeat(500);
    let names: Vec<_> = (0..17).map(|number| format!("crates/flow/src/part_{number}.rs")).collect();
    let mut files = vec![("crates/flow/Cargo.toml", "")];
    files.extend(names.iter().map(|name| (name.as_str(), full.as_str())));
    one(&oversize(&Tree::of(&files)), "crates/flow: 8500 lines");
}

#[test]
fn exemptions_are_still_needed() {
    for (path, lines) in EXEMPT {
        let now = split(Tree::repository().text(path)).0;
        assert_eq!(now, *lines, "{path}: bring the exemption down to its size, or strike it out");
        assert!(now > FILE, "{path}: strike the exemption out");
    }
}

#[test]
fn long_inline_tests_are_told() {
    for (path, text) in Tree::repository().ending(".rs").filter(|(path, _)| !only_tests(path)) {
        let inline = split(text).1;
        if inline > INLINE_TESTS {
            println!(
                "{path}: {inline} lines of inline tests; move them to {}/tests.rs",
                path.trim_end_matches(".rs")
            );
        }
    }
    let inline = format!("fn one() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(98));
    assert_eq!(split(&inline), (1, 101));
    assert_eq!(split("fn one() {}\n#[cfg(test)]\nmod tests;\n"), (3, 0));
}
