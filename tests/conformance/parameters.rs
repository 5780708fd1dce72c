//! Part 4: the `Parameters` of a record request, row by row.

use jiff::{ToSpan as _, Zoned};
use serde_json::{Value, json};

use crate::consumer::{AREAS, NHS_NUMBER, Request, allergies, area, area_with, everything, now, parameters};
use crate::difference::same_but_for_addresses;
use crate::outcome::{of_type, refused, refused_naming};
use crate::stand::{Stand, number};

const PATIENT: &str = "patient17";

/// A day so many days from today.
fn day(offset: i64) -> String {
    let now = jiff::Timestamp::from_second(now()).unwrap();
    let today: Zoned = now.in_tz("Europe/London").unwrap();
    today.date().checked_add(offset.days()).unwrap().to_string()
}

fn truth(name: &str, value: bool) -> Value {
    json!({"name": name, "valueBoolean": value})
}

fn date(name: &str, value: &str) -> Value {
    json!({"name": name, "valueDate": value})
}

fn period(name: &str, start: &str, end: &str) -> Value {
    let bounds = [("start", start), ("end", end)].into_iter().filter(|(_, day)| !day.is_empty());
    let bounds: serde_json::Map<String, Value> =
        bounds.map(|(key, day)| (key.to_owned(), day.into())).collect();
    json!({"name": name, "valuePeriod": bounds})
}

fn code(name: &str, value: &str) -> Value {
    json!({"name": name, "valueCode": value})
}

fn one(name: &str, part: Value) -> Value {
    area_with(name, &[part])
}

fn asking(areas: &[Value]) -> Request {
    Request::record(&parameters(number(PATIENT), areas))
}

/// Every part that may not stand beside an area that brings linked items along.
fn forbidden() -> Vec<Value> {
    let past = day(-30);
    vec![
        one("includeMedication", date("medicationSearchFromDate", &past)),
        one("includeUncategorisedData", period("uncategorisedDataSearchPeriod", &past, "")),
        one("includeReferrals", period("referralSearchPeriod", &past, "")),
        one("includeDiaryEntries", date("diaryEntriesSearchDate", &day(30))),
        one("includeImmunisations", truth("includeNotGiven", true)),
        one("includeImmunisations", truth("includeStatus", false)),
    ]
}

#[tokio::test]
async fn a_forbidden_combination_is_refused_and_the_part_named() {
    let stand = Stand::of_nobody().await;
    let filters = ["filterStatus", "filterSignificance"].into_iter().zip(["active", "major"]);
    let filters = filters.map(|(name, value)| one("includeProblems", code(name, value)));
    let beside_consultations: Vec<Value> = forbidden().into_iter().chain(filters).collect();
    let rows = [("includeConsultations", beside_consultations), ("includeProblems", forbidden())];
    for (beside, parts) in rows {
        for part in parts {
            let name = part["part"][0]["name"].as_str().unwrap();
            for areas in [[area(beside), part.clone()], [part.clone(), area(beside)]] {
                let reply = stand.ask(&asking(&areas)).await;
                refused_naming(&format!("{beside}, {name}"), &reply, 422, "INVALID_PARAMETER", name);
            }
        }
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn both_predefined_searches_and_every_other_combination_pass() {
    let stand = Stand::usual().await;
    let three =
        one("includeConsultations", json!({"name": "includeNumberOfMostRecent", "valuePositiveInt": 3}));
    let year = one("includeMedication", date("medicationSearchFromDate", &day(-365)));
    let first = vec![three, area("includeProblems"), allergies(true), year];
    let second =
        [first.clone(), vec![area("includeImmunisations"), area("includeUncategorisedData")]].concat();
    let investigations =
        one("includeInvestigations", period("investigationSearchPeriod", &day(-90), &day(0)));
    let mut rows = vec![
        first,
        second,
        vec![area("includeConsultations"), investigations.clone()],
        vec![area("includeProblems"), investigations],
        vec![area("includeProblems"), one("includeMedication", truth("includePrescriptionIssues", false))],
        vec![one("includeProblems", code("filterStatus", "active")), allergies(false)],
        // Version 1.5 takes several.
        vec![
            one("includeProblems", code("filterStatus", "active")),
            area_with(
                "includeProblems",
                &[code("filterStatus", "inactive"), code("filterSignificance", "minor")],
            ),
        ],
        vec![one("includeConsultations", period("consultationSearchPeriod", "", &day(0)))],
        vec![one("includeDiaryEntries", date("diaryEntriesSearchDate", &day(0)))],
        vec![one("includeMedication", date("medicationSearchFromDate", &day(0)))],
        everything(),
        vec![allergies(true)],
    ];
    rows.extend(forbidden().into_iter().map(|part| vec![part]));
    rows.extend(AREAS.iter().map(|name| vec![area(name)]));
    let count = rows.len() as u64;
    for areas in rows {
        let reply = stand.ask(&asking(&areas)).await;
        assert_eq!(reply.status, 200, "{areas:?}: {}", reply.body);
    }
    assert_eq!(stand.gp.ask_count(), count);
}

/// Parts with values that are none, and what each is named as.
fn wrong_parts() -> Vec<(Value, &'static str)> {
    let (future, past, time) = (day(2), day(-2), "2020-01-01T10:00:00+00:00");
    let int = |value: Value| {
        one("includeConsultations", json!({"name": "includeNumberOfMostRecent", "valuePositiveInt": value}))
    };
    let mut rows = vec![
        (area("includeAllergies"), "includeResolvedAllergies"),
        (area_with("includeAllergies", &[]), "includeResolvedAllergies"),
        (one("includeAllergies", truth("includeRubbish", true)), "includeResolvedAllergies"),
        (one("includeAllergies", json!({"name": "includeResolvedAllergies"})), "includeResolvedAllergies"),
        (
            one("includeAllergies", json!({"name": "includeResolvedAllergies", "valueString": "true"})),
            "includeResolvedAllergies",
        ),
        (
            one("includeAllergies", json!({"name": "includeResolvedAllergies", "valueBoolean": "true"})),
            "includeResolvedAllergies",
        ),
        (
            one("includeMedication", date("includePrescriptionIssues", "2020-01-01")),
            "includePrescriptionIssues",
        ),
        (one("includeMedication", truth("medicationSearchFromDate", true)), "medicationSearchFromDate"),
        (one("includeProblems", code("filterStatus", "recurrence")), "filterStatus"),
        (one("includeProblems", code("filterStatus", "Active")), "filterStatus"),
        (one("includeProblems", code("filterSignificance", "unknown")), "filterSignificance"),
        (one("includeProblems", json!({"name": "filterStatus", "valueString": "active"})), "filterStatus"),
        (
            one("includeImmunisations", json!({"name": "includeNotGiven", "valueBoolean": 1})),
            "includeNotGiven",
        ),
        (one("includeImmunisations", json!({"name": "includeStatus"})), "includeStatus"),
        // As one consumer was seen to send it.
        (
            one("includeConsultations", json!({"name": "includeNumberOfMostRecent", "valueInteger": 3})),
            "includeNumberOfMostRecent",
        ),
        (int(0.into()), "includeNumberOfMostRecent"),
        (int((-1).into()), "includeNumberOfMostRecent"),
        (int(json!(1.5)), "includeNumberOfMostRecent"),
        (int("3".into()), "includeNumberOfMostRecent"),
        (one("includeDiaryEntries", date("diaryEntriesSearchDate", &past)), "diaryEntriesSearchDate"),
        (one("includeDiaryEntries", date("diaryEntriesSearchDate", "2099")), "diaryEntriesSearchDate"),
        (json!({"name": "includeReferrals", "valueBoolean": true}), "includeReferrals"),
    ];
    for wrong in ["", "2020", "2020-01", "2020-13-01", "2020-02-30", "01/02/2020", time, future.as_str()] {
        rows.push((
            one("includeMedication", date("medicationSearchFromDate", wrong)),
            "medicationSearchFromDate",
        ));
    }
    let periods = [
        ("includeConsultations", "consultationSearchPeriod"),
        ("includeUncategorisedData", "uncategorisedDataSearchPeriod"),
        ("includeInvestigations", "investigationSearchPeriod"),
        ("includeReferrals", "referralSearchPeriod"),
    ];
    for (name, part) in periods {
        rows.push((one(name, period(part, &day(-3), &day(-4))), part));
        rows.push((one(name, period(part, &future, "")), part));
        rows.push((one(name, period(part, "", &future)), part));
        rows.push((one(name, period(part, "2020", "")), part));
        rows.push((one(name, period(part, "2020-01", "2020-12-01")), part));
        rows.push((one(name, period(part, time, "")), part));
        rows.push((one(name, period(part, "", "")), part));
        rows.push((one(name, json!({"name": part, "valuePeriod": {"start": ""}})), part));
        rows.push((one(name, date(part, "2020-01-01")), part));
    }
    rows
}

#[tokio::test]
async fn a_part_with_a_wrong_value_is_refused_and_named() {
    let stand = Stand::of_nobody().await;
    for (wrong, names) in wrong_parts() {
        let reply = stand.ask(&asking(std::slice::from_ref(&wrong))).await;
        refused_naming(&wrong.to_string(), &reply, 422, "INVALID_PARAMETER", names);
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

#[tokio::test]
async fn what_comes_twice_or_excludes_another_is_refused() {
    let stand = Stand::of_nobody().await;
    let last = json!({"name": "includeNumberOfMostRecent", "valuePositiveInt": 3});
    let both = [period("consultationSearchPeriod", &day(-9), ""), last];
    let twice = [truth("includeStatus", true), truth("includeStatus", true)];
    let resolved = [truth("includeResolvedAllergies", true), truth("includeResolvedAllergies", false)];
    let rows = [
        (vec![area_with("includeConsultations", &both)], "INVALID_RESOURCE", "includeConsultations"),
        (vec![area_with("includeImmunisations", &twice)], "INVALID_RESOURCE", "includeStatus"),
        (vec![area_with("includeAllergies", &resolved)], "INVALID_RESOURCE", "includeResolvedAllergies"),
        (vec![allergies(true), allergies(true)], "INVALID_PARAMETER", "includeAllergies"),
        (vec![area("includeReferrals"), area("includeReferrals")], "INVALID_PARAMETER", "includeReferrals"),
    ];
    for (areas, code, names) in rows {
        let reply = stand.ask(&asking(&areas)).await;
        refused_naming(&format!("{areas:?}"), &reply, 422, code, names);
    }
    assert_eq!(stand.gp.ask_count(), 0);
}

/// Bodies that name no patient, or not one.
fn wrong_bodies() -> Vec<(String, u16, &'static str, &'static str)> {
    let identifier = |system: &str, value: &str| json!({"system": system, "value": value});
    let patient = |key: &str, value: Value| {
        json!({"resourceType": "Parameters", "parameter": [{"name": "patientNHSNumber", key: value}]})
            .to_string()
    };
    let named = |system: &str, value: &str| patient("valueIdentifier", identifier(system, value));
    let good = number(PATIENT);
    let last = good.chars().last().and_then(|digit| digit.to_digit(10)).unwrap();
    let wrong_digit = format!("{}{}", &good.get(..9).unwrap(), (last + 1) % 10);
    let own = json!({"name": "patientNHSNumber", "valueIdentifier": identifier(NHS_NUMBER, good)});
    let parameters = |list: Value| json!({"resourceType": "Parameters", "parameter": list}).to_string();
    let (number, system) = ("INVALID_NHS_NUMBER", "INVALID_IDENTIFIER_SYSTEM");
    let (parameter, resource) = ("INVALID_PARAMETER", "INVALID_RESOURCE");
    let name = "patientNHSNumber";
    vec![
        (parameters(json!([])), 422, parameter, name),
        (parameters(json!([allergies(true)])), 422, parameter, name),
        (
            parameters(
                json!([{"name": "patientNhsNumber", "valueIdentifier": identifier(NHS_NUMBER, good)}]),
            ),
            422,
            parameter,
            name,
        ),
        (parameters(json!([own, own])), 400, "BAD_REQUEST", name),
        (named(NHS_NUMBER, &wrong_digit), 400, number, name),
        (named(NHS_NUMBER, "123"), 400, number, name),
        (named(NHS_NUMBER, "abcdefghij"), 400, number, name),
        (named(NHS_NUMBER, ""), 400, number, name),
        (named("https://fhir.nhs.uk/Id/other", good), 400, system, name),
        (named("http://fhir.nhs.net/Id/nhs-number", good), 400, system, name),
        (named("", good), 400, system, name),
        (patient("valueString", good.into()), 422, parameter, name),
        (patient("valueIdentifier", good.into()), 422, parameter, name),
        (json!({"resourceType": "Bundle"}).to_string(), 422, resource, "resourceType"),
        (json!({"parameter": [own]}).to_string(), 422, resource, "resourceType"),
        (parameters(json!({"name": "patientNHSNumber"})), 422, resource, "parameter"),
        (parameters(json!([{"valueBoolean": true}])), 422, resource, "parameter"),
        (String::new(), 400, "BAD_REQUEST", "JSON"),
        ("{".to_owned(), 400, "BAD_REQUEST", "JSON"),
        ("<Parameters xmlns=\"http://hl7.org/fhir\"/>".to_owned(), 400, "BAD_REQUEST", "JSON"),
    ]
}

#[tokio::test]
async fn a_body_that_names_no_patient_is_refused() {
    let stand = Stand::of_nobody().await;
    for (body, status, code, names) in wrong_bodies() {
        let reply = stand.ask(&Request::record(&body)).await;
        refused_naming(&body, &reply, status, code, names);
        assert!(!reply.body.contains(number(PATIENT)), "the number is repeated");
    }
    assert_eq!(stand.gp.ask_count(), 0);
    // Without a mistake it arrives.
    refused("nobody", &stand.ask(&asking(&[allergies(true)])).await, 404, "PATIENT_NOT_FOUND");
    assert_eq!(stand.gp.ask_count(), 1);
}

#[tokio::test]
async fn what_is_unknown_is_the_gp_systems_to_warn_of() {
    let stand = Stand::usual().await;
    let rubbish = |name: &str| one(name, truth("alsoRubbish", true));
    let half_known =
        area_with("includeAllergies", &[truth("includeResolvedAllergies", true), truth("newPart", true)]);
    let rows: Vec<(Vec<Value>, Vec<&str>)> = vec![
        (vec![], vec![]),
        (vec![allergies(true), area("newArea")], vec!["newArea"]),
        (vec![rubbish("newArea")], vec!["newArea"]),
        (vec![area("one"), rubbish("two"), area("three")], vec!["one", "two", "three"]),
        (vec![half_known.clone()], vec!["includeAllergies.newPart"]),
        (vec![half_known, area("newArea")], vec!["includeAllergies.newPart", "newArea"]),
        (
            vec![one("includeProblems", code("filterPrescriptionType", "x"))],
            vec!["includeProblems.filterPrescriptionType"],
        ),
    ];
    for (areas, expected) in rows {
        let request = asking(&areas);
        let (ours, theirs) = (stand.ask(&request).await, stand.direct(&request).await);
        assert_eq!(ours.status, 200, "{areas:?}: {}", ours.body);
        same_but_for_addresses(&format!("{areas:?}"), &ours.body, &theirs.body);
        let bundle = ours.json();
        let outcomes = of_type(&bundle, "OperationOutcome");
        assert_eq!(outcomes.len(), usize::from(!expected.is_empty()), "{areas:?}");
        let issues =
            outcomes.first().and_then(|outcome| outcome["issue"].as_array()).cloned().unwrap_or_default();
        let named: Vec<_> = issues.iter().map(|issue| issue["diagnostics"].as_str().unwrap()).collect();
        assert_eq!(named, expected);
        for issue in &issues {
            assert_eq!(issue["severity"], "warning");
            assert_eq!(issue["code"], "not-supported");
            assert_eq!(issue["details"]["coding"][0]["code"], "NOT_IMPLEMENTED");
        }
        assert_eq!(of_type(&bundle, "Patient").len(), 1, "{areas:?}");
        assert!(!of_type(&bundle, "Organization").is_empty(), "{areas:?}");
        let asked = stand.gp.asks();
        assert_eq!(asked[asked.len() - 2].body, request.body, "what is not known is passed on untouched");
    }
}
