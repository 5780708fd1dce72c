//! Which resources are shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use tributary_fhir::{Json, bundle};
use tributary_model::{Label, Limit, RoleView, Section, Shown, SourceKind};

use super::labels::Reading;
use super::limits::{self, Candidate};
use super::{Withholding, labels, links};
use tributary_statements::facts::{self, Facts, Part, Reader};
use tributary_statements::load::{Loaded, Statement};

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Shown,
    /// Its section or a limit holds it back.
    Left,
    /// It is held back for what it is: a label, a listed code, who said it. What belongs to it goes too.
    Barred,
}

/// What is shown.
pub(super) struct Kept {
    shown: BTreeSet<usize>,
    /// The names of what is shown and of what supports it, without the marks that tell twins apart.
    /// The first of the name keeps it, as it would if the others had never been sent.
    names: HashMap<(usize, String), usize>,
    /// Answers in which a plan is withheld of which it may be said that it exists.
    plans: BTreeSet<usize>,
}

impl Kept {
    /// What is shown, whether anything leads to it or not.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.shown.iter().copied()
    }

    pub(super) fn has_plan(&self, answer: usize) -> bool {
        self.plans.contains(&answer)
    }

    /// Whether anything that goes by this statement's name may be shown.
    pub(super) fn shows_name(&self, statement: &Statement<'_>) -> bool {
        self.names.contains_key(&name(statement))
    }

    /// What goes by this statement's name among all that may be shown.
    pub(super) fn named(&self, statement: &Statement<'_>) -> Option<usize> {
        self.names.get(&name(statement)).copied()
    }
}

/// The name of a statement without the mark of a twin. Ids of sources hold no such mark.
fn name(statement: &Statement<'_>) -> (usize, String) {
    let origin = statement.origin();
    let bare = origin.split_once('~').map_or(origin.as_str(), |(bare, _)| bare);
    (statement.answer, bare.to_owned())
}

/// Decides of every resource whether it is shown.
pub(super) fn keep<'a>(loaded: &mut Loaded<'a>, from: &Withholding<'a>) -> Kept {
    let judge = Judge { from, today: tributary_model::date::zoned(from.as_of).date() };
    let mut fates = judge.each(loaded);
    // A report that is not shown must not be what makes a result of a text, so each text is judged without one too.
    let reported: Vec<_> = loaded.answers.iter_mut().map(|home| std::mem::take(&mut home.reported)).collect();
    for (fate, alone) in fates.iter_mut().zip(judge.each(loaded)) {
        *fate = alone.max(*fate);
    }
    for (home, reported) in loaded.answers.iter_mut().zip(reported) {
        home.reported = reported;
    }
    spread(loaded, &mut fates);
    let parts = judge.parts(loaded);
    judge.count(loaded, &parts, &mut fates);
    spread(loaded, &mut fates);
    let plans = judge.plans(loaded, &parts, &fates);
    let mut shown = BTreeSet::new();
    let mut names = HashMap::new();
    for ((place, statement), fate) in loaded.statements.iter().enumerate().zip(fates) {
        // The Patient of each answer is always shown.
        let is_certain = fate == Fate::Shown || statement.kind == "Patient";
        if is_certain || judge.is_list_of_ended(loaded, statement) {
            shown.insert(place);
        } else if !judge.may_support(loaded, statement) {
            continue;
        }
        names.entry(name(statement)).or_insert(place);
    }
    Kept { shown, names, plans }
}

struct Judge<'j, 'a> {
    from: &'j Withholding<'a>,
    today: Date,
}

impl Judge<'_, '_> {
    fn view(&self, loaded: &Loaded<'_>, statement: &Statement<'_>) -> RoleView {
        self.from.view_of(loaded, statement)
    }

    fn parts(&self, loaded: &Loaded<'_>) -> Vec<Part> {
        let part = |statement| Reader { loaded, maps: self.from.maps, statement, today: self.today }.part();
        loaded.statements.iter().map(part).collect()
    }

    /// The fate of every statement by itself. What only supports others is left until somebody needs it.
    fn each(&self, loaded: &Loaded<'_>) -> Vec<Fate> {
        let parts = self.parts(loaded);
        let mut hung = parts.clone();
        facts::hang(loaded, &mut hung);
        let fate = |(place, statement): (usize, &Statement<'_>)| {
            let Some(Part::Line(own)) = parts.get(place) else { return Fate::Left };
            // An issue is as current as the medicine it is an issue of.
            let top = match hung.get(place) {
                Some(Part::Beneath(top)) => parts.get(*top),
                Some(Part::Line(_) | Part::Support) | None => None,
            };
            let limited = if let Some(Part::Line(top)) = top { top } else { own };
            self.fate(loaded, statement, own, limited)
        };
        loaded.statements.iter().enumerate().map(fate).collect()
    }

    fn fate(&self, loaded: &Loaded<'_>, statement: &Statement<'_>, own: &Facts, limited: &Facts) -> Fate {
        let view = self.view(loaded, statement);
        if self.is_barred(loaded, statement, Reading::in_section(view, own.section)) {
            return Fate::Barred;
        }
        // Unreadable here: no label and no code of what is inside can be seen.
        if statement.kind == "Binary" || links::modifier_refers(statement.resource) {
            return Fate::Left;
        }
        // A form that belongs to something unsent would read like a form of its own.
        let whole = statement.resource.get("partOf").into_iter().flat_map(Json::each);
        let mut whole = whole.filter_map(|one| one.text_at("reference"));
        if statement.kind == "QuestionnaireResponse"
            && whole.any(|name| loaded.target(statement, &name).is_none())
        {
            return Fate::Left;
        }
        let is_shown = match view.shown(own.section) {
            Shown::Whole => true,
            Shown::Hidden => false,
            Shown::Limited(limit) => limits::lets_through(limit, limited, statement.resource, self.today),
        };
        if is_shown { Fate::Shown } else { Fate::Left }
    }

    /// Whether a statement is held back for what it is, in whatever section.
    fn is_barred(&self, loaded: &Loaded<'_>, statement: &Statement<'_>, reading: Reading) -> bool {
        let is_unseen = |resource: Json<'_>| !labels::let_through(resource, reading);
        let product = product(loaded, statement);
        if is_unseen(statement.resource)
            || product.is_some_and(is_unseen)
            || self.is_listed(loaded, statement, reading)
        {
            return true;
        }
        if !self.view(loaded, statement).is_patient() {
            return false;
        }
        let is_unfiled = statement.kind == "DiagnosticReport" && !limits::is_filed(statement.resource);
        let is_relative =
            |name: &str| loaded.target(statement, name).is_some_and(|one| one.kind == "RelatedPerson");
        is_unfiled || links::is_said_by_relative(statement.resource, is_relative)
    }

    fn is_listed(&self, loaded: &Loaded<'_>, statement: &Statement<'_>, reading: Reading) -> bool {
        if reading.sees(Label::Listed) {
            return false;
        }
        let Some(home) = loaded.home(statement) else { return true };
        let is_hit = |resource| self.from.lists.name(resource, home.card.kind, self.from.maps);
        is_hit(statement.resource) || product(loaded, statement).is_some_and(is_hit)
    }

    /// Limits that count: over what each source has left, so that nothing withheld takes a place.
    fn count(&self, loaded: &Loaded<'_>, parts: &[Part], fates: &mut [Fate]) {
        let mut groups: BTreeMap<(usize, Section), (Limit, Vec<Candidate<'_>>)> = BTreeMap::new();
        for (place, statement) in loaded.statements.iter().enumerate() {
            let is_left = fates.get(place) == Some(&Fate::Shown);
            let Some(Part::Line(facts)) = parts.get(place).filter(|_| is_left) else { continue };
            if let Shown::Limited(limit) = self.view(loaded, statement).shown(facts.section) {
                let group = groups.entry((statement.answer, facts.section));
                group.or_insert((limit, Vec::new())).1.push(Candidate { place, statement, facts });
            }
        }
        for (limit, candidates) in groups.into_values() {
            for place in limits::beyond(limit, candidates, self.from.maps) {
                if let Some(fate) = fates.get_mut(place) {
                    *fate = Fate::Left;
                }
            }
        }
    }

    /// The answers with a plan that holds and that is withheld by nothing but the limit.
    fn plans(&self, loaded: &Loaded<'_>, parts: &[Part], fates: &[Fate]) -> BTreeSet<usize> {
        let holds = |(place, statement): (usize, &Statement<'_>)| {
            let Some(Part::Line(facts)) = parts.get(place) else { return None };
            let view = self.view(loaded, statement);
            let counts = view.shown(Section::Plans) == Shown::Limited(Limit::PlanExists)
                && facts.section == Section::Plans
                && !facts.in_error
                && facts.lapsed.is_none();
            (counts && fates.get(place) != Some(&Fate::Barred)).then_some(statement.answer)
        };
        loaded.statements.iter().enumerate().filter_map(holds).collect()
    }

    /// Whether a resource may be shown when something shown leads to it.
    fn may_support(&self, loaded: &Loaded<'_>, statement: &Statement<'_>) -> bool {
        let is_shelf = statement.kind == "Device" && statement.resource.get("patient").is_none();
        let reading = Reading::anywhere(self.view(loaded, statement));
        (links::is_support(&statement.kind) || is_shelf) && !self.is_barred(loaded, statement, reading)
    }

    /// Ended allergies live inside a List. It is shown for what it contains, and stripped of all else.
    fn is_list_of_ended(&self, loaded: &Loaded<'_>, statement: &Statement<'_>) -> bool {
        let Some(home) = loaded.home(statement).filter(|_| statement.kind == "List") else { return false };
        let mut contained = statement.resource.get("contained").into_iter().flat_map(Json::items);
        labels::own(statement.resource, Reading::anywhere(self.view(loaded, statement)))
            && contained.any(|one| is_ended_shown(one, self.from, home.card.kind))
    }
}

/// Whether an allergy that a List contains is shown.
pub(super) fn is_ended_shown(one: Json<'_>, from: &Withholding<'_>, kind: SourceKind) -> bool {
    bundle::type_of(one) == "AllergyIntolerance" && passes_alone(one, from, kind)
}

/// The Medication that a medicine statement is of, where it is a resource of its own.
fn product<'a>(loaded: &Loaded<'a>, statement: &Statement<'_>) -> Option<Json<'a>> {
    let name = statement.resource.get("medicationReference")?.text_at("reference")?;
    loaded.target(statement, &name).map(|product| product.resource)
}

/// Takes what belongs to something withheld with it.
///
/// Issues and administrations of a medicine, and forms that are part of an observation, always; results, specimens
/// and members only when what names them is barred, for a report may be hidden where its results are shown.
fn spread(loaded: &Loaded<'_>, fates: &mut [Fate]) {
    let below = below(loaded);
    let mut open: Vec<usize> =
        (0..fates.len()).filter(|place| fates.get(*place) != Some(&Fate::Shown)).collect();
    while let Some(place) = open.pop() {
        let Some(fate) = fates.get(place).copied() else { continue };
        for (child, always) in below.get(&place).into_iter().flatten() {
            let Some(before) = fates.get_mut(*child) else { continue };
            // Grows at most twice for each, so this ends.
            if (*always || fate == Fate::Barred) && *before < fate {
                *before = fate;
                open.push(*child);
            }
        }
    }
}

/// What belongs to each resource, and whether it always goes with it.
fn below(loaded: &Loaded<'_>) -> BTreeMap<usize, Vec<(usize, bool)>> {
    let mut below: BTreeMap<usize, Vec<(usize, bool)>> = BTreeMap::new();
    for (place, statement) in loaded.statements.iter().enumerate() {
        let targets = |key: &str| -> Vec<usize> {
            let links = statement.resource.get(key).into_iter().flat_map(Json::each);
            let names = links.filter_map(|one| one.text_at("reference"));
            names.filter_map(|name| loaded.target_place(statement, &name)).collect()
        };
        if let Some(parent) = facts::parent(loaded, statement) {
            below.entry(parent).or_default().push((place, true));
        }
        let is_form = statement.kind == "QuestionnaireResponse";
        for whole in targets("partOf") {
            below.entry(whole).or_default().push((place, is_form));
        }
        let named: &[&str] = match statement.kind.as_ref() {
            "DiagnosticReport" => &["result", "specimen", "imagingStudy"],
            "Observation" => &["hasMember", "specimen"],
            _ => &[],
        };
        for target in named.iter().flat_map(|key| targets(key)) {
            // Who did it, and with what, may be named by others that are shown.
            let is_own = loaded.statements.get(target).is_some_and(|one| !links::is_support(&one.kind));
            if is_own {
                below.entry(place).or_default().push((target, false));
            }
        }
    }
    below
}

/// Whether a resource inside another one, or one that could not be tied to the patient, may be shown or counted:
/// every section its type can stand in is shown whole, and its labels and codes let it be seen.
pub(super) fn passes_alone(resource: Json<'_>, from: &Withholding<'_>, kind: SourceKind) -> bool {
    let sections = crate::record::sections_of_type(&bundle::type_of(resource));
    let view = from.views.of(kind);
    let reading = Reading::anywhere(view);
    sections.iter().all(|section| view.shown(*section) == Shown::Whole)
        && labels::let_through(resource, reading)
        && (reading.sees(Label::Listed) || !from.lists.name(resource, kind, from.maps))
}
