//! Do the sources describe the same person?

use std::collections::BTreeSet;

use tributary_fhir::Json;

use super::{ADDRESS, BIRTH_DATE, DECEASED, Discrepancy, GENDER, NAME, Rule};
use crate::concept::normal;
use crate::lines::Ground;
use crate::load::Accepted;

/// A field of a Patient, in one form for comparing; `None` when it says nothing.
type Field = fn(Json<'_>) -> Option<String>;

const FIELDS: &[(Rule, Field, &str)] = &[
    (NAME, name, "name"),
    (BIRTH_DATE, birth_date, "date of birth"),
    (GENDER, gender, "gender"),
    (ADDRESS, postcode, "address"),
];

/// Compares the Patients of all accepted answers. Silence is not a difference.
pub(super) fn judge(ground: Ground<'_>, answers: &[Accepted<'_>]) -> Vec<Discrepancy> {
    let mut found = Vec::new();
    for (rule, field, word) in FIELDS {
        let values: BTreeSet<String> = answers.iter().filter_map(|one| field(one.proof.patient)).collect();
        if values.len() > 1 {
            let words = format!("The sources do not give the same {word} for this patient.");
            found.push(discrepancy(ground, *rule, answers, |one| field(one.proof.patient).is_some(), words));
        }
    }
    let dead = |one: &Accepted<'_>| is_deceased(one.proof.patient);
    if answers.iter().any(dead) {
        let sayers: Vec<&str> =
            answers.iter().filter(|one| dead(one)).map(|one| one.card.name.as_str()).collect();
        let words = format!(
            "{} records that this patient has died. The national service was not asked.",
            sayers.join(" and ")
        );
        found.push(discrepancy(ground, DECEASED, answers, |_| true, words));
    }
    found
}

fn discrepancy(
    ground: Ground<'_>,
    rule: Rule,
    answers: &[Accepted<'_>],
    speaks: impl Fn(&Accepted<'_>) -> bool,
    words: String,
) -> Discrepancy {
    let is_patient = |place: &usize| {
        let statement = ground.loaded.statements.get(*place);
        let home = statement.and_then(|statement| answers.get(statement.answer));
        statement.is_some_and(|statement| statement.kind == "Patient") && home.is_some_and(&speaks)
    };
    let members = (0..ground.loaded.statements.len()).filter(is_patient).collect();
    Discrepancy { rule, section: None, members, words }
}

fn name(patient: Json<'_>) -> Option<String> {
    let names = || patient.get("name").into_iter().flat_map(Json::each);
    let name = names().find(|name| name.says("use", "official")).or_else(|| names().next())?;
    let family = name.text_at("family")?;
    let given = name.path(&["given"]).and_then(Json::text).unwrap_or_default();
    Some(normal(&format!("{family}, {given}")))
}

fn birth_date(patient: Json<'_>) -> Option<String> {
    patient.text_at("birthDate").map(std::borrow::Cow::into_owned)
}

fn gender(patient: Json<'_>) -> Option<String> {
    patient.text_at("gender").filter(|gender| gender != "unknown").map(std::borrow::Cow::into_owned)
}

fn postcode(patient: Json<'_>) -> Option<String> {
    let addresses = || patient.get("address").into_iter().flat_map(Json::each);
    let home = addresses().find(|one| one.says("use", "home")).or_else(|| addresses().next())?;
    let code = home.text_at("postalCode")?;
    Some(code.chars().filter(|character| !character.is_whitespace()).collect::<String>().to_uppercase())
}

fn is_deceased(patient: Json<'_>) -> bool {
    patient.get("deceasedDateTime").is_some()
        || patient.get("deceasedBoolean").and_then(Json::truth) == Some(true)
}
