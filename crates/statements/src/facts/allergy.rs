//! Allergies, and what is said about having none.

use tributary_fhir::Json;
use tributary_model::Section;

use super::{Classes, Facts, Reader, Thing};
use crate::concept::{self, Concept};

/// What a statement of absence covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every kind of allergy.
    All,
    /// Drugs.
    Drugs,
    /// Something else: environment, food.
    Else,
}

/// What matters about an allergy statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allergy {
    /// Set when it says that there is none.
    pub negative: Option<Scope>,
    /// Neither inactive nor resolved.
    pub active: bool,
    /// Ruled out.
    pub refuted: bool,
    /// Worst reaction: 0 not stated, 1 mild, 2 moderate, 3 severe.
    pub severity: u8,
    /// 0 not stated, 1 low, 2 unable to assess, 3 high.
    pub criticality: u8,
}

impl Allergy {
    /// A positive that counts.
    pub const fn counts(self) -> bool {
        self.negative.is_none() && self.active && !self.refuted
    }

    /// A negative that covers drugs.
    pub const fn denies_drugs(self) -> bool {
        matches!(self.negative, Some(Scope::All | Scope::Drugs)) && self.active && !self.refuted
    }

    /// How bad, for ordering.
    pub const fn badness(self) -> (u8, u8) {
        (self.severity, self.criticality)
    }

    /// The severity in a word.
    pub const fn severity_word(self) -> &'static str {
        match self.severity {
            3 => "severe",
            2 => "moderate",
            1 => "mild",
            _ => "",
        }
    }
}

/// SNOMED CT codes that record the absence of allergies.
fn scope(code: &str) -> Option<Scope> {
    match code {
        "716186003" => Some(Scope::All),
        "409137002" => Some(Scope::Drugs),
        "428607008" | "429625007" => Some(Scope::Else),
        _ => None,
    }
}

pub(super) fn read(reader: &Reader<'_>) -> Facts {
    let concept = reader.first("code");
    let found = concept.and_then(|code| Concept::of(code, reader.maps));
    let scope_of = |code: &str| {
        scope(code).or_else(|| reader.maps.negative(code).map(|target| scope(target).unwrap_or(Scope::Else)))
    };
    let codes: Vec<_> = concept.into_iter().flat_map(concept::snomed_codes).collect();
    let negatives: Vec<Scope> = codes.iter().filter_map(|code| scope_of(code)).collect();
    let negative = negatives.first().copied();
    // Codes that say "none" and "this one" at once cannot both be believed.
    let understood = negatives.is_empty() || negatives.len() == codes.len();
    let key = match &found {
        Some(found) if negative.is_some() => format!("neg|{}", found.key),
        Some(found) => {
            let agent = found.code.as_deref().and_then(|code| reader.maps.agent(code));
            agent.map_or_else(|| positive_key(reader, found), |agent| format!("pos|agent|{agent}"))
        }
        None => reader.origin_key(),
    };
    let status = reader.status("clinicalStatus");
    let degraded = concept.filter(|code| is_degraded(*code));
    let resolved = degraded.is_some_and(says_resolved);
    let class = found.as_ref().and_then(|found| {
        let code = found.code.as_deref()?;
        let by_agent = reader.maps.agent(code).and_then(|agent| reader.maps.allergy_class(agent));
        reader.maps.allergy_class(code).or(by_agent)
    });
    let classes = Classes { allergy: class.map(str::to_owned), ..Classes::default() };
    let allergy = Allergy {
        negative,
        active: !resolved && !matches!(status.as_ref(), "inactive" | "resolved"),
        refuted: reader.status("verificationStatus") == "refuted",
        severity: severity(reader),
        criticality: match reader.status("criticality").as_ref() {
            "high" => 3,
            "unable-to-assess" => 2,
            "low" => 1,
            _ => 0,
        },
    };
    Facts {
        key,
        conceptual: found.is_some(),
        understood,
        detail: reaction(reader),
        remark: match (degraded, resolved) {
            (_, true) => Some("resolved, says its text"),
            // No rule of any system knows what it is about; only its words do.
            (Some(_), false) => Some("code lost in a transfer"),
            (None, false) => None,
        },
        classes,
        thing: Thing::Allergy(allergy),
        ..reader.plain(
            Section::Allergies,
            concept,
            &[&["recordedDate"], &["onsetDateTime"], &["onsetPeriod", "start"]],
        )
    }
}

/// Words alone do not tell the food from the drug of that name: what kind of thing it is belongs to their key.
fn positive_key(reader: &Reader<'_>, found: &Concept) -> String {
    if found.code.is_some() {
        return format!("pos|{}", found.key);
    }
    let kinds = reader.resource().get("category").into_iter().flat_map(Json::each).filter_map(Json::text);
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort();
    format!("pos|{}|{}", found.key, kinds.join("+"))
}

/// Codes of allergies that lost their own code in a transfer, in SNOMED CT and Read.
const DEGRADED: &[&str] = &["196461000000101", "196471000000108", "9bJ4."];

fn is_degraded(code: Json<'_>) -> bool {
    concept::codes(code).any(|code| DEGRADED.contains(&code.as_ref()))
}

/// Whether a degraded entry is an ended allergy: newer GP systems send those so, as active as all others, and
/// only the text begins by saying it.
fn says_resolved(code: Json<'_>) -> bool {
    let text = code.text_at("text").map(|text| concept::normal(&text)).unwrap_or_default();
    let rest = text.strip_prefix("resolved");
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

fn severity(reader: &Reader<'_>) -> u8 {
    let reactions = reader.resource().get("reaction").into_iter().flat_map(Json::items);
    let ranks =
        reactions.filter_map(|reaction| reaction.text_at("severity")).map(|word| match word.as_ref() {
            "severe" => 3,
            "moderate" => 2,
            "mild" => 1,
            _ => 0,
        });
    ranks.max().unwrap_or(0)
}

fn reaction(reader: &Reader<'_>) -> String {
    let reactions = reader.resource().get("reaction").into_iter().flat_map(Json::items);
    let manifestations = reactions.filter_map(|one| one.get("manifestation")).flat_map(Json::each);
    manifestations.filter_map(concept::words).collect::<Vec<_>>().join(", ")
}
