//! How a provider can be told to misbehave.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One way to misbehave. In JSON: `{"kind":"status","status":503}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The right answer, so much later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Takes the request and says nothing.
    HangBeforeHead,
    /// Sends the head and half the body, then nothing.
    HangMidBody,
    /// Sends the right answer slowly.
    SlowDrip {
        /// Bytes of the body in each second.
        bytes_per_second: u32,
    },
    /// Sends half the body, then resets the connection (RST).
    Reset,
    /// Does not listen. Clearing the fault listens again on the same port.
    Refuse,
    /// Another status.
    Status {
        /// Any status of the 4xx and 5xx ranges.
        status: u16,
        /// What the body is.
        #[serde(default)]
        body: ErrorBody,
        /// The Spine error code of the `OperationOutcome`.
        #[serde(default)]
        spine_code: Option<String>,
        /// The `Retry-After` header in seconds.
        #[serde(default)]
        retry_after_secs: Option<u32>,
    },
    /// 200 with an `OperationOutcome` where a Bundle is due.
    OutcomeInOk {
        /// The Spine error code of the `OperationOutcome`.
        #[serde(default)]
        spine_code: Option<String>,
    },
    /// Half of the right JSON with the right length for that half.
    TruncatedJson,
    /// Half of the body that `Content-Length` announces, then a close.
    ShortBody,
    /// An HTML page with status 200.
    WrongContentType,
    /// The right Bundle, padded with entries.
    HugeBody {
        /// Size in MB; at most 512.
        megabytes: u32,
    },
    /// The right Bundle with one resource that is nested very deeply.
    DeepNesting {
        /// Levels; at most a million.
        levels: u32,
    },
    /// The right Bundle with keys given twice, with different values.
    DuplicateKeys,
    /// The right record under another person's NHS number.
    WrongPatient,
    /// The right Bundle with one statement about a second person in it.
    MixedPatients,
    /// The right Bundle with a second Patient in it.
    TwoPatients,
    /// The right Bundle whose Patient says other things of the same number.
    OtherDetails {
        /// Members of the Patient; `null` takes one out.
        members: serde_json::Map<String, serde_json::Value>,
    },
    /// A DSTU2 Bundle whatever was asked.
    Dstu2,
    /// The right answer with bytes in it that are no UTF-8.
    InvalidUtf8,
    /// 204 without a body.
    EmptyBody,
    /// 302 to another place.
    Redirect {
        /// The `Location`.
        location: String,
    },
    /// A small gzip body that unpacks into a big one.
    GzipBomb {
        /// Unpacked size in MB; at most 4096.
        megabytes: u32,
    },
    /// Chunks of a Bundle that never ends, as fast as they are taken.
    EndlessChunks,
    /// Announces a body of this length and sends none of it.
    LyingLength {
        /// What `Content-Length` says.
        bytes: u64,
    },
    /// The right answer under so many headers more.
    ManyHeaders {
        /// Headers; at most 10,000.
        count: u32,
        /// Length of each value; at most a million.
        bytes: u32,
    },
    /// So many `103 Early Hints`, then the right answer.
    Informational {
        /// At most 1,000.
        count: u32,
    },
    /// 206 with the first half of the right body.
    PartialContent,
    /// The right body under a `Content-Encoding` that it does not have.
    WrongCoding {
        /// `br, gzip`, …
        coding: String,
    },
    /// A failure whose outcome tells of the patient and of the system's inside: see [`TELLTALE`].
    Telltale {
        /// Any status of the 5xx range.
        status: u16,
    },
    /// The right answer with headers that are nobody's business: cookies, credentials, [`TELLTALE`].
    StrayHeaders,
    /// The right Bundle, and another document behind it.
    TrailingDocument,
    /// A Bundle in XML, with a document type that names a file.
    Xml,
    /// The right Bundle with so many empty entries more.
    ManyEntries {
        /// At most two million.
        count: u32,
    },
    /// The right answer with text in it that JSON does not allow, or that readers disagree about.
    BadText {
        /// Which.
        text: BadText,
    },
    /// The right Bundle without its Patient.
    WithoutPatient,
    /// The right record under a number whose check digit is wrong.
    BadCheckDigit,
    /// The answer to somebody else's request: what comes when requests and replies get out of step.
    AnswerOf {
        /// Whose record it is.
        nhs_number: String,
    },
    /// GP only: clinical areas that the practice has switched off.
    DisabledAreas {
        /// `includeReferrals`, …
        parameters: Vec<String>,
    },
}

/// What a system that talks too much says in an error: to be found nowhere.
pub const TELLTALE: &str = "CANARY-7f3a";

/// Text of a [`Fault::BadText`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadText {
    /// A byte order mark before the document.
    ByteOrderMark,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// A NUL byte inside a text.
    Nul,
}

/// The body of a [`Fault::Status`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorBody {
    /// An `OperationOutcome` in the manner of the provider.
    #[default]
    Outcome,
    /// No body.
    Empty,
    /// A page as proxies make it.
    Html,
}

impl Fault {
    /// A status with an `OperationOutcome` of the usual Spine code.
    pub fn status(status: u16) -> Self {
        Self::Status { status, body: ErrorBody::Outcome, spine_code: None, retry_after_secs: None }
    }
}

/// How often a fault happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// Until it is cleared.
    #[default]
    Standing,
    /// For the next request it applies to.
    Once,
}

/// A fault and when it applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    /// How often.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// Only for requests about this patient; absent means for every request.
    #[serde(default)]
    pub nhs_number: Option<String>,
}

impl FaultRule {
    /// The fault, for the next request only.
    pub fn once(fault: Fault) -> Self {
        Self { fault, lifetime: Lifetime::Once, nhs_number: None }
    }

    /// The same rule for one patient only.
    #[must_use]
    pub fn for_patient(mut self, nhs_number: &str) -> Self {
        self.nhs_number = Some(nhs_number.to_owned());
        self
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self { fault, lifetime: Lifetime::Standing, nhs_number: None }
    }
}

/// The faults in force at one provider: at most one for each patient and one for everybody.
#[derive(Debug, Default)]
pub(crate) struct FaultRules(Mutex<Vec<FaultRule>>);

impl FaultRules {
    pub(crate) fn set(&self, rule: FaultRule) {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|known| known.nhs_number != rule.nhs_number);
        rules.push(rule);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn all(&self) -> Vec<FaultRule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The fault for a request; the rule of the patient goes before the rule of everybody.
    pub(crate) fn take(&self, nhs_number: Option<&str>) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_patient =
            |rule: &FaultRule| rule.nhs_number.is_some() && rule.nhs_number.as_deref() == nhs_number;
        let at = rules
            .iter()
            .position(of_patient)
            .or_else(|| rules.iter().position(|rule| rule.nhs_number.is_none()))?;
        let rule = rules.get(at)?;
        let (fault, lifetime) = (rule.fault.clone(), rule.lifetime);
        if lifetime == Lifetime::Once {
            rules.remove(at);
        }
        Some(fault)
    }
}
