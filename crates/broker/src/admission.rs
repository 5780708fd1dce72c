//! What every request goes through before its intent is on record: the policy's word, and whom it leaves to ask.

use std::sync::Arc;

use tributary_audit::{Access, BreakGlass, GlassDecision};
use tributary_model::requester::Claim;
use tributary_model::{
    Deadline, Denial, DenyReason, Facts, NhsNumber, Obligations, Role, SectionSet, SourceKind,
};
use tributary_telemetry::GlassOutcome;

use crate::broker::{Located, Room};
use crate::glass::Took;
use crate::ledger;
use crate::parts::Mode;
use crate::refusal::Refusal;

/// What becomes of a source's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is written anew, so that a part of it can be left out.
    Merged,
    /// The answer of a source of this kind is passed on as it is: nothing can be taken out of it.
    AsItIs(SourceKind),
}

/// The policy's word on an access to these sections. A refusal is on record before it is told; that the glass is
/// broken before anybody is asked.
pub(crate) async fn permitted(
    room: &Room,
    access: &Arc<Access>,
    sections: SectionSet,
    answered: Answered,
    deadline: Deadline,
) -> Result<Obligations, Refusal> {
    let is_broken = access.break_glass == BreakGlass::ReasonGiven;
    let facts = Facts {
        role: Some(access.requester.role),
        organisation: Some(access.requester.organisation.clone()),
        // What is replayed was permitted to somebody who was proven then.
        is_proven: access.requester.is_proven() || room.is_replay(),
        purpose: Some(access.purpose),
        relationship: access.relationship,
        sections,
        break_glass: is_broken,
        demo: room.mode == Mode::Demo,
    };
    let verdict = match contradicted(access) {
        Some(claim) => Err(DenyReason::Contradicts(claim).into()),
        None if is_own(room, access) => room.decide(&facts, answered),
        None => Err(DenyReason::Forbidden.into()),
    };
    let (verdict, glass) = if is_broken { broken(room, access, verdict) } else { (verdict, None) };
    room.count(&verdict);
    match &verdict {
        Ok(_) => {
            if let Some(outcome) = glass {
                opened(room, access, outcome, deadline).await?;
            }
        }
        Err(denial) => {
            ledger::deny(room, Arc::clone(access), denial.clone(), deadline).await;
            if let Some(outcome) = glass {
                refused(room, access, (outcome, denial.reason), deadline).await;
            }
        }
    }
    verdict.map_err(|denial| Refusal::Denied(denial.reason))
}

/// Refuses, on record, what contradicts the token that it came with. For what the policy decides later.
pub(crate) async fn as_said(room: &Room, access: &Arc<Access>, deadline: Deadline) -> Result<(), Refusal> {
    let Some(claim) = contradicted(access) else { return Ok(()) };
    let denial = Denial::from(DenyReason::Contradicts(claim));
    ledger::deny(room, Arc::clone(access), denial.clone(), deadline).await;
    Err(Refusal::Denied(denial.reason))
}

/// The claim of the token that this request contradicts. Where nobody showed a token that counts there is none: a demo,
/// and what is replayed.
fn contradicted(access: &Access) -> Option<Claim> {
    access.requester.proof.as_ref()?.said.contradicted_by(access.purpose)
}

/// Whoever asks as a patient asks for their own record, and a verified token says which that is. A demo believes
/// everybody, and its patients are invented.
fn is_own(room: &Room, access: &Access) -> bool {
    let requester = &access.requester;
    let own = requester.proof.as_ref().and_then(|proof| proof.own);
    requester.role != Role::Patient || room.mode == Mode::Demo || (own.is_some() && own == access.patient)
}

type Verdict = Result<Obligations, Denial>;

/// What a wish to break the glass makes of a verdict: whom the policy lets, his quota may still stop.
fn broken(room: &Room, access: &Access, verdict: Verdict) -> (Verdict, Option<GlassOutcome>) {
    match verdict {
        Err(denial) if denial.reason == DenyReason::BreakGlassNotOffered => {
            (Err(denial), Some(GlassOutcome::NotOffered))
        }
        Err(denial) => (Err(denial), Some(GlassOutcome::Denied)),
        Ok(obligations) => match room.glass.take(access, room.policy.table.glass()) {
            Took::Anew => (Ok(obligations), Some(GlassOutcome::Opened)),
            Took::Within => (Ok(obligations), Some(GlassOutcome::Open)),
            Took::Nothing => (Err(DenyReason::BreakGlassQuota.into()), Some(GlassOutcome::OverQuota)),
        },
    }
}

/// Nobody is asked before it is on record that the glass was broken.
async fn opened(
    room: &Room,
    access: &Arc<Access>,
    outcome: GlassOutcome,
    deadline: Deadline,
) -> Result<(), Refusal> {
    room.metrics.break_glass(outcome);
    tracing::warn!({ outcome.kind = outcome.code() }, "the glass was broken");
    ledger::glass(room, access, (GlassDecision::Opened, None), deadline).await
}

/// The refusal stands whether or not it can be written.
async fn refused(
    room: &Room,
    access: &Arc<Access>,
    (outcome, reason): (GlassOutcome, DenyReason),
    deadline: Deadline,
) {
    room.metrics.break_glass(outcome);
    tracing::warn!({ outcome.kind = outcome.code() }, "the glass was not broken");
    let _stands = ledger::glass(room, access, (GlassDecision::Refused, Some(reason)), deadline).await;
}

/// Who may be asked about a patient, and under which number. That it is asked is on record before it is, and that
/// nobody may be asked once it is known.
pub(crate) async fn located(
    room: &Arc<Room>,
    access: &Arc<Access>,
    patient: NhsNumber,
    deadline: Deadline,
) -> Result<Located, Refusal> {
    ledger::trace(room, access, deadline).await?;
    let located = room.locate(patient, &access.requester, deadline).await;
    if let Err(refusal) = &located {
        ledger::barred(room, Arc::clone(access), *refusal, deadline).await;
    }
    located
}
