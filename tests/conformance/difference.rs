//! Where two JSON texts differ, and how to undo what may differ.

use serde_json::Value;

/// The paths at which two values differ, as in `entry[3].resource.content[0].attachment.url`.
pub(crate) fn paths(left: &Value, right: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", left, right, &mut |path, _, _| found.push(path.to_owned()));
    found
}

fn walk(path: &str, left: &Value, right: &Value, note: &mut impl FnMut(&str, &Value, &Value)) {
    match (left, right) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for (key, value) in one {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(&inner, value, &other[key], note);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (value, beside)) in one.iter().zip(other).enumerate() {
                walk(&format!("{path}[{at}]"), value, beside, note);
            }
        }
        _ if left == right => {}
        _ => note(path, left, right),
    }
}

/// Whether a path may differ: the Bundle's id, or the address of what is attached.
fn may_differ(path: &str) -> bool {
    let attachment = path.strip_prefix("entry[").and_then(|rest| rest.split_once("].resource.content["));
    path == "id" || attachment.is_some_and(|(_, rest)| rest.ends_with("].attachment.url"))
}

/// What came through the broker and what the GP system says itself differ in the Bundle's id and in addresses
/// of attachments only; with these put back every byte is the same. Gives the addresses that were given.
#[track_caller]
pub(crate) fn same_but_for_addresses(what: &str, ours: &str, theirs: &str) -> Vec<String> {
    let parse =
        |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (mut left, right) = (parse(ours), parse(theirs));
    let (mut put_back, mut addresses) = (ours.to_owned(), Vec::new());
    // A Bundle without an id gets one, as its first member.
    if right.get("id").is_none() {
        let id = left.as_object_mut().and_then(|bundle| bundle.remove("id")).unwrap_or_default();
        put_back = put_back.replacen(&format!("\"id\":{id},"), "", 1);
    }
    walk("", &left, &right, &mut |path, given, own| {
        assert!(may_differ(path), "{what}: {path} differs");
        put_back = put_back.replacen(&given.to_string(), &own.to_string(), 1);
        if path != "id" {
            addresses.push(given.as_str().unwrap_or_default().to_owned());
        }
    });
    assert!(put_back == theirs, "{what}: the bytes differ where the values do not");
    addresses
}

#[test]
fn a_difference_anywhere_else_is_noticed() {
    let one = serde_json::json!({"id": "a", "entry": [{"resource": {"id": "x", "content": [{"attachment": {"url": "u"}}]}}]});
    let mut other = one.clone();
    other["id"] = "b".into();
    other["entry"][0]["resource"]["content"][0]["attachment"]["url"] = "v".into();
    assert_eq!(paths(&one, &other), ["entry[0].resource.content[0].attachment.url", "id"]);
    assert!(paths(&one, &other).iter().all(|path| may_differ(path)));
    other["entry"][0]["resource"]["id"] = "y".into();
    assert!(!may_differ("entry[0].resource.id"));
    assert_eq!(paths(&one, &other).len(), 3);
    other["entry"] = serde_json::json!([]);
    assert_eq!(paths(&one, &other), ["entry", "id"]);
    assert!(!may_differ("entry") && !may_differ("entry[0].resource.url") && !may_differ("meta.id"));
}
