//! A visit: one person who was sent to one patient's pages by their own system.
//!
//! Their browser shows no certificate and no token. What it shows is the visit itself, sealed: nobody can read it, make
//! one, or turn it into one about somebody else.

use std::sync::Arc;

use jiff::Timestamp;
use tributary_model::requester::{Assurance, Proof, Related, Said, ScopeSaid, TokenKind};
use tributary_model::{Hex, NhsNumber, OdsCode, Priority, Purpose, Relationship, Requester, Role, SpineIds};

use crate::links::VISIT_LIFE_SECS;

/// Ends each field of the sealed text. No field may hold it.
const END: char = '\u{1f}';

/// Whose pages somebody may open, as whom and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The person, as their system proved them.
    pub requester: Arc<Requester>,
    /// The one patient that it is about.
    pub patient: NhsNumber,
    /// What for.
    pub purpose: Purpose,
    /// When they were sent here.
    pub began: Timestamp,
    /// Which page of it: the fields of a form, without the patient.
    pub page: String,
}

/// A visit that may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The last part of the address that opens it, once.
    pub sealed: String,
    /// Sequence id of its audit record.
    pub audit: String,
}

impl Visit {
    /// Whether it is not over.
    pub(crate) fn lasts(&self, now: Timestamp) -> bool {
        (0..=VISIT_LIFE_SECS).contains(&now.as_second().saturating_sub(self.began.as_second()))
    }

    /// Its text, to be sealed; nothing where a field cannot be written.
    pub(crate) fn to_text(&self) -> Option<String> {
        let Requester { user_id, family, given, role, organisation, organisation_name, .. } =
            &*self.requester;
        let Requester { asid, spine, assurance, proof, priority, .. } = &*self.requester;
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        let hex = |bytes: Option<[u8; 32]>| bytes.as_ref().map(digits).unwrap_or_default();
        let proof = proof.as_deref();
        let fields = [
            user_id.clone(),
            family.clone(),
            given.clone(),
            role.code().to_owned(),
            organisation.as_str().to_owned(),
            organisation_name.clone(),
            or_none(asid),
            or_none(&spine.user),
            or_none(&spine.role_profile),
            assurance.code().to_owned(),
            priority.code().to_owned(),
            proof.map(|proof| proof.consumer.clone()).unwrap_or_default(),
            proof.map(|proof| hex(proof.spki_sha256)).unwrap_or_default(),
            proof.map(|proof| proof.token.code().to_owned()).unwrap_or_default(),
            proof.map(|proof| or_none(&proof.issuer)).unwrap_or_default(),
            proof.map(|proof| hex(proof.jti_sha256)).unwrap_or_default(),
            proof.and_then(|proof| proof.aal).map(|aal| aal.to_string()).unwrap_or_default(),
            proof.and_then(|proof| proof.own).map(|own| own.expose().to_owned()).unwrap_or_default(),
            self.requester.relationship_to(self.patient).code().to_owned(),
            self.patient.expose().to_owned(),
            self.purpose.code().to_owned(),
            self.began.as_second().to_string(),
            self.page.clone(),
        ];
        if fields.iter().any(|field| field.contains(END)) {
            return None;
        }
        Some(fields.map(|field| format!("{field}{END}")).concat())
    }

    /// Reads such a text.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut fields = text.strip_suffix(END)?.split(END);
        let mut next = || fields.next().map(str::to_owned);
        let [user_id, family, given] = [next()?, next()?, next()?];
        let role = Role::from_code(&next()?)?;
        let organisation = OdsCode::parse(&next()?).ok()?;
        let organisation_name = next()?;
        let asid = some(next()?);
        let spine = SpineIds { user: some(next()?), role_profile: some(next()?) };
        let assurance = assurance(&next()?)?;
        let priority = Priority::from_code(&next()?)?;
        let shown = [next()?, next()?, next()?, next()?, next()?, next()?, next()?];
        let degree = Relationship::from_code(&next()?)?;
        let patient = NhsNumber::parse(&next()?).ok()?;
        let purpose = Purpose::from_code(&next()?)?;
        let related = (degree != Relationship::Unknown).then_some(Related { patient, degree });
        let proof = if shown.concat().is_empty() {
            None
        } else {
            Some(Arc::new(Proof { related, ..proof(shown, purpose)? }))
        };
        let requester = Requester {
            user_id,
            family,
            given,
            role,
            organisation,
            organisation_name,
            asid,
            spine,
            assurance,
            proof,
            priority,
        };
        let began = Timestamp::from_second(next()?.parse().ok()?).ok()?;
        let page = next()?;
        let is_all = fields.next().is_none();
        is_all.then(|| Self { requester: Arc::new(requester), patient, purpose, began, page })
    }
}

/// An empty field is none.
fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn assurance(code: &str) -> Option<Assurance> {
    let all = [Assurance::Demo, Assurance::AssertedUnsigned, Assurance::Signed, Assurance::Cis2];
    all.into_iter().find(|one| one.code() == code)
}

/// What was proven. What the token said it was for was held against the purpose when the visit was made, so a visit is
/// held to that purpose.
fn proof(fields: [String; 7], purpose: Purpose) -> Option<Proof> {
    let [consumer, spki, token, issuer, jti, aal, own] = fields;
    let kinds = [TokenKind::Unsigned, TokenKind::Signed, TokenKind::Cis2];
    let digest = |digits: String| some(digits).map(|digits| bytes(&digits).ok_or(())).transpose().ok();
    let purposes = Purpose::ALL.iter().find(|one| **one == purpose).map(std::slice::from_ref)?;
    Some(Proof {
        consumer,
        spki_sha256: digest(spki)?,
        token: kinds.into_iter().find(|kind| kind.code() == token)?,
        issuer: some(issuer),
        jti_sha256: digest(jti)?,
        aal: some(aal).map(|aal| aal.parse()).transpose().ok()?,
        own: some(own).map(|own| NhsNumber::parse(&own)).transpose().ok()?,
        said: Said { purposes, scope: ScopeSaid::Patients },
        related: None,
    })
}

fn digits(bytes: &[u8; 32]) -> String {
    Hex(bytes).to_string()
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    (digits.len() == 64).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(proof: Option<Proof>) -> Visit {
        let requester = Requester {
            user_id: "u-17".to_owned(),
            family: "O'Brien \"Zoë\" | & =".to_owned(),
            given: String::new(),
            role: Role::CommunityNurse,
            organisation: OdsCode::parse("RZ905").unwrap(),
            organisation_name: "Mersey Community Trust".to_owned(),
            asid: None,
            spine: SpineIds { user: Some("656005750104".to_owned()), role_profile: None },
            assurance: Assurance::Signed,
            proof: proof.map(Arc::new),
            priority: Priority::Urgent,
        };
        Visit {
            requester: Arc::new(requester),
            patient: NhsNumber::parse("9990000107").unwrap(),
            purpose: Purpose::DirectCare,
            began: Timestamp::from_second(1_780_000_000).unwrap(),
            page: "live=1".to_owned(),
        }
    }

    fn proven() -> Proof {
        Proof {
            consumer: "epr".to_owned(),
            spki_sha256: None,
            token: TokenKind::Signed,
            issuer: Some("https://epr.example.test".to_owned()),
            jti_sha256: Some([9; 32]),
            aal: Some(3),
            own: None,
            said: Said { purposes: &[Purpose::DirectCare], scope: ScopeSaid::Patients },
            related: None,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let patient = visit(None).patient;
        let related = Some(Related { patient, degree: Relationship::Evidenced });
        let more = Proof { spki_sha256: Some([1; 32]), aal: None, related, ..proven() };
        for proof in [None, Some(proven()), Some(more)] {
            let visit = visit(proof);
            assert_eq!(Visit::from_text(&visit.to_text().unwrap()), Some(visit));
        }
    }

    #[test]
    fn what_is_not_whole_is_no_visit() {
        let text = visit(Some(proven())).to_text().unwrap();
        for (at, _) in text.char_indices() {
            assert_eq!(Visit::from_text(text.split_at(at).0), None, "{at}");
        }
        assert_eq!(Visit::from_text(&format!("{text}{END}")), None);
        let split = Visit { page: format!("live=1{END}9990000204"), ..visit(None) };
        assert_eq!(split.to_text(), None, "no field can become two");
    }

    #[test]
    fn a_visit_ends_whenever_it_is_shown() {
        let visit = visit(None);
        let after = |seconds: i64| Timestamp::from_second(visit.began.as_second() + seconds).unwrap();
        assert!(visit.lasts(after(0)) && visit.lasts(after(VISIT_LIFE_SECS)));
        assert!(!visit.lasts(after(VISIT_LIFE_SECS + 1)) && !visit.lasts(after(-1)));
    }
}
