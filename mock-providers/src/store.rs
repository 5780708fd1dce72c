//! Resources as they stand in a file: the text is kept and served untouched.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// One resource: its text, and a parsed copy to look things up in.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) value: Value,
}

impl Resource {
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { kind: field("resourceType"), id: field("id"), text: text.to_owned(), value })
    }

    /// A resource that was made, not read.
    pub(crate) fn of(value: Value) -> Self {
        let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { kind: field("resourceType"), id: field("id"), text: value.to_string(), value }
    }

    /// The same resource with another logical id.
    pub(crate) fn with_id(&self, id: &str) -> Self {
        if self.id == id {
            return self.clone();
        }
        self.with_field("id", Value::from(id))
    }

    /// The same resource about another patient.
    pub(crate) fn about(&self, patient: &str) -> Self {
        self.with_field("subject", serde_json::json!({"reference": patient}))
    }

    fn with_field(&self, name: &str, field: Value) -> Self {
        let mut value = self.value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.insert(name.to_owned(), field);
        }
        Self::of(value)
    }

    pub(crate) fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    /// The patient that the resource is about.
    pub(crate) fn patient(&self) -> Option<&str> {
        let subject = self.value.get("subject").or_else(|| self.value.get("patient"))?;
        subject.get("reference")?.as_str()?.strip_prefix("Patient/")
    }

    #[cfg(test)]
    /// The value of the NHS number identifier, whether it is a valid number or not.
    pub(crate) fn nhs_number(&self) -> Option<&str> {
        let identifiers = self.value.get("identifier")?.as_array()?;
        let official = identifiers
            .iter()
            .find(|one| one.get("system").and_then(Value::as_str).is_some_and(is_nhs_number_system))?;
        official.get("value")?.as_str()
    }

    /// Every literal reference inside the resource.
    pub(crate) fn references(&self) -> Vec<&str> {
        references_in(Some(&self.value))
    }

    /// The text without its `id`.
    pub(crate) fn text_without_id(&self) -> String {
        let Some(fields) = Fields::of(&self.text) else {
            return self.text.clone();
        };
        let kept: Vec<String> = fields
            .0
            .iter()
            .filter(|(key, _)| key != "id")
            .map(|(key, value)| format!("\"{key}\":{}", value.get()))
            .collect();
        format!("{{{}}}", kept.join(","))
    }
}

/// Whether an identifier system names the NHS number, in any version of FHIR.
pub(crate) fn is_nhs_number_system(system: &str) -> bool {
    matches!(system, "https://fhir.nhs.uk/Id/nhs-number" | "http://fhir.nhs.net/Id/nhs-number")
}

/// Every literal reference inside a value.
pub(crate) fn references_in(value: Option<&Value>) -> Vec<&str> {
    let mut found = Vec::new();
    if let Some(value) = value {
        collect_references(value, &mut found);
    }
    found
}

fn collect_references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("reference").and_then(Value::as_str) {
                found.push(reference);
            }
            fields.values().for_each(|inner| collect_references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_references(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[derive(Deserialize)]
struct BundleText<'t> {
    #[serde(borrow, default)]
    entry: Vec<EntryText<'t>>,
}

#[derive(Deserialize)]
struct EntryText<'t> {
    #[serde(borrow)]
    resource: Option<&'t RawValue>,
}

/// The resources of a Bundle, each with its own bytes; entries without a resource are passed over.
pub(crate) fn resources(bundle: &str) -> serde_json::Result<Vec<Resource>> {
    let bundle: BundleText<'_> = serde_json::from_str(bundle)?;
    bundle
        .entry
        .iter()
        .filter_map(|entry| entry.resource)
        .map(|resource| Resource::read(resource.get()))
        .collect()
}

/// The fields of a JSON object in order, each value with its own bytes.
#[derive(Debug)]
pub(crate) struct Fields<'t>(pub(crate) Vec<(String, &'t RawValue)>);

impl<'t> Fields<'t> {
    pub(crate) fn of(text: &'t str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'t str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }
}

impl<'de: 't, 't> Deserialize<'de> for Fields<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Collect).map(Self)
    }
}
