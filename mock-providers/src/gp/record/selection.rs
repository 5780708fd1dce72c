//! Which resources of a record answer a request.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::gp::areas::{
    Area, ENDED_ALLERGIES, IN_CONSULTATIONS, LINKED_PROBLEMS, OF_PROBLEMS, SecondaryList,
};
use crate::gp::filters;
use crate::gp::parameters::{Absent, Asked};
use crate::store::references_in;

use super::lists::Filtered;
use super::{Barred, GpRecord};

/// What answers one request, as places of the record.
#[derive(Debug)]
pub(super) struct Selection<'r> {
    record: &'r GpRecord,
    asked: &'r Asked,
    /// The members of each area asked for, in order, and whether the request left some out.
    primary: Vec<(&'static Area, Vec<usize>, Filtered)>,
    /// The Lists that the consultations are made of, and what these lead to.
    structure: BTreeSet<usize>,
    in_consultations: BTreeSet<usize>,
    /// What the problems asked for lead to, their consultations included.
    of_problems: BTreeSet<usize>,
    linked_problems: BTreeSet<usize>,
    chosen: BTreeSet<usize>,
}

impl<'r> Selection<'r> {
    pub(super) fn of(record: &'r GpRecord, asked: &'r Asked, barred: &Barred<'_>) -> Self {
        let mut selection = Self {
            record,
            asked,
            primary: Vec::new(),
            structure: BTreeSet::new(),
            in_consultations: BTreeSet::new(),
            of_problems: BTreeSet::new(),
            linked_problems: BTreeSet::new(),
            chosen: BTreeSet::new(),
        };
        for area in asked.areas.iter().copied().filter(|area| !barred.has(area)) {
            let (members, filtered) = record.members(area, asked);
            selection.chosen.extend(&members);
            selection.primary.push((area, members, filtered));
        }
        let allowed = |at: &usize| record.area(*at).is_none_or(|area| !barred.has(area));
        selection.follow_consultations(&allowed);
        selection.follow_problems(&allowed);
        selection.add_issues();
        selection.link_problems(&allowed);
        selection.add_supports(&allowed);
        selection
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.chosen.contains(&at)
    }

    fn members(&self, parameter: &str) -> Vec<usize> {
        let area = self.primary.iter().find(|(area, _, _)| area.parameter == parameter);
        area.map(|(_, members, _)| members.clone()).unwrap_or_default()
    }

    /// The Lists of the consultations asked for, and the items on them whatever their area.
    fn follow_consultations(&mut self, allowed: &dyn Fn(&usize) -> bool) {
        let links = &self.record.links;
        for consultation in self.members("includeConsultations") {
            self.structure.extend(links.structure(consultation));
        }
        for list in self.structure.iter().copied() {
            let items = links.entries(list).filter(|at| self.record.kind(*at) != "List");
            let items = items.flat_map(|item| self.record.chain(item)).filter(allowed);
            self.in_consultations.extend(items);
        }
        self.chosen.extend(&self.structure);
        self.chosen.extend(&self.in_consultations);
    }

    /// What the problems asked for are about, and their consultations.
    fn follow_problems(&mut self, allowed: &dyn Fn(&usize) -> bool) {
        let links = &self.record.links;
        for problem in self.members("includeProblems") {
            let content = links.content(problem).chain(links.consultation(problem));
            let content = content.flat_map(|item| self.record.chain(item)).filter(allowed);
            self.of_problems.extend(content);
        }
        self.chosen.extend(&self.of_problems);
    }

    /// The issues of the medicines asked for; those of medicines that were reached otherwise come only when
    /// they themselves are linked.
    fn add_issues(&mut self) {
        if !self.asked.is_true("includePrescriptionIssues", Absent::MeansTrue) {
            return;
        }
        for statement in self.members("includeMedication") {
            let plans = self.record.plans(statement);
            let issues = plans.into_iter().flat_map(|plan| self.record.links.issues(plan));
            self.chosen.extend(issues);
        }
    }

    /// The problems that what is chosen so far is linked to.
    fn link_problems(&mut self, allowed: &dyn Fn(&usize) -> bool) {
        let links = &self.record.links;
        let mut linked: BTreeSet<usize> =
            self.chosen.iter().flat_map(|at| links.related(*at).chain(links.problems(*at))).collect();
        for statement in self.chosen.iter().filter(|at| self.record.kind(**at) == "MedicationStatement") {
            let plans = self.record.plans(*statement).into_iter();
            let plans = plans.flat_map(|plan| links.issues(plan).chain([plan]));
            linked.extend(plans.flat_map(|request| links.problems(request)));
        }
        linked.extend(&self.in_consultations);
        linked.extend(&self.of_problems);
        let asked = self.members("includeProblems");
        let is_linked =
            |at: &usize| self.record.kind(*at) == "Condition" && !asked.contains(at) && allowed(at);
        self.linked_problems = linked.into_iter().filter(is_linked).collect();
        self.chosen.extend(&self.linked_problems);
    }

    fn add_supports(&mut self, allowed: &dyn Fn(&usize) -> bool) {
        let mut ahead: Vec<usize> = self.chosen.iter().copied().collect();
        while let Some(at) = ahead.pop() {
            for support in self.record.links.supports(at).filter(allowed) {
                if self.chosen.insert(support) {
                    ahead.push(support);
                }
            }
        }
    }

    /// The Lists of the answer: those of the areas, then those of what was reached otherwise.
    pub(super) fn lists(&self) -> Vec<String> {
        let mut lists = Vec::new();
        for (area, members, filtered) in &self.primary {
            lists.push(self.record.list(&area.list, members, *filtered));
            let wants_ended = area.parameter == "includeAllergies"
                && self.asked.is_true("includeResolvedAllergies", Absent::MeansFalse);
            if wants_ended {
                lists.push(self.record.list(&ENDED_ALLERGIES, &[], Filtered::No));
            }
        }
        let secondary = IN_CONSULTATIONS.iter().map(|list| (list, &self.in_consultations));
        let secondary = secondary.chain(OF_PROBLEMS.iter().map(|list| (list, &self.of_problems)));
        let secondary = secondary.chain([(&LINKED_PROBLEMS, &self.linked_problems)]);
        lists.extend(secondary.filter_map(|(list, items)| self.secondary(list, items)));
        lists
    }

    fn secondary(&self, list: &SecondaryList, items: &BTreeSet<usize>) -> Option<String> {
        let belongs = |at: &&usize| {
            let at = **at;
            let is_part = self.record.links.is_in_report(at);
            let is_test = list.entries == "ProcedureRequest"
                && self.record.area(at).is_none_or(|area| area.parameter != list.area);
            self.record.kind(at) == list.entries && !is_part && !is_test
        };
        let entries: Vec<usize> = items.iter().filter(belongs).copied().collect();
        (!entries.is_empty()).then(|| self.record.secondary_list(list, &entries))
    }
}

impl GpRecord {
    /// The entries of an area: those of its List in the file, or else every resource of its type.
    fn members(&self, area: &Area, asked: &Asked) -> (Vec<usize>, Filtered) {
        let listed = self
            .file_list(&area.list)
            .map(|list| references_in(list.value.get("entry")).into_iter().collect::<BTreeSet<_>>());
        let is_listed = |references: &BTreeSet<&str>, at: usize| {
            self.resources.get(at).is_some_and(|one| references.contains(one.reference().as_str()))
        };
        let is_own = |at: usize| {
            self.area(at).is_some_and(|own| own.parameter == area.parameter)
                && self.kind(at) == area.list.entries.unwrap_or_default()
        };
        let is_member = |at: usize| listed.as_ref().map_or_else(|| is_own(at), |all| is_listed(all, at));
        let all: Vec<usize> = (0..self.resources.len()).filter(|at| is_member(*at)).collect();
        let passes = |one| filters::keeps(self, one, area.parameter, asked);
        let mut kept: Vec<usize> =
            all.iter().copied().filter(|at| self.resources.get(*at).is_some_and(passes)).collect();
        if let Some(most) = asked.part("includeNumberOfMostRecent").and_then(Value::as_u64)
            && area.parameter == "includeConsultations"
        {
            kept.sort_by_key(|at| std::cmp::Reverse(self.resources.get(*at).map(filters::started)));
            kept.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        let filtered = if kept.len() == all.len() { Filtered::No } else { Filtered::Yes };
        (kept, filtered)
    }

    fn kind(&self, at: usize) -> &str {
        self.resources.get(at).map(|one| one.kind.as_str()).unwrap_or_default()
    }

    /// The plan of a statement, and the one it replaced.
    fn plans(&self, statement: usize) -> Vec<usize> {
        let requests = |at: usize| self.links.supports(at).filter(|to| self.kind(*to) == "MedicationRequest");
        let plans: Vec<usize> = requests(statement).collect();
        let replaced: Vec<usize> = plans.iter().flat_map(|plan| requests(*plan)).collect();
        [plans, replaced].concat()
    }

    /// What stands for an item that is linked: itself, and for a prescription its plan and statement.
    fn chain(&self, item: usize) -> Vec<usize> {
        let mut chain = vec![item];
        if self.kind(item) == "MedicationRequest" {
            let plans: Vec<usize> =
                self.links.supports(item).filter(|at| self.kind(*at) == "MedicationRequest").collect();
            chain.extend(&plans);
            chain.extend(plans.into_iter().chain([item]).filter_map(|plan| self.links.statement(plan)));
        }
        chain
    }
}
