//! Recorded GP Connect bundles come back from R4 as they were, when the machine has them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// Every leaf by its path without places in lists, and how often it is there.
type Leaves = BTreeMap<(String, String), i64>;

#[test]
fn recorded_bundles_come_back() {
    let Some(folder) = std::env::var_os("TRIBUTARY_FIXTURES") else {
        println!("NOT RUN: TRIBUTARY_FIXTURES is not set, no recorded bundle was converted and back");
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut seen = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let doc = Document::scan(std::fs::read(path).unwrap(), &Limits::default()).unwrap();
        if !doc.root().says("resourceType", "Bundle") {
            continue;
        }
        let r4 = convert_bundle(&doc).unwrap();
        let back = convert_bundle_to_stu3(&r4.document).unwrap();
        assert!(back.carried.is_empty(), "{}: {:?}", path.display(), back.carried);
        let before: Vec<Json<'_>> = Bundle::of(&doc).unwrap().resources().collect();
        let after: Vec<Json<'_>> = Bundle::of(&back.document).unwrap().resources().collect();
        assert_eq!(before.len(), after.len());
        for (one, other) in before.iter().zip(&after) {
            same(&path.display().to_string(), one.raw(), other.raw());
        }
        seen += 1;
    }
    assert!(seen > 0, "no bundle in the folder");
    println!("{seen} recorded bundles converted and back");
}

fn same(file: &str, before: &str, after: &str) {
    let (before, after): (Value, Value) =
        (serde_json::from_str(before).unwrap(), serde_json::from_str(after).unwrap());
    let mut leaves = Leaves::new();
    count(&before, &path_of(&before), 1, &mut leaves);
    count(&after, &path_of(&after), -1, &mut leaves);
    leaves.retain(|(path, text), times| *times != 0 && !may_differ(path, text, *times));
    assert!(leaves.is_empty(), "{file} {} {}: {leaves:?}", before["resourceType"], before["id"]);
}

fn path_of(resource: &Value) -> String {
    resource["resourceType"].as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value, path: &str, step: i64, leaves: &mut Leaves) {
    match value {
        Value::Object(members) => {
            let url = members.get("url").and_then(Value::as_str).filter(|_| path.ends_with("extension"));
            // One name for the extension, whichever of its published bases it has.
            let name = url.map(|url| {
                url.rsplit(['/', '-']).nth(1).unwrap_or(url).to_owned() + url.rsplit('-').next().unwrap_or("")
            });
            for (key, value) in members.iter().filter(|(key, _)| name.is_none() || *key != "url") {
                // Recordings count in either of the two types.
                let key = key.replace("valueUnsignedInt", "valuePositiveInt");
                // One spells an element otherwise, and gets the published name back.
                let key = key.replace("notGivenReason", "reasonNotGiven");
                let key = name.as_ref().map_or_else(|| key.clone(), |name| format!("{name}.{key}"));
                count(value, &format!("{path}.{key}"), step, leaves);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| count(item, path, step, leaves)),
        leaf @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            *leaves.entry((path.to_owned(), leaf.to_string())).or_default() += step;
        }
    }
}

/// What may differ: `1` more before, `-1` more after.
fn may_differ(path: &str, text: &str, times: i64) -> bool {
    let is_absence =
        path.contains("data-absent-reason") || path.contains("dataabsent") || path.contains("absentreason");
    // STU3 requires an element that the recording lacks, and its absence is said. A letter without a date on its
    // attachment has the date of the document there; a number without unit has the one of the text beside it.
    let is_added = is_absence
        || path.ends_with("content.attachment.creation")
        || path.ends_with("dispenseRequest.quantity.unit");
    (times < 0 && is_added)
        // Sources pad addresses of code systems, and some use those of R4 already.
        || (path.ends_with(".system") && text.contains("hl7.org/"))
}
