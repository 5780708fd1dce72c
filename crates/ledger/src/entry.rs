//! One stored record, read. What a later version adds is passed over; what an earlier one lacks is absent.

use serde::Deserialize;

/// A record of the log, with the fields that are told, searched and handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Code of its kind.
    pub kind: String,
    /// Its number in its node's log.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// When: UTC with six decimals, which sorts as text.
    pub at: String,
    /// The request that it belongs to.
    pub req: Option<String>,
    /// The number of the record that it ends.
    pub corr: Option<u64>,
    /// Who.
    pub user: Option<User>,
    /// The system that called.
    pub consumer: Option<Consumer>,
    /// The token that told who.
    pub token: Option<Token>,
    /// About whom.
    pub patient: Option<Patient>,
    /// Why.
    pub why: Option<Why>,
    /// What was asked.
    pub what: Option<What>,
    /// The sources that were to be asked.
    pub expected: Vec<String>,
    /// What became of each.
    pub sources: Vec<Source>,
    /// What was sent. Of an intent without an end the record has a word here, which is passed over.
    #[serde(deserialize_with = "sent")]
    pub outcome: Option<Outcome>,
    /// Whether it arrived.
    pub delivery: Option<Delivery>,
    /// What a security officer must see.
    pub security: Option<String>,
    /// At which source.
    pub source: Option<String>,
    /// What became of a wish to break the glass.
    pub glass: Option<Glass>,
    /// What was out of the ordinary.
    pub anomaly: Option<Anomaly>,
    /// Who read the log, and for what.
    pub read: Option<Read>,
    /// What the log tells of itself.
    pub phase: Option<String>,
}

/// Who asked, as they were at that moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct User {
    /// What their own system calls them.
    pub id: String,
    /// Given and family name.
    pub name: String,
    /// Code of the role.
    pub role: String,
    /// Role profile in the Spine's directory.
    pub role_profile: Option<String>,
    /// ODS code of the organisation.
    pub org: String,
    /// How they were established.
    pub assurance: String,
}

/// The system that called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Consumer {
    /// As the configuration names it.
    pub id: Option<String>,
    /// Its system id.
    pub asid: Option<String>,
}

/// The token that told who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Token {
    /// Who issued it.
    pub iss: Option<String>,
    /// SHA-256 of its own id.
    pub jti_sha256: Option<String>,
}

/// About whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Patient {
    /// NHS number.
    pub nhs: String,
    /// The number that the caller used, where it was replaced.
    pub asked_as: Option<String>,
}

/// Why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Why {
    /// Code of the purpose.
    pub purpose: String,
    /// The rule that permitted it.
    pub rule: Option<String>,
    /// Why it was refused.
    pub denied: Option<String>,
    /// Whether the glass was broken.
    pub break_glass: String,
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct What {
    /// Code of the interaction.
    pub interaction: String,
    /// Codes of the sections.
    pub sections: Vec<String>,
}

/// What became of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Which.
    pub source: String,
    /// Code of its status.
    pub status: String,
}

/// What was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// HTTP status.
    pub http: u16,
    /// Whether the record was whole.
    pub completeness: String,
    /// Digest of what was sent.
    pub bundle_digest: Option<String>,
}

/// Whether it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Delivery {
    /// How far it got.
    pub delivered: String,
}

/// What became of a wish to break the glass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Glass {
    /// `opened` or `refused`.
    pub decision: String,
}

/// What was out of the ordinary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Anomaly {
    /// Code.
    pub what: String,
}

/// Who read the log, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Read {
    /// `search`, `patient-report`, `export` or `replay`.
    pub what: String,
    /// Who.
    pub reader: String,
    /// For which case.
    pub case: Option<String>,
    /// The question in words.
    pub question: Option<String>,
    /// How many records were handed over.
    pub records: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SentOrWord {
    Sent(Outcome),
    Word(serde::de::IgnoredAny),
}

fn sent<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Outcome>, D::Error> {
    Ok(match Option::<SentOrWord>::deserialize(from)? {
        Some(SentOrWord::Sent(sent)) => Some(sent),
        Some(SentOrWord::Word(_)) | None => None,
    })
}

impl Entry {
    /// Reads a payload; `None` for what is no record.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    /// Whether the glass was broken, or was to be.
    pub fn is_break_glass(&self) -> bool {
        self.kind == "break_glass" || self.why.as_ref().is_some_and(|why| why.break_glass == "reason-given")
    }

    /// Whether something of a record was sent.
    pub fn is_answer(&self) -> bool {
        self.kind == "disclosure" && self.outcome.as_ref().is_some_and(|sent| (200..300).contains(&sent.http))
    }
}
