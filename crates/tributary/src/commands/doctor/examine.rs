//! The examination: one contact each, and what it shows.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tributary_model::{
    Capability, Clock as _, Deadline, FaultClass, Freshness, Interaction, MemoryBudget, OdsCode, Requester,
    SourceId, SystemClock,
};
use tributary_sources::checkup::{BodyKind, Contact, contact_source};
use tributary_sources::national::oauth::{OauthFault, TokenError, Tokens};
use tributary_sources::national::pds::Pds;
use tributary_sources::national::sds::{Sds, SdsFault};
use tributary_sources::{Context, Egress, Endpoint, LookUp, Protocol, SourceEntry};

use super::step::{Owner, Step};
use crate::StartError;
use crate::wire::{Outward, entries, outward};
use tributary_settings::Settings;

/// Tokens live five minutes; a clock that is off by more than this eats into them.
const SKEW_ALLOWED: SignedDuration = SignedDuration::from_secs(60);
/// A certificate that ends sooner should have been renewed.
const RENEWAL_DUE: SignedDuration = SignedDuration::from_hours(14 * 24);
const PATIENCE: Duration = Duration::from_secs(10);

/// Every step for one source, or for all sources and national services.
pub(super) async fn examine(settings: &Settings, only: Option<&SourceId>) -> Result<Vec<Step>, StartError> {
    let base_url = settings.server.base_url(settings.server.listen);
    let Outward { egress, context, national } = outward(settings, &base_url, &MemoryBudget::default())?;
    let entries = entries(settings)?;
    let doctor = Doctor { egress, context, requester: Arc::new(requester(settings)), now: SystemClock.now() };
    let mut steps = Vec::new();
    if only.is_none() {
        steps.extend(doctor.token(national.tokens.as_ref()).await);
        steps.extend(doctor.pds(national.pds.as_ref()).await);
        steps.extend(doctor.sds(national.sds.as_ref()).await);
    }
    for entry in entries.iter().filter(|entry| only.is_none_or(|only| *only == entry.id)) {
        steps.extend(doctor.source(entry).await);
        if let Some(sds) = &national.sds {
            steps.extend(doctor.listing(sds, entry).await);
        }
    }
    Ok(steps)
}

/// In whose name nobody is asked about: that of the first organisation with a system id.
fn requester(settings: &Settings) -> Requester {
    let usual = tributary_server::Settings::default().demo_requester;
    let organisation = settings.organisations.keys().next().cloned();
    Requester {
        user_id: "doctor".to_owned(),
        family: "Doctor".to_owned(),
        organisation: organisation.unwrap_or(usual.organisation),
        ..usual
    }
}

struct Doctor {
    egress: Egress,
    context: Context,
    requester: Arc<Requester>,
    now: Timestamp,
}

impl Doctor {
    async fn source(&self, entry: &SourceEntry) -> Vec<Step> {
        let contact = contact_source(entry, &self.egress, &self.context, &self.requester).await;
        let subject = entry.id.as_str();
        let mut steps = self.line(subject, &contact, Owner::Supplier);
        steps.extend(contact.answer.ok().map(|status| capabilities(entry, status, contact.body)));
        steps
    }

    /// What any contact shows: the way there, the certificate, the clock.
    fn line(&self, subject: &str, contact: &Contact, theirs: Owner) -> Vec<Step> {
        let reached = match contact.answer {
            Ok(_) => Step::ok(subject, "connection", "answers"),
            Err(class) => {
                let (owner, says) = unreached(class, theirs);
                return vec![Step::failed(subject, "connection", owner, says)];
            }
        };
        vec![reached, self.certificate(subject, contact, theirs), self.clock(subject, contact, theirs)]
    }

    fn certificate(&self, subject: &str, contact: &Contact, theirs: Owner) -> Step {
        let Some(ends) = contact.certificate_ends else {
            return Step::skipped(subject, "certificate", "no TLS on this address");
        };
        let day = ends.strftime("%d-%b-%Y");
        if ends.duration_since(self.now) < RENEWAL_DUE {
            return Step::failed(subject, "certificate", theirs, format!("ends on {day}: renewal is due"));
        }
        Step::ok(subject, "certificate", format!("trusted, ends on {day}"))
    }

    fn clock(&self, subject: &str, contact: &Contact, theirs: Owner) -> Step {
        let Some(date) = contact.date else {
            return Step::skipped(subject, "clock", "does not tell its time");
        };
        let ahead = date.duration_since(self.now);
        if ahead.abs() <= SKEW_ALLOWED {
            return Step::ok(subject, "clock", "agrees with ours");
        }
        let seconds = ahead.as_secs();
        let says = format!(
            "differs from ours by {seconds} s: tokens will be refused. Ours first, if others differ too"
        );
        Step::failed(subject, "clock", theirs, says)
    }

    async fn token(&self, tokens: Option<&Tokens>) -> Vec<Step> {
        let Some(tokens) = tokens else { return Vec::new() };
        let step = match tokens.bearer(Deadline::after(PATIENCE)).await {
            Ok(_) => Step::ok("oauth", "token", "our signed assertion is accepted"),
            Err(fault) => {
                let (owner, says) = no_token(fault);
                Step::failed("oauth", "token", owner, says)
            }
        };
        vec![step]
    }

    async fn pds(&self, pds: Option<&Pds>) -> Vec<Step> {
        let Some(pds) = pds else { return Vec::new() };
        let Ok(contact) = pds.contact(&self.egress, &self.requester.organisation).await else {
            return vec![Step::skipped("pds", "connection", "without a token nothing can be asked")];
        };
        let mut steps = self.line("pds", &contact, Owner::ServiceDesk);
        steps.extend(contact.answer.ok().map(|status| nobody_read(status, contact.body)));
        steps
    }

    async fn sds(&self, sds: Option<&Sds>) -> Vec<Step> {
        let Some(sds) = sds else { return Vec::new() };
        let contact = sds.contact(&self.egress).await;
        let mut steps = self.line("sds", &contact, Owner::ServiceDesk);
        steps.extend(contact.answer.ok().map(key_shown));
        steps
    }

    /// Whether the directory says of a practice what its entry says: one step for each capability it has.
    async fn listing(&self, sds: &Sds, entry: &SourceEntry) -> Vec<Step> {
        let mut steps = Vec::new();
        let is_practice = entry.protocol == Protocol::GpConnectStructured;
        let Some(ods) = entry.ods.as_ref().filter(|_| is_practice) else { return steps };
        for capability in Capability::ALL {
            let Some(root) = entry.root(*capability) else { continue };
            let own = Endpoint { root: root.clone(), asid: entry.asid.clone().unwrap_or_default() };
            let interactions = Interaction::ALL.iter().filter(|one| one.capability() == *capability);
            let (subject, name) = (entry.id.as_str(), capability.code());
            let mut step = Step::ok(subject, name, format!("the directory lists {ods} as our entry does"));
            for interaction in interactions {
                if let Err((owner, says)) = self.listed(sds, ods, *interaction, &own).await {
                    step = Step::failed(subject, name, owner, format!("{says} ({})", interaction.urn()));
                    break;
                }
            }
            steps.push(step);
        }
        steps
    }

    /// Whether the directory lists an interaction at this endpoint.
    async fn listed(
        &self,
        sds: &Sds,
        ods: &OdsCode,
        interaction: Interaction,
        own: &Endpoint,
    ) -> Result<(), (Owner, String)> {
        let requester = Arc::clone(&self.requester);
        let look_up = LookUp { ods: ods.clone(), interaction, requester, patient: None };
        let found = sds.find(&look_up, Freshness::FetchNow, Deadline::after(PATIENCE)).await;
        let found = found.map_err(not_listed)?;
        if found.asid != own.asid {
            let says = format!(
                "the directory lists the system {} for {ods}; our entry has another asid",
                found.asid
            );
            return Err((Owner::Us, says));
        }
        if !found.root.is_same_place(&own.root) {
            return Err((Owner::Us, format!("the directory lists another address for {ods} than our entry")));
        }
        Ok(())
    }
}

/// Why there was no answer; whatever is not named here breaks a connection that was there.
const UNREACHED: &[(FaultClass, Option<Owner>, &str)] = &[
    (FaultClass::Connect, Some(Owner::Network), "no connection: name, route or firewall"),
    (FaultClass::ConnectTimeout, Some(Owner::Network), "no connection in time: route or firewall"),
    (FaultClass::Dns, Some(Owner::Network), "its name leads to no address"),
    (
        FaultClass::AddressBlocked,
        Some(Owner::Network),
        "its name leads to this machine or to a network of machines",
    ),
    (FaultClass::TlsTimeout, None, "takes the connection and does not speak TLS"),
    (FaultClass::TlsExpired, None, "their certificate has expired"),
    (FaultClass::TlsNotYetValid, None, "their certificate is not valid yet, or the clock here is slow"),
    (FaultClass::TlsName, None, "their certificate names another host"),
    (FaultClass::TlsUntrusted, None, "their certificate comes from no authority that is believed here"),
    (
        FaultClass::TlsRevoked,
        None,
        "their certificate was called back, or the list that could say so has expired",
    ),
    (FaultClass::TlsVersion, None, "no version or suite of TLS in common"),
    (FaultClass::TlsClientRejected, Some(Owner::Us), "our certificate is not accepted, or there is none"),
    (FaultClass::Tls, None, "the TLS handshake fails: their certificate, or a root or a certificate of ours"),
    (FaultClass::NoHead, None, "takes the connection and does not answer"),
    (FaultClass::NoAsid, Some(Owner::Us), "no [[organisation]] has a system id to ask with"),
    (FaultClass::OurRequest, Some(Owner::Us), "we cannot even write the request"),
];

fn unreached(class: FaultClass, theirs: Owner) -> (Owner, String) {
    let known = UNREACHED.iter().find(|(known, ..)| *known == class);
    let (owner, why) = known.map_or((None, "breaks the connection"), |(_, owner, why)| (*owner, *why));
    (owner.unwrap_or(theirs), format!("{why} ({})", class.code()))
}

/// What a source's statement of its capabilities shows of our registration there.
fn capabilities(entry: &SourceEntry, status: u16, body: BodyKind) -> Step {
    let (subject, name) = (entry.id.as_str(), "metadata");
    let is_spine = entry.protocol == Protocol::GpConnectStructured;
    let failed = |owner, says: &str| Step::failed(subject, name, owner, format!("http {status}: {says}"));
    match status {
        200 if body == BodyKind::Capabilities => Step::ok(subject, name, "says what it can do"),
        200 => failed(Owner::Us, "no capability statement: base_url is not its service root"),
        401 | 403 if is_spine => failed(
            Owner::Onboarding,
            "refuses us: our system id may lack the interaction, or is not enabled there",
        ),
        401 | 403 => failed(Owner::Supplier, "refuses us: we are not registered there"),
        404 | 410 => failed(Owner::Us, "nothing there: base_url is not its service root"),
        429 => failed(Owner::Supplier, "takes no more requests"),
        400..=499 if is_spine => {
            failed(Owner::Us, "refuses the request: compare asid, base_url and [broker]")
        }
        400..=499 => failed(Owner::Us, "refuses the request"),
        _ => failed(Owner::Supplier, "fails"),
    }
}

fn no_token(fault: OauthFault) -> (Owner, String) {
    let (owner, hint) = match fault {
        OauthFault::Unreachable(FaultClass::Connect | FaultClass::ConnectTimeout) => {
            (Owner::Network, "name, route or firewall")
        }
        OauthFault::Unreachable(_) | OauthFault::Failed(_) | OauthFault::Malformed | OauthFault::Late => {
            (Owner::ServiceDesk, "the token service fails")
        }
        OauthFault::Refused { error: TokenError::PublicKey, .. } => {
            (Owner::Onboarding, "the public key of our kid is not published, or not that of key_file")
        }
        OauthFault::Refused {
            error: TokenError::InvalidClient | TokenError::UnauthorizedClient | TokenError::AccessDenied,
            ..
        } => (Owner::Onboarding, "our application is not approved or not subscribed"),
        OauthFault::Refused { .. } => {
            (Owner::Us, "compare client_id, kid, token_url and this machine's clock")
        }
        OauthFault::Signing | OauthFault::RefusedAgain => (Owner::Us, "key_file"),
    };
    (owner, format!("{fault}: {hint}"))
}

fn nobody_read(status: u16, body: BodyKind) -> Step {
    let failed = |owner, says: &str| Step::failed("pds", "read", owner, format!("http {status}: {says}"));
    match status {
        400 | 404 if body == BodyKind::Outcome => {
            Step::ok("pds", "read", "takes us, and knows nobody by a made-up number")
        }
        400 | 404 => failed(Owner::Us, "no word of the service: base_url is not its service root"),
        401 => failed(Owner::Onboarding, "refuses our access token"),
        403 => failed(Owner::Onboarding, "our application has no access to this service"),
        429 => {
            failed(Owner::Onboarding, "our quota is used up; requests_per_second may be more than our share")
        }
        200..=299 => failed(Owner::ServiceDesk, "answers about a number that nobody has"),
        300..=499 => failed(Owner::Us, "refuses the request"),
        _ => failed(Owner::ServiceDesk, "fails"),
    }
}

fn key_shown(status: u16) -> Step {
    let failed = |owner, says: &str| Step::failed("sds", "key", owner, format!("http {status}: {says}"));
    match status {
        200..=299 | 400 => Step::ok("sds", "key", "our API key is accepted"),
        401 | 403 => failed(Owner::Onboarding, "refuses our API key"),
        404 => failed(Owner::Us, "nothing there: base_url is not its service root"),
        429 => failed(Owner::Onboarding, "our quota is used up"),
        300..=499 => failed(Owner::Us, "refuses the request"),
        _ => failed(Owner::ServiceDesk, "fails"),
    }
}

fn not_listed(fault: SdsFault) -> (Owner, String) {
    let owner = match fault {
        SdsFault::Unconfirmed | SdsFault::Ambiguous | SdsFault::Address => Owner::Supplier,
        SdsFault::Denied(_) => Owner::Onboarding,
        SdsFault::Unreachable(_) => Owner::Network,
        SdsFault::Paced | SdsFault::Throttled => Owner::Us,
        SdsFault::Failed(_) | SdsFault::Malformed => Owner::ServiceDesk,
    };
    (owner, format!("the directory: {fault}"))
}

#[cfg(test)]
mod tests;
