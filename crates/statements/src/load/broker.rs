//! Opens the answer of another broker: every statement under the origin that broker gave it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use tributary_fhir::bundle::{self, Entry};
use tributary_fhir::{Bundle, Json};
use tributary_model::{FaultClass, NhsNumber, SourceId, SourceKind};
use uuid::Uuid;

use super::{Accepted, Loaded, Named, Statement, Voice, content_hash, file, own_id, patient_id};
use crate::cascade;
use crate::copying::{Copier, kept};
use crate::identified::Identified;
use crate::identity::{self, Tie};

/// Longest name of a source that is taken from a broker.
const LONGEST_NAME: usize = 200;

/// An entry with the source and the name it has from its broker.
struct Passed<'a> {
    source: SourceId,
    named: Named<'a>,
}

impl<'a> Passed<'a> {
    fn of(entry: Entry<'a>, broker: &SourceId) -> Option<Self> {
        let Some(origin) = cascade::origin(entry.resource) else {
            return Some(Self { source: broker.clone(), named: Named::of(entry, false)? });
        };
        let (origin_type, origin_id) = (Cow::Owned(origin.kind), Cow::Owned(origin.id));
        let named = Named { entry, kind: bundle::type_of(entry.resource), origin_type, origin_id };
        Some(Self { source: origin.source, named })
    }

    fn order(&self) -> (&SourceId, (&str, &str, &str)) {
        (&self.source, self.named.order())
    }

    fn id(&self, suffix: &str) -> Uuid {
        own_id(&format!("{}|{}|{}{suffix}", self.source, self.named.origin_type, self.named.origin_id))
    }
}

/// What is opened so far.
#[derive(Default)]
struct Opened<'a> {
    statements: Vec<Statement<'a>>,
    voices: Vec<Voice>,
    by_source: BTreeMap<SourceId, usize>,
}

impl<'a> Loaded<'a> {
    /// Opens a broker's answer. An entry that is here already, from its own source or from another broker, is
    /// dropped if it is the same byte for byte; otherwise both are kept, and the later one has another id, so that
    /// no broker can put its words in the place of a source that was asked directly.
    pub(super) fn open_broker(
        &self,
        accepted: &mut Accepted<'a>,
        number: NhsNumber,
    ) -> Result<(Vec<Statement<'a>>, Vec<Voice>), FaultClass> {
        let mut entries = Vec::new();
        for document in &accepted.reply.documents {
            let theirs = Bundle::of(document)?.entries();
            let statements = theirs.filter(|entry| !cascade::is_authored(entry.resource, number));
            entries.extend(statements.filter_map(|entry| Passed::of(entry, &accepted.card.id)));
        }
        accepted.received = entries.len();
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut taken: HashMap<Uuid, usize> =
            self.statements.iter().enumerate().map(|(place, one)| (one.id, place)).collect();
        let identified = Identified::default();
        let patient = patient_id(number);
        // Addresses of attachments are given out by each broker anew: what has some is kept beside the other.
        let copier =
            Copier { loaded: self, identified: &identified, patient, attachments: None, document: None };
        let mut opened = Opened::default();
        for passed in entries {
            match identity::tie(
                passed.named.entry.resource,
                &passed.named.kind,
                &accepted.patient_names,
                number,
            ) {
                Tie::Tied => {}
                Tie::Loose => {
                    accepted.loose.push(passed.named.entry.resource);
                    continue;
                }
                Tie::Other => return Err(FaultClass::IdentityMixed),
            }
            let before = taken.get(&passed.id("")).copied();
            let repeats = before.is_some_and(|place| match place.checked_sub(self.statements.len()) {
                Some(own) => opened.statements.get(own).is_some_and(|one| is_same(one, &passed.named)),
                None => is_repeat(copier, place, &passed.named),
            });
            let name = own_name(&passed.named);
            if let (Some(place), true) = (before, repeats) {
                accepted.shared.push(place);
                file(accepted, name, passed.named.entry, place);
                continue;
            }
            let hash = || format!("~{}", content_hash(passed.named.raw(), 32));
            let suffix = before.map(|_| hash()).unwrap_or_default();
            let place = self.statements.len() + opened.statements.len();
            let id = passed.id(&suffix);
            if taken.contains_key(&id) {
                // The same other version, passed on by two brokers.
                accepted.shared.extend(taken.get(&id));
                continue;
            }
            taken.insert(id, place);
            file(accepted, name, passed.named.entry, place);
            self.push(&mut opened, accepted, passed, (id, suffix));
        }
        Ok((opened.statements, opened.voices))
    }

    fn push(
        &self,
        opened: &mut Opened<'a>,
        home: &Accepted<'a>,
        passed: Passed<'a>,
        (id, suffix): (Uuid, String),
    ) {
        let Passed { source, named } = passed;
        let resource = named.entry.resource;
        let voice = *opened.by_source.entry(source).or_insert_with_key(|source| {
            opened.voices.push(self.voice_of(source, resource, home));
            opened.voices.len() - 1
        });
        opened.statements.push(Statement {
            answer: self.answers.len(),
            voice,
            origin_type: named.origin_type,
            origin_id: Cow::Owned(format!("{}{suffix}", named.origin_id)),
            kind: named.kind,
            id,
            resource,
        });
    }

    /// A source heard through a broker. What is registered here has the name and rank it has here.
    fn voice_of(&self, source: &SourceId, resource: Json<'_>, home: &Accepted<'_>) -> Voice {
        let card = self.registry.iter().find(|card| card.id == *source);
        let told = || cascade::name(resource).map(|name| name.chars().take(LONGEST_NAME).collect());
        let name = card.map(|card| card.name.clone()).or_else(told);
        Voice {
            id: source.clone(),
            name: name.unwrap_or_else(|| source.to_string()),
            answer: self.answers.len(),
            order: 0,
            rank: card.map_or(home.card.rank, |card| card.rank),
        }
    }
}

/// The name an entry has inside its bundle. Its origin is no name there: several sources may use it.
fn own_name(named: &Named<'_>) -> [Option<String>; 2] {
    let id = bundle::id_of(named.entry.resource);
    [id.map(|id| format!("{}/{id}", named.kind)), None]
}

fn is_same(one: &Statement<'_>, other: &Named<'_>) -> bool {
    one.kind == other.kind && raws(one.resource).eq(raws(other.entry.resource))
}

fn raws(resource: Json<'_>) -> impl Iterator<Item = (&str, &str)> {
    kept(resource).map(|(key, value)| (key, value.raw()))
}

/// Whether a broker's entry is what we would write ourselves of the statement at this position.
fn is_repeat(copier: Copier<'_>, place: usize, other: &Named<'_>) -> bool {
    let Some(one) = copier.loaded.statements.get(place) else { return false };
    let home = copier.loaded.home(one);
    if home.is_some_and(|home| home.card.kind == SourceKind::Broker) {
        return is_same(one, other);
    }
    let mut theirs = raws(other.entry.resource);
    let mut text = String::new();
    let all_the_same = kept(one.resource).all(|(key, value)| {
        text.clear();
        copier.member(one, key, value, &mut text);
        theirs.next() == Some((key, text.as_str()))
    });
    one.kind == other.kind && all_the_same && theirs.next().is_none()
}
