//! What an outcome means to whatever limits a source: whose fault it is, and how bad.

use std::time::Duration;

use tributary_model::FaultClass;

/// What one outcome says about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answered, be it with a refusal: consent, denial and "no such patient" are answers.
    Success,
    /// It is there, and has too much to do.
    Soft,
    /// It failed.
    Hard,
    /// Nothing about its health: our own doing, or an answer that is unusable rather than absent.
    Neutral,
}

/// Whether a source had the time that it usually needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// It had.
    Enough,
    /// Whoever asked was in a greater hurry than the source can be blamed for.
    Short,
}

/// Nobody is blamed for not answering in less than this.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

impl Time {
    /// Judges the time a source was `given`: at least a second and half as much again as its slow answers take.
    /// Nobody can ask for more than the source is registered to need at most (`cap`): a source whose answers
    /// grow slower than its own timeout fails, however slow it has been before. A tenth of the cap may be lost
    /// on the way here.
    pub fn of(given: Duration, cap: Duration, p95: Option<Duration>) -> Self {
        let usual = p95.map_or(LEAST_PATIENCE, |p95| p95 * 3 / 2);
        let needed = usual.max(LEAST_PATIENCE).min(cap * 9 / 10);
        if given >= needed { Self::Enough } else { Self::Short }
    }
}

impl Verdict {
    /// What an outcome means. `time` matters to those that are about time, and is judged for faults alone: what a
    /// source usually needs is looked for among its last answers, and most asks are answered.
    pub fn of(outcome: Result<(), FaultClass>, time: impl FnOnce() -> Time) -> Self {
        match outcome {
            Ok(()) => Self::Success,
            Err(class) => Self::of_fault(class, time()),
        }
    }

    const fn of_fault(class: FaultClass, time: Time) -> Self {
        match class {
            FaultClass::ConnectTimeout
            | FaultClass::TlsTimeout
            | FaultClass::NoHead
            | FaultClass::SlowBody => match time {
                Time::Enough => Self::Hard,
                Time::Short => Self::Neutral,
            },

            // Our certificate may be why a handshake fails. Still nothing can pass until somebody changes it,
            // and a source whose certificates changed begins anew.
            FaultClass::Connect
            | FaultClass::Dns
            | FaultClass::TlsExpired
            | FaultClass::TlsNotYetValid
            | FaultClass::TlsName
            | FaultClass::TlsUntrusted
            | FaultClass::TlsRevoked
            | FaultClass::TlsVersion
            | FaultClass::TlsClientRejected
            | FaultClass::Tls
            | FaultClass::Reset
            | FaultClass::ServerError
            | FaultClass::OutcomeError
            // One answer without end costs what a hundred records cost. One patient whose record is too long does
            // not shut a source: answers to others come between.
            | FaultClass::TooLarge => Self::Hard,

            FaultClass::Throttled => Self::Soft,

            // It answered, and the answer is its to give.
            FaultClass::Denied
            | FaultClass::NoAgreement
            | FaultClass::AsidCheck
            | FaultClass::Consent
            | FaultClass::NoRecord => Self::Success,

            // Addresses: a matter of registration, whoever is at fault. The source is not busy with us.
            FaultClass::AddressBlocked
            | FaultClass::EndpointVaries
            | FaultClass::BadEndpoint
            | FaultClass::Redirect
            // Our request, or our own refusal.
            | FaultClass::OurRequest
            | FaultClass::Guard
            | FaultClass::Breaker
            | FaultClass::Memory
            | FaultClass::Internal
            // Nobody was asked.
            | FaultClass::SwitchedOff
            | FaultClass::IdentitySwitch
            | FaultClass::NoAsid
            | FaultClass::NotOffered
            | FaultClass::Unlocated
            | FaultClass::NothingAsked
            | FaultClass::NotScreened
            | FaultClass::NotPermitted
            | FaultClass::NoPractice
            | FaultClass::PracticeNotServed
            // An answer that cannot be used: often one patient's, and no sign of load.
            | FaultClass::UnexpectedStatus
            | FaultClass::EmptyBody
            | FaultClass::Truncated
            | FaultClass::Encoding
            | FaultClass::MediaType
            | FaultClass::Utf8
            | FaultClass::JsonSyntax
            | FaultClass::JsonDepth
            | FaultClass::JsonDuplicate
            | FaultClass::Shape
            | FaultClass::Version
            // Another patient's answer has a switch of its own.
            | FaultClass::IdentityUnproven
            | FaultClass::IdentityNumber
            | FaultClass::IdentityDemographics
            | FaultClass::IdentityMixed => Self::Neutral,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tributary_model::SourceStatus;

    const CAP: Duration = Duration::from_secs(3);

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn all(time: Time) -> impl Iterator<Item = (FaultClass, Verdict)> {
        FaultClass::ALL.iter().map(move |class| (*class, Verdict::of(Err(*class), || time)))
    }

    #[test]
    fn a_hurry_is_not_the_source_s_fault() {
        for (class, enough) in all(Time::Enough) {
            let short = Verdict::of(Err(class), || Time::Short);
            let is_timeout = enough != short;
            assert_eq!(
                is_timeout,
                class.code().contains("timeout") || class.status() == SourceStatus::Timeout
            );
            if is_timeout {
                assert_eq!((enough, short), (Verdict::Hard, Verdict::Neutral), "{class:?}");
            }
        }
    }

    #[test]
    fn only_a_source_that_failed_is_blamed() {
        for (class, verdict) in all(Time::Enough) {
            let neutral = [SourceStatus::Invalid, SourceStatus::IdentityMismatch, SourceStatus::NotQueried];
            let answered = [SourceStatus::NoRecord, SourceStatus::WithheldConsent, SourceStatus::Denied];
            let status = class.status();
            let expected: &[Verdict] = if class == FaultClass::TooLarge {
                &[Verdict::Hard]
            } else if neutral.contains(&status) {
                &[Verdict::Neutral]
            } else if answered.contains(&status) {
                &[Verdict::Success]
            } else if status == SourceStatus::Shed {
                &[Verdict::Soft, Verdict::Neutral]
            } else {
                &[Verdict::Hard, Verdict::Neutral]
            };
            assert!(expected.contains(&verdict), "{class:?}: {verdict:?}");
        }
        assert_eq!(Verdict::of(Ok(()), || Time::Short), Verdict::Success);
        for ours in [FaultClass::Guard, FaultClass::Breaker, FaultClass::Memory, FaultClass::Internal] {
            assert_eq!(Verdict::of(Err(ours), || Time::Enough), Verdict::Neutral);
        }
        assert_eq!(Verdict::of(Err(FaultClass::Throttled), || Time::Short), Verdict::Soft);
    }

    #[test]
    fn a_source_has_a_second_and_half_as_much_again_as_it_needs() {
        for (given, p95, expected) in [
            (200, None, Time::Short),
            (999, Some(10), Time::Short),
            (1000, Some(10), Time::Enough),
            (1400, Some(1000), Time::Short),
            (1500, Some(1000), Time::Enough),
            // Its own timeout is always enough, also when a little of it went on the way.
            (2999, Some(2900), Time::Enough),
            (2600, Some(2900), Time::Short),
        ] {
            assert_eq!(Time::of(ms(given), CAP, p95.map(ms)), expected, "{given} {p95:?}");
        }
        // A source registered to answer within half a second fails when it does not.
        assert_eq!(Time::of(ms(499), ms(500), None), Time::Enough);
    }
}
