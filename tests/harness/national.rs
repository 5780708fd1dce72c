//! The mock national services beside the mock sources, and a configuration that names both.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, LazyLock};

use mock_providers::{
    Federation, MadeUpKey, PatientState, Pds, PdsOptions, Registration, Sds, SdsOptions, SourceFacts,
    TokenClient, TokenEndpoint, TokenOptions, start_pds, start_sds, start_token,
};

use crate::{GEORGE, Plan, configuration, federation};

/// The interaction that gives a structured record.
pub const STRUCTURED: &str = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1";
static KEY: LazyLock<MadeUpKey> = LazyLock::new(|| MadeUpKey::new("kid-1").expect("a key"));

/// Which practices the broker can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Practices {
    /// George's practice has an entry.
    Registered,
    /// None has; each is found through the directory.
    Found,
    /// None has, and none is looked for.
    Neither,
}

/// Sources and national services that run. George is registered at `A99901`, the practice of the GP source.
#[derive(Debug)]
pub struct National {
    /// The mock sources.
    pub federation: Federation,
    /// Gives access tokens.
    pub token: TokenEndpoint,
    /// Knows patients.
    pub pds: Pds,
    /// Knows practices.
    pub sds: Sds,
    /// Holds the secrets and the audit log.
    pub dir: tempfile::TempDir,
    practices: Practices,
}

impl National {
    /// Starts everything.
    pub async fn start(practices: Practices) -> Self {
        let federation = federation(&Plan::default()).await;
        let clients = vec![TokenClient::new("api-key-1", vec![KEY.public.clone()])];
        let options = TokenOptions { clients, ..TokenOptions::default() };
        let clock = Arc::clone(&options.clock);
        let token = start_token(options).expect("a token service");
        let pds = start_pds(PdsOptions::new(clock, token.tokens())).expect("pds");
        pds.put(PatientState::registered_at(GEORGE, "A99901"));
        let options = SdsOptions { api_key: Some("sds-key-1".to_owned()), ..SdsOptions::default() };
        let sds = start_sds(options).expect("sds");
        let root = &federation.source_facts()[0].base_url;
        sds.register(Registration::new("A99901", "200000000205").answers(STRUCTURED, root));
        let dir = tempfile::tempdir().expect("a directory");
        Self { federation, token, pds, sds, dir, practices }
    }

    /// A configuration of all of it; `more` are further keys of `[pds]`.
    pub fn configuration(&self, more: &str) -> String {
        let plan = Plan { expected: vec!["acute-a", "specialist", "walkin"], ..Plan::default() };
        let has_entry = |facts: &&SourceFacts| facts.id != "gp" || self.practices == Practices::Registered;
        let facts: Vec<_> = self.federation.source_facts().iter().filter(has_entry).cloned().collect();
        let (key, api_key) = (self.secret("key.der", &KEY.pkcs8), self.secret("sds-key", b"sds-key-1\n"));
        let template = if self.practices == Practices::Found { "[sds.practice]\n" } else { "" };
        format!(
            "{}\n[oauth]\ntoken_url = \"{}\"\nclient_id = \"api-key-1\"\nkid = \"kid-1\"\nkey_file = \"{key}\"\n\
             [pds]\nbase_url = \"{}\"\nrequests_per_second = 1000\n{more}\n\
             [sds]\nbase_url = \"{}\"\napi_key_file = \"{api_key}\"\nrequests_per_second = 1000\n{template}",
            configuration(&facts, &plan, &self.dir.path().join("log")),
            self.token.token_url(),
            self.pds.base_url(),
            self.sds.base_url(),
        )
    }

    fn secret(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        path.display().to_string()
    }
}
