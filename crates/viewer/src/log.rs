//! Who looked at a record, in words for the patient: what a page or a program of theirs is told.

/// One look at a record, in words for the patient.
#[derive(Clone, Debug, Default)]
pub struct LookRow {
    /// When: RFC 3339, UTC.
    pub at: String,
    /// When, as it was on clocks in England.
    pub when: String,
    /// Their name.
    pub who: String,
    /// What they do.
    pub role: String,
    /// Whom they work for.
    pub organisation: String,
    /// What for: a sentence.
    pub why: String,
    /// `shown`, `nothing-shown` or `refused`.
    pub outcome: &'static str,
    /// Why it was allowed or refused.
    pub because: String,
    /// What was looked at or asked for.
    pub asked: String,
    /// Where what was shown came from.
    pub sources: Vec<String>,
    /// What was not shown, in sentences.
    pub not_shown: Vec<String>,
    /// That the emergency override was used or asked for: a sentence.
    pub emergency: Option<String>,
    /// Whether an answer arrived: a sentence.
    pub reached: String,
    /// Names the entry of the audit log.
    pub entry: String,
}

/// Something else that is on record about the patient.
#[derive(Clone, Debug, Default)]
pub struct LookAside {
    /// When: RFC 3339, UTC.
    pub at: String,
    /// When, as it was on clocks in England.
    pub when: String,
    /// What: a sentence.
    pub says: String,
    /// Names the entry of the audit log.
    pub entry: String,
}

/// Who looked at one record, the newest first. Reading it is on record already.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// Every look.
    pub rows: Vec<LookRow>,
    /// What else is on record.
    pub asides: Vec<LookAside>,
    /// How many older records were left out.
    pub older: u64,
    /// Why this may not be all, in sentences; empty where the log that was read is whole.
    pub warnings: Vec<String>,
    /// Which logs were read: a sentence.
    pub covers: String,
    /// The audit record of this reading.
    pub audit: String,
}

/// Why nobody is told who looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLooked {
    /// As many as may are reading the log.
    Busy,
    /// The reading could not be put on record.
    Unrecorded,
    /// The log could not be read.
    Unreadable,
}
