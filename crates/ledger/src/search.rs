//! What is looked for. A record is read only if its bytes hold what every match must hold.

use jiff::Timestamp;
use memchr::memmem::Finder;
use tributary_model::{NhsNumber, OdsCode};

use crate::entry::Entry;

/// What is looked for. What is absent matches everything.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// About this patient, by the present number or the one that was asked for.
    pub patient: Option<NhsNumber>,
    /// By this user.
    pub user: Option<String>,
    /// From this organisation.
    pub organisation: Option<OdsCode>,
    /// Only where the glass was broken, or was to be.
    pub break_glass: BreakGlassOnly,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// No more than so many, the newest; absent for all.
    pub newest: Option<usize>,
}

/// Whether only broken glass is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakGlassOnly {
    /// Everything.
    #[default]
    No,
    /// Broken glass.
    Yes,
}

impl Query {
    /// Bytes that every match holds; empty where there are none.
    pub(crate) fn needle(&self) -> String {
        let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let patient = self.patient.map(|patient| text(patient.expose()));
        let user = || self.user.as_deref().map(text);
        let organisation = || self.organisation.as_ref().map(|code| text(code.as_str()));
        patient.or_else(user).or_else(organisation).unwrap_or_default()
    }

    /// Whether a record is one that is looked for.
    pub fn matches(&self, entry: &Entry) -> bool {
        let is_about = |number: &NhsNumber| {
            let patient = entry.patient.as_ref();
            patient.is_some_and(|patient| {
                patient.nhs == number.expose() || patient.asked_as.as_deref() == Some(number.expose())
            })
        };
        let user = entry.user.as_ref();
        let reader = entry.read.as_ref();
        let is_by = |id: &String| {
            user.is_some_and(|user| user.id == *id) || reader.is_some_and(|read| read.reader == *id)
        };
        let is_from = |code: &OdsCode| user.is_some_and(|user| user.org == code.as_str());
        let is_after = |since: &Timestamp| entry.at >= stored(*since);
        let is_before = |until: &Timestamp| entry.at < stored(*until);
        self.patient.as_ref().is_none_or(is_about)
            && self.user.as_ref().is_none_or(is_by)
            && self.organisation.as_ref().is_none_or(is_from)
            && (self.break_glass == BreakGlassOnly::No || entry.is_break_glass())
            && self.since.as_ref().is_none_or(is_after)
            && self.until.as_ref().is_none_or(is_before)
    }

    /// The question in words, without the patient.
    pub fn in_words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.patient.map(|_number| "--patient".to_owned()));
        words.extend(self.user.as_ref().map(|user| format!("--user {user}")));
        words.extend(self.organisation.as_ref().map(|code| format!("--organisation {}", code.as_str())));
        words.extend((self.break_glass == BreakGlassOnly::Yes).then(|| "--break-glass".to_owned()));
        words.extend(self.since.map(|since| format!("--since {since}")));
        words.extend(self.until.map(|until| format!("--until {until}")));
        words.join(" ")
    }
}

/// A moment as records tell it.
fn stored(moment: Timestamp) -> String {
    format!("{moment:.6}")
}

/// Looks at the bytes of records, one after the other.
pub(crate) struct Sieve<'q> {
    query: &'q Query,
    needle: Finder<'static>,
}

impl<'q> Sieve<'q> {
    pub(crate) fn new(query: &'q Query) -> Self {
        let needle = Finder::new(query.needle().as_bytes()).into_owned();
        Self { query, needle }
    }

    /// How many are wanted at most.
    pub(crate) const fn newest(&self) -> Option<usize> {
        self.query.newest
    }

    /// The record, if it is looked for. `Err` for one that holds the bytes and cannot be read.
    pub(crate) fn look(&self, payload: &[u8]) -> Result<Option<Entry>, Unreadable> {
        if self.needle.find(payload).is_none() {
            return Ok(None);
        }
        let entry = Entry::parse(payload).ok_or(Unreadable)?;
        Ok(Some(entry).filter(|entry| self.query.matches(entry)))
    }
}

/// A record that cannot be read may be the one that is looked for.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// The record that a payload ends or follows, read without reading all of it, if it tells how one ended.
pub(crate) fn ended(payload: &[u8]) -> Option<u64> {
    const KINDS: [&[u8]; 2] = [b"{\"v\":1,\"kind\":\"delivery\"", b"{\"v\":1,\"kind\":\"closed_unknown\""];
    const CORR: &[u8] = b"\"corr\":";
    if !KINDS.iter().any(|kind| payload.starts_with(kind)) {
        return None;
    }
    let from = memchr::memmem::find(payload, CORR)? + CORR.len();
    let digits = payload.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit());
    let value = |seq: u64, digit: &u8| seq.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.into_iter().try_fold(0, value)
}
