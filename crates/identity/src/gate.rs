//! All of it together: a certificate and a token in, a requester or a reason out.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tributary_model::requester::{Assurance, Proof, Said, ScopeSaid, TokenKind};
use tributary_model::{Priority, Requester, Role};

use crate::certificate::Certificate;
use crate::consumer::{Consumer, Consumers, Profile};
use crate::issuer::{ClaimShape, Issuer, Shown, VerifiedClaims};
use crate::person::Person;
use crate::reason;
use crate::refused::Refused;
use crate::relationship;
use crate::replay::Replays;
use crate::ring::KeyRing;
use crate::token::UnverifiedToken;

/// What a caller shows besides its certificate.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'t> {
    /// The value of `Authorization`: the token that its system signed.
    pub authorization: &'t str,
    /// The person's id token of CIS2, where there is one.
    pub user: Option<&'t str>,
}

/// Whoever wants a record comes through here.
#[derive(Debug)]
pub struct Gate {
    pub(crate) consumers: Consumers,
    pub(crate) issuers: BTreeMap<String, (Issuer, Arc<KeyRing>)>,
    pub(crate) replays: Arc<Replays>,
}

impl Gate {
    /// For these callers and issuers. Tokens that were used are remembered by `replays`, whatever the configuration.
    pub fn new(
        consumers: Consumers,
        issuers: impl IntoIterator<Item = (Issuer, Arc<KeyRing>)>,
        replays: Arc<Replays>,
    ) -> Self {
        let issuers =
            issuers.into_iter().map(|(issuer, ring)| (issuer.iss.clone(), (issuer, ring))).collect();
        Self { consumers, issuers, replays }
    }

    /// The entry that a certificate belongs to.
    pub fn consumer(
        &self,
        certificate: Option<&Certificate>,
        now: Timestamp,
    ) -> Result<&Arc<Consumer>, Refused> {
        let certificate = certificate.ok_or(Refused::NoCertificate)?;
        // The handshake has checked it; a session that was taken up again may be older than that.
        if !certificate.holds_at(now) || !certificate.is_for_clients() {
            return Err(Refused::NoCertificate);
        }
        self.consumers.find(certificate)
    }

    /// Who asks, where the token must be signed.
    pub async fn requester(
        &self,
        certificate: Option<&Certificate>,
        tokens: Tokens<'_>,
        now: Timestamp,
    ) -> Result<Requester, Refused> {
        let consumer = self.consumer(certificate, now)?;
        let certificate = certificate.ok_or(Refused::NoCertificate)?;
        let profile = if tokens.user.is_some() { Profile::Cis2 } else { Profile::Native };
        if !consumer.may(profile) {
            return Err(Refused::Profile);
        }
        let token = UnverifiedToken::bearer(tokens.authorization)?;
        let caller = Calling { consumer, certificate: Some(certificate), now: now.as_second() };
        let (claims, issuer) = self.verified(caller, token).await?;
        if issuer.shape != ClaimShape::GpConnect {
            return Err(Refused::Issuer);
        }
        let person = Person::of_gp_connect(&claims)?;
        let signed_in = match tokens.user {
            Some(user) => Some(self.signed_in(caller, user).await?),
            None => None,
        };
        let requester = caller.requester(&claims, person, signed_in)?;
        // Last, so that only a token that lets somebody in is used up.
        self.replays.note(&claims, caller.now)?;
        Ok(requester)
    }

    /// The person whose id token of CIS2 this is.
    async fn signed_in(&self, caller: Calling<'_>, token: &str) -> Result<Person, Refused> {
        let token = UnverifiedToken::read(token)?;
        let (claims, issuer) = self.verified(caller, token).await?;
        match &issuer.shape {
            ClaimShape::Cis2 { least_aal, roles } => Person::of_cis2(&claims, *least_aal, roles),
            ClaimShape::GpConnect => Err(Refused::Issuer),
        }
    }

    async fn verified(
        &self,
        caller: Calling<'_>,
        token: UnverifiedToken<'_>,
    ) -> Result<(VerifiedClaims, &Issuer), Refused> {
        let iss = token.claims.issuer().filter(|iss| caller.consumer.issuers.iter().any(|own| own == iss));
        let (issuer, ring) = iss.and_then(|iss| self.issuers.get(iss)).ok_or(Refused::Issuer)?;
        let set = ring.holding(token.key_id()).await?;
        let key = set.find(token.key_id()).ok_or(Refused::UnknownKey)?;
        let audiences = match &issuer.shape {
            ClaimShape::GpConnect => issuer.audiences.as_slice(),
            // An id token that another system was given is not this one's to show.
            ClaimShape::Cis2 { .. } => caller.consumer.cis2_client.as_slice(),
        };
        let shown =
            Shown { certificate: caller.certificate, now: caller.now, audiences, kinds: &issuer.kinds };
        Ok((issuer.verify(token, key, shown)?, issuer))
    }
}

/// A system that is proven, at this moment.
#[derive(Clone, Copy)]
pub(crate) struct Calling<'c> {
    pub(crate) consumer: &'c Arc<Consumer>,
    /// None where a browser calls.
    pub(crate) certificate: Option<&'c Certificate>,
    pub(crate) now: i64,
}

impl Calling<'_> {
    pub(crate) fn requester(
        self,
        claims: &VerifiedClaims,
        asserted: Person,
        signed_in: Option<Person>,
    ) -> Result<Requester, Refused> {
        let (person, token, assurance) = match signed_in {
            None => (asserted, TokenKind::Signed, Assurance::Signed),
            Some(signed_in) => {
                // Both must be about one person at one organisation.
                if asserted.spine.user != signed_in.spine.user {
                    return Err(Refused::Claims);
                }
                if asserted.organisation != signed_in.organisation {
                    return Err(Refused::Organisation);
                }
                let organisation_name = asserted.organisation_name;
                (Person { organisation_name, ..signed_in }, TokenKind::Cis2, Assurance::Cis2)
            }
        };
        self.consumer.speaks_for(&person.organisation)?;
        let role = self.consumer.role(person.role)?;
        let proof = Proof {
            consumer: self.consumer.id.clone(),
            spki_sha256: self.certificate.map(Certificate::spki_sha256),
            token,
            issuer: Some(claims.issuer().to_owned()),
            jti_sha256: claims.jti_sha256(),
            aal: person.aal,
            own: person.own.filter(|_| role == Role::Patient),
            said: reason::said(claims.claims()),
            related: relationship::claimed(claims.claims())?.map(|related| self.consumer.vouched(related)),
        };
        Ok(Requester {
            user_id: person.user_id,
            family: person.family,
            given: person.given,
            role,
            organisation: person.organisation,
            organisation_name: person.organisation_name,
            asid: None,
            spine: person.spine,
            assurance,
            proof: Some(Arc::new(proof)),
            priority: self.consumer.priority.unwrap_or_else(|| Priority::of(role)),
        })
    }
}

/// The same for the unsigned token of GP Connect, where the certificate alone proves anything: what the token says
/// is taken down as said.
impl Consumer {
    /// The person whom an unsigned token names, if this system may speak for them.
    pub fn asserted(&self, certificate: &Certificate, said: Requester) -> Result<Requester, Refused> {
        self.speaks_for(&said.organisation)?;
        // Such a token names no role.
        let role = self.role(None)?;
        let proof = Proof {
            consumer: self.id.clone(),
            spki_sha256: Some(certificate.spki_sha256()),
            token: TokenKind::Unsigned,
            issuer: None,
            jti_sha256: None,
            aal: None,
            own: None,
            // Held against the interaction when the token was read, in the order that consumers know.
            said: Said { purposes: reason::covered("directcare"), scope: ScopeSaid::Patients },
            related: None,
        };
        Ok(Requester {
            role,
            assurance: Assurance::AssertedUnsigned,
            proof: Some(Arc::new(proof)),
            priority: self.priority.unwrap_or_else(|| Priority::of(role)),
            ..said
        })
    }
}

#[cfg(test)]
mod tests;
