//! `OperationOutcome`, written for callers and read from sources.

use tributary_model::SpineCode;

use crate::json::Json;
use crate::write::Writer;

/// The system of Spine error codes.
pub const SPINE_CODES: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
/// Systems of the Spine proxy's own codes: what it says in their words is about the way to a source.
const PROXY_CODES: &[&str] = &[
    "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0",
    "https://fhir.nhs.uk/StructureDefinition/spine-operationoutcome-1",
];
/// The profile GP Connect wants on its outcomes.
pub const GPC_OUTCOME: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1";

/// One extension with a simple value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimpleExtension {
    /// Its address.
    pub url: &'static str,
    /// Its value.
    pub value: ExtensionValue,
}

/// The value of a simple extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionValue {
    /// `valueString`
    String(String),
    /// `valueCode`
    Code(String),
    /// `valueUnsignedInt`
    Unsigned(u64),
    /// `valueInstant`
    Instant(String),
}

impl SimpleExtension {
    /// Writes it.
    pub fn write(&self, json: &mut Writer) {
        json.object(|extension| {
            extension.text("url", self.url);
            match &self.value {
                ExtensionValue::String(text) => extension.text("valueString", text),
                ExtensionValue::Code(code) => extension.text("valueCode", code),
                ExtensionValue::Unsigned(number) => extension.key("valueUnsignedInt").number(*number),
                ExtensionValue::Instant(instant) => extension.text("valueInstant", instant),
            }
        });
    }
}

/// A coding in `issue.details`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueCoding {
    /// System.
    pub system: &'static str,
    /// Code.
    pub code: String,
    /// Words for the code.
    pub display: Option<&'static str>,
}

impl IssueCoding {
    fn write(&self, json: &mut Writer) {
        json.object(|coding| {
            coding.text("system", self.system);
            coding.text("code", &self.code);
            coding.text_if("display", self.display);
        });
    }
}

/// One issue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issue {
    /// `fatal`, `error`, `warning` or `information`.
    pub severity: &'static str,
    /// FHIR issue type.
    pub code: &'static str,
    /// Extensions.
    pub extensions: Vec<SimpleExtension>,
    /// Codings of the details.
    pub codings: Vec<IssueCoding>,
    /// Words for the person who reads it.
    pub text: Option<String>,
    /// Names the element at fault; never its value.
    pub diagnostics: Option<String>,
    /// `FHIRPath` of what is concerned.
    pub expression: Option<String>,
}

impl Issue {
    /// An error with words.
    pub fn error(code: &'static str, text: impl Into<String>) -> Self {
        Self { severity: "error", code, text: Some(text.into()), ..Self::default() }
    }

    /// Adds a coding.
    #[must_use]
    pub fn coded(
        mut self,
        system: &'static str,
        code: impl Into<String>,
        display: Option<&'static str>,
    ) -> Self {
        self.codings.push(IssueCoding { system, code: code.into(), display });
        self
    }

    /// Adds diagnostics.
    #[must_use]
    pub fn naming(mut self, element: impl Into<String>) -> Self {
        self.diagnostics = Some(element.into());
        self
    }

    pub(crate) fn write(&self, json: &mut Writer) {
        json.object(|issue| {
            if !self.extensions.is_empty() {
                issue.key("extension").array(|list| self.extensions.iter().for_each(|one| one.write(list)));
            }
            issue.text("severity", self.severity);
            issue.text("code", self.code);
            if !self.codings.is_empty() || self.text.is_some() {
                issue.key("details").object(|details| self.write_details(details));
            }
            issue.text_if("diagnostics", self.diagnostics.as_deref());
            if let Some(expression) = &self.expression {
                issue.key("expression").array(|list| list.string(expression));
            }
        });
    }

    fn write_details(&self, details: &mut Writer) {
        if !self.codings.is_empty() {
            details.key("coding").array(|list| self.codings.iter().for_each(|coding| coding.write(list)));
        }
        details.text_if("text", self.text.as_deref());
    }
}

/// An `OperationOutcome` of our own making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its id, where the protocol wants one.
    pub id: Option<&'static str>,
    /// Its issues; at least one.
    pub issues: Vec<Issue>,
    /// Profile to claim.
    pub profile: Option<&'static str>,
}

impl Outcome {
    /// An outcome with one issue.
    pub fn of(issue: Issue) -> Self {
        Self { issues: vec![issue], ..Self::default() }
    }

    /// The outcome GP Connect wants: one issue, one Spine coding, the profile.
    pub fn spine(
        issue_code: &'static str,
        code: &str,
        display: &'static str,
        diagnostics: Option<&str>,
    ) -> Self {
        let issue = Issue { severity: "error", code: issue_code, ..Issue::default() };
        let issue = issue.coded(SPINE_CODES, code, Some(display));
        let issue = Issue { diagnostics: diagnostics.map(str::to_owned), ..issue };
        Self { id: None, issues: vec![issue], profile: Some(GPC_OUTCOME) }
    }

    /// Writes the resource. Both versions share this shape.
    pub fn write(&self, json: &mut Writer) {
        json.object(|outcome| {
            outcome.text("resourceType", "OperationOutcome");
            outcome.text_if("id", self.id);
            if let Some(profile) = self.profile {
                outcome.key("meta").object(|meta| meta.key("profile").array(|list| list.string(profile)));
            }
            outcome.key("issue").array(|list| self.issues.iter().for_each(|issue| issue.write(list)));
        });
    }

    /// The resource as JSON.
    pub fn to_json(&self) -> String {
        let mut json = Writer::with_capacity(512);
        self.write(&mut json);
        json.finish()
    }
}

/// What can be trusted of a source's `OperationOutcome`: codes, never its free text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeFacts {
    /// The first published Spine code.
    pub spine: Option<SpineCode>,
    /// Whether any issue is an error or fatal.
    pub failed: bool,
    /// Whether any issue says `not-found`.
    pub not_found: bool,
    /// Whether a proxy on the way to the source says it, and not the source.
    pub of_proxy: bool,
    /// What the issues short of an error say is missing.
    pub omits: Omissions,
    /// Which check of the Spine proxy refused, when the words are the proxy's.
    pub proxy: Option<ProxyRefusal>,
}

/// Why the Spine Secure Proxy refuses. It has no codes of its own: its words begin with these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRefusal {
    /// The address is not the one in the directory.
    EndpointVaries,
    /// The sender, or the pair of receiver and interaction, is not registered.
    AsidCheck,
    /// The two organisations have no agreement to share.
    NoAgreement,
    /// It could not reach the system behind it.
    Unreachable,
}

impl ProxyRefusal {
    /// The refusal that a text begins with.
    fn of(text: &str) -> Option<Self> {
        const WORDS: &[(&str, ProxyRefusal)] = &[
            ("ENDPOINT_", ProxyRefusal::EndpointVaries),
            ("ASID_CHECK_FAILED", ProxyRefusal::AsidCheck),
            ("PARTYKEY_INTERACTION_CHECK_FAILED", ProxyRefusal::AsidCheck),
            ("FOT_CHECK_FAILED", ProxyRefusal::NoAgreement),
            ("ERROR_COMMUNICATING_TO_ENDPOINT", ProxyRefusal::Unreachable),
        ];
        WORDS.iter().find(|(words, _)| text.trim_start().starts_with(words)).map(|(_, refusal)| *refusal)
    }
}

/// What is missing from an answer that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omissions {
    /// Something was left out for reasons of confidence or policy.
    pub suppressed: bool,
    /// Something else is or may be missing.
    pub incomplete: bool,
}

impl Omissions {
    /// What one issue says is missing.
    pub fn of_issue(issue: Json<'_>) -> Self {
        let mut omits = Self::default();
        let part = |key| issue.text_at(key).unwrap_or_default();
        omits.note(&part("severity"), &part("code"));
        omits
    }

    fn note(&mut self, severity: &str, code: &str) {
        match (severity, code) {
            ("error" | "fatal", _) => {}
            (_, "suppressed") => self.suppressed = true,
            // Whatever its severity is called, such a code says that something is missing.
            (_, "incomplete" | "too-costly" | "timeout") => self.incomplete = true,
            ("information" | "success", _) => {}
            // A warning that is not understood may mean anything.
            _ => self.incomplete = true,
        }
    }
}

/// Reads a source's outcome; `None` if the value is none.
pub fn read_outcome(json: Json<'_>) -> Option<OutcomeFacts> {
    if !json.says("resourceType", "OperationOutcome") {
        return None;
    }
    let mut facts = OutcomeFacts::default();
    for issue in json.get("issue").into_iter().flat_map(Json::items) {
        let severity = issue.text_at("severity").unwrap_or_default();
        facts.failed |= matches!(severity.as_ref(), "error" | "fatal");
        facts.not_found |= issue.says("code", "not-found");
        facts.omits.note(&severity, &issue.text_at("code").unwrap_or_default());
        let codings = issue.get("details").and_then(|details| details.get("coding"));
        let codings = || codings.into_iter().flat_map(Json::each);
        let mut codes = codings().filter_map(|coding| coding.text_at("code"));
        facts.spine = facts.spine.or_else(|| codes.find_map(|code| SpineCode::parse(&code)));
        let words = codings().filter_map(|coding| coding.text_at("display"));
        let mut refusals =
            words.chain(issue.text_at("diagnostics")).filter_map(|text| ProxyRefusal::of(&text));
        facts.proxy = facts.proxy.or_else(|| refusals.next());
        let is_proxys = |coding: Json<'_>| PROXY_CODES.iter().any(|system| coding.says("system", system));
        facts.of_proxy |= facts.proxy.is_some() || codings().any(is_proxys);
    }
    Some(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Limits};

    #[test]
    fn spine_outcome_has_one_coding_and_the_profile() {
        let text = Outcome::spine("not-found", "PATIENT_NOT_FOUND", "Patient not found", None).to_json();
        let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
        let facts = read_outcome(doc.root()).unwrap();
        assert_eq!(facts.spine, SpineCode::parse("PATIENT_NOT_FOUND"));
        assert!(facts.failed && facts.not_found);
        assert_eq!(doc.root().path(&["meta", "profile"]).unwrap().text().unwrap(), GPC_OUTCOME);
        assert_eq!(doc.root().path(&["issue", "details"]).unwrap().get("coding").unwrap().items().count(), 1);
    }

    #[test]
    fn free_text_of_a_source_is_not_a_code() {
        let text = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"x","details":{"coding":[{"code":"patient 999"}]}}]}"#;
        let doc = Document::scan(text.as_bytes().to_vec(), &Limits::default()).unwrap();
        assert_eq!(read_outcome(doc.root()).unwrap().spine, None);
    }

    #[test]
    fn the_proxy_is_told_from_the_source() {
        for (system, of_proxy) in [
            ("http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0", true),
            ("https://fhir.nhs.uk/StructureDefinition/spine-operationoutcome-1", true),
            (SPINE_CODES, false),
            ("", false),
        ] {
            let text = format!(
                r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"forbidden","details":{{"coding":[{{"system":"{system}","code":"403"}}]}}}}]}}"#
            );
            let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
            assert_eq!(read_outcome(doc.root()).unwrap().of_proxy, of_proxy, "{system}");
        }
    }

    #[test]
    fn warnings_say_what_is_missing() {
        let check = |severity: &str, code: &str, suppressed: bool, incomplete: bool| {
            let text = format!(
                r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","code":"{code}"}}]}}"#
            );
            let doc = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
            let omits = read_outcome(doc.root()).unwrap().omits;
            assert_eq!(omits, Omissions { suppressed, incomplete }, "{severity} {code}");
        };
        check("warning", "suppressed", true, false);
        check("information", "suppressed", true, false);
        for code in ["incomplete", "too-costly", "timeout", "processing", ""] {
            check("warning", code, false, true);
            check("", code, false, true);
            check("error", code, false, false);
            check("fatal", code, false, false);
        }
        check("information", "timeout", false, true);
        check("information", "informational", false, false);
        check("success", "informational", false, false);
    }
}
