//! The tree under check: the repository on disk, or a few made-up files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Build output and local state: never read.
const SKIPPED: &[&str] = &[".git", "target", "var", "node_modules"];
/// Larger files are data: listed, not read.
const READ_AT_MOST: u64 = 2 << 20;

/// Paths relative to the root, with `/`, and the text of each file.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
    executables: BTreeSet<String>,
    top: BTreeSet<String>,
}

impl Tree {
    /// The repository this test was built from, read once.
    pub(crate) fn repository() -> &'static Self {
        static TREE: LazyLock<Tree> = LazyLock::new(|| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            let mut tree = Tree::default();
            tree.read(root, root);
            tree
        });
        &TREE
    }

    /// A made-up tree.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.top.insert(path.split('/').next().unwrap().to_owned());
            tree.files.insert((*path).to_owned(), (*text).to_owned());
        }
        tree
    }

    fn read(&mut self, root: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let Ok(meta) = fs::symlink_metadata(&path) else {
                continue; // an editor's temporary file, gone again
            };
            if folder == root {
                self.top.insert(name.clone());
            }
            let skipped = path.file_name().is_some_and(|last| SKIPPED.iter().any(|skip| last == *skip));
            if meta.is_dir() && !skipped {
                self.read(root, &path);
            } else if meta.is_file() {
                let small = meta.len() <= READ_AT_MOST;
                let text = if small { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
                if meta.permissions().mode() & 0o111 != 0 {
                    self.executables.insert(name.clone());
                }
                self.files.insert(name, text);
            }
        }
    }

    /// Entries of the root, files and folders.
    pub(crate) fn top(&self) -> impl Iterator<Item = &str> {
        self.top.iter().map(String::as_str)
    }

    /// The text of a file; empty if there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// Whether a file or a folder with files stands at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Whether a file may be run.
    pub(crate) fn runs(&self, path: &str) -> bool {
        self.executables.contains(path)
    }

    /// Every file.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Files with this ending, dot included.
    pub(crate) fn ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.ends_with(end))
    }

    /// Folder names under `crates/` that hold a manifest.
    pub(crate) fn crates(&self) -> Vec<&str> {
        let folder = |path| str::strip_suffix(str::strip_prefix(path, "crates/")?, "/Cargo.toml");
        self.files.keys().filter_map(|path| folder(path.as_str())).collect()
    }
}

/// Fails with every finding, one a line.
#[track_caller]
pub(crate) fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} found:\n  {}\n", findings.len(), findings.join("\n  "));
}

/// Fails unless exactly one finding was made, and it says this.
#[track_caller]
pub(crate) fn one(findings: &[String], says: &str) {
    assert!(
        findings.len() == 1 && findings[0].contains(says),
        "wanted one finding with `{says}`: {findings:#?}"
    );
}
