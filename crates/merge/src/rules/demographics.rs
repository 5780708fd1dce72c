//! Do the sources describe the same person, and the one that the national service knows?

use std::collections::BTreeSet;

use tributary_fhir::Json;
use tributary_model::{OdsCode, SourceKind};

use super::{ADDRESS, BIRTH_DATE, Discrepancy, GENDER, NAME, PRACTICE, Rule};
use crate::lines::Ground;
use tributary_statements::gate::Whom;
use tributary_statements::load::{Accepted, bare};
use tributary_statements::person::{self, Birth, Name, Person};

/// The national service among the sources' names.
pub(super) const SERVICE: &str = "PDS";

const ODS_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// One thing that is compared.
struct Aspect {
    rule: Rule,
    heading: &'static str,
    /// What a person's description says of it; `None` when it says nothing.
    said: fn(&Person) -> Option<String>,
    /// Whether two descriptions that say something fit together.
    fits: fn(&Person, &Person) -> bool,
}

const ASPECTS: &[Aspect] = &[
    Aspect {
        rule: NAME,
        heading: "The name differs.",
        said: |one| one.names.first().map(|name| name.shown.clone()),
        fits: |one, other| {
            let is_there = |name: &Name| other.names.iter().any(|also| name.agrees(also));
            one.names.iter().any(is_there)
        },
    },
    Aspect {
        rule: BIRTH_DATE,
        heading: "The date of birth differs.",
        said: |one| one.birth.as_ref().map(Birth::shown),
        fits: |one, other| one.birth.as_ref().zip(other.birth.as_ref()).is_none_or(|(a, b)| a.agrees(b)),
    },
    Aspect {
        rule: GENDER,
        heading: "The gender differs.",
        said: |one| one.gender.clone(),
        fits: |one, other| one.gender == other.gender,
    },
    Aspect {
        rule: ADDRESS,
        heading: "The postcode differs.",
        said: |one| one.postcodes.first().cloned(),
        fits: |one, other| !one.postcodes.is_disjoint(&other.postcodes),
    },
];

/// Somebody who describes the person: an answer, or the national service.
struct Party<'a> {
    answer: Option<usize>,
    name: &'a str,
    person: Person,
}

/// Compares the Patients of all accepted answers, and the person traced. Silence is not a difference.
pub(super) fn judge(ground: Ground<'_>, whom: Whom<'_>) -> Vec<Discrepancy> {
    let traced =
        whom.traced.map(|traced| Party { answer: None, name: SERVICE, person: Person::of_service(traced) });
    let told = ground.loaded.answers.iter().enumerate().map(|(place, one)| Party {
        answer: Some(place),
        name: one.card.name.as_str(),
        person: Person::of_source(one.proof.patient, whom.today),
    });
    let parties: Vec<Party<'_>> = traced.into_iter().chain(told).collect();
    let mut found: Vec<Discrepancy> =
        ASPECTS.iter().filter_map(|aspect| compare(ground, aspect, &parties)).collect();
    found.extend(practice(ground, whom));
    found
}

fn compare(ground: Ground<'_>, aspect: &Aspect, parties: &[Party<'_>]) -> Option<Discrepancy> {
    let speaking: Vec<(&Party<'_>, String)> =
        parties.iter().filter_map(|party| Some((party, (aspect.said)(&party.person)?))).collect();
    let differs = |place: usize, one: &Party<'_>| {
        let mut others = speaking.iter().skip(place + 1);
        others.any(|(other, _)| !(aspect.fits)(&one.person, &other.person))
    };
    if !speaking.iter().enumerate().any(|(place, (one, _))| differs(place, one)) {
        return None;
    }
    let sentences = speaking.iter().map(|(party, said)| format!(" {}: {said}.", party.name));
    let words = format!("{}{}", aspect.heading, sentences.collect::<String>());
    let answers = speaking.iter().filter_map(|(party, _)| party.answer).collect();
    Some(discrepancy(ground, aspect.rule, &answers, words))
}

/// A discrepancy about the Patients of some answers.
pub(super) fn discrepancy(
    ground: Ground<'_>,
    rule: Rule,
    answers: &BTreeSet<usize>,
    words: String,
) -> Discrepancy {
    let all = ground.loaded.statements.iter().enumerate();
    let patients = all.filter(|(_, one)| one.kind == "Patient" && answers.contains(&one.answer));
    Discrepancy { rule, section: None, members: patients.map(|(place, _)| place).collect(), words }
}

/// The practice that the national service names, against what sources say of the registration.
fn practice(ground: Ground<'_>, whom: Whom<'_>) -> Option<Discrepancy> {
    let traced = whom.traced?.practice.as_ref()?.expose();
    let mut sentences = vec![format!("The registered practice differs. {SERVICE}: {}.", traced.as_str())];
    let mut answers = BTreeSet::new();
    for (place, home) in ground.loaded.answers.iter().enumerate() {
        let said = practices(ground, home, whom);
        if !said.is_empty() && !said.contains(traced) {
            let codes: Vec<&str> = said.iter().map(OdsCode::as_str).collect();
            sentences.push(format!("{}: {}.", home.card.name, codes.join(", ")));
            answers.insert(place);
        }
    }
    (!answers.is_empty()).then(|| discrepancy(ground, PRACTICE, &answers, sentences.join(" ")))
}

/// The practices at which a source says the patient is registered. Only a GP system means that by the
/// organisation that manages its Patient; elsewhere it is the hospital itself.
fn practices(ground: Ground<'_>, home: &Accepted<'_>, whom: Whom<'_>) -> BTreeSet<OdsCode> {
    let patient = home.proof.patient;
    let managing = patient.get("managingOrganization").filter(|_| home.card.kind == SourceKind::Gp);
    let general = patient.get("generalPractitioner").into_iter().flat_map(Json::each);
    let holds = |one: &Json<'_>| one.get("identifier").is_none_or(|named| person::holds(named, whom.today));
    let stated = managing.into_iter().chain(general.take(16).filter(holds));
    stated.flat_map(|reference| codes(ground, home, reference)).collect()
}

/// The organisation codes of a reference: its own identifier, and those of the Organization it leads to.
fn codes(ground: Ground<'_>, home: &Accepted<'_>, reference: Json<'_>) -> Vec<OdsCode> {
    let name = reference.text_at("reference").unwrap_or_default();
    let target = home.index.get(bare(&name)).and_then(|place| ground.loaded.statements.get(*place));
    let target = target.filter(|target| target.kind == "Organization").map(|target| target.resource);
    let named = [Some(reference), target].into_iter().flatten();
    let identifiers = named.filter_map(|one| one.get("identifier")).flat_map(Json::each).take(16);
    let own = identifiers.filter(|one| one.says("system", ODS_SYSTEM));
    let codes = own.filter_map(|one| one.text_at("value"));
    codes.filter_map(|code| OdsCode::parse(&code.trim().to_uppercase()).ok()).collect()
}
