//! The three services started together, as the program does.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tributary_model::{Clock, SystemClock};

use crate::federation::Federation;
use crate::story::stories;

use super::{
    ClientKey, Jwks, PatientName, PatientState, Pds, PdsOptions, Registration, Sds, SdsOptions, TokenClient,
    TokenEndpoint, TokenOptions, start_pds, start_sds, start_token,
};

const API_KEY: &str = "mock-api-key";
const STRUCTURED: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";

/// The token endpoint, PDS with the story patients, and SDS with the sources that have an ASID.
#[derive(Debug)]
pub struct NationalServices {
    /// Issues the tokens of PDS.
    pub token: TokenEndpoint,
    /// Knows the story patients too.
    pub pds: Pds,
    /// Knows the GP systems of the federation.
    pub sds: Sds,
}

impl NationalServices {
    /// Starts all three. Without a JWKS file no token is given: 403, as to an application that registered none.
    pub fn start(jwks: Option<&Path>, federation: Option<&Federation>) -> io::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut client = TokenClient::new(API_KEY, Vec::new());
        client.jwks = match jwks {
            None => Jwks::NotRegistered,
            Some(path) => Jwks::Published(ClientKey::from_jwks(&serde_json::from_slice(&fs::read(path)?)?)),
        };
        let options =
            TokenOptions { clock: Arc::clone(&clock), clients: vec![client], ..TokenOptions::default() };
        let token = start_token(options)?;
        let pds = start_pds(PdsOptions::new(Arc::clone(&clock), token.tokens()))?;
        let sds = start_sds(SdsOptions { clock, ..SdsOptions::default() })?;
        let facts = federation.map(Federation::source_facts).unwrap_or_default();
        for source in facts {
            if let Some(asid) = source.asid {
                let system = Registration::new(source.ods, asid).answers(STRUCTURED, &source.base_url);
                sds.register(system);
            }
        }
        let practice = facts.iter().find(|source| source.kind == "gp");
        for story in stories() {
            let name = PatientName { family: story.family.clone(), given: story.given.clone() };
            pds.put(PatientState {
                name: Some(name),
                gender: Some(story.gender.clone()),
                birth_date: Some(story.birth_date.to_string()),
                ..PatientState::registered_at(&story.nhs_number, practice.map_or("A99901", |gp| gp.ods))
            });
        }
        Ok(Self { token, pds, sds })
    }

    /// Id and base URL of each.
    pub fn base_urls(&self) -> [(&'static str, &str); 3] {
        [("token", self.token.base_url()), ("pds", self.pds.base_url()), ("sds", self.sds.base_url())]
    }
}
