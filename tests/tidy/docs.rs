//! Markdown and TOML: links lead somewhere, one title a page, everything parses.

use toml::Table;

use crate::tree::{Tree, none, one};

const DECISIONS: &str = "crates/decisions/";

/// The lines of a page outside fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// A line without its `code` spans.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("code")
}

/// Targets of `[text](target)` in one line.
fn targets(line: &str) -> Vec<String> {
    let line = without_code(line);
    let ends = line.match_indices("](").map(|(at, open)| line.split_at(at + open.len()).1);
    ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The path a link means, seen from the page that holds it; nothing if it leaves the tree.
fn resolve(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in link.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

fn dead_links(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (page, text) in tree.ending(".md") {
        for (number, line) in prose(text) {
            for target in targets(line) {
                let outside = target.contains("://") || target.starts_with("mailto:");
                let file = target.split('#').next().unwrap_or_default();
                let found = file.is_empty() || resolve(page, file).is_some_and(|path| tree.has(&path));
                if !outside && !found {
                    findings.push(format!("{page}:{number}: nothing at `{target}`; mend or drop the link"));
                }
            }
        }
    }
    findings
}

#[test]
fn every_relative_link_leads_somewhere() {
    none(&dead_links(Tree::repository()));
}

#[test]
fn dead_links_are_noticed() {
    let page =
        |text| Tree::of(&[("crates/README.md", text), ("LICENSE", ""), ("crates/flow/src/lib.rs", "")]);
    one(&dead_links(&page("see [it](../NOWHERE.md)")), "nothing at `../NOWHERE.md`");
    one(&dead_links(&page("[a](../LICENSE), [b](floow/)")), "nothing at `floow/`");
    one(&dead_links(&page("[out](../../LICENSE)")), "nothing at");
    none(&dead_links(&page(
        "[a](../LICENSE#x) [b](flow/) [c](#top) [d](https://example.test/) `[e](f)`\n```\n[g](h)\n```\n",
    )));
}

fn titles(tree: &Tree) -> Vec<String> {
    let count = |text| prose(text).filter(|(_, line)| line.starts_with("# ")).count();
    let wrong = tree.ending(".md").map(|(page, text)| (page, count(text))).filter(|(_, titles)| *titles != 1);
    wrong.map(|(page, titles)| format!("{page}: {titles} titles (`# …`); a page has one")).collect()
}

#[test]
fn every_page_has_one_title() {
    none(&titles(Tree::repository()));
}

#[test]
fn missing_and_second_titles_are_noticed() {
    one(&titles(&Tree::of(&[("a.md", "text\n")])), "0 titles");
    one(&titles(&Tree::of(&[("a.md", "# one\n\n# two\n")])), "2 titles");
    none(&titles(&Tree::of(&[("a.md", "# one\n```sh\n# a comment\n```\n## two\n")])));
}

/// Blocks fenced as `toml` in a page, with the number of their first line.
fn toml_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim() == "```toml" {
            open = Some((number, String::new()));
        } else if line.trim() == "```" {
            blocks.extend(open.take());
        } else if let Some((_, block)) = &mut open {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

fn unreadable(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let mut check = |place: String, text: &str| {
        if let Err(error) = text.parse::<Table>() {
            findings.push(format!("{place}: not TOML: {}", error.message()));
        }
    };
    for (path, text) in tree.ending(".toml") {
        check(path.to_owned(), text);
    }
    for (page, text) in tree.ending(".md") {
        for (number, block) in toml_blocks(text) {
            check(format!("{page}:{number}"), &block);
        }
    }
    findings
}

#[test]
fn every_toml_file_and_block_parses() {
    none(&unreadable(Tree::repository()));
}

#[test]
fn broken_toml_is_noticed() {
    one(
        &unreadable(&Tree::of(&[("config/tributary.toml", "[server\nlisten = 1\n")])),
        "config/tributary.toml: not TOML",
    );
    one(&unreadable(&Tree::of(&[("README.md", "# x\n```toml\na = \n```\n")])), "README.md:2: not TOML");
}

/// Decisions that the index does not list, or that say too little.
fn loose_decisions(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    let index = tree.text("crates/decisions/README.md");
    let records = tree.ending(".md").filter_map(|(path, text)| Some((path.strip_prefix(DECISIONS)?, text)));
    for (name, text) in records.filter(|(name, _)| *name != "README.md") {
        if !index.contains(&format!("]({name})")) {
            findings.push(format!("{DECISIONS}{name}: list it in the index README"));
        }
        for part in ["## Question", "## Decision", "## Why", "## Rejected", "## Consequences"] {
            if !text.lines().any(|line| line == part) {
                findings.push(format!("{DECISIONS}{name}: no `{part}`"));
            }
        }
    }
    findings
}

#[test]
fn every_decision_is_indexed_and_whole() {
    none(&loose_decisions(Tree::repository()));
}

#[test]
fn loose_decisions_are_noticed() {
    let whole = "## Question\n## Decision\n## Why\n## Rejected\n## Consequences\n";
    one(&loose_decisions(&Tree::of(&[("crates/decisions/0001-x.md", whole)])), "list it");
    let index = ("crates/decisions/README.md", "- [x](0001-x.md)");
    let short = whole.replace("## Rejected\n", "");
    one(&loose_decisions(&Tree::of(&[index, ("crates/decisions/0001-x.md", &short)])), "no `## Rejected`");
}
