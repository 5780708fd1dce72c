//! What is in the record of each suite patient. Days are offsets from the day the practice is started on.

mod everything;

use serde_json::json;

use crate::gp::Content;

use super::chart::{Chart, Course, Medicine, Problem, Warning};

/// The day patients were registered.
pub(super) const REGISTERED: i32 = -1500;
/// The day the deceased patient died: longer ago than records are shown.
pub(super) const DIED: i32 = -400;

const PENICILLIN: (&str, &str) = ("91936005", "Allergy to penicillin");
const PEANUT: (&str, &str) = ("91935009", "Allergy to peanut");
const LATEX: (&str, &str) = ("300916003", "Latex allergy");
const FLU: (&str, &str) = ("86198006", "Administration of influenza vaccine");
const FLU_VACCINE: (&str, &str) = ("46233009", "Influenza virus vaccine");
const MMR: (&str, &str) = ("38598009", "Administration of measles, mumps and rubella vaccine");
const MMR_VACCINE: (&str, &str) = ("61153008", "Measles, mumps and rubella vaccine");
const RECALL: (&str, &str) = ("394701000", "Asthma follow-up");
const WEIGHT: (&str, &str) = ("27113001", "Body weight");

const REPEAT: Medicine<'_> = Medicine {
    concept: ("319775004", "Aspirin 75mg tablets"),
    course: Course::Repeat,
    dosage: "One tablet once a day",
    start: -300,
    end: None,
    issues: &[-300, -150, -20],
    stopped: None,
};
const PAST_ACUTE: Medicine<'_> = Medicine {
    concept: ("323509004", "Amoxicillin 250mg capsules"),
    course: Course::Acute,
    dosage: "One capsule three times a day",
    start: -500,
    end: Some(-493),
    issues: &[-500],
    stopped: None,
};

/// Writes the record of a patient.
pub(super) fn write(name: &str, chart: &mut Chart) {
    match name {
        "patient2" => everything::write(chart),
        "patient3" => unlinked(chart),
        "patient4" => too_long_a_document(chart),
        "patient5" => {
            chart.no_known_allergies();
            chart.medicine(&REPEAT);
            chart.medicine(&PAST_ACUTE);
        }
        "patient6" => {
            allergies(chart);
            chart.medicine(&REPEAT);
            chart.immunisation(-800, MMR, Some(MMR_VACCINE));
            chart.immunisation_consent(-801);
        }
        "patient7" | "patient8" | "patient11" => {
            allergies(chart);
            chart.medicine(&REPEAT);
            chart.medicine(&PAST_ACUTE);
        }
        "patient12" => {
            allergies(chart);
            chart.medicine(&Medicine { course: Course::Elsewhere, issues: &[], ..REPEAT });
            chart.medicine(&PAST_ACUTE);
            chart.immunisation(-250, FLU, Some(FLU_VACCINE));
        }
        "patient13" => {
            allergies(chart);
            chart.medicine(&REPEAT);
            chart.referral(-90, None);
            chart.warn_everywhere(Warning::InTransit);
        }
        "patient16" => {
            chart.allergy(-700, PENICILLIN, "medication");
            chart.ended_allergy(LATEX, "No information available");
            chart.medicine(&REPEAT);
            chart.referral(-90, None);
            chart.document(-90, "Letter to the hospital", Content::Text("Dear colleague.".to_owned()));
            chart.warn(&["includeAllergies", "includeReferrals"], Warning::Confidential);
        }
        "patient17" => {
            chart.allergy(-700, PEANUT, "environment");
            chart.ended_allergy(LATEX, "Tolerated without reaction");
        }
        "patient9" | "patient10" | "patient14" | "patient15" | "patient18" | "patient21"
        | "patientTemporary" => {
            allergies(chart);
            chart.medicine(&REPEAT);
            chart.document(-200, "Discharge summary", Content::Text("Went home well.".to_owned()));
        }
        "patientLarge" => large(chart),
        _ => {}
    }
}

/// Active ones and an ended one.
fn allergies(chart: &mut Chart) {
    chart.allergy(-700, PENICILLIN, "medication");
    chart.allergy(-650, PEANUT, "environment");
    chart.ended_allergy(LATEX, "Tolerated without reaction");
}

/// Something in every area but consultations, problems and documents, and none of it linked.
fn unlinked(chart: &mut Chart) {
    allergies(chart);
    chart.medicine(&PAST_ACUTE);
    chart.immunisation(-250, FLU, Some(FLU_VACCINE));
    chart.uncategorised(-40, WEIGHT, &json!({"valueQuantity": {"value": 81.5, "unit": "kg"}}));
    chart.blood_pressure(-40, 134, 82);
    chart.investigation(-120);
    chart.referral(-90, None);
    chart.diary(45, RECALL);
}

/// Allergies, and one document that is longer than may be sent.
fn too_long_a_document(chart: &mut Chart) {
    const LENGTH: usize = 6 * 1024 * 1024;
    allergies(chart);
    chart.document(-30, "Scanned correspondence", Content::Filler(LENGTH));
}

/// Years of everything: larger than any answer that fits into one packet, buffer or chunk.
fn large(chart: &mut Chart) {
    const CONSULTATIONS: i32 = 60;
    allergies(chart);
    for serial in 0..CONSULTATIONS {
        let offset = -7 * (serial + 1);
        let encounter = chart.encounter(offset, ("11429006", "Consultation"));
        let weight = json!({"valueQuantity": {"value": 60 + serial % 9, "unit": "kg"}});
        let items = [
            chart.uncategorised(offset, WEIGHT, &weight),
            chart.blood_pressure(offset, 140, 85),
            chart.investigation(offset),
        ];
        let heading = [("Examination", items.as_slice())];
        let topic = super::chart::Topic { title: "Review", problem: None, headings: &heading };
        chart.consultation(&encounter, offset, &[topic]);
        chart.medicine(&Medicine { start: offset, end: Some(offset + 7), issues: &[], ..PAST_ACUTE });
        chart.problem(&Problem {
            concept: ("49727002", "Cough"),
            status: "inactive",
            significance: "minor",
            onset: offset,
            context: Some(&encounter),
            content: &items,
        });
    }
}
