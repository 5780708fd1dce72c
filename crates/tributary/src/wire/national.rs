//! The national services, put together as far as the settings name them.

use std::sync::Arc;

use tributary_model::SystemClock;
use tributary_sources::national::oauth::Tokens;
use tributary_sources::national::pds::Pds;
use tributary_sources::national::practice::{PracticeTemplate, Practices};
use tributary_sources::national::sds::{Sds, SdsSettings};
use tributary_sources::{Egress, Route};

use super::{Outward, practices_id};
use crate::error::StartError;
use tributary_settings::secrets::{SecretError, Secrets};
use tributary_settings::{NationalSettings, Settings, TlsFiles};

/// What is there of the national services.
#[derive(Clone, Debug)]
pub(crate) struct National {
    /// Access tokens.
    pub(crate) tokens: Option<Tokens>,
    /// Who a patient is.
    pub(crate) pds: Option<Pds>,
    /// Where an interaction is served.
    pub(crate) sds: Option<Sds>,
}

impl National {
    /// Reads the secrets and builds the clients. Nobody is contacted.
    pub(crate) fn build(settings: &NationalSettings, egress: &Egress) -> Result<Self, SecretError> {
        let Secrets { client_key, api_key } = Secrets::read(settings)?;
        // Assertions are compared with the platform's clock, so they are dated by the true time.
        let clock = Arc::new(SystemClock);
        let tokens = settings.oauth.as_ref().zip(client_key);
        let tokens = tokens.map(|(oauth, key)| Tokens::new(oauth.settings.clone(), key, egress, clock));
        let pds = settings.pds.clone().zip(tokens.clone());
        let pds = pds.map(|(settings, tokens)| Pds::new(settings, tokens, egress));
        let sds = settings.sds.as_ref().zip(api_key).map(|(section, api_key)| {
            let settings = SdsSettings {
                base_url: section.base_url.clone(),
                api_key,
                timeout: section.timeout,
                per_second: section.per_second,
                session_ttl: section.session_ttl,
                shared_ttl: section.shared_ttl,
            };
            Sds::new(settings, egress)
        });
        Ok(Self { tokens, pds, sds })
    }
}

/// How practices without an entry are asked, certificates included, if the settings say so.
pub(super) fn template(settings: &Settings) -> Result<Option<PracticeTemplate>, StartError> {
    let Some(template) = settings.national.sds.as_ref().and_then(|sds| sds.practice.clone()) else {
        return Ok(None);
    };
    let of_spine = settings.spine.as_ref().and_then(|spine| spine.tls.as_ref());
    let files = of_spine.filter(|_| template.route == Route::Spine);
    let tls = files.map(TlsFiles::load).transpose();
    let tls = tls.map_err(|_told_by_check| StartError::Tls(practices_id()))?;
    Ok(Some(PracticeTemplate { tls, ..template }))
}

impl Outward {
    /// Practices without an entry, if the settings say how to ask them.
    pub(crate) fn practices(&self, settings: &Settings) -> Result<Option<Practices>, StartError> {
        let Some((template, sds)) = template(settings)?.zip(self.national.sds.clone()) else {
            return Ok(None);
        };
        let practices = Practices::new(template, sds, &self.egress, &self.context, &settings.sources)?;
        Ok(Some(practices))
    }
}
