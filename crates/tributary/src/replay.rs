//! A disclosure is made again from its sources, and compared with what is on record of it. Nothing of it is kept.

mod compare;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tributary_audit::{AuditError, AuditRead, AuditReadKind, Digest, Event, Notary};
use tributary_broker::{Lasting, Refusal};
use tributary_model::requester::Assurance;
use tributary_model::{
    Deadline, FhirDate, FixedClock, Freshness, Handling, MemoryBudget, NhsNumber, OdsCode, Priority, Purpose,
    RecordForm, RecordRequest, Relationship, RequestId, Requester, Role, Section, SectionSet, SpineIds,
};
use tributary_telemetry::Metrics;

use crate::checked::Checked;
use crate::error::StartError;
use crate::running::open_trail;
use crate::wire::{Ground, counted, wire_for};
use tributary_settings::SignalSettings;

pub(crate) use compare::Comparison;

/// Where the records of replays are, below the log of the configuration: that one belongs to the broker that runs.
const OWN_LOG: &str = "replays";

/// Why a disclosure cannot be made again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotReplay {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// There is no such record, or the log is damaged before it.
    #[error("there is no such record in a log that is whole up to it")]
    Missing,
    /// It is a record of something else.
    #[error("it is no disclosure of a record")]
    NoRecord,
    /// It was written by a version that did not write down enough.
    #[error("it does not say {0}")]
    Unsaid(&'static str),
    /// Nothing can be asked.
    #[error("the sources cannot be asked")]
    Start(#[from] StartError),
    /// What is asked cannot be put on record.
    #[error("it cannot be put on record that this is asked")]
    Audit(#[source] AuditError),
    /// No answer came of it.
    #[error("no record came of it")]
    Refused(#[source] Refusal),
}

/// What is on record of a disclosure.
#[derive(Debug)]
pub(crate) struct Then {
    pub(crate) seq: u64,
    pub(crate) record: Value,
    as_of: jiff::Timestamp,
    form: RecordForm,
    since: Option<FhirDate>,
    patient: NhsNumber,
    sections: SectionSet,
    purpose: Purpose,
    relationship: Relationship,
    role: Role,
    organisation: OdsCode,
    assurance: Assurance,
}

impl Then {
    /// Finds the disclosure with this number.
    pub(crate) fn find(dir: &Path, seq: u64) -> Result<Self, CannotReplay> {
        let text = tributary_audit::find(dir, seq).map_err(CannotReplay::Unreadable)?;
        let text = text.ok_or(CannotReplay::Missing)?;
        let record = serde_json::from_str(&text).map_err(|_no_json| CannotReplay::Missing)?;
        Self::read(seq, record)
    }

    fn read(seq: u64, record: Value) -> Result<Self, CannotReplay> {
        let is_record = matches!(text(&record, "/what/interaction"), Some("record" | "summary"));
        if text(&record, "/kind") != Some("disclosure") || !is_record {
            return Err(CannotReplay::NoRecord);
        }
        let said = |path, what| text(&record, path).ok_or(CannotReplay::Unsaid(what));
        let since = text(&record, "/made_by/since");
        let sections = record.pointer("/what/sections").and_then(Value::as_array);
        let sections =
            sections.into_iter().flatten().filter_map(Value::as_str).filter_map(Section::from_code);
        let (instant, form) = ("as of when it was made", "in which form it was given");
        let (patient, who) = ("whose record it was", "who asked");
        let assurances = [Assurance::Demo, Assurance::AssertedUnsigned, Assurance::Signed, Assurance::Cis2];
        let proof = said("/user/assurance", who)?;
        let found = Self {
            seq,
            as_of: said("/made_by/as_of", instant)?.parse().map_err(|_none| CannotReplay::Unsaid(instant))?,
            form: RecordForm::from_code(said("/made_by/form", form)?).ok_or(CannotReplay::Unsaid(form))?,
            since: since.and_then(FhirDate::parse),
            patient: NhsNumber::parse(said("/patient/nhs", patient)?)
                .map_err(|_none| CannotReplay::Unsaid(patient))?,
            sections: sections.collect(),
            purpose: Purpose::from_code(said("/why/purpose", "why it was asked for")?)
                .ok_or(CannotReplay::Unsaid("a purpose for which records are given"))?,
            // Absent where it was not said; a word that is none now permits nothing.
            relationship: text(&record, "/why/relationship")
                .and_then(Relationship::from_code)
                .unwrap_or_default(),
            role: Role::from_code(said("/user/role", who)?).ok_or(CannotReplay::Unsaid(who))?,
            organisation: OdsCode::parse(said("/user/org", who)?)
                .map_err(|_none| CannotReplay::Unsaid(who))?,
            assurance: assurances
                .into_iter()
                .find(|one| one.code() == proof)
                .ok_or(CannotReplay::Unsaid("a proof of who asked that can be had again"))?,
            record: Value::Null,
        };
        Ok(Self { record, ..found })
    }

    /// The same request in somebody else's name.
    fn request(&self, who: &str, public_root: &str, deadline: Deadline) -> RecordRequest {
        RecordRequest {
            id: RequestId::random(),
            patient: self.patient,
            sections: self.sections,
            since: self.since,
            purpose: self.purpose,
            relationship: self.relationship,
            break_glass: None,
            requester: Arc::new(Requester {
                user_id: who.to_owned(),
                family: who.to_owned(),
                given: String::new(),
                role: self.role,
                organisation: self.organisation.clone(),
                organisation_name: self.organisation.as_str().to_owned(),
                asid: None,
                spine: SpineIds::default(),
                assurance: self.assurance,
                proof: None,
                priority: Priority::Background,
            }),
            deadline,
            handling: Handling::Lenient,
            freshness: Freshness::FetchNow,
            form: self.form,
            public_root: Arc::from(public_root),
        }
    }
}

fn text<'v>(record: &'v Value, path: &str) -> Option<&'v str> {
    record.pointer(path).and_then(Value::as_str)
}

/// Asks the sources again as they were asked then, in the name of `who`, and compares. That it is asked is on record
/// first, in a log of its own, with intent and disclosure for the purpose of audit.
pub(crate) async fn replay(
    checked: Checked,
    then: &Then,
    who: &str,
    case: &str,
) -> Result<Comparison, CannotReplay> {
    let Checked { mut settings, rules } = checked;
    let dir = settings.audit.dir.join(OWN_LOG);
    settings.audit.dir.clone_from(&dir);
    // Its own log is a directory of its own, in which nobody is asked to witness.
    (settings.audit.postgres, settings.audit.key_file) = (None, None);
    settings.audit.witnesses.clear();
    settings.cache.max_bytes = 0;
    // Whoever replays looks at many on purpose, each for a case.
    settings.signals = SignalSettings { limits: None };
    let trail = open_trail(&settings, Notary::default()).await?;
    trail.record(asked(then, who, case)).await.map_err(CannotReplay::Audit)?;
    let metrics = Arc::new(Metrics::new(&counted(&settings)).map_err(StartError::from)?);
    let ground = Ground {
        lasting: Lasting::new(trail.clone(), Arc::clone(&metrics)),
        trail,
        metrics,
        clock: Arc::new(FixedClock(then.as_of)),
        memory: MemoryBudget::new(settings.limits.memory_bytes),
        data: settings.server.listen,
    };
    let (broker, kept) = wire_for(&settings, rules, &ground, None, Some(Purpose::Audit))?;
    let public_root = settings.server.base_url(ground.data);
    let request = then.request(who, &public_root, Deadline::after(settings.limits.deadline_default));
    let answered = broker.answer(request).await;
    // The record itself goes here; what is on record of it is all that is looked at.
    let number = answered.map(|answer| answer.audit);
    broker.close(settings.server.drain).await;
    drop(kept);
    let number = number.map_err(CannotReplay::Refused)?;
    let seq = number.strip_prefix("local-").and_then(|digits| digits.parse().ok());
    let now =
        tributary_audit::find(&dir, seq.ok_or(CannotReplay::Missing)?).map_err(CannotReplay::Unreadable)?;
    let now: Option<Value> = now.and_then(|text| serde_json::from_str(&text).ok());
    let is_fixed = settings.demo.as_ref().and_then(|demo| demo.as_of) == Some(then.as_of);
    Ok(Comparison::of(then, &now.ok_or(CannotReplay::Missing)?, number, is_fixed))
}

/// What goes on record before anybody is asked.
fn asked(then: &Then, who: &str, case: &str) -> Event {
    Event::AuditRead(AuditRead {
        what: AuditReadKind::Replay,
        reader: who.to_owned(),
        organisation: Some(then.organisation.clone()),
        request: None,
        patient: Some(then.patient),
        query: Some(Digest::of(format!("{} {who} {case}", then.seq).as_bytes())),
        records: Some(1),
        case: Some(case.to_owned()),
        question: Some("replay".to_owned()),
    })
}
