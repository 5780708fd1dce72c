//! Codes in words that need no explanation.

use std::collections::BTreeMap;

use tributary_model::Section;

use crate::entry::Entry;

/// What sources, organisations and rules are called. What is not there is called by its code.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Sources by id.
    pub sources: BTreeMap<String, String>,
    /// Organisations by ODS code.
    pub organisations: BTreeMap<String, String>,
    /// Rules by id, as the end of a sentence that begins with "because".
    pub rules: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn source(&self, id: &str) -> String {
        self.sources.get(id).cloned().unwrap_or_else(|| format!("The source \"{id}\""))
    }

    pub(super) fn organisation(&self, code: &str) -> String {
        match self.organisations.get(code) {
            Some(name) => format!("{name} (code {code})"),
            None => format!("the organisation with code {code}"),
        }
    }

    pub(super) fn rule(&self, id: Option<&str>) -> String {
        let Some(id) = id else { return "no rule is on record.".to_owned() };
        // Several rules may have permitted one access; the log joins their ids.
        let known: Vec<_> = id.split('+').filter_map(|one| self.rules.get(one)).map(String::as_str).collect();
        let words = (!known.is_empty()).then(|| known.join(", and "));
        match (words, id) {
            (Some(words), _) => format!("{words} (rule \"{id}\")."),
            (None, "demo-direct-care") => "this is a demonstration with invented patients, in which the person who \
                                           asks is taken to be caring for the patient (rule \"demo-direct-care\")."
                .to_owned(),
            (None, _) => format!("a rule of the shared care record allows it (rule \"{id}\")."),
        }
    }
}

pub(super) fn role(code: &str) -> &str {
    match code {
        "ambulance" => "ambulance crew",
        "111-handler" => "call handler of NHS 111",
        "ucr-clinician" => "clinician of an urgent community response team",
        "community-nurse" => "community nurse",
        "gp" => "doctor or nurse of a GP practice",
        "ahp" => "allied health professional",
        "health-visitor" => "health visitor",
        "midwife" => "midwife",
        "pharmacist" => "pharmacist",
        "mental-health" => "mental health professional",
        "social-worker" => "social worker",
        "social-care-nonclinical" => "social care worker",
        "care-manager" => "manager or senior carer of a care provider",
        "home-carer" => "home carer",
        "patient" => "the patient",
        "information-governance" => "information governance officer",
        "admin" => "administrator",
        "system" => "a computer system",
        "" => "role not on record",
        other => other,
    }
}

pub(super) fn purpose(code: &str) -> &str {
    match code {
        "directcare" | "direct-care" => "To care for you.",
        "urgent-care" | "urgentcare" => "To care for you urgently.",
        "patientaccess" => "To show you your own record.",
        "safeguarding" => "To keep you or somebody else safe.",
        "audit" => "To check how records are used.",
        "test" => "To test the service.",
        "" => "Not on record.",
        other => other,
    }
}

pub(super) fn denial(code: &str) -> &str {
    match code {
        "no-rule" => "no rule allows it for this person's role and purpose",
        "break-glass-not-offered" => "the emergency override is not offered",
        "reason-for-request" | "requested-scope" => {
            "it was not what this person's system had said they would ask for"
        }
        _ => "the rules do not allow it, or you or your practice asked for it not to be shared",
    }
}

/// A section in words.
fn section(code: &str) -> &str {
    match code {
        "plans" => "care plans",
        "flags" => "alerts",
        "allergies" => "allergies",
        "medications" => "medicines",
        "problems" => "health problems",
        "results" => "test results",
        "reports" => "reports of tests and scans",
        "encounters" => "visits and consultations",
        "procedures" => "operations and procedures",
        "immunisations" => "vaccinations",
        "documents" => "letters and documents",
        "referrals" => "referrals",
        "diary" => "reminders",
        "appointments" => "appointments",
        "socialcare" => "social care",
        "uncategorised" => "other entries",
        other => other,
    }
}

pub(super) fn asked(interaction: &str, sections: &[String]) -> String {
    let listed = listed(sections.iter().map(|code| section(code)));
    let kinds = if sections.len() == Section::ALL.len() { "every kind of entry".to_owned() } else { listed };
    match interaction {
        "record" | "record-stream" => format!("the shared record: {kinds}."),
        "print" => format!("the shared record, to be printed: {kinds}."),
        "summary" => format!("a summary of the record: {kinds}."),
        "binary" => "one letter or document.".to_owned(),
        "gpconnect-structured" => "the GP record.".to_owned(),
        "gpconnect-documents" => {
            "the list of letters and documents at the GP practice, or one of them.".to_owned()
        }
        "gpconnect-foundations" => "who you are and which GP practice you belong to.".to_owned(),
        other => format!("{other}: {kinds}."),
    }
}

/// What was not asked for, or not allowed, where sections were chosen.
pub(super) fn sections_left_out(sections: &[String]) -> Option<String> {
    if sections.is_empty() {
        return None;
    }
    let is_left_out = |one: &&Section| !sections.iter().any(|code| code == one.code());
    let left_out: Vec<&str> =
        Section::ALL.iter().filter(is_left_out).map(|one| section(one.code())).collect();
    let words = || format!("Not asked for, or not for this role: {}.", listed(left_out.iter().copied()));
    (!left_out.is_empty()).then(words)
}

fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        None => "nothing in particular".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// Why something of a source was not shown; `None` where all of it was.
pub(super) fn missing(status: &str) -> Option<&'static str> {
    Some(match status {
        "ok" | "ok-cached" => return None,
        "ok-empty" => "was asked and had nothing to show.",
        "ok-stale" => "was shown as it was a while before.",
        "ok-truncated" => "was shown in part: there was more than could be sent.",
        "no-record" => "has no record of you.",
        "withheld-consent" => "was not shown: you have asked for your record there not to be shared.",
        "withheld-source" => "kept a part back, and was shown without it.",
        "withheld-policy" => "was not shown: it is not for this person's role.",
        "denied" => "refused, and was not shown.",
        "timeout" => "did not answer in time, and was not shown.",
        "unavailable" => "could not be reached, and was not shown.",
        "shed" => "was too busy, and was not shown.",
        "invalid" => "sent an answer that could not be used, and was not shown.",
        "identity-mismatch" => "sent an answer that may be about somebody else, and was not shown.",
        "not-queried" => "was not asked.",
        _ => "was not shown in full.",
    })
}

/// Whether an answer arrived.
pub(super) fn reached(entry: &Entry, end: Option<&Entry>) -> &'static str {
    let delivered = end.and_then(|end| end.delivery.as_ref()).map(|delivery| delivery.delivered.as_str());
    match (entry.kind.as_str(), delivered) {
        ("denied", _) => "Nothing was sent.",
        ("intent", _) => "Not known: the service stopped before the answer was sent or recorded.",
        (_, Some("whole")) => "Yes, the answer was sent whole.",
        (_, Some("aborted")) => "In part: the connection ended before all of it was sent.",
        (_, Some("not-sent")) => "No, nothing of it was sent.",
        _ => "Not known.",
    }
}

pub(super) fn security(code: &str) -> &'static str {
    match code {
        "identity-mismatch" => {
            "an answer that was or may have been about somebody else was kept back. It came from"
        }
        "identity-switch" => "after answers about the wrong person, the service stopped asking",
        "launch-refused" => {
            "somebody's attempt to open your record with an address that was not good any more was refused"
        }
        "forbidden-address" => "an answer that pointed to a strange address was kept back. It came from",
        _ => "a request was refused for reasons of security, concerning",
    }
}

pub(super) fn glass(decision: &str) -> &'static str {
    match decision {
        "opened" => "allowed",
        "refused" => "refused",
        _ => "noted",
    }
}
