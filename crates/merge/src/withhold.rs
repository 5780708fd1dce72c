//! What a role may not see is taken out before anything is grouped.
//!
//! The answers are written anew, without what is withheld and without whatever names it; the merge then works on
//! those. So no line, class, count, label, notice or discrepancy can come from anything withheld: the merge has
//! never had it. A whole view changes nothing, not a byte.
//!
//! What is decided of one statement depends on its own source alone, never on another's answer, nor on any order.

mod clean;
mod codes;
mod judge;
mod labels;
mod limits;
mod links;
mod rewrite;
mod walk;

use std::sync::Arc;

use jiff::Timestamp;
use tributary_model::{Demographics, FaultClass, NhsNumber, RoleView, SourceFault, SourceKind, Views};

use tributary_statements::gate::Whom;
use tributary_statements::inputs::{Answer, Heard, Screened, SourceCard};
use tributary_statements::load::{Loaded, Statement};
use tributary_statements::maps::Maps;

pub use codes::{CodeLists, ListError};

/// Everything that withholding depends on. Equal values give equal answers, whatever their order.
#[derive(Clone, Copy, Debug)]
pub struct Withholding<'a> {
    /// Whose record.
    pub patient: NhsNumber,
    /// The instant every dated limit uses.
    pub as_of: Timestamp,
    /// Who that is, where the national service was asked and answered.
    pub pds: Option<&'a Demographics>,
    /// Every registered source.
    pub registry: &'a [SourceCard],
    /// What the sources answered.
    pub answers: &'a [Answer],
    /// Code maps: a product on a list is withheld under its older and newer codes too.
    pub maps: &'a Maps,
    /// What the requester may see, of each kind of source.
    pub views: &'a Views,
    /// The codes that hold a statement back.
    pub lists: &'a CodeLists,
}

impl Withholding<'_> {
    /// What is shown of the answer that a statement stands in.
    fn view_of(&self, loaded: &Loaded<'_>, statement: &Statement<'_>) -> RoleView {
        loaded.home(statement).map_or(RoleView::nothing(), |home| self.views.of(home.card.kind))
    }
}

/// The answers as one requester may see them.
#[derive(Clone, Debug)]
pub struct Withheld {
    answers: Vec<Answer>,
    views: Views,
}

impl Withheld {
    /// What may be merged.
    pub fn screened(&self) -> Screened<'_> {
        Screened::after(&self.answers, &self.views)
    }

    /// The answers.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }
}

/// Takes out of the answers what the views do not show. Pure, and never more on a second time.
pub fn withhold(from: Withholding<'_>) -> Withheld {
    let views = *from.views;
    if views.is_whole() {
        return Withheld { answers: from.answers.to_vec(), views };
    }
    let mut loaded = Loaded { registry: from.registry, ..Loaded::default() };
    let today = tributary_model::date::zoned(from.as_of).date();
    let whom = Whom { number: from.patient, traced: from.pds, today };
    let mut admitted = Vec::new();
    for answer in from.answers {
        // Whom nobody registered, the merge does not hear either.
        let Some(card) = from.registry.iter().find(|card| card.id == answer.source) else { continue };
        let verdict = match &answer.heard {
            // What a broker made of other sources' answers (lists, discrepancies, words) cannot be told apart from
            // what it withheld or not: whoever sees a part of a record sees nothing of it.
            Heard::Reply(_) if card.kind == SourceKind::Broker => {
                admitted.push((answer, Some(Err(SourceFault::new(FaultClass::NotScreened)))));
                continue;
            }
            Heard::Reply(reply) => loaded.admit(card, answer, reply, whom).map_err(SourceFault::new),
            Heard::Fault(_) | Heard::Pending => {
                admitted.push((answer, None));
                continue;
            }
        };
        admitted.push((answer, Some(verdict)));
    }
    let kept = judge::keep(&mut loaded, &from);
    let mut homes = 0..loaded.answers.len();
    let mut answers = Vec::new();
    for (answer, verdict) in admitted {
        let heard = match verdict {
            None => answer.heard.clone(),
            // What is quarantined shows nothing; nothing of it is carried on.
            Some(Err(fault)) => Heard::Fault(fault),
            Some(Ok(())) => homes
                .next()
                .and_then(|home| rewrite::reply(&loaded, &kept, home, &from))
                .map_or_else(unwritable, |reply| Heard::Reply(Arc::new(reply))),
        };
        answers.push(Answer { heard, ..answer.clone() });
    }
    Withheld { answers, views }
}

/// What cannot be written is not shown.
fn unwritable() -> Heard {
    Heard::Fault(SourceFault::new(FaultClass::Internal))
}
