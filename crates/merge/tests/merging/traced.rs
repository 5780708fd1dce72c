//! What must hold for every set of Patients, whoever the national service traced.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_model::demographics::{Death, DeathNotice, PersonName};
use tributary_model::{Demographics, FaultClass, Redacted, SentDate, SourceKind};

use crate::kit::{Federation, about, federation, patient_with, traced};

const IDS: [&str; 3] = ["gp", "acute", "community"];
const FAMILIES: [&str; 4] = ["Ashworth", "Ashton", "Smith", ""];
const GIVEN: [&str; 4] = ["George", "Gareth", "Albert", ""];
const DATES: [&str; 8] =
    ["1953-02-11", "1953-02-12", "1953-11-02", "1953-02", "1953", "1941-06-30", "soon", ""];

/// A Patient: family name, given name, date of birth, a death, and how many problems go with it.
#[derive(Clone, Debug)]
struct Told {
    family: &'static str,
    given: &'static str,
    birth: &'static str,
    death: Option<bool>,
    problems: usize,
}

fn told() -> impl Strategy<Value = Told> {
    let words = |list: &'static [&'static str]| prop::sample::select(list);
    (words(&FAMILIES), words(&GIVEN), words(&DATES), any::<Option<bool>>(), 0_usize..3)
        .prop_map(|(family, given, birth, death, problems)| Told { family, given, birth, death, problems })
}

fn person() -> impl Strategy<Value = Demographics> {
    (told(), any::<bool>()).prop_map(|(told, is_formal)| {
        let name = PersonName {
            family: told.family.to_owned(),
            given: vec![told.given.to_owned()],
            prefix: Vec::new(),
        };
        let notice = if is_formal { DeathNotice::Formal } else { DeathNotice::Informal };
        let death = told.death.is_some_and(|is_dead| is_dead).then_some(Death { notice, date: None });
        Demographics {
            name: Some(Redacted::new(name)),
            birth_date: SentDate::parse(told.birth).map(Redacted::new),
            death: death.map(Redacted::new),
            ..traced()
        }
    })
}

fn stage(all: &[Told], pds: Option<Demographics>) -> Federation {
    let mut stage = federation();
    stage.pds = pds;
    for (id, told) in IDS.iter().zip(all) {
        let kind = if *id == "gp" { SourceKind::Gp } else { SourceKind::Acute };
        stage.source(id, kind, &["problems", "allergies"], &[]);
        let (patient, problems) = answer(id, told);
        stage.describes(id, patient, &problems);
    }
    stage
}

/// Everything in it is marked with its source.
fn answer(id: &str, told: &Told) -> (Value, Vec<Value>) {
    let mark = format!("mark-{id}");
    let mut members = json!({"id": mark, "birthDate": told.birth, "deceasedBoolean": told.death,
        "telecom": [{"value": mark}], "name": [{"family": told.family, "given": [told.given]}]});
    if told.birth.is_empty() {
        members["birthDate"] = Value::Null;
    }
    let problem = |index: usize| {
        let mut one = about(
            "Condition",
            &format!("{mark}-{index}"),
            json!({"code": {"text": format!("{mark} {index}")}}),
        );
        one["subject"] = json!({"reference": format!("Patient/{mark}")});
        one
    };
    (patient_with(members), (0..told.problems).map(problem).collect())
}

/// The rule once more, in the plainest words.
fn passes(told: &Told, pds: &Demographics) -> bool {
    let Some(expected) = pds.birth_date.as_ref().map(|date| date.expose().text().to_owned()) else {
        return true;
    };
    if told.birth.is_empty() || told.birth.starts_with(&expected) {
        return true;
    }
    let parts =
        |date: &'static str| if date == "soon" { Vec::new() } else { date.split('-').collect::<Vec<_>>() };
    let shared =
        parts(told.birth).iter().zip(expected.split('-')).filter(|(one, other)| *one == other).count();
    let name = pds.name.as_ref().map(|name| name.expose().clone()).unwrap();
    let start = |text: &str| text.chars().take(3).collect::<String>();
    let is_like = !name.family.is_empty()
        && start(&name.family) == start(told.family)
        && !told.given.is_empty()
        && name.given[0].chars().next() == told.given.chars().next();
    shared >= 2 && is_like
}

/// `meta.source` of what came from sources.
fn origins(bundle: &str) -> BTreeSet<String> {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    let all = bundle["entry"].as_array().unwrap().iter();
    all.filter_map(|entry| entry["resource"]["meta"]["source"].as_str().map(str::to_owned))
        .filter(|source| source.contains('#'))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_check_takes_whole_answers_out_and_nothing_else(all in prop::collection::vec(told(), 1..=3), pds in person(), turn in 0_usize..3) {
        let checked = stage(&all, Some(pds.clone()));
        let bundle = checked.merged().to_r4();
        // A quarantined answer is as if it had never been: its source might as well have failed.
        let mut absent = stage(&all, Some(pds.clone()));
        for (answer, told) in absent.answers.iter_mut().zip(&all) {
            if !passes(told, &pds) {
                let fault = tributary_model::SourceFault::new(FaultClass::IdentityDemographics);
                answer.heard = tributary_merge::Heard::Fault(fault);
            }
        }
        prop_assert_eq!(&absent.merged().to_r4(), &bundle);
        for (id, told) in IDS.iter().zip(&all) {
            prop_assert_eq!(bundle.contains(&format!("mark-{id}")), passes(told, &pds), "{:?}", told);
        }
        // Without the service everything is there; with it, everything of those who pass.
        let unchecked = origins(&stage(&all, None).merged().to_r4());
        let passing: BTreeSet<&str> = IDS.iter().zip(&all).filter(|(_, told)| passes(told, &pds)).map(|(id, _)| *id).collect();
        let expected: BTreeSet<String> = unchecked
            .into_iter()
            .filter(|origin| passing.iter().any(|id| origin.starts_with(&format!("urn:x-tributary:{id}#"))))
            .collect();
        prop_assert_eq!(origins(&bundle), expected);
        // No order counts.
        let mut turned = stage(&all, Some(pds));
        turned.registry.reverse();
        let count = turned.answers.len();
        turned.answers.rotate_left(turn % count);
        prop_assert_eq!(turned.merged().to_r4(), bundle);
    }
}
