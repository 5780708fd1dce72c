//! Copies a resource without anything that names what is not shown.
//!
//! A reference that does not lead to something shown is left out with the list item or extension around it, as if
//! the source had never written it. What a source never sent is treated the same, so that nobody can tell the two
//! apart. Every byte that stays is the source's own.

use tributary_fhir::{Json, Kind, bundle};
use tributary_model::Shown;

use super::judge::{Kept, is_ended_shown, passes_alone};
use super::{Withholding, links};
use tributary_statements::load::{Accepted, Loaded, Statement, bare};

/// Free text beside what is coded.
const NOTES: &[&str] = &[
    "note",
    "comment",
    "comments",
    "description",
    "conclusion",
    "summary",
    "patientInstruction",
    "reasonString",
];

/// What remains of a resource of which only the name is shown: what it is, whether it holds, whose it is.
const NAMES: &[&str] = &[
    "code",
    "medicationCodeableConcept",
    "medicationReference",
    "clinicalStatus",
    "verificationStatus",
    "status",
    "doNotPerform",
    "implicitRules",
    "modifierExtension",
    "patient",
    "subject",
    "basedOn",
    "authorizingPrescription",
    "request",
];

/// What remains of the `meta` of a resource. Other members could say anything.
const META: &[&str] = &["versionId", "lastUpdated", "profile", "security", "tag", "source"];

/// What remains of a List that contains ended allergies.
const LIST: &[&str] = &["status", "mode", "code", "subject"];

/// How much of a resource is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All that names nothing withheld.
    All,
    /// Not its notes.
    WithoutNotes,
    /// Its name.
    Name,
    /// What it contains.
    Container,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copied {
    Yes,
    /// Left out, and nothing around it minds.
    LeftOut,
    /// It named what is not shown: the item around it goes too.
    Cut,
}

/// A resource as it is shown.
pub(super) struct Cleaned {
    /// Its text.
    pub(super) text: String,
    /// Whether anything that named something withheld was cut out.
    pub(super) is_cut: bool,
    /// The positions of what it still leads to.
    pub(super) leads_to: Vec<usize>,
}

/// Copies what one answer may show.
pub(super) struct Cleaner<'c, 'a> {
    pub(super) loaded: &'c Loaded<'a>,
    pub(super) kept: &'c Kept,
    pub(super) home: &'c Accepted<'a>,
    pub(super) from: &'c Withholding<'a>,
}

/// One resource being copied.
struct Copying<'c, 'a> {
    cleaner: &'c Cleaner<'c, 'a>,
    statement: &'c Statement<'a>,
    shows_notes: bool,
    /// Ids of what it contains and shows.
    contained: Vec<String>,
    is_cut: bool,
    /// The references written so far, each with where in the text it stands.
    written: Vec<(usize, String)>,
}

impl<'a> Cleaner<'_, 'a> {
    /// The text of a shown resource. `section` tells how much of the section it stands in is shown.
    pub(super) fn clean(&self, statement: &Statement<'a>, section: Option<Shown>) -> Cleaned {
        let extent = self.extent(statement, section);
        let all = statement.resource.get("contained").into_iter().flat_map(Json::items);
        let contained: Vec<Json<'_>> = all.filter(|one| self.shows_contained(*one, extent)).collect();
        let ids = contained.iter().filter_map(|one| bundle::id_of(*one)).map(Into::into).collect();
        let mut copying = Copying {
            cleaner: self,
            statement,
            shows_notes: extent == Extent::All,
            contained: ids,
            is_cut: false,
            written: Vec::new(),
        };
        let mut text = String::with_capacity(statement.resource.raw().len());
        text.push('{');
        for (key, value) in statement.resource.members() {
            match key {
                "resourceType" | "id" => member(key, value.raw(), &mut text),
                "meta" => copying.meta(value, extent, &mut text),
                "contained" => copying.contained(&contained, extent, &mut text),
                // The narrative of the whole resource, whatever shape it has.
                "text" => {}
                _ if allows(extent, key) => copying.member(key, value, &mut text),
                _ => {}
            }
        }
        text.push('}');
        let is_cut = copying.is_cut;
        let place = |(_, name): &(usize, String)| self.kept.named(self.loaded.target(statement, name)?);
        let leads_to = copying.written.iter().filter_map(place).collect();
        Cleaned { text, is_cut, leads_to }
    }

    fn extent(&self, statement: &Statement<'_>, section: Option<Shown>) -> Extent {
        if statement.kind == "List" {
            return Extent::Container;
        }
        let medicines = self.from.views.of(self.home.card.kind).shown(tributary_model::Section::Medications);
        let section = if statement.kind == "Medication" { Some(medicines) } else { section };
        match section {
            Some(Shown::Limited(limit)) if limit.is_names() => Extent::Name,
            Some(Shown::Limited(limit)) if !limit.shows_notes() => Extent::WithoutNotes,
            Some(Shown::Whole | Shown::Hidden | Shown::Limited(_)) | None => Extent::All,
        }
    }

    fn shows_contained(&self, one: Json<'_>, extent: Extent) -> bool {
        let kind = bundle::type_of(one);
        match extent {
            Extent::Name => kind == "Medication",
            Extent::Container => is_ended_shown(one, self.from, self.home.card.kind),
            Extent::All | Extent::WithoutNotes => {
                links::is_support(&kind) || passes_alone(one, self.from, self.home.card.kind)
            }
        }
    }
}

/// Whether a member of a resource may be copied at all.
fn allows(extent: Extent, key: &str) -> bool {
    let name = key.trim_start_matches('_');
    match extent {
        Extent::All | Extent::WithoutNotes => true,
        Extent::Name => NAMES.contains(&name),
        Extent::Container => LIST.contains(&name),
    }
}

fn comma(out: &mut String) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
}

fn begin(key: &str, out: &mut String) {
    comma(out);
    out.push('"');
    // The key of a scanned document is in its JSON form.
    out.push_str(key);
    out.push_str("\":");
}

fn member(key: &str, raw: &str, out: &mut String) {
    begin(key, out);
    out.push_str(raw);
}

impl Copying<'_, '_> {
    /// Takes back what was written since.
    fn take_back(&mut self, before: usize, out: &mut String) {
        out.truncate(before);
        while self.written.last().is_some_and(|(at, _)| *at >= before) {
            self.written.pop();
        }
    }

    fn member(&mut self, key: &str, value: Json<'_>, out: &mut String) {
        let before = out.len();
        begin(key, out);
        if self.value(key, value, out) != Copied::Yes {
            self.take_back(before, out);
        }
    }

    fn meta(&mut self, meta: Json<'_>, extent: Extent, out: &mut String) {
        begin("meta", out);
        out.push('{');
        let is_allowed = |key: &str| match extent {
            Extent::All | Extent::WithoutNotes => META.contains(&key),
            Extent::Name | Extent::Container => key == "security",
        };
        for (key, value) in meta.members().filter(|(key, _)| is_allowed(key)) {
            self.member(key, value, out);
        }
        out.push('}');
    }

    fn contained(&mut self, contained: &[Json<'_>], extent: Extent, out: &mut String) {
        if contained.is_empty() {
            return;
        }
        begin("contained", out);
        out.push('[');
        for one in contained {
            comma(out);
            out.push('{');
            for (key, value) in one.members() {
                match key {
                    "resourceType" | "id" => member(key, value.raw(), out),
                    "contained" => {}
                    _ if extent == Extent::Name && !allows(extent, key) => {}
                    _ => self.member(key, value, out),
                }
            }
            out.push('}');
        }
        out.push(']');
    }

    /// Copies a value. As deep as the value, which the safety gate bounds.
    fn value(&mut self, key: &str, value: Json<'_>, out: &mut String) -> Copied {
        let copied = match value.kind() {
            Kind::Object => self.object(key, value, out),
            Kind::Array => self.array(key, value, out),
            Kind::String if self.is_address(value) => Copied::Cut,
            Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => {
                out.push_str(value.raw());
                Copied::Yes
            }
        };
        self.is_cut |= copied == Copied::Cut;
        copied
    }

    fn object(&mut self, key: &str, value: Json<'_>, out: &mut String) -> Copied {
        // Narrative retells what the coded parts say, withheld ones included.
        let is_narrative = key == "text" || value.get("div").is_some();
        let is_note = !self.shows_notes && NOTES.contains(&key);
        if is_narrative || is_note {
            return Copied::LeftOut;
        }
        if value.get("resourceType").is_some() {
            return Copied::Cut;
        }
        if links::is_reference(key, value) {
            return self.reference(key, value, out);
        }
        let is_empty_as_sent = value.members().next().is_none();
        out.push('{');
        let mut is_cut = false;
        for (name, member) in value.members() {
            let before = out.len();
            begin(name, out);
            let copied = if !self.shows_notes && NOTES.contains(&name) {
                Copied::LeftOut
            } else {
                self.value(name, member, out)
            };
            if copied != Copied::Yes {
                self.take_back(before, out);
            }
            is_cut |= copied == Copied::Cut;
        }
        let is_empty = out.ends_with('{') && !is_empty_as_sent;
        out.push('}');
        match (is_cut, is_empty) {
            (true, _) => Copied::Cut,
            (false, true) => Copied::LeftOut,
            (false, false) => Copied::Yes,
        }
    }

    fn array(&mut self, key: &str, value: Json<'_>, out: &mut String) -> Copied {
        let (mut is_cut, mut count) = (false, 0_usize);
        out.push('[');
        for item in value.items() {
            let before = out.len();
            comma(out);
            match self.value(key, item, out) {
                Copied::Yes => count += 1,
                Copied::LeftOut => self.take_back(before, out),
                Copied::Cut => {
                    self.take_back(before, out);
                    is_cut = true;
                }
            }
        }
        out.push(']');
        match (count, is_cut) {
            (0, true) => Copied::Cut,
            (0, false) if value.items().next().is_some() => Copied::LeftOut,
            _ => Copied::Yes,
        }
    }

    fn reference(&mut self, key: &str, value: Json<'_>, out: &mut String) -> Copied {
        let name = value.text_at("reference");
        let leads = match &name {
            Some(name) => self.leads(name),
            None if links::is_actor(key)
                || value.text_at("type").is_some_and(|kind| links::is_support(&kind)) =>
            {
                Leads::ToSupport
            }
            None => Leads::Nowhere,
        };
        let members: &[&str] = match leads {
            Leads::Nowhere => return Copied::Cut,
            // What it is called is said where it stands.
            Leads::ToShown => &["reference"],
            Leads::ToSupport => &["reference", "type", "identifier", "display"],
        };
        out.push('{');
        for (key, member) in value.members().filter(|(key, _)| members.contains(key)) {
            let before = out.len();
            begin(key, out);
            let copied = if key == "reference" {
                self.written.extend(name.as_deref().map(|name| (before, name.to_owned())));
                out.push_str(member.raw());
                Copied::Yes
            } else {
                self.value(key, member, out)
            };
            if copied != Copied::Yes {
                self.take_back(before, out);
            }
        }
        out.push('}');
        Copied::Yes
    }

    fn leads(&self, name: &str) -> Leads {
        let Cleaner { loaded, kept, home, .. } = self.cleaner;
        if let Some(id) = name.strip_prefix('#') {
            let is_shown = id.is_empty() || self.contained.iter().any(|one| one == id);
            return if is_shown { Leads::ToShown } else { Leads::Nowhere };
        }
        if home.patient_names.contains(bare(name)) {
            return Leads::ToShown;
        }
        let Some(target) = loaded.target(self.statement, name) else {
            // Who and where may be named without being sent; anything else unsent is nothing.
            let is_support = links::is_support(links::type_named(bare(name)));
            return if is_support { Leads::ToSupport } else { Leads::Nowhere };
        };
        if !kept.shows_name(target) {
            return Leads::Nowhere;
        }
        if links::is_support(&target.kind) { Leads::ToSupport } else { Leads::ToShown }
    }

    /// Whether a text outside references is the address of something that is not shown.
    fn is_address(&self, value: Json<'_>) -> bool {
        let Some(text) = value.text() else { return false };
        let target = self.cleaner.loaded.target(self.statement, &text);
        target
            .map_or_else(|| links::is_clinical_address(&text), |target| !self.cleaner.kept.shows_name(target))
    }
}

/// Where a reference leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    /// To nothing that is shown.
    Nowhere,
    /// To a shown statement, the patient, or something contained.
    ToShown,
    /// To somebody or something that supports, sent or not.
    ToSupport,
}
