//! Who may import whom.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::tree::{Tree, none, one};

/// One crate: its folder, its floor, the crates it may import.
struct Room {
    name: &'static str,
    floor: u8,
    imports: &'static [&'static str],
}

const fn room(floor: u8, name: &'static str, imports: &'static [&'static str]) -> Room {
    Room { name, floor, imports }
}

/// The law. `ARCHITECTURE.md` and `crates/README.md` show the same table, and are held to it.
const ROOMS: &[Room] = &[
    room(0, "model", &[]),
    room(0, "guard", &[]),
    room(1, "fhir", &["model"]),
    room(1, "policy", &["model"]),
    room(1, "flow", &["model"]),
    room(1, "audit", &["model"]),
    room(1, "signals", &["model"]),
    room(1, "telemetry", &["model"]),
    room(1, "identity", &["model"]),
    room(2, "statements", &["model", "fhir"]),
    room(2, "sources", &["model", "fhir", "flow", "telemetry"]),
    room(2, "bounds", &["model", "telemetry"]),
    room(2, "client", &["model", "fhir"]),
    room(2, "ledger", &["model", "audit"]),
    room(2, "xml", &["fhir"]),
    room(3, "merge", &["model", "fhir", "statements"]),
    room(4, "broker", &["model", "fhir", "policy", "flow", "audit", "signals", "telemetry", "merge"]),
    room(4, "viewer", &["model", "merge"]),
    room(5, "server", &["model", "fhir", "telemetry", "identity", "bounds", "xml", "broker", "viewer"]),
    room(
        6,
        "settings",
        &[
            "model",
            "guard",
            "policy",
            "audit",
            "telemetry",
            "identity",
            "sources",
            "ledger",
            "broker",
            "server",
        ],
    ),
    room(
        7,
        "tributary",
        &[
            "model",
            "guard",
            "policy",
            "flow",
            "audit",
            "telemetry",
            "identity",
            "sources",
            "ledger",
            "client",
            "broker",
            "server",
            "settings",
            "mock-providers",
        ],
    ),
];

/// Libraries with one home, so that a swap touches one crate.
const HOMES: &[(&str, &[&str])] = &[
    ("prometheus", &["telemetry"]),
    ("moka", &["broker"]),
    ("reqwest", &["client"]),
    ("matchit", &["server"]),
    ("toml", &["settings"]),
    ("tokio-postgres", &["ledger"]),
];

const KINDS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// `tributary-model` → `model`; the binary's crate and the mocks keep their name.
fn short(package: &str) -> &str {
    package.strip_prefix("tributary-").unwrap_or(package)
}

fn full(name: &str) -> String {
    if name == "tributary" { name.to_owned() } else { format!("tributary-{name}") }
}

/// Every import of a manifest, with the table it stands in.
fn imports(manifest: &Table) -> Vec<(&'static str, String)> {
    let platforms = manifest.get("target").and_then(Value::as_table);
    let tables = std::iter::once(manifest)
        .chain(platforms.into_iter().flatten().filter_map(|(_, value)| value.as_table()));
    let mut found = Vec::new();
    for table in tables {
        for kind in KINDS {
            for (key, value) in table.get(*kind).and_then(Value::as_table).into_iter().flatten() {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
                found.push((*kind, short(package).to_owned()));
            }
        }
    }
    found
}

fn manifest(tree: &Tree, folder: &str) -> Table {
    tree.text(&format!("{folder}/Cargo.toml"))
        .parse()
        .unwrap_or_else(|error| panic!("{folder}/Cargo.toml: {error}"))
}

/// Imports that the law does not grant, and libraries away from home.
fn trespassers(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for name in tree.crates() {
        let Some(law) = ROOMS.iter().find(|room| room.name == name) else {
            findings.push(format!(
                "crates/{name}: not in the floors table; give it a floor in tests/tidy/floors.rs"
            ));
            continue;
        };
        for (kind, import) in imports(&manifest(tree, &format!("crates/{name}"))) {
            let ours = import == "mock-providers" || ROOMS.iter().any(|room| room.name == import);
            if ours && !law.imports.contains(&import.as_str()) {
                findings.push(format!(
                    "crates/{name}: {kind} names `{import}`; hand a value or a small trait in from above instead"
                ));
            }
            if HOMES.iter().any(|(library, homes)| *library == import && !homes.contains(&name)) {
                findings
                    .push(format!("crates/{name}: {kind} names `{import}`, which lives elsewhere (HOMES)"));
            }
        }
    }
    if tree.has("mock-providers/Cargo.toml") {
        for (_, import) in imports(&manifest(tree, "mock-providers")) {
            if ROOMS.iter().any(|room| room.name == import) && !["model", "fhir"].contains(&import.as_str()) {
                findings
                    .push(format!("mock-providers: imports `{import}`; mocks may know model and fhir only"));
            }
        }
    }
    findings
}

#[test]
fn imports_only_go_down() {
    none(&trespassers(Tree::repository()));
}

#[test]
fn upward_sideways_and_homeless_imports_are_noticed() {
    let upward = [("crates/merge/Cargo.toml", "[dev-dependencies]\ntributary-broker.workspace = true")];
    one(&trespassers(&Tree::of(&upward)), "dev-dependencies names `broker`");
    let sideways = [(
        "crates/flow/Cargo.toml",
        "[target.'cfg(unix)'.dependencies]\nx = { package = \"tributary-audit\" }",
    )];
    one(&trespassers(&Tree::of(&sideways)), "names `audit`");
    let homeless = [("crates/broker/Cargo.toml", "[dependencies]\nprometheus.workspace = true")];
    one(&trespassers(&Tree::of(&homeless)), "lives elsewhere");
    one(&trespassers(&Tree::of(&[("crates/extra/Cargo.toml", "")])), "not in the floors table");
    let curious = [("mock-providers/Cargo.toml", "[dependencies]\ntributary-merge.workspace = true")];
    one(&trespassers(&Tree::of(&curious)), "mocks may know");
}

#[test]
fn floors_table_itself_only_goes_down() {
    for room in ROOMS {
        for import in room.imports.iter().filter(|import| **import != "mock-providers") {
            let below = ROOMS.iter().find(|other| other.name == *import).unwrap();
            assert!(below.floor < room.floor, "{} may not import {import}", room.name);
        }
    }
}

#[test]
fn every_room_is_built() {
    let crates = Tree::repository().crates();
    for room in ROOMS {
        assert!(crates.contains(&room.name), "{} is in the floors table, but not in crates/", room.name);
    }
}

/// The one crate with `unsafe` (decision 15). What is forbidden cannot be allowed in one place, so that it has a
/// table of its own.
const UNSAFE_HOME: &str = "crates/guard/Cargo.toml";
/// Where that table may differ from the workspace's.
const OWN_LINTS: &[&str] = &[
    "rust.unsafe_code",
    "rust.unsafe_op_in_unsafe_fn",
    "clippy.undocumented_unsafe_blocks",
    "clippy.multiple_unsafe_ops_per_block",
];

/// Every lint of a table of tables, as `tool.name`.
fn lints(tables: Option<&Value>) -> BTreeMap<String, Value> {
    let tools = tables.and_then(Value::as_table).into_iter().flatten();
    let named = |(tool, lints): (&String, &Value)| {
        let lints = lints.as_table().cloned().unwrap_or_default();
        lints.into_iter().map(|(lint, level)| (format!("{tool}.{lint}"), level)).collect::<Vec<_>>()
    };
    tools.flat_map(named).filter(|(name, _)| !OWN_LINTS.contains(&name.as_str())).collect()
}

#[test]
fn the_one_crate_with_unsafe_obeys_everything_else() {
    let tree = Tree::repository();
    let (ours, own) = (tree.text("Cargo.toml").parse::<Table>().unwrap(), manifest(tree, "crates/guard"));
    let table = |manifest: &Table| manifest.get("lints").cloned();
    let workspace = ours.get("workspace").and_then(Value::as_table).and_then(table);
    assert!(lints(workspace.as_ref()).len() > 40, "the workspace's lints are not where they were");
    assert_eq!(lints(workspace.as_ref()), lints(table(&own).as_ref()));
    let level = |name: &str| own.get("lints").and_then(|lints| lints.get("rust")?.get(name)?.as_str());
    assert_eq!((level("unsafe_code"), level("unsafe_op_in_unsafe_fn")), (Some("deny"), Some("deny")));
}

/// Manifests that step outside the workspace's lints.
fn lawless(tree: &Tree) -> Vec<String> {
    let member = |path: &str| ![UNSAFE_HOME, "Cargo.toml"].contains(&path) && path.ends_with("Cargo.toml");
    let obeys = |text: &str| {
        let table: Table = text.parse().unwrap();
        table.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    let outside = |(path, _): (&str, &str)| format!("{path}: add `[lints] workspace = true`");
    tree.files().filter(|(path, text)| member(path) && !obeys(text)).map(outside).collect()
}

#[test]
fn every_member_obeys_the_workspace_lints() {
    none(&lawless(Tree::repository()));
}

#[test]
fn own_lints_are_noticed() {
    one(
        &lawless(&Tree::of(&[("crates/flow/Cargo.toml", "[lints.rust]\nmissing_docs = \"warn\"")])),
        "crates/flow",
    );
}

/// Crates without a README, or missing from one of the two maps.
fn unmapped(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for room in ROOMS.iter().filter(|room| tree.crates().contains(&room.name)) {
        let (name, full) = (room.name, full(room.name));
        if !tree.text(&format!("crates/{name}/README.md")).starts_with(&format!("# {full}\n")) {
            findings.push(format!("crates/{name}/README.md: write one that opens with `# {full}`"));
        }
        if !tree
            .text(&format!("crates/{name}/src/lib.rs"))
            .contains("#![doc = include_str!(\"../README.md\")]")
        {
            findings.push(format!("crates/{name}/src/lib.rs: make the README the rustdoc with include_str!"));
        }
        let row = format!("| {} | `{full}` |", room.floor);
        if !tree.text("ARCHITECTURE.md").lines().any(|line| line.starts_with(&row)) {
            findings.push(format!("ARCHITECTURE.md: no row `{row}`"));
        }
        let imports = if room.imports.is_empty() { "nothing".to_owned() } else { room.imports.join(", ") };
        let opens = format!("| {} | [`{full}`]({name}/README.md) |", room.floor);
        let closes = format!("| {imports} |");
        if !tree
            .text("crates/README.md")
            .lines()
            .any(|line| line.starts_with(&opens) && line.ends_with(&closes))
        {
            findings.push(format!("crates/README.md: no row `{opens} … {closes}`"));
        }
    }
    findings
}

#[test]
fn every_crate_has_a_readme_and_stands_in_both_maps() {
    none(&unmapped(Tree::repository()));
}

#[test]
fn unmapped_crates_are_noticed() {
    let files = [
        ("crates/merge/Cargo.toml", ""),
        ("crates/merge/README.md", "# tributary-merge\n"),
        ("crates/merge/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"),
        ("ARCHITECTURE.md", "| 3 | `tributary-merge` | lines |\n"),
        (
            "crates/README.md",
            "| 3 | [`tributary-merge`](merge/README.md) | lines | model, fhir, statements |\n",
        ),
    ];
    none(&unmapped(&Tree::of(&files)));
    for (without, says) in
        [(1, "opens with"), (2, "the rustdoc"), (3, "ARCHITECTURE.md: no row"), (4, "crates/README.md")]
    {
        let mut left = files.to_vec();
        left.remove(without);
        one(&unmapped(&Tree::of(&left)), says);
    }
}
