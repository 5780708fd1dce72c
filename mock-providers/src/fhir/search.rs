//! A search, its pages, and the searchset that shows one of them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::outcome::Refusal;
use crate::store::Resource;
use crate::wire::Request;

use super::parameter;

const DEFAULT_COUNT: usize = 100;
const MAX_COUNT: usize = 1000;
/// Older next links are forgotten.
const KEPT_PAGES: usize = 10_000;

/// What is searched, and from which match on it is shown.
#[derive(Clone, Debug)]
pub(super) struct Search {
    kind: String,
    pub(super) nhs_number: Option<String>,
    count: usize,
    offset: usize,
    includes_medication: Include,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Include {
    Medication,
    Nothing,
}

impl Search {
    pub(super) fn read(kind: &str, request: &Request, nhs_number: Option<String>) -> Result<Self, Refusal> {
        let count = match parameter(request, "_count") {
            None => DEFAULT_COUNT,
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| Refusal::new(400, "BAD_REQUEST", "_count is not a number"))?
                .clamp(1, MAX_COUNT),
        };
        let medication = format!("{kind}:medication");
        let mut all = request.query.iter().cloned().chain(request.form());
        let wanted = all.any(|(key, value)| key == "_include" && value == medication);
        let includes_medication = if wanted { Include::Medication } else { Include::Nothing };
        Ok(Self { kind: kind.to_owned(), nhs_number, count, offset: 0, includes_medication })
    }

    /// The searchset; resources are sent byte for byte.
    pub(super) fn bundle(&self, record: &[Resource], base: &str, pages: &Pages) -> String {
        let matches: Vec<&Resource> = record.iter().filter(|one| one.kind == self.kind).collect();
        let shown: Vec<&Resource> = matches.iter().copied().skip(self.offset).take(self.count).collect();
        let mut entries: Vec<String> = shown.iter().map(|one| entry(one, base, "match")).collect();
        entries.extend(self.included(record, &shown).into_iter().map(|one| entry(one, base, "include")));
        let mut links = vec![json!({"relation": "self", "url": format!("{base}/{}", self.kind)})];
        let next = self.offset + self.count;
        if next < matches.len() {
            let token = pages.keep(Self { offset: next, ..self.clone() });
            links.push(json!({"relation": "next", "url": format!("{base}/{}?_page={token}", self.kind)}));
        }
        format!(
            "{{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":{},\"link\":{},\"entry\":[{}]}}",
            matches.len(),
            Value::from(links),
            entries.join(",")
        )
    }

    fn included<'r>(&self, record: &'r [Resource], shown: &[&Resource]) -> Vec<&'r Resource> {
        if self.includes_medication == Include::Nothing {
            return Vec::new();
        }
        let references: BTreeSet<&str> = shown.iter().flat_map(|one| one.references()).collect();
        let is_included =
            |one: &&Resource| one.kind == "Medication" && references.contains(one.reference().as_str());
        record.iter().filter(is_included).collect()
    }
}

fn entry(one: &Resource, base: &str, mode: &str) -> String {
    format!(
        "{{\"fullUrl\":\"{base}/{}\",\"resource\":{},\"search\":{{\"mode\":\"{mode}\"}}}}",
        one.reference(),
        one.text
    )
}

/// The pages that next links point at.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    counter: u64,
    searches: VecDeque<(String, Search)>,
}

impl Pages {
    pub(super) fn get(&self, token: &str) -> Option<Search> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.searches.iter().rev().find(|(known, _)| known == token);
        found.map(|(_, search)| search.clone())
    }

    fn keep(&self, search: Search) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.counter += 1;
        // Odd, so that no two counters share a token; it says nothing about the patient.
        let token = format!("{:016x}", kept.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if kept.searches.len() == KEPT_PAGES {
            kept.searches.pop_front();
        }
        kept.searches.push_back((token.clone(), search));
        token
    }
}
