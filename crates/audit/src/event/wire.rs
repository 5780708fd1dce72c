//! The stored form of the catalogue: field names that never change within a version.

use serde::Serialize;
use tributary_model::{DenyReason, FaultClass, NhsNumber, OdsCode, Requester, Section, SourceId, SpineCode};

use super::{
    Access, Anomaly, AuditRead, Denied, Disclosure, Event, GlassEvent, Intent, Kind, Outcome, PeerCheckpoint,
    SourceEntry, TokenKind,
};
use crate::record::Draft;
use crate::segment::Previous;

/// The version that writes.
const BUILD: &str = env!("CARGO_PKG_VERSION");

#[derive(Default, Serialize)]
struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    req: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corr: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<Consumer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<Patient<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<What>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<Source<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Sent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Reached>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glass: Option<Glass<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly: Option<Odd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<ReadBy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Peer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Changed>,
    /// What the answer was made by.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<MadeBy>,
}

#[derive(Serialize)]
struct User<'a> {
    id: &'a str,
    name: String,
    role: &'static str,
    /// Person and role in the Spine's directory.
    #[serde(rename = "spine_user", skip_serializing_if = "Option::is_none")]
    in_spine: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_profile: Option<&'a str>,
    org: &'a str,
    assurance: &'static str,
}

#[derive(Serialize)]
struct Consumer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spki_sha256: Option<String>,
}

#[derive(Serialize)]
struct Token<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

#[derive(Serialize)]
struct Patient<'a> {
    nhs: &'a str,
    /// The number asked for, when another took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_as: Option<&'a str>,
}

#[derive(Serialize)]
struct Why<'a> {
    purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<&'static str>,
    relationship: &'static str,
    break_glass: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_sha256: Option<String>,
}

#[derive(Serialize)]
struct What {
    interaction: &'static str,
    sections: Vec<&'static str>,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(rename = "source")]
    id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spine: Option<&'static str>,
    bytes: u64,
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    attempts: u32,
}

#[derive(Serialize)]
struct Sent<'a> {
    http: u16,
    completeness: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_digest: Option<String>,
    bytes: u64,
    discrepancies: &'a [&'static str],
}

#[derive(Serialize)]
struct Reached {
    delivered: &'static str,
    bytes: u64,
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct Glass<'a> {
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<&'a str>,
    lasts_secs: u64,
}

#[derive(Serialize)]
struct Odd {
    what: &'static str,
    count: u64,
    limit: u64,
    window_secs: u64,
}

#[derive(Serialize)]
struct ReadBy<'a> {
    what: &'static str,
    reader: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a str>,
}

#[derive(Serialize)]
struct Peer<'a> {
    origin: &'a str,
    size: u64,
    root: String,
}

#[derive(Serialize)]
struct MadeBy {
    build: &'static str,
    config_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maps_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codelists_sha256: Option<String>,
}

#[derive(Serialize)]
struct Changed {
    change: &'static str,
    digest: String,
}

/// What the log writes about itself.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Own {
    /// A run began or ended.
    Run { phase: &'static str, build: &'static str },
    /// A crash left bytes of an unfinished record, which were cut off.
    Recovered { phase: &'static str, bytes: u64 },
    /// A segment file begins.
    Segment {
        phase: &'static str,
        segment: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        previous: Option<Previous>,
    },
    /// An intent of an earlier run has no end.
    ClosedUnknown { corr: u64, outcome: &'static str },
}

impl Own {
    pub(crate) const START: Self = Self::Run { phase: "start", build: BUILD };
    pub(crate) const STOP: Self = Self::Run { phase: "stop", build: BUILD };

    pub(crate) const fn recovered(bytes: u64) -> Self {
        let phase = "recovered";
        Self::Recovered { phase, bytes }
    }

    pub(crate) const fn segment(segment: u32, previous: Option<Previous>) -> Self {
        Self::Segment { phase: "segment", segment, previous }
    }

    pub(crate) const fn closed_unknown(corr: u64) -> Self {
        let outcome = "unknown_crash";
        Self::ClosedUnknown { corr, outcome }
    }
}

/// The stored form of an event, before it has its place.
pub(crate) fn draft(event: &Event) -> Draft {
    let fields = match event {
        Event::Intent(intent) => of_intent(intent),
        Event::Disclosure(disclosure) => of_disclosure(disclosure),
        Event::Denied(denied) => of_denied(denied),
        Event::Trace(access) | Event::Launch(access) => of_access(access),
        Event::Delivery(delivery) => Fields {
            req: Some(delivery.request.to_string()),
            corr: Some(delivery.disclosure.seq),
            delivery: Some(Reached {
                delivered: delivery.delivered.code(),
                bytes: delivery.bytes,
                elapsed_ms: delivery.elapsed_ms,
            }),
            ..Fields::default()
        },
        Event::Security(event) => Fields {
            req: event.request.map(|id| id.to_string()),
            security: Some(event.what.code()),
            source: event.source.as_ref().map(SourceId::as_str),
            patient: event.patient.as_ref().map(of_patient),
            ..Fields::default()
        },
        Event::BreakGlass(event) => of_glass(event),
        Event::Anomaly(event) => of_anomaly(event),
        Event::AuditRead(event) => of_read(event),
        Event::PeerCheckpoint(event) => of_peer(event),
        Event::Config(event) => Fields {
            config: Some(Changed { change: event.change.code(), digest: event.digest.to_string() }),
            ..Fields::default()
        },
    };
    Draft::new(event.kind(), &json(&fields))
}

/// The stored form of a record the log writes about itself.
pub(crate) fn own_draft(own: &Own) -> Draft {
    let kind = match own {
        Own::ClosedUnknown { .. } => Kind::ClosedUnknown,
        Own::Run { .. } | Own::Recovered { .. } | Own::Segment { .. } => Kind::Lifecycle,
    };
    Draft::new(kind, &json(own))
}

#[expect(clippy::expect_used, reason = "these structs have text keys and infallible fields only")]
fn json(fields: &impl Serialize) -> String {
    serde_json::to_string(fields).expect("structs of text and numbers are always JSON")
}

fn of_access(access: &Access) -> Fields<'_> {
    Fields {
        req: Some(access.request.to_string()),
        user: Some(of_requester(&access.requester)),
        consumer: of_consumer(access),
        token: of_token(access),
        patient: access.patient.as_ref().map(|patient| Patient {
            asked_as: access.asked_as.as_ref().map(NhsNumber::expose),
            ..of_patient(patient)
        }),
        why: Some(Why {
            purpose: access.purpose.code(),
            rule: None,
            denied: None,
            relationship: access.relationship.code(),
            break_glass: access.break_glass.code(),
            policy_sha256: access.policy.map(|digest| digest.to_string()),
        }),
        what: Some(What {
            interaction: access.interaction.code(),
            sections: access.sections.iter().map(Section::code).collect(),
        }),
        ..Fields::default()
    }
}

fn of_requester(requester: &Requester) -> User<'_> {
    User {
        id: &requester.user_id,
        name: format!("{} {}", requester.given, requester.family),
        role: requester.role.code(),
        in_spine: requester.spine.user.as_deref(),
        role_profile: requester.spine.role_profile.as_deref(),
        org: requester.organisation.as_str(),
        assurance: requester.assurance.code(),
    }
}

fn of_consumer(access: &Access) -> Option<Consumer<'_>> {
    let consumer = Consumer {
        id: access.proof.consumer.as_deref(),
        asid: access.requester.asid.as_deref(),
        spki_sha256: access.proof.certificate_spki.map(|digest| digest.to_string()),
    };
    let is_known = consumer.id.is_some() || consumer.asid.is_some() || consumer.spki_sha256.is_some();
    is_known.then_some(consumer)
}

fn of_token(access: &Access) -> Option<Token<'_>> {
    let token = Token {
        iss: access.proof.token_issuer.as_deref(),
        jti_sha256: access.proof.token_id.map(|digest| digest.to_string()),
        kind: access.proof.token_kind.map(TokenKind::code),
    };
    let is_known = token.iss.is_some() || token.jti_sha256.is_some() || token.kind.is_some();
    is_known.then_some(token)
}

fn of_patient(patient: &NhsNumber) -> Patient<'_> {
    Patient { nhs: patient.expose(), asked_as: None }
}

fn of_intent(intent: &Intent) -> Fields<'_> {
    let mut fields = of_access(&intent.access);
    fields.why = fields.why.map(|why| Why { rule: Some(&*intent.rule), ..why });
    fields.expected = Some(intent.expected.iter().map(SourceId::as_str).collect());
    fields
}

fn of_disclosure(disclosure: &Disclosure) -> Fields<'_> {
    let mut fields = of_access(&disclosure.access);
    fields.corr = Some(disclosure.intent.seq);
    fields.patient = fields.patient.or_else(|| disclosure.found.as_ref().map(of_patient));
    fields.why = fields.why.map(|why| Why { rule: Some(&*disclosure.rule), ..why });
    fields.sources = Some(disclosure.sources.iter().map(of_source).collect());
    fields.outcome = Some(of_outcome(&disclosure.outcome));
    let made = disclosure.outcome.made.as_ref();
    fields.made_by = Some(MadeBy {
        build: BUILD,
        config_sha256: disclosure.config.to_string(),
        as_of: made.map(|made| made.as_of.clone()),
        form: made.map(|made| made.form),
        since: made.and_then(|made| made.since.clone()),
        maps_sha256: made.map(|made| made.maps.to_string()),
        codelists_sha256: made.map(|made| made.codelists.to_string()),
    });
    fields
}

fn of_denied(denied: &Denied) -> Fields<'_> {
    let mut fields = of_access(&denied.access);
    fields.corr = denied.intent.map(|intent| intent.seq);
    let (rule, reason) = (denied.denial.rule.as_deref(), denied.denial.reason.code());
    fields.why = fields.why.map(|why| Why { rule, denied: Some(reason), ..why });
    fields
}

fn of_glass(event: &GlassEvent) -> Fields<'_> {
    let mut fields = of_access(&event.access);
    fields.why = fields.why.map(|why| Why { denied: event.reason.map(DenyReason::code), ..why });
    fields.glass = Some(Glass {
        decision: event.decision.code(),
        approver: event.approver.as_deref(),
        lasts_secs: event.lasts_secs,
    });
    fields
}

fn of_anomaly(event: &Anomaly) -> Fields<'_> {
    Fields {
        req: event.request.map(|id| id.to_string()),
        user: event.requester.as_deref().map(of_requester),
        patient: event.patient.as_ref().map(of_patient),
        anomaly: Some(Odd {
            what: event.what.code(),
            count: event.count,
            limit: event.limit,
            window_secs: event.window_secs,
        }),
        ..Fields::default()
    }
}

fn of_read(event: &AuditRead) -> Fields<'_> {
    Fields {
        req: event.request.map(|id| id.to_string()),
        patient: event.patient.as_ref().map(of_patient),
        read: Some(ReadBy {
            what: event.what.code(),
            reader: &event.reader,
            org: event.organisation.as_ref().map(OdsCode::as_str),
            query_sha256: event.query.map(|digest| digest.to_string()),
            records: event.records,
            case: event.case.as_deref(),
            question: event.question.as_deref(),
        }),
        ..Fields::default()
    }
}

fn of_peer(event: &PeerCheckpoint) -> Fields<'_> {
    let peer = Peer { origin: &event.origin, size: event.size, root: event.root.to_string() };
    Fields { peer: Some(peer), ..Fields::default() }
}

fn of_source(entry: &SourceEntry) -> Source<'_> {
    Source {
        id: entry.source.as_str(),
        status: entry.status.code(),
        class: entry.fault.map(FaultClass::code),
        http: entry.http,
        spine: entry.spine.map(SpineCode::as_str),
        bytes: entry.bytes,
        elapsed_ms: entry.elapsed_ms,
        fetch_id: entry.fetch_id.map(|id| id.to_string()),
        digest: entry.digest.map(|digest| digest.to_string()),
        content: entry.content.map(|digest| digest.to_string()),
        attempts: entry.attempts,
    }
}

fn of_outcome(outcome: &Outcome) -> Sent<'_> {
    Sent {
        http: outcome.http,
        completeness: outcome.completeness.code(),
        bundle_digest: outcome.bundle_digest.map(|digest| digest.to_string()),
        bytes: outcome.bytes,
        discrepancies: &outcome.discrepancies,
    }
}
