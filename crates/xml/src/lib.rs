#![doc = include_str!("../README.md")]

mod escape;
mod fields;
mod order;
mod xhtml;

use fields::{Field, fields};
use tributary_fhir::{Document, Json, Kind};

/// The resource types that are written.
pub const WRITTEN: [&str; 9] = [
    "Bundle",
    "CapabilityStatement",
    "DocumentReference",
    "Location",
    "OperationOutcome",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
];

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const NAMESPACE: &str = " xmlns=\"http://hl7.org/fhir\"";

/// Why a document is not written as XML. It names types and elements, never their content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlRefused {
    /// A resource type, at any depth, that is not [`WRITTEN`]; empty if there is none to name.
    #[error("no xml is written for resource type `{0}`")]
    Resource(String),
    /// An element whose JSON shape has no form in XML; empty if its name has none.
    #[error("element `{0}` has no form in xml")]
    Shape(String),
    /// An element with a character that XML 1.0 cannot carry.
    #[error("element `{0}` has a character that xml cannot carry")]
    Character(String),
    /// A narrative that is no well-formed XHTML `div`.
    #[error("the narrative is not well-formed xhtml")]
    Narrative,
}

/// Writes an STU3 resource as XML: the whole of it, or nothing.
pub fn to_xml(document: &Document) -> Result<String, XmlRefused> {
    let mut xml = Xml { out: String::with_capacity(document.text().len() + DECLARATION.len()) };
    xml.out.push_str(DECLARATION);
    xml.resource(document.root(), NAMESPACE)?;
    Ok(xml.out)
}

/// The text while it grows.
struct Xml {
    out: String,
}

impl Xml {
    fn resource(&mut self, resource: Json<'_>, namespace: &str) -> Result<(), XmlRefused> {
        let name = resource.text_at("resourceType").unwrap_or_default();
        if !WRITTEN.contains(&name.as_ref()) {
            return Err(XmlRefused::Resource(nameable(&name)));
        }
        self.open(&name);
        self.out.push_str(namespace);
        let fields = fields(resource, &name).into_iter().filter(|field| field.name != "resourceType");
        self.content(&name, fields)
    }

    /// One element: a repetition of a field, or the only one.
    fn element(
        &mut self,
        field: &Field<'_>,
        value: Option<Json<'_>>,
        beside: Option<Json<'_>>,
    ) -> Result<(), XmlRefused> {
        let refused = || XmlRefused::Shape(nameable(field.name));
        let value = value.filter(|value| value.kind() != Kind::Null);
        let beside = beside.filter(|beside| beside.kind() != Kind::Null);
        if beside.is_some_and(|beside| beside.kind() != Kind::Object) {
            return Err(refused());
        }
        match (value.map(|value| (value, value.kind())), beside) {
            (None, None) => Ok(()),
            (Some((_, Kind::Array)), _) | (Some((_, Kind::Object)), Some(_)) => Err(refused()),
            (Some((object, Kind::Object)), None) => self.object(field, object),
            (Some((div, _)), None) if field.of_type == "xhtml" => self.narrative(div),
            _ if matches!(field.of_type, "xhtml" | "Resource") => Err(refused()),
            (value, beside) => self.primitive(field, value.map(|(value, _)| value), beside),
        }
    }

    /// A value with members, or a resource inside another one, which stands in an element of its type.
    fn object(&mut self, field: &Field<'_>, object: Json<'_>) -> Result<(), XmlRefused> {
        self.open(field.name);
        if field.of_type == "Resource" || object.get("resourceType").is_some() {
            self.out.push('>');
            self.resource(object, "")?;
            self.close(field.name);
            return Ok(());
        }
        let children = self.attributes(object, field.of_type)?;
        self.content(field.name, children.into_iter())
    }

    /// A primitive; `beside` is the member with an underscore, which holds its id and extensions.
    fn primitive(
        &mut self,
        field: &Field<'_>,
        value: Option<Json<'_>>,
        beside: Option<Json<'_>>,
    ) -> Result<(), XmlRefused> {
        self.open(field.name);
        let children = beside.map(|beside| self.attributes(beside, "")).transpose()?.unwrap_or_default();
        if let Some(value) = value {
            self.attribute("value", field.name, value)?;
        }
        self.content(field.name, children.into_iter())
    }

    /// Writes the members that are attributes; gives those that are elements.
    fn attributes<'d>(
        &mut self,
        object: Json<'d>,
        of_type: &'static str,
    ) -> Result<Vec<Field<'d>>, XmlRefused> {
        let is_attribute = |name: &str| name == "id" || (name == "url" && of_type == "Extension");
        let (attributes, children): (Vec<_>, Vec<_>) =
            fields(object, of_type).into_iter().partition(|field| is_attribute(field.name));
        // The fields are in order, so the id comes first.
        for field in attributes {
            match (field.value, field.beside) {
                (Some(value), None) => self.attribute(field.name, field.name, value)?,
                _ => return Err(XmlRefused::Shape(nameable(field.name))),
            }
        }
        Ok(children)
    }

    fn attribute(&mut self, name: &str, element: &str, value: Json<'_>) -> Result<(), XmlRefused> {
        let text = match value.kind() {
            Kind::String => value.text().unwrap_or_default(),
            Kind::Number | Kind::True | Kind::False => value.raw().into(),
            Kind::Object | Kind::Array | Kind::Null => return Err(XmlRefused::Shape(nameable(element))),
        };
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        if !escape::attribute_into(&mut self.out, &text) {
            return Err(XmlRefused::Character(nameable(element)));
        }
        self.out.push('"');
        Ok(())
    }

    /// Ends a start tag and writes what is inside the element.
    fn content<'d>(
        &mut self,
        name: &str,
        children: impl Iterator<Item = Field<'d>>,
    ) -> Result<(), XmlRefused> {
        self.out.push('>');
        let empty = self.out.len();
        for field in children {
            if !is_name(field.name) {
                return Err(XmlRefused::Shape(String::new()));
            }
            for (value, beside) in field.repetitions() {
                self.element(&field, value, beside)?;
            }
        }
        if self.out.len() == empty {
            self.out.pop();
            self.out.push_str("/>");
        } else {
            self.close(name);
        }
        Ok(())
    }

    fn narrative(&mut self, div: Json<'_>) -> Result<(), XmlRefused> {
        let text = div.text().filter(|text| xhtml::is_div(text)).ok_or(XmlRefused::Narrative)?;
        self.out.push_str(&text);
        Ok(())
    }

    fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }
}

/// Longest name of a type or element that is repeated in a refusal.
const MAX_NAME: usize = 64;

/// Whether a JSON key can be the name of an XML element. FHIR uses no more than these characters.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A name from outside, as far as it may stand in a refusal.
fn nameable(name: &str) -> String {
    let plain = name.len() <= MAX_NAME && name.chars().all(|c| c.is_ascii_alphabetic());
    if plain { name.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests;
