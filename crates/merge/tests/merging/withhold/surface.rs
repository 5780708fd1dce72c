//! What stands where something is withheld, and what each limit lets through.

use serde_json::{Value, json};
use tributary_model::{FaultClass, Reason, RoleView, Section, SectionSet, SourceKind, ViewRole, Views};

use super::LISTED;
use crate::kit::{Federation, about, federation, snomed};

fn one_source(resources: &[Value]) -> Federation {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, super::cases::SERVED, &[]);
    stage.answers("gp", resources);
    stage
}

/// The titles of a section as a role sees it.
#[track_caller]
fn check(resources: &[Value], role: ViewRole, section: Section, titles: &[&str]) {
    let stage = one_source(resources);
    let withheld = stage.withheld(RoleView::of(role, Reason::NotGiven));
    let view = stage.merged_for(&withheld).to_view();
    let one = view.sections.iter().find(|one| one.section == section).unwrap();
    let found: Vec<&str> = one.lines.iter().map(|line| line.title.as_str()).collect();
    assert_eq!(found, titles, "{role:?}");
}

fn label(stage: &Federation, view: RoleView) -> &'static str {
    let withheld = stage.withheld(view);
    stage.merged_for(&withheld).allergy_label().words()
}

fn allergy(id: &str, code: &str, name: &str) -> Value {
    about(
        "AllergyIntolerance",
        id,
        json!({"code": snomed(code, name), "clinicalStatus": {"coding": [{"code": "active"}]}}),
    )
}

fn labelled(mut resource: Value, code: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    resource["meta"] = json!({"security": [{"system": system, "code": code}]});
    resource
}

#[test]
fn who_may_not_see_everything_is_never_told_that_there_is_nothing() {
    let none = allergy("n", "716186003", "No known allergy");
    let hidden = labelled(allergy("a", "91936005", "Allergy to penicillin"), "V");
    let nurse = RoleView::of(ViewRole::CommunityNurse, Reason::NotGiven);
    let (calm, risky) = (one_source(std::slice::from_ref(&none)), one_source(&[none, hidden]));
    assert_eq!(label(&calm, RoleView::whole()), "No known allergies");
    assert_eq!(label(&risky, RoleView::whole()), "Known allergies");
    // The same words whether an allergy was withheld or not, and no reassurance.
    assert_eq!(
        (label(&calm, nurse), label(&risky, nurse)),
        ("Allergy check incomplete", "Allergy check incomplete")
    );
    let handler = RoleView::of(ViewRole::CallHandler, Reason::NotGiven);
    assert_eq!(
        (label(&calm, handler), label(&risky, handler)),
        ("Not shown for your role.", "Not shown for your role.")
    );
    let seen = one_source(&[allergy("a", "91936005", "Allergy to penicillin")]);
    assert_eq!(label(&seen, nurse), "Known allergies");
    let withheld = one_source(&[]).withheld(nurse);
    let stage = one_source(&[]);
    let view = stage.merged_for(&withheld).to_view();
    assert!(!format!("{view:?}").contains("nothing recorded"));
    assert!(!format!("{view:?}").contains("holds nothing"));
}

/// A rule may let a section be seen of one kind of source and not of another.
#[test]
fn a_section_of_one_kind_of_source_is_taken_out_and_named() {
    let mut stage = one_source(&[allergy("n", "716186003", "No known allergy")]);
    stage.source("acute", SourceKind::Acute, super::cases::SERVED, &[]);
    let problem = about("Condition", "c", json!({"code": {"text": "Seen at the hospital"}}));
    stage.answers("acute", &[allergy("a", "91936005", "CANARY allergy"), problem]);
    let nurse = RoleView::of(ViewRole::CommunityNurse, Reason::NotGiven);
    let without = SectionSet::all().without(SectionSet::EMPTY.with(Section::Allergies));
    let views = Views::of_each(|kind| if kind == SourceKind::Acute { nurse.within(without) } else { nurse });
    let withheld = stage.withheld_of(&stage.answers, &views);
    let record = stage.merged_for(&withheld);
    let all = super::told(&record);
    assert!(!all.contains("CANARY") && !all.contains("91936005"), "{all}");
    assert!(all.contains("Seen at the hospital") && all.contains("No known allergy"));
    let statuses: Vec<_> = record.statuses().map(|(id, status, _)| (id.as_str(), status.code())).collect();
    assert_eq!(statuses, [("gp", "ok"), ("acute", "withheld-policy")]);
    assert_eq!(record.allergy_label().words(), "Allergy check incomplete");
    let view = record.to_view();
    let section = view.sections.iter().find(|one| one.section == Section::Allergies).unwrap();
    let is_named = |words: &String| words.contains("acute") && words.contains("Not shown for your role.");
    assert!(section.notices.iter().any(is_named), "{:?}", section.notices);
}

/// A medicine of this name, with more said of it.
fn medicine(id: &str, status: &str, more: &Value) -> Value {
    let mut medicine = about("MedicationStatement", id, json!({"status": status}));
    medicine["medicationCodeableConcept"] = json!({"text": id});
    for (key, value) in more.as_object().unwrap() {
        medicine[key] = value.clone();
    }
    medicine
}

/// The practice's list has not heard yet that the hospital stopped it: whoever sees current medicines only must.
#[test]
fn a_stop_is_shown_where_only_current_medicines_are() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["medications"], &[]);
    stage.source("acute", SourceKind::Acute, &["medications"], &[]);
    let warfarin = |mut medicine: Value| {
        medicine["medicationCodeableConcept"] = snomed("48603004", "Warfarin");
        medicine
    };
    let repeat = medicine("repeat", "active", &json!({"effectivePeriod": {"start": "2024-05-01"}}));
    let ended = json!({"effectivePeriod": {"start": "2024-05-01", "end": "2026-03-06"}});
    stage.answers("gp", &[warfarin(repeat)]);
    stage.answers("acute", &[warfarin(medicine("stop", "stopped", &ended))]);
    for role in [ViewRole::Restricted, ViewRole::Ambulance, ViewRole::HomeCarer] {
        let withheld = stage.withheld(RoleView::of(role, Reason::NotGiven));
        let record = stage.merged_for(&withheld);
        let view = record.to_view();
        let section = view.sections.iter().find(|one| one.section == Section::Medications).unwrap();
        assert_eq!(section.lines.len(), 1, "{role:?}: {section:?}");
        assert_eq!(section.lines[0].class, "conflict", "{role:?}");
        let told = super::told(&record);
        assert!(told.contains("medicine-status") && told.contains("\"stopped\""), "{role:?}: {told}");
    }
}

/// What ended long ago, and what came to its end as it was meant to, is no news.
#[test]
fn a_stop_is_shown_for_a_while() {
    let ended = |end: &str| json!({"effectivePeriod": {"start": "2020", "end": end}});
    let all = [
        medicine("yesterday", "stopped", &ended("2026-03-09")),
        medicine("first-day", "stopped", &ended("2025-12-10")),
        medicine("day-before", "stopped", &ended("2025-12-09")),
        medicine("cancelled", "cancelled", &ended("2026-02-01")),
        medicine("month", "stopped", &ended("2025-12")),
        medicine("year", "stopped", &ended("2025")),
        medicine("long-ago", "stopped", &ended("2024")),
        medicine("unsaid", "stopped", &json!({"dateAsserted": "2015-01-01"})),
        medicine("completed", "completed", &ended("2026-03-09")),
        medicine("lapsed", "active", &ended("2026-03-09")),
        medicine("not-taken", "not-taken", &ended("2026-03-09")),
        medicine("mistake", "entered-in-error", &ended("2026-03-09")),
        medicine("held", "on-hold", &json!({})),
    ];
    for role in [ViewRole::Restricted, ViewRole::Ambulance, ViewRole::HomeCarer] {
        let stage = one_source(&all);
        let withheld = stage.withheld(RoleView::of(role, Reason::NotGiven));
        let view = stage.merged_for(&withheld).to_view();
        let section = view.sections.iter().find(|one| one.section == Section::Medications).unwrap();
        let mut found: Vec<&str> = section.lines.iter().map(|line| line.title.as_str()).collect();
        found.sort_unstable();
        let shown = ["cancelled", "first-day", "held", "month", "unsaid", "year", "yesterday"];
        assert_eq!(found, shown, "{role:?}");
    }
}

#[test]
fn current_medicines_and_active_problems() {
    let medicine = |id: &str, status: &str| medicine(id, status, &json!({"note": [{"text": "words"}]}));
    let all = [
        medicine("now", "active"),
        medicine("held", "on-hold"),
        medicine("over", "completed"),
        medicine("wrong", "entered-in-error"),
    ];
    check(&all, ViewRole::Restricted, Section::Medications, &["held", "now"]);
    check(&all, ViewRole::UcrClinician, Section::Medications, &["held", "now", "over", "wrong"]);
    let problem = |id: &str, status: &str| {
        about(
            "Condition",
            id,
            json!({"code": {"text": id}, "clinicalStatus": {"coding": [{"code": status}]}}),
        )
    };
    let all = [problem("now", "active"), problem("unsaid", ""), problem("over", "resolved")];
    check(&all, ViewRole::Restricted, Section::Problems, &["now", "unsaid"]);
}

#[test]
fn contacts_by_number_and_by_day() {
    let contact = |id: &str, date: &str| {
        about("Encounter", id, json!({"type": [{"text": id}], "period": {"start": date}}))
    };
    let all = [
        contact("a", "2026-03-09"),
        contact("b", "2026-02-20"),
        contact("c", "2025-12-20"),
        contact("d", "2025-11-01"),
        contact("e", ""),
    ];
    check(&all, ViewRole::Restricted, Section::Encounters, &["a", "b", "c"]);
    check(&all, ViewRole::Ambulance, Section::Encounters, &["a", "b"]);
    check(&all, ViewRole::UcrClinician, Section::Encounters, &["a", "b", "c"]);
    // A labelled one takes no place: the three are those that are left.
    let mut with_hidden = all.to_vec();
    with_hidden.push(labelled(contact("x", "2026-03-10"), "R"));
    check(&with_hidden, ViewRole::Restricted, Section::Encounters, &["a", "b", "c"]);
}

#[test]
fn the_last_result_of_each_test() {
    let result = |id: &str, code: &str, date: &str| {
        about(
            "Observation",
            id,
            json!({"code": snomed(code, id), "status": "final", "effectiveDateTime": date, "valueQuantity": {"value": 7.10}}),
        )
    };
    let all =
        [result("old", "1", "2026-01-01"), result("new", "1", "2026-03-01"), result("other", "2", "2012")];
    check(&all, ViewRole::Ambulance, Section::Results, &["new", "other"]);
    check(&all, ViewRole::Restricted, Section::Results, &[]);
    let preliminary = about(
        "Observation",
        "p",
        json!({"code": snomed("3", "p"), "status": "preliminary", "valueString": "x"}),
    );
    check(&[preliminary, all[1].clone()], ViewRole::Patient, Section::Results, &["new"]);
}

#[test]
fn a_plan_that_may_not_be_read_is_told_to_exist() {
    let plan = about("CarePlan", "cp", json!({"title": "SECRET", "status": "active"}));
    let stage = one_source(std::slice::from_ref(&plan));
    let words = |stage: &Federation| {
        let withheld = stage.withheld(RoleView::of(ViewRole::Restricted, Reason::NotGiven));
        let record = stage.merged_for(&withheld);
        assert!(!super::told(&record).contains("SECRET"));
        let view = record.to_view();
        view.sections.iter().find(|one| one.section == Section::Plans).unwrap().notices.clone()
    };
    let only = "Only whether a plan exists is shown for your role.";
    assert_eq!(
        words(&stage),
        [only, "Plans and CPR: A plan exists. Ask Name of gp.", "May exist and not be shown: Name of gp."]
    );
    // One that is labelled, over or a mistake is not even told to exist.
    let over = about("CarePlan", "cp", json!({"title": "SECRET", "status": "revoked"}));
    for gone in [labelled(plan, "R"), over] {
        assert_eq!(words(&one_source(&[gone])), [only, "May exist and not be shown: Name of gp."]);
    }
}

#[test]
fn names_alone() {
    let all = [
        about(
            "AllergyIntolerance",
            "a",
            json!({
                "code": snomed("91936005", "Allergy to penicillin"), "clinicalStatus": {"coding": [{"code": "active"}]},
                "reaction": [{"manifestation": [{"text": "SECRET"}]}], "note": [{"text": "SECRET"}],
                "recorder": {"reference": "Practitioner/p", "display": "SECRET"}, "encounter": {"display": "SECRET"},
            }),
        ),
        json!({"resourceType": "Practitioner", "id": "p", "name": [{"text": "SECRET"}]}),
    ];
    check(&all, ViewRole::HomeCarer, Section::Allergies, &["Allergy to penicillin"]);
    let stage = one_source(&all);
    let withheld = stage.withheld(RoleView::of(ViewRole::HomeCarer, Reason::NotGiven));
    assert!(!super::told(&stage.merged_for(&withheld)).contains("SECRET"));
}

#[test]
fn what_belongs_to_something_barred_goes_with_it() {
    let listed = labelled(
        about(
            "DiagnosticReport",
            "r",
            json!({"code": {"text": "SECRET"}, "status": "final", "result": [{"reference": "Observation/o"}]}),
        ),
        "V",
    );
    let result = about(
        "Observation",
        "o",
        json!({"code": {"text": "SECRET value"}, "status": "final", "valueString": "x"}),
    );
    check(&[listed, result.clone()], ViewRole::CommunityNurse, Section::Results, &[]);
    check(&[result], ViewRole::CommunityNurse, Section::Results, &["SECRET value"]);
    // A product on a list takes every statement of it along, whether inside or beside.
    let product = json!({"resourceType": "Medication", "id": "m", "code": snomed(LISTED, "SECRET")});
    let statement = about(
        "MedicationStatement",
        "s",
        json!({"medicationReference": {"reference": "Medication/m"}, "status": "active", "basedOn": [{"reference": "MedicationRequest/q"}]}),
    );
    let request = about(
        "MedicationRequest",
        "q",
        json!({"medicationCodeableConcept": {"text": "SECRET"}, "status": "active"}),
    );
    check(&[product, statement, request], ViewRole::CommunityNurse, Section::Medications, &[]);
}

#[test]
fn the_patient_does_not_see_what_relatives_said() {
    let said = about(
        "Condition",
        "c",
        json!({"code": {"text": "SECRET"}, "asserter": {"reference": "RelatedPerson/r"}}),
    );
    let own =
        about("Condition", "d", json!({"code": {"text": "Asthma"}, "asserter": {"reference": "Patient/p1"}}));
    check(&[said, own], ViewRole::Patient, Section::Problems, &["Asthma"]);
}

#[test]
fn a_source_that_failed_is_told_and_its_hidden_sections_are_not() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, super::cases::SERVED, &[]);
    stage.fails("gp", FaultClass::NoHead);
    let withheld = stage.withheld(RoleView::of(ViewRole::Restricted, Reason::NotGiven));
    let view = stage.merged_for(&withheld).to_view();
    let notices =
        |section: Section| view.sections.iter().find(|one| one.section == section).unwrap().notices.clone();
    assert_eq!(notices(Section::Results), ["Not shown for your role."]);
    assert!(notices(Section::Immunisations)[0].contains("did not answer in time"));
    assert_eq!(view.tally.to_string(), "none; failed=1");
}

#[test]
fn nothing_of_another_broker_is_shown_in_part() {
    let mut stage = federation();
    stage.source("gp", SourceKind::Gp, &["allergies"], &[]);
    stage.source("region", SourceKind::Broker, super::cases::SERVED, &[]);
    stage.answers("gp", &[allergy("n", "716186003", "No known allergy")]);
    stage.answers("region", &[about("Condition", "c", json!({"code": {"text": "SECRET"}}))]);
    let withheld = stage.withheld(RoleView::of(ViewRole::UcrClinician, Reason::Given));
    let record = stage.merged_for(&withheld);
    assert!(!super::told(&record).contains("SECRET"));
    assert_eq!(record.tally().to_string(), "complete-withheld; withheld=1");
    assert_eq!(record.allergy_label().words(), "Allergy check incomplete");
    assert!(stage.merged().to_r4().contains("SECRET"));
}
