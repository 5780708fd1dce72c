//! Access tokens: issued by the token endpoint, accepted by the services behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tributary_model::{Clock, TraceId};

/// The scope of an application that may read PDS for itself.
const PDS_APPLICATION: &str = "urn:nhsd:apim:app:level3:personal-demographics-service";
/// The scope of a health-care worker who signed in strongly.
const PDS_WORKER: &str = "urn:nhsd:apim:user-nhs-id:aal3:personal-demographics-service";
const APPLICATION_LIFE: SignedDuration = SignedDuration::from_hours(1);
const USER_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Whom an access token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The API key of the application.
    pub client_id: String,
    /// What it opens.
    pub scopes: Vec<String>,
    /// The role profile ids of the user behind it; none when an application speaks for itself.
    pub roles: Vec<String>,
}

impl Grant {
    /// An application on its own, with access to PDS.
    pub fn application(client_id: &str) -> Self {
        Self { client_id: client_id.to_owned(), scopes: vec![PDS_APPLICATION.to_owned()], roles: Vec::new() }
    }

    /// A health-care worker with these role profiles, with access to PDS.
    pub fn healthcare_worker(client_id: &str, roles: &[&str]) -> Self {
        Self {
            client_id: client_id.to_owned(),
            scopes: vec![PDS_WORKER.to_owned()],
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        }
    }

    fn life(&self) -> SignedDuration {
        if self.roles.is_empty() { APPLICATION_LIFE } else { USER_LIFE }
    }
}

#[derive(Clone, Debug)]
struct Live {
    grant: Grant,
    until: Timestamp,
}

/// The tokens in force. Clones share them, so that PDS accepts what the token endpoint issued.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    clock: Arc<dyn Clock>,
    live: Arc<Mutex<BTreeMap<String, Live>>>,
}

impl AccessTokens {
    /// No tokens yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, live: Arc::default() }
    }

    /// A new token: an hour for an application, ten minutes for a user.
    pub fn issue(&self, grant: Grant) -> String {
        let now = self.clock.now();
        let token = TraceId::random().to_string();
        let until = now.saturating_add(grant.life()).unwrap_or(now);
        let mut live = self.live();
        live.retain(|_, one| one.until > now);
        live.insert(token.clone(), Live { grant, until });
        token
    }

    /// Withdraws every token: whoever uses one is told 401 until a new one is fetched.
    pub fn revoke_all(&self) {
        self.live().clear();
    }

    /// Whom a token speaks for, while it lives.
    pub(super) fn find(&self, token: &str) -> Option<Grant> {
        let now = self.clock.now();
        self.live().get(token).filter(|one| one.until > now).map(|one| one.grant.clone())
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<String, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
