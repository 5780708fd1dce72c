//! What a provider was asked.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use tributary_model::Interaction;

use crate::wire::Request;

/// Older asks are forgotten.
const KEPT: usize = 10_000;

/// One request as a provider saw it.
#[derive(Clone, Debug, Serialize)]
pub struct AskRecord {
    /// Counts up from 1 since the provider was started.
    pub sequence: u64,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query as they were sent, escapes and all.
    pub target: String,
    /// The interaction that the request names, if it is a known one of GP Connect. Told by its header on
    /// the control port.
    #[serde(skip)]
    pub interaction: Option<Interaction>,
    /// The path without its query.
    pub path: String,
    /// Query parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Form parameters, decoded, in order; empty unless the body is a form.
    pub form: Vec<(String, String)>,
    /// Headers in order, names as sent.
    pub headers: Vec<(String, String)>,
    /// The claims of the bearer token, if there is one that can be read. Nothing is verified.
    pub claims: Option<Value>,
    /// The NHS number the provider took the request to be about.
    pub nhs_number: Option<String>,
    /// The body as text.
    pub body: String,
}

impl AskRecord {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first query or form parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().chain(&self.form).find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A claim of the token that is a text.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.as_ref()?.get(name)?.as_str()
    }

    pub(crate) fn of(request: &Request, nhs_number: Option<String>) -> Self {
        Self {
            sequence: 0,
            method: request.method.clone(),
            target: request.target.clone(),
            interaction: request.header("ssp-interactionid").and_then(Interaction::from_urn),
            path: request.path.clone(),
            query: request.query.clone(),
            form: request.form(),
            headers: request.headers.clone(),
            claims: request.header("authorization").and_then(claims),
            nhs_number,
            body: String::from_utf8_lossy(&request.body).into_owned(),
        }
    }
}

fn claims(authorization: &str) -> Option<Value> {
    let payload = authorization.strip_prefix("Bearer ")?.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The asks of one provider, newest last.
#[derive(Debug, Default)]
pub(crate) struct AskLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    count: u64,
    kept: VecDeque<AskRecord>,
}

impl AskLog {
    pub(crate) fn push(&self, mut ask: AskRecord) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.count += 1;
        ask.sequence = entries.count;
        if entries.kept.len() == KEPT {
            entries.kept.pop_front();
        }
        entries.kept.push_back(ask);
    }

    pub(crate) fn all(&self) -> Vec<AskRecord> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.kept.iter().cloned().collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Entries::default();
    }
}
