//! Opens the accepted answers: who said what, under which new id, and where each reference leads.

mod broker;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use tributary_fhir::bundle::{self, Entry};
use tributary_fhir::json::has_byte;
use tributary_fhir::{Bundle, Json, Reply};
use tributary_model::{FaultClass, Hex, NhsNumber, SourceId, SourceKind};
use uuid::Uuid;

use crate::cascade::{self, Told};
use crate::gate::{self, Whom};
use crate::identity::{self, Proof, Tie};
use crate::inputs::{Answer, SourceCard};

/// The name space of every id we make: `UUIDv5(URL, "https://tributary.example/ns/origin")`.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x1fe4_8c47_decc_5fca_9e8a_1c80_1206_3bb9);

/// The entry extension that keeps the type a resource had before conversion.
pub const ORIGINAL_TYPE: &str = "urn:x-tributary:original-type";

/// The id of the Patient that a broker of this kind makes: the same at every broker.
pub fn patient_id(number: NhsNumber) -> Uuid {
    own_id(&format!("patient|{}", number.expose()))
}

/// The id of the device that assembles records: the same at every broker.
pub fn device_id() -> Uuid {
    static DEVICE: LazyLock<Uuid> = LazyLock::new(|| own_id("device"));
    *DEVICE
}

/// The id of a thing of our own making, named by `name`.
pub fn own_id(name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// One resource of one source.
#[derive(Clone)]
pub struct Statement<'a> {
    /// Position of its answer among the accepted ones.
    pub answer: usize,
    /// Position of who said it in [`Loaded::voices`].
    pub voice: usize,
    /// The type the source gave it.
    pub origin_type: Cow<'a, str>,
    /// The id the source gave it, or one made from its content.
    pub origin_id: Cow<'a, str>,
    /// Its type now.
    pub kind: Cow<'a, str>,
    /// Its id in the merged bundle.
    pub id: Uuid,
    /// The resource.
    pub resource: Json<'a>,
}

impl Statement<'_> {
    /// `Type/id` as the source knows it.
    pub fn origin(&self) -> String {
        [&*self.origin_type, "/", &*self.origin_id].concat()
    }
}

/// Who says something: a source that was asked, or one that another broker asked for us.
///
/// The same source heard in two ways is two voices: what they say may differ, and then a reader must see it.
#[derive(Debug)]
pub struct Voice {
    /// The source.
    pub id: SourceId,
    /// Its name: ours, where it is registered here.
    pub name: String,
    /// Position of the answer it is heard in.
    pub answer: usize,
    /// Where it stands among the others: by rank, by id, by the way it is heard.
    pub order: usize,
    rank: u32,
}

impl Voice {
    fn of(card: &SourceCard, answer: usize) -> Self {
        Self { id: card.id.clone(), name: card.name.clone(), answer, order: 0, rank: card.rank }
    }
}

/// An accepted answer.
pub struct Accepted<'a> {
    /// Whose answer.
    pub card: &'a SourceCard,
    /// The answer.
    pub answer: &'a Answer,
    /// What it brought.
    pub reply: &'a Reply,
    /// Why it is about the patient.
    pub proof: Proof<'a>,
    /// The references that mean the patient.
    pub patient_names: BTreeSet<String>,
    /// `Type/id` and `fullUrl` to the position in [`Loaded::statements`].
    pub index: HashMap<Cow<'a, str>, usize>,
    /// Resources whose subject could not be tied to the patient.
    pub loose: Vec<Json<'a>>,
    /// Entries received, outcomes left out.
    pub received: usize,
    /// The id of a medication plan to the position of the statement that is based on it.
    pub statements_by_plan: HashMap<Uuid, usize>,
    /// The observations that a report names as its results, with the members of those.
    pub reported: HashSet<Uuid>,
    /// What it says of its own sources, if it is a broker.
    pub told: Option<Told>,
    /// Statements of other answers that this one repeats byte for byte.
    pub shared: Vec<usize>,
}

/// Everything accepted: sources that were asked directly, then other brokers, each by rank.
#[derive(Default)]
pub struct Loaded<'a> {
    /// Every registered source.
    pub registry: &'a [SourceCard],
    /// The accepted answers.
    pub answers: Vec<Accepted<'a>>,
    /// Every resource of every answer.
    pub statements: Vec<Statement<'a>>,
    /// Who says them.
    pub voices: Vec<Voice>,
}

impl<'a> Loaded<'a> {
    /// Admits one answer, or says why all of it is quarantined.
    pub fn admit(
        &mut self,
        card: &'a SourceCard,
        answer: &'a Answer,
        reply: &'a Reply,
        whom: Whom<'_>,
    ) -> Result<(), FaultClass> {
        let base_url = card.base_url.as_deref();
        let number = whom.number;
        let is_broker = card.kind == SourceKind::Broker;
        let (proof, patient_names) = if is_broker {
            cascade::prove(&reply.documents, whom, base_url)?
        } else {
            let proof = identity::prove(&reply.documents, number)?;
            gate::check(proof.patient, whom)?;
            (proof, identity::names(base_url, proof))
        };
        let mut accepted = Accepted {
            card,
            answer,
            reply,
            proof,
            patient_names,
            index: HashMap::new(),
            loose: Vec::new(),
            received: 0,
            statements_by_plan: HashMap::new(),
            reported: HashSet::new(),
            told: is_broker.then(|| cascade::told(&reply.documents, number)),
            shared: Vec::new(),
        };
        let first = self.statements.len();
        let (statements, voices) = if is_broker {
            self.open_broker(&mut accepted, number)?
        } else {
            (self.open(&mut accepted, number)?, vec![Voice::of(card, self.answers.len())])
        };
        self.adopt(statements, voices);
        accepted.statements_by_plan = plans(&accepted, &self.statements, first);
        accepted.reported = reported(&accepted, &self.statements, first);
        self.answers.push(accepted);
        Ok(())
    }

    /// Takes over what an answer says, and who says it.
    fn adopt(&mut self, statements: Vec<Statement<'a>>, voices: Vec<Voice>) {
        let base = self.voices.len();
        self.statements
            .extend(statements.into_iter().map(|one| Statement { voice: base + one.voice, ..one }));
        self.voices.extend(voices);
    }

    fn open(&self, accepted: &mut Accepted<'a>, number: NhsNumber) -> Result<Vec<Statement<'a>>, FaultClass> {
        let mut entries = Vec::new();
        for document in &accepted.reply.documents {
            let converted = accepted.reply.converted;
            entries.extend(Bundle::of(document)?.entries().filter_map(|entry| Named::of(entry, converted)));
        }
        accepted.received = entries.len();
        accepted.index.reserve(entries.len() * 2);
        // Sorted, so that nothing depends on the order in which a source lists its resources.
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut opened: Vec<Statement<'a>> = Vec::new();
        let mut before: Option<Named<'a>> = None;
        for named in entries {
            match identity::tie(named.entry.resource, &named.kind, &accepted.patient_names, number) {
                Tie::Tied => {}
                Tie::Loose => {
                    accepted.loose.push(named.entry.resource);
                    continue;
                }
                Tie::Other => return Err(FaultClass::IdentityMixed),
            }
            let twin = before.as_ref().is_some_and(|before| before.same_name(&named));
            if twin && before.as_ref().is_some_and(|before| before.raw() == named.raw()) {
                // A byte-equal repeat: the only thing that is ever dropped. Its address still leads somewhere.
                if let Some(kept) = opened.last() {
                    file(accepted, names(kept), named.entry, self.statements.len() + opened.len() - 1);
                }
                continue;
            }
            let place = self.statements.len() + opened.len();
            let statement = named.statement(accepted, self.answers.len(), twin);
            file(accepted, names(&statement), named.entry, place);
            opened.push(statement);
            before = Some(named);
        }
        Ok(opened)
    }

    /// Puts the voices in their order, once everybody is heard.
    pub fn settle(&mut self) {
        let key = |voice: &Voice| (voice.rank, voice.id.clone(), voice.answer);
        let mut order: Vec<usize> = (0..self.voices.len()).collect();
        order.sort_by_cached_key(|place| self.voices.get(*place).map(key));
        for (at, place) in order.into_iter().enumerate() {
            if let Some(voice) = self.voices.get_mut(place) {
                voice.order = at;
            }
        }
    }

    /// Who made a statement.
    pub fn voice(&self, statement: &Statement<'_>) -> Option<&Voice> {
        self.voices.get(statement.voice)
    }

    /// The accepted answer a statement belongs to.
    pub fn home(&self, statement: &Statement<'_>) -> Option<&Accepted<'a>> {
        self.answers.get(statement.answer)
    }

    /// What a reference inside a statement's answer leads to.
    pub fn target(&self, statement: &Statement<'_>, reference: &str) -> Option<&Statement<'a>> {
        let place = *self.home(statement)?.index.get(bare(reference))?;
        self.statements.get(place)
    }

    /// Position of what a reference inside a statement's answer leads to.
    pub fn target_place(&self, statement: &Statement<'_>, reference: &str) -> Option<usize> {
        self.home(statement)?.index.get(bare(reference)).copied()
    }
}

fn plans(accepted: &Accepted<'_>, statements: &[Statement<'_>], first: usize) -> HashMap<Uuid, usize> {
    let mut plans = HashMap::new();
    for (place, statement) in statements.iter().enumerate().skip(first) {
        if statement.kind != "MedicationStatement" {
            continue;
        }
        let links = statement.resource.get("basedOn").into_iter().flat_map(Json::each);
        for name in links.filter_map(|link| link.text_at("reference")) {
            let target = accepted.index.get(bare(&name)).and_then(|place| statements.get(*place));
            if let Some(plan) = target.filter(|target| target.kind == "MedicationRequest") {
                plans.entry(plan.id).or_insert(place);
            }
        }
    }
    plans
}

/// Follows reports to their results, and groups of results to their members.
fn reported(accepted: &Accepted<'_>, statements: &[Statement<'_>], first: usize) -> HashSet<Uuid> {
    let own = statements.get(first..).unwrap_or_default();
    let mut open: Vec<(&Statement<'_>, &str)> =
        own.iter().filter(|one| one.kind == "DiagnosticReport").map(|report| (report, "result")).collect();
    let mut reported = HashSet::new();
    while let Some((holder, link)) = open.pop() {
        let links = holder.resource.get(link).into_iter().flat_map(Json::each);
        for name in links.filter_map(|link| link.text_at("reference")) {
            let target = accepted.index.get(bare(&name)).and_then(|place| statements.get(*place));
            // A circle of members ends where it has been before.
            if let Some(target) = target.filter(|one| one.kind == "Observation" && reported.insert(one.id)) {
                open.push((target, "hasMember"));
            }
        }
    }
    reported
}

/// A reference without its version and fragment.
pub fn bare(reference: &str) -> &str {
    // Nearly every reference has neither; to look once for two bytes is far cheaper than to look for a word.
    if !has_byte(reference.as_bytes(), [b'_', b'#']) {
        return reference;
    }
    let whole = reference.split_once("/_history/").map_or(reference, |(before, _)| before);
    whole.split_once('#').map_or(whole, |(before, _)| before)
}

/// An entry with the name its source gave it.
struct Named<'a> {
    entry: Entry<'a>,
    kind: Cow<'a, str>,
    origin_type: Cow<'a, str>,
    origin_id: Cow<'a, str>,
}

impl<'a> Named<'a> {
    /// Names an entry; outcomes are no part of the record.
    fn of(entry: Entry<'a>, converted: bool) -> Option<Self> {
        let kind = bundle::type_of(entry.resource);
        if kind == "OperationOutcome" {
            return None;
        }
        // Only our own conversion may say that a resource had another type.
        let original = if converted { original_type(entry) } else { None };
        let origin_type = original.unwrap_or_else(|| kind.clone());
        // Ids that could be taken for the marks we put on ids ourselves are spelt out.
        let spelt_out = |id: Cow<'a, str>| {
            if has_byte(id.as_bytes(), [b'~', b'#']) {
                Cow::Owned(id.replace('~', "%7E").replace('#', "%23"))
            } else {
                id
            }
        };
        let id = bundle::id_of(entry.resource).map(spelt_out);
        let hash = || Cow::Owned(format!("#{}", content_hash(entry.resource.raw(), 16)));
        let origin_id = id.unwrap_or_else(hash);
        Some(Self { entry, kind, origin_type, origin_id })
    }

    fn raw(&self) -> &'a str {
        self.entry.resource.raw()
    }

    fn order(&self) -> (&str, &str, &str) {
        (&self.origin_type, &self.origin_id, self.raw())
    }

    fn same_name(&self, other: &Self) -> bool {
        self.origin_type == other.origin_type && self.origin_id == other.origin_id
    }

    /// Makes it a statement. A twin under the same name with other content is told apart by its content.
    fn statement(&self, accepted: &Accepted<'_>, answer: usize, twin: bool) -> Statement<'a> {
        let mut origin_id = self.origin_id.clone();
        if twin {
            // Long enough that nobody can make two contents that would share an id.
            origin_id.to_mut().push('~');
            origin_id.to_mut().push_str(&content_hash(self.raw(), 32));
        }
        let id = own_id(&[accepted.card.id.as_str(), "|", &*self.origin_type, "|", &*origin_id].concat());
        Statement {
            answer,
            voice: 0,
            origin_type: self.origin_type.clone(),
            origin_id,
            kind: self.kind.clone(),
            id,
            resource: self.entry.resource,
        }
    }
}

fn original_type(entry: Entry<'_>) -> Option<Cow<'_, str>> {
    let mut extensions = entry.extensions();
    extensions.find(|one| one.says("url", ORIGINAL_TYPE))?.text_at("valueCode")
}

/// The names a statement has inside its own answer: by its first type, and by that which it has now.
fn names(statement: &Statement<'_>) -> [Option<String>; 2] {
    let is_other = statement.kind != statement.origin_type;
    let other = is_other.then(|| [&statement.kind, "/", &*statement.origin_id].concat());
    [Some(statement.origin()), other]
}

/// Enters a statement under its names, the first of which also stands below the source's own address.
fn file<'a>(accepted: &mut Accepted<'a>, names: [Option<String>; 2], entry: Entry<'a>, place: usize) {
    let [first, other] = names;
    let full_url = entry.full_url.and_then(Json::text).filter(|url| !url.is_empty());
    let base = accepted.card.base_url.as_deref().map(|base| base.trim_end_matches('/'));
    let below = base.zip(first.as_deref()).and_then(|(base, first)| {
        // Most R4 sources give that very address as `fullUrl`.
        let said = full_url.as_deref().and_then(|url| url.strip_prefix(base)?.strip_prefix('/'));
        (said != Some(first)).then(|| [base, "/", first].concat())
    });
    let owned = [first, other, below].into_iter().flatten().map(Cow::Owned);
    for name in owned.chain(full_url) {
        // The first one keeps the name: a second resource under the same id was renamed above.
        accepted.index.entry(name).or_insert(place);
    }
}

fn content_hash(raw: &str, digits: usize) -> String {
    Hex(&Sha256::digest(raw.as_bytes())).to_string().chars().take(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_published_vectors() {
        assert_eq!(own_id("acute-a|MedicationRequest|1").to_string(), "296ac9f3-c288-591b-bb7b-6fe473dc93f8");
        assert_eq!(
            own_id("community|MedicationRequest|1").to_string(),
            "8df9c950-6c47-5370-be08-7d00e8c4ae91"
        );
    }

    #[test]
    fn references_lose_version_and_fragment() {
        assert_eq!(bare("Observation/1/_history/2"), "Observation/1");
        assert_eq!(bare("List/1#x"), "List/1");
        assert_eq!(bare("#x"), "");
    }
}
