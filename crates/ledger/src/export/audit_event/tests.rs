//! A record of every kind, as audit events. Other people's validators read them in `tests/validate.rs`.

use super::*;

fn events() -> Vec<(String, Value)> {
    let records = include_str!("../records.ndjson").lines();
    let entries = records.map(|line| Entry::parse(line.as_bytes()).unwrap_or_else(|| panic!("{line}")));
    let made = entries.flat_map(|entry| {
        let kind = format!("{} {}", entry.kind, entry.seq);
        let events = audit_events("north", "https://record.example.test", &entry);
        events.into_iter().map(move |event| (kind.clone(), serde_json::from_str(&event.json).unwrap()))
    });
    made.collect()
}

fn of(kind: &str) -> Vec<Value> {
    events().into_iter().filter(|(of, _)| of == kind).map(|(_, event)| event).collect()
}

fn codes(event: &Value, path: &str) -> Vec<String> {
    let list = event.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(|one| Some(one.get("code")?.as_str()?.to_owned())).collect()
}

fn agents(event: &Value) -> Vec<String> {
    let list = event["agent"].as_array().cloned().unwrap_or_default();
    list.iter().map(|agent| agent["type"]["coding"][0]["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_answer_is_a_query_and_one_disclosure_for_each_source_that_gave() {
    let made = of("disclosure 6");
    assert_eq!(made.len(), 2, "the source that timed out gave nothing");
    let (query, disclosure) = (&made[0], &made[1]);
    assert_eq!(query["meta"]["profile"][0], format!("{BALP}IHE.BasicAudit.PatientQuery"));
    assert_eq!(query["type"]["code"], "rest");
    assert_eq!(codes(query, "/subtype"), ["search", "operation"]);
    assert_eq!((query["action"].as_str(), query["outcome"].as_str()), (Some("E"), Some("0")));
    assert_eq!(agents(query), ["110153", "110152", "IRCP"]);
    assert_eq!(query["agent"][2]["policy"][1], "urn:x-tributary:rule:ambulance-direct-care");
    assert_eq!(disclosure["meta"]["profile"][0], format!("{BALP}IHE.BasicAudit.PrivacyDisclosure.Source"));
    assert_eq!(disclosure["type"]["code"], "110106");
    assert_eq!(codes(disclosure, "/subtype"), ["disclose"]);
    assert_eq!(disclosure["action"], "R");
    assert_eq!(agents(disclosure), ["110153", "110152", "IRCP", "159541003"]);
    // BALP: the audit source is this agent too.
    assert_eq!(disclosure["agent"][0]["who"], disclosure["source"]["observer"]);
    assert_eq!(disclosure["agent"][3]["who"]["display"], "gp-a99901");
    let patients =
        disclosure["entity"].as_array().unwrap().iter().filter(|entity| entity["type"]["code"] == "1");
    assert_eq!(patients.count(), 1);
}

#[test]
fn what_failed_claims_no_profile_and_nothing_was_disclosed() {
    let made = of("disclosure 9");
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].get("meta"), made[0]["outcome"].as_str()), (None, Some("8")));
}

#[test]
fn refusals_broken_glass_and_reading_are_told() {
    for (kind, subtype) in
        [("denied 10", "AuthZ-Role"), ("denied 11", "AuthZ-Consent"), ("break_glass 13", "110127")]
    {
        let made = of(kind);
        assert_eq!(made[0]["type"]["code"], "110113", "{kind}");
        assert_eq!(codes(&made[0], "/subtype"), [subtype], "{kind}");
    }
    assert_eq!(of("denied 10")[0]["outcome"], "8");
    let broken = of("disclosure 14").pop().unwrap();
    assert_eq!(codes(&broken, "/subtype"), ["110127"]);
    assert_eq!(broken["purposeOfEvent"][0]["coding"][0]["code"], "BTG");
    let read = &of("audit_read 16")[0];
    assert_eq!(
        (read["type"]["code"].as_str(), read["agent"][0]["requestor"].as_bool()),
        (Some("110101"), Some(true))
    );
}

#[test]
fn every_record_that_is_told_is_named_and_no_id_is_given_twice() {
    let made = events();
    let mut ids: Vec<String> =
        made.iter().map(|(_, event)| event["id"].as_str().unwrap().to_owned()).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for (kind, event) in made {
        let seq = kind.split(' ').nth(1).unwrap().to_owned();
        let names =
            event["entity"].as_array().unwrap().iter().map(|entity| &entity["what"]["identifier"]["value"]);
        assert!(names.clone().any(|name| *name == format!("north-{seq}")), "{kind}");
        assert!(!event["agent"].as_array().unwrap().is_empty(), "{kind}");
    }
}
