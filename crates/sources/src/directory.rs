//! Where an interaction of a practice is served, when the registry does not fix it.

use std::sync::Arc;

use tower::util::BoxCloneSyncService;
use tributary_model::{Interaction, NhsNumber, OdsCode, Requester, SourceFault};

use crate::root::ServiceRoot;

/// One interaction of one practice, as it can be addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Service root of the interaction's capability, as the directory gave it.
    pub root: ServiceRoot,
    /// System id of the practice's system: `Ssp-To`.
    pub asid: String,
}

/// Asks where an interaction is served.
#[derive(Clone, Debug)]
pub struct LookUp {
    /// The practice.
    pub ods: OdsCode,
    /// The interaction: a root is never used for another capability.
    pub interaction: Interaction,
    /// On whose behalf. What is found is kept for their session only (GP Connect: not across users).
    pub requester: Arc<Requester>,
    /// For which patient, if for one. What is found is not kept across patients.
    pub patient: Option<NhsNumber>,
}

/// Looks endpoints up.
pub type Directory = BoxCloneSyncService<LookUp, Endpoint, SourceFault>;
