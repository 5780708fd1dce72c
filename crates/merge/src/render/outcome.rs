//! The first entry: what became of every expected source and every section.

use tributary_fhir::outcome::{ExtensionValue, SPINE_CODES, SimpleExtension};
use tributary_fhir::{Issue, Notice, Outcome};
use tributary_model::PatientNote;

use crate::gaps::SourceRecord;
use crate::record::Record;
use crate::words;
use tributary_statements::cascade::{self, Relayed};

pub(super) fn of(record: &Record<'_>) -> Outcome {
    let statuses = record.sources.iter().map(status);
    let notices =
        record.sources.iter().flat_map(|source| source.notices.iter().map(|one| notice(source, one)));
    let relayed =
        record.sources.iter().flat_map(|source| source.relayed.iter().map(|one| relayed(source, one)));
    let notices = notices.chain(relayed);
    let patient = record.inputs.notes.iter().copied().map(patient_note);
    let view = (!record.inputs.answers.views().is_whole()).then(role_note);
    Outcome { issues: statuses.chain(notices).chain(patient).chain(view).collect(), ..Outcome::default() }
}

fn extension(url: &'static str, value: ExtensionValue) -> SimpleExtension {
    SimpleExtension { url, value }
}

fn source_extension(source: &SourceRecord<'_>) -> SimpleExtension {
    extension("urn:x-tributary:source", ExtensionValue::String(source.card.id.to_string()))
}

fn status(source: &SourceRecord<'_>) -> Issue {
    let mut extensions = vec![
        source_extension(source),
        extension("urn:x-tributary:source-name", ExtensionValue::String(source.card.name.clone())),
        extension("urn:x-tributary:latency-ms", ExtensionValue::Unsigned(source.answer.latency_ms)),
    ];
    if let Some(last) = source.answer.last_answered.filter(|_| !source.status.carries_statements()) {
        extensions
            .push(extension("urn:x-tributary:last-answered", ExtensionValue::Instant(last.to_string())));
    }
    let issue = Issue {
        severity: source.status.severity(),
        code: source.status.issue_code(),
        extensions,
        text: Some(words::status(source)),
        ..Issue::default()
    };
    let issue = issue.coded("urn:x-tributary:source-status", source.status.code(), None);
    match source.spine() {
        Some(spine) => issue.coded(SPINE_CODES, spine.as_str(), None),
        None => issue,
    }
}

/// What a broker says of one of its sources, under systems of its own: it is no status of an expected source.
fn relayed(source: &SourceRecord<'_>, one: &Relayed) -> Issue {
    let mut extensions = vec![
        source_extension(source),
        extension(cascade::RELAYED_SOURCE, ExtensionValue::String(one.source.clone())),
    ];
    if let Some(section) = one.section {
        extensions
            .push(extension("urn:x-tributary:section", ExtensionValue::Code(section.code().to_owned())));
    }
    let system = if one.is_status { cascade::RELAYED_STATUS } else { cascade::RELAYED_NOTICE };
    let (severity, code) = (one.severity, one.code);
    let issue = Issue { severity, code, extensions, text: Some(one.words.clone()), ..Issue::default() };
    issue.coded(system, one.what, None)
}

fn patient_note(note: PatientNote) -> Issue {
    let (severity, code) = (note.severity(), "informational");
    let issue = Issue { severity, code, text: Some(note.words().to_owned()), ..Issue::default() };
    issue.coded("urn:x-tributary:patient-note", note.code(), None)
}

/// That this is not the whole record. Always the same words, whether anything was withheld or not.
fn role_note() -> Issue {
    let text = "This is the part of the record that your role may see. Entries may exist that are not shown.";
    let issue = Issue {
        severity: "information",
        code: "suppressed",
        text: Some(text.to_owned()),
        ..Issue::default()
    };
    issue.coded("urn:x-tributary:role-view", "limited", None)
}

fn notice(source: &SourceRecord<'_>, notice: &Notice) -> Issue {
    let mut extensions = vec![source_extension(source)];
    if let Some(section) = notice.section {
        extensions
            .push(extension("urn:x-tributary:section", ExtensionValue::Code(section.code().to_owned())));
    }
    if let Some(count) = notice.count {
        extensions.push(extension("urn:x-tributary:count", ExtensionValue::Unsigned(u64::from(count))));
    }
    let issue = Issue {
        severity: notice.kind.severity(),
        code: notice.kind.issue_code(),
        extensions,
        text: Some(words::notice(&source.card.name, notice)),
        ..Issue::default()
    };
    issue.coded("urn:x-tributary:section-notice", notice.kind.code(), None)
}
