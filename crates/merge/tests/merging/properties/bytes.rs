//! What a source wrote is what a reader gets: every word, number, code and date of it, byte for byte.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tributary_fhir::Json;
use tributary_fhir::bundle::type_of;

use crate::properties::cases;
use crate::properties::drawn::{Piece, own_piece};
use crate::properties::stage::{content, empty, entries, leaves, origin, reply_of, scan};
use crate::properties::written::{Speaker, resource};

const BASE: &str = "https://gp.example/fhir";

/// One resource in a Bundle with its patient.
fn text(piece: &Piece, stu3: bool) -> String {
    let resource = resource(Speaker { base: BASE, stu3 }, piece);
    format!(
        r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"Patient","id":"p1","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}]}}}},{{"resource":{resource}}}]}}"#
    )
}

/// Keys whose values conversion recodes by its tables, or that name resources rather than say something.
const RECODED: &[&str] = &[
    "resourceType",
    "id",
    "reference",
    "system",
    "status",
    "clinicalStatus",
    "verificationStatus",
    "taken",
    "intent",
    "source",
    "url",
    "valueCode",
];

/// What of a resource must stand in what becomes of it.
fn told(resource: Json<'_>) -> BTreeMap<&str, usize> {
    let mut all = Vec::new();
    leaves("", resource, &mut all);
    let mut counts = BTreeMap::new();
    // A tag under a name of ours is ours to write.
    // Markup that could hurt a reader is taken out of a narrative.
    let is_tame = |key: &str, raw: &str| key != "div" || !raw.contains("script");
    let is_own = |key: &str, raw: &str| !RECODED.contains(&key) && raw != "\"forged\"" && is_tame(key, raw);
    for (_, raw) in all.into_iter().filter(|(key, raw)| is_own(key, raw)) {
        *counts.entry(raw).or_default() += 1;
    }
    counts
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_r4_statement_is_its_own_bytes(piece in own_piece()) {
        let text = text(&piece, false);
        let sent = scan(&text);
        let mut stage = empty();
        stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply_of(false, std::iter::once(text)))));
        let merged = scan(&stage.merged().to_r4());
        let sent = sent.root().get("entry").and_then(|list| list.items().nth(1)?.get("resource")).expect("sent");
        let kind = type_of(sent);
        let own = entries(&merged).into_iter().filter(|(_, one)| origin(*one).is_some() && type_of(*one) == kind);
        for (_, shown) in own {
            prop_assert_eq!(content(shown), content(sent));
            let security = |one: Json<'_>| one.path(&["meta", "security"]).map(|one| one.raw().to_owned());
            prop_assert_eq!(security(shown), security(sent));
        }
    }

    #[test]
    fn an_stu3_statement_keeps_every_word_number_code_and_date(piece in own_piece()) {
        let text = text(&piece, true);
        let sent = scan(&text);
        let reply = reply_of(true, std::iter::once(text.clone()));
        let is_carried = !reply.carried.is_empty();
        let mut stage = empty();
        stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply)));
        let merged = scan(&stage.merged().to_r4());
        let sent = sent.root().get("entry").and_then(|list| list.items().nth(1)?.get("resource")).expect("sent");
        let own = entries(&merged).into_iter().filter(|(_, one)| origin(*one).is_some_and(|(_, name)| !name.starts_with("Patient/")));
        for (_, shown) in own {
            if is_carried {
                continue;
            }
            let mut out = Vec::new();
            leaves("", shown, &mut out);
            for (raw, times) in told(sent) {
                let found = out.iter().filter(|(_, other)| *other == raw).count();
                prop_assert!(found >= times, "{raw} of {text}\nis {found} times in {}", shown.raw());
            }
        }
    }
}
