//! One look at a record in words, for a page or a screen.

use super::words::{self, Names};
use super::{is_look, moment};
use crate::entry::Entry;
use crate::found::{Found, Hit};

/// What came of somebody's wish to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookOutcome {
    /// Something of the record was given.
    Shown,
    /// An answer was given, with nothing of the record in it; or none is on record.
    Nothing,
    /// It was not allowed.
    Refused,
}

/// Somebody looked, or wanted to: in words for the patient, with nothing clinical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When: UTC with six decimals.
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
    /// What became of it.
    pub outcome: LookOutcome,
    /// Why it was allowed or refused: the end of a sentence that begins with neither.
    pub because: String,
    /// What was looked at or asked for.
    pub asked: String,
    /// Where what was shown came from.
    pub sources: Vec<String>,
    /// What was not shown, in sentences.
    pub not_shown: Vec<String>,
    /// That the emergency override was used or asked for.
    pub emergency: Option<String>,
    /// Whether an answer arrived: a sentence.
    pub reached: String,
    /// Names the entry of the log.
    pub entry: String,
}

/// Something else on record about the patient, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// When: UTC with six decimals.
    pub at: String,
    /// When, as it was on clocks in England.
    pub when: String,
    /// What.
    pub says: String,
    /// Names the entry of the log.
    pub entry: String,
}

/// Who looked at one person's record, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Every look.
    pub rows: Vec<Look>,
    /// What else is on record.
    pub asides: Vec<Aside>,
    /// How many older records were left out.
    pub older: u64,
    /// Why this may not be all, in sentences; empty where the log is whole.
    pub warnings: Vec<String>,
}

const WARNING: &str = "Part of the audit log is missing or cannot be read, so this list may not be complete. The people \
                       who run the shared care record have to look into this and tell you.";

impl Looks {
    /// What was found, in words. One looking is told once.
    pub fn of(found: Found, names: &Names) -> Self {
        let found = found.one_look_each();
        let of = |which: bool| found.hits.iter().rev().filter(move |hit| is_look(&hit.entry) == which);
        let warning = (!found.gaps.is_empty()).then(|| WARNING.to_owned());
        Self {
            rows: of(true).map(|hit| Look::of(hit, names)).collect(),
            asides: of(false).filter_map(|hit| Aside::of(hit, names)).collect(),
            older: found.older,
            warnings: warning.into_iter().collect(),
        }
    }
}

impl Look {
    /// From an entry of the log.
    pub(crate) fn of(hit: &Hit, names: &Names) -> Self {
        let entry = &hit.entry;
        let user = entry.user.clone().unwrap_or_default();
        let why = entry.why.clone().unwrap_or_default();
        let what = entry.what.clone().unwrap_or_default();
        let became = if why.denied.is_some() { "asked for" } else { "used" };
        let outcome = match why.denied {
            Some(_) => LookOutcome::Refused,
            None if entry.is_answer() => LookOutcome::Shown,
            None => LookOutcome::Nothing,
        };
        let because = match why.denied.as_deref() {
            Some(reason) => format!("because {}. Nothing was given.", words::denial(reason)),
            None => format!("because {}", names.rule(why.rule.as_deref())),
        };
        Self {
            at: entry.at.clone(),
            when: moment(&entry.at),
            who: user.name,
            role: words::role(&user.role).to_owned(),
            organisation: names.organisation(&user.org),
            why: words::purpose(&why.purpose).to_owned(),
            outcome,
            because,
            asked: words::asked(&what.interaction, &what.sections),
            sources: giving(entry, names),
            not_shown: if entry.kind == "disclosure" { not_shown(entry, names) } else { Vec::new() },
            emergency: entry
                .is_break_glass()
                .then(|| format!("The emergency override was {became}, and a reason was given at the time.")),
            reached: words::reached(entry, hit.end.as_ref()).to_owned(),
            entry: hit.name(),
        }
    }
}

/// The sources of which something was given.
fn giving(entry: &Entry, names: &Names) -> Vec<String> {
    let gave = |status: &str| status.starts_with("ok") && status != "ok-empty" || status == "withheld-source";
    let sources = entry.sources.iter().filter(|source| entry.is_answer() && gave(&source.status));
    sources.map(|source| names.source(&source.source)).collect()
}

fn not_shown(entry: &Entry, names: &Names) -> Vec<String> {
    let mut said = Vec::new();
    for source in &entry.sources {
        let words = words::missing(&source.status);
        said.extend(words.map(|words| format!("{} {words}", names.source(&source.source))));
    }
    let sections = entry.what.as_ref().map(|what| what.sections.as_slice()).unwrap_or_default();
    said.extend(words::sections_left_out(sections));
    if !entry.is_answer() {
        said.insert(0, "Nothing from the record was given.".to_owned());
    }
    if said.is_empty() {
        said.push("Nothing was held back by this service.".to_owned());
    }
    said
}

impl Aside {
    /// From an entry of the log; `None` where it tells the patient nothing.
    pub(crate) fn of(hit: &Hit, names: &Names) -> Option<Self> {
        let entry = &hit.entry;
        let source = entry.source.as_deref().map(|source| names.source(source)).unwrap_or_default();
        let user = entry.user.as_ref();
        let who = user.map(|user| format!("{} ({})", user.name, names.organisation(&user.org)));
        let says = match entry.kind.as_str() {
            "trace" => format!(
                "the national register of patients was asked who you are, for {}.",
                who.unwrap_or_else(|| "a request".to_owned())
            ),
            "launch" => format!(
                "the page of your record was called up from another system, for {}. Whether it was shown is told above.",
                who.unwrap_or_else(|| "somebody".to_owned())
            ),
            "security" => {
                let what = words::security(entry.security.as_deref().unwrap_or_default());
                let end = if source.is_empty() { String::new() } else { format!(" {source}") };
                format!("{what}{end}.")
            }
            "break_glass" => format!(
                "{} asked to use the emergency override, which was {}.",
                who.unwrap_or_default(),
                entry.glass.as_ref().map_or("noted", |glass| words::glass(&glass.decision)),
            ),
            "anomaly" => format!(
                "the service noticed that {} out of the ordinary.",
                match who {
                    Some(who) => format!("what {who} did was"),
                    None => "something was".to_owned(),
                }
            ),
            "audit_read" => {
                let read = entry.read.as_ref()?;
                let case = read.case.as_deref().map(|case| format!(" for case {case}")).unwrap_or_default();
                format!("{} read this audit log about you{case}.", read.reader)
            }
            _ => return None,
        };
        Some(Self { at: entry.at.clone(), when: moment(&entry.at), says, entry: hit.name() })
    }
}
