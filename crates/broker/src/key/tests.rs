//! What one requester fetched serves nobody whose authority differs in anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tributary_audit::{BreakGlass, Digest};
use tributary_model::requester::{Assurance, Proof, Said, ScopeSaid, TokenKind};
use tributary_model::{
    Ask, Deadline, FhirDate, NhsNumber, OdsCode, Priority, Purpose, Relationship, Requester, Role, Section,
    SourceId, SpineIds, StreamId, TraceId,
};

use super::*;
use crate::cache::{Cache, Held, Kept};

/// Cases for each component.
const CASES: usize = 250;

/// Every part of a key by name. A field that is new in one of these types has no place here, and nothing compiles
/// until somebody has thought of it.
fn parts(key: &Key) -> BTreeMap<&'static str, String> {
    let Key { holding, authority } = key;
    let Holding { source, patient } = holding;
    let Authority {
        sections,
        since,
        user,
        organisation,
        role,
        purpose,
        system,
        spine_user,
        spine_role,
        assurance,
        grant,
        consumer,
        issuer,
        stream,
    } = authority;
    let Grant { policy, relationship, glass } = grant;
    [
        ("source", format!("{source:?}")),
        ("patient", patient.expose().to_owned()),
        ("sections", format!("{sections:?}")),
        ("since", format!("{since:?}")),
        ("user", format!("{user:?}")),
        ("organisation", format!("{organisation:?}")),
        ("role", format!("{role:?}")),
        ("purpose", format!("{purpose:?}")),
        ("system", format!("{system:?}")),
        ("spine_user", format!("{spine_user:?}")),
        ("spine_role", format!("{spine_role:?}")),
        ("assurance", format!("{assurance:?}")),
        ("policy", policy.to_string()),
        ("relationship", format!("{relationship:?}")),
        ("glass", format!("{glass:?}")),
        ("consumer", format!("{consumer:?}")),
        ("issuer", format!("{issuer:?}")),
        ("stream", format!("{stream:?}")),
    ]
    .into()
}

/// Every part of a requester, each in the key or left out for the reason that stands beside it. One that is new
/// compiles nowhere until it is among them.
fn weighed(requester: &Requester) -> usize {
    let Requester {
        user_id,
        role,
        organisation,
        asid,
        spine: SpineIds { user, role_profile },
        assurance,
        proof,
        // What the person and the organisation are called: who they are is told by their ids.
        family: _,
        given: _,
        organisation_name: _,
        // How long it can wait is no authority; flights have a rule of their own for it.
        priority: _,
    } = requester;
    let Some(proof) = proof else { return 0 };
    let Proof {
        consumer,
        issuer,
        // Another certificate of the same system.
        spki_sha256: _,
        // As the assurance.
        token: _,
        // A token is used once, and so for one request.
        jti_sha256: _,
        // Held against each request when it comes in, before anything is asked or looked for in memory.
        aal: _,
        own: _,
        said: _,
        // To one patient, and in the grant of an ask about that one.
        related: _,
    } = &**proof;
    let ids = [user.as_ref(), role_profile.as_ref(), asid.as_ref(), issuer.as_ref()];
    let texts = ids.into_iter().flatten().map(String::len).sum::<usize>();
    texts
        + user_id.len()
        + consumer.len()
        + organisation.as_str().len()
        + role.code().len()
        + assurance.code().len()
}

/// Chance with a seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one<T: Clone>(&mut self, all: &[T]) -> T {
        let at = usize::try_from(self.next() % all.len() as u64).unwrap();
        all[at].clone()
    }

    /// One that is not this one.
    fn other<T: Clone + PartialEq>(&mut self, all: &[T], than: &T) -> T {
        loop {
            let one = self.one(all);
            if one != *than {
                return one;
            }
        }
    }
}

/// What a key is made of.
#[derive(Clone)]
struct Draw {
    source: SourceId,
    ask: Ask,
    grant: Grant,
    stream: Option<StreamId>,
}

const NUMBERS: &[&str] = &["9990000107", "9990000204", "9990000301"];
const GLASS: &[BreakGlass] = &[BreakGlass::NotAsked, BreakGlass::ReasonGiven];
const ASSURANCES: &[Assurance] =
    &[Assurance::Demo, Assurance::AssertedUnsigned, Assurance::Signed, Assurance::Cis2];

fn sources() -> Vec<SourceId> {
    ["gp", "gp-2", "acute"].iter().map(|id| SourceId::parse(id).unwrap()).collect()
}

fn patients() -> Vec<NhsNumber> {
    NUMBERS.iter().filter_map(|number| NhsNumber::parse(number).ok()).collect()
}

fn organisations() -> Vec<OdsCode> {
    ["RX999", "RX998", "A99901"].iter().map(|code| OdsCode::parse(code).unwrap()).collect()
}

fn dates() -> Vec<Option<FhirDate>> {
    [None, FhirDate::parse("2020"), FhirDate::parse("2020-01"), FhirDate::parse("2020-01-01")].into()
}

/// Texts that a careless concatenation would take for each other.
fn texts() -> Vec<Option<String>> {
    let said = ["", "a", "b", "ab", "a|b", "None", "\"a\""];
    [None].into_iter().chain(said.iter().map(|text| Some((*text).to_owned()))).collect()
}

fn said() -> Vec<String> {
    texts().into_iter().flatten().collect()
}

fn sections(chance: &mut Chance) -> SectionSet {
    let chosen = chance.next();
    let is_in = |at: usize| (chosen >> at) & 1 == 1;
    Section::ALL.iter().copied().enumerate().filter(|(at, _)| is_in(*at)).map(|(_, one)| one).collect()
}

fn policies() -> Vec<Digest> {
    (0..8_u8).map(|version| Digest::of(&[version])).collect()
}

impl Draw {
    fn of(chance: &mut Chance) -> Self {
        let proof = Proof {
            consumer: chance.one(&said()),
            spki_sha256: Some([7; 32]),
            token: TokenKind::Signed,
            issuer: chance.one(&texts()),
            jti_sha256: None,
            aal: None,
            own: None,
            said: Said { purposes: Purpose::ALL, scope: ScopeSaid::Nothing },
            related: None,
        };
        let requester = Requester {
            user_id: chance.one(&said()),
            family: "Okoro".to_owned(),
            given: "Ada".to_owned(),
            role: chance.one(Role::ALL),
            organisation: chance.one(&organisations()),
            organisation_name: "Trust".to_owned(),
            asid: chance.one(&texts()),
            spine: SpineIds { user: chance.one(&texts()), role_profile: chance.one(&texts()) },
            assurance: chance.one(ASSURANCES),
            proof: Some(Arc::new(proof)),
            priority: Priority::Interactive,
        };
        let ask = Ask {
            patient: chance.one(&patients()),
            sections: sections(chance),
            since: chance.one(&dates()),
            requester: Arc::new(requester),
            purpose: chance.one(Purpose::ALL),
            deadline: Deadline::after(Duration::from_secs(1)),
        };
        let grant = Grant {
            policy: chance.one(&policies()),
            relationship: chance.one(Relationship::ALL),
            glass: chance.one(GLASS),
        };
        Self { source: chance.one(&sources()), ask, grant, stream: None }
    }

    fn key(&self) -> Key {
        let key = Key::of(&self.source, &self.ask, self.grant);
        match self.stream {
            Some(stream) => key.within(stream),
            None => key,
        }
    }

    fn requester(&mut self) -> &mut Requester {
        Arc::make_mut(&mut self.ask.requester)
    }

    fn proof(&mut self) -> &mut Proof {
        Arc::make_mut(self.requester().proof.as_mut().unwrap())
    }
}

type Alter = fn(&mut Draw, &mut Chance);

/// For each part, how to make it another one and leave all others as they are.
const ALTERATIONS: &[(&str, Alter)] = &[
    ("source", |draw, chance| draw.source = chance.other(&sources(), &draw.source)),
    ("patient", |draw, chance| draw.ask.patient = chance.other(&patients(), &draw.ask.patient)),
    ("sections", |draw, chance| {
        let one = chance.one(Section::ALL);
        let (set, only) = (draw.ask.sections, [one].into_iter().collect());
        draw.ask.sections = if set.contains(one) { set.without(only) } else { set.or(only) };
    }),
    ("since", |draw, chance| draw.ask.since = chance.other(&dates(), &draw.ask.since)),
    ("user", |draw, chance| {
        let id = &mut draw.requester().user_id;
        *id = chance.other(&said(), id);
    }),
    ("organisation", |draw, chance| {
        let code = &mut draw.requester().organisation;
        *code = chance.other(&organisations(), code);
    }),
    ("role", |draw, chance| {
        let role = &mut draw.requester().role;
        *role = chance.other(Role::ALL, role);
    }),
    ("purpose", |draw, chance| draw.ask.purpose = chance.other(Purpose::ALL, &draw.ask.purpose)),
    ("system", |draw, chance| {
        let asid = &mut draw.requester().asid;
        *asid = chance.other(&texts(), asid);
    }),
    ("spine_user", |draw, chance| {
        let id = &mut draw.requester().spine.user;
        *id = chance.other(&texts(), id);
    }),
    ("spine_role", |draw, chance| {
        let id = &mut draw.requester().spine.role_profile;
        *id = chance.other(&texts(), id);
    }),
    ("assurance", |draw, chance| {
        let assurance = &mut draw.requester().assurance;
        *assurance = chance.other(ASSURANCES, assurance);
    }),
    ("policy", |draw, chance| draw.grant.policy = chance.other(&policies(), &draw.grant.policy)),
    ("relationship", |draw, chance| {
        draw.grant.relationship = chance.other(Relationship::ALL, &draw.grant.relationship);
    }),
    ("glass", |draw, chance| draw.grant.glass = chance.other(GLASS, &draw.grant.glass)),
    ("consumer", |draw, chance| {
        let consumer = &mut draw.proof().consumer;
        *consumer = chance.other(&said(), consumer);
    }),
    ("issuer", |draw, chance| {
        let issuer = &mut draw.proof().issuer;
        *issuer = chance.other(&texts(), issuer);
    }),
    ("stream", |draw, _| draw.stream = Some(StreamId::random())),
];

fn kept() -> Kept {
    Kept {
        held: Held::Reply(Arc::default()),
        content: None,
        fetched_at: Timestamp::UNIX_EPOCH,
        fetch: TraceId::random(),
        began: crate::flights::Flights::default().draw(),
        until: Instant::now() + Duration::from_mins(1),
    }
}

/// Flights are found by the same key, in a map of their own. Dissent is not part of it: what a source says of consent
/// empties everything that is kept of that source and patient, for everybody. Nor are our credentials and addresses:
/// with another configuration the cache begins empty.
#[tokio::test(start_paused = true)]
async fn who_differs_in_anything_shares_no_reply_and_no_flight() {
    let mut chance = Chance(20_260_310);
    let mut flights = std::collections::HashSet::new();
    for (name, alter) in ALTERATIONS {
        for case in 0..CASES {
            let draw = Draw::of(&mut chance);
            assert!(weighed(&draw.ask.requester) > 0);
            let mut altered = draw.clone();
            alter(&mut altered, &mut chance);
            let (key, other) = (draw.key(), altered.key());
            let (own, others) = (parts(&key), parts(&other));
            let differing: Vec<_> = own.keys().filter(|part| own.get(*part) != others.get(*part)).collect();
            assert_eq!(differing, [name], "case {case}");
            assert_ne!(key, other, "{name}, case {case}");
            let cache = Cache::new(1 << 20);
            cache.keep(&key, kept());
            assert!(cache.get(&draw.clone().key()).is_some(), "{name}, case {case}");
            assert!(cache.get(&other).is_none(), "{name}, case {case}");
            flights.clear();
            flights.insert(key.clone());
            assert!(flights.contains(&draw.key()) && !flights.contains(&other), "{name}, case {case}");
        }
    }
    let draw = Draw::of(&mut chance);
    let all: BTreeSet<_> = parts(&draw.key()).into_keys().collect();
    let altered: BTreeSet<_> = ALTERATIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(altered, all, "every part is altered");
}
