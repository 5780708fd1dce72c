//! The ids under which attachments are given out: everything needed to fetch one, sealed, and kept nowhere.
//!
//! A GP system knows an attachment by an id that says nothing of its patient. So that every fetch is recorded
//! against the right person, the id that a caller gets holds the patient's number as well, encrypted: nobody
//! can read it, make one, or use one of another source.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use tributary_model::{NhsNumber, SourceId};

/// How long an id may be used, in seconds: a working shift.
const LIFE_SECS: i64 = 12 * 60 * 60;
/// The first byte of what is sealed.
const VERSION: u8 = 1;
/// The same of an id that names its source itself.
const NAMED_VERSION: u8 = 2;
/// What ids of merged records are bound to: none of them is one of a practice's, whatever its source is called.
const MERGED: &[u8] = b"/fhir/R4/Binary";
/// The same of a form that an address stands for.
const FORM_VERSION: u8 = 3;
/// How long an address may stand for a form, in seconds: long enough to be followed, and to be loaded again at once.
const FORM_LIFE_SECS: i64 = 2 * 60;
/// Longest form.
const FORM_BYTES: usize = 512;
/// How long a launch may be on its way to a browser, in seconds: a page that is opened now, on a slow line.
pub(crate) const LAUNCH_LIFE_SECS: i64 = 60;
/// How long the pages of one launch may ask again, in seconds: a visit to somebody's home.
pub(crate) const VISIT_LIFE_SECS: i64 = 60 * 60;
/// Longest text of a visit: in base64 with what the seal adds it still fits into an address of 2,048 bytes.
const VISIT_BYTES: usize = 1_400;
const NUMBER_BYTES: usize = 10;
/// Longest id of an attachment at its source: a FHIR id.
const ID_BYTES: usize = 64;

/// A key of 32 bytes. Nodes behind one address share one, or a link of one is nothing to the other.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

/// The system gave no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no random numbers are to be had")]
pub struct NoRandomness;

impl LinkKey {
    /// A key that is given.
    pub const fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new key: links end with the process. It is the system's own randomness: the library of ciphers first measures
    /// for tens of milliseconds how unsteady the processor is, and a broker begins with this key.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_none| NoRandomness)?;
        Ok(Self(bytes))
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey([redacted])")
    }
}

/// Seals and opens ids.
pub(crate) struct Links {
    key: Option<LessSafeKey>,
    /// Makes the nonce of an id that must be the same each time.
    steady: hmac::Key,
    random: SystemRandom,
}

/// Why an id opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkFault {
    /// Not given out here, or not for this source.
    Unknown,
    /// Given out too long ago.
    Expired,
}

/// In which way a visit is shown to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// In an address that is good for one look, and for a minute.
    Launch,
    /// In a form of a page of the visit, as often as its reader asks, for an hour.
    Page,
}

impl Pass {
    /// What its seal is bound to: one is nothing to the other, and neither is a form's.
    const fn bound_to(self) -> &'static [u8] {
        match self {
            Self::Launch => b"/launch",
            Self::Page => b"/visit",
        }
    }

    const fn life_secs(self) -> i64 {
        match self {
            Self::Launch => LAUNCH_LIFE_SECS,
            Self::Page => VISIT_LIFE_SECS,
        }
    }
}

/// What an id stands for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) patient: NhsNumber,
    /// Its id at the source.
    pub(crate) id: String,
}

impl Links {
    pub(crate) fn new(key: &LinkKey) -> Self {
        // A key of its own, so that no nonce says anything of the key that it is used with.
        let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.0), b"nonces of attachment ids");
        let steady = hmac::Key::new(hmac::HMAC_SHA256, own.as_ref());
        let key = UnboundKey::new(&AES_256_GCM, &key.0).ok().map(LessSafeKey::new);
        Self { key, steady, random: SystemRandom::new() }
    }

    /// An id for an attachment; `None` if none can be made.
    pub(crate) fn seal(&self, source: &SourceId, attachment: &Attachment, now: Timestamp) -> Option<String> {
        if attachment.id.len() > ID_BYTES {
            return None;
        }
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut text = begun(VERSION, attachment, now);
        text.extend_from_slice(attachment.id.as_bytes());
        self.closed(nonce, source.as_str().as_bytes(), text)
    }

    /// An id for an attachment of a merged record: it names its source too, and the same attachment of the same
    /// record has the same id, for equal records are equal bytes.
    ///
    /// The nonce follows from what is sealed, so two different texts never share one but by a chance of 2^-96.
    pub(crate) fn seal_named(
        &self,
        source: &SourceId,
        attachment: &Attachment,
        now: Timestamp,
    ) -> Option<String> {
        let length = u8::try_from(source.as_str().len()).ok()?;
        if attachment.id.len() > ID_BYTES {
            return None;
        }
        let mut text = begun(NAMED_VERSION, attachment, now);
        text.push(length);
        text.extend_from_slice(source.as_str().as_bytes());
        text.extend_from_slice(attachment.id.as_bytes());
        let mac = hmac::sign(&self.steady, &text);
        let nonce = *mac.as_ref().first_chunk::<NONCE_LEN>()?;
        self.closed(nonce, MERGED, text)
    }

    /// What an address says in place of a form that `who` sent: nobody else can use it, and nobody can read it.
    pub(crate) fn seal_form(&self, who: &str, form: &str, now: Timestamp) -> Option<String> {
        if form.len() > FORM_BYTES {
            return None;
        }
        self.seal_text(&form_of(who), form, now)
    }

    /// What stands for a visit, in this way. It names who may use it itself: whoever shows it first is taken for them.
    pub(crate) fn seal_visit(&self, pass: Pass, visit: &str, now: Timestamp) -> Option<String> {
        if visit.len() > VISIT_BYTES {
            return None;
        }
        self.seal_text(pass.bound_to(), visit, now)
    }

    /// The visit that it stands for; nothing where it was not given out for this, or too long ago.
    pub(crate) fn open_visit(&self, pass: Pass, sealed: &str, now: Timestamp) -> Option<String> {
        self.open_text(pass.bound_to(), sealed, (now, pass.life_secs()))
    }

    fn seal_text(&self, bound_to: &[u8], form: &str, now: Timestamp) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut text = vec![FORM_VERSION];
        text.extend_from_slice(&now.as_second().to_be_bytes());
        text.extend_from_slice(form.as_bytes());
        self.closed(nonce, bound_to, text)
    }

    /// The form that an address stands for; nothing where it is not theirs, or too old.
    pub(crate) fn open_form(&self, who: &str, sealed: &str, now: Timestamp) -> Option<String> {
        self.open_text(&form_of(who), sealed, (now, FORM_LIFE_SECS))
    }

    fn open_text(&self, bound_to: &[u8], sealed: &str, (now, life): (Timestamp, i64)) -> Option<String> {
        let text = self.unsealed(bound_to, sealed)?;
        let (made, form) = text.strip_prefix(&[FORM_VERSION])?.split_first_chunk::<8>()?;
        let age = now.as_second().saturating_sub(i64::from_be_bytes(*made));
        let form = std::str::from_utf8(form).ok().filter(|_| (0..=life).contains(&age))?;
        Some(form.to_owned())
    }

    fn closed(&self, nonce: [u8; NONCE_LEN], bound_to: &[u8], mut text: Vec<u8>) -> Option<String> {
        let key = self.key.as_ref()?;
        let aad = Aad::from(bound_to);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat()))
    }

    /// What an id stands for at a source.
    pub(crate) fn open(&self, source: &SourceId, id: &str, now: Timestamp) -> Result<Attachment, LinkFault> {
        let opened = self.opened(VERSION, source.as_str().as_bytes(), id).ok_or(LinkFault::Unknown)?;
        let id = String::from_utf8(opened.rest).map_err(|_never| LinkFault::Unknown)?;
        fresh(opened.made, now)?;
        Ok(Attachment { patient: opened.patient, id })
    }

    /// What an id of a merged record stands for, and at which source.
    pub(crate) fn open_named(&self, id: &str, now: Timestamp) -> Result<(SourceId, Attachment), LinkFault> {
        let opened = self.opened(NAMED_VERSION, MERGED, id).ok_or(LinkFault::Unknown)?;
        let (source, id) = named(&opened.rest).ok_or(LinkFault::Unknown)?;
        fresh(opened.made, now)?;
        Ok((source, Attachment { patient: opened.patient, id }))
    }

    fn opened(&self, version: u8, bound_to: &[u8], id: &str) -> Option<Opened> {
        let text = self.unsealed(bound_to, id)?;
        let (found, text) = text.split_first()?;
        let (made, text) = text.split_first_chunk::<8>()?;
        let (number, rest) = text.split_first_chunk::<NUMBER_BYTES>()?;
        let patient = NhsNumber::parse(std::str::from_utf8(number).ok()?).ok()?;
        let opened = Opened { made: i64::from_be_bytes(*made), patient, rest: rest.to_vec() };
        (*found == version).then_some(opened)
    }

    fn unsealed(&self, bound_to: &[u8], id: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.as_ref()?.open_in_place(nonce, Aad::from(bound_to), sealed).ok()?;
        Some(text.to_vec())
    }
}

/// What the seal of a form is bound to.
fn form_of(who: &str) -> Vec<u8> {
    ["/record\n", who].concat().into_bytes()
}

/// What every sealed text says.
struct Opened {
    made: i64,
    patient: NhsNumber,
    /// What follows.
    rest: Vec<u8>,
}

fn begun(version: u8, attachment: &Attachment, now: Timestamp) -> Vec<u8> {
    let mut text = vec![version];
    text.extend_from_slice(&now.as_second().to_be_bytes());
    text.extend_from_slice(attachment.patient.expose().as_bytes());
    text
}

fn named(rest: &[u8]) -> Option<(SourceId, String)> {
    let (length, rest) = rest.split_first()?;
    let (source, id) = rest.split_at_checked(usize::from(*length))?;
    let source = SourceId::parse(std::str::from_utf8(source).ok()?).ok()?;
    Some((source, std::str::from_utf8(id).ok()?.to_owned()))
}

fn fresh(made: i64, now: Timestamp) -> Result<(), LinkFault> {
    let age = now.as_second().saturating_sub(made);
    if (0..=LIFE_SECS).contains(&age) { Ok(()) } else { Err(LinkFault::Expired) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_780_000_000).unwrap()
    }

    fn later(seconds: i64) -> Timestamp {
        Timestamp::from_second(now().as_second() + seconds).unwrap()
    }

    fn attachment() -> Attachment {
        Attachment { patient: NhsNumber::parse("9990000107").unwrap(), id: "07a6483f-732b-461e".to_owned() }
    }

    fn gp(id: &str) -> SourceId {
        SourceId::parse(id).unwrap()
    }

    #[test]
    fn an_id_opens_at_its_own_source_within_a_shift() {
        let links = Links::new(&LinkKey::of([7; 32]));
        let id = links.seal(&gp("gp-1"), &attachment(), now()).unwrap();
        assert_eq!(links.open(&gp("gp-1"), &id, later(LIFE_SECS)), Ok(attachment()));
        assert_eq!(links.open(&gp("gp-1"), &id, later(LIFE_SECS + 1)), Err(LinkFault::Expired));
        assert_eq!(links.open(&gp("gp-1"), &id, later(-1)), Err(LinkFault::Expired));
        assert_eq!(links.open(&gp("gp-2"), &id, now()), Err(LinkFault::Unknown));
        let stranger = Links::new(&LinkKey::random().unwrap());
        assert_eq!(stranger.open(&gp("gp-1"), &id, now()), Err(LinkFault::Unknown));
    }

    #[test]
    fn an_id_of_a_merged_record_names_its_source_and_is_the_same_each_time() {
        let links = Links::new(&LinkKey::of([7; 32]));
        let id = links.seal_named(&gp("acute-a"), &attachment(), now()).unwrap();
        assert_eq!(links.seal_named(&gp("acute-a"), &attachment(), now()), Some(id.clone()));
        let others = [
            links.seal_named(&gp("acute-b"), &attachment(), now()),
            links.seal_named(&gp("acute-a"), &attachment(), later(1)),
            links.seal_named(&gp("acute-a"), &Attachment { id: "x".to_owned(), ..attachment() }, now()),
        ];
        assert!(others.iter().all(|other| other.as_ref().is_some_and(|other| *other != id)));
        assert_eq!(links.open_named(&id, later(LIFE_SECS)), Ok((gp("acute-a"), attachment())));
        assert_eq!(links.open_named(&id, later(LIFE_SECS + 1)), Err(LinkFault::Expired));
        let stranger = Links::new(&LinkKey::random().unwrap());
        assert_eq!(stranger.open_named(&id, now()), Err(LinkFault::Unknown));
        // An id of the one kind opens nothing of the other.
        assert_eq!(links.open(&gp("acute-a"), &id, now()), Err(LinkFault::Unknown));
        let of_practice = links.seal(&gp("acute-a"), &attachment(), now()).unwrap();
        assert_eq!(links.open_named(&of_practice, now()), Err(LinkFault::Unknown));
    }

    #[test]
    fn a_form_is_opened_by_whoever_sent_it_and_soon() {
        let links = Links::new(&LinkKey::of([7; 32]));
        let form = "nhs=9990000107&role=gp";
        let sealed = links.seal_form("u-1@RXX01", form, now()).unwrap();
        assert_eq!(links.open_form("u-1@RXX01", &sealed, later(FORM_LIFE_SECS)).as_deref(), Some(form));
        assert_eq!(links.open_form("u-1@RXX01", &sealed, later(FORM_LIFE_SECS + 1)), None);
        assert_eq!(links.open_form("u-2@RXX01", &sealed, now()), None);
        assert_eq!(links.open_form("u-1@RXX01", sealed.split_at(9).1, now()), None);
        assert!(!URL_SAFE_NO_PAD.decode(&sealed).unwrap().windows(10).any(|part| part == b"9990000107"));
        assert_ne!(links.seal_form("u-1@RXX01", form, now()), Some(sealed.clone()));
        assert_eq!(links.open_named(&sealed, now()), Err(LinkFault::Unknown));
        assert_eq!(links.seal_form("u", &"x".repeat(FORM_BYTES + 1), now()), None);
    }

    #[test]
    fn a_visit_opens_in_its_own_way_and_soon() {
        let links = Links::new(&LinkKey::of([7; 32]));
        for (pass, other, life) in
            [(Pass::Launch, Pass::Page, LAUNCH_LIFE_SECS), (Pass::Page, Pass::Launch, VISIT_LIFE_SECS)]
        {
            let sealed = links.seal_visit(pass, "9990000107", now()).unwrap();
            assert_eq!(links.open_visit(pass, &sealed, later(life)).as_deref(), Some("9990000107"));
            assert_eq!(links.open_visit(pass, &sealed, later(life + 1)), None);
            assert_eq!(links.open_visit(other, &sealed, now()), None);
            assert_eq!(links.open_form("launch", &sealed, now()), None);
            assert_eq!(Links::new(&LinkKey::random().unwrap()).open_visit(pass, &sealed, now()), None);
        }
        let longest = links.seal_visit(Pass::Launch, &"x".repeat(VISIT_BYTES), now()).unwrap();
        assert!("/launch/".len() + longest.len() < 2_048, "it fits into an address");
        assert_eq!(links.seal_visit(Pass::Launch, &"x".repeat(VISIT_BYTES + 1), now()), None);
    }

    #[test]
    fn an_id_says_nothing_and_cannot_be_changed() {
        let links = Links::new(&LinkKey::of([7; 32]));
        let id = links.seal(&gp("gp-1"), &attachment(), now()).unwrap();
        assert_ne!(id, links.seal(&gp("gp-1"), &attachment(), now()).unwrap());
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        let sealed = URL_SAFE_NO_PAD.decode(&id).unwrap();
        assert!(!sealed.windows(10).any(|window| window == b"9990000107"));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(links.open(&gp("gp-1"), &changed, now()), Err(LinkFault::Unknown), "byte {at}");
        }
        for nonsense in ["", "a", "gp", "====", id.split_at(1).1, id.split_at(20).0] {
            assert_eq!(links.open(&gp("gp-1"), nonsense, now()), Err(LinkFault::Unknown), "{nonsense}");
        }
    }

    #[test]
    fn an_id_of_a_source_beyond_the_limit_is_not_sealed() {
        let links = Links::new(&LinkKey::of([7; 32]));
        let long = Attachment { id: "x".repeat(ID_BYTES + 1), ..attachment() };
        assert_eq!(links.seal(&gp("gp-1"), &long, now()), None);
    }
}
