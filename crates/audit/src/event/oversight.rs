//! Records for those who watch over access.

use std::sync::Arc;

use tributary_model::DenyReason;

use super::Access;

codes! {
    /// What became of a wish to break the glass.
    GlassDecision {
        /// It is broken: more is shown than the role alone allows.
        Opened, "opened";
        /// It stays whole.
        Refused, "refused";
    }
}

/// A wish to break the glass. The reason is free text and may be clinical: it is not kept.
#[derive(Clone, Debug)]
pub struct GlassEvent {
    /// Who, whom, what, why.
    pub access: Arc<Access>,
    /// What became of it.
    pub decision: GlassDecision,
    /// Why it was refused.
    pub reason: Option<DenyReason>,
    /// User id of who approved of it, where somebody has to.
    pub approver: Option<String>,
    /// How long it stays broken for this person and patient; 0 for this request alone.
    pub lasts_secs: u64,
}
