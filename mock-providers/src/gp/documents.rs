//! Access Document: the documents of a patient and their contents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tributary_model::Capability;

use crate::outcome::Refusal;
use crate::store::{Resource, references_in};
use crate::wire::{Reply, Request};

use super::foundations::{ODS_SYSTEM, single};
use super::parameters::invalid;
use super::search::Mode;
use super::{GpPatient, GpSystem, filters, patient_not_found};

/// Longer documents are not given out, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 5 * 1024 * 1024;

/// What every search for documents must ask to be included.
const MANDATORY: &[(&str, &str)] = &[
    ("_include", "DocumentReference:subject:Patient"),
    ("_include", "DocumentReference:custodian:Organization"),
    ("_include", "DocumentReference:author:Organization"),
    ("_include", "DocumentReference:author:Practitioner"),
    ("_revinclude:recurse", "PractitionerRole:practitioner"),
];
const KNOWN: &[&str] = &["_include", "_revinclude:recurse", "_format", "created", "author", "description"];
const MAX_BOUNDS: usize = 2;

/// What a document holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// These words.
    Text(String),
    /// So many bytes of no meaning.
    Filler(usize),
    /// Nothing: the practice has lost it.
    Missing,
}

impl Content {
    fn size(&self) -> usize {
        match self {
            Self::Text(words) => words.len(),
            Self::Filler(size) => *size,
            Self::Missing => 0,
        }
    }

    /// The bytes, if they may be given out.
    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(words) => Some(words.as_bytes().to_vec()),
            Self::Filler(size) if *size <= MAX_DOCUMENT => {
                Some((0_u8..=u8::MAX).cycle().take(*size).collect())
            }
            Self::Filler(_) | Self::Missing => None,
        }
    }
}

/// A document of a patient.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) reference: Resource,
    /// The logical id of its Binary.
    pub(crate) binary: String,
    content: Content,
}

impl Document {
    /// A document with this metadata. The attachment is filled in: where it is and how long, or else why it
    /// cannot be had.
    pub(crate) fn new(mut value: Value, content: Content) -> Self {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        let binary = format!("{id}-file");
        if let Some(attachment) = value.pointer_mut("/content/0/attachment").and_then(Value::as_object_mut) {
            attachment.insert("size".to_owned(), content.size().into());
            let is_there = content.size() <= MAX_DOCUMENT && !matches!(content, Content::Missing);
            let (field, words) = match &content {
                _ if is_there => ("url", format!("Binary/{binary}")),
                Content::Missing => ("title", "The file is missing in the GP system".to_owned()),
                Content::Text(_) | Content::Filler(_) => {
                    ("title", "The file is larger than 5 MB and cannot be sent".to_owned())
                }
            };
            attachment.insert(field.to_owned(), words.into());
        }
        Self { reference: Resource::of(value), binary, content }
    }
}

impl GpSystem {
    pub(super) fn search_documents(&self, request: &Request, id: &str) -> Result<Reply, Refusal> {
        let wanted = Wanted::read(request)?;
        let patient = self.practice.patient_of_id(id).ok_or_else(patient_not_found)?;
        patient.standing.check_content()?;
        let found = patient.documents.iter().map(|one| &one.reference);
        let found: Vec<&Resource> = found.filter(|one| self.matches(one, &wanted)).collect();
        let mut entries: Vec<(Mode, &Resource)> = found.iter().map(|one| (Mode::Match, *one)).collect();
        entries.extend(self.included(patient, &found).into_iter().map(|one| (Mode::Include, one)));
        let reply = self.searchset(request, &entries);
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        Ok(Reply { body: self.with_whole_urls(request, body).into_bytes(), ..reply })
    }

    fn matches(&self, document: &Resource, wanted: &Wanted<'_>) -> bool {
        let text = |field: &str| document.value.get(field).and_then(Value::as_str);
        let created = text("created").or_else(|| text("indexed"));
        let in_time = created.is_none_or(|created| {
            wanted.from.is_none_or(|from| filters::reaches(created, from))
                && wanted.to.is_none_or(|to| !filters::is_after(created, to))
        });
        let by_author = wanted.author.is_none_or(|ods| {
            references_in(document.value.get("author"))
                .into_iter()
                .filter_map(|author| self.practice.entry(author))
                .any(|author| author.kind == "Organization" && author.text.contains(&format!("\"{ods}\"")))
        });
        let described = wanted.description.as_ref().is_none_or(|words| {
            let kind = document.value.get("type").map(Value::to_string).unwrap_or_default();
            format!("{} {kind}", text("description").unwrap_or_default()).to_lowercase().contains(words)
        });
        in_time && by_author && described
    }

    /// The patient, and the authors and custodians of the documents with the roles of the authors.
    fn included<'s>(&'s self, patient: &'s GpPatient, documents: &[&Resource]) -> Vec<&'s Resource> {
        if documents.is_empty() {
            return Vec::new();
        }
        let mut included = vec![&patient.patient];
        let people = ["author", "custodian"];
        let references = documents
            .iter()
            .flat_map(|one| people.iter().flat_map(|field| references_in(one.value.get(*field))));
        let named: Vec<&str> = references.collect();
        let is_role = |one: &Resource| {
            one.kind == "PractitionerRole"
                && one.references().iter().any(|to| to.starts_with("Practitioner/") && named.contains(to))
        };
        let directory = self.practice.directory().iter();
        included.extend(directory.filter(|one| named.contains(&one.reference().as_str()) || is_role(one)));
        included
    }

    pub(super) fn read_binary(&self, id: &str) -> Result<Reply, Refusal> {
        let not_found = || Refusal::new(404, "NO_RECORD_FOUND", "no such document");
        let (patient, document) = self.practice.document(id).ok_or_else(not_found)?;
        patient.standing.check_content().map_err(|refusal| match refusal.status {
            404 => not_found(),
            _ => refusal,
        })?;
        let bytes = document.content.bytes().ok_or_else(not_found)?;
        let kind = document.reference.value.pointer("/content/0/attachment/contentType");
        let binary = json!({
            "resourceType": "Binary",
            "id": id,
            "meta": {"versionId": "1"},
            "contentType": kind,
            "content": STANDARD.encode(bytes),
        });
        Ok(single(&Resource::of(binary)))
    }

    /// Attachments are told of by the whole URL of their Binary, in records as in searchsets.
    pub(super) fn with_whole_urls(&self, request: &Request, body: String) -> String {
        if !body.contains("\"Binary/") {
            return body;
        }
        let root = self.whole_root_of(request, Capability::Documents);
        body.replace("\"Binary/", &format!("\"{root}/Binary/"))
    }
}

/// What a search for documents asks for.
#[derive(Debug, Default)]
struct Wanted<'r> {
    from: Option<&'r str>,
    to: Option<&'r str>,
    author: Option<&'r str>,
    description: Option<String>,
}

impl<'r> Wanted<'r> {
    fn read(request: &'r Request) -> Result<Self, Refusal> {
        let has = |wanted: &(&str, &str)| {
            request.query.iter().any(|(name, value)| (name.as_str(), value.as_str()) == *wanted)
        };
        if let Some((name, value)) = MANDATORY.iter().find(|wanted| !has(wanted)) {
            return Err(invalid(format!("{name}={value} is missing")));
        }
        if let Some((name, _)) = request.query.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            return Err(invalid(format!("{name} is not a parameter of this search")));
        }
        let mut wanted = Self::default();
        if request.query.iter().filter(|(name, _)| name == "created").count() > MAX_BOUNDS {
            return Err(invalid("created is given more than twice"));
        }
        for (name, value) in &request.query {
            match name.as_str() {
                "created" => wanted.bound(value)?,
                "author" => wanted.author = Some(ods_code(value)?),
                "description" => wanted.description = Some(value.to_lowercase()),
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn bound(&mut self, created: &'r str) -> Result<(), Refusal> {
        let (prefix, date) = created.split_at_checked(2).unwrap_or_default();
        let is_date = date.get(..10).is_some_and(|day| day.parse::<jiff::civil::Date>().is_ok());
        match prefix {
            "ge" if is_date => self.from = Some(date),
            "le" if is_date => self.to = Some(date),
            _ => return Err(invalid("created is not a date after ge or le")),
        }
        Ok(())
    }
}

fn ods_code(author: &str) -> Result<&str, Refusal> {
    author
        .split_once('|')
        .filter(|(system, ods)| *system == ODS_SYSTEM && !ods.is_empty())
        .map(|(_, ods)| ods)
        .ok_or_else(|| invalid("author is not an organisation code"))
}
