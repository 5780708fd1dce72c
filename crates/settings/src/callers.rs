//! `[[consumer]]`, `[[issuer]]` and `[identity]`: who may call, and who vouches for people.

mod consumer;
mod issuer;

use std::path::Path;

use tributary_identity::{Consumer, Consumers, Profile};

use super::reader::Reader;
use super::{Mistake, ServerSettings};

pub use issuer::{IssuerSettings, KeyAddress, KeysFrom};

/// Who may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerSettings {
    /// `[[consumer]]`
    pub consumers: Vec<Consumer>,
    /// `[[issuer]]`
    pub issuers: Vec<IssuerSettings>,
}

impl CallerSettings {
    /// The same, with relative paths beginning at this folder.
    pub(super) fn begin_at(&mut self, folder: &Path) {
        for issuer in &mut self.issuers {
            issuer.begin_at(folder);
        }
    }

    fn may(&self, profile: Profile) -> bool {
        self.consumers.iter().any(|consumer| consumer.may(profile))
    }

    /// Whether anything is said of callers.
    pub(super) const fn is_empty(&self) -> bool {
        self.consumers.is_empty() && self.issuers.is_empty()
    }

    /// What keeps callers from being proven.
    pub(super) fn obstacles(&self, server: &ServerSettings) -> Vec<Mistake> {
        let obstacle =
            |path: &str, says: &str| Mistake { path: path.to_owned(), line: None, says: says.to_owned() };
        let mut obstacles = Vec::new();
        match &server.tls {
            None => obstacles.push(obstacle(
                "server.tls",
                "is missing: outside of a [demo] callers are proven by certificate, on loopback too",
            )),
            Some(tls) => obstacles.extend(tls.obstacles()),
        }
        obstacles.extend(server.gpconnect.iter().flat_map(|gpconnect| gpconnect.tls.obstacles()));
        if self.consumers.is_empty() {
            obstacles.push(obstacle(
                "consumer",
                "is missing: nobody may call. Add a [[consumer]] for each system, or, to believe everybody on \
                 loopback about invented patients, [demo] insecure = true",
            ));
        }
        let is_native = self.may(Profile::Native) || self.may(Profile::Cis2);
        if self.issuers.is_empty() && (is_native || self.consumers.is_empty()) {
            obstacles.push(obstacle("issuer", "is missing: nobody vouches for the people who ask"));
        }
        match (&server.gpconnect, self.may(Profile::GpConnect)) {
            (None, true) => obstacles.push(obstacle(
                "server.gpconnect",
                "is missing: a [[consumer]] has the profile gpconnect, which has a listener of its own",
            )),
            (Some(_), false) => obstacles.push(obstacle(
                "server.gpconnect",
                "is for nobody: no [[consumer]] has the profile gpconnect",
            )),
            (Some(_), true) | (None, false) => {}
        }
        if server.launch.is_none() && self.may(Profile::Launch) {
            obstacles.push(obstacle(
                "server.launch",
                "is missing: a [[consumer]] has the profile launch, which has a listener of its own",
            ));
        }
        if server.launch.is_some() && !is_native && !self.may(Profile::Launch) {
            obstacles.push(obstacle(
                "server.launch",
                "is for nobody: no [[consumer]] has the profile native, cis2 or launch",
            ));
        }
        obstacles
    }
}

pub(super) fn read(root: &mut Reader<'_>) -> CallerSettings {
    let hosts = root.table("identity").map(issuer::read_hosts).unwrap_or_default();
    let issuers = issuer::read(root.tables("issuer"), &hosts);
    let consumers = consumer::read(root.tables("consumer"), &issuers);
    if let Err(shared) = Consumers::of(consumers.clone()) {
        root.wrong("consumer", format_args!("number {} {shared}", shared.index + 1));
    }
    CallerSettings { consumers, issuers }
}
