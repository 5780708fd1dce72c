//! What a configuration names that says how records are made and who may see them. It is read once: what was checked is
//! what is in force.

use tributary_broker::{CodeLists, Maps, Policy};
use tributary_settings::Settings;

use crate::error::StartError;
use crate::{codelists, maps, policy};

/// Code maps, code lists and policy.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which codes mean the same.
    pub maps: Maps,
    /// Which codes are withheld.
    pub lists: CodeLists,
    /// Who may see what.
    pub policy: Policy,
}

impl Rules {
    /// Reads what these settings name.
    pub fn load(settings: &Settings) -> Result<Self, StartError> {
        Ok(Self {
            maps: maps::load(settings.maps.as_deref())?,
            lists: codelists::load(settings.codelists.as_deref())?,
            policy: policy::load(settings.policy.file.as_deref()).map_err(StartError::policy)?,
        })
    }
}
