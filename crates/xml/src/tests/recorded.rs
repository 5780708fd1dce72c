//! Recorded GP Connect replies of the kinds that are written, when the machine has them.

use super::*;

#[test]
fn recorded_replies_keep_every_value_in_xml() {
    let Some(folder) = std::env::var_os("TRIBUTARY_FIXTURES") else {
        println!("NOT RUN: TRIBUTARY_FIXTURES is not set, no recorded reply was written as XML");
        return;
    };
    let mut kinds = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let document = Document::scan(std::fs::read(&file).unwrap(), &Limits::default()).unwrap();
        match to_xml(&document) {
            Ok(_) => {
                same_values(&document);
                kinds.push(document.root().text_at("resourceType").unwrap().into_owned());
            }
            // Records hold clinical resources, which are not written.
            Err(XmlRefused::Resource(name)) => assert!(!name.is_empty(), "{}", file.display()),
            Err(other) => panic!("{}: {other}", file.display()),
        }
    }
    for kind in ["Bundle", "CapabilityStatement", "OperationOutcome"] {
        assert!(kinds.iter().any(|written| written == kind), "no recorded {kind} was written: {kinds:?}");
    }
    println!("{} recorded replies written as XML", kinds.len());
}
