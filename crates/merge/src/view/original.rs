//! A statement as its source sent it, read only when somebody asks for it.
//!
//! Nothing is copied: a statement keeps the reply it came in alive, and names its place there.

use std::borrow::Cow;
use std::sync::Arc;

use tributary_fhir::{Json, Reply};
use tributary_model::FhirDate;
use tributary_statements::inputs::Heard;
use tributary_statements::load::Accepted;

use super::{LineView, MemberView};
use crate::render;

/// Where the source's own resource is found: after what a role does not see was taken out of it.
#[derive(Clone)]
pub struct Original {
    reply: Arc<Reply>,
    at: Place,
    /// The resource that names what it is about, where that is another one.
    about: Option<Place>,
}

type Place = (usize, u32);

/// One code of a statement, as its source wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeView {
    /// The system, as an address.
    pub system: String,
    /// The code.
    pub code: String,
    /// The source's words for it.
    pub term: String,
}

/// One measured value. Its digits are the source's own.
#[derive(Clone, PartialEq, Eq)]
pub struct ValueView {
    /// What was measured, as `system|code`; empty where there is no code.
    pub code: String,
    /// What was measured, in words; empty for the statement's own value.
    pub name: String,
    /// `<`, `>=` …; empty for a plain value.
    pub comparator: String,
    /// The digits, as sent.
    pub number: String,
    /// The unit, in its standard code where it has one, else in words.
    pub unit: String,
    /// The range that the source calls normal, as it wrote it: low and high, either may be empty.
    pub range: (String, String),
}

impl Original {
    /// The place of a resource in the reply of an accepted answer.
    pub(crate) fn of(home: &Accepted<'_>, resource: Json<'_>, about: Option<Json<'_>>) -> Option<Self> {
        let Heard::Reply(reply) = &home.answer.heard else { return None };
        let place = |one: Json<'_>| {
            let document = reply.documents.iter().position(|document| document.holds(one))?;
            Some((document, one.place()))
        };
        Some(Self { reply: Arc::clone(reply), at: place(resource)?, about: about.and_then(place) })
    }

    fn json(&self) -> Option<Json<'_>> {
        self.found(self.at)
    }

    fn found(&self, (document, place): Place) -> Option<Json<'_>> {
        self.reply.documents.get(document)?.at(place)
    }

    /// The resource, byte for byte; of a source that speaks STU3, as it was converted.
    pub fn text(&self) -> &str {
        self.json().map(Json::raw).unwrap_or_default()
    }

    /// Whether the source spoke STU3, so that this is its resource in R4.
    pub fn is_converted(&self) -> bool {
        self.reply.converted
    }

    /// Every code of its concept.
    pub fn codes(&self) -> Vec<CodeView> {
        let holders: Vec<Json<'_>> =
            self.json().into_iter().chain(self.about.and_then(|about| self.found(about))).collect();
        let concepts = holders.iter().flat_map(|holder| CONCEPTS.iter().filter_map(|key| holder.get(key)));
        let codings = concepts.flat_map(Json::each).flat_map(codings);
        codings
            .map(|coding| CodeView {
                system: own(coding, "system"),
                code: own(coding, "code"),
                term: own(coding, "display"),
            })
            .collect()
    }

    /// When it was recorded, as people read it; empty where its source does not say.
    pub fn recorded(&self) -> String {
        let dates = RECORDED.iter().filter_map(|key| self.json()?.text_at(key));
        let mut dates = dates.filter_map(|text| FhirDate::parse(&text));
        dates.next().map(FhirDate::display).unwrap_or_default()
    }

    /// Its identifiers, as system and value.
    pub fn identifiers(&self) -> Vec<(String, String)> {
        let identifiers = self.json().and_then(|resource| resource.get("identifier"));
        let each = identifiers.into_iter().flat_map(Json::each);
        each.map(|one| (own(one, "system"), own(one, "value"))).collect()
    }

    /// The labels its source put on it: who may see it.
    pub fn labels(&self) -> Vec<String> {
        let meta = self.json().and_then(|resource| resource.get("meta"));
        let labels = meta.and_then(|meta| meta.get("security")).into_iter().flat_map(Json::each);
        labels.map(|one| own(one, "code")).filter(|code| !code.is_empty()).collect()
    }

    /// Its measured values: its own, or those of its parts.
    pub fn values(&self) -> Vec<ValueView> {
        let Some(resource) = self.json() else { return Vec::new() };
        let code = code_of(resource);
        if let Some(one) = value(resource) {
            return vec![ValueView { code, ..one }];
        }
        let parts = resource.get("component").into_iter().flat_map(Json::items);
        let parts = parts.filter_map(|part| {
            let name = part.get("code").and_then(tributary_statements::concept::words).unwrap_or_default();
            Some(ValueView { code: code_of(part), name, ..value(part)? })
        });
        parts.collect()
    }
}

/// Where types keep what they are about.
const CONCEPTS: &[&str] =
    &["code", "medicationCodeableConcept", "vaccineCode", "type", "valueCodeableConcept"];
/// Where types keep when somebody wrote it down.
const RECORDED: &[&str] = &[
    "recordedDate",
    "assertedDate",
    "dateAsserted",
    "authoredOn",
    "recorded",
    "authored",
    "issued",
    "created",
    "date",
];

fn own(json: Json<'_>, key: &str) -> String {
    json.text_at(key).map(Cow::into_owned).unwrap_or_default()
}

fn codings(concept: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    concept.get("coding").into_iter().flat_map(Json::items)
}

fn code_of(resource: Json<'_>) -> String {
    let coding = resource.get("code").and_then(|code| codings(code).next());
    coding.map(|coding| format!("{}|{}", own(coding, "system"), own(coding, "code"))).unwrap_or_default()
}

fn value(holder: Json<'_>) -> Option<ValueView> {
    let quantity = holder.get("valueQuantity")?;
    let number = quantity.get("value")?.raw().to_owned();
    let code = own(quantity, "code");
    let unit = if code.is_empty() { own(quantity, "unit") } else { code };
    let range = holder.get("referenceRange").and_then(|ranges| ranges.each().next());
    let bound = |key| {
        let value = range.and_then(|range| range.get(key)?.get("value")).map(Json::raw);
        value.unwrap_or_default().to_owned()
    };
    let comparator = own(quantity, "comparator");
    let range = (bound("low"), bound("high"));
    Some(ValueView { code: String::new(), name: String::new(), comparator, number, unit, range })
}

impl LineView {
    /// A name for the line that tells nothing of what it is about: the hash of its key, as `?view=lines` has it.
    pub fn name(&self) -> String {
        render::line_name(&self.key)
    }
}

impl MemberView {
    /// Its measured values; none where its source's own words are not at hand.
    pub fn values(&self) -> Vec<ValueView> {
        self.original.as_ref().map(Original::values).unwrap_or_default()
    }
}
