//! Pages that another system opens for somebody: both ways in, and whatever is tried with them.

use std::fmt::Write as _;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tributary_tests::{GEORGE, federation, parameters, tells};

use crate::scene::{Answer, Line, Plan, Scene, acute};

const DORIS: &str = "9990000204";
/// What addresses of pages begin with.
pub(crate) const PAGES: &str = "https://pages.example.test";
/// What a browser says of somebody who opens a page.
pub(crate) const OPENS: &[(&str, &str)] = &[
    ("Accept", "text/html,application/xhtml+xml"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Site", "cross-site"),
];
/// The same within one of our pages.
const ASKS: &[(&str, &str)] = &[
    ("Accept", "text/html"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Site", "same-origin"),
];
pub(crate) const PROGRAM: &[(&str, &str)] = &[("Accept", "application/json")];
/// Of the key that seals addresses, so that the test can make old ones.
const KEY: [u8; 32] = [7; 32];

fn pages(more: &str) -> String {
    format!(
        "[server.launch]\nlisten = \"127.0.0.1:0\"\npublic_base_url = \"{PAGES}\"\n[server.launch.tls]\n\
         cert_file = \"server.pem\"\nkey_file = \"server.key\"\n{more}"
    )
}

/// The usual scene with a listener for browsers.
pub(crate) async fn scene(more: &str) -> Scene {
    let change = |text: String| {
        let text = text.replace(
            "\"native\", \"cis2\", \"gpconnect\"]",
            "\"native\", \"cis2\", \"gpconnect\", \"launch\"]",
        );
        let first = "public_base_url = \"https://record.example.test\"\n";
        text.replacen(first, &format!("{first}link_key_file = \"link.key\"\n"), 1)
    };
    let plan = Plan { more: pages(more), change, ..Plan::default() };
    let folder = crate::scene::Folder::of(&plan);
    crate::scene::secret(&folder.dir.path().join("link.key"), std::str::from_utf8(&KEY).unwrap());
    Scene::of(folder).await
}

/// What a browser without any certificate is answered.
pub(crate) async fn browse(scene: &Scene, first: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let line = Line::open(&scene.ours, scene.running.launch_addr().unwrap(), None).await.unwrap();
    let mut text = format!("{first} HTTP/1.1\r\nHost: pages.example.test\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if first.starts_with("POST") {
        let length = body.len();
        write!(text, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n")
            .unwrap();
    }
    line.whole_answer(&format!("{text}\r\n{body}")).await
}

/// The path of an address that the system was given.
async fn offered(scene: &Scene) -> String {
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let token = scene.bearer(&shown);
    let answer = line.post("/launch", &[("Authorization", &token)], &parameters(GEORGE, &[])).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(told["lastsSecs"], 60);
    let address = told["address"].as_str().unwrap();
    assert!(address.starts_with(PAGES) && !address.contains(GEORGE), "{address}");
    address.replacen(PAGES, "", 1)
}

pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let found = |line: &'a str| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    };
    answer.head.lines().find_map(found).unwrap_or_default()
}

/// The visit that stands in the forms of a page.
fn visit(page: &Answer) -> String {
    let (_, rest) =
        page.body.split_once("name=\"visit\" value=\"").unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().unwrap().to_owned()
}

pub(crate) async fn records(scene: Scene) -> Vec<Value> {
    let audit = scene.dir.path().join("audit");
    scene.running.stop().await.unwrap();
    tributary_tests::audit::records(&audit)
}

#[tokio::test]
async fn a_system_opens_one_page_for_one_person_once() {
    let scene = scene("").await;
    let address = offered(&scene).await;
    let page = browse(&scene, &format!("GET {address}"), OPENS, "").await;
    assert_eq!(page.status, 200, "{}", page.body);
    for words in ["Opened from another system for", "Ada Okoro", "Is this the right patient?", "999 000 0107"]
    {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert_eq!(header(&page, "cache-control"), "no-store");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    assert!(header(&page, "content-security-policy").ends_with("frame-ancestors 'none'"));
    assert_eq!(header(&page, "set-cookie"), "");
    // A second look, by whoever has it.
    let again = browse(&scene, &format!("GET {address}"), OPENS, "").await;
    assert_eq!(again.status, 404);
    assert!(again.body.contains("No record was opened"), "{}", again.body);
    assert!(!tells(&again.body, "0107") && !again.body.contains(GEORGE), "{}", again.body);
    let program = browse(&scene, &format!("GET {address}"), PROGRAM, "").await;
    assert_eq!(program.status, 404);
    assert!(program.body.contains("OperationOutcome"), "{}", program.body);

    let metrics = tributary_tests::http::get(scene.running.admin_addr(), "/metrics").await.body;
    for (outcome, count) in [("offered", 1), ("opened", 1), ("used", 2)] {
        let row = format!("tributary_launches_total{{outcome=\"{outcome}\"}} {count}");
        assert!(metrics.contains(&row), "{row}\n{metrics}");
    }
    let records = records(scene).await;
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<_>>();
    for (kind, interaction) in [("launch", "launch"), ("intent", "record"), ("disclosure", "record")] {
        let record = of(kind).first().copied().unwrap_or_else(|| panic!("{kind}"));
        assert_eq!(record["user"]["id"], "u-17");
        assert_eq!(record["patient"]["nhs"], GEORGE);
        assert_eq!(record["consumer"]["id"], "epr", "{record}");
        assert_eq!(record["what"]["interaction"], interaction);
    }
    let refused = of("security");
    assert_eq!(refused.len(), 2, "each refusal is on record");
    assert!(refused.iter().all(|one| one["security"] == "launch-refused" && one["patient"]["nhs"] == GEORGE));
}

/// Opens the seal of an address, changes its text, and seals it again.
fn resealed(address: &str, bound_to: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).unwrap());
    let mut bytes = URL_SAFE_NO_PAD.decode(address.rsplit('/').next().unwrap()).unwrap();
    let (nonce, sealed) = bytes.split_at_mut(12);
    let own = || Nonce::try_assume_unique_for_key(&*nonce).unwrap();
    let mut text = key.open_in_place(own(), Aad::from(&b"/launch"[..]), sealed).unwrap().to_vec();
    change(&mut text);
    key.seal_in_place_append_tag(own(), Aad::from(bound_to), &mut text).unwrap();
    format!("/launch/{}", URL_SAFE_NO_PAD.encode([&*nonce, &text].concat()))
}

/// The same address, made so many seconds earlier.
fn older(address: &str, seconds: u64) -> String {
    resealed(address, b"/launch", |text| {
        let made = u64::from_be_bytes(text[1..9].try_into().unwrap());
        text[1..9].copy_from_slice(&(made - seconds).to_be_bytes());
    })
}

#[tokio::test]
async fn an_address_that_is_old_or_altered_or_of_another_kind_opens_nothing() {
    let scene = scene("").await;
    let opens = async |address: &str| browse(&scene, &format!("GET {address}"), OPENS, "").await.status;
    // What the test seals itself is as good as what the broker does.
    assert_eq!(opens(&older(&offered(&scene).await, 50)).await, 200);
    let address = offered(&scene).await;
    assert_eq!(opens(&older(&address, 62)).await, 404, "too old");
    let mut altered = URL_SAFE_NO_PAD.decode(address.rsplit('/').next().unwrap()).unwrap();
    altered[40] ^= 1;
    assert_eq!(opens(&format!("/launch/{}", URL_SAFE_NO_PAD.encode(&altered))).await, 404, "altered");
    for bound_to in [&b"/visit"[..], b"/record\nu-17@RZ905", b"/fhir/R4/Binary"] {
        assert_eq!(opens(&resealed(&address, bound_to, |_| ())).await, 404, "of another kind");
    }
    for nonsense in ["", "a", GEORGE, "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(opens(&format!("/launch/{nonsense}")).await, 404, "{nonsense}");
    }
    assert_eq!(opens(&address).await, 200, "none of it used it up");
    assert!(scene.security_records().await.iter().all(|what| what == "launch-refused"));
}

#[tokio::test]
async fn what_nobody_looks_at_uses_nothing_up() {
    let scene = scene("").await;
    let address = offered(&scene).await;
    let first = format!("GET {address}");
    for (name, value) in [
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Purpose", "prefetch"),
        ("Sec-Fetch-Dest", "image"),
        ("Sec-Fetch-Mode", "no-cors"),
    ] {
        let mut headers: Vec<_> = OPENS.iter().copied().filter(|(key, _)| *key != name).collect();
        headers.push((name, value));
        let answer = browse(&scene, &first, &headers, "").await;
        assert_eq!(answer.status, 403, "{name}: {value}");
        assert!(!tells(&answer.body, "0107") && !answer.body.contains(GEORGE), "{}", answer.body);
    }
    assert_eq!(browse(&scene, &format!("HEAD {address}"), OPENS, "").await.status, 405);
    assert_eq!(browse(&scene, &first, OPENS, "").await.status, 200);
}

#[tokio::test]
async fn each_listener_has_its_own() {
    let scene = scene("").await;
    let (address, shown) = (offered(&scene).await, scene.usual());
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    for path in [address.as_str(), "/refused/spent"] {
        let token = scene.bearer(&shown);
        let answer = line.ask(path, &[("Authorization", &token)]).await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("OperationOutcome"), "{path}");
    }
    for path in ["/fhir/R4/metadata", "/sources", "/openapi.yaml", "/fhir/R4/Binary/x", "/demo"] {
        let answer = browse(&scene, &format!("GET {path}"), OPENS, "").await;
        assert_eq!(answer.status, 404, "{path}");
    }
    for path in ["/fhir/R4/Patient/$record", "/looked", "/fhir/R4/Patient/$summary"] {
        assert_eq!(
            browse(&scene, &format!("POST {path}"), PROGRAM, "nhs=9990000107").await.status,
            404,
            "{path}"
        );
    }
    // The system's own token says nothing here.
    let token = scene.bearer(&shown);
    let headers = [("Authorization", token.as_str()), PROGRAM[0]];
    assert_eq!(browse(&scene, "POST /record", &headers, "nhs=9990000107").await.status, 404);
    let first = browse(&scene, "GET /", OPENS, "").await;
    assert!(first.body.contains("Open the record again from your own system."), "{}", first.body);
    assert_eq!(browse(&scene, "GET /_ping", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_system_is_told_what_is_wrong_with_a_launch() {
    let scene = scene("").await;
    let shown = scene.usual();
    let mut line = scene.connect(Some(&shown)).await.unwrap();
    let usual = parameters(GEORGE, &[]);
    let with = |name: &str, key: &str, value: &str| {
        let mut body: Value = serde_json::from_str(&usual).unwrap();
        body["parameter"].as_array_mut().unwrap().push(json!({"name": name, key: value}));
        body.to_string()
    };
    let wrong = parameters("9990000108", &[]);
    for (path, body, status) in [
        ("/launch", with("breakGlass", "valueString", "he fell"), 422),
        ("/launch", with("section", "valueCode", "allergies"), 422),
        ("/launch", with("since", "valueDate", "2026-01-01"), 422),
        ("/launch", wrong, 400),
        ("/launch", "{}".to_owned(), 422),
        ("/launch?patient=9990000107", usual.clone(), 400),
        ("/launch", format!("{usual}{}", " ".repeat(70_000)), 413),
    ] {
        let token = scene.bearer(&shown);
        let answer = line.post(path, &[("Authorization", &token)], &body).await.unwrap();
        assert_eq!(answer.status, status, "{path} {}", answer.body);
        assert!(
            answer.body.contains("OperationOutcome") && !answer.body.contains("999000"),
            "{}",
            answer.body
        );
        if status == 413 {
            line = scene.connect(Some(&shown)).await.unwrap();
        }
    }
    let form = [("Authorization", "Bearer x"), ("Accept", "application/json")];
    assert_eq!(line.post("/launch", &form, &usual).await.unwrap().status, 401);
    let token = scene.bearer(&shown);
    let answer = line.ask("/launch?launch=eyJ", &[("Authorization", &token)]).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("A launch is posted"), "{}", answer.body);
}

#[tokio::test]
async fn the_pages_of_a_visit_are_about_its_patient_and_nobody_else() {
    let scene = scene("").await;
    let page = browse(&scene, &format!("GET {}", offered(&scene).await), OPENS, "").await;
    let visit = visit(&page);
    assert!(!URL_SAFE_NO_PAD.decode(&visit).unwrap().windows(10).any(|part| part == GEORGE.as_bytes()));
    // Asking again, as the script does, and as a button does.
    let own = format!("nhs={GEORGE}&visit={visit}");
    let fetched = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors"), ("Accept", "*/*")];
    let again = browse(&scene, "POST /record", &fetched, &format!("{own}&live=1")).await;
    assert_eq!(again.status, 200);
    assert!(again.body.contains("999 000 0107"), "{}", again.body);
    let sent_on = browse(&scene, "POST /record", ASKS, &own).await;
    let address = header(&sent_on, "location").to_owned();
    assert_eq!(sent_on.status, 303);
    assert!(address.starts_with("/launch/") && !address.contains(&visit), "{address}");
    assert_eq!(
        browse(&scene, &format!("GET {address}"), ASKS, "").await.status,
        502,
        "whole, and nobody answered"
    );
    // Somebody else's record, with this visit, without one, with another kind of one.
    for (headers, expected) in [(PROGRAM, 403), (ASKS, 303)] {
        let other = browse(&scene, "POST /record", headers, &format!("nhs={DORIS}&visit={visit}")).await;
        assert_eq!(other.status, expected, "{}", other.body);
        assert!(!header(&other, "location").starts_with("/launch/"), "{}", other.head);
    }
    assert_eq!(browse(&scene, "POST /record", PROGRAM, &format!("nhs={GEORGE}")).await.status, 404);
    let unused = offered(&scene).await;
    let sealed = unused.rsplit('/').next().unwrap();
    let swapped = browse(&scene, "POST /record", PROGRAM, &format!("nhs={GEORGE}&visit={sealed}")).await;
    assert_eq!(swapped.status, 404);
    assert_eq!(browse(&scene, &format!("GET /launch/{visit}"), OPENS, "").await.status, 404);
    // A page of another site cannot ask with it.
    let foreign = browse(&scene, "POST /record", OPENS, &own).await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test]
async fn printing_is_on_record_before_there_is_anything_to_print() {
    let sources = federation(&tributary_tests::Plan::default()).await;
    let scene = scene(&acute(&sources)).await;
    let page = browse(&scene, &format!("GET {}", offered(&scene).await), OPENS, "").await;
    let form = format!("nhs={GEORGE}&visit={}", visit(&page));
    let sent_on = browse(&scene, "POST /print", ASKS, &form).await;
    assert_eq!(sent_on.status, 303, "{}", sent_on.body);
    let address = header(&sent_on, "location").to_owned();
    let print = browse(&scene, &format!("GET {address}"), ASKS, "").await;
    assert_eq!(print.status, 200, "{}", print.body);
    assert!(print.body.contains(" data-print>") && print.body.contains("asked for this page to be printed"));
    assert!(print.body.contains("Ada Okoro, Community nurse, Mersey Community Trust for direct care"));
    assert!(!page.body.contains(" data-print>"), "the page that was only looked at");
    let records = records(scene).await;
    let asked: Vec<_> = records
        .iter()
        .filter(|record| record["kind"] == "disclosure")
        .map(|record| record["what"]["interaction"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(asked.last(), Some(&"print"), "{asked:?}");
    assert_eq!(asked.iter().filter(|one| **one == "print").count(), 1);
}

#[tokio::test]
async fn pages_are_framed_by_named_origins_only() {
    let scene = scene("[viewer]\nframe_ancestors = [\"https://epr.example.test\"]\n").await;
    let address = offered(&scene).await;
    for first in [
        format!("GET {address}"),
        format!("GET {address}"),
        "GET /refused/spent".to_owned(),
        "GET /".to_owned(),
    ] {
        let page = browse(&scene, &first, OPENS, "").await;
        let policy = header(&page, "content-security-policy");
        assert!(policy.ends_with("frame-ancestors https://epr.example.test"), "{first}: {policy}");
    }
}

#[tokio::test]
async fn a_system_that_lost_its_entry_has_lost_its_visits() {
    let mut scene = scene("").await;
    let (address, page) = (offered(&scene).await, offered(&scene).await);
    let page = browse(&scene, &format!("GET {page}"), OPENS, "").await;
    let form = format!("nhs={GEORGE}&visit={}", visit(&page));
    let file = scene.file();
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replacen(
        "roles = [\"community-nurse\", \"ucr-clinician\"]\ndefault_role = \"community-nurse\"",
        "roles = [\"ucr-clinician\"]",
        1,
    );
    let text =
        text.replace("\"native\", \"cis2\", \"gpconnect\", \"launch\"]", "\"native\", \"cis2\", \"launch\"]");
    let first_systems = text.find("[[consumer.system]]").unwrap();
    let (before, rest) = text.split_at(first_systems);
    let after = rest.split_once("[[consumer]]\n").unwrap().1;
    std::fs::write(&file, format!("{before}[[consumer]]\n{after}")).unwrap();
    scene.running.reload(&file).await.unwrap();
    assert_eq!(browse(&scene, &format!("GET {address}"), OPENS, "").await.status, 403);
    assert_eq!(browse(&scene, "POST /record", PROGRAM, &form).await.status, 403);
}
