//! R4 to STU3. Each known mistake of other converters has its test here, for this direction.

mod documents;
mod envelope;
mod medicines;
mod properties;
mod recorded;
mod round;
mod status;

use serde_json::Value;

use super::*;

/// Converts an R4 bundle of these resources.
#[track_caller]
fn converted(resources: &[&str]) -> Converted {
    let entries: Vec<String> =
        resources.iter().map(|resource| format!(r#"{{"resource":{resource}}}"#)).collect();
    let text = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","));
    let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
    convert_bundle_to_stu3(&doc).unwrap()
}

#[track_caller]
pub(super) fn one(resource: &str) -> (Value, Vec<String>) {
    let converted = converted(&[resource]);
    let bundle: Value = serde_json::from_str(converted.document.text()).unwrap();
    let notes = converted.losses.iter().map(|note| note.path.clone()).collect();
    (bundle["entry"][0]["resource"].clone(), notes)
}

/// Converts an R4 resource and compares everything: the result and the notes.
#[track_caller]
fn check(r4: &str, stu3: &str, notes: &[&str]) {
    let (found, found_notes) = one(r4);
    let expected: Value = serde_json::from_str(stu3).unwrap();
    assert_eq!(found, expected, "\nfound:    {found}\nexpected: {expected}");
    assert_eq!(found_notes, notes);
}

/// STU3 to R4 and back.
#[track_caller]
fn round(stu3: &str) -> Value {
    let r4 = super::converted(&[stu3]);
    let back = convert_bundle_to_stu3(&r4.document).unwrap();
    let bundle: Value = serde_json::from_str(back.document.text()).unwrap();
    bundle["entry"][0]["resource"].clone()
}

/// A STU3 resource comes back as it was.
#[track_caller]
pub(super) fn comes_back(stu3: &str) {
    let expected: Value = serde_json::from_str(stu3).unwrap();
    let found = round(stu3);
    assert_eq!(found, expected, "\nfound:    {found}\nexpected: {expected}");
}
