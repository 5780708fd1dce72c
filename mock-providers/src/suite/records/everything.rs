//! The patient with something in every area, linked in every way: consultations with topics and headings,
//! problems of every status and significance, one of them about an item of each area.

use serde_json::json;

use crate::gp::Content;
use crate::suite::chart::{Chart, Course, Medicine, Problem, Topic, Warning};

use super::{FLU, FLU_VACCINE, LATEX, MMR, PAST_ACUTE, PEANUT, PENICILLIN, RECALL, REPEAT, WEIGHT};

const COMMENT: (&str, &str) = ("37331000000100", "Comment note");
const SURGERY: (&str, &str) = ("11429006", "Consultation");

pub(super) fn write(chart: &mut Chart) {
    // A medicine was left out for confidentiality; its List says so.
    chart.warn(&["includeMedication"], Warning::Confidential);
    let encounter = chart.encounter(-20, SURGERY);
    let earlier = chart.encounter(-200, SURGERY);
    let linked = linked(chart);
    further(chart);
    let parent = chart.problem(&Problem {
        concept: ("38341003", "Hypertensive disorder"),
        status: "active",
        significance: "major",
        onset: -20,
        context: Some(&encounter),
        content: &linked,
    });
    let child = chart.problem(&Problem {
        concept: ("80313002", "Palpitations"),
        status: "active",
        significance: "major",
        onset: -20,
        context: Some(&encounter),
        content: &[],
    });
    chart.relate(&parent, &child);
    let cough = chart.problem(&Problem {
        concept: ("49727002", "Cough"),
        status: "active",
        significance: "minor",
        onset: -200,
        context: Some(&earlier),
        content: &[],
    });
    for (concept, significance) in
        [(("195967001", "Asthma"), "major"), (("40930008", "Hypothyroidism"), "minor")]
    {
        chart.problem(&Problem {
            concept,
            status: "inactive",
            significance,
            onset: -2500,
            context: None,
            content: &[],
        });
    }
    consultations(chart, &encounter, &linked, (&parent, &child));
    let said = chart.uncategorised(-200, COMMENT, &json!({"comment": "Dry cough for a week. Chest clear."}));
    let alone = [said];
    let topic = Topic { title: "Cough", problem: Some(&cough), headings: &[("", &alone)] };
    chart.consultation(&earlier, -200, &[topic]);
    for offset in [-400, -900, -1600] {
        let encounter = chart.encounter(offset, SURGERY);
        let said = [chart.uncategorised(offset, COMMENT, &json!({"comment": "Blood pressure check."}))];
        let topic = Topic { title: "Review", problem: None, headings: &[("History", &said)] };
        chart.consultation(&encounter, offset, &[topic]);
    }
}

/// One item of each area, and the issue of a medicine and a document besides: what the one problem is about.
fn linked(chart: &mut Chart) -> Vec<String> {
    let pressure = chart.blood_pressure(-20, 158, 96);
    let allergy = chart.allergy(-700, PENICILLIN, "medication");
    let medicine = chart.medicine(&Medicine {
        concept: ("318858002", "Ramipril 5mg capsules"),
        dosage: "One capsule once a day",
        start: -20,
        issues: &[-20],
        ..REPEAT
    });
    let immunisation = chart.immunisation(-250, FLU, Some(FLU_VACCINE));
    let report = chart.investigation(-120);
    let letter = chart.document(
        -15,
        "Referral letter to cardiology",
        Content::Text("Dear colleague, thank you for seeing this patient.".to_owned()),
    );
    let referral = chart.referral(-15, Some(&letter));
    let recall = chart.diary(30, RECALL);
    let mut linked = vec![pressure, medicine.plan];
    linked.extend(medicine.orders);
    linked.extend([allergy, immunisation, report, referral, recall, letter]);
    linked
}

/// What no problem is about.
fn further(chart: &mut Chart) {
    chart.allergy(-650, PEANUT, "environment");
    chart.ended_allergy(LATEX, "Tolerated without reaction");
    medicines(chart);
    chart.immunisation(-600, FLU, Some(FLU_VACCINE));
    chart.immunisation(-590, MMR, None);
    chart.uncategorised(-40, WEIGHT, &json!({"valueQuantity": {"value": 71.25, "unit": "kg"}}));
    chart.uncategorised(-4000, ("8517006", "Ex-smoker"), &json!({"comment": "Stopped long ago."}));
    chart.investigation(-1100);
    chart.referral(-1300, None);
    chart.diary(-10, ("185903001", "Needs influenza immunization"));
    chart.diary(9 * 365, ("169782005", "Recall for review"));
    chart.document(
        -800,
        "Discharge summary",
        Content::Text("Admitted for observation. Went home well.".to_owned()),
    );
    chart.document(-810, "Letter lost in the move", Content::Missing);
    chart.document(-1200, "Scanned correspondence, complete", Content::Filler(5 * 1024 * 1024));
}

fn medicines(chart: &mut Chart) {
    chart.medicine(&REPEAT);
    chart.medicine(&PAST_ACUTE);
    chart.medicine(&Medicine { start: -3, end: Some(4), issues: &[-3], ..PAST_ACUTE });
    chart.medicine(&Medicine { start: -2200, end: Some(-2193), issues: &[-2200], ..PAST_ACUTE });
    chart.medicine(&Medicine {
        concept: ("319773006", "Aspirin 300mg tablets"),
        end: Some(-60),
        stopped: Some("Stomach upset"),
        ..REPEAT
    });
    chart.medicine(&Medicine {
        concept: ("321153009", "Temazepam 20mg tablets"),
        course: Course::RepeatDispensing,
        dosage: "One tablet at night",
        ..REPEAT
    });
    chart.medicine(&Medicine {
        concept: ("326874003", "Methotrexate 2.5mg tablets"),
        course: Course::Elsewhere,
        dosage: "Four tablets once a week",
        issues: &[],
        ..REPEAT
    });
    let changed = Medicine {
        concept: ("322236009", "Paracetamol 500mg tablets"),
        dosage: "One tablet when required",
        ..REPEAT
    };
    chart.changed_medicine(
        &Medicine { start: -280, end: Some(-100), issues: &[-280, -190], ..changed },
        &Medicine { start: -99, issues: &[-99], dosage: "Two tablets when required", ..changed },
    );
}

/// The newest consultation: a topic with headings that is about the problem, and one without either.
fn consultations(chart: &mut Chart, encounter: &str, linked: &[String], (parent, child): (&str, &str)) {
    let is = |kind: &'static str| move |to: &&String| to.starts_with(kind);
    let of = |kind: &'static str| linked.iter().filter(is(kind)).cloned().collect::<Vec<_>>();
    let history =
        [chart.uncategorised(-20, COMMENT, &json!({"comment": "Heart racing at night.\r\nNo pain."}))];
    let mut plan = of("MedicationRequest/");
    plan.extend(of("ReferralRequest/"));
    plan.extend(of("ProcedureRequest/"));
    plan.extend(of("DocumentReference/"));
    let examination = of("Observation/");
    let assessment = [child.to_owned()];
    let headings: [(&str, &[String]); 4] =
        [("History", &history), ("Examination", &examination), ("Assessment", &assessment), ("Plan", &plan)];
    let noted = [of("AllergyIntolerance/"), of("Immunization/"), of("DiagnosticReport/")].concat();
    let topics = [
        Topic { title: "Blood pressure", problem: Some(parent), headings: &headings },
        Topic { title: "Noted besides", problem: None, headings: &[("", &noted)] },
    ];
    chart.consultation(encounter, -20, &topics);
}
