//! A page that another system opens: a signed form in a browser, which has no certificate.
//!
//! Such a token is of no use for anything else, and no other token for this: it has a type and an audience of its own,
//! is bound to no connection, and lives for two minutes at most.

use std::sync::Arc;

use jiff::Timestamp;
use tributary_model::{NhsNumber, Purpose, Requester};

use crate::consumer::{Consumer, Profile};
use crate::gate::{Calling, Gate};
use crate::issuer::{ClaimShape, Shown, VerifiedClaims};
use crate::person::Person;
use crate::refused::Refused;
use crate::token::UnverifiedToken;

/// What `typ` is, in any case.
pub const LAUNCH_KIND: &str = "launch+jwt";
/// Longest life from `iat` to `exp`, in seconds, whatever the issuer's other tokens may live: a form is posted as soon
/// as somebody asks for the page.
pub const LAUNCH_LIFE_SECS: i64 = 120;
/// Names the system, where several have one issuer.
const CLIENT: &str = "client_id";
/// Whose record: the name that SMART gives it.
const PATIENT: &str = "patient";
/// Why they ask: a code of ours.
const PURPOSE: &str = "purpose";

/// What a signed form says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Who asks.
    pub requester: Requester,
    /// About whose record.
    pub patient: NhsNumber,
    /// What for; absent where the form does not say.
    pub purpose: Option<Purpose>,
}

impl Gate {
    /// Who sends somebody to whose record, by a token that is for this audience.
    pub async fn launched(&self, token: &str, audience: &str, now: Timestamp) -> Result<Launched, Refused> {
        let token = UnverifiedToken::read(token)?;
        let (issuer, ring) =
            token.claims.issuer().and_then(|iss| self.issuers.get(iss)).ok_or(Refused::Issuer)?;
        if issuer.shape != ClaimShape::GpConnect {
            return Err(Refused::Issuer);
        }
        let is_anybodys = self.consumers.iter().any(|entry| entry.launches(&issuer.iss));
        if !is_anybodys {
            return Err(Refused::Issuer);
        }
        let set = ring.holding(token.key_id()).await?;
        let key = set.find(token.key_id()).ok_or(Refused::UnknownKey)?;
        let (audiences, kinds) = ([audience.to_owned()], [LAUNCH_KIND.to_owned()]);
        let now = now.as_second();
        let shown = Shown { certificate: None, now, audiences: &audiences, kinds: &kinds };
        let claims = issuer.verify(token, key, shown)?;
        if claims.life_secs() > LAUNCH_LIFE_SECS {
            return Err(Refused::Lifetime);
        }
        let caller = Calling { consumer: self.launching(&claims)?, certificate: None, now };
        let (patient, purpose) = (patient(&claims)?, purpose(&claims)?);
        let requester = caller.requester(&claims, Person::of_gp_connect(&claims)?, None)?;
        // Last, so that only a token that opens something is used up.
        self.replays.note(&claims, now)?;
        Ok(Launched { requester, patient, purpose })
    }

    /// The one system that a verified form can come from.
    fn launching(&self, claims: &VerifiedClaims) -> Result<&Arc<Consumer>, Refused> {
        let named = match claims.claims().get(CLIENT) {
            None => None,
            Some(name) => Some(name.text().ok_or(Refused::Claims)?),
        };
        let mut found = self.consumers.iter().filter(|entry| {
            entry.launches(claims.issuer()) && named.is_none_or(|name| name == entry.id.as_str())
        });
        let first = found.next().ok_or(Refused::UnknownCaller)?;
        // Which of several is meant?
        if found.next().is_some() { Err(Refused::UnknownCaller) } else { Ok(first) }
    }

    /// Whether somebody who was let in before would be let in now, as far as the entry of their system says.
    pub fn still_knows(&self, requester: &Requester) -> bool {
        let Some(proof) = &requester.proof else { return false };
        let entry = self.consumers.iter().find(|entry| entry.id == proof.consumer);
        entry.is_some_and(|entry| {
            let is_vouched = proof.issuer.as_ref().is_some_and(|issuer| entry.issuers.contains(issuer));
            is_vouched
                && entry.speaks_for(&requester.organisation).is_ok()
                && entry.roles.contains(&requester.role)
        })
    }
}

impl Consumer {
    /// Whether forms that this issuer signed open pages for people of this system.
    fn launches(&self, iss: &str) -> bool {
        self.may(Profile::Launch) && self.issuers.iter().any(|own| own == iss)
    }
}

fn patient(claims: &VerifiedClaims) -> Result<NhsNumber, Refused> {
    let number = claims.claims().words(PATIENT).ok_or(Refused::Claims)?;
    NhsNumber::parse(number).map_err(|_discarded| Refused::Claims)
}

fn purpose(claims: &VerifiedClaims) -> Result<Option<Purpose>, Refused> {
    let Some(purpose) = claims.claims().get(PURPOSE) else { return Ok(None) };
    purpose.text().and_then(Purpose::from_code).ok_or(Refused::Claims).map(Some)
}
