//! Property 14: whatever a source sends, there is an output or a quarantine, and its size follows the input's.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use tributary_fhir::convert::convert_bundle;
use tributary_fhir::{Bundle, Document, Limits, Reply};
use tributary_merge::Heard;
use tributary_model::SectionSet;

use crate::properties::cases;
use crate::properties::drawn::{Told, own_piece, pools, told};
use crate::properties::stage::{empty, entries, origins, scan, tell};
use crate::properties::written::{Speaker, bundle};

/// Any JSON, made of keys that mean something and of values that need not fit them.
fn any_json() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        select(pools::WORDS).prop_map(|word| format!("\"{word}\"")),
        select(pools::DATES).prop_map(|word| format!("\"{word}\"")),
        select(pools::STATUSES).prop_map(|word| format!("\"{word}\"")),
        select(vec!["0", "-1.50", "1e999", "true", "false", "null", "[]", "{}"]).prop_map(str::to_owned),
        select(pools::LINKS).prop_map(str::to_owned),
        select(pools::CODINGS).prop_map(str::to_owned),
    ];
    let key = select(vec![
        "resourceType",
        "id",
        "meta",
        "subject",
        "patient",
        "code",
        "coding",
        "system",
        "value",
        "status",
        "text",
        "reference",
        "identifier",
        "contained",
        "extension",
        "url",
        "entry",
        "item",
        "basedOn",
        "result",
        "hasMember",
        "clinicalStatus",
        "effectiveDateTime",
        "effectivePeriod",
        "start",
        "end",
        "dosage",
        "note",
        "category",
        "content",
        "attachment",
        "hash",
        "participant",
        "actor",
        "birthDate",
        "name",
        "family",
        "given",
        "address",
    ]);
    words.prop_recursive(4, 30, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            btree_map(key.clone(), inner, 0..6).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A resource of any content with a type, perhaps about the patient.
fn any_resource() -> impl Strategy<Value = String> {
    (select(pools::KINDS), any_json(), any::<bool>()).prop_map(|(kind, json, tied)| {
        let about = if tied { r#""subject":{"reference":"Patient/p1"},"patient":{"reference":"Patient/p1"},"# } else { "" };
        let inner: String = json.strip_prefix('{').and_then(|json| json.strip_suffix('}')).map_or_else(
            || format!("\"anything\":{json}"),
            |members| {
                // No key may come twice: the outermost ones get names of their own.
                if members.is_empty() { "\"x\":0".to_owned() } else { format!("\"anything\":{{{members}}}") }
            },
        );
        format!(r#"{{"resourceType":"{kind}",{about}{inner},"code":{json},"status":{json},"effectivePeriod":{json}}}"#)
    })
}

/// Gives a text to the merge as the answer of the second source, the first one having told its own.
fn swallow(text: &str, stu3: bool, first: &Told) -> Result<(), TestCaseError> {
    let Ok(document) = Document::scan(text.as_bytes().to_vec(), &Limits::default()) else { return Ok(()) };
    let mut reply = Reply { asked: SectionSet::all(), converted: stu3, ..Reply::default() };
    if stu3 {
        let Ok(converted) = convert_bundle(&document) else { return Ok(()) };
        reply.losses = converted.losses;
        reply.carried = converted.carried;
        reply.documents.push(converted.document);
    } else {
        reply.documents.push(document);
    }
    let mut stage = empty();
    tell(&mut stage, 0, first);
    let alone: Vec<String> = origins(&scan(&stage.merged().to_r4()));
    stage.hears("acute-a", Heard::Reply(std::sync::Arc::new(reply)));
    let record = stage.merged();
    let out = record.to_r4();
    prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&out).is_ok());
    let merged = scan(&out);
    prop_assert!(Bundle::of(&merged).is_ok());
    prop_assert!(entries(&merged).len() > 2);
    let both = origins(&merged);
    prop_assert!(alone.iter().all(|origin| both.contains(origin)), "another answer suffered");
    // A statement costs its own bytes and a fixed surplus; a record without any costs about thirty thousand.
    let bound = 40_000 + text.len() * 12 + 8_000 * (both.len() + 1);
    prop_assert!(out.len() < bound, "{} bytes from {}", out.len(), text.len());
    let _shown = format!("{:?}", record.to_view());
    Ok(())
}

fn whole(resources: &[String]) -> String {
    let entries: Vec<String> = resources.iter().map(|one| format!(r#"{{"resource":{one}}}"#)).collect();
    format!(
        r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"Patient","id":"p1","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}]}}}}{}{}]}}"#,
        if entries.is_empty() { "" } else { "," },
        entries.join(",")
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_resources_are_merged_or_held_back(resources in vec(any_resource(), 0..4), stu3 in any::<bool>(), first in told()) {
        swallow(&whole(&resources), stu3, &first)?;
    }

    #[test]
    fn any_document_is_merged_or_refused(json in any_json(), stu3 in any::<bool>(), first in told()) {
        swallow(&format!(r#"{{"resourceType":"Bundle","entry":{json}}}"#), stu3, &first)?;
        swallow(&json, stu3, &first)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..cases() })]

    #[test]
    fn a_thousand_alike_are_merged(piece in own_piece(), stu3 in any::<bool>(), first in told()) {
        let speaker = Speaker { base: "https://acute.example/fhir", stu3 };
        let one = bundle(speaker, pools::PATIENTS[0], std::slice::from_ref(&piece));
        let scanned = scan(&one);
        let resource = scanned.root().get("entry").and_then(|list| list.items().nth(1)?.get("resource")).expect("it").raw();
        let alike: Vec<String> = (0..1_000)
            .map(|number| {
                let own = if piece.id.is_empty() { format!("\"number\":{number},") } else { String::new() };
                let renamed = resource.replacen(&format!("\"id\":\"{}\"", piece.id), &format!("\"id\":\"n{number}\""), 1);
                renamed.replacen('{', &format!("{{{own}"), 1)
            })
            .collect();
        swallow(&whole(&alike), stu3, &first)?;
    }
}
