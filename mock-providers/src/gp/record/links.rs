//! What in a record points at what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::store::{Resource, references_in};

/// The links of one record, as places of its resources.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// What an answer with this resource needs too.
    supports: BTreeMap<usize, BTreeSet<usize>>,
    /// The statement of each plan.
    statements: BTreeMap<usize, usize>,
    /// The issues of each plan.
    issues: BTreeMap<usize, BTreeSet<usize>>,
    /// What each problem is about, its consultation left out.
    content: BTreeMap<usize, BTreeSet<usize>>,
    /// The problems that are about a resource or were made in a consultation.
    problems: BTreeMap<usize, BTreeSet<usize>>,
    /// The problems that each problem or consultation List names as related.
    related: BTreeMap<usize, BTreeSet<usize>>,
    /// The consultation of each problem.
    consultation: BTreeMap<usize, usize>,
    /// The Lists that a consultation is made of.
    structure: BTreeMap<usize, BTreeSet<usize>>,
    /// What each List has as entries.
    entries: BTreeMap<usize, BTreeSet<usize>>,
    /// Test groups, results and filing comments.
    in_report: BTreeSet<usize>,
}

impl Links {
    pub(super) fn of(resources: &[Resource], places: &BTreeMap<String, usize>) -> Self {
        let mut links = Self::default();
        for (at, one) in resources.iter().enumerate() {
            let targets = |part: Option<&Value>| -> BTreeSet<usize> {
                references_in(part).into_iter().filter_map(|to| places.get(to).copied()).collect()
            };
            match one.kind.as_str() {
                "Condition" => links.add_problem(at, one, &targets),
                "List" => links.add_list(at, one, &targets),
                _ => links.add_support(at, resources, &targets(Some(&one.value))),
            }
            if one.kind == "MedicationStatement" {
                links.statements.extend(targets(one.value.get("basedOn")).into_iter().map(|plan| (plan, at)));
            }
            if one.kind == "MedicationRequest" {
                for plan in targets(one.value.get("basedOn")) {
                    links.issues.entry(plan).or_default().insert(at);
                }
            }
        }
        links.find_report_parts(resources);
        links
    }

    fn add_problem(
        &mut self,
        at: usize,
        one: &Resource,
        targets: &dyn Fn(Option<&Value>) -> BTreeSet<usize>,
    ) {
        let extensions = one.value.get("extension").and_then(Value::as_array);
        for extension in extensions.into_iter().flatten() {
            let url = extension.get("url").and_then(Value::as_str).unwrap_or_default();
            if url.ends_with("RelatedClinicalContent-1") || url.ends_with("ActualProblem-1") {
                self.content.entry(at).or_default().extend(targets(Some(extension)));
            } else if url.ends_with("RelatedProblemHeader-1") {
                self.related.entry(at).or_default().extend(targets(Some(extension)));
            }
        }
        let consultation = targets(one.value.get("context")).into_iter().next();
        self.consultation.extend(consultation.map(|consultation| (at, consultation)));
        let about = self.content.get(&at).into_iter().flatten().copied().chain(consultation);
        for item in about.collect::<Vec<_>>() {
            self.problems.entry(item).or_default().insert(at);
        }
    }

    fn add_list(&mut self, at: usize, one: &Resource, targets: &dyn Fn(Option<&Value>) -> BTreeSet<usize>) {
        for consultation in targets(one.value.get("encounter")) {
            self.structure.entry(consultation).or_default().insert(at);
        }
        self.entries.insert(at, targets(one.value.get("entry")));
        self.related.insert(at, targets(one.value.get("extension")));
    }

    /// Consultations, problems and Lists are answered only for their own sake.
    fn add_support(&mut self, at: usize, resources: &[Resource], to: &BTreeSet<usize>) {
        const NEVER: &[&str] = &["Patient", "Encounter", "Condition", "List", "MedicationStatement"];
        let is_support =
            |to: &usize| resources.get(*to).is_some_and(|one| !NEVER.contains(&one.kind.as_str()));
        self.supports.insert(at, to.iter().copied().filter(is_support).collect());
    }

    fn find_report_parts(&mut self, resources: &[Resource]) {
        let is_observation = |at: &usize| resources.get(*at).is_some_and(|one| one.kind == "Observation");
        let reports = resources.iter().enumerate().filter(|(_, one)| one.kind == "DiagnosticReport");
        let mut ahead: Vec<usize> = reports.map(|(at, _)| at).collect();
        while let Some(at) = ahead.pop() {
            for part in self.supports.get(&at).into_iter().flatten().filter(|at| is_observation(at)) {
                if self.in_report.insert(*part) {
                    ahead.push(*part);
                }
            }
        }
    }

    pub(super) fn supports(&self, at: usize) -> impl Iterator<Item = usize> {
        self.supports.get(&at).into_iter().flatten().copied()
    }

    pub(super) fn issues(&self, plan: usize) -> impl Iterator<Item = usize> {
        self.issues.get(&plan).into_iter().flatten().copied()
    }

    pub(super) fn statement(&self, plan: usize) -> Option<usize> {
        self.statements.get(&plan).copied()
    }

    pub(super) fn content(&self, problem: usize) -> impl Iterator<Item = usize> {
        self.content.get(&problem).into_iter().flatten().copied()
    }

    pub(super) fn problems(&self, item: usize) -> impl Iterator<Item = usize> {
        self.problems.get(&item).into_iter().flatten().copied()
    }

    pub(super) fn related(&self, at: usize) -> impl Iterator<Item = usize> {
        self.related.get(&at).into_iter().flatten().copied()
    }

    pub(super) fn consultation(&self, problem: usize) -> Option<usize> {
        self.consultation.get(&problem).copied()
    }

    pub(super) fn structure(&self, consultation: usize) -> impl Iterator<Item = usize> {
        self.structure.get(&consultation).into_iter().flatten().copied()
    }

    pub(super) fn entries(&self, list: usize) -> impl Iterator<Item = usize> {
        self.entries.get(&list).into_iter().flatten().copied()
    }

    pub(super) fn is_in_report(&self, at: usize) -> bool {
        self.in_report.contains(&at)
    }
}
