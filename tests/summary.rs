//! `$summary` over HTTP: the four stories as International Patient Summaries, and what is refused.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::{BTreeMap, BTreeSet};

use mock_providers::{Fault, Played};
use serde_json::{Value, json};
use tributary_tests::{GEORGE, Plan, Reply, Stage, http, sha256};

const SUMMARY: &str = "/fhir/R4/Patient/$summary";
const FHIR: &str = "application/fhir+json";
const DORIS: &str = "9990000204";
const HAROLD: &str = "9990000301";
const AISHA: &str = "9990000409";

/// What a section must be: its entries or its reason, the note over it, and words in it.
struct Told {
    code: &'static str,
    entries: &'static [&'static str],
    reason: Option<&'static str>,
    note: &'static str,
    words: &'static [&'static str],
}

const fn told(code: &'static str, entries: &'static [&'static str], words: &'static [&'static str]) -> Told {
    Told { code, entries, reason: None, note: "", words }
}

const fn empty(code: &'static str, reason: &'static str, words: &'static [&'static str]) -> Told {
    Told { code, entries: &[], reason: Some(reason), note: "", words }
}

const fn noted(
    code: &'static str,
    entries: &'static [&'static str],
    note: &'static str,
    words: &'static [&'static str],
) -> Told {
    Told { code, entries, reason: None, note, words }
}

async fn stage(number: &'static str, expected: &[&'static str]) -> Stage {
    let expected = expected.to_vec();
    let plan = Plan {
        expected,
        patient: number,
        played: Played::AsWritten,
        source_keys: "timeout_ms = 3500",
        ..Plan::default()
    };
    Stage::set(plan).await
}

fn identifier(number: &str) -> String {
    let token = format!("https://fhir.nhs.uk/Id/nhs-number|{number}");
    let parameter = json!([{"name": "identifier", "valueString": token}]);
    json!({"resourceType": "Parameters", "parameter": parameter}).to_string()
}

async fn post(stage: &Stage, body: &str, headers: &[(&str, &str)]) -> Reply {
    http::post(stage.running.data_addr(), SUMMARY, FHIR, body, headers).await
}

async fn get(stage: &Stage, number: &str, query: &str) -> Reply {
    let path = format!("/fhir/R4/Patient/{number}/$summary{query}");
    http::get(stage.running.data_addr(), &path).await
}

fn list<'v>(holder: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    holder[key].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The words of a narrative, without its markup.
fn words(div: &Value) -> String {
    let parts = text(div).split('<').skip(1).filter_map(|part| part.split_once('>'));
    let words = parts.map(|(_, words)| words).filter(|words| !words.is_empty()).collect::<Vec<_>>();
    words.join(" | ").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
}

fn by_url(bundle: &Value) -> BTreeMap<&str, &Value> {
    list(bundle, "entry").map(|entry| (text(&entry["fullUrl"]), &entry["resource"])).collect()
}

/// `source Type/id`, as the source has it.
fn origin(resource: &Value) -> String {
    let source = text(&resource["meta"]["source"]).strip_prefix("urn:x-tributary:").unwrap_or_default();
    source.replace('#', " ")
}

/// What holds of every document, read from the guide.
fn is_sound(bundle: &Value) {
    assert_eq!((text(&bundle["resourceType"]), text(&bundle["type"])), ("Bundle", "document"));
    assert_eq!(text(&bundle["timestamp"]), "2026-03-10T02:10:00Z");
    assert_eq!(text(&bundle["identifier"]["system"]), "urn:ietf:rfc:3986");
    let resources = by_url(bundle);
    assert_eq!(resources.len(), list(bundle, "entry").count(), "an address twice");
    let document = &bundle["entry"][0]["resource"];
    let kinds: Vec<&str> = list(bundle, "entry").map(|one| text(&one["resource"]["resourceType"])).collect();
    for once in ["Composition", "Patient", "Organization"] {
        assert_eq!(kinds.iter().filter(|kind| **kind == once).count(), 1, "{once}");
    }
    assert_eq!(kinds[0], "Composition");
    assert_eq!(
        document["type"]["coding"][0],
        json!({"system": "http://loinc.org", "code": "60591-5", "display": "Patient summary Document"})
    );
    assert_eq!((text(&document["status"]), text(&document["confidentiality"])), ("final", "N"));
    assert!(document.get("attester").is_none());
    let about = |key: &Value| text(&resources[text(&key["reference"])]["resourceType"]).to_owned();
    let people = [&document["subject"], &document["author"][0], &document["custodian"]].map(about);
    assert_eq!(people, ["Patient", "Device", "Organization"]);
    for section in list(document, "section") {
        let code = text(&section["code"]["coding"][0]["code"]);
        assert!(!words(&section["text"]["div"]).is_empty(), "{code}");
        let (filled, reason) = (section.get("entry").is_some(), section.get("emptyReason").is_some());
        assert!(!(filled && reason), "{code} has both");
        let required = ["11450-4", "48765-2", "10160-0"].contains(&code);
        assert!(filled || reason || !required, "{code} has neither");
    }
    references(bundle, &resources.keys().copied().collect());
}

fn references(value: &Value, urls: &BTreeSet<&str>) {
    if let Some(reference) = value.get("reference").and_then(Value::as_str) {
        let told = reference.starts_with('#') || reference.starts_with("urn:x-tributary:unresolved:");
        assert!(told || urls.contains(reference), "{reference} leads nowhere");
    }
    value.as_object().into_iter().flat_map(|all| all.values()).for_each(|one| references(one, urls));
    value.as_array().into_iter().flatten().for_each(|one| references(one, urls));
}

/// Asks in both ways, and compares every section with what is expected.
async fn check(number: &'static str, expected: &[&'static str], completeness: &str, sections: &[Told]) {
    let stage = stage(number, expected).await;
    let reply = get(&stage, number, "").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("Tributary-Completeness"), Some(completeness));
    assert!(reply.header("Tributary-Audit").is_some() && reply.header("Tributary-Sources").is_some());
    let bundle = reply.json();
    is_sound(&bundle);
    let resources = by_url(&bundle);
    let document = &bundle["entry"][0]["resource"];
    let codes: Vec<&str> =
        list(document, "section").map(|one| text(&one["code"]["coding"][0]["code"])).collect();
    assert_eq!(codes, sections.iter().map(|one| one.code).collect::<Vec<_>>());
    for (section, told) in list(document, "section").zip(sections) {
        let code = told.code;
        let entries: Vec<String> =
            list(section, "entry").map(|one| origin(resources[text(&one["reference"])])).collect();
        assert_eq!(entries, told.entries, "{code}");
        assert_eq!(section["emptyReason"]["coding"][0]["code"].as_str(), told.reason, "{code}");
        let note = text(&section["extension"][0]["valueAnnotation"]["text"]);
        assert!(note.contains(told.note) && note.is_empty() == told.note.is_empty(), "{code}: {note}");
        let said = words(&section["text"]["div"]);
        for sentence in told.words {
            assert!(said.contains(sentence), "{code}: {sentence} is not in {said}");
        }
    }
    let posted = post(&stage, &identifier(number), &[]).await;
    assert_eq!(sha256(&posted.body), sha256(&reply.body), "both ways give the same document");
    matches_the_record(&stage, number, &bundle).await;
}

/// The statements of the document are those of the record, under the same ids, byte for byte in their members.
async fn matches_the_record(stage: &Stage, number: &str, bundle: &Value) {
    let record = stage.record(number, &[]).await.json();
    let of_record = by_url(&record);
    for (url, resource) in by_url(bundle) {
        if resource["meta"].get("source").is_none() {
            continue;
        }
        let mut whole = (*of_record[url]).clone();
        let mut own = resource.clone();
        for one in [&mut whole, &mut own] {
            // When it was fetched, and where what the document does not hold is.
            one.as_object_mut()
                .unwrap()
                .retain(|key, _| !matches!(key.as_str(), "encounter" | "context" | "meta"));
        }
        assert_eq!(own, whole, "{url}");
    }
}

#[tokio::test]
async fn george_ashworth() {
    let disputed: &'static [&'static str] = &[
        "Records disagree about CPR. Newest: Not for attempted cardiopulmonary resuscitation, Mersey Specialist Cancer Centre (02-Mar-2026). Check the form and ask.",
        "Not for attempted cardiopulmonary resuscitation (sources contradict each other) | active | Mersey Specialist Cancer Centre | 02-Mar-2026 | For attempted cardiopulmonary resuscitation | final | Riverside Surgery | 20-Oct-2025",
    ];
    let lung = &["specialist Condition/c1", "gp Condition/c2", "acute-a Condition/c1"];
    let medicines = &[
        "specialist MedicationRequest/mr2",
        "specialist MedicationRequest/mr1",
        "gp MedicationStatement/ms1",
        "gp MedicationStatement/ms2",
    ];
    check(GEORGE, &["gp", "acute-a", "specialist", "walkin"], "complete", &[
        told("11450-4", lung, &["Non-small cell lung cancer (sources agree) | active | Mersey Specialist Cancer Centre | 16-Oct-2025"]),
        told("48765-2", &["acute-a AllergyIntolerance/n1", "gp AllergyIntolerance/a1"], &["No known allergies.", "No known drug allergy | active | Mersey Royal Hospital | 18-Jan-2026"]),
        told("10160-0", medicines, &["Midazolam 10mg/2ml solution for injection ampoules | current | 2.5mg under the skin when needed for agitation | Mersey Specialist Cancer Centre | 02-Mar-2026"]),
        told("42348-3", &["specialist DocumentReference/d1", "specialist DocumentReference/d2", "acute-a DocumentReference/d1"], disputed),
        told("104605-1", &["specialist Flag/f2", "specialist Flag/f1"], disputed),
        told("81338-6", &["specialist Flag/f1", "gp Observation/o1", "specialist QuestionnaireResponse/q1"], &["Preferred place of death: Home"]),
        told("18776-5", &["acute-a CarePlan/cp1"], &["If worse: convey to Mersey Specialist Cancer Centre | active | Mersey Royal Hospital | 21-Jan-2026"]),
        told("11348-0", &["gp Condition/c1"], &["Cough | inactive | Riverside Surgery | 20-Aug-2025"]),
    ])
    .await;
}

#[tokio::test]
async fn doris_unsworth() {
    let allergies = &[
        "Known allergies.",
        "Riverside Surgery lists as ended: Latex.",
        "Riverside Surgery recorded ‘No known allergy’ (12-Mar-2019). Mersey Royal Hospital records Allergy to penicillin (02-Nov-2024). Mersey Community Trust records",
        "Allergy to penicillin: Severity differs: Mersey Royal Hospital severe. Mersey Community Trust mild.",
        "Allergy to penicillin (sources differ) | active, severe, high criticality | Anaphylaxis | Mersey Royal Hospital | 02-Nov-2024",
    ];
    check(
        DORIS,
        &["gp", "acute-a", "community"],
        "complete",
        &[
            told(
                "11450-4",
                &["gp Condition/c2", "community Condition/c1", "acute-a Condition/c3", "gp Condition/c1"],
                &["Dementia (sources agree)", "COPD (sources agree)"],
            ),
            told(
                "48765-2",
                &[
                    "acute-a AllergyIntolerance/a7",
                    "community AllergyIntolerance/ca1",
                    "gp AllergyIntolerance/a1",
                ],
                allergies,
            ),
            told(
                "10160-0",
                &["gp MedicationStatement/ms1", "gp MedicationStatement/ms2"],
                &["Amoxicillin 500mg capsules | current", "09-Mar-2026 to 15-Mar-2026"],
            ),
            empty("42348-3", "unavailable", &["No plan was found in the sources that answered."]),
        ],
    )
    .await;
}

#[tokio::test]
async fn harold_pickering() {
    let medicines = &[
        "gp MedicationStatement/ms4",
        "community MedicationStatement/m2",
        "gp MedicationStatement/ms1",
        "acute-a MedicationStatement/d2",
        "acute-a MedicationStatement/d4",
        "acute-a MedicationRequest/d1",
        "gp MedicationStatement/ms3",
        "community MedicationStatement/m1",
        "gp MedicationStatement/ms2",
        "acute-a MedicationStatement/d3",
    ];
    let words = &[
        "Warfarin 3mg tablets: Riverside Surgery: current. Mersey Royal Hospital: past, until 06-Mar-2026.",
        "Mersey Royal Hospital has Furosemide 20mg tablets. Mersey Community Trust has Furosemide 40mg tablets. Riverside Surgery has Furosemide 40mg tablets.",
        "Furosemide 40mg tablets (1 source and 1 copy)",
        "Mersey Community Trust (out-of-date copy of another source's entry)",
        "Metformin 500mg tablets (sources agree)",
    ];
    let nothing =
        &["Asked, and nothing recorded: Riverside Surgery, Mersey Royal Hospital, Mersey Community Trust."];
    let unfiled = "the list of Riverside Surgery may be incomplete: letters are waiting to be filed.";
    check(
        HAROLD,
        &["gp", "acute-a", "community"],
        "complete-withheld; withheld=1",
        &[
            empty("11450-4", "unavailable", nothing),
            empty("48765-2", "unavailable", nothing),
            noted("10160-0", medicines, unfiled, words),
            empty("42348-3", "unavailable", &["No plan was found in the sources that answered."]),
        ],
    )
    .await;
}

const SILENT: &str = "Mersey Royal Hospital did not answer in time.";
const TRANSIT: &str = "the record from the previous practice has not arrived at Riverside Surgery; earlier entries may be missing.";
const WITHHELD: &str = "Problems: some information is withheld by Riverside Surgery.";

#[tokio::test]
async fn aisha_rahman() {
    check(AISHA, &["gp", "acute-a", "community"], "partial; failed=1; withheld=1", &[
        noted("11450-4", &["gp Condition/c1"], WITHHELD, &[SILENT, TRANSIT, WITHHELD, "Hypertensive disorder | active | Riverside Surgery | 01-Mar-2016"]),
        empty("48765-2", "unavailable", &[SILENT, TRANSIT, "Allergies unavailable."]),
        noted("10160-0", &["gp MedicationStatement/ms1"], SILENT, &[SILENT, TRANSIT, "Paracetamol 500mg tablets | current"]),
        empty("42348-3", "unavailable", &["No plan was found in the sources that answered."]),
        told("104605-1", &["community Flag/f1"], &["Reasonable adjustment: needs Bengali interpreter | active | Mersey Community Trust | 01-Jul-2025"]),
    ])
    .await;
}

#[tokio::test]
async fn what_cannot_be_given_is_refused_before_anybody_is_asked() {
    let stage = Stage::set(Plan::default()).await;
    let profile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips";
    for (number, query, status, word) in [
        ("9990000019", "", 400, "NHS number"),
        ("999%200000107", "", 400, "NHS number"),
        ("p1", "", 400, "NHS number"),
        (GEORGE, "?profile=https://other.example/profile", 422, "2.0.0"),
        (GEORGE, "?identifier=9990000204", 422, "query"),
        (GEORGE, "?_format=xml", 406, "XML"),
    ] {
        let reply = get(&stage, number, query).await;
        assert_eq!(reply.status, status, "{number}{query}: {}", reply.body);
        assert!(reply.body.contains("OperationOutcome") && reply.body.contains(word), "{}", reply.body);
        assert!(!reply.body.contains(number) && !reply.body.contains("9990000204"), "{}", reply.body);
        assert!(reply.header("Tributary-Audit").is_none());
    }
    for (body, status) in [("{}", 422), ("not json", 400), (&identifier("9990000019"), 400)] {
        assert_eq!(post(&stage, body, &[]).await.status, status, "{body}");
    }
    let reply = http::get(stage.running.data_addr(), &format!("{SUMMARY}?identifier={GEORGE}")).await;
    assert_eq!(reply.status, 405, "no number goes into a query");
    let reply = get(&stage, GEORGE, &format!("?profile={profile}%7C2.0.0&_format=json")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn partial_strict_and_silent_are_as_for_a_record() {
    let stage = Stage::set(Plan { source_keys: "timeout_ms = 300", ..Plan::default() }).await;
    for provider in stage.federation.providers().iter().skip(1) {
        provider.set_fault(Fault::status(500));
    }
    let strict = [("Prefer", "handling=strict")];
    let partial = post(&stage, &identifier(GEORGE), &[]).await;
    assert_eq!(
        (partial.status, partial.json()["type"].as_str()),
        (200, Some("document")),
        "{}",
        partial.body
    );
    assert!(partial.header("Tributary-Completeness").unwrap().starts_with("partial"));
    let refused = post(&stage, &identifier(GEORGE), &strict).await;
    assert_eq!((refused.status, text(&refused.json()["resourceType"])), (502, "OperationOutcome"));
    assert!(!refused.body.contains("Morphine") && !refused.body.contains("Ashworth"));
    for provider in stage.federation.providers() {
        provider.set_fault(Fault::status(500));
    }
    let nobody = post(&stage, &identifier(GEORGE), &[]).await;
    assert_eq!((nobody.status, text(&nobody.json()["resourceType"])), (502, "OperationOutcome"));
}

/// The records of an audit log, read by hand: a length, a checksum, JSON; nothing of length zero.
fn on_record(log: &std::path::Path) -> Vec<Value> {
    let files = std::fs::read_dir(log).unwrap().map(|file| file.unwrap().path());
    let mut records = Vec::new();
    for file in files.filter(|file| file.extension().is_some_and(|ext| ext == "log")) {
        let bytes = std::fs::read(file).unwrap();
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + 8) {
            let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            let Some(payload) = bytes.get(at + 8..at + 8 + length).filter(|one| !one.is_empty()) else {
                break;
            };
            records.push(serde_json::from_slice(payload).unwrap());
            at += 8 + length;
        }
    }
    records
}

#[tokio::test]
async fn a_summary_is_a_disclosure_of_its_own() {
    let stage = Stage::set(Plan::default()).await;
    let reply = get(&stage, GEORGE, "").await;
    let log = stage.audit.path().join("log");
    let records = on_record(&log);
    let of_kind = |kind: &str| records.iter().filter(|one| one["kind"] == kind).collect::<Vec<_>>();
    let (intents, disclosures) = (of_kind("intent"), of_kind("disclosure"));
    assert_eq!((intents.len(), disclosures.len()), (1, 1));
    for record in [intents[0], disclosures[0]] {
        assert_eq!(record["what"]["interaction"], "summary", "{record}");
    }
    let number = format!("local-{}", disclosures[0]["seq"]);
    assert_eq!(reply.header("Tributary-Audit"), Some(number.as_str()));
    assert_eq!(disclosures[0]["outcome"]["bundle_digest"], sha256(&reply.body));
}
