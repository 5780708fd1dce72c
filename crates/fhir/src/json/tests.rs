use proptest::prelude::*;

use super::*;

fn scan(text: &str) -> Result<Document, Rejection> {
    Document::scan(text.as_bytes().to_vec(), &Limits::default())
}

#[track_caller]
fn refused(text: &[u8], class: FaultClass) {
    let refusal = Document::scan(text.to_vec(), &Limits::default()).expect_err("refused");
    assert_eq!(refusal.class, class);
}

#[test]
fn numbers_keep_their_text() {
    let doc = scan(r#"{"v":1.10,"e":1E+2,"big":123456789012345678901234567890.5,"z":-0.0}"#).unwrap();
    for (key, raw) in
        [("v", "1.10"), ("e", "1E+2"), ("big", "123456789012345678901234567890.5"), ("z", "-0.0")]
    {
        assert_eq!(doc.root().get(key).unwrap().raw(), raw);
    }
}

#[test]
fn cursor_walks_objects_and_arrays() {
    let doc = scan(r#" { "a" : [ 1 , {"b":"x\n\u00e9\ud83d\ude00"} ], "c": true, "d": null } "#).unwrap();
    let root = doc.root();
    assert_eq!(root.members().map(|(key, _)| key).collect::<Vec<_>>(), ["a", "c", "d"]);
    assert_eq!(root.get("a").unwrap().items().count(), 2);
    assert_eq!(root.get("a").unwrap().items().nth(1).unwrap().text_at("b").unwrap(), "x\né😀");
    assert_eq!(root.get("c").unwrap().truth(), Some(true));
    assert_eq!(root.get("d").unwrap().kind(), Kind::Null);
    assert!(root.get("b").is_none());
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        "{",
        "}",
        "[1,]",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "tru",
        "nulL",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "{} {}",
        "[1 2]",
        "\u{feff}{}",
        "{\"\\u0061\":1}",
    ] {
        refused(text.as_bytes(), FaultClass::JsonSyntax);
    }
    refused(b"\"\xff\"", FaultClass::Utf8);
}

#[test]
fn a_key_twice_is_refused_in_small_and_large_objects() {
    refused(br#"{"a":1,"b":{"x":1,"x":2}}"#, FaultClass::JsonDuplicate);
    let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
    assert!(scan(&format!("{{{}}}", many.join(","))).is_ok());
    refused(format!("{{{},\"k7\":0}}", many.join(",")).as_bytes(), FaultClass::JsonDuplicate);
}

#[test]
fn limits_bite() {
    let deep = |n| "[".repeat(n) + &"]".repeat(n);
    assert!(scan(&deep(64)).is_ok());
    refused(deep(65).as_bytes(), FaultClass::JsonDepth);
    refused("[".repeat(200_000).as_bytes(), FaultClass::JsonDepth);
    let tight = Limits { tokens: 3, string_bytes: 8, key_bytes: 2, number_bytes: 4, ..Limits::default() };
    for text in ["[1,2,3]", "\"1234567\"", "{\"abc\":1}", "12345"] {
        let refusal = Document::scan(text.as_bytes().to_vec(), &tight).expect_err(text);
        assert_eq!(refusal.class, FaultClass::TooLarge, "{text}");
    }
}

#[test]
fn marked_strings_are_rewritten_and_nothing_else() {
    let doc = scan(
        r#"{"subject":{"reference":"Patient/1"},"n":1.0,"coding":[{"system":"http://hl7.org/fhir/v3/ActCode"}],"url":"Binary/1"}"#,
    )
    .unwrap();
    let mut out = String::new();
    doc.root().copy_into(&mut out, &mut |mark, text| match mark {
        Mark::Reference => Some(format!("urn:\"{text}\"")),
        Mark::System | Mark::Narrative => None,
        Mark::Attachment => Some(text.replace('1', "2")),
    });
    assert_eq!(
        out,
        r#"{"subject":{"reference":"urn:\"Patient/1\""},"n":1.0,"coding":[{"system":"http://hl7.org/fhir/v3/ActCode"}],"url":"Binary/2"}"#
    );
}

#[test]
fn only_an_address_of_a_binary_is_marked_as_attached() {
    let check = |url: &str, expected: usize| {
        let doc = scan(&format!(r#"{{"url":"{url}"}}"#)).unwrap();
        assert_eq!(doc.root().marks().count(), expected, "{url}");
    };
    check("Binary/1", 1);
    check("https://a.example/fhir/Binary/1", 1);
    check("https://a.example/StructureDefinition/Binary", 0);
    check("https://a.example/Binary/1/2", 0);
    check("Binary", 0);
    check("", 0);
}

#[test]
fn a_refusal_never_shows_content() {
    let refusal = scan("{\"nhs\":9990000107 x}").expect_err("refused");
    assert_eq!(format!("{refusal} {refusal:?}").matches("999").count(), 0);
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-zA-Z_]{1,8}", inner, 0..20)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn rebuild(json: Json<'_>) -> serde_json::Value {
    match json.kind() {
        Kind::Object => json.members().map(|(key, value)| (key.to_owned(), rebuild(value))).collect(),
        Kind::Array => json.items().map(rebuild).collect(),
        Kind::String => json.text().unwrap().into(),
        Kind::Number | Kind::True | Kind::False | Kind::Null => serde_json::from_str(json.raw()).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The oracle is another parser: what it reads from our slices is what it reads from the text.
    #[test]
    fn slices_mean_what_the_text_means(value in json_value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let doc = scan(&text).unwrap();
        prop_assert_eq!(rebuild(doc.root()), value);
    }

    #[test]
    fn mutations_never_panic_and_never_pass_what_the_oracle_refuses(
        value in json_value(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if Document::scan(bytes.clone(), &Limits::default()).is_ok() {
            prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&bytes).is_ok());
        }
    }
}

#[test]
fn keys_that_look_alike_are_told_apart() {
    // Equal in length, and in the first, the middle and the last byte.
    assert!(scan(r#"{"abcxe":1,"aycxe":2}"#).is_ok());
    let twice = scan(r#"{"abcxe":1,"aycxe":2,"abcxe":3}"#).unwrap_err();
    assert_eq!(twice.class, FaultClass::JsonDuplicate);
    assert_eq!(scan(r#"{"":1,"":2}"#).unwrap_err().class, FaultClass::JsonDuplicate);
    let many = |last: usize| {
        let members: Vec<String> = (0..200).chain([last]).map(|n| format!("\"k{n}\":{n}")).collect();
        scan(&format!("{{{}}}", members.join(","))).map(|_| ())
    };
    assert_eq!(many(200), Ok(()));
    assert_eq!(many(77).unwrap_err().class, FaultClass::JsonDuplicate);
}

#[test]
fn escaping_is_undone_by_reading() {
    let ascii: String = (0..128).map(char::from).collect();
    for text in
        ["", "\"", "plain text of some length", "é\u{1}\u{7f}\u{10348}\"x", "\u{80}\"\u{800}\\", &ascii]
    {
        for padded in [text.to_owned(), format!("1234567{text}"), format!("{text}12345678{text}")] {
            let doc = scan(&quoted(&padded)).unwrap();
            assert_eq!(doc.root().text().unwrap(), padded);
            let slow: String = serde_json::to_string(&padded).unwrap();
            let slow = slow.replace("\\b", "\\u0008").replace("\\f", "\\u000c");
            assert_eq!(quoted(&padded), slow);
        }
    }
}

#[test]
fn a_sheet_is_what_a_scan_makes_of_it() {
    let source = scan(
        r#"{"a" : [ 1.10, {"reference" : "x/1", "n": null}, "z" ], "system":"http://hl7.org/fhir/v3/X ",
            "list":[{"reference":"Patient/1"},{"system":"http://hl7.org/fhir/a"},{"url":"Binary/1"}], "url":"Binary/2"}"#,
    )
    .unwrap();
    let root = source.root();
    let mut sheet = Sheet::default();
    let mut rewrite = |mark: Mark, text: &str| match (mark, text) {
        (Mark::Reference, "x/1") => Some("a longer one/\"1\"".to_owned()),
        (Mark::System, "http://hl7.org/fhir/a") => Some("http://hl7.org/fhir/b/c".to_owned()),
        (Mark::System, _) => Some("s".to_owned()),
        _ => None,
    };
    sheet.object(|out| {
        out.key("whole").copy(root, &mut rewrite);
        out.key("list").copy(root.get("list").unwrap(), &mut |_, _| None);
        // A string has the mark of where it stands now.
        out.key("reference").copy(root.get("url").unwrap(), &mut |_, _| None);
        out.key("other").copy(root.get("url").unwrap(), &mut |_, _| None);
        out.key("own").array(|list| {
            list.fragment(r#"{"reference":"own/1"}"#);
            list.fragment("\"text\"");
            list.object(|object| object.key("system").string("http://hl7.org/fhir/q\"uote"));
            list.object(|_| {});
        });
    });
    let made = sheet.finish(&Limits { depth: 256, ..Limits::default() }).unwrap();
    let scanned = scan(made.text()).unwrap();
    assert_eq!((&made.tape, &made.marks), (&scanned.tape, &scanned.marks), "{}", made.text());
    assert_eq!(made.marks.len(), 11);
    let reference = made.root().path(&["whole", "a"]).unwrap();
    assert_eq!(reference.raw(), "1.10");
    let own = made.root().get("whole").unwrap().get("a").unwrap().items().nth(1).unwrap();
    assert_eq!(own.text_at("reference").unwrap(), "a longer one/\"1\"");
    assert_eq!(own.get("n").unwrap().kind(), Kind::Null);
}

/// Writes an array in an array, and so on.
fn nest(out: &mut Sheet, depth: usize) {
    out.array(|out| {
        if depth > 1 {
            nest(out, depth - 1);
        }
    });
}

#[test]
fn a_sheet_with_a_key_twice_is_refused() {
    let made = |keys: [&str; 2]| {
        let mut sheet = Sheet::default();
        sheet.object(|out| keys.iter().for_each(|key| out.key(key).string("x")));
        sheet.finish(&Limits { depth: 256, ..Limits::default() }).map(|_| ())
    };
    assert_eq!(made(["a", "b"]), Ok(()));
    assert_eq!(made(["a", "a"]), Err(FaultClass::JsonDuplicate));
    let limits = Limits { depth: 256, tokens: 4, ..Limits::default() };
    let mut sheet = Sheet::default();
    sheet.array(|out| (0..4).for_each(|_| out.string("x")));
    assert_eq!(sheet.finish(&limits).map(|_| ()), Err(FaultClass::TooLarge));
    for (depth, expected) in [(192, Ok(())), (193, Err(FaultClass::JsonDepth))] {
        let mut sheet = Sheet::default();
        nest(&mut sheet, depth);
        assert_eq!(sheet.finish(&Limits { depth: 256, ..Limits::default() }).map(|_| ()), expected);
    }
}

/// The runs of members but `id`, each as `key|text`, with a reference rewritten and a text put in at a place.
fn runs_of(text: &str, added: &[(usize, String)]) -> Vec<String> {
    let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
    let copy = |run: Run<'_>| {
        let mut out = String::new();
        let mut rewrite = |mark: Mark, text: &str| (mark == Mark::Reference).then(|| text.to_uppercase());
        run.copy_adding(&mut out, &mut rewrite, run.within(added));
        format!("{}|{out}", run.key.unwrap_or_default())
    };
    doc.root().runs(|key| key != "id").map(copy).collect()
}

#[test]
fn members_side_by_side_are_one_run() {
    let check = |text: &str, expected: &[&str]| assert_eq!(runs_of(text, &[]), expected, "{text}");
    check(r#"{"id":"1","a":1,"b":[2]}"#, &[r#"|"a":1,"b":[2]"#]);
    check(r#"{"a":1,"id":"1","b":{"c":[]}}"#, &[r#"|"a":1"#, r#"|"b":{"c":[]}"#]);
    check(r#"{"a":1,"b":2 ,"c":3}"#, &[r#"|"a":1,"b":2"#, r#"|"c":3"#]);
    // What is laid out otherwise gets its key written anew.
    check(r#"{"a": 1,"b":2,"c" :3}"#, &["a|1", r#"|"b":2"#, "c|3"]);
    check("{ \"a\" : [ 1 ],\n \"b\":2 }", &["a|[ 1 ]", r#"|"b":2"#]);
    check(r#"{"id":"1"}"#, &[]);
    check("{}", &[]);
}

#[test]
fn a_run_is_rewritten_like_its_members() {
    let text = r#"{"a":{"reference":"x/1"},"b":{"x":2},"id":"i","c":{"reference":"y/2"}}"#;
    let place = text.find("\"x\"").unwrap();
    let added = [(place, "\"y\":1,".to_owned())];
    let expected = [r#"|"a":{"reference":"X/1"},"b":{"y":1,"x":2}"#, r#"|"c":{"reference":"Y/2"}"#];
    assert_eq!(runs_of(text, &added), expected);
}

#[test]
fn a_byte_is_found_wherever_it_stands() {
    for length in 0..=26 {
        let text: Vec<u8> = (0..length).map(|at| b"abcdefgh\xc3\xa9\x01\x80\xff"[at % 13]).collect();
        assert!(!has_byte(&text, [b'#', b'_']), "{length}");
        for at in 0..length {
            let mut marked = text.clone();
            for byte in [b'#', b'_'] {
                marked[at] = byte;
                assert!(has_byte(&marked, [b'#', b'_']), "{length}, {at}");
                assert_eq!(has_byte(&marked, [b'#']), byte == b'#', "{length}, {at}");
            }
        }
    }
}
