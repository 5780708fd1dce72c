//! What must be true, whatever happens.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tributary_broker::{Answer, Broker, Refusal};
use tributary_flow::Bulkhead;
use tributary_model::{FaultClass, MemoryBudget, SourceStatus};

use crate::stubs::canary;
use crate::world::{Asked, Authority, Call, Coverage, Deed, World};

/// How late an answer, and the end of an ask that nobody waits for, may be.
pub(crate) const GRACE: Duration = Duration::from_millis(50);

/// An intent is on record before the first ask, and nobody is asked twice for what is under way. What is sent now was
/// `asked` for then: it may have waited for its place.
pub(crate) fn when_a_source_is_asked(world: &World, source: usize, authority: &Authority, asked: Instant) {
    let id = world.sources[source].id.as_str();
    let is_intended = world.log.has("intent", |intent| {
        let expected = intent["expected"].as_array().unwrap();
        intent["patient"]["nhs"] == authority.patient.expose()
            && intent["user"]["id"] == authority.user.as_str()
            && intent["user"]["org"] == authority.organisation.as_str()
            && expected.iter().any(|one| one == id)
    });
    world.hold(is_intended, || format!("{id} was asked without an intent"));
    let mut history = world.history();
    let is_mine = |asked: &&Asked| asked.authority == *authority;
    // Two may be under way if somebody wanted it fetched now after the one was asked for and before the other was.
    // Either may have got its place first, and whoever wanted it may have gone.
    let is_between = |at: Instant, call: &Call| (call.asked.min(asked)..=call.asked.max(asked)).contains(&at);
    let is_excused = |call: &Call| {
        history.asked.iter().filter(is_mine).any(|one| one.is_fresh && is_between(one.arrived, call))
    };
    let is_under_way =
        |call: &Call| call.source == source && call.authority == *authority && call.ended.is_none();
    let most = world.sources[source].max_in_flight;
    let there = history.calls.iter().filter(|call| call.source == source && call.ended.is_none()).count();
    let is_taken_back = |call: &Call| history.calls.iter().any(|other| takes_back(other, call));
    let is_excused = |call: &Call| is_excused(call) || is_taken_back(call);
    let twice = history.calls.iter().position(|call| is_under_way(call) && !is_excused(call));
    // It may be one that nobody waits for since this very moment, and that is about to end.
    history.doubted.extend(twice.map(|call| (call, Instant::now())));
    drop(history);
    world.hold(there < most, || format!("{id} has {there} requests, may have {most}, and is sent another"));
}

/// Whether what one call came to ends what another one, of whomever, may be used for.
fn takes_back(word: &Call, call: &Call) -> bool {
    let is_about_it = word.source == call.source && word.authority.patient == call.authority.patient;
    is_about_it
        && word.is_finished
        && match word.deed {
            Deed::Fails(FaultClass::Consent | FaultClass::Denied) => {
                word.ended.is_some_and(|ended| call.asked <= ended)
            }
            // Proved only when the record is merged, which may be long after.
            Deed::MixesUp => word.ended.is_some(),
            Deed::Fails(FaultClass::NoRecord) => call.asked <= word.asked,
            Deed::Fails(class) if class.status() == SourceStatus::IdentityMismatch => word.ended.is_some(),
            Deed::Fails(_) | Deed::Answers | Deed::Hangs | Deed::Panics => false,
        }
}

/// How a request ended.
pub(crate) fn when_somebody_is_answered(
    world: &World,
    index: usize,
    told: &Result<Answer, Refusal>,
    is_troubled: bool,
    memory: &MemoryBudget,
) {
    let now = Instant::now();
    let asked = world.history().asked[index].clone();
    world.hold(now <= asked.deadline + GRACE, || format!("request {index} was answered late"));
    let mut seen = Coverage { requests: 1, ..Coverage::default() };
    match told {
        Ok(answer) => when_there_is_an_answer(world, &asked, answer, &mut seen),
        Err(Refusal::AuditUnavailable) => {
            seen.unaudited = 1;
            world.hold(is_troubled, || format!("request {index} had no audit, and the log was well"));
        }
        Err(Refusal::Overloaded(wait)) => {
            seen.without_memory = 1;
            let is_said = (1..=5).contains(&wait.as_secs()) && memory.most() < u64::MAX;
            world.hold(is_said, || format!("request {index} was refused for {wait:?}"));
        }
        Err(other) => world.hold(false, || format!("request {index} ended as {other}")),
    }
    let mut history = world.history();
    history.asked[index].ended = Some(now);
    history.coverage.add(&seen);
}

fn when_there_is_an_answer(world: &World, asked: &Asked, answer: &Answer, seen: &mut Coverage) {
    let reported: BTreeSet<_> = answer.sources.iter().map(|row| row.id.clone()).collect();
    let expected: BTreeSet<_> = world.sources.iter().map(|one| one.id.clone()).collect();
    let is_each_once = answer.sources.len() == expected.len() && reported == expected;
    world.hold(is_each_once, || format!("expected {expected:?}, told {reported:?}"));
    let number = answer.audit.strip_prefix("local-").and_then(|number| number.parse::<u64>().ok());
    let is_disclosed = world.log.has("disclosure", |one| one["seq"].as_u64() == number);
    world.hold(is_disclosed && number.is_some(), || "an answer left before its disclosure".to_owned());
    let holds = u64::try_from(answer.body.len()).unwrap();
    world.hold(answer.lease.bytes() >= holds, || "an answer holds less memory than it takes".to_owned());
    let status = |wanted| answer.sources.iter().filter(|row| row.status == wanted).count() as u64;
    seen.records = u64::from(answer.verdict.is_record());
    seen.cached = status(SourceStatus::OkCached);
    seen.timeouts = status(SourceStatus::Timeout);
    let body = String::from_utf8_lossy(&answer.body);
    let history = world.history();
    let shown = |call: usize| body.contains(&canary(call));
    let wrong = history.calls.iter().enumerate().filter(|(call, _)| shown(*call));
    let wrong: Vec<_> = wrong
        .filter_map(|(call, one)| {
            let why = why_not_shown(world, &history.calls, one, asked)
                .or_else(|| (!answer.verdict.is_record()).then_some("in an answer that is no record"))?;
            Some(format!("what call {call} brought was shown, {why}"))
        })
        .collect();
    drop(history);
    world.history().broken.extend(wrong);
}

/// Why what a call brought may not be in the answer to a request.
fn why_not_shown(world: &World, calls: &[Call], call: &Call, asked: &Asked) -> Option<&'static str> {
    if call.authority.patient != asked.authority.patient {
        return Some("and is another patient's");
    }
    if call.authority != asked.authority {
        return Some("and was fetched with another authority");
    }
    let (Deed::Answers, Some(ended)) = (call.deed, call.ended) else { return Some("and is no answer") };
    if asked.is_fresh && call.began < asked.arrived {
        return Some("and is older than the request that wanted it fetched now");
    }
    let ttl = world.sources[call.source].cache_ttl.unwrap_or_default();
    if ended + ttl < asked.arrived {
        return Some("and is too old");
    }
    let same = |other: &&Call| {
        other.source == call.source
            && other.authority.patient == call.authority.patient
            && other.is_finished
            && other.ended.is_some_and(|ended| ended < asked.arrived)
    };
    let is_taken_back = calls.iter().filter(same).any(|other| match other.deed {
        Deed::Fails(FaultClass::Consent | FaultClass::Denied) => {
            other.ended.is_some_and(|ended| call.began < ended)
        }
        Deed::Fails(FaultClass::NoRecord) => call.asked < other.asked,
        Deed::Fails(_) | Deed::Answers | Deed::MixesUp | Deed::Hangs | Deed::Panics => false,
    });
    is_taken_back.then_some("and was taken back before")
}

/// At every step.
pub(crate) fn when_time_passes(world: &World, broker: &Broker, cache_bytes: u64) {
    let usage = broker.usage();
    world.hold(usage.cache_bytes <= cache_bytes, || format!("{} bytes are kept", usage.cache_bytes));
    let now = Instant::now();
    let history = world.history();
    let waits = |call: &Call| {
        let is_waiter = |asked: &Asked| {
            asked.authority == call.authority && asked.ended.is_none_or(|ended| ended + GRACE >= now)
        };
        history.asked.iter().any(is_waiter)
    };
    let ended = |call: usize| history.calls[call].ended;
    let twice = history.doubted.iter().find(|(call, at)| ended(*call) != Some(*at)).copied();
    let in_vain = history.calls.iter().position(|call| call.ended.is_none() && !waits(call));
    drop(history);
    world.history().doubted.clear();
    world.hold(twice.is_none(), || format!("the same was asked beside call {twice:?}"));
    world.hold(in_vain.is_none(), || format!("nobody waits for call {in_vain:?}, and it goes on"));
}

/// At every step.
pub(crate) fn when_places_are_taken(world: &World, places: &[Bulkhead]) {
    for (places, habits) in places.iter().zip(&world.sources) {
        let (now, most) = (places.occupancy(), habits.max_in_flight);
        let is_within = (1..=most).contains(&now.limit) && now.used <= most;
        world.hold(is_within, || format!("{now:?} of {most} at {}", habits.id.as_str()));
    }
}

/// When nobody asks any more, no place is taken and nobody waits for one.
pub(crate) fn when_nobody_is_there(world: &World, places: &[Bulkhead]) {
    for (places, habits) in places.iter().zip(&world.sources) {
        let now = places.occupancy();
        world.hold(now.used == 0 && now.waiting == 0, || format!("{now:?} left at {}", habits.id.as_str()));
    }
}

/// When nobody asks any more, and every answer has been dropped.
pub(crate) fn when_all_is_quiet(world: &World, broker: &Broker, memory: &MemoryBudget) {
    let (flights, taken) = (broker.usage().flights, memory.taken());
    world.hold(flights == 0, || format!("{flights} flights are left"));
    world.hold(taken == 0, || format!("{taken} bytes are taken"));
    let in_flight: usize = broker.sources().iter().map(|one| one.in_flight).sum();
    world.hold(in_flight == 0, || format!("{in_flight} asks are in flight"));
    let under_way = world.history().calls.iter().filter(|call| call.ended.is_none()).count();
    world.hold(under_way == 0, || format!("{under_way} calls go on"));
}
