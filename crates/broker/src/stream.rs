//! A record as it grows: merged anew whenever somebody has answered, each state on record before it is shown.
//!
//! It goes as fast as its reader: whoever takes longer gets fewer states, and never an older one after a newer.
//! Dropped, it takes with it every ask that nobody else waits for. What it had heard is kept for a minute, for the
//! stream that goes on with it and for nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use tributary_merge::{Answer as SourceAnswer, Heard, Pieces, Record, RecordView};
use tributary_model::{
    Deadline, FaultClass, Lease, RecordRequest, SourceFault, SourceId, SourceStatus, StreamId, Tally,
};

use crate::answer::Verdict;
use crate::broker::Room;
use crate::counts;
use crate::flights::Flight;
use crate::gather::{Hearing, Seat, hear, set_off, source_deadline};
use crate::ledger::OpenIntent;
use crate::memory::{self, Way};
use crate::parts::SourcePort;
use crate::record::{self, About, Became, Material, Merged, Opened, Statuses, Writing};
use crate::refusal::{Refusal, shortest_wait};
use crate::signals::Glance;
use crate::workshop::{Turn, Undone};

/// How long after its deadline a stream still waits for those who did not answer in time. No source may take longer.
const LATE: Duration = Duration::from_secs(30);
/// Those who answer within so long of each other are told together.
const TOGETHER: Duration = Duration::from_millis(20);
/// How long what a stream heard is kept for whoever goes on with it, after it was cut off (contract, 4).
const RESUMES_WITHIN: Duration = Duration::from_mins(1);
/// How long making a state and putting it on record may take, even if the deadline has passed: its reader may have been
/// slow, and the last states of all who wait for one source that is silent are made at once, each in its turn. A record
/// that is complete late is worth more than one that breaks off.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
/// How often a state that finds no memory looks again.
const LOOKS_AGAIN: Duration = Duration::from_millis(10);

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Somebody may still answer in time.
    Growing,
    /// Everybody has answered, or time is up: what it is now is the answer.
    Complete,
    /// Somebody answered after that.
    Late,
}

/// One state of a record.
#[derive(Debug)]
pub struct Moment {
    /// How far it has come.
    pub stage: Stage,
    /// Whether nothing follows.
    pub is_last: bool,
    /// What it amounts to; while it grows, what it would if nobody else answered.
    pub verdict: Verdict,
    /// All of it, in words.
    pub view: Arc<RecordView>,
    /// All of it, in pieces of JSON.
    pub pieces: Pieces,
    /// The statuses of the expected sources, counted; those who are awaited count as missing.
    pub tally: Tally,
    /// Sequence id of the disclosure record of this state.
    pub audit: String,
    /// The memory that it takes of the budget.
    pub lease: Lease,
}

/// A record as it grows.
pub struct RecordStream {
    room: Arc<Room>,
    id: StreamId,
    request: RecordRequest,
    about: Arc<About>,
    ports: Vec<Arc<SourcePort>>,
    intent: Option<OpenIntent>,
    glance: Glance,
    /// For what is awaited.
    lease: Lease,
    began: Instant,
    /// The time that it had when it came.
    budget: Duration,
    /// When the time of the sources is up.
    sources_until: Instant,
    heard: Vec<Hearing>,
    awaited: FuturesUnordered<BoxFuture<'static, Hearing>>,
    /// Who is awaited, and what brings their answers.
    silent: BTreeMap<SourceId, (Arc<SourcePort>, Arc<Flight>)>,
    stage: Next,
    /// What became of those who were heard, as far as it was counted.
    counted: BTreeSet<(SourceId, SourceStatus)>,
    statuses: Statuses,
    remembered: usize,
}

/// What the next state will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Who is asked, and what is known at once.
    First,
    /// What somebody says, or that time is up.
    Growing,
    /// What somebody says too late.
    Late,
    /// There is none.
    Nothing,
}

impl std::fmt::Debug for RecordStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordStream")
            .field("stage", &self.stage)
            .field("heard", &self.heard.len())
            .field("silent", &self.silent.len())
            .finish_non_exhaustive()
    }
}

/// Begins a stream. Everybody is asked when this returns; `resumes` names the stream that it goes on with.
pub(crate) async fn begin(
    room: &Arc<Room>,
    request: RecordRequest,
    (id, resumes): (StreamId, Option<StreamId>),
) -> Result<RecordStream, Refusal> {
    let opened = record::open(room, request).await?;
    let (heard, seats) = set_off(room, &opened.ports, &opened.request, opened.allowed(resumes));
    let Opened { request, ports, about, lease, intent, glance, budget, .. } = opened;
    let (began, until) = (Instant::now(), Deadline::after(request.deadline.remaining() + LATE));
    let silent =
        |seat: &Seat| (seat.port.card.id.clone(), (Arc::clone(&seat.port), Arc::clone(&seat.flight)));
    let silent = seats.iter().map(silent).collect();
    let hearing = |seat: Seat| {
        let room = Arc::clone(room);
        async move { hear(&room, &seat, (began, until)).await }.boxed()
    };
    Ok(RecordStream {
        room: Arc::clone(room),
        id,
        about: Arc::new(About { writing: Writing::InPieces, ..about }),
        sources_until: source_deadline(request.deadline).instant(),
        request,
        ports,
        budget,
        intent: Some(intent),
        glance,
        lease,
        began,
        heard,
        awaited: seats.into_iter().map(hearing).collect(),
        silent,
        stage: Next::First,
        counted: BTreeSet::new(),
        statuses: Statuses::new(),
        remembered: 0,
    })
}

impl RecordStream {
    /// The next state, once there is one; nothing after the last. After a refusal there is nothing either.
    pub async fn next(&mut self) -> Option<Result<Moment, Refusal>> {
        let stage = match self.stage {
            Next::First => {
                // Whoever is quick is there already, or nearly: what stands in the first state need not be put in its
                // place later, by a script that a slow line still has to bring.
                self.take_ready();
                self.take_together(self.sources_until).await;
                if self.silent.is_empty() { Stage::Complete } else { Stage::Growing }
            }
            Next::Growing => self.grown().await,
            Next::Late => self.late().await?,
            Next::Nothing => return None,
        };
        let moment = self.show(stage).await;
        self.stage = match &moment {
            Ok(moment) if moment.is_last => Next::Nothing,
            Ok(moment) if moment.stage == Stage::Growing => Next::Growing,
            Ok(_) => Next::Late,
            Err(_) => Next::Nothing,
        };
        if self.stage == Next::Nothing
            && let (true, Some(intent)) = (moment.is_ok(), self.intent.take())
        {
            intent.close();
        }
        Some(moment)
    }

    /// Waits until somebody has answered, or the sources' time is up.
    async fn grown(&mut self) -> Stage {
        let until = self.sources_until;
        match tokio::time::timeout_at(until, self.awaited.next()).await {
            Ok(Some(hearing)) => {
                self.take(hearing);
                self.take_together(until).await;
                if self.silent.is_empty() { Stage::Complete } else { Stage::Growing }
            }
            Ok(None) | Err(_) => Stage::Complete,
        }
    }

    /// Waits for those who are late; nothing if nobody comes any more.
    async fn late(&mut self) -> Option<Stage> {
        let hearing = self.awaited.next().await?;
        self.take(hearing);
        self.take_together(Instant::now() + TOGETHER).await;
        Some(Stage::Late)
    }

    fn take(&mut self, hearing: Hearing) {
        self.silent.remove(&hearing.answer.source);
        self.heard.push(hearing);
        // A reply that is there counts itself; what is kept free is for those who are awaited.
        let awaited = self.room.memory.expects(self.silent.values().map(|(port, _)| port), Way::Record);
        let _is_less = self.lease.resize(awaited.min(self.lease.bytes()));
    }

    fn take_ready(&mut self) {
        while let Some(Some(hearing)) = self.awaited.next().now_or_never() {
            self.take(hearing);
        }
    }

    async fn take_together(&mut self, until: Instant) {
        let until = until.min(Instant::now() + TOGETHER);
        while let Ok(Some(hearing)) = tokio::time::timeout_at(until, self.awaited.next()).await {
            self.take(hearing);
        }
    }

    /// Merges what there is, puts it on record, and gives it.
    async fn show(&mut self, stage: Stage) -> Result<Moment, Refusal> {
        let deadline = self.request.deadline.max(Deadline::after(SHOWN_WITHIN));
        let made = tokio::time::timeout_at(deadline.instant(), self.made(stage)).await;
        let late = |_late| Refusal::Overloaded(shortest_wait([]));
        let (stage, (merged, lease)) = made.map_err(late)??;
        let silence = Silence::at(stage);
        let entries = self.entries(&merged, silence);
        let outcome = record::outcome(&self.room, &merged, &self.request, 200);
        let lease = held(lease, &merged);
        let Some(intent) = &self.intent else { return Err(Refusal::Internal) };
        let audit = intent.disclose_part(entries, outcome, deadline).await?;
        if self.stage == Next::First {
            self.room.saw(&self.glance);
        }
        record::remember(&self.room, &merged.statuses, self.heard.get(self.remembered..).unwrap_or_default());
        self.remembered = self.heard.len();
        if stage == Stage::Complete {
            self.room.metrics.record_answered(merged.tally.completeness());
            merged.rules.iter().for_each(|rule| self.room.metrics.discrepancy(rule));
            let share = self.request.deadline.share_used(self.budget);
            counts::answered(&self.room, &merged.overview, &self.ports, share);
            counts::removed(&self.room, &self.about.views, &self.ports, self.request.sections);
        }
        let (mut view, pieces) = merged.words;
        record::show_timings(&mut view.sources, &self.heard);
        let is_last = stage != Stage::Growing && self.silent.is_empty();
        let (view, tally, verdict) = (Arc::new(view), merged.tally, merged.verdict);
        self.statuses = merged.statuses;
        Ok(Moment { stage, is_last, verdict, view, pieces, tally, audit, lease })
    }

    /// Merges what there is when it is its turn and there is memory for it: whoever answers until then is in it, and
    /// nobody holds memory who only waits. The stage is that of then.
    async fn made(&mut self, stage: Stage) -> Result<(Stage, (Merged<Told>, Lease)), Refusal> {
        let turn = if self.heard.iter().any(|one| one.reply().is_some()) {
            Some(self.turn().await.map_err(|_undone| Refusal::Internal)?)
        } else {
            None
        };
        let lease = loop {
            self.take_ready();
            match self.room.memory.work(record::weight(self.heard.iter().filter_map(Hearing::reply))) {
                Some(lease) => break lease,
                None => tokio::time::sleep(LOOKS_AGAIN).await,
            }
        };
        let is_over = self.silent.is_empty() || Instant::now() >= self.sources_until;
        let stage = if stage == Stage::Growing && is_over { Stage::Complete } else { stage };
        let silent = self.silent.keys().map(|source| self.answer_of(source, Silence::at(stage)));
        let answers: Vec<SourceAnswer> =
            self.heard.iter().map(|one| one.answer.clone()).chain(silent).collect();
        let merged =
            record::merge_all(&self.room, Arc::clone(&self.about), Material { answers, lease }, told).await?;
        drop(turn);
        Ok((stage, merged))
    }

    /// Waits for its turn, and takes who answers meanwhile.
    async fn turn(&mut self) -> Result<Turn, Undone> {
        let room = Arc::clone(&self.room);
        let mut turn = pin!(room.workshop.turn());
        loop {
            tokio::select! {
                biased;
                Some(hearing) = self.awaited.next() => self.take(hearing),
                turn = &mut turn => return turn,
            }
        }
    }

    /// The entries of the disclosure record: of those who are awaited there is nothing to say yet.
    fn entries(
        &mut self,
        merged: &Merged<impl Sized>,
        silence: Silence,
    ) -> Vec<tributary_audit::SourceEntry> {
        let mut entries = Vec::with_capacity(self.ports.len());
        for one in &self.heard {
            let Some(port) = self.ports.iter().find(|port| port.card.id == one.answer.source) else {
                continue;
            };
            let became = Became::of(one, &merged.statuses);
            let is_new = !self.counted.iter().any(|(source, _)| *source == one.answer.source);
            // A proof that it is somebody else's may come with the answer of another source.
            let is_worse = became.status == SourceStatus::IdentityMismatch;
            if self.counted.insert((one.answer.source.clone(), became.status)) && (is_new || is_worse) {
                became.count(&self.room, &self.request, one, port);
            }
            became.note(&self.room, one);
            entries.push(became.entry(one));
        }
        if silence == Silence::Final {
            for (source, (port, flight)) in &self.silent {
                let one = self.silent_one(source, flight);
                let became = Became::of(&one, &merged.statuses);
                if self.counted.insert((source.clone(), became.status)) {
                    became.count(&self.room, &self.request, &one, port);
                }
                entries.push(became.entry(&one));
            }
        }
        entries
    }

    /// What is told of a source that has said nothing.
    fn answer_of(&self, source: &SourceId, silence: Silence) -> SourceAnswer {
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        SourceAnswer {
            source: source.clone(),
            heard: match silence {
                Silence::Awaited => Heard::Pending,
                Silence::Final => Heard::Fault(SourceFault::new(FaultClass::NoHead)),
            },
            latency_ms: if self.room.clock.is_fixed() { 0 } else { elapsed_ms },
            fetched_at: self.room.clock.now(),
            cached: false,
            last_answered: self.room.last_answer(source),
        }
    }

    /// A source whose time is up. It is counted once, as too late, whenever it answers.
    fn silent_one(&self, source: &SourceId, flight: &Flight) -> Hearing {
        let counting = crate::gather::counting(flight);
        let (elapsed, fetch) = (self.began.elapsed(), Some(flight.fetch));
        let (answer, content) = (self.answer_of(source, Silence::Final), OnceLock::new());
        Hearing { answer, elapsed, fetch, keep: None, counting, content }
    }
}

/// A state in words and in pieces.
type Told = (RecordView, Pieces);

fn told(record: &Record<'_>) -> Told {
    let view = record.to_view();
    let pieces = record.to_pieces(&view);
    (view, pieces)
}

/// What the silence of a source means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    /// It may still answer.
    Awaited,
    /// Its time is up.
    Final,
}

impl Silence {
    /// What it means at a stage.
    const fn at(stage: Stage) -> Self {
        match stage {
            Stage::Growing => Self::Awaited,
            Stage::Complete | Stage::Late => Self::Final,
        }
    }
}

/// What is left of the work's memory holds what a state takes until its last byte has gone: the pieces hold what the
/// whole does, and the words hold some of it again.
fn held(mut lease: Lease, merged: &Merged<Told>) -> Lease {
    memory::hold(&mut lease, merged.body.len() * 2);
    lease
}

impl Drop for RecordStream {
    fn drop(&mut self) {
        if self.stage == Next::Nothing {
            return;
        }
        // Cut off: whoever goes on with it need not ask again for what was heard.
        let until = Instant::now() + RESUMES_WITHIN;
        for one in &self.heard {
            if let Some(keep) = &one.keep {
                let key = keep.key.clone().within(self.id);
                record::keep_one(&self.room, &self.statuses, one, (&key, until));
            }
        }
    }
}
