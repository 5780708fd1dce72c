//! The whole matrix of the shipped policy, as it was reviewed. A change here changes who sees what.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use tributary::policy;
use tributary_policy::Table;
use tributary_policy::cells::{self, Cell, Place, Row};

/// Release target: fewer would be no whole matrix.
const CELLS_LEAST: usize = 100_000;

/// Everything that rows show, said once for all rows that show the same.
fn compact(table: &Table) -> (String, usize) {
    let rows = Table::rows(&table.organisations());
    let places: Vec<Place> = cells::places().collect();
    let mut blocks: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows.iter().cloned() {
        let sight = table.sight(&row);
        let mut block = String::new();
        for of_section in places.chunks(6) {
            let shown: Vec<Cell> = of_section.iter().map(|place| sight.at(*place)).collect();
            if shown.iter().any(|cell| *cell != Cell::NOTHING) {
                let words: Vec<String> = shown.iter().map(ToString::to_string).collect();
                let place = of_section[0];
                writeln!(block, "  {} {}: {}", place.kind.code(), place.section.code(), words.join(" "))
                    .unwrap();
            }
        }
        blocks.entry(block).or_default().push(row);
    }
    let count = rows.len() * places.len();
    let mut text = format!(
        "{count} cells, {} rows\nin a line: without a label, restricted, very-restricted, not-for-patient, listed, unknown\n",
        rows.len()
    );
    for (block, rows) in &blocks {
        if block.is_empty() {
            writeln!(text, "\nnothing: the other {} rows", rows.len()).unwrap();
            continue;
        }
        text.push('\n');
        for row in rows {
            writeln!(text, "{row}").unwrap();
        }
        text.push_str(block);
    }
    (text, count)
}

#[test]
fn the_whole_matrix_is_the_reviewed_one() {
    let (found, cells) = compact(&policy::load(None).unwrap().table);
    assert!(cells >= CELLS_LEAST);
    let reviewed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shipped.txt");
    if std::fs::read_to_string(&reviewed).unwrap_or_default() != found {
        let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shipped.txt");
        std::fs::write(&beside, found).unwrap();
        panic!("who sees what has changed: review {} and put it in place", beside.display());
    }
}

#[test]
fn the_shipped_file_is_the_one_in_the_product() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policy.toml");
    assert_eq!(std::fs::read_to_string(file).unwrap(), policy::SHIPPED);
}

#[track_caller]
fn check(from: &str, to: &str, says: &str) {
    assert!(policy::SHIPPED.contains(from), "{from}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.toml");
    // What a comment shows is no rule.
    let rules: String =
        policy::SHIPPED.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(&file, rules.replacen(from, to, 1)).unwrap();
    let mistakes = policy::load(Some(&file)).unwrap_err();
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|one| one.contains(says)), "{told:?}");
    let line = mistakes.iter().find(|one| one.to_string().contains(says)).and_then(|one| one.line);
    assert!(line.is_some(), "{told:?} name no line");
}

/// G07, and every other word that is not known.
#[test]
fn what_is_not_understood_is_no_policy() {
    let carer = r#"roles = ["home-carer"]"#;
    check(carer, "roles = []", "mine.toml: rule[12].roles: is empty, which means nobody");
    check(
        carer,
        r#"roles = ["carer"]"#,
        "mine.toml: rule[12].roles[1]: is not known; known are demo, ambulance",
    );
    check(carer, r#"roles = "all""#, "mine.toml: rule[12].roles: is a text, not a list of texts");
    check(carer, "", "mine.toml: rule[12].roles: is missing: name some, or write \"any\"");
    check(carer, r#"role = ["home-carer"]"#, "mine.toml: rule[12].role: is no key here");
    check(r#"sections = ["plans", "flags"]"#, "sections = []", ".sections: is empty, which means nobody");
    check(r#"sections = ["plans", "flags"]"#, r#"sections = ["toes"]"#, ".sections[1]: is not known");
    check(r#"organisations = "any""#, "organisations = []", ".organisations: is empty, which means nobody");
    check(r#"organisations = "any""#, r#"organisations = ["x"]"#, ".organisations[1]: an ods code is");
    check(r#"purposes = ["patientaccess"]"#, r#"purposes = ["research"]"#, ".purposes[1]: is not known");
    check(r#"labels = ["restricted", "listed"]"#, r#"labels = ["unknown"]"#, ".labels[1]: is not known");
    check(r#"labels = ["restricted", "listed"]"#, "labels = []", ".labels: is empty, which means nobody");
    check(r#"id = "patient""#, r#"id = "gp""#, ".id: is the id of an earlier rule");
    check(
        r#"effect = "deny""#,
        r#"effect = "allow""#,
        ".effect: is not known; known are permit, limit, deny",
    );
    check("life_minutes = 60", "life_minutes = 61", "break_glass.life_minutes: is not between 1 and 60");
    check("version = 1", "version = 2", "version: is not between 1 and 1");
    check(r#"column = "gp""#, r#"column = "whole""#, "column: is for the role demo alone");
    // Nobody's dissent can be spoken of, nor a restriction.
    for key in ["dissent", "s_flag", "sensitive"] {
        check(r#"effect = "deny""#, &format!("effect = \"deny\"\n{key} = true"), ": is no key here");
    }
    check(r#"effect = "deny""#, "effect = \"deny\"\nbreak_glass = true", ".break_glass: is no key here");
}
