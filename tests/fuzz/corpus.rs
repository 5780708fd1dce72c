//! What cases are made of: the stories of this repository, and recorded replies where they are at hand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tributary_fhir::{Document, Limits};
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;

use super::tree::Tree;

/// The patient that every answer of a case is about.
pub const NUMBER: &str = "9990000107";

/// One answer: a Bundle of a patient.
#[derive(Clone, Debug)]
pub struct Base {
    /// The file it came from.
    pub name: String,
    /// Whether it is in STU3.
    pub stu3: bool,
    /// The Bundle, its Patient carrying [`NUMBER`].
    pub document: Tree,
    /// How many bytes it has.
    pub bytes: usize,
}

/// The answers of the stories.
pub fn stories() -> Vec<Base> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mock-providers/patients");
    let mut files: Vec<PathBuf> = folders(&folder).iter().flat_map(|patient| files(patient)).collect();
    files.retain(|file| !file.ends_with("story.json"));
    files.iter().filter_map(|file| Base::read(file)).collect()
}

/// The recorded replies of a folder that hold a Bundle.
pub fn recordings(folder: &Path) -> Vec<Base> {
    files(folder).iter().filter_map(|file| Base::read(file)).collect()
}

/// The files of a folder that hold no Bundle: what a source may say instead of a record.
pub fn no_records(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let others = files(folder).into_iter().filter(|file| Base::read(file).is_none());
    others
        .filter_map(|file| {
            Some((file.file_name()?.to_string_lossy().into_owned(), std::fs::read(&file).ok()?))
        })
        .collect()
}

/// The recorded replies, if their folder is named.
pub fn named_recordings() -> Option<Vec<Base>> {
    std::env::var_os("TRIBUTARY_FIXTURES").map(|folder| recordings(Path::new(&folder)))
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    listed(folder).into_iter().filter(|path| path.is_dir()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json");
    listed(folder).into_iter().filter(is_json).collect()
}

impl Base {
    fn read(file: &Path) -> Option<Self> {
        let bytes = std::fs::read(file).ok()?;
        let size = bytes.len();
        let scanned = Document::scan(bytes, &Limits::default()).ok()?;
        let stu3 = !scanned.text().contains("UKCore-");
        let mut document = Tree::of(scanned.root());
        if document.text_at("resourceType") != Some("Bundle") {
            return None;
        }
        renumber(&mut document);
        let name = file.file_name()?.to_string_lossy().into_owned();
        Some(Self { name, stu3, document, bytes: size })
    }

    /// Whether it holds a Patient with the number of all cases.
    pub fn names_patient(&self) -> bool {
        let Some(Tree::List(entries)) = self.document.get("entry") else { return false };
        let mut patients = entries.iter().filter(|entry| is_patient(entry)).cloned();
        patients.any(|mut patient| {
            let mut found = false;
            patient.each_leaf(&mut |leaf| found |= leaf.trim_matches('"') == NUMBER);
            found
        })
    }

    /// The same Bundle with at most so many entries, its Patients among them.
    pub fn sample(&self, most: usize, chance: &mut super::chance::Chance) -> Tree {
        let mut small = self.document.clone();
        let Tree::Object(members) = &mut small else { return small };
        let Some((_, Tree::List(entries))) = members.iter_mut().find(|(key, _)| key == "entry") else {
            return small;
        };
        let (patients, mut others): (Vec<Tree>, Vec<Tree>) =
            std::mem::take(entries).into_iter().partition(is_patient);
        // A run of neighbours refers to each other; some from elsewhere do not.
        let start = chance.below(others.len());
        others.rotate_left(start);
        others.truncate(most);
        chance.shuffle(&mut others);
        *entries = patients.into_iter().chain(others).collect();
        small
    }
}

fn is_patient(entry: &Tree) -> bool {
    entry.get("resource").and_then(|resource| resource.text_at("resourceType")) == Some("Patient")
}

/// Gives the Patients the number of all cases, wherever their own was written.
fn renumber(document: &mut Tree) {
    let Some(Tree::List(entries)) = document.get("entry") else { return };
    let mut numbers = BTreeSet::new();
    for patient in entries.iter().filter(|entry| is_patient(entry)) {
        let identifiers = patient.get("resource").and_then(|resource| resource.get("identifier"));
        let Some(Tree::List(identifiers)) = identifiers else { continue };
        let own = identifiers.iter().filter(|one| one.text_at("system") == Some(NHS_NUMBER_SYSTEM));
        numbers.extend(own.filter_map(|one| Some(format!("\"{}\"", one.text_at("value")?))));
    }
    document.each_leaf(&mut |leaf| {
        if numbers.contains(leaf) {
            *leaf = format!("\"{NUMBER}\"");
        }
    });
}
