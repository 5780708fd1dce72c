//! Property 11: done stays done, and not done stays not done, through conversion and merge.

use proptest::prelude::*;
use tributary_fhir::Json;

use crate::properties::cases;
use crate::properties::stage::{empty, entries, origin, reply_of, scan};

/// An STU3 statement that says whether something was done.
#[derive(Clone, Copy, Debug)]
struct Deed {
    kind: &'static str,
    flag: &'static str,
    value: &'static str,
    status: &'static str,
    profile: bool,
}

const STATUSES: &[&str] =
    &["completed", "active", "in-progress", "entered-in-error", "stopped", "on-hold", "unknown", "intended"];

fn deed() -> impl Strategy<Value = Deed> {
    let kinds = prop::sample::select(vec![
        ("Immunization", "notGiven"),
        ("Procedure", "notDone"),
        ("MedicationAdministration", "notGiven"),
        ("MedicationDispense", "notDone"),
        ("MedicationStatement", "taken"),
        ("AllergyIntolerance", "verificationStatus"),
        ("Condition", "verificationStatus"),
        ("ProcedureRequest", "doNotPerform"),
    ]);
    (kinds, any::<bool>(), 0_usize..4, prop::sample::select(STATUSES), any::<bool>()).prop_map(
        |((kind, flag), says_no, yes, status, profile)| {
            let value = match (flag, says_no) {
                ("taken", true) => "\"n\"",
                ("taken", false) => ["\"y\"", "\"unk\"", "\"na\"", "\"y\""][yes],
                ("verificationStatus", true) => "\"refuted\"",
                ("verificationStatus", false) => {
                    ["\"confirmed\"", "\"unconfirmed\"", "\"confirmed\"", "\"provisional\""][yes]
                }
                (_, true) => "true",
                (_, false) => "false",
            };
            Deed { kind, flag, value, status, profile }
        },
    )
}

impl Deed {
    fn says_no(self) -> bool {
        matches!(self.value, "true" | "\"n\"" | "\"refuted\"")
    }

    fn text(self) -> String {
        let Self { kind, flag, value, status, profile } = self;
        let profile = if profile { r#""meta":{"profile":["x/CareConnect-GPC-X-1"]},"# } else { "" };
        let key =
            if matches!(kind, "AllergyIntolerance" | "Condition") { "clinicalStatus" } else { "status" };
        let about = if matches!(kind, "AllergyIntolerance" | "Immunization") { "patient" } else { "subject" };
        format!(
            r#"{{"resourceType":"{kind}","id":"1",{profile}"{about}":{{"reference":"Patient/p1"}},"{key}":"{status}","{flag}":{value},"code":{{"text":"x"}}}}"#
        )
    }
}

/// Whether an R4 statement says no.
fn denies(resource: Json<'_>) -> bool {
    let status = resource.text_at("status").unwrap_or_default();
    let verification = resource.path(&["verificationStatus", "coding"]).and_then(|one| one.text_at("code"));
    let forbidden = resource.get("doNotPerform").and_then(Json::truth) == Some(true);
    matches!(status.as_ref(), "not-done" | "not-taken" | "declined")
        || verification.is_some_and(|code| code == "refuted")
        || forbidden
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn negation_survives(deed in deed()) {
        let text = format!(
            r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"Patient","id":"p1","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}]}}}},{{"resource":{}}}]}}"#,
            deed.text()
        );
        let mut stage = empty();
        stage.hears("gp", tributary_merge::Heard::Reply(std::sync::Arc::new(reply_of(true, std::iter::once(text)))));
        let record = stage.merged();
        let merged = scan(&record.to_r4());
        let all = entries(&merged);
        let (url, shown) = all.iter().find(|(_, one)| origin(*one).is_some_and(|(_, name)| name.ends_with("/1"))).expect("shown");
        let in_error = deed.status == "entered-in-error" && deed.kind != "AllergyIntolerance" && deed.kind != "Condition";
        if in_error && deed.flag != "doNotPerform" {
            // A mistake stays one; what it said of the deed is kept beside it.
            prop_assert!(shown.says("status", "entered-in-error"));
            prop_assert!(!deed.says_no() || shown.raw().contains(deed.flag), "{}", shown.raw());
        } else {
            prop_assert_eq!(denies(*shown), deed.says_no(), "{}", shown.raw());
        }
        // A reader sees it too.
        let view = record.to_view();
        let members = view.sections.iter().flat_map(|one| &one.lines).flat_map(|line| &line.members);
        let facts: Vec<String> = members.filter(|one| one.full_url == *url).flat_map(|one| one.facts.clone()).collect();
        let words = ["not done", "not given on that day", "not-taken", "ruled out", "not to be done", "entered in error"];
        prop_assert!(!deed.says_no() || words.iter().any(|word| facts.iter().any(|fact| fact == word)), "{facts:?}");
    }
}
