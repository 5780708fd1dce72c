//! What there is in one world, and what has happened in it so far.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;
use tributary_model::{
    Ask, FaultClass, NhsNumber, OdsCode, Requester, Role, Section, SectionSet, SourceId, SpineIds,
    requester::Assurance,
};

use crate::chance::Chance;
use crate::log::Log;

pub(crate) const PATIENTS: [&str; 3] = ["9990000107", "9990000204", "9990000301"];
/// Nobody ever asks for this one.
pub(crate) const STRANGER: &str = "9990000409";
/// User, organisation, role: some share one of them, or two.
pub(crate) const PEOPLE: [(&str, &str, Role); 4] = [
    ("u-1", "RXX01", Role::Ambulance),
    ("u-1", "RXX01", Role::Gp),
    ("u-1", "RXX02", Role::Ambulance),
    ("u-2", "RXX01", Role::Ambulance),
];

/// Everything that a reply may be shared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) patient: NhsNumber,
    pub(crate) user: String,
    pub(crate) organisation: OdsCode,
    pub(crate) role: Role,
    pub(crate) sections: SectionSet,
}

impl Authority {
    pub(crate) fn of(ask: &Ask) -> Self {
        let who = &ask.requester;
        let (user, organisation) = (who.user_id.clone(), who.organisation.clone());
        Self { patient: ask.patient, user, organisation, role: who.role, sections: ask.sections }
    }
}

pub(crate) fn person(index: usize) -> Requester {
    let (user, organisation, role) = PEOPLE[index];
    Requester {
        user_id: user.to_owned(),
        family: "Okoro".to_owned(),
        given: "Ada".to_owned(),
        role,
        organisation: OdsCode::parse(organisation).unwrap(),
        organisation_name: String::new(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: tributary_model::Priority::Interactive,
    }
}

pub(crate) fn sections(index: usize) -> SectionSet {
    if index == 0 { SectionSet::all() } else { SectionSet::EMPTY.with(Section::Problems) }
}

/// How a source behaves.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) id: SourceId,
    pub(crate) usual_ms: u64,
    pub(crate) is_steady: bool,
    pub(crate) timeout: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) cache_ttl: Option<Duration>,
    /// In a hundred asks, so many hang, fail, answer about somebody else, panic.
    pub(crate) hangs: u64,
    pub(crate) fails: u64,
    pub(crate) mixes_up: u64,
    pub(crate) panics: u64,
}

/// What a source does with one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Answers,
    MixesUp,
    Fails(FaultClass),
    Hangs,
    Panics,
}

/// One ask, as its source saw it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) source: usize,
    pub(crate) authority: Authority,
    pub(crate) deed: Deed,
    /// When the ask began of which it is the first attempt, or the second.
    pub(crate) asked: Instant,
    pub(crate) began: Instant,
    pub(crate) ended: Option<Instant>,
    /// It came to its own end, rather than being dropped.
    pub(crate) is_finished: bool,
}

/// One request, as its caller saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) authority: Authority,
    pub(crate) is_fresh: bool,
    pub(crate) arrived: Instant,
    pub(crate) deadline: Instant,
    pub(crate) ended: Option<Instant>,
}

/// What has happened.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) calls: Vec<Call>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) broken: Vec<String>,
    /// Calls that must have ended at this moment, because the same was asked again.
    pub(crate) doubted: Vec<(usize, Instant)>,
    pub(crate) coverage: Coverage,
}

/// How much of what can happen did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) requests: u64,
    pub(crate) records: u64,
    pub(crate) calls: u64,
    pub(crate) joined: u64,
    pub(crate) cached: u64,
    pub(crate) absent: u64,
    pub(crate) cancelled: u64,
    pub(crate) mixed_up: u64,
    pub(crate) unaudited: u64,
    pub(crate) without_memory: u64,
    pub(crate) timeouts: u64,
    pub(crate) left: u64,
    pub(crate) shut: u64,
    pub(crate) waited: u64,
    pub(crate) retried: u64,
}

impl Coverage {
    fn each(&self) -> [u64; 15] {
        [
            self.requests,
            self.records,
            self.calls,
            self.joined,
            self.cached,
            self.absent,
            self.cancelled,
            self.mixed_up,
            self.unaudited,
            self.without_memory,
            self.timeouts,
            self.left,
            self.shut,
            self.waited,
            self.retried,
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.records += other.records;
        self.calls += other.calls;
        self.joined += other.joined;
        self.cached += other.cached;
        self.absent += other.absent;
        self.cancelled += other.cancelled;
        self.mixed_up += other.mixed_up;
        self.unaudited += other.unaudited;
        self.without_memory += other.without_memory;
        self.timeouts += other.timeouts;
        self.left += other.left;
        self.shut += other.shut;
        self.waited += other.waited;
        self.retried += other.retried;
    }

    /// Whether all of it happened, and not just once.
    pub(crate) fn is_wide(&self) -> bool {
        self.each().into_iter().all(|count| count >= 10)
    }
}

pub(crate) struct World {
    pub(crate) sources: Vec<Habits>,
    pub(crate) log: Log,
    pub(crate) chance: Mutex<Chance>,
    history: Mutex<History>,
}

impl World {
    pub(crate) fn new(chance: Chance) -> Self {
        let mut chance = chance;
        let sources = (0..chance.between(1, 8)).map(|index| habits(index, &mut chance)).collect();
        Self { sources, log: Log::new(), chance: Mutex::new(chance), history: Mutex::default() }
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap()
    }

    pub(crate) fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().unwrap()
    }

    /// Notes that a promise was broken.
    pub(crate) fn hold(&self, is_kept: bool, promise: impl FnOnce() -> String) {
        if !is_kept {
            self.history().broken.push(promise());
        }
    }
}

fn habits(index: u64, chance: &mut Chance) -> Habits {
    let is_bad = chance.percent(40);
    let mut often = |most: u64| if is_bad { chance.between(0, most) } else { chance.between(0, 4) };
    let (hangs, fails, mixes_up, panics) = (often(30), often(50), often(10), often(15));
    let ttl = chance.percent(50).then(|| chance.millis(500, 4_000));
    Habits {
        id: SourceId::parse(&format!("s-{index}")).unwrap(),
        usual_ms: chance.pick(&[1, 20, 80, 300, 900]),
        is_steady: chance.percent(50),
        timeout: chance.millis(200, 3_000),
        max_in_flight: chance.index(6) + 1,
        cache_ttl: ttl,
        hangs,
        fails,
        mixes_up,
        panics,
    }
}
