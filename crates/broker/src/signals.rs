//! Looks are counted, and what is out of the ordinary goes on record. Nothing here holds a request up, or back.

use std::sync::Arc;

use tributary_audit::{Access, Anomaly, AnomalyKind, BreakGlass, Event};
use tributary_model::{Clock as _, Demographics, Priority, Requester};
use tributary_signals::{Alarm, Look, Outcome, Signal};

use crate::broker::Room;
use crate::ledger;

/// A look that is about to happen.
pub(crate) struct Glance {
    access: Arc<Access>,
    is_namesake: bool,
}

impl Glance {
    /// At a patient, as far as the national service told who that is.
    pub(crate) fn of(access: &Arc<Access>, pds: Option<&Demographics>) -> Self {
        let is_namesake = pds.is_some_and(|patient| is_namesake(&access.requester, patient));
        Self { access: Arc::clone(access), is_namesake }
    }
}

fn is_namesake(requester: &Requester, patient: &Demographics) -> bool {
    let own = requester.family.trim().to_lowercase();
    let family = patient.name.as_ref().map(|name| name.expose().family.trim().to_lowercase());
    !own.is_empty() && family.is_some_and(|family| family == own)
}

impl Room {
    /// A disclosure is on record.
    pub(crate) fn saw(&self, glance: &Glance) {
        self.count_look(&glance.access, glance.is_namesake, Outcome::Shown);
    }

    /// A refusal of the policy is on record.
    pub(crate) fn refused(&self, access: &Arc<Access>) {
        self.count_look(access, false, Outcome::Denied);
    }

    fn count_look(&self, access: &Arc<Access>, is_namesake: bool, outcome: Outcome) {
        let Some(limits) = &self.signals else { return };
        let requester = &access.requester;
        let alarms = self.watch.note(
            limits,
            &Look {
                user: &requester.user_id,
                organisation: requester.organisation.as_str(),
                // By role: whoever lowers the priority of one request works as before.
                is_urgent: Priority::of(requester.role) == Priority::Urgent,
                patient: access.patient,
                is_namesake,
                broke_glass: access.break_glass == BreakGlass::ReasonGiven,
                outcome,
                // By the true time, whatever clock dates the rules.
                at: self.link_clock.now(),
            },
        );
        for alarm in alarms {
            self.sound(access, alarm);
        }
    }

    fn sound(&self, access: &Arc<Access>, alarm: Alarm) {
        self.metrics.anomaly(alarm.signal.code());
        tracing::warn!(
            { anomaly.kind = alarm.signal.code() },
            "somebody's looking is out of the ordinary: see the audit log"
        );
        let event = Event::Anomaly(Anomaly {
            what: kind(alarm.signal),
            requester: Some(Arc::clone(&access.requester)),
            request: Some(access.request),
            patient: access.patient.filter(|_| alarm.signal.is_about_one()),
            count: alarm.count,
            limit: alarm.limit,
            window_secs: alarm.window_secs,
        });
        let trail = self.trail.clone();
        self.tasks.spawn(async move {
            if let Err(error) = trail.record(event).await {
                ledger::complain(&error);
            }
        });
    }
}

const fn kind(signal: Signal) -> AnomalyKind {
    match signal {
        Signal::ManyPatients => AnomalyKind::ManyPatients,
        Signal::RepeatViews => AnomalyKind::RepeatViews,
        Signal::SameName => AnomalyKind::SameName,
        Signal::OutOfHours => AnomalyKind::OutOfHours,
        Signal::SequentialNumbers => AnomalyKind::SequentialNumbers,
        Signal::BreakGlassRate => AnomalyKind::BreakGlassRate,
        Signal::DeniedRate => AnomalyKind::DeniedRate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tributary_model::demographics::PersonName;
    use tributary_model::requester::Assurance;
    use tributary_model::{OdsCode, Redacted, Role, SpineIds};

    #[test]
    fn metrics_and_records_use_one_word() {
        for signal in Signal::ALL {
            assert_eq!(kind(*signal).code(), signal.code());
        }
    }

    #[test]
    fn a_namesake_has_the_same_family_name_in_any_spelling() {
        let requester = |family: &str| Requester {
            user_id: "n-1".to_owned(),
            family: family.to_owned(),
            given: "A".to_owned(),
            role: Role::CommunityNurse,
            organisation: OdsCode::parse("RZ905").unwrap(),
            organisation_name: String::new(),
            asid: None,
            spine: SpineIds::default(),
            assurance: Assurance::Demo,
            proof: None,
            priority: Priority::Interactive,
        };
        let name =
            |family: &str| PersonName { family: family.to_owned(), given: Vec::new(), prefix: Vec::new() };
        let patient = |family: &str| Demographics {
            name: Some(Redacted::new(name(family))),
            ..Demographics::default()
        };
        for (ours, theirs, expected) in
            [("Okafor", "OKAFOR ", true), ("Okafor", "Okafors", false), ("", "", false), (" ", " ", false)]
        {
            assert_eq!(is_namesake(&requester(ours), &patient(theirs)), expected, "{ours:?} {theirs:?}");
        }
        assert!(!is_namesake(&requester("Okafor"), &Demographics::default()));
    }
}
