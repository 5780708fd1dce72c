//! Aisha Rahman asked for by a deputy manager of her care home: the restricted view.

use serde_json::{Value, json};
use tributary_merge::view::{RecordView, SectionView};
use tributary_merge::{Heard, Inputs, merge};
use tributary_model::{FaultClass, NhsNumber, NoticeKind, Reason, RoleView, Section, SourceKind, ViewRole};

use crate::kit::{Federation, NHS, about, federation, patient, reply, snomed};

fn aisha() -> Federation {
    let mut stage = federation();
    stage.source(
        "gp",
        SourceKind::Gp,
        &["allergies", "medications", "problems", "referrals"],
        &["https://gp.example/"],
    );
    stage.source("acute-a", SourceKind::Acute, &["allergies", "medications", "problems", "encounters"], &[]);
    stage.source("community", SourceKind::Community, &["encounters", "flags", "socialcare"], &[]);
    let mut gp = reply(&[
        patient(),
        about(
            "Condition",
            "c1",
            json!({"code": snomed("38341003", "Hypertensive disorder"), "clinicalStatus": {"coding": [{"code": "active"}]}, "onsetDateTime": "2016-03-01"}),
        ),
        json!({"resourceType": "Medication", "id": "m1", "code": snomed("322236009", "Paracetamol 500mg tablets")}),
        about(
            "MedicationRequest",
            "pl1",
            json!({"medicationReference": {"reference": "Medication/m1"}, "intent": "plan", "status": "active", "authoredOn": "2026-03-01"}),
        ),
        about(
            "MedicationStatement",
            "ms1",
            json!({"medicationReference": {"reference": "Medication/m1"}, "status": "active", "effectivePeriod": {"start": "2026-03-01"}, "basedOn": [{"reference": "MedicationRequest/pl1"}], "dosage": [{"text": "Two tablets four times a day"}]}),
        ),
        // What the role must not see, beside what it may.
        about(
            "ServiceRequest",
            "r1",
            json!({"category": [snomed("3457005", "Referral")], "code": {"text": "SECRET referral"}, "status": "active", "intent": "order"}),
        ),
    ]);
    for section in [Section::Allergies, Section::Medications, Section::Problems] {
        gp.notices.push(tributary_fhir::Notice::about(NoticeKind::DataInTransit, section));
    }
    gp.notices.push(tributary_fhir::Notice::about(NoticeKind::ConfidentialItems, Section::Problems));
    gp.notices.push(tributary_fhir::Notice::about(NoticeKind::NotSupported, Section::Referrals));
    stage.hears("gp", Heard::Reply(std::sync::Arc::new(gp)));
    stage.fails("acute-a", FaultClass::NoHead);
    stage.answers("community", &[
        about("Encounter", "e1", json!({"type": [{"text": "Community nurse visit"}], "status": "finished", "period": {"start": "2026-03-08T09:30:00Z"}})),
        about("Flag", "f1", json!({"code": {"text": "Reasonable adjustment: needs Bengali interpreter"}, "status": "active", "period": {"start": "2025-07-01"}})),
        about("Flag", "f2", json!({"code": {"text": "SECRET staff safety: visit in pairs"}, "status": "active"})),
        about("EpisodeOfCare", "ec1", json!({"type": [{"text": "Home care package, 2 visits a day"}], "status": "active", "period": {"start": "2026-01-05"}})),
        about("DocumentReference", "d1", json!({"type": {"text": "SECRET letter"}, "status": "current"})),
        about("Observation", "o1", json!({"code": {"text": "SECRET result"}, "status": "final", "valueString": "SECRET"})),
    ]);
    stage
}

const RESTRICTED: RoleView = RoleView::of(ViewRole::Restricted, Reason::NotGiven);

fn seen(view: &RecordView, section: Section) -> &SectionView {
    view.sections.iter().find(|one| one.section == section).expect("a section that was asked for")
}

#[track_caller]
fn check(view: &RecordView, section: Section, titles: &[&str], notices: &[&str]) {
    let one = seen(view, section);
    let found: Vec<&str> = one.lines.iter().map(|line| line.title.as_str()).collect();
    assert_eq!(found, titles, "{section:?}");
    assert_eq!(one.notices, notices, "{section:?}");
}

const TRANSIT: &str =
    "the record from the previous practice has not arrived at Name of gp; earlier entries may be missing.";
const SILENT: &str = "Nothing from Name of acute-a: Name of acute-a did not answer in time.";

#[test]
fn the_restricted_role_sees_this_and_no_more() {
    let stage = aisha();
    let withheld = stage.withheld(RESTRICTED);
    let record = stage.merged_for(&withheld);
    let view = record.to_view();
    assert_eq!(view.patient.name, "ASHWORTH, George");
    assert_eq!(view.tally.to_string(), "partial; failed=1; withheld=1");
    assert_eq!(view.allergy_label.words(), "Allergies unavailable");
    check(
        &view,
        Section::Flags,
        &["Reasonable adjustment: needs Bengali interpreter"],
        &["Only reasonable adjustments are shown for your role."],
    );
    check(
        &view,
        Section::Medications,
        &["Paracetamol 500mg tablets"],
        &[
            "Only current medicines, and those stopped in the last 90 days or on a date that is not recorded, are shown for your role.",
            SILENT,
            &format!("Medications and medical devices: {TRANSIT}"),
        ],
    );
    check(
        &view,
        Section::Problems,
        &["Hypertensive disorder"],
        &[
            "Only active problems are shown for your role, without notes.",
            SILENT,
            "Problems: some information is withheld by Name of gp.",
            &format!("Problems: {TRANSIT}"),
        ],
    );
    check(
        &view,
        Section::Encounters,
        &["Community nurse visit"],
        &["Only the last 3 contacts at each source are shown for your role, without notes.", SILENT],
    );
    check(&view, Section::Immunisations, &[], &["Not checked: no source was asked."]);
    check(&view, Section::SocialCare, &["Home care package, 2 visits a day"], &[]);
    for section in
        [Section::Referrals, Section::Documents, Section::Results, Section::Reports, Section::Uncategorised]
    {
        check(&view, section, &[], &["Not shown for your role."]);
    }
    assert!(!super::told(&record).contains("SECRET"));
}

#[test]
fn a_removed_section_is_not_asked_and_never_empty() {
    let stage = aisha();
    let withheld = stage.withheld(RESTRICTED);
    let bundle: Value = serde_json::from_str(&stage.merged_for(&withheld).to_r4()).unwrap();
    let resources = || bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    let list =
        |title: &str| resources().find(|one| one["title"] == format!("{title} – all sources")).unwrap();
    let referrals = list("Referrals");
    assert_eq!(referrals["emptyReason"]["coding"][0]["code"], "notasked");
    assert_eq!(referrals["emptyReason"]["text"], "Not shown for your role.");
    assert!(referrals.get("entry").is_none());
    assert_eq!(list("Allergies and adverse reactions")["emptyReason"]["coding"][0]["code"], "unavailable");
    assert!(list("Problems").get("emptyReason").is_none());
    let issues = resources().next().unwrap()["issue"].as_array().unwrap();
    let noted: Vec<_> =
        issues.iter().filter(|one| one["details"]["coding"][0]["code"] == "not-for-role").collect();
    // One source serves one section that is hidden. No count, and nothing of what the source said about it.
    assert_eq!(noted.len(), 1);
    assert_eq!((&noted[0]["severity"], &noted[0]["code"]), (&json!("information"), &json!("suppressed")));
    assert_eq!(noted[0]["details"]["text"], "Referrals: Not shown for your role.");
    assert!(
        noted[0]["extension"].as_array().unwrap().iter().all(|one| one["url"] != "urn:x-tributary:count")
    );
    assert!(!issues.iter().any(|one| one["details"]["coding"][0]["code"] == "not-supported"));
}

#[test]
fn the_whole_view_of_the_same_answers_is_as_it_was() {
    let stage = aisha();
    let withheld = stage.withheld(RoleView::whole());
    let inputs = Inputs {
        patient: NhsNumber::parse(NHS).unwrap(),
        as_of: stage.as_of.parse().unwrap(),
        sections: stage.sections,
        registry: &stage.registry,
        answers: withheld.screened(),
        pds: None,
        notes: &[],
        attachments: None,
        prompts: tributary_merge::Prompts::default(),
        maps: &stage.maps,
    };
    assert_eq!(merge(inputs).to_r4(), stage.merged().to_r4());
    assert!(merge(inputs).to_r4().contains("SECRET referral"));
}
