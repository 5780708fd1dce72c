//! What every request goes through before its intent is on record: the policy's word, and whom it leaves to ask.

use std::sync::Arc;

use tributary_audit::{Access, BreakGlass};
use tributary_model::{Deadline, Facts, NhsNumber, Obligations, SectionSet};

use crate::broker::{Located, Room};
use crate::ledger;
use crate::parts::Mode;
use crate::refusal::Refusal;

/// What becomes of a source's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is written anew, so that a part of it can be left out.
    Merged,
    /// It is passed on as it is: nothing can be taken out of it.
    AsItIs,
}

/// The policy's word on an access to these sections. A refusal is on record before it is told.
pub(crate) async fn permitted(
    room: &Room,
    access: &Arc<Access>,
    sections: SectionSet,
    answered: Answered,
    deadline: Deadline,
) -> Result<Obligations, Refusal> {
    let facts = Facts {
        role: access.requester.role,
        assurance: access.requester.assurance,
        purpose: access.purpose,
        sections,
        break_glass: access.break_glass == BreakGlass::ReasonGiven,
        demo: room.mode == Mode::Demo,
    };
    let verdict = match answered {
        Answered::Merged => room.decide(&facts),
        Answered::AsItIs => room.decide_whole(&facts),
    };
    if let Err(Refusal::Denied(reason)) = &verdict {
        ledger::deny(room, Arc::clone(access), *reason, deadline).await;
    }
    verdict
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
