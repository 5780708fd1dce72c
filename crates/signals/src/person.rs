//! What is remembered of one person.

use std::mem::size_of;

use crate::signal::{Alarm, Limits, Look, Outcome, Signal};
use crate::steps::Steps;

/// Most patients remembered of one person: those looked at last.
pub(crate) const MOST_PATIENTS: usize = 256;

const TEN_MINUTES: u32 = 600;
const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;
/// Eight days in steps of a day: the present one and seven before it.
const WEEK: u32 = 8 * DAY;
/// A day of one patient has four steps.
const QUARTER: u32 = DAY / 4;
/// Fewer looks have no share worth telling.
const LEAST_LOOKS: u32 = 20;
/// How far apart two NHS numbers of a row may be, without their check digits: one in eleven is never given.
const NEIGHBOUR: u32 = 3;

/// One person.
#[derive(Debug, Default)]
pub(crate) struct Person {
    /// When they were last seen, in seconds since 1970.
    pub(crate) last: u32,
    patients: Vec<Seen>,
    /// The last NHS number without its check digit, and the length of the row that it ends.
    row: (u32, u16),
    denied: Steps,
    glass: Steps,
    namesakes: Steps,
    in_hours: Steps,
    out_of_hours: Steps,
    /// When signals about the person were last told.
    told: [u32; 4],
}

/// A patient they looked at.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// A keyed hash of who it is.
    patient: u32,
    last: u32,
    /// The present quarter of a day, counted since 1970, and the looks in it and in the three before.
    quarter: u32,
    looks: [u8; 4],
}

impl Seen {
    const fn new(patient: u32) -> Self {
        Self { patient, last: 0, quarter: 0, looks: [0; 4] }
    }

    /// One more look; gives how many there were in the day.
    fn look(&mut self, now: u32) -> u16 {
        let quarter = now / QUARTER;
        let passed = usize::try_from(quarter.saturating_sub(self.quarter)).unwrap_or(4).min(4);
        self.looks.rotate_right(passed % 4);
        self.looks.iter_mut().take(passed).for_each(|looks| *looks = 0);
        self.quarter = self.quarter.max(quarter);
        self.last = self.last.max(now);
        if let Some(looks) = self.looks.first_mut() {
            *looks = looks.saturating_add(1);
        }
        self.looks.iter().map(|looks| u16::from(*looks)).sum()
    }
}

/// A signal about all that a person does, and how long it is not told again.
const QUIET: &[(Signal, u32)] = &[
    (Signal::ManyPatients, TEN_MINUTES),
    (Signal::OutOfHours, DAY),
    (Signal::BreakGlassRate, DAY),
    (Signal::DeniedRate, HOUR),
];

impl Person {
    /// What it takes beyond its own place.
    pub(crate) fn bytes(&self) -> usize {
        self.patients.capacity() * size_of::<Seen>()
    }

    /// Counts a look of theirs; `patient` is a keyed hash of who it was at.
    pub(crate) fn note(
        &mut self,
        limits: &Limits,
        look: &Look<'_>,
        patient: Option<u32>,
        now: u32,
    ) -> Vec<Alarm> {
        self.last = self.last.max(now);
        let mut alarms = Vec::new();
        if look.outcome == Outcome::Denied {
            self.denied.add(now, HOUR);
            let count = self.denied.sum(now, HOUR);
            alarms.extend(self.told_at(
                now,
                Signal::DeniedRate,
                (count, limits.denied_per_hour.into()),
                HOUR,
            ));
        }
        if look.broke_glass {
            self.glass.add(now, DAY);
            let count = self.glass.sum(now, DAY);
            alarms.extend(self.told_at(
                now,
                Signal::BreakGlassRate,
                (count, limits.break_glass_per_day.into()),
                DAY,
            ));
        }
        // Numbers are tried whether or not there is anything behind them.
        alarms.extend(look.patient.and_then(|patient| self.in_a_row(limits, patient.expose())));
        if look.outcome == Outcome::Denied {
            return alarms;
        }
        if let Some(patient) = patient {
            alarms.extend(self.looked_at(limits, look, patient, now));
        }
        if !look.is_urgent {
            alarms.extend(self.by_the_clock(limits, look, now));
        }
        alarms
    }

    fn looked_at(&mut self, limits: &Limits, look: &Look<'_>, patient: u32, now: u32) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let views = self.seen(patient, now).look(now);
        if views == limits.repeat_views_per_day.saturating_add(1) {
            alarms.push(alarm(Signal::RepeatViews, views.into(), limits.repeat_views_per_day.into(), DAY));
        }
        let recent = self.patients.iter().filter(|seen| now.saturating_sub(seen.last) < TEN_MINUTES).count();
        let limit = if look.is_urgent { limits.many_patients_urgent } else { limits.many_patients };
        let recent = u32::try_from(recent).unwrap_or(u32::MAX);
        alarms.extend(self.told_at(now, Signal::ManyPatients, (recent, limit.into()), TEN_MINUTES));
        // However often one namesake is looked at, that is one.
        if look.is_namesake && views == 1 {
            self.namesakes.add(now, DAY);
            let (count, limit) = (self.namesakes.sum(now, DAY), u32::from(limits.same_name_per_day));
            if count == limit.saturating_add(1) {
                alarms.push(alarm(Signal::SameName, count, limit, DAY));
            }
        }
        alarms
    }

    /// The place of a patient; that of whoever was looked at longest ago, once all are taken.
    fn seen(&mut self, patient: u32, now: u32) -> &mut Seen {
        let known = self.patients.iter().position(|seen| seen.patient == patient);
        let place = known.unwrap_or_else(|| {
            self.patients.retain(|seen| now.saturating_sub(seen.last) < DAY);
            if self.patients.len() < MOST_PATIENTS {
                self.patients.push(Seen::new(patient));
                return self.patients.len() - 1;
            }
            let oldest = self.patients.iter().enumerate().min_by_key(|(_, seen)| seen.last);
            let place = oldest.map_or(0, |(place, _)| place);
            if let Some(seen) = self.patients.get_mut(place) {
                *seen = Seen::new(patient);
            }
            place
        });
        #[expect(clippy::indexing_slicing, reason = "found, pushed or replaced just above")]
        &mut self.patients[place]
    }

    fn by_the_clock(&mut self, limits: &Limits, look: &Look<'_>, now: u32) -> Option<Alarm> {
        let is_within = limits.working_hours.has(look.at);
        if is_within {
            self.in_hours.add(now, WEEK);
        } else {
            self.out_of_hours.add(now, WEEK);
        }
        let (outside, inside) = (self.out_of_hours.sum(now, WEEK), self.in_hours.sum(now, WEEK));
        let all = outside + inside;
        // Nobody is told of at the beginning of a day.
        if all < LEAST_LOOKS || is_within {
            return None;
        }
        let percent = outside.saturating_mul(100) / all;
        self.told_at(now, Signal::OutOfHours, (percent, limits.out_of_hours_percent.into()), WEEK)
    }

    fn in_a_row(&mut self, limits: &Limits, number: &str) -> Option<Alarm> {
        let base: u32 = number.get(..9)?.parse().ok()?;
        let (before, length) = self.row;
        let length = match base.abs_diff(before) {
            0 => return None,
            1..=NEIGHBOUR => length.saturating_add(1),
            _ => 1,
        };
        self.row = (base, length);
        let is_one_more = length == limits.sequential_numbers.saturating_add(1);
        is_one_more
            .then(|| alarm(Signal::SequentialNumbers, length.into(), limits.sequential_numbers.into(), 0))
    }

    /// An alarm about the person, unless it was told a short while ago.
    fn told_at(
        &mut self,
        now: u32,
        signal: Signal,
        (count, limit): (u32, u32),
        window: u32,
    ) -> Option<Alarm> {
        let (place, quiet) = QUIET
            .iter()
            .enumerate()
            .find_map(|(place, (one, quiet))| (*one == signal).then_some((place, *quiet)))?;
        let told = self.told.get_mut(place)?;
        let is_new = *told == 0 || now.saturating_sub(*told) >= quiet;
        if count <= limit || !is_new {
            return None;
        }
        *told = now;
        Some(alarm(signal, count, limit, window))
    }
}

fn alarm(signal: Signal, count: u32, limit: u32, window_secs: u32) -> Alarm {
    Alarm { signal, count: count.into(), limit: limit.into(), window_secs: window_secs.into() }
}
