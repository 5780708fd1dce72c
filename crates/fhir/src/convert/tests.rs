//! What conversion must not get wrong. Each known mistake of other converters has its test here.

mod administration;
mod back;
mod care;
mod clinical;
mod envelope;
mod medicines;
mod properties;
mod recorded;
mod spellings;
mod status;

use serde_json::Value;

use super::*;
use crate::json::quoted;
use crate::reply::KeptAs;

/// Converts a bundle of these resources.
#[track_caller]
fn converted(resources: &[&str]) -> Converted {
    let entries: Vec<String> =
        resources.iter().map(|resource| format!(r#"{{"resource":{resource}}}"#)).collect();
    let text = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","));
    let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
    convert_bundle(&doc).unwrap()
}

#[track_caller]
fn one(resource: &str) -> (Value, Vec<String>) {
    let converted = converted(&[resource]);
    let bundle: Value = serde_json::from_str(converted.document.text()).unwrap();
    let notes = converted
        .losses
        .iter()
        .map(|note| match note.kept_as {
            KeptAs::Extension => note.path.clone(),
            KeptAs::Meaningless => format!("{} says nothing", note.path),
        })
        .collect();
    (bundle["entry"][0]["resource"].clone(), notes)
}

/// Converts a resource and compares everything: the result and the notes.
#[track_caller]
fn check(stu3: &str, r4: &str, notes: &[&str]) {
    let (found, found_notes) = one(stu3);
    let expected: Value = serde_json::from_str(r4).unwrap();
    assert_eq!(found, expected, "\nfound:    {found}\nexpected: {expected}");
    assert_eq!(found_notes, notes);
}
